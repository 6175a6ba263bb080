//! A session's machine, played again from its record, and compared with what the session came to.

use std::io;
use std::path::Path;

use cogwork_schemas::{RunnerEvent, RunnerMessage, SessionId, SessionOutcome};

use super::LogsError;
use crate::ExitStatus;
use crate::journal::{self, Found, Reader};
use crate::machine::{ReplayError, Replayed, replay};
use crate::text::{printable, shortened};

/// How much of why it went otherwise is shown, in bytes: it may name what an agent has printed.
const MAX_REASON: usize = 1000;

/// Plays the record of a session's machine; returns what came of it, as one line.
///
/// # Errors
/// When there is no record, or it cannot be read.
pub(super) fn replayed(session: SessionId, dir: &Path) -> Result<(ExitStatus, String), LogsError> {
    let unreadable = |source| LogsError::Unreadable { dir: dir.to_owned(), source };
    let record = journal::machine_record(dir).map_err(unreadable)?.ok_or(LogsError::NoRecord { session })?;
    let was = outcome(dir).map_err(unreadable)?;
    let (status, sentence) = match replay(&record) {
        Ok(replayed) => compared(replayed, was),
        Err(error) => (ExitStatus::Broken, refused(session, &error)),
    };
    Ok((status, shortened(printable(&sentence), MAX_REASON)))
}

fn compared(replayed: Replayed, was: Option<SessionOutcome>) -> (ExitStatus, String) {
    let Replayed { steps, outcome } = replayed;
    match (outcome, was) {
        (Some(outcome), Some(was)) if outcome != was => (
            ExitStatus::Broken,
            format!("another outcome after {steps} steps: {outcome}; the session's was: {was}"),
        ),
        (Some(outcome), _) => (ExitStatus::Done, format!("the same outcome after {steps} steps: {outcome}")),
        (None, _) => (
            ExitStatus::Broken,
            format!(
                "no outcome: the record ends after {steps} steps, each as in the session; its runner was gone then, or still runs"
            ),
        ),
    }
}

fn refused(session: SessionId, error: &ReplayError) -> String {
    match error {
        ReplayError::OtherForm { .. } => {
            format!("the record of session {session} cannot be played by this version: {error}")
        }
        ReplayError::Differs { .. } | ReplayError::Impossible { .. } | ReplayError::AfterTheEnd { .. } => {
            format!("not the same: {error}")
        }
        ReplayError::Empty | ReplayError::Unreadable { .. } | ReplayError::Full { .. } => {
            format!("the record of session {session} cannot be played: {error}")
        }
    }
}

/// Returns the outcome that a journal tells of.
fn outcome(dir: &Path) -> io::Result<Option<SessionOutcome>> {
    let mut reader = Reader::new(dir);
    let mut outcome = None;
    loop {
        match reader.next()? {
            Found::Line(line) => {
                if let Ok(RunnerMessage { event: RunnerEvent::Ended { outcome: last, .. }, .. }) =
                    serde_json::from_str(&line)
                {
                    outcome = Some(last);
                }
            }
            Found::Gap(_) => {}
            Found::Nothing => return Ok(outcome),
        }
    }
}
