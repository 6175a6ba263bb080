//! Somebody sits on the database: a backup, a program that was stopped in the middle of a write, a disk that hangs. A
//! run waits until it is free, says so, and loses and pays nothing twice.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cogwork_schemas::{Fact, SessionId, SessionOutcome, Status};
use cogwork_store::{Store, TimeSource, state_dir};
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

/// A lock that is to be taken when the run is under way, and held until it is dropped.
struct Holder {
    hold: Option<Box<dyn FnOnce() + Send>>,
    holds: Receiver<()>,
    release: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lock {
    /// Makes ready what will hold it; before the run, which does not take its turns behind it.
    fn holder(self, place: &Place) -> Holder {
        let ((tell, holds), (release, released)) = (channel::<()>(), channel::<()>());
        let turns = state_dir(&place.dir).join("write.lock");
        let hold: Box<dyn FnOnce() + Send> = match self {
            Self::Turn => Box::new(move || {
                let file = File::open(turns).unwrap();
                file.lock().unwrap();
                tell.send(()).unwrap();
                released.recv().ok();
            }),
            Self::Database => {
                // A clock is read inside of a transaction, which stays open while it does not answer.
                let released = Mutex::new(released);
                let clock = TimeSource::new(move || {
                    tell.send(()).ok();
                    released.lock().unwrap().recv().ok();
                    jiff::Timestamp::now()
                });
                let store = Store::open(&place.dir, clock).unwrap();
                fs::remove_file(&turns).unwrap();
                fs::write(&turns, "").unwrap();
                Box::new(move || {
                    let nothing = store.end_session(SessionId(999), &SessionOutcome::Stopped, 0);
                    assert!(nothing.is_err(), "{nothing:?}");
                })
            }
        };
        Holder { hold: Some(hold), holds, release: Some(release), thread: None }
    }
}

impl Holder {
    fn take(&mut self) {
        self.thread = self.hold.take().map(std::thread::spawn);
        self.holds.recv().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.release = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
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
    let mut held = lock.holder(&place);
    let mut run = begin(&place);
    held.take();
    go(&place);
    std::thread::sleep(how_long);
    assert_eq!(run.try_wait().unwrap(), None, "it waits");
    drop(held);
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
        let mut held = Lock::Turn.holder(&place);
        held.take();
        std::thread::sleep(Duration::from_secs(2));
        drop(held);
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
        let mut held = lock.holder(&place);
        let mut run = begin(&place);
        held.take();
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
        drop(held);
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
        let mut held = lock.holder(&place);
        let mut run = begin(&place);
        held.take();
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
        drop(held);
        go(&place);
        assert_eq!(place.cogwork(&["run", "--agent", AGENT]).status.code(), Some(0));
        place.assert_no_processes_within(Duration::ZERO);
    }
}
