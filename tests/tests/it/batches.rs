//! Sessions that take one further feature after another, from the command line to the main branch.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use cogwork_schemas::{Fact, Proof, Status};
use serde_json::json;

use crate::place::{Place, assert_sound_journal, kill};

/// Asserts that everything passes by evidence, each feature merged once, and that some session did several.
fn assert_built_by_fewer_sessions(place: &Place) {
    place.assert_no_processes_within(Duration::ZERO);
    let store = place.store();
    let features = store.features().unwrap();
    for feature in &features {
        let proof = (feature.status, feature.proof, feature.failed_attempts);
        assert_eq!(proof, (Status::Passing, Some(Proof::RedGreen), 0), "{}", feature.name);
        let trailer = format!("Cogwork-Feature: {}$", feature.id.0);
        let merges = place.git(&["log", "--merges", "--format=%h", "-E", "--grep", &trailer]);
        assert_eq!(merges.lines().count(), 1, "{} was merged {merges:?}", feature.name);
    }
    let journal = place.journal();
    assert_sound_journal(&journal);
    let landed = journal.iter().filter(|entry| matches!(entry.fact, Fact::Integrated { .. }));
    let sessions: BTreeSet<_> = landed.filter_map(|entry| entry.session).collect();
    assert!(sessions.len() < features.len(), "{} sessions for {} features", sessions.len(), features.len());
    for session in sessions {
        assert!(store.attempts_of_session(session).unwrap().len() <= 3, "{session}");
    }
    assert_eq!(store.live_sessions().unwrap(), []);
    assert_eq!(std::fs::read_dir(place.dir.join(".cogwork/workspaces")).map_or(0, Iterator::count), 0);
    assert_eq!(place.git(&["status", "--porcelain"]), "", "the project is clean");
    assert!(place.cogwork(&["verify"]).status.success());
}

#[test]
fn the_demo_is_built_by_fewer_sessions() {
    let place = Place::empty();
    let output = place.demo().args(["--batch-size", "3"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_built_by_fewer_sessions(&place);
}

#[test]
fn a_kill_in_the_middle_of_batches_costs_nothing_that_was_handed_in() {
    let place = Place::empty();
    let mut demo = place.demo().args(["--batch-size", "3"]).stdout(Stdio::null()).spawn().unwrap();
    // Some session has gone on.
    let start = Instant::now();
    let is_in_the_middle = || {
        let claims = place.dir.join(".cogwork/features.db").exists().then(|| place.journal());
        let claims = claims.unwrap_or_default().into_iter();
        let sessions: Vec<_> = claims
            .filter(|entry| matches!(entry.fact, Fact::Claimed { .. }))
            .filter_map(|entry| entry.session)
            .collect();
        sessions.iter().collect::<BTreeSet<_>>().len() < sessions.len()
    };
    while !is_in_the_middle() {
        assert!(start.elapsed() < Duration::from_secs(30), "no session goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(&mut demo);
    let handed_in: Vec<_> = place
        .store()
        .live_attempts()
        .unwrap()
        .into_iter()
        .filter(|attempt| attempt.submitted.is_some())
        .map(|attempt| attempt.id)
        .collect();
    let output = place.cogwork(&["run", "--batch-size", "3"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_built_by_fewer_sessions(&place);
    let journal = place.journal();
    for attempt in handed_in {
        let landed = |entry: &cogwork_schemas::Entry| {
            entry.attempt == Some(attempt) && matches!(entry.fact, Fact::Integrated { .. })
        };
        assert!(journal.iter().any(landed), "{attempt} was handed in and did not land");
    }
}

/// Two features of one kind for an agent that speaks with the server by itself, through any shell.
fn two() -> serde_json::Value {
    json!({"features": [
        {"key": "a", "name": "a", "checks": ["test -e a.txt"]},
        {"key": "b", "name": "b", "checks": ["test -e b.txt"]},
    ]})
}

const SCRIPT: &str = r#"
a = [{ move = "write", path = "a.txt", content = "a" }, { move = "mark_passing" }]
b = [{ move = "write", path = "b.txt", content = "b" }, { move = "mark_passing" }]
"#;

/// An agent of any kind that is a client of the server: the scripted one, as a command.
fn exec(place: &Place, before: &str) -> String {
    let script = place.dir.with_file_name("script.toml");
    std::fs::write(&script, SCRIPT).unwrap();
    let program = env!("CARGO_BIN_EXE_cogwork-under-test");
    format!("exec:{before} {program} agent play --script {}", script.display())
}

#[test]
fn any_agent_that_asks_goes_on() {
    let place = Place::with_features(&two());
    let agent = exec(&place, "");
    let output = place.cogwork(&["run", "--agent", &agent, "--batch-size", "2", "-c", "1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let sessions = |place: &Place| {
        place.journal().iter().filter(|entry| matches!(entry.fact, Fact::SessionStarted { .. })).count()
    };
    assert_eq!(sessions(&place), 1);
    let second = place.git(&["log", "--no-merges", "--format=%s", "--name-only", "-1"]);
    assert_eq!(second, "#2 b: what the agent left uncommitted\n\nb.txt");

    let place = Place::with_features(&two());
    let agent = exec(&place, "");
    let output = place.cogwork(&["run", "--agent", &agent, "--batch-size", "2", "-c", "2"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(sessions(&place), 2, "a slot was free for it");
}

#[test]
fn sessions_that_share_the_directory_go_on_in_it() {
    let place = Place::with_features(&two());
    let agent = exec(&place, "");
    let args = ["run", "--agent", &agent, "--batch-size", "2", "-c", "1", "--isolation", "shared"];
    let output = place.cogwork(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(place.store().attempts_of_session(cogwork_schemas::SessionId(1)).unwrap().len(), 2);
    assert!(place.dir.join("a.txt").exists() && place.dir.join("b.txt").exists());
    // What passes is committed, feature by feature, on the branch that is checked out.
    let subjects =
        "#2 b: what the agent left uncommitted\n#1 a: what the agent left uncommitted\nfirst commit";
    assert_eq!(place.git(&["log", "--format=%s"]), subjects);
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_session_that_dies_at_its_second_feature_keeps_its_first() {
    let place = Place::with_features(&two());
    // The agent's server is killed with it, as by an out-of-memory killer, when the second feature is begun.
    let script = r#"
        a = [{ move = "write", path = "a.txt", content = "a" }, { move = "mark_passing" }]
        b = [{ move = "run", command = "test -e $COGWORK_PROJECT/../again || { touch $COGWORK_PROJECT/../again; kill -9 $PPID; sleep 9; }" },
             { move = "write", path = "b.txt", content = "b" }, { move = "mark_passing" }]
    "#;
    let file = place.dir.with_file_name("script.toml");
    std::fs::write(&file, script).unwrap();
    let args =
        ["run", "--agent", "scripted", "--script", file.to_str().unwrap(), "--batch-size", "2", "-c", "1"];
    let output = place.cogwork(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let history = |id| {
        let attempts = place.store().attempts_of(cogwork_schemas::FeatureId(id)).unwrap();
        attempts.iter().map(|attempt| attempt.outcome.as_ref().unwrap().word()).collect::<Vec<_>>()
    };
    assert_eq!(history(1), ["landed"]);
    assert_eq!(history(2), ["crashed", "landed"]);
    assert!(place.store().features().unwrap().iter().all(|feature| feature.failed_attempts == 0));
}

#[test]
fn a_drain_ends_a_session_after_the_feature_it_is_at() {
    let place = Place::with_features(&two());
    let script = r#"
        a = [{ move = "sleep", ms = 1500 }, { move = "write", path = "a.txt", content = "a" }, { move = "mark_passing" }]
        b = [{ move = "write", path = "b.txt", content = "b" }, { move = "mark_passing" }]
    "#;
    let file = place.dir.with_file_name("script.toml");
    std::fs::write(&file, script).unwrap();
    let args =
        ["run", "--agent", "scripted", "--script", file.to_str().unwrap(), "--batch-size", "2", "-c", "1"];
    let mut run = place.command(&args).stdout(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while place.store().live_sessions().unwrap().iter().all(|session| session.process.is_none()) {
        assert!(start.elapsed() < Duration::from_secs(20), "no session starts");
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(5));
    let statuses: Vec<_> = place.store().features().unwrap().iter().map(|feature| feature.status).collect();
    assert_eq!(statuses, [Status::Passing, Status::Pending], "the one is landed, the other not begun");
    place.assert_no_processes_within(Duration::ZERO);
}

/// What the first feature did does not fit the main branch; the second was begun before that was known.
fn with_a_conflict(second: &str) -> Place {
    let place = Place::with_features(&json!({"features": [
        {"key": "a", "name": "a", "checks": ["grep -q a README"]},
        {"key": "b", "name": "b", "checks": ["test -e b.txt"]},
    ]}));
    // The person changes the same line on the main branch while the agent works.
    let script = format!(
        r#"
        a = [{{ move = "write", path = "README", content = "a" }},
             {{ move = "run", command = "cd $COGWORK_PROJECT && grep -q old README || {{ echo old a > README && git -c user.name=P -c user.email=p@localhost commit -qam 'by hand'; }}" }},
             {{ move = "mark_passing" }}]
        b = [{second}, {{ move = "write", path = "b.txt", content = "b" }}, {{ move = "mark_passing" }}]
        "#
    );
    let file = place.dir.with_file_name("script.toml");
    std::fs::write(&file, script).unwrap();
    let args = [
        "run",
        "--agent",
        "scripted",
        "--script",
        file.to_str().unwrap(),
        "--batch-size",
        "2",
        "-c",
        "1",
        "--attempts",
        "1",
    ];
    let output = place.cogwork(&args);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stdout));
    place
}

#[test]
fn what_was_refused_is_no_part_of_what_follows_it() {
    let place = with_a_conflict(r#"{ move = "say", text = "now b" }"#);
    let features = place.store().features().unwrap();
    assert_eq!((features[0].status, features[1].status), (Status::Parked, Status::Passing));
    assert_eq!(place.git(&["show", "HEAD:README"]), "old a");
    assert_eq!(
        place.git(&["show", "--format=", "--name-only", "refs/cogwork/kept/1/handed-in"]),
        "README",
        "it is kept"
    );
}

#[test]
fn an_agent_that_brings_along_what_was_refused_does_not_land_it() {
    let bring = r#"{ move = "run", command = "test $COGWORK_SESSION != 1 || { git fetch -q origin refs/cogwork/kept/1/handed-in && { git merge -q --no-edit FETCH_HEAD || git checkout -q --force -B mine FETCH_HEAD; }; }" }"#;
    let place = with_a_conflict(bring);
    let attempts = place.store().attempts_of(cogwork_schemas::FeatureId(2)).unwrap();
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.clone().unwrap()).collect();
    assert!(outcomes[0].to_string().contains("work of its session at another feature"), "{outcomes:?}");
    assert!(!outcomes[0].costs_attempt());
    assert_eq!(outcomes[1].word(), "landed");
    assert_eq!(place.git(&["show", "HEAD:README"]), "old a");
}
