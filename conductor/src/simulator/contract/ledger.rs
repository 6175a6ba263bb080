//! The ledger: calls on a file, by its thread, and calls of the simulator.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cogwork_schemas::{
    Fact, FeatureId, Isolation, ProcessIdentity, Role, RunOutcome, RunSettings, SessionId, SessionOutcome,
    StartHold, Status,
};
use cogwork_store::{AttemptLimits, NewRun, NewSession, Store, TimeSource, state_dir};
use jiff::SignedDuration;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::mpsc::{self, Receiver};

use super::super::world::World;
use super::{A_WHILE, Hears, SOON, Stage, alone, hear_real, live, ready_feature};
use crate::ledger::{Answer, Call, CallId, Fault, LedgerThread};
use crate::ports::{Input, Ledger};
use cogwork_session::clock;

const LIMITS: AttemptLimits = AttemptLimits { attempts: 3, crashes: 3 };
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Longer than a call waits for its turn.
const LONG: SignedDuration = SignedDuration::from_secs(12);
const SHORT: SignedDuration = SignedDuration::from_secs(2);

on_both!(
    FileLedger, Stage:
    what_a_call_made_true_is_told_before_its_answer,
    a_call_that_is_made_again_is_done_once,
    a_refused_call_changes_nothing,
    what_is_not_there_is_refused,
    what_another_process_writes_is_noticed,
    a_short_lock_is_waited_for,
    a_long_lock_changes_nothing_and_is_answered_later,
    a_question_waits_for_no_lock,
    a_lost_file_is_told_once_and_answers_nothing,
);

#[test]
fn a_call_on_a_full_disk_is_answered_once_there_is_room_by_a_real_ledger() {
    alone(module_path!(), "a_call_on_a_full_disk_is_answered_once_there_is_room_by_a_real_ledger", || {
        live(async {
            a_call_on_a_full_disk_is_answered_once_there_is_room(&mut FileLedger::new().await).await;
        });
    });
}

#[test]
fn a_call_on_a_full_disk_is_answered_once_there_is_room_by_a_simulated_ledger() {
    live(async {
        a_call_on_a_full_disk_is_answered_once_there_is_room(&mut <Stage as Rig>::new().await).await;
    });
}

/// A project with a ledger.
trait Rig: Hears {
    async fn new() -> Self;
    fn ledger(&mut self) -> &mut dyn Ledger;
    /// Lets another process work on the same project.
    fn by_another<T>(&mut self, work: impl FnOnce(&Store) -> T) -> T;
    /// Lets another process hold the database for so long.
    fn hold(&mut self, time: SignedDuration);
    /// Takes all room from the disk, or gives it back.
    fn fill(&mut self, is_full: bool);
    /// Puts the file away.
    fn lose(&mut self);
}

async fn what_a_call_made_true_is_told_before_its_answer(rig: &mut impl Rig) {
    let mut calls = vec![begin()];
    for _ in 0..12 {
        calls.push(claim(feature(rig).await));
    }
    let idle = Call::SlotIdle { slot: 1, hold: StartHold::NothingReady };
    calls.extend([idle, Call::CloseBatches, end()]);
    let mut told = 0;
    for (id, call) in (1..).zip(calls) {
        let (entries, reply) = ask(rig, CallId(id), &call).await;
        let reply = reply.unwrap();
        let through = rig.by_another(|store| store.last_seq().unwrap());
        if call.kind() != "close_batches" {
            assert_eq!(entries.last().map(|entry| entry.seq), Some(through), "{call:?} → {reply:?}");
        }
        for entry in entries {
            assert!(entry.seq > told, "entry {} came after {told}", entry.seq);
            told = entry.seq;
        }
    }
    assert!(rig.hear(A_WHILE).await.is_none(), "all was told");
}

async fn a_call_that_is_made_again_is_done_once(rig: &mut impl Rig) {
    let feature = feature(rig).await;
    let (_, first) = ask(rig, CallId(1), &claim(feature)).await;
    let (entries, second) = ask(rig, CallId(1), &claim(feature)).await;
    assert!(matches!(first, Ok(Answer::Claimed { .. })), "{first:?}");
    assert_eq!((first, entries), (second, Vec::new()));
    assert_eq!(rig.by_another(|store| store.live_attempts().unwrap().len()), 1);
}

async fn a_refused_call_changes_nothing(rig: &mut impl Rig) {
    let feature = feature(rig).await;
    ask(rig, CallId(1), &claim(feature)).await.1.unwrap();
    let (entries, reply) = ask(rig, CallId(2), &claim(feature)).await;
    assert!(matches!(reply, Err(Fault::Refused { not_yet: false, .. })), "{reply:?}");
    assert_eq!(entries, Vec::new());
    assert!(rig.hear(A_WHILE).await.is_none(), "nothing was changed");
}

async fn what_is_not_there_is_refused(rig: &mut impl Rig) {
    let nobody = cogwork_schemas::AttemptId(77);
    for (id, call) in [(1, claim(FeatureId(77))), (2, Call::Job { attempt: nobody })] {
        let (entries, reply) = ask(rig, CallId(id), &call).await;
        assert!(matches!(reply, Err(Fault::Refused { .. })), "{call:?}: {reply:?}");
        assert_eq!(entries, Vec::new());
    }
    // An attempt that is over, whoever ended it, needs no end.
    let (feature, outcome) = (feature(rig).await, cogwork_schemas::AttemptOutcome::Stopped);
    let end = Call::EndAttempt { feature, attempt: nobody, outcome, limits: LIMITS };
    let (_, reply) = ask(rig, CallId(3), &end).await;
    assert!(matches!(reply, Ok(Answer::Nodes { .. })), "{reply:?}");
}

async fn what_another_process_writes_is_noticed(rig: &mut impl Rig) {
    let feature = feature(rig).await;
    rig.by_another(|store| store.delete_feature(feature).unwrap());
    let Some(Input::Changes(changes)) = rig.hear(SOON).await else { panic!("nobody noticed") };
    assert!(matches!(changes.entries.as_slice(), [entry] if entry.feature == Some(feature)), "{changes:?}");
    assert_eq!((changes.gone, changes.nodes), (vec![feature], Vec::new()));
    assert!(rig.hear(A_WHILE).await.is_none(), "once is enough");
}

async fn a_short_lock_is_waited_for(rig: &mut impl Rig) {
    let feature = feature(rig).await;
    rig.hold(SHORT);
    rig.ledger().call(CallId(1), &claim(feature));
    assert!(rig.hear(SHORT / 2).await.is_none(), "it waits, and nothing is changed meanwhile");
    let (entries, reply) = replied(rig, CallId(1)).await;
    assert!(matches!(reply, Ok(Answer::Claimed { .. })), "{reply:?}");
    assert!(!entries.is_empty());
}

async fn a_long_lock_changes_nothing_and_is_answered_later(rig: &mut impl Rig) {
    let feature = feature(rig).await;
    rig.hold(LONG);
    rig.ledger().call(CallId(1), &claim(feature));
    let Some(Input::Ledger { id: CallId(1), reply }) = rig.hear(LONG).await else { panic!("no answer") };
    assert!(matches!(reply, Err(Fault::Again { .. })), "{reply:?}");
    assert_eq!(rig.by_another(|store| store.feature(feature).unwrap().status), Status::Pending);
    let (entries, reply) = ask(rig, CallId(1), &claim(feature)).await;
    assert!(matches!(reply, Ok(Answer::Claimed { .. })), "{reply:?}");
    assert!(entries.iter().any(|entry| matches!(entry.fact, Fact::Claimed { .. })), "{entries:?}");
}

async fn a_question_waits_for_no_lock(rig: &mut impl Rig) {
    let feature = feature(rig).await;
    rig.hold(SHORT);
    rig.ledger().call(CallId(1), &Call::Nodes);
    let Some(Input::Ledger { reply, .. }) = rig.hear(SHORT / 2).await else { panic!("no answer") };
    let Ok(Answer::Nodes { nodes, .. }) = reply else { panic!("{reply:?}") };
    assert_eq!(nodes.iter().filter(|node| node.id == feature).count(), 1);
}

async fn a_call_on_a_full_disk_is_answered_once_there_is_room(rig: &mut impl Rig) {
    let feature = feature(rig).await;
    rig.fill(true);
    for _ in 0..2 {
        let (entries, reply) = ask(rig, CallId(1), &claim(feature)).await;
        assert!(matches!(reply, Err(Fault::Again { .. } | Fault::Unknown { .. })), "{reply:?}");
        assert_eq!(entries, Vec::new());
    }
    let (_, reply) = ask(rig, CallId(1), &Call::Nodes).await;
    assert!(matches!(reply, Ok(Answer::Nodes { .. })), "what is there can be read: {reply:?}");
    rig.fill(false);
    let (entries, reply) = ask(rig, CallId(1), &claim(feature)).await;
    assert!(matches!(reply, Ok(Answer::Claimed { .. })), "{reply:?}");
    assert!(!entries.is_empty());
    assert_eq!(rig.by_another(|store| store.live_attempts().unwrap().len()), 1);
}

async fn a_lost_file_is_told_once_and_answers_nothing(rig: &mut impl Rig) {
    let feature = feature(rig).await;
    rig.lose();
    let lost = rig.hear(SOON).await;
    assert!(matches!(lost, Some(Input::LedgerLost { .. })), "{lost:?}");
    assert!(rig.hear(A_WHILE).await.is_none(), "once is enough");
    for (id, call) in [(1, claim(feature)), (2, Call::Nodes)] {
        let (entries, reply) = ask(rig, CallId(id), &call).await;
        assert!(matches!(reply, Err(Fault::Fatal { .. })), "{call:?}: {reply:?}");
        assert_eq!(entries, Vec::new());
    }
}

/// Makes a feature that is ready, and hears of it.
async fn feature(rig: &mut impl Rig) -> FeatureId {
    let feature = rig.by_another(ready_feature);
    while let Some(input) = rig.hear(SOON).await {
        if let Input::Changes(changes) = input
            && changes.nodes.iter().any(|node| node.id == feature)
        {
            return feature;
        }
    }
    panic!("nobody noticed {feature}");
}

/// Makes a call; returns what was told before the answer, and the answer.
async fn ask(
    rig: &mut impl Rig,
    id: CallId,
    call: &Call,
) -> (Vec<cogwork_schemas::Entry>, Result<Answer, Fault>) {
    rig.ledger().call(id, call);
    replied(rig, id).await
}

async fn replied(rig: &mut impl Rig, id: CallId) -> (Vec<cogwork_schemas::Entry>, Result<Answer, Fault>) {
    let mut entries = Vec::new();
    loop {
        match rig.hear(SOON).await {
            Some(Input::Changes(changes)) => entries.extend(changes.entries),
            Some(Input::Ledger { id: answered, reply }) => {
                assert_eq!(answered, id);
                return (entries, reply);
            }
            other => panic!("{other:?} instead of an answer"),
        }
    }
}

fn begin() -> Call {
    let settings = RunSettings { agent: "a".into(), slots: 1, isolation: Isolation::Workspace, batch: None };
    let process = ProcessIdentity { pid: 1, started: 1, boot_id: "boot".into() };
    Call::BeginRun { new: NewRun { process, node: None, settings, base_commit: None } }
}

fn end() -> Call {
    Call::EndRun { outcome: RunOutcome::Stopped }
}

fn claim(feature: FeatureId) -> Call {
    let new = NewSession::new(Role::Coding, "a", Isolation::Workspace);
    Call::Claim { feature, new, lease: LEASE }
}

/// The thread of a run on a file.
struct FileLedger {
    home: tempfile::TempDir,
    thread: LedgerThread,
    inputs: Receiver<Input>,
    another: Store,
}

impl FileLedger {
    fn database(&self) -> PathBuf {
        state_dir(self.home.path()).join("features.db")
    }
}

impl Hears for FileLedger {
    async fn hear(&mut self, within: SignedDuration) -> Option<Input> {
        hear_real(&mut self.inputs, within).await
    }
}

impl Rig for FileLedger {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let another = Store::create(home.path(), clock::source()).unwrap();
        let (sender, inputs) = mpsc::channel(256);
        let seen = another.last_seq().unwrap();
        let thread =
            LedgerThread::start(home.path(), clock::source(), seen, BTreeMap::new(), sender).unwrap();
        Self { home, thread, inputs, another }
    }

    fn ledger(&mut self) -> &mut dyn Ledger {
        &mut self.thread
    }

    fn by_another<T>(&mut self, work: impl FnOnce(&Store) -> T) -> T {
        work(&self.another)
    }

    fn hold(&mut self, time: SignedDuration) {
        let (tell, holds) = std::sync::mpsc::channel();
        let project = self.home.path().to_owned();
        std::thread::spawn(move || {
            // A clock is read inside of a transaction, which stays open while it does not answer.
            let slow = TimeSource::new(move || {
                tell.send(()).ok();
                #[expect(clippy::disallowed_methods, reason = "this thread is to stand still")]
                std::thread::sleep(time.unsigned_abs());
                clock::now()
            });
            let store = Store::open(&project, slow).unwrap();
            assert!(store.end_session(SessionId(999), &SessionOutcome::Stopped, 0).is_err(), "nobody is 999");
        });
        holds.recv().unwrap();
    }

    fn fill(&mut self, is_full: bool) {
        let unlimited = getrlimit(Resource::Fsize);
        let size = |name: &str| std::fs::metadata(self.database().with_file_name(name)).unwrap().len();
        // What the log has is all that it gets.
        let current = is_full.then(|| size("features.db-wal"));
        setrlimit(Resource::Fsize, Rlimit { current, ..unlimited }).unwrap();
    }

    fn lose(&mut self) {
        std::fs::rename(self.database(), self.home.path().join("away")).unwrap();
    }
}

impl Rig for Stage {
    async fn new() -> Self {
        Self::set()
    }

    fn ledger(&mut self) -> &mut dyn Ledger {
        &mut self.port
    }

    fn by_another<T>(&mut self, work: impl FnOnce(&Store) -> T) -> T {
        self.world(|world| {
            let done = work(&world.store);
            world.notice_soon();
            done
        })
    }

    fn hold(&mut self, time: SignedDuration) {
        self.world(|world| world.locked_until = world.now + time);
    }

    fn fill(&mut self, is_full: bool) {
        self.world(|world| world.staged.as_mut().unwrap().is_full = is_full);
    }

    fn lose(&mut self) {
        self.world(World::lose_ledger);
    }
}
