//! How a run begins: from what the store holds, whatever ended the run before.
//!
//! There is no separate recovery: a first start, a start after a clean stop and a start after a SIGKILL are this
//! one function. It runs after every process of the earlier run is gone, and before the engine's first event.

use std::collections::BTreeMap;

use crate::engine::{Engine, Event, Settings};
use cogwork_schemas::{
    AttemptOutcome, Isolation, NodeIdentity, Presence, ProcessIdentity, SessionId, SessionOutcome, Token,
};
use cogwork_store::graph::Graph;
use cogwork_store::{
    AttemptLimits, ErrorClass, OwnerQuestion, Ownership, Secret, Store, StoreError, ownership,
};
use jiff::SignedDuration;

/// A run that can begin.
pub struct Resumed {
    pub engine: Engine,
    /// What the engine has to be told first: what waits to land, and whether the project is paused; ending with [`Event::Begin`].
    pub events: Vec<Event>,
    /// Some of the work that is green and not landed has to be merged.
    pub has_work_to_merge: bool,
    /// A token of each session that was taken over.
    pub tokens: BTreeMap<SessionId, Token>,
}

/// Judges what an earlier run left behind and builds the engine.
///
/// Attempts that are green wait for integration again. The others are ended without cost, unless somebody may still be
/// at them: a person's session, or one on another node. What is left of dead sessions is taken over with `secret`.
///
/// # Errors
///
/// The store's, and a dependency cycle that got past it.
pub fn resume(
    store: &Store,
    settings: Settings,
    limits: &AttemptLimits,
    lease: SignedDuration,
    secret: &Secret,
    presence: impl Fn(&ProcessIdentity, Option<&NodeIdentity>) -> Presence,
) -> Result<Resumed, StoreError> {
    let question = OwnerQuestion { begins_run: true, ..store.owner_question(lease)? };
    let sessions: BTreeMap<_, _> =
        store.live_sessions()?.into_iter().map(|session| (session.id, session)).collect();
    let owned = |id: &SessionId| sessions.get(id).map(|session| ownership(session, &question, &presence));
    let (mut events, mut has_work_to_merge, mut tokens) = (Vec::new(), false, BTreeMap::new());
    for attempt in store.live_attempts()? {
        match owned(&attempt.session).unwrap_or(Ownership::Dead) {
            Ownership::Lives => continue,
            // It may still be at something, and whoever took one of its attempts over would take all its rights. What
            // it has handed in is recovered when it is over.
            Ownership::Elsewhere { .. } | Ownership::NotYetUp { .. } => continue,
            Ownership::Dead => {}
        }
        let seen = sessions.get(&attempt.session).and_then(|session| session.process.as_ref());
        let token = match store.take_over(attempt.id, seen, secret) {
            Ok(token) => token,
            // It has ended, or somebody else goes on with it, since it was looked at.
            Err(error) if error.class() == ErrorClass::Refused => continue,
            Err(error) => return Err(error),
        };
        if attempt.submitted.is_some() {
            events.push(Event::Recovered { feature: attempt.feature, attempt: attempt.id });
            has_work_to_merge |= attempt.isolation == Isolation::Workspace;
            tokens.insert(attempt.session, token);
        } else {
            store.end_attempt(&token, &AttemptOutcome::Orphaned, limits)?;
        }
    }
    for session in sessions.keys() {
        if owned(session) == Some(Ownership::Dead) {
            store.end_session(*session, &SessionOutcome::Stopped, 0)?;
        }
    }
    if store.pause()?.is_some() {
        events.push(Event::Pause);
    }
    events.push(Event::Begin);
    let engine = Engine::new(settings, Graph::new(store.nodes()?)?);
    Ok(Resumed { engine, events, has_work_to_merge, tokens })
}

#[cfg(test)]
mod tests {
    use cogwork_schemas::{AttemptId, FeatureId, Role, Status};
    use cogwork_store::{Batch, ImportLimits, NewSession, Next, TimeSource};
    use jiff::Timestamp;

    use super::*;

    const LEASE: SignedDuration = SignedDuration::from_secs(60);

    /// A session that has handed in one feature and works on another.
    fn store() -> Store {
        let store = Store::in_memory(TimeSource::new(|| Timestamp::UNIX_EPOCH)).unwrap();
        let list = serde_json::from_str(r#"{"features": [{"name": "a"}, {"name": "b"}]}"#).unwrap();
        store.import(&list, &ImportLimits::default()).unwrap();
        let batch = Some(Batch { size: 2, slots: 1 });
        let new = NewSession { batch, ..NewSession::new(Role::Coding, "a", Isolation::Workspace) };
        let claim = store.claim(FeatureId(1), &new, &Secret::known("secret"), LEASE).unwrap();
        let process = ProcessIdentity { pid: 7, started: 1, boot_id: "boot".into() };
        store.session_up(claim.session, &process).unwrap();
        store.submit(&claim.token, None, &[]).unwrap();
        assert!(matches!(store.claim_next(&claim.token, LEASE).unwrap(), Next::Claimed { .. }));
        store
    }

    fn resumed(store: &Store, presence: Presence) -> Resumed {
        let settings = Settings { slots: 1, batch: 2, postponements: 3, slot_wait: SignedDuration::ZERO };
        let secret = Secret::known("successor");
        resume(store, settings, &AttemptLimits::default(), LEASE, &secret, |_, _| presence).unwrap()
    }

    #[test]
    fn all_attempts_of_a_living_session_are_its_own() {
        let store = store();
        assert_eq!(resumed(&store, Presence::Alive).events, [Event::Begin]);
        assert_eq!(store.live_attempts().unwrap().len(), 2);
        assert_eq!(store.live_sessions().unwrap().len(), 1);
    }

    #[test]
    fn a_dead_session_loses_what_it_was_at_and_keeps_what_it_handed_in() {
        let store = store();
        let recovered = Event::Recovered { feature: FeatureId(1), attempt: AttemptId(1) };
        assert_eq!(resumed(&store, Presence::Gone).events, [recovered, Event::Begin]);
        let second = store.feature(FeatureId(2)).unwrap();
        assert_eq!((second.status, second.failed_attempts), (Status::Pending, 0));
        assert_eq!(store.live_sessions().unwrap(), []);
    }
    #[test]
    fn a_session_of_another_node_keeps_what_it_is_at_until_its_lease_ends() {
        let store = store();
        assert_eq!(resumed(&store, Presence::OutOfSight).events, [Event::Begin]);
        let token = Secret::known("secret").token(AttemptId(2));
        assert_eq!(store.renew(&[token], LEASE).unwrap(), [], "its secret still gives it every right");
        assert_eq!(store.feature(FeatureId(2)).unwrap().status, Status::Claimed);
        assert_eq!(store.live_sessions().unwrap().len(), 1);
    }
}
