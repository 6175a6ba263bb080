//! What can be asked of a store, with good arguments and bad ones, and how it is made up.

use cogwork_schemas::{AttemptOutcome, FeatureId, Isolation, RunId, SessionId, Status};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::state::{State, Try};

/// The attempt whose token is shown, by its number from 1; of one that never was the token is made up.
pub(crate) type Tok = i64;

/// One call of the store.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Which of the two connections is used.
    pub(crate) second: bool,
    /// Seconds since the call before; a clock may be set back.
    pub(crate) later: i64,
    /// Whether the answer is lost and the call made again.
    pub(crate) lost: bool,
    pub(crate) op: Op,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Create {
        items: Vec<Item>,
        call: Option<u8>,
        dependencies: usize,
    },
    Claim {
        feature: FeatureId,
        isolation: Isolation,
        lease: i64,
    },
    Inspect {
        feature: FeatureId,
        lease: i64,
    },
    Renew {
        token: Tok,
        lease: i64,
    },
    RecordBefore {
        token: Tok,
        reports: Vec<Report>,
    },
    RecordChecks {
        token: Tok,
        reports: Vec<Report>,
    },
    Submit {
        token: Tok,
        commit: Option<u8>,
        reports: Vec<Report>,
    },
    Land {
        token: Tok,
        reports: Vec<Report>,
    },
    /// Submitted and landed at once.
    Finish {
        token: Tok,
        commit: Option<u8>,
        reports: Vec<Report>,
    },
    End {
        token: Tok,
        outcome: AttemptOutcome,
        attempts: u32,
        crashes: u32,
    },
    Reap {
        attempts: u32,
    },
    ReportFailing {
        token: Tok,
    },
    Ask {
        token: Tok,
        well: bool,
    },
    Answer {
        feature: FeatureId,
        well: bool,
    },
    AddDependency {
        feature: FeatureId,
        on: FeatureId,
        limit: usize,
    },
    RemoveDependency {
        feature: FeatureId,
        on: FeatureId,
    },
    SetDependencies {
        feature: FeatureId,
        on: Vec<FeatureId>,
        limit: usize,
    },
    Skip {
        feature: FeatureId,
        token: Option<Tok>,
    },
    Delete {
        feature: FeatureId,
    },
    Retry {
        feature: FeatureId,
    },
    SessionUp {
        session: SessionId,
        pid: i32,
    },
    /// By one who saw this process own it.
    TakeOver {
        attempt: Tok,
        pid: Option<i32>,
    },
    EndSession {
        session: SessionId,
    },
    BeginRun,
    EndRun {
        run: RunId,
    },
}

/// A feature to be made.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) named: bool,
    pub(crate) key: Option<u8>,
    pub(crate) checks: u8,
    pub(crate) priority: Option<i64>,
    pub(crate) ids: Vec<FeatureId>,
    pub(crate) keys: Vec<u8>,
    pub(crate) places: Vec<usize>,
}

/// One run of the check with this number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    pub(crate) check: u8,
    pub(crate) green: bool,
}

/// Mostly a feature that there is; one that there was, or never was, now and then.
fn feature(state: &State) -> BoxedStrategy<FeatureId> {
    feature_of(state, |_| true)
}

/// Mostly a feature for which this holds.
fn feature_of(state: &State, suits: impl Fn(FeatureId) -> bool) -> BoxedStrategy<FeatureId> {
    let all: Vec<FeatureId> = state.features.keys().copied().collect();
    let suiting: Vec<FeatureId> = all.iter().copied().filter(|id| suits(*id)).collect();
    let any = (0..state.next_feature + 2).prop_map(FeatureId).boxed();
    let known = |ids: Vec<FeatureId>| if ids.is_empty() { any.clone() } else { select(ids).boxed() };
    prop_oneof![14 => known(suiting), 5 => known(all), 1 => any.clone()].boxed()
}

/// Mostly the token of a live attempt.
fn token(state: &State) -> BoxedStrategy<Tok> {
    token_of(state, |_| true)
}

/// Mostly the token of a live attempt of this kind.
fn token_of(state: &State, kind: impl Fn(&Try) -> bool) -> BoxedStrategy<Tok> {
    let live = state.attempts.iter().filter(|(_, attempt)| attempt.outcome.is_none() && kind(attempt));
    let live: Vec<Tok> = live.map(|(id, _)| *id).collect();
    let any = 0..state.next_attempt + 2;
    if live.is_empty() { any.boxed() } else { prop_oneof![9 => select(live), 1 => any].boxed() }
}

fn session(state: &State) -> BoxedStrategy<SessionId> {
    (0..state.next_session + 2).prop_map(SessionId).boxed()
}

/// Reports that suit most features: those of the first checks, mostly of one colour.
fn reports() -> BoxedStrategy<Vec<Report>> {
    let of = |green: BoxedStrategy<bool>| {
        (0..4_u8, green)
            .prop_map(|(checks, green)| (0..checks).map(|check| Report { check, green }).collect::<Vec<_>>())
    };
    let mixed = (0..4_u8, any::<bool>()).prop_map(|(check, green)| Report { check, green });
    prop_oneof![
        6 => of(Just(true).boxed()),
        3 => of(Just(false).boxed()),
        1 => vec(mixed, 0..4),
    ]
    .boxed()
}

fn outcome() -> BoxedStrategy<AttemptOutcome> {
    let reason = || "it did not work".to_owned();
    select(vec![
        AttemptOutcome::NotFinished { reason: reason() },
        AttemptOutcome::NotFinished { reason: reason() },
        AttemptOutcome::Conflict { reason: reason() },
        AttemptOutcome::RedAfterMerge { reason: reason() },
        AttemptOutcome::TimedOut { reason: reason() },
        AttemptOutcome::GivenUp { reason: reason() },
        AttemptOutcome::Crashed { reason: reason() },
        AttemptOutcome::Crashed { reason: reason() },
        AttemptOutcome::NeedsHuman,
        AttemptOutcome::Confirmed,
        AttemptOutcome::Stopped,
        AttemptOutcome::Expired,
        AttemptOutcome::Orphaned,
        AttemptOutcome::Landed,
    ])
    .boxed()
}

fn item(state: &State) -> BoxedStrategy<Item> {
    let priority = prop_oneof![
        8 => Just(None),
        3 => (-3..40_i64).prop_map(Some),
        1 => select(vec![1_000_000_000_000, 1_000_000_000_001, i64::MIN, i64::MAX]).prop_map(Some),
    ];
    (
        prop::bool::weighted(0.97),
        option::weighted(0.4, 0..12_u8),
        0..3_u8,
        priority,
        vec(feature(state), 0..3),
        prop_oneof![4 => vec(0..3_u8, 0..2), 1 => vec(0..12_u8, 0..2)],
        prop_oneof![4 => Just(Vec::new()), 2 => vec(0..3_usize, 1..3)],
    )
        .prop_map(|(named, key, checks, priority, ids, keys, places)| Item {
            named,
            key,
            checks,
            priority,
            ids,
            keys,
            places,
        })
        .boxed()
}

/// A feature that depends on nothing.
fn plain(checks: u8) -> Item {
    Item { named: true, key: None, checks, priority: None, ids: vec![], keys: vec![], places: vec![] }
}

/// What every project begins with, so that there is something to work on: a chain of three, and two alone.
pub(crate) fn first() -> Step {
    let mut items: Vec<Item> = [1, 0, 2, 0, 1].map(plain).into();
    for (place, item) in items.iter_mut().enumerate().take(3) {
        item.key = Some([0, 1, 2][place]);
        item.places.extend(place.checked_sub(1));
    }
    Step { second: false, later: 0, lost: false, op: Op::Create { items, call: None, dependencies: 9 } }
}

/// Returns what may be asked next.
pub(crate) fn step(state: &State) -> BoxedStrategy<Step> {
    let later = prop_oneof![6 => 0..3_i64, 2 => 5..40_i64, 1 => 200..900_i64, 1 => -20..0_i64];
    (any::<bool>(), later, prop::bool::weighted(0.3), op(state))
        .prop_map(|(second, later, lost, op)| Step { second, later, lost, op })
        .boxed()
}

fn op(state: &State) -> BoxedStrategy<Op> {
    let f = || feature(state);
    let at = |status| feature_of(state, move |id| state.features[&id].status == status);
    let ready = feature_of(state, |id| state.ready().contains(&id));
    let t = || token(state);
    let lease = || prop_oneof![5 => 5..60_i64, 1 => Just(i64::MAX)];
    let limit = || prop_oneof![4 => Just(1_000_usize), 1 => 0..3_usize];
    let isolation = select(vec![Isolation::Workspace, Isolation::Shared]);
    let create = (
        prop_oneof![6 => vec(item(state), 1..4), 1 => Just(Vec::new()), 3 => vec((0..3_u8).prop_map(plain), 1..3)],
        option::weighted(0.3, 0..3_u8),
        limit(),
    )
        .prop_map(|(items, call, dependencies)| Op::Create { items, call, dependencies });
    let changing = prop_oneof![
        4 => (f(), f(), limit()).prop_map(|(feature, on, limit)| Op::AddDependency { feature, on, limit }),
        2 => (f(), f()).prop_map(|(feature, on)| Op::RemoveDependency { feature, on }),
        2 => (f(), btree_set(f(), 0..4), limit()).prop_map(|(feature, on, limit)| {
            Op::SetDependencies { feature, on: on.into_iter().collect(), limit }
        }),
        2 => (f(), option::of(t())).prop_map(|(feature, token)| Op::Skip { feature, token }),
        1 => f().prop_map(|feature| Op::Delete { feature }),
        2 => at(Status::Parked).prop_map(|feature| Op::Retry { feature }),
        2 => (at(Status::NeedsHuman), any::<bool>()).prop_map(|(feature, well)| Op::Answer { feature, well }),
    ];
    let ending = prop_oneof![
        4 => (t(), outcome(), 1..4_u32, 1..4_u32).prop_map(|(token, outcome, attempts, crashes)| {
            Op::End { token, outcome, attempts, crashes }
        }),
        2 => (1..4_u32).prop_map(|attempts| Op::Reap { attempts }),
        1 => (t(), any::<bool>()).prop_map(|(token, well)| Op::Ask { token, well }),
    ];
    let sessions = prop_oneof![
        (session(state), 1..4_i32).prop_map(|(session, pid)| Op::SessionUp { session, pid }),
        session(state).prop_map(|session| Op::EndSession { session }),
        (t(), option::weighted(0.3, 1..4_i32)).prop_map(|(attempt, pid)| Op::TakeOver { attempt, pid }),
        Just(Op::BeginRun),
        (1..=state.runs.len() as i64 + 1).prop_map(|run| Op::EndRun { run: RunId(run) }),
    ];
    let unsent = || token_of(state, |attempt| attempt.submitted.is_none());
    let sent = || token_of(state, |attempt| attempt.submitted.is_some());
    // Where nobody works, calls of workers are all refused alike: some of these are enough.
    let work = if state.attempts.values().any(|attempt| attempt.outcome.is_none()) { 4 } else { 1 };
    let working = prop_oneof![
        1 => (t(), lease()).prop_map(|(token, lease)| Op::Renew { token, lease }),
        3 => (unsent(), reports()).prop_map(|(token, reports)| Op::RecordBefore { token, reports }),
        1 => (t(), reports()).prop_map(|(token, reports)| Op::RecordChecks { token, reports }),
        5 => (unsent(), option::of(0..3_u8), reports())
            .prop_map(|(token, commit, reports)| Op::Submit { token, commit, reports }),
        1 => (t(), option::of(0..3_u8), reports())
            .prop_map(|(token, commit, reports)| Op::Submit { token, commit, reports }),
        7 => (sent(), reports()).prop_map(|(token, reports)| Op::Land { token, reports }),
        2 => (t(), option::of(0..3_u8), reports())
            .prop_map(|(token, commit, reports)| Op::Finish { token, commit, reports }),
        1 => t().prop_map(|token| Op::ReportFailing { token }),
        4 => ending,
    ];
    prop_oneof![
        3 => create,
        6 => (ready, isolation, lease()).prop_map(|(feature, isolation, lease)| Op::Claim { feature, isolation, lease }),
        2 => (at(Status::Passing), lease()).prop_map(|(feature, lease)| Op::Inspect { feature, lease }),
        4 * work => working,
        6 => changing,
        1 => sessions,
    ]
    .boxed()
}
