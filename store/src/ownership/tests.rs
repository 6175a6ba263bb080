use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use cogwork_schemas::{Isolation, Role, SessionId, Status};

use super::*;
use crate::secret::Secret;
use crate::{ImportLimits, NewSession, TimeSource};

const LEASE: SignedDuration = SignedDuration::from_secs(60);
const LIMITS: AttemptLimits = AttemptLimits { attempts: 3, crashes: 5 };

/// A store with three features whose clock the test turns.
struct Rig {
    store: Store,
    clock: Arc<AtomicI64>,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn process() -> ProcessIdentity {
    ProcessIdentity { pid: 77, started: 5, boot_id: "boot".into() }
}

impl Rig {
    fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(0));
        let hands = Arc::clone(&clock);
        let store = Store::in_memory(TimeSource::new(move || at(hands.load(Ordering::Relaxed)))).unwrap();
        let list = r#"{"features": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}"#;
        store.import(&serde_json::from_str(list).unwrap(), &ImportLimits::default()).unwrap();
        Self { store, clock }
    }

    fn turn_to(&self, second: i64) {
        self.clock.store(second, Ordering::Relaxed);
    }

    /// Claims a feature at the second 0, so that the lease ends at 60.
    fn claim(&self, feature: i64, agent: &str) -> SessionId {
        let new = NewSession::new(Role::Coding, agent, Isolation::Shared);
        self.store.claim(FeatureId(feature), &new, &Secret::known("s"), LEASE).unwrap().session
    }

    fn up(&self, feature: i64, agent: &str) -> SessionId {
        let session = self.claim(feature, agent);
        self.store.session_up(session, &process()).unwrap();
        session
    }

    fn session(&self, id: SessionId) -> LiveSession {
        self.store.live_sessions().unwrap().into_iter().find(|session| session.id == id).unwrap()
    }

    fn reap(&self, second: i64, presence: Presence) -> Vec<FeatureId> {
        self.turn_to(second);
        self.store.reap_unowned(LEASE, &LIMITS, |_, _| presence).unwrap()
    }

    fn lease_until(&self, feature: i64) -> Option<Timestamp> {
        let live = self.store.live_attempts().unwrap();
        live.into_iter().find(|attempt| attempt.feature == FeatureId(feature))?.lease_until
    }
}

fn asked(now: Timestamp) -> OwnerQuestion {
    OwnerQuestion { now, lease: LEASE, writable_since: None, begins_run: false }
}

fn of_new_run(now: Timestamp) -> OwnerQuestion {
    OwnerQuestion { begins_run: true, ..asked(now) }
}

/// What is said of a session whose lease ends at 60, by whom it is asked and when.
fn said(rig: &Rig, session: SessionId, question: &OwnerQuestion, presence: Presence) -> Ownership {
    ownership(&rig.session(session), question, |_, _| presence)
}

#[test]
fn on_this_node_the_process_decides_and_no_lease_does() {
    let rig = Rig::new();
    for (feature, agent) in [(1, "claude"), (2, "mcp:it"), (3, "mcp")] {
        let session = rig.up(feature, agent);
        for second in [0, 59, 60, 1_000_000] {
            for question in [asked(at(second)), of_new_run(at(second))] {
                let said = |presence| said(&rig, session, &question, presence);
                assert_eq!(said(Presence::Alive), Ownership::Lives, "{agent} at {second}");
                assert_eq!(said(Presence::Gone), Ownership::Dead, "{agent} at {second}");
            }
        }
    }
}

#[test]
fn on_another_node_the_lease_decides_whoever_asks() {
    let rig = Rig::new();
    let session = rig.up(1, "claude");
    let question = |second| [asked(at(second)), of_new_run(at(second))];
    for question in question(59) {
        let said = said(&rig, session, &question, Presence::OutOfSight);
        assert_eq!(said, Ownership::Elsewhere { until: at(60) });
    }
    for question in question(60) {
        assert_eq!(said(&rig, session, &question, Presence::OutOfSight), Ownership::Dead);
    }
}

#[test]
fn a_session_that_has_not_said_who_it_is_has_its_lease_for_it() {
    let rig = Rig::new();
    for (feature, agent, under_the_project) in [
        (1, "mcp:it", Ownership::NotYetUp { until: at(60) }),
        (2, "mcp", Ownership::NotYetUp { until: at(60) }),
        // Its starter held the project that the asker holds now.
        (3, "mcpx", Ownership::Dead),
    ] {
        let session = rig.claim(feature, agent);
        let said = |question| said(&rig, session, &question, Presence::Gone);
        assert_eq!(said(asked(at(59))), Ownership::NotYetUp { until: at(60) });
        assert_eq!(said(of_new_run(at(59))), under_the_project, "{agent}");
        assert_eq!(said(asked(at(60))), Ownership::Dead);
    }
}

#[test]
fn whoever_could_not_write_has_a_renewal_period_for_it() {
    let rig = Rig::new();
    let (elsewhere, silent) = (rig.up(1, "mcp:it"), rig.claim(2, "mcp:it"));
    let question = |second, since| OwnerQuestion { writable_since: Some(at(since)), ..asked(at(second)) };
    for (second, since, until) in
        [(119, 100, Some(120)), (120, 100, None), (59, 10, Some(60)), (60, 10, None)]
    {
        let question = question(second, since);
        let said = |session| said(&rig, session, &question, Presence::OutOfSight);
        let dead = Ownership::Dead;
        assert_eq!(said(elsewhere), until.map_or(dead, |until| Ownership::Elsewhere { until: at(until) }));
        assert_eq!(said(silent), until.map_or(dead, |until| Ownership::NotYetUp { until: at(until) }));
    }
}

#[test]
fn what_was_handed_in_needs_no_owner() {
    let rig = Rig::new();
    let new = NewSession::new(Role::Coding, "claude", Isolation::Shared);
    let claim = rig.store.claim(FeatureId(1), &new, &Secret::known("s"), LEASE).unwrap();
    rig.store.session_up(claim.session, &process()).unwrap();
    rig.store.submit(&claim.token, None, &[]).unwrap();
    let question = asked(at(1));
    assert_eq!(said(&rig, claim.session, &question, Presence::OutOfSight), Ownership::Dead);
    assert_eq!(said(&rig, claim.session, &question, Presence::Alive), Ownership::Lives);
    assert_eq!(rig.reap(1_000, Presence::Gone), [], "what was handed in cannot expire");
}

#[test]
fn a_claim_of_one_that_lives_is_kept_and_that_of_a_dead_one_is_free_after_its_lease() {
    let rig = Rig::new();
    let (server, runner) = (rig.up(1, "mcp:it"), rig.up(2, "claude"));
    assert_eq!(rig.reap(61, Presence::Alive), []);
    assert_eq!((rig.lease_until(1), rig.lease_until(2)), (Some(at(121)), Some(at(121))));
    assert_eq!(rig.reap(120, Presence::Gone), []);
    assert_eq!(rig.reap(121, Presence::Gone), [FeatureId(1), FeatureId(2)]);
    for feature in [1, 2] {
        let feature = rig.store.feature(FeatureId(feature)).unwrap();
        assert_eq!((feature.status, feature.failed_attempts), (Status::Pending, 0));
    }
    let left: Vec<_> = rig.store.live_sessions().unwrap().into_iter().map(|session| session.id).collect();
    assert!(!left.contains(&server), "nobody else ends it");
    assert!(left.contains(&runner), "whoever ends it has to clear up behind it");
}

#[test]
fn a_claim_is_not_taken_under_an_owner_who_came_meanwhile() {
    let rig = Rig::new();
    let session = rig.up(1, "claude");
    rig.turn_to(61);
    let another = ProcessIdentity { pid: 78, ..process() };
    let seen = |_: &ProcessIdentity, _: Option<&NodeIdentity>| {
        rig.store.session_up(session, &another).unwrap();
        Presence::Gone
    };
    assert_eq!(rig.store.reap_unowned(LEASE, &LIMITS, seen).unwrap(), []);
    assert_eq!(rig.store.feature(FeatureId(1)).unwrap().status, Status::Claimed);
}

#[test]
fn a_claim_of_a_session_that_is_over_is_free_after_its_lease() {
    let rig = Rig::new();
    let session = rig.up(1, "claude");
    rig.store.end_session(session, &SessionOutcome::Stopped, 0).unwrap();
    assert_eq!(rig.reap(59, Presence::Alive), []);
    assert_eq!(rig.reap(60, Presence::Alive), [FeatureId(1)]);
}

/// The clock goes on while this process waits for its turn, as it does for whoever holds a lease.
#[test]
fn a_claim_that_ran_out_behind_a_lock_is_taken_one_renewal_period_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(0));
    let hands = Arc::clone(&clock);
    let time = TimeSource::new(move || at(hands.load(Ordering::Relaxed)));
    let store = Store::create(dir.path(), time).unwrap();
    let list = r#"{"features": [{"name": "a"}, {"name": "b"}]}"#;
    store.import(&serde_json::from_str(list).unwrap(), &ImportLimits::default()).unwrap();
    let rig = Rig { store, clock };
    rig.up(1, "mcp:it");
    let other = Store::open(dir.path(), TimeSource::new(|| at(0))).unwrap();
    rig.turn_to(90);
    let busy = other.write(|_, _| Ok(rig.store.at_once(Store::close_batches).unwrap_err())).unwrap();
    assert_eq!(busy.class(), crate::ErrorClass::Again, "{busy}");
    assert_eq!(rig.reap(100, Presence::OutOfSight), [], "its owner had no time to renew it");
    assert_eq!(rig.reap(119, Presence::OutOfSight), []);
    assert_eq!(rig.reap(120, Presence::OutOfSight), [FeatureId(1)]);
}
