//! Two programs with two clocks on one project, and one time.

use cogwork_schemas::AttemptOutcome;
use cogwork_store::{ImportLimits, Store, TimeSource};

use crate::fixture::*;

/// A store whose own clock says this.
fn at_clock(project: &std::path::Path, second: i64) -> Store {
    Store::open(project, TimeSource::new(move || at(second))).unwrap()
}

#[test]
fn no_change_is_older_than_the_one_before_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(on_disk(dir.path()));
    let (ahead, behind) = (at_clock(dir.path(), 500), at_clock(dir.path(), 400));
    assert_eq!(behind.now().unwrap(), at(400));
    let claim = ahead.claim(BASE, &session(cogwork_schemas::Isolation::Workspace), &secret(), LEASE).unwrap();
    assert_eq!(behind.now().unwrap(), at(500));
    behind.end_attempt(&claim.token, &AttemptOutcome::Stopped, &LIMITS).unwrap();
    let times: Vec<_> = ahead.journal_since(0, 99).unwrap().into_iter().map(|entry| entry.at).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(ahead.attempts_of(BASE).unwrap()[0].ended_at, Some(at(500)));
}

/// The lease is counted from the time that whoever reaps counts from, too.
#[test]
fn a_clock_that_is_behind_claims_no_shorter() {
    let dir = tempfile::tempdir().unwrap();
    drop(on_disk(dir.path()));
    let (ahead, behind) = (at_clock(dir.path(), 500), at_clock(dir.path(), 400));
    ahead.add_dependency(PROSE, BASE, &ImportLimits::default()).unwrap();
    behind.claim(BASE, &session(cogwork_schemas::Isolation::Workspace), &secret(), LEASE).unwrap();
    assert_eq!(ahead.reap(&LIMITS).unwrap(), []);
}
