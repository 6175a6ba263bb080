//! The command policy as a real program: what an agent's program hears, and that each way to fail is a refusal.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::project::Project;
use crate::runner::binary;

const ONE: &str = r#"[{"name": "one", "checks": ["true"]}]"#;

/// The line as Claude Code is given it, for a program that may not be there.
fn line(program: &Path, project: &Project, more: &str) -> String {
    let (program, dir) = (program.display(), project.dir.display());
    let workspace = project.dir.join(".cogwork/workspaces/s1");
    std::fs::create_dir_all(&workspace).unwrap();
    format!("'{program}' hook --project-dir '{dir}' --workspace '{}' {more} || exit 2", workspace.display())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is no program of Cogwork: it starts them as Claude Code does"
)]
/// Runs the line as a shell of Claude Code would, with `call` on its stdin.
fn asked(line: &str, call: &[u8]) -> Output {
    let mut shell = Command::new("sh")
        .args(["-c", line])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that does not read to the end ends the pipe.
    shell.stdin.take().unwrap().write_all(call).ok();
    shell.wait_with_output().unwrap()
}

fn bash(command: &str) -> Vec<u8> {
    format!(r#"{{"tool_name": "Bash", "cwd": "/", "tool_input": {{"command": "{command}"}}}}"#).into_bytes()
}

#[test]
fn it_lets_pass_in_silence_and_refuses_with_a_reason() {
    let project = Project::plain(ONE);
    let line = line(binary().as_ref(), &project, "");
    let passed = asked(&line, &bash("git status && ls"));
    assert_eq!((passed.status.code(), passed.stdout.as_slice()), (Some(0), b"".as_slice()));
    let refused = asked(&line, &bash("ls; echo x | sudo tee y"));
    let said = String::from_utf8(refused.stdout).unwrap();
    assert_eq!(refused.status.code(), Some(0), "{said}");
    assert!(said.contains(r#""permissionDecision":"deny""#) && said.contains("`sudo`"), "{said}");
}

#[test]
fn whatever_goes_wrong_is_a_refusal() {
    let project = Project::plain(ONE);
    let call = bash("ls");
    let refused = |line: &str, call: &[u8]| {
        let said = asked(line, call);
        let (stdout, stderr) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        assert_eq!((said.status.code(), stdout.as_ref()), (Some(2), ""), "{line}: {stderr}");
        stderr.into_owned()
    };
    let good = line(binary().as_ref(), &project, "");
    assert!(refused(&good, b"no json").contains("refused by Cogwork"), "it says whose refusal it is");
    refused(&good, b"");
    refused(&line(Path::new("/nowhere/cogwork"), &project, ""), &call);
    refused(&line(&project.dir, &project, ""), &call);
    refused(&line(binary().as_ref(), &project, "--no-such-flag"), &call);
    refused(&line(binary().as_ref(), &project, "--policy /nowhere/policy.toml"), &call);
    // Its answer cannot be said.
    refused(&good.replace(" || ", " > /dev/full || "), &bash("sudo ls"));
    // A hook that is killed.
    let dies = project.dir.join("dies");
    std::fs::write(&dies, "#!/bin/sh\nkill -9 $$\n").unwrap();
    std::fs::set_permissions(&dies, std::fs::Permissions::from_mode(0o755)).unwrap();
    refused(&line(&dies, &project, ""), &call);
}
