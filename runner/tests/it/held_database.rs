//! A database that cannot be written for a while, or never again: what is finished is handed in when it can be.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use cogwork_schemas::{CheckPhase, RunnerEvent, SessionId, SessionOutcome};
use cogwork_session::SessionLimits;
use cogwork_store::{Store, StoreError, TimeSource, state_dir};
use jiff::SignedDuration;

use crate::project::{Project, now};
use crate::runner::{Session, is_agent_up, run_session, until};

const ONE: &str = r#"[{"name": "greet", "checks": ["grep -q hello greeting"]}]"#;

/// Whose lock it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// The queue of Cogwork's writers.
    Queue,
    /// SQLite's own, as another program holds it that knows of no queue.
    Sqlite,
}

/// A lock on the database that nobody has taken yet. What stands ready before a session begins has a queue of its own.
struct Ready {
    holder: JoinHandle<()>,
    take: Sender<()>,
    holds: Receiver<()>,
    release: Sender<()>,
}

/// A lock on the database, until it is dropped.
struct Held {
    release: Option<Sender<()>>,
    holder: Option<JoinHandle<()>>,
}

impl Ready {
    fn new(project: &Path, lock: Lock) -> Self {
        let ((take, taken), (tell, holds), (release, released)) = (channel(), channel(), channel());
        let queue = state_dir(project).join("write.lock");
        let hold: Box<dyn FnOnce() + Send> = match lock {
            Lock::Queue => Box::new(move || {
                let file = fs::File::options().write(true).open(queue).unwrap();
                file.lock().unwrap();
                tell.send(()).unwrap();
                released.recv().ok();
            }),
            Lock::Sqlite => {
                let store = Store::open(project, waiting_clock(tell, released)).unwrap();
                // What this one queues at is not what the others queue at.
                fs::remove_file(&queue).unwrap();
                fs::write(&queue, "").unwrap();
                Box::new(move || {
                    let nothing = store.end_session(SessionId(999), &SessionOutcome::Stopped, 0);
                    assert!(matches!(nothing, Err(StoreError::UnknownSession { .. })), "{nothing:?}");
                })
            }
        };
        let holder = std::thread::spawn(move || {
            if taken.recv().is_ok() {
                hold();
            }
        });
        Self { holder, take, holds, release }
    }

    fn take(self) -> Held {
        self.take.send(()).unwrap();
        self.holds.recv().unwrap();
        Held { release: Some(self.release), holder: Some(self.holder) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release = None;
        self.holder.take().unwrap().join().unwrap();
    }
}

/// A clock is read inside of a write transaction: while it does not answer, the transaction stays open.
fn waiting_clock(tell: Sender<()>, released: Receiver<()>) -> TimeSource {
    let released = Arc::new(Mutex::new(released));
    TimeSource::new(move || {
        tell.send(()).ok();
        released.lock().unwrap().recv().ok();
        now()
    })
}

fn pass(seconds: f64) {
    #[expect(clippy::disallowed_methods, reason = "the lock is held for a real time")]
    std::thread::sleep(Duration::from_secs_f64(seconds));
}

/// An agent is through while the database is locked for so long, which is longer than its lease.
fn finished_under(lock: Lock, seconds: f64) {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, "sleep 1; echo hello > greeting");
    command.limits = SessionLimits { lease_s: 3, ..SessionLimits::default() };
    let ready = Ready::new(&project.dir, lock);
    let session = Session::start(&command);
    session.until(is_agent_up);
    let held = ready.take();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pass(seconds);
            drop(held);
        });
        let over = session.end();
        assert_eq!(over.outcome(), &SessionOutcome::Completed, "{lock:?}");
        assert!(over.status.success());
        let count = |is: &dyn Fn(&RunnerEvent) -> bool| over.events.iter().filter(|event| is(event)).count();
        assert_eq!(count(&is_agent_up), 0, "it is paid once");
        assert_eq!(count(&|event| is_checked(event, CheckPhase::After)), 1);
    });
    assert!(project.store.attempt(&claim.token).unwrap().submitted.is_some());
    assert!(project.store.live_sessions().unwrap().is_empty());
    let facts = project.facts(1);
    assert_eq!(facts[facts.len() - 3..], ["checked After green", "checks_green", "session: the agent ended"]);
}

fn is_checked(event: &RunnerEvent, wanted: CheckPhase) -> bool {
    matches!(event, RunnerEvent::Checked { phase, .. } if *phase == wanted)
}

#[test]
fn finished_work_outlives_a_lock_of_16_seconds() {
    std::thread::scope(|scope| {
        for lock in [Lock::Queue, Lock::Sqlite] {
            scope.spawn(move || finished_under(lock, 16.0));
        }
    });
}

#[test]
#[ignore = "takes 47 seconds: for every night"]
fn finished_work_outlives_a_lock_of_45_seconds() {
    std::thread::scope(|scope| {
        for lock in [Lock::Queue, Lock::Sqlite] {
            scope.spawn(move || finished_under(lock, 45.0));
        }
    });
}

#[test]
fn a_session_begins_when_the_lock_is_free() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let held = Ready::new(&project.dir, Lock::Sqlite).take();
    let session = Session::start(&project.command(1, &claim, "echo hello > greeting"));
    session.until(|event| matches!(event, RunnerEvent::Up { .. }));
    pass(11.0);
    drop(held);
    assert_eq!(session.end().outcome(), &SessionOutcome::Completed);
    assert!(project.store.attempt(&claim.token).unwrap().submitted.is_some());
}

#[test]
fn the_end_of_a_session_is_recorded_when_the_lock_is_free() {
    // Nothing is written but the end: without a check nobody knows whether it is done.
    let project = Project::git(r#"[{"name": "greet"}]"#);
    let claim = project.claim(1);
    let session = Session::start(&project.command(1, &claim, "echo I am through"));
    session.until(is_agent_up);
    let held = Ready::new(&project.dir, Lock::Queue).take();
    pass(11.0);
    assert_eq!(project.store.live_sessions().unwrap().len(), 1);
    drop(held);
    let over = session.end();
    assert_eq!((over.outcome(), over.status.success()), (&SessionOutcome::Completed, true));
    assert!(project.store.live_sessions().unwrap().is_empty());
    assert!(project.store.past_of(cogwork_schemas::FeatureId(1)).unwrap().note.is_some(), "its last words");
}

#[test]
fn a_lease_that_ran_out_under_a_lock_is_renewed_when_it_is_free() {
    for lock in [Lock::Queue, Lock::Sqlite] {
        let project = Project::git(ONE);
        let claim = project.claim(1);
        let mut command = project.command(1, &claim, "exec sleep 60");
        command.limits = SessionLimits { lease_s: 1, ..SessionLimits::default() };
        let ready = Ready::new(&project.dir, lock);
        let mut session = Session::start(&command);
        session.until(is_agent_up);
        let lease_of = || project.store.attempt(&claim.token).unwrap().lease_until.unwrap();
        until("the session renews", || lease_of() < now() + SignedDuration::from_secs(2));
        let held = ready.take();
        until("the lease has run out", || lease_of() + SignedDuration::from_secs(2) < now());
        let free = now();
        drop(held);
        until("the lease is renewed", || lease_of() > now());
        let late = now().duration_since(free);
        assert!(late < SignedDuration::from_millis(1_500), "{lock:?}: {late:?}");
        session.say(r#"{"control":"stop"}"#);
        assert_eq!(session.end().outcome(), &SessionOutcome::Stopped);
    }
}

/// Whoever wants it to end does not wait until somebody else lets go of the database.
#[test]
fn a_stop_is_heard_while_the_database_is_locked() {
    for lock in [Lock::Queue, Lock::Sqlite] {
        let project = Project::git(ONE);
        let claim = project.claim(1);
        let ready = Ready::new(&project.dir, lock);
        let agent = "until test -e ../../go; do sleep 0.1; done; echo hello > greeting";
        let mut session = Session::start(&project.command(1, &claim, agent));
        session.until(is_agent_up);
        let held = ready.take();
        project.write(".cogwork/go", "");
        session.until(|event| is_checked(event, CheckPhase::After));
        let asked = now();
        session.say(r#"{"control":"stop"}"#);
        let status = session.child.wait().unwrap();
        let took = now().duration_since(asked);
        assert!(took < SignedDuration::from_secs(8), "{lock:?}: {took:?}");
        assert_eq!(status.code(), Some(1), "its end is not on record, and that is said");
        drop(held);
        assert_eq!(project.store.live_sessions().unwrap().len(), 1, "whoever started it knows what to do");
        let work = project.workspace(&claim).join("greeting");
        assert_eq!(fs::read_to_string(work).unwrap(), "hello\n");
    }
}

#[test]
fn a_database_that_was_replaced_ends_the_session_with_a_sentence() {
    let project = Project::git(ONE);
    let claim = project.claim(1);
    let mut command = project.command(1, &claim, "echo hello > greeting; exec sleep 60");
    command.limits = SessionLimits { lease_s: 1, ..SessionLimits::default() };
    let workspace = project.workspace(&claim);
    let said = run_session(&command, || {
        until("the agent has worked", || workspace.join("greeting").exists());
        let database = state_dir(&project.dir).join("features.db");
        let copy = database.with_extension("copy");
        fs::copy(&database, &copy).unwrap();
        fs::rename(&copy, &database).unwrap();
    });
    assert_eq!(said.code, 1, "{}", said.stderr);
    let place = format!("what it has done stays in {}", workspace.display());
    assert!(said.stderr.contains(&place), "{}", said.stderr);
    assert!(said.stderr.contains("was deleted or replaced while in use"), "{}", said.stderr);
    assert!(workspace.join("greeting").exists());
}
