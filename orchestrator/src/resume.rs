//! How a run begins: from what the store holds, whatever ended the run before.
//!
//! There is no separate recovery: a first start, a start after a clean stop and a start after a SIGKILL are this
//! one function. It runs after every process of the earlier run is gone, and before the engine's first event.

use std::collections::BTreeMap;

use cogwork_schemas::{AttemptId, AttemptOutcome, ProcessIdentity, SessionOutcome};
use cogwork_store::graph::Graph;
use cogwork_store::{Attempt, AttemptLimits, Store, StoreError};
use jiff::Timestamp;

use crate::engine::{Engine, Event, Settings};

/// A run that can begin.
pub(crate) struct Resumed {
    pub(crate) engine: Engine,
    /// What the engine has to be told first, ending with [`Event::Begin`].
    pub(crate) events: Vec<Event>,
    /// The attempts that are green and not landed.
    pub(crate) submitted: BTreeMap<AttemptId, Attempt>,
    /// The attempts that were cut off. Their committed work is still in their workspaces.
    pub(crate) orphaned: Vec<Attempt>,
}

/// Judges what an earlier run left behind and builds the engine.
///
/// Attempts that are green wait for integration again. The others are ended without cost, unless the process that
/// owns them lives: that is a person's session, and `alive` knows. Takes the time of the start.
///
/// # Errors
///
/// The store's, and a dependency cycle that got past it.
pub(crate) fn resume(
    store: &Store,
    now: Timestamp,
    settings: Settings,
    limits: &AttemptLimits,
    alive: impl Fn(&ProcessIdentity) -> bool,
) -> Result<Resumed, StoreError> {
    let mut sessions: BTreeMap<_, _> =
        store.live_sessions()?.into_iter().map(|session| (session.id, session)).collect();
    let (mut events, mut submitted, mut orphaned) = (Vec::new(), BTreeMap::new(), Vec::new());
    for attempt in store.live_attempts()? {
        let owner = sessions.get(&attempt.session).and_then(|session| session.process.as_ref());
        if owner.is_some_and(&alive) {
            sessions.remove(&attempt.session);
        } else if attempt.submitted.is_some() {
            events.push(Event::Recovered { feature: attempt.feature, attempt: attempt.id });
            submitted.insert(attempt.id, attempt);
        } else {
            store.end_attempt(now, &attempt.token, &AttemptOutcome::Orphaned, limits)?;
            orphaned.push(attempt);
        }
    }
    for session in sessions.into_values() {
        if !session.process.as_ref().is_some_and(&alive) {
            store.end_session(now, session.id, &SessionOutcome::Stopped, 0)?;
        }
    }
    events.push(Event::Begin);
    let engine = Engine::new(settings, Graph::new(store.nodes()?)?);
    Ok(Resumed { engine, events, submitted, orphaned })
}
