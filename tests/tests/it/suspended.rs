//! Processes that were stopped by a signal: a run by Ctrl-Z while people change the project, and a runner that gives no
//! sign of life. The leases here are short, so that the limits that are made of them can be seen.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cogwork_process::contain;
use cogwork_schemas::{Fact, FeatureId, Status};
use cogwork_store::AttemptLimits;
use rustix::process::{Pid, Signal};
use serde_json::json;

use crate::place::{Place, assert_sound_journal, signal, until};

const MINUTE: Duration = Duration::from_secs(60);

/// Tells that it is up, waits for its word, and works.
const AGENT: &str = "exec:touch $HOME/up$COGWORK_FEATURES; \
                     until [ -e $HOME/go$COGWORK_FEATURES ] || [ -e $HOME/go ]; do sleep 0.05; done; \
                     [ -e $HOME/go$COGWORK_FEATURES ] || echo work > f$COGWORK_FEATURES";

fn features(count: usize) -> serde_json::Value {
    let feature = |n| json!({"name": format!("feature {n}"), "checks": [format!("test -e f{n}")]});
    json!({"features": (1..=count).map(feature).collect::<Vec<_>>()})
}

/// Waits until the agents of these features are up.
fn until_up(place: &Place, features: &[i64]) {
    let is_up = || features.iter().all(|feature| place.beside(&format!("up{feature}")).exists());
    until("the agents' start", MINUTE, is_up);
}

fn say(place: &Place, word: &str) {
    fs::write(place.beside(word), "").unwrap();
}

fn begin(mut command: std::process::Command) -> Child {
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// Waits for the end of a run and returns what it printed.
fn end(mut run: Child) -> String {
    until("the end of the run", MINUTE, || run.try_wait().unwrap().is_some());
    let output = run.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

/// Returns how many sessions worked on a feature.
fn sessions(place: &Place, feature: i64) -> usize {
    let journal = place.journal();
    let claims = journal.iter().filter(|entry| entry.feature == Some(FeatureId(feature)));
    claims.filter(|entry| matches!(entry.fact, Fact::Claimed { .. })).count()
}

fn status(place: &Place, feature: i64) -> Status {
    place.store().feature(FeatureId(feature)).unwrap().status
}

fn done(place: &Place, args: &[&str]) {
    let output = place.cogwork(args);
    assert!(output.status.success(), "{args:?}: {output:?}");
}

#[test]
fn a_feature_that_was_deleted_while_the_run_stood_still_is_no_end_of_the_others() {
    let place = Place::with_features(&features(3));
    let run = begin(place.short_lease(3, AGENT));
    until_up(&place, &[1, 2, 3]);
    signal(&run, Signal::STOP);
    // The session of 2 ends without work, and the run cannot hear it.
    say(&place, "go2");
    let ended =
        |place: &Place| place.journal().iter().any(|entry| matches!(entry.fact, Fact::SessionEnded { .. }));
    until("the end of the session", MINUTE, || ended(&place));
    let taken_back = || place.store().reap(&AttemptLimits::default()).unwrap().contains(&FeatureId(2));
    until("the end of the lease", MINUTE, taken_back);
    done(&place, &["delete", "2", "--yes"]);
    say(&place, "go");
    signal(&run, Signal::CONT);
    let text = end(run);
    assert!(text.contains("outcome: Complete\n"), "{text}");
    for feature in [1, 3] {
        assert_eq!((status(&place, feature), sessions(&place, feature)), (Status::Passing, 1), "{text}");
    }
    assert_eq!(place.store().features().unwrap().len(), 2);
    place.assert_no_processes_within(Duration::ZERO);
}

#[test]
fn a_feature_that_was_deleted_just_before_its_turn_is_not_missed() {
    let place = Place::with_features(&features(3));
    let mut command = place.short_lease(3, AGENT);
    command.args(["--concurrency", "1"]);
    let run = begin(command);
    until_up(&place, &[1]);
    signal(&run, Signal::STOP);
    // What it hears first when it goes on is that its only slot is free.
    say(&place, "go");
    let is_over = || place.store().live_sessions().unwrap().is_empty();
    until("the end of the session", MINUTE, is_over);
    done(&place, &["delete", "2", "--yes"]);
    signal(&run, Signal::CONT);
    let text = end(run);
    assert!(text.contains("outcome: Complete\n"), "{text}");
    for feature in [1, 3] {
        assert_eq!((status(&place, feature), sessions(&place, feature)), (Status::Passing, 1), "{text}");
    }
}

#[test]
fn a_feature_that_was_deleted_under_its_working_agent_stops_that_agent_alone() {
    let place = Place::with_features(&features(3));
    let run = begin(place.short_lease(3, AGENT));
    until_up(&place, &[1, 2, 3]);
    signal(&run, Signal::STOP);
    let session = session_of(&place, 2);
    let (runner, warden) = runner_of(&place, 2);
    // It is stopped, too, until its lease is over; then it wakes up and has no claim.
    send(runner, Signal::STOP);
    send(warden, Signal::STOP);
    let taken_back = || place.store().reap(&AttemptLimits::default()).unwrap().contains(&FeatureId(2));
    until("the end of the lease", MINUTE, taken_back);
    done(&place, &["delete", "2", "--yes"]);
    send(runner, Signal::CONT);
    send(warden, Signal::CONT);
    signal(&run, Signal::CONT);
    let marker = format!("{}#s{session}", cogwork_store::state_dir(&place.dir).display());
    until("the end of the agent", MINUTE, || contain::marked(&marker).is_empty());
    say(&place, "go");
    let text = end(run);
    assert!(text.contains("outcome: Complete\n"), "{text}");
    for feature in [1, 3] {
        assert_eq!((status(&place, feature), sessions(&place, feature)), (Status::Passing, 1), "{text}");
    }
    place.assert_no_processes_within(Duration::ZERO);
}

#[test]
fn what_people_change_while_the_run_stands_still_is_seen_when_it_goes_on() {
    let place = Place::with_features(&features(5));
    give_up(&place, 2);
    crate::people::ask(&place, 3);
    let run = begin(place.short_lease(3, AGENT));
    until_up(&place, &[1, 4, 5]);
    signal(&run, Signal::STOP);
    done(&place, &["retry", "2"]);
    done(&place, &["answer", "3", "--field", "colour=red", "--field", "sure=yes"]);
    // 4 is being worked on, and must not land before 5 now.
    done(&place, &["depend", "4", "--on", "5"]);
    done(&place, &["depend", "5", "--on", "2"]);
    say(&place, "go");
    signal(&run, Signal::CONT);
    let text = end(run);
    assert!(text.contains("outcome: Complete\n"), "{text}");
    let journal = place.journal();
    let landed = journal.iter().filter(|entry| matches!(entry.fact, Fact::Integrated { .. }));
    let order: Vec<_> = landed.filter_map(|entry| entry.feature).map(|feature| feature.0).collect();
    let at = |feature| order.iter().position(|landed| *landed == feature).unwrap();
    assert!(order.len() == 5 && at(2) < at(5) && at(5) < at(4), "{order:?}");
    for feature in [1, 4, 5] {
        assert_eq!(sessions(&place, feature), 1, "{text}");
    }
}

#[test]
fn a_run_that_stood_still_for_long_takes_no_session_for_silent() {
    let place = Place::with_features(&features(3));
    let run = begin(place.short_lease(1, AGENT));
    until_up(&place, &[1, 2, 3]);
    signal(&run, Signal::STOP);
    // More than four leases, after which a silent runner is killed.
    std::thread::sleep(Duration::from_secs(8));
    signal(&run, Signal::CONT);
    std::thread::sleep(Duration::from_secs(1));
    say(&place, "go");
    let text = end(run);
    for feature in [1, 2, 3] {
        assert_eq!((status(&place, feature), sessions(&place, feature)), (Status::Passing, 1), "{text}");
    }
    assert!(!text.contains("sign of life"), "{text}");
}

/// Which processes of a session are stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stopped {
    Runner,
    Warden,
    Both,
}

/// Stops processes of the only session while its agent works, and lets the agent go on at its next start.
fn stopped_while_it_works(stopped: Stopped) {
    let place = Place::with_features(&features(1));
    let run = begin(place.short_lease(1, AGENT));
    until_up(&place, &[1]);
    let (runner, warden) = runner_of(&place, 1);
    stop(stopped, runner, warden);
    say(&place, "go");
    let start = Instant::now();
    let text = end(run);
    assert!(start.elapsed() < Duration::from_secs(40), "{stopped:?}: {text}");
    assert_eq!(status(&place, 1), Status::Passing, "{stopped:?}: {text}");
    let why = match stopped {
        Stopped::Warden => "has ended and its runner does not: its runner is killed",
        Stopped::Runner | Stopped::Both => "gives no sign of life: its runner is killed",
    };
    assert!(text.contains(why), "{stopped:?}: {text}");
    // Where its runner works on, nothing of its work is lost.
    let expected = if stopped == Stopped::Warden { 1 } else { 2 };
    assert_eq!(sessions(&place, 1), expected, "{stopped:?}: {text}");
    place.assert_no_processes_within(Duration::ZERO);
    assert_sound_journal(&place.journal());
}

#[test]
fn a_runner_that_was_stopped_does_not_keep_its_slot() {
    stopped_while_it_works(Stopped::Runner);
}

#[test]
fn a_warden_that_was_stopped_does_not_keep_its_slot() {
    stopped_while_it_works(Stopped::Warden);
}

#[test]
fn a_session_that_was_stopped_as_a_whole_does_not_keep_its_slot() {
    stopped_while_it_works(Stopped::Both);
}

#[test]
fn work_that_was_handed_in_by_a_runner_that_was_stopped_then_lands() {
    for stopped in [Stopped::Runner, Stopped::Warden, Stopped::Both] {
        let place = Place::with_features(&features(1));
        let run = begin(place.short_lease(1, AGENT));
        until_up(&place, &[1]);
        let (runner, warden) = runner_of(&place, 1);
        let store = place.store();
        let last = store.last_seq().unwrap();
        say(&place, "go");
        let is_green = || {
            let new = store.journal_since(last, 1_000).unwrap();
            new.iter().any(|entry| matches!(entry.fact, Fact::ChecksGreen { .. }))
        };
        let start = Instant::now();
        while !is_green() {
            assert!(start.elapsed() < MINUTE, "{stopped:?}");
        }
        stop(stopped, runner, warden);
        let text = end(run);
        assert_eq!((status(&place, 1), sessions(&place, 1)), (Status::Passing, 1), "{stopped:?}: {text}");
        place.assert_no_processes_within(Duration::ZERO);
    }
}

#[test]
#[ignore = "five minutes: nightly"]
fn a_runner_that_was_stopped_does_not_keep_its_slot_with_the_lease_of_every_day() {
    let place = Place::with_features(&features(1));
    let mut run = begin(place.command(&["run", "--agent", AGENT]));
    until_up(&place, &[1]);
    let (runner, warden) = runner_of(&place, 1);
    stop(Stopped::Runner, runner, warden);
    say(&place, "go");
    until("the end of the run", 6 * MINUTE, || run.try_wait().unwrap().is_some());
    assert_eq!((status(&place, 1), sessions(&place, 1)), (Status::Passing, 2));
}

fn stop(stopped: Stopped, runner: i32, warden: i32) {
    match stopped {
        Stopped::Runner => send(runner, Signal::STOP),
        Stopped::Warden => send(warden, Signal::STOP),
        Stopped::Both => {
            send(warden, Signal::STOP);
            send(runner, Signal::STOP);
        }
    }
}

/// One that has ended meanwhile hears nothing.
fn send(pid: i32, signal: Signal) {
    let _: Result<(), _> = rustix::process::kill_process(Pid::from_raw(pid).unwrap(), signal);
}

fn session_of(place: &Place, feature: i64) -> i64 {
    let session = place
        .journal()
        .iter()
        .rev()
        .find_map(|entry| entry.session.filter(|_| entry.feature == Some(FeatureId(feature))));
    session.unwrap().0
}

/// Returns the process that does the work of a feature's session, and the one that watches over it.
fn runner_of(place: &Place, feature: i64) -> (i32, i32) {
    let sessions = place.store().live_sessions().unwrap();
    let session = sessions
        .into_iter()
        .find(|session| session.attempts.iter().any(|attempt| attempt.feature == FeatureId(feature)));
    let warden = session.unwrap().process.unwrap().pid;
    let children = fs::read_to_string(format!("/proc/{warden}/task/{warden}/children")).unwrap();
    (children.split_whitespace().next().unwrap().parse().unwrap(), warden)
}

/// Gives a feature up as if it had failed too often.
fn give_up(place: &Place, feature: i64) {
    use cogwork_schemas::{AttemptOutcome, Isolation, Role};
    let store = place.store();
    let new = cogwork_store::NewSession::new(Role::Coding, "exec:false", Isolation::Workspace);
    let secret = cogwork_store::Secret::random().unwrap();
    let claim = store.claim(FeatureId(feature), &new, &secret, jiff::SignedDuration::from_hours(1)).unwrap();
    let outcome = AttemptOutcome::NotFinished { reason: "it failed".to_owned() };
    let limits = AttemptLimits { attempts: 1, ..AttemptLimits::default() };
    store.end_attempt(&claim.token, &outcome, &limits).unwrap();
    store.end_session(claim.session, &cogwork_schemas::SessionOutcome::Completed, 0).unwrap();
    assert_eq!(status(place, feature), Status::Parked);
}
