//! How many statements the operations cost that a run makes again and again.
//!
//! Behind another engine each of them is a way over a wire and back. One more has to be worth it: whoever changes a
//! number here says so.

use std::cell::Cell;

use cogwork_schemas::{
    AttemptOutcome, CheckReport, CheckVerdict, FeatureId, FeatureList, Isolation, Role, SessionOutcome,
};
use jiff::SignedDuration;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::*;
use crate::{AttemptLimits, ImportLimits, Merge, NewLanding, NewSession, Secret};

thread_local! {
    static STATEMENTS: Cell<usize> = const { Cell::new(0) };
}

#[expect(clippy::needless_pass_by_value, reason = "this is what the tracing asks for")]
fn count(event: TraceEvent<'_>) {
    if let TraceEvent::Stmt(..) = event {
        STATEMENTS.set(STATEMENTS.get() + 1);
    }
}

/// Returns what an operation answers, and how many statements it took, those around its transaction included.
fn counted<T>(store: &Store, operation: impl FnOnce(&Store) -> T) -> (T, usize) {
    STATEMENTS.set(0);
    let answer = operation(store);
    (answer, STATEMENTS.get())
}

#[test]
fn no_hot_call_costs_more_statements_than_it_did() {
    let mut store = Store::in_memory(TimeSource::new(|| Timestamp::UNIX_EPOCH)).unwrap();
    let list: FeatureList = serde_json::from_str(
        r#"{"features": [{"name": "a", "key": "a", "checks": ["t"]}, {"name": "b", "dependencies": ["a"]}]}"#,
    )
    .unwrap();
    store.import(&list, &ImportLimits::default()).unwrap();
    store.connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(count)).unwrap();
    let (lease, secret) = (SignedDuration::from_secs(60), Secret::known("secret"));
    let new = NewSession::new(Role::Coding, "a", Isolation::Workspace);
    let green = [CheckReport {
        command: "t".into(),
        verdict: CheckVerdict::Green,
        duration_ms: 1,
        output_tail: String::new(),
        output_digest: String::new(),
    }];
    let merge = Merge { commit: None, reports: green.to_vec(), merge_ms: 0, check_ms: 0 };
    let claim_once =
        |store: &Store| store.once("call", |store| store.claim(FeatureId(1), &new, &secret, lease));

    let (claim, claiming) = counted(&store, claim_once);
    let claim = claim.unwrap();
    let (_, again) = counted(&store, claim_once);
    let tokens = vec![claim.token.clone(); 30];
    let (stale, renewing) = counted(&store, |store| store.renew(&tokens, lease).unwrap());
    assert_eq!(stale, []);
    let (_, submitting) = counted(&store, |store| store.submit(&claim.token, Some("c"), &green).unwrap());
    let intent = NewLanding { branch: "b".into(), from: "c0".into(), to: "c1".into() };
    let (_, moving) = counted(&store, |store| store.begin_landing(&claim.token, &intent).unwrap());
    let (_, landing) = counted(&store, |store| store.land(&claim.token, &merge).unwrap());
    let outcome = SessionOutcome::Completed;
    let (_, ending) = counted(&store, |store| store.end_session(claim.session, &outcome, 1).unwrap());
    let (entries, reading) = counted(&store, |store| store.journal_since(0, 100).unwrap());
    assert!(entries.len() > 5);
    let other = store.claim(FeatureId(2), &new, &secret, lease).unwrap();
    let (outcome, limits) = (AttemptOutcome::Stopped, AttemptLimits::default());
    let (_, giving_back) =
        counted(&store, |store| store.end_attempt(&other.token, &outcome, &limits).unwrap());

    insta::assert_snapshot!(
        format!(
            "claim {claiming}, the same again {again}, renew 30 {renewing}, submit {submitting}, \
             begin_landing {moving}, land {landing}, end_attempt {giving_back}, end_session {ending}, journal {reading}"
        ),
        @"claim 13, the same again 4, renew 30 4, submit 11, begin_landing 9, land 16, end_attempt 8, end_session 9, journal 3"
    );
}
