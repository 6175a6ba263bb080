//! A single agent alone, which is a run as any other: with its exit codes, its sentences and its recovery.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use cogwork_schemas::{AttemptOutcome, Fact, Status};
use rustix::process::Signal;
use serde_json::json;

use crate::place::{Place, signal, until};

const MINUTE: Duration = Duration::from_secs(60);

fn place(features: usize) -> Place {
    let features: Vec<_> = (1..=features)
        .map(|number| json!({"name": format!("f{number}"), "checks": [format!("test -e f{number}.txt")]}))
        .collect();
    Place::with_features(&json!({"features": features}))
}

/// A program that plays Claude Code: what it prints when it is asked for something.
fn claude(place: &Place, prints: &str) -> String {
    let program = place.beside("claude");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo '2.1.300 (Claude Code)'; exit 0; }}\ncat > /dev/null\n\
         echo '{{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"s\",\
         \"mcp_servers\":[{{\"name\":\"features\",\"status\":\"connected\"}}]}}'\n{prints}\nexit 1\n"
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program.to_str().unwrap().to_owned()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// Whether alone or in a run, an agent that cannot work ends it with the same code and the same sentence.
fn both_ways(prints: &str, more: &[&str], code: i32, sentence: &str) {
    for how in [&["agent"][..], &["run", "-c", "1"], &["run", "-c", "3", "--isolation", "shared"]] {
        let place = place(4);
        let program = claude(&place, prints);
        let args = [how, &["--agent", "claude", "--program", &program, "--policy", "off"], more].concat();
        let ended = place.cogwork(&args);
        let said = text(&ended);
        assert_eq!(ended.status.code(), Some(code), "{how:?}: {said}");
        assert!(said.contains(sentence), "{how:?}: {said}");
        let journal = place.journal();
        let sessions =
            journal.iter().filter(|entry| matches!(entry.fact, Fact::SessionStarted { .. })).count();
        assert!((1..=3).contains(&sessions), "{how:?}: {sessions} sessions");
        for feature in place.store().features().unwrap() {
            assert_eq!((feature.status, feature.failed_attempts), (Status::Pending, 0), "{how:?}");
        }
    }
}

#[test]
fn a_refused_key_ends_it_at_once() {
    let prints = r#"echo '{"type":"result","subtype":"success","is_error":true,"result":"Invalid API key · Please run /login"}'"#;
    both_ways(prints, &[], 1, "; the run cannot go on: ");
}

#[test]
fn a_limit_that_is_not_waited_for_ends_it() {
    let prints = r#"echo '{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":'$(($(date +%s) + 9000))',"rateLimitType":"five_hour"}}'
echo '{"type":"result","subtype":"success","is_error":true,"result":"limit"}'"#;
    both_ways(
        prints,
        &["--on-limit", "stop"],
        8,
        "; the run ended at the account's usage limit, which resets at ",
    );
}

#[test]
fn an_account_without_credit_ends_it_at_once() {
    let prints = r#"echo '{"type":"result","subtype":"success","is_error":true,"result":"Credit balance is too low"}'"#;
    both_ways(prints, &[], 1, "; the run cannot go on: ");
}

fn start(place: &Place, agent: &str) -> Child {
    let mut command = place.command(&["agent", "--agent", agent]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Told to stop at any moment, it ends in order, and the next one goes on where it was.
#[test]
fn thirty_stops_lose_nothing() {
    let place = place(6);
    let agent = "exec:sleep 0.05; echo $COGWORK_FEATURES > f$COGWORK_FEATURES.txt; sleep 0.05";
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..30 {
        let mut run = start(&place, agent);
        std::thread::sleep(Duration::from_millis(rng.u64(0..400)));
        signal(&run, Signal::TERM);
        until("its end", MINUTE, || run.try_wait().unwrap().is_some());
        place.assert_no_processes_within(Duration::from_secs(5));
        for feature in place.store().features().unwrap() {
            assert_eq!(feature.failed_attempts, 0, "a stop costs {} an attempt", feature.id);
        }
    }
    let ended = place.cogwork(&["agent", "--agent", agent]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended));
    for feature in place.store().features().unwrap() {
        assert_eq!(feature.status, Status::Passing);
        let attempts = place.store().attempts_of(feature.id).unwrap();
        let landed = attempts.iter().filter(|it| it.outcome == Some(AttemptOutcome::Landed)).count();
        assert_eq!(landed, 1, "{} is paid for once", feature.id);
        let paid = attempts.iter().filter(|attempt| attempt.submitted.is_some()).count();
        assert_eq!(paid, 1, "{}: what was handed in lands", feature.id);
        assert_eq!(place.git(&["show", &format!("HEAD:f{}.txt", feature.id.0)]), feature.id.0.to_string());
    }
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

/// A second terminal steers it, and sees it, as it does any run.
#[test]
fn it_is_steered_as_any_run() {
    let place = place(2);
    let agent = "exec:until test -e ../go; do sleep 0.05; done; touch f$COGWORK_FEATURES.txt";
    let mut run = start(&place, agent);
    until("the session", MINUTE, || text(&place.cogwork(&["status"])).contains("s1"));
    let told = |args: &[&str]| text(&place.cogwork(args));
    assert!(told(&["pause"]).contains("nothing is started"), "{}", told(&["status"]));
    fs::write(place.beside("go"), "").unwrap();
    until("the first landing", MINUTE, || told(&["list"]).contains("proven"));
    assert!(told(&["status"]).contains("paused"), "{}", told(&["status"]));
    assert!(told(&["resume"]).contains("started again"));
    until("its end", MINUTE, || run.try_wait().unwrap().is_some());
    assert_eq!(run.wait().unwrap().code(), Some(0));
}
