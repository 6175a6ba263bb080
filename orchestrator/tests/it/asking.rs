//! The question before a file is written, on a terminal and without one.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::place::Place;

/// Runs `cogwork mcp install` on a terminal and answers what it asks, or returns nothing where none can be made.
fn answered(place: &Place, answer: &str) -> Option<Output> {
    let program = env!("CARGO_BIN_EXE_cogwork");
    let line = format!("'{program}' mcp install --client claude,cursor");
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.current_dir(&place.project).env("HOME", &place.home).env_remove("PROJECT_DIR");
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else {
        println!("skipped: `script`, which makes a terminal, is not installed here");
        return None;
    };
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[test]
fn a_yes_writes_what_was_shown() {
    let place = Place::new();
    let Some(output) = answered(&place, "y\n") else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("+    \"cogwork\": {") && said.contains("Write these 2 files? [y/N]"), "{said}");
    assert!(place.project.join(".mcp.json").is_file() && place.project.join(".cursor/mcp.json").is_file());
}

#[test]
fn anything_else_changes_nothing() {
    for answer in ["n\n", "\n", "\u{4}"] {
        let place = Place::new();
        let before = place.everything();
        let Some(output) = answered(&place, answer) else { return };
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("nothing was changed"), "{said}");
        assert_eq!(place.everything(), before);
    }
}

#[test]
fn without_a_terminal_it_shows_and_refuses() {
    let place = Place::new();
    let said = place.refused(&["install", "--client", "claude"]);
    assert!(said.contains("no terminal to ask on") && said.contains("--yes"), "{said}");
    let output = place.cogwork(&["mcp", "install", "--client", "claude"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("+    \"cogwork\": {"));
}
