//! Somebody sits on the database: a backup, a program that was stopped in the middle of a write, a disk that hangs. A
//! run waits until it is free, says so, and loses and pays nothing twice.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cogwork_schemas::{Fact, Status};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::place::{Place, assert_sound_journal, signal, until};

const MINUTE: Duration = Duration::from_secs(60);
/// Longer than a single statement waits.
const LONG: Duration = Duration::from_secs(16);
const AGENT: &str = "exec:touch $HOME/up$COGWORK_FEATURES; until [ -e $HOME/go ]; do sleep 0.05; done; \
                     echo work > f$COGWORK_FEATURES";

fn features() -> Place {
    let feature = |n| json!({"name": format!("feature {n}"), "checks": [format!("test -e f{n}")]});
    Place::with_features(&json!({"features": (1..=4).map(feature).collect::<Vec<_>>()}))
}

fn begin(place: &Place) -> Child {
    let run = place.command(&["run", "--agent", AGENT]).stdout(Stdio::piped()).spawn().unwrap();
    until("the agents' start", MINUTE, || (1..=3).all(|n| place.beside(&format!("up{n}")).exists()));
    run
}

/// Which lock is held.
#[derive(Debug, Clone, Copy)]
enum Lock {
    /// That of all programs of Cogwork, by which they take turns.
    Turn,
    /// SQLite's own, as any other program takes it.
    Database,
}

enum Held {
    Turn { _file: File },
    Database { connection: Connection },
}

impl Lock {
    fn take(self, place: &Place) -> Held {
        match self {
            Self::Turn => {
                let file = File::open(place.dir.join(".cogwork/write.lock")).unwrap();
                file.lock().unwrap();
                Held::Turn { _file: file }
            }
            Self::Database => {
                let found = std::fs::read_dir(place.dir.join(".cogwork")).unwrap();
                let mut found = found.map(|entry| entry.unwrap().path());
                let file = found.find(|path| path.extension().is_some_and(|end| end == "db")).unwrap();
                let connection = Connection::open(file).unwrap();
                connection.busy_timeout(MINUTE).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                Held::Database { connection }
            }
        }
    }
}

impl Held {
    fn release(self) {
        if let Self::Database { connection } = self {
            connection.execute_batch("ROLLBACK").unwrap();
        }
    }
}

fn go(place: &Place) {
    std::fs::write(place.beside("go"), "").unwrap();
}

/// Asserts that every feature was worked on once, and landed.
fn assert_nothing_lost(place: &Place, told: &str) {
    let journal = place.journal();
    let claims = journal.iter().filter(|entry| matches!(entry.fact, Fact::Claimed { .. })).count();
    assert_eq!(claims, 4, "nothing is paid twice: {told}");
    assert!(
        place.store().features().unwrap().iter().all(|feature| feature.status == Status::Passing),
        "{told}"
    );
    assert_sound_journal(&journal);
    assert_eq!(place.git(&["log", "--merges", "--format=%h"]).lines().count(), 4, "{told}");
}

/// Holds a lock for so long, from the moment on at which agents end their work, and asserts that nothing is lost.
fn waited_out(lock: Lock, how_long: Duration) {
    let place = features();
    let mut run = begin(&place);
    let held = lock.take(&place);
    go(&place);
    std::thread::sleep(how_long);
    assert_eq!(run.try_wait().unwrap(), None, "it waits");
    held.release();
    until("the end of the run", 2 * MINUTE, || run.try_wait().unwrap().is_some());
    let output = run.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_nothing_lost(&place, &told);
}

#[test]
fn a_turn_that_nobody_gives_back_for_16_seconds_is_waited_out() {
    waited_out(Lock::Turn, LONG);
}

#[test]
fn a_database_that_is_locked_for_16_seconds_is_waited_out() {
    waited_out(Lock::Database, LONG);
}

#[test]
#[ignore = "minutes: nightly"]
fn a_lock_of_45_seconds_is_waited_out() {
    waited_out(Lock::Turn, Duration::from_secs(45));
    waited_out(Lock::Database, Duration::from_secs(45));
}

#[test]
#[ignore = "minutes: nightly"]
fn a_lock_that_is_longer_than_a_lease_is_waited_out() {
    waited_out(Lock::Turn, Duration::from_secs(100));
    waited_out(Lock::Database, Duration::from_secs(100));
}

#[test]
fn locks_that_come_again_and_again_are_waited_out() {
    let place = features();
    let mut run = begin(&place);
    go(&place);
    let start = Instant::now();
    while run.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < 3 * MINUTE, "the run does not end");
        let held = Lock::Turn.take(&place);
        std::thread::sleep(Duration::from_secs(2));
        held.release();
        std::thread::sleep(Duration::from_millis(300));
    }
    let output = run.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_nothing_lost(&place, &told);
}

#[test]
fn whoever_asks_is_told_that_the_run_waits_and_for_what() {
    for lock in [Lock::Turn, Lock::Database] {
        let place = features();
        let mut run = begin(&place);
        let held = lock.take(&place);
        // The first of three is through, and its end is to be written down; or the runner's end is.
        go(&place);
        let told = |args: &[&str]| {
            let output = place.cogwork(args);
            assert!(output.status.success(), "{args:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let waits = "the run cannot write its state and waits: ";
        until("the sign", 2 * MINUTE, || told(&["status"]).contains(waits));
        assert!(told(&["why"]).contains(waits), "{lock:?}");
        let status: Value = serde_json::from_str(&told(&["status", "--json"])).unwrap();
        assert!(status["run"]["obstacles"]["ledger"].is_string(), "{status}");
        held.release();
        until("the end of the run", 2 * MINUTE, || run.try_wait().unwrap().is_some());
        let output = run.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(!told(&["status"]).contains(waits));
    }
}

#[test]
fn a_stop_is_heard_at_once_though_the_database_is_locked() {
    for lock in [Lock::Turn, Lock::Database] {
        let place = features();
        let mut run = begin(&place);
        let held = lock.take(&place);
        // Long enough for runners to be in the middle of a write.
        std::thread::sleep(Duration::from_secs(3));
        let start = Instant::now();
        signal(&run, Signal::INT);
        std::thread::sleep(Duration::from_millis(200));
        signal(&run, Signal::INT);
        until("the end of the agents", Duration::from_secs(45), || place.processes().is_empty());
        println!("{lock:?}: the agents were gone after {:?}", start.elapsed());
        signal(&run, Signal::INT);
        until("the end of the run", Duration::from_secs(5), || run.try_wait().unwrap().is_some());
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        held.release();
        go(&place);
        assert_eq!(place.cogwork(&["run", "--agent", AGENT]).status.code(), Some(0));
        place.assert_no_processes_within(Duration::ZERO);
    }
}
