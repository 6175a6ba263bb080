//! The end of a session on record, however long that takes, unless somebody wants this process to end.

use std::pin::pin;

use cogwork_schemas::{Control, SessionOutcome, Usage};
use cogwork_store::{ErrorClass, StoreError, Taken};

use super::World;
use super::last_words::LastWords;
use super::patient::Patience;
use crate::attempt_outcome;
use crate::inbox::Inbox;
use crate::machine::Event;

/// What is recorded of a session that is over.
pub(super) struct End<'a> {
    pub(super) outcome: &'a SessionOutcome,
    pub(super) agent_ms: u64,
    /// What the agent said last, where its work was looked at and not handed in.
    pub(super) words: Option<LastWords>,
    /// What the session has taken in all.
    pub(super) usage: Usage,
}

/// Records the end of a session.
pub(super) async fn record(world: World<'_>, inbox: &mut Inbox, end: End<'_>) -> Result<(), StoreError> {
    let patience = Patience::new();
    if *end.outcome == SessionOutcome::Stopped {
        patience.hurry();
    }
    let mut meanwhile = Vec::new();
    let recorded = {
        let mut recording = pin!(record_end(world, &patience, end));
        loop {
            let sign_of_life = world.clock.steady() + world.job.limits.durations().renew_every();
            tokio::select! {
                biased;
                recorded = &mut recording => break recorded,
                event = inbox.next() => {
                    if wants_end(&event) {
                        patience.hurry();
                    }
                    meanwhile.push(event);
                }
                () = world.clock.until(Some(sign_of_life)) => world.report.alive(world.clock.now()),
            }
        }
    };
    // Whoever has more sessions to run has to hear it, too.
    for event in meanwhile {
        inbox.sender().try_send(event).ok();
    }
    recorded
}

/// Returns whether somebody wants this process to end.
pub(crate) fn wants_end(event: &Event) -> bool {
    matches!(event, Event::Signal | Event::ParentGone | Event::Control(Control::Stop))
}

async fn record_end(world: World<'_>, patience: &Patience, end: End<'_>) -> Result<(), StoreError> {
    let End { outcome, agent_ms, words, usage } = end;
    if let Some(words) = words {
        or_refused(leave_last_words(world, patience, words, outcome).await)?;
    }
    let session = world.job.session;
    if usage != Usage::default() {
        or_refused(world.store.call_within(patience, |store| store.record_usage(session, &usage)).await)?;
    }
    or_refused(world.store.call_within(patience, |store| store.end_session(session, outcome, agent_ms)).await)
}

/// Leaves what the agent said last for the next attempt, where this one failed by its own fault.
async fn leave_last_words(
    world: World<'_>,
    patience: &Patience,
    words: LastWords,
    outcome: &SessionOutcome,
) -> Result<(), StoreError> {
    let (Some(claimed), Some(note)) = (world.job.claimed(), words.into_note()) else {
        return Ok(());
    };
    if !attempt_outcome(outcome, None).costs_attempt() {
        return Ok(());
    }
    let taken = world.store.call_within(patience, |store| store.attempts_beside(&claimed.token)).await?;
    let Some(open) = taken.into_iter().rfind(Taken::is_open) else {
        return Ok(());
    };
    let token = claimed.token.for_attempt(open.attempt.id);
    let note = world.report.secrets().redact(note);
    world.store.call_within(patience, |store| store.leave_last_words(&token, &note)).await
}

/// A session that is gone, or whose claim is, has nothing left to record.
fn or_refused(recorded: Result<(), StoreError>) -> Result<(), StoreError> {
    match recorded {
        Err(error) if error.class() == ErrorClass::Refused => {
            tracing::debug!("not recorded: {error}");
            Ok(())
        }
        other => other,
    }
}
