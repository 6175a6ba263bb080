//! Any text as a command line: the policy says yes or no, and what is never run is not run behind anything.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cogwork_session::policy::{Layer, Place, Policy, lexical};
use libfuzzer_sys::fuzz_target;

fn policies() -> &'static [Policy] {
    static POLICIES: OnceLock<Vec<Policy>> = OnceLock::new();
    POLICIES.get_or_init(|| {
        let files = [
            "version = 1\nmode = \"listed\"\nallow = [\"./scripts/*\", \"play*\"]",
            "version = 1\nblock = [\"docker\"]\nunknown = \"allow\"\nremote = \"allow\"\nkill = [\"vite\"]",
        ];
        let layers = files.iter().filter_map(|text| Layer::parse("policy.toml", text).ok());
        let mut policies: Vec<Policy> = layers.map(|layer| Policy::new(vec![layer])).collect();
        assert_eq!(policies.len(), files.len(), "a policy here is wrong");
        policies.push(Policy::default());
        policies
    })
}

fuzz_target!(|line: &str| {
    let place = Place {
        workspace: PathBuf::from("/p/.cogwork/workspaces/s1"),
        state: PathBuf::from("/p/.cogwork"),
        home: Some(PathBuf::from("/home/u")),
        temporary: vec![PathBuf::from("/tmp")],
        resolve: &|path: &Path| lexical(path),
    };
    for policy in policies() {
        let judge = |line: &str| policy.judge_line(&place, &place.workspace, line);
        // A comment swallows the rest of its line, and a word in quotes or behind `\` what follows it.
        if judge(line).is_ok() && !line.contains("sudo") && !line.ends_with('\\') {
            assert!(judge(&format!("{line}\nsudo ls")).is_err(), "{line:?}");
        }
    }
});
