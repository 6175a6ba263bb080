//! Small projects and short words for what tests do with them.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use cogwork_schemas::{
    AttemptOutcome, CheckReport, CheckVerdict, Entry, Fact, Feature, FeatureId, FeatureList, HumanRequest,
    Isolation, NodeIdentity, ProcessIdentity, Role, RunSettings, SessionId, Token,
};
use cogwork_store::{
    Attempt, AttemptLimits, AttemptRecord, Batch, Claim, ImportLimits, LiveSession, Merge, NewRun,
    NewSession, Secret, Store, StoreError, TimeSource, state_dir,
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OpenFlags};

pub(crate) const LEASE: SignedDuration = SignedDuration::from_secs(60);
pub(crate) const LIMITS: AttemptLimits = AttemptLimits { attempts: 3, crashes: 5 };

/// Three features in a row and one alone; the last has no check.
pub(crate) const PROJECT: &str = r#"
    {"key": "base", "name": "Base", "checks": ["t1", "t2"], "estimate_s": 5},
    {"key": "middle", "name": "Middle", "checks": ["t3"], "dependencies": ["base"]},
    {"key": "top", "name": "Top", "checks": ["t4"], "dependencies": ["middle", "base"], "priority": 2},
    {"key": "prose", "name": "Prose"}"#;

pub(crate) const BASE: FeatureId = FeatureId(1);
pub(crate) const MIDDLE: FeatureId = FeatureId(2);
pub(crate) const TOP: FeatureId = FeatureId(3);
pub(crate) const PROSE: FeatureId = FeatureId(4);

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

thread_local! {
    /// What the clock of this thread's stores says.
    static SECOND: Cell<i64> = const { Cell::new(0) };
}

/// The clock of every store of these tests: as it was set last on its thread.
pub(crate) fn clock() -> TimeSource {
    TimeSource::new(|| at(SECOND.get()))
}

/// The same clock, set.
pub(crate) fn clock_at(second: i64) -> TimeSource {
    SECOND.set(second);
    clock()
}

/// Setting the clock in front of a call.
pub(crate) trait At {
    fn at(&self, second: i64) -> &Self;
}

impl At for Store {
    fn at(&self, second: i64) -> &Self {
        SECOND.set(second);
        self
    }
}

pub(crate) fn list(features: &str) -> FeatureList {
    serde_json::from_str(&format!(r#"{{"features": [{features}]}}"#)).unwrap()
}

/// A secret of its own for each session.
pub(crate) fn secret() -> Secret {
    Secret::random().unwrap()
}

/// Runs a test on the project in memory and on disk.
pub(crate) fn both(test: impl Fn(&Store)) {
    let dir = tempfile::tempdir().unwrap();
    insta::allow_duplicates! {
        test(&filled(Store::in_memory(clock()).unwrap()));
        test(&on_disk(dir.path()));
    }
}

pub(crate) fn on_disk(project: &Path) -> Store {
    filled(Store::create(project, clock_at(0)).unwrap())
}

/// Returns where a project's database lies.
pub(crate) fn database(project: &Path) -> PathBuf {
    state_dir(project).join("features.db")
}

/// Opens a file past the store, as another program would.
pub(crate) fn raw(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::default()).unwrap()
}

fn filled(store: Store) -> Store {
    store.at(0).import(&list(PROJECT), &ImportLimits::default()).unwrap();
    store
}

pub(crate) fn session(isolation: Isolation) -> NewSession {
    NewSession::new(Role::Coding, "scripted", isolation)
}

pub(crate) fn claim(store: &Store, second: i64, feature: FeatureId) -> Claim {
    store.at(second).claim(feature, &session(Isolation::Workspace), &secret(), LEASE).unwrap()
}

/// Claims for a session that may take further features.
pub(crate) fn claim_batch(
    store: &Store,
    second: i64,
    feature: FeatureId,
    (size, slots): (u32, u32),
) -> Claim {
    let new = NewSession { batch: Some(Batch { size, slots }), ..session(Isolation::Workspace) };
    store.at(second).claim(feature, &new, &secret(), LEASE).unwrap()
}

pub(crate) fn green(commands: &[&str]) -> Vec<CheckReport> {
    reports(commands, &CheckVerdict::Green)
}

pub(crate) fn red(commands: &[&str]) -> Vec<CheckReport> {
    reports(commands, &CheckVerdict::Red { exit_code: 1 })
}

fn reports(commands: &[&str], verdict: &CheckVerdict) -> Vec<CheckReport> {
    let report = |command: &&str| CheckReport {
        command: (*command).to_owned(),
        verdict: verdict.clone(),
        duration_ms: 7,
        output_tail: "it says so".to_owned(),
        output_digest: "cbf29ce484222325".to_owned(),
    };
    commands.iter().map(report).collect()
}

pub(crate) fn merge(commit: &str, reports: Vec<CheckReport>) -> Merge {
    Merge { commit: Some(commit.to_owned()), reports, merge_ms: 3, check_ms: 4 }
}

pub(crate) fn not_finished() -> AttemptOutcome {
    AttemptOutcome::NotFinished { reason: "`t1` is red".to_owned() }
}

pub(crate) fn process() -> ProcessIdentity {
    ProcessIdentity { pid: 77, started: u64::MAX, boot_id: "this boot".to_owned() }
}

pub(crate) fn node() -> NodeIdentity {
    NodeIdentity { boot_id: "this boot".to_owned(), pid_namespace: Some(4_026_531_836) }
}

pub(crate) fn run() -> NewRun {
    NewRun {
        process: process(),
        node: Some(node()),
        settings: RunSettings {
            agent: "scripted".to_owned(),
            slots: 3,
            isolation: Isolation::Workspace,
            batch: Some(2),
        },
        base_commit: Some("c0".to_owned()),
    }
}

/// What the journal tells of the begin of that run.
pub(crate) fn run_started() -> Fact {
    Fact::RunStarted {
        process: process(),
        agent: "scripted".to_owned(),
        slots: 3,
        isolation: Isolation::Workspace,
    }
}

/// Takes a feature through its whole life.
pub(crate) fn pass(store: &Store, second: i64, feature: FeatureId) -> Claim {
    let claim = claim(store, second, feature);
    let checks: Vec<_> = store.feature(feature).unwrap().checks;
    let commands: Vec<_> = checks.iter().map(|check| check.command.as_str()).collect();
    store.at(second).record_before(&claim.token, Some("c0"), &red(&commands)).unwrap();
    store.at(second + 1).submit(&claim.token, Some("c1"), &green(&commands)).unwrap();
    store.at(second + 2).land(&claim.token, &merge("c2", green(&commands))).unwrap();
    claim
}

/// Everything a reader can see, to say that nothing of it changed.
#[derive(Debug, PartialEq)]
pub(crate) struct All {
    features: Vec<Feature>,
    attempts: Vec<Attempt>,
    sessions: Vec<LiveSession>,
    history: Vec<Vec<AttemptRecord>>,
    journal: Vec<Entry>,
}

pub(crate) fn all(store: &Store) -> All {
    let features = store.features().unwrap();
    All {
        attempts: store.live_attempts().unwrap(),
        sessions: store.live_sessions().unwrap(),
        history: features.iter().map(|feature| store.attempts_of(feature.id).unwrap()).collect(),
        journal: store.journal_since(0, usize::MAX).unwrap(),
        features,
    }
}

/// Returns the kinds of the entries after `seq`, with the feature where there is one.
pub(crate) fn kinds(store: &Store, seq: i64) -> Vec<String> {
    let kind = |entry: Entry| {
        let fact = serde_json::to_value(&entry.fact).unwrap();
        let kind = fact["kind"].as_str().unwrap().to_owned();
        entry.feature.map_or_else(|| kind.clone(), |feature| format!("{feature} {kind}"))
    };
    store.journal_since(seq, usize::MAX).unwrap().into_iter().map(kind).collect()
}

/// Returns the facts after `seq`.
pub(crate) fn facts(store: &Store, seq: i64) -> Vec<Fact> {
    store.journal_since(seq, usize::MAX).unwrap().into_iter().map(|entry| entry.fact).collect()
}

/// Renews one claim, as whoever has only one sees it.
pub(crate) fn renew(store: &Store, token: &Token) -> Result<(), StoreError> {
    match store.renew(std::slice::from_ref(token), LEASE)?.is_empty() {
        true => Ok(()),
        false => Err(store.attempt(token).unwrap_err()),
    }
}

/// One write by token.
pub(crate) type Write = Box<dyn Fn(&Store, &Token) -> Result<(), StoreError>>;

/// Every write by token that there is, with its name.
pub(crate) fn writes() -> Vec<(&'static str, Write)> {
    fn named(
        name: &'static str,
        write: impl Fn(&Store, &Token) -> Result<(), StoreError> + 'static,
    ) -> (&'static str, Write) {
        (name, Box::new(write))
    }
    use cogwork_schemas::CheckPhase::After;
    vec![
        named("renew", |store, token| renew(store.at(900), token)),
        named("record_before", |store, token| store.at(900).record_before(token, None, &red(&["t1", "t2"]))),
        named("record_checks", |store, token| {
            store.at(900).record_checks(token, After, None, &green(&["t1", "t2"]))
        }),
        named("submit", |store, token| {
            store.at(900).submit(token, Some("late"), &green(&["t1", "t2"])).map(drop)
        }),
        named("land", |store, token| {
            store.at(900).land(token, &merge("late", green(&["t1", "t2"]))).map(drop)
        }),
        named("end_attempt", |store, token| {
            store.at(900).end_attempt(token, &not_finished(), &LIMITS).map(drop)
        }),
        named("ask_human", |store, token| store.at(900).ask_human(token, &question())),
        named("leave_note", |store, token| store.at(900).leave_note(token, "the parser is odd")),
        named("leave_last_words", |store, token| store.at(900).leave_last_words(token, "I give up")),
        named("report_failing", |store, token| store.at(900).report_failing(token, "broken").map(drop)),
    ]
}

/// A question with one field.
pub(crate) fn question() -> HumanRequest {
    serde_json::from_str(r#"{"prompt": "Which colour?", "fields": [{"id": "colour", "label": "Colour"}]}"#)
        .unwrap()
}

pub(crate) const NOBODY: SessionId = SessionId(99);
