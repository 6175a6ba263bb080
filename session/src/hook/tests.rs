//! Calls as Claude Code makes them, on real files.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

struct Session {
    root: tempfile::TempDir,
    project: PathBuf,
    workspace: PathBuf,
}

impl Session {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let project = root.path().canonicalize().unwrap().join("p");
        let workspace = project.join(".cogwork/workspaces/s1");
        fs::create_dir_all(workspace.join("src")).unwrap();
        Self { root, project, workspace }
    }

    #[expect(clippy::needless_pass_by_value, reason = "each call is made where it is judged")]
    fn judge(&self, tool: &str, input: serde_json::Value) -> Result<Result<(), Denied>, String> {
        let call = json!({
            "session_id": "x", "cwd": self.workspace, "permission_mode": "dontAsk", "hook_event_name": "PreToolUse",
            "tool_name": tool, "tool_input": input,
        });
        self.judge_raw(call.to_string().as_bytes())
    }

    fn judge_raw(&self, call: &[u8]) -> Result<Result<(), Denied>, String> {
        let home = self.root.path().join("home");
        let own = Environment::of(&[("HOME", home.to_str().unwrap())], &[]);
        let flags = HookFlags {
            project_dir: self.project.clone(),
            workspace: self.workspace.clone(),
            policy: PolicyChoice::Default,
        };
        judged(&flags, &own, call)
    }

    fn allows(&self, tool: &str, input: serde_json::Value) -> bool {
        self.judge(tool, input).unwrap().is_ok()
    }
}

#[test]
fn files_are_written_in_the_workspace_only_wherever_a_link_leads() {
    let session = Session::new();
    symlink("/etc", session.workspace.join("out")).unwrap();
    symlink("src", session.workspace.join("in")).unwrap();
    symlink("loop", session.workspace.join("loop")).unwrap();
    symlink("../../policy.toml", session.workspace.join("harmless")).unwrap();
    let inside = |path: &str| session.workspace.join(path);
    for tool in ["Write", "Edit", "MultiEdit"] {
        for path in [inside("a"), inside("src/deep/b"), inside("in/b"), "c".into(), inside("src/../d")] {
            assert!(session.allows(tool, json!({"file_path": path, "content": "x"})), "{tool} {path:?}");
        }
        let project = &session.project;
        for path in [
            inside("out/passwd"),
            inside("harmless"),
            inside("loop/x"),
            inside("../s2/x"),
            inside("in/../../../policy.toml"),
            project.join("src/main.rs"),
            project.join(".cogwork/policy.toml"),
            "/etc/x".into(),
            "~/x".into(),
            "../x".into(),
        ] {
            assert!(!session.allows(tool, json!({"file_path": path, "content": "x"})), "{tool} {path:?}");
        }
        assert!(!session.allows(tool, json!({"content": "x"})));
    }
    assert!(!session.allows("NotebookEdit", json!({"notebook_path": "/etc/x"})));
}

#[test]
fn what_is_cogworks_own_is_not_read() {
    let session = Session::new();
    let token = session.project.join(".cogwork/sessions/s1/mcp.json");
    for (tool, input) in [
        ("Read", json!({"file_path": token})),
        ("Grep", json!({"pattern": "TOKEN", "path": session.project.join(".cogwork")})),
        ("Glob", json!({"pattern": "../../sessions/**"})),
        ("Glob", json!({"pattern": "**", "path": "../../sessions"})),
        ("Bash", json!({"command": "cat ../../sessions/s1/mcp.json"})),
        ("Read", json!({"file_path": "~/.ssh/id_rsa"})),
    ] {
        assert!(!session.allows(tool, input.clone()), "{tool} {input}");
    }
    for (tool, input) in [
        ("Read", json!({"file_path": session.project.join("README")})),
        ("Grep", json!({"pattern": "x"})),
        ("Glob", json!({"pattern": "src/**/*.rs"})),
        ("TodoWrite", json!({"todos": []})),
        ("mcp__features__feature_get_by_id", json!({"feature_id": 1})),
        ("Bash", json!({"command": "ls", "description": "sudo"})),
    ] {
        assert!(session.allows(tool, input.clone()), "{tool} {input}");
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let session = Session::new();
    assert!(!session.allows("Bash", json!({})));
    assert!(!session.allows("Bash", json!({"command": ["ls"]})));
    for call in ["", "{", "[]", "{\"tool_name\": \"Bash\"}", "null"] {
        assert!(session.judge_raw(call.as_bytes()).is_err(), "{call}");
    }
}

#[test]
fn a_broken_policy_refuses_everything_and_says_where() {
    let session = Session::new();
    fs::write(session.project.join(".cogwork/policy.toml"), "version = 1\nalow = []\n").unwrap();
    let told = session.judge("Bash", json!({"command": "ls"})).unwrap_err();
    assert!(told.contains(".cogwork/policy.toml, line 2: ") && told.contains("alow"), "{told}");
    fs::remove_file(session.project.join(".cogwork/policy.toml")).unwrap();
    fs::create_dir_all(session.root.path().join("home/.config/cogwork/policy.toml")).unwrap();
    let told = session.judge("Bash", json!({"command": "ls"})).unwrap_err();
    assert!(told.contains("cannot be read"), "{told}");
}

#[test]
fn what_panics_or_takes_too_long_is_refused() {
    let long = Duration::from_secs(60);
    assert_eq!(within(long, || Ok(Ok(()))), Ok(Ok(())));
    let told = within(long, || panic!("a fault of the parser")).unwrap_err();
    assert!(told.contains("too odd"), "{told}");
    let (never, waits) = mpsc::channel::<()>();
    let told = within(Duration::from_millis(20), move || {
        waits.recv().ok();
        Ok(Ok(()))
    })
    .unwrap_err();
    assert!(told.contains("too long"), "{told}");
    drop(never);
    let told = whole(io::repeat(b' ')).unwrap_err();
    assert!(told.contains("too large"), "{told}");
}

#[test]
fn the_line_survives_any_path() {
    let programs = Programs::within("/a b/it's");
    let line = line(&programs, Path::new("/p"), Path::new("/w"), &PolicyChoice::Default).unwrap();
    let expected = r"'/a b/it'\''s' 'agent' 'hook' '--project-dir' '/p' '--workspace' '/w' '--policy' 'default' || exit 2";
    assert_eq!(line, expected);
    assert_eq!(super::line(&programs, Path::new("/p"), Path::new("/w"), &PolicyChoice::Off), None);
}
