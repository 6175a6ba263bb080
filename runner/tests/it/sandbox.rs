//! Sandboxed sessions: an agent that tries to write everywhere, and what comes of it.

use cogwork_process::contain::{SandboxChoice, Wall};
use cogwork_schemas::SessionOutcome;
use cogwork_session::Environment;
use cogwork_store::state_dir;

use crate::project::Project;
use crate::runner::Session;

/// Every wall that stands here, as it is asked for; says which does not.
async fn walls() -> Vec<SandboxChoice> {
    let env = Environment::of_this_process().allowed(&[]);
    let mut walls = Vec::new();
    for choice in [SandboxChoice::Bubblewrap, SandboxChoice::Landlock] {
        match Wall::find(choice, &env).await {
            Ok(_) => walls.push(choice),
            Err(error) => println!("skipped: {error}"),
        }
    }
    walls
}

/// It reports what it could write in a file of its workspace, which is committed.
const AGENT: &str = r#"cat > /dev/null; exec 2>/dev/null
try() { (echo x > "$1") && echo "$2" >> wrote; }
: > wrote
try mine workspace; try .git/mine repository; try "$TMPDIR/x" temporary; try "$CACHE/x" cache
try "$COGWORK_PROJECT/README" project; try "$COGWORK_PROJECT/.git/hooks/post-checkout" hooks
try "$COGWORK_PROJECT/.cogwork/policy.toml" policy; try "$COGWORK_PROJECT/.cogwork/config.toml" config
try "$(dirname "$COGWORK_MCP_CONFIG")/journal.ndjson" journal; try "$COGWORK_MCP_CONFIG" configuration
try "$COGWORK_PROJECT/.cogwork/new" state; try "$COGWORK_PROJECT/.cogwork/workspaces/new" workspaces
try "$HOME/.bashrc" home
(cat "$COGWORK_PROJECT/README" > read) && echo reading >> wrote
(: >> "$COGWORK_PROJECT/.cogwork/features.db") && echo database >> wrote
"#;

#[tokio::test]
async fn it_writes_where_it_works_and_nowhere_else() {
    for choice in walls().await {
        // Neither in a shared directory nor in the home of anybody.
        let outside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (home, cache) = (outside.path().join("home"), outside.path().join("cache"));
        std::fs::create_dir(&home).unwrap();
        std::fs::create_dir(&cache).unwrap();
        let check = "(echo x > \"$CACHE/../by-check\") 2>/dev/null; echo x > by-check && test -f wrote";
        let project = Project::git(&format!(
            "[{{\"name\": \"greet\", \"checks\": [{}]}}]",
            serde_json::Value::from(check)
        ));
        project.write(".cogwork/policy.toml", "version = 1\n");
        let claim = project.claim(1);
        let mut command = project.command(1, &claim, AGENT);
        command.settings.sandbox = Some(choice);
        command.settings.sandbox_write = vec![cache.clone()];
        command.pass_env = vec!["CACHE".into()];
        let env = [("HOME", home.to_str().unwrap()), ("CACHE", cache.to_str().unwrap())];
        let over = Session::start_with(&command, &env).end();
        assert_eq!(over.outcome(), &SessionOutcome::Completed, "{choice:?}: {:?}", over.events);
        let wrote = std::fs::read_to_string(project.workspace(&claim).join("wrote")).unwrap();
        let expected = ["workspace", "repository", "temporary", "cache", "reading", "database"];
        assert_eq!(wrote.lines().collect::<Vec<_>>(), expected, "{choice:?}");
        assert_eq!(project.read("README"), "old\n");
        assert_eq!(project.read(".cogwork/policy.toml"), "version = 1\n");
        assert!(!outside.path().join("by-check").exists(), "{choice:?}: a check wrote outside");
        assert!(project.workspace(&claim).join("by-check").exists(), "{choice:?}");
        assert!(cache.join("x").exists() && !home.join(".bashrc").exists(), "{choice:?}");
        let facts = project.facts(1);
        assert!(facts.contains(&"checks_green".to_owned()), "{choice:?}: {facts:?}");
        let left = std::fs::read_dir(state_dir(&project.dir)).unwrap();
        assert!(!left.map(|entry| entry.unwrap().file_name()).any(|name| name == "new"));
    }
}

/// Nobody works without the wall that was asked for.
#[test]
fn without_the_sandbox_there_is_no_session() {
    let project = Project::git(r#"[{"name": "greet", "checks": ["true"]}]"#);
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, "touch \"$COGWORK_PROJECT/ran\"");
    command.settings.sandbox = Some(SandboxChoice::Bubblewrap);
    let path = tempfile::tempdir().unwrap();
    for program in ["git", "sh"] {
        std::os::unix::fs::symlink(format!("/usr/bin/{program}"), path.path().join(program)).unwrap();
    }
    let over = Session::start_with(&command, &[("PATH", path.path().to_str().unwrap())]).end();
    let SessionOutcome::NotStarted { reason } = over.outcome() else { panic!("{:?}", over.outcome()) };
    assert!(reason.contains("bubblewrap is not installed") || reason.contains("needs Linux"), "{reason}");
    assert!(!project.dir.join("ran").exists());
}
