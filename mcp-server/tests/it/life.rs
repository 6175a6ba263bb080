//! How the process ends: always by itself, always with 0, and with nothing left behind.

use std::process::Stdio;

use serde_json::json;

use crate::client::{Client, ERAS, Era, command, server};
use crate::project::{Project, SLOW, wait_for};

#[test]
fn the_end_of_the_input_is_the_end() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &[]);
        client.get("feature_get_stats", json!({}));
        assert!(client.close().success());
    }
    // A client that opens and leaves, or says nothing at all.
    assert!(project.open(Era::Initialize, &[]).close().success());
    assert!(Client::spawn(&mut project.server(&[]), Era::Initialize).close().success());
}

#[test]
fn a_client_that_only_probes_leaves_a_success() {
    let project = Project::new();
    let mut client = Client::spawn(&mut project.server(&[]), Era::Stateless);
    assert!(client.ask("server/discover", json!({}))["result"].is_object());
    assert!(client.close().success());
}

#[test]
fn without_any_input_it_ends_at_once() {
    let project = Project::new();
    let output = project.server(&[]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn signals_end_it_with_success() {
    let project = Project::new();
    for signal in ["INT", "TERM", "HUP"] {
        let mut client = project.open(Era::Initialize, &[]);
        client.get("feature_get_stats", json!({}));
        client.signal(signal);
        assert!(client.ended().success(), "{signal}");
        // One that has not said anything yet.
        let mut silent = Client::spawn(&mut project.server(&[]), Era::Initialize);
        silent.send_line(b"");
        assert!(silent.ask("ping", json!({}))["result"].is_object());
        silent.signal(signal);
        assert!(silent.ended().success(), "{signal}");
    }
}

#[test]
fn a_signal_during_a_check_run_clears_it_away() {
    let project = Project::new();
    let claim = project.claim(SLOW);
    let mut client = project.session(Era::Initialize, &[(SLOW, &claim.token)]);
    client.send("tools/call", json!({"name": "feature_mark_passing", "arguments": {"feature_id": SLOW}}));
    let (shell, child) = (project.process("pid"), project.process("child"));
    client.signal("TERM");
    assert!(client.ended().success());
    assert!(!shell.exists() && !child.exists());
    assert!(project.store.attempt(&claim.token).unwrap().submitted.is_none());
}

#[test]
fn the_end_of_the_input_during_a_check_run_clears_it_away() {
    let project = Project::new();
    let claim = project.claim(SLOW);
    let mut client = project.session(Era::Stateless, &[(SLOW, &claim.token)]);
    client.send("tools/call", json!({"name": "feature_mark_passing", "arguments": {"feature_id": SLOW}}));
    let (shell, child) = (project.process("pid"), project.process("child"));
    assert!(client.close().success());
    assert!(!shell.exists() && !child.exists());
}

#[test]
fn a_short_call_in_flight_is_answered_before_the_end() {
    let project = Project::new();
    let mut client = project.open(Era::Initialize, &[]);
    let ids: Vec<i64> = (0..20)
        .map(|_| client.send("tools/call", json!({"name": "feature_get_ready", "arguments": {}})))
        .collect();
    let answers = client.close_and_collect();
    assert_eq!(answers.len(), ids.len(), "{answers:?}");
}

#[test]
fn it_does_not_outlive_its_parent() {
    let project = Project::new();
    // A shell starts the server on our pipes and is killed; we go on holding the pipe open.
    let mut shell = command("sh");
    shell.args(["-c", r#"exec 3<&0; "$0" --project-dir "$1" <&3 & echo $! > "$1/server"; wait"#]);
    let program = server().get_program().to_owned();
    let mut client = Client::open(shell.arg(program).arg(project.path()), Era::Initialize);
    let server = project.process("server");
    assert!(server.exists());
    client.signal("KILL");
    assert!(client.message().is_none(), "the server says nothing more and closes its output");
    // Who has adopted it may take a while to bury it.
    let is_over = || std::fs::read_to_string(server.join("stat")).map_or(true, |stat| stat.contains(") Z "));
    wait_for(|| is_over().then_some(()));
}
