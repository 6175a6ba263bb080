//! What a life of OpenCode has shown, and what that makes of its end.
//!
//! Pure. Its last `error` decides, unless it worked on after it. There is no line that says the end: the process
//! ends.

use cogwork_schemas::SessionOutcome;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::read::message;
use crate::agent::refusal::{last_words, reason, refusal};
use crate::machine::{Ending, Exit};

/// It asks again for a minute or for ever, depending on its version; after so many refusals in a row we wait instead.
const REFUSALS: u32 = 7;

/// Everything that counts, of all lines so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    is_up: bool,
    /// The last error since it did something.
    error: Option<Failure>,
    /// How often in a row its service refused.
    refusals: u32,
    /// How often the conversation was too long, since it last used a tool.
    overflows: u32,
}

#[derive(Debug, Clone)]
struct Failure {
    name: String,
    status: Option<u64>,
    text: String,
}

impl Evidence {
    /// There is a conversation.
    pub(super) fn is_up(&self) -> bool {
        self.is_up
    }

    /// Takes note of one line. Returns how the session ends if it cannot come to anything any more.
    pub(super) fn take(&mut self, line: &Value) -> Option<SessionOutcome> {
        self.is_up |= line["sessionID"].is_string();
        match line["type"].as_str() {
            Some("text" | "step_finish") => (self.error, self.refusals) = (None, 0),
            Some("tool_use") => (self.error, self.refusals, self.overflows) = (None, 0, 0),
            Some("error") => {
                let error = &line["error"];
                let name = error["name"].as_str().unwrap_or_default().to_owned();
                if name == "ContextOverflowError" {
                    self.overflows += 1;
                }
                let status = error["data"]["statusCode"].as_u64();
                self.error = Some(Failure { name, status, text: message(line).to_owned() });
                // It makes the conversation shorter and tries again, without an end.
                return (self.overflows > 1).then_some(SessionOutcome::ContextFull);
            }
            Some(_) | None => {}
        }
        None
    }

    /// Takes note of a refusal that the log tells of, in the same way.
    pub(super) fn refused(&mut self, text: &str) -> Option<SessionOutcome> {
        self.refusals += 1;
        (self.refusals >= REFUSALS).then(|| {
            // Nothing else is known here than what the service said.
            let said = refusal(None, text, Timestamp::UNIX_EPOCH, &TimeZone::UTC);
            match said {
                Some(SessionOutcome::UsageLimit { window, .. }) => {
                    SessionOutcome::UsageLimit { resets_at: None, window }
                }
                Some(outcome) => outcome,
                None => SessionOutcome::Transient { reason: reason(text) },
            }
        })
    }

    /// Returns what the end of the process means.
    pub(super) fn outcome(&self, exit: &Exit, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        match (&self.error, exit.ending) {
            (Some(failure), Ending::Code(_)) => by_error(failure, now, local)
                .unwrap_or_else(|| SessionOutcome::ReportedError { reason: reason(&failure.text) }),
            (None, Ending::Code(_)) if !self.is_up => {
                SessionOutcome::Config { reason: last_words(&exit.stderr_tail) }
            }
            (_, _) => exit.outcome(),
        }
    }
}

fn by_error(failure: &Failure, now: Timestamp, local: &TimeZone) -> Option<SessionOutcome> {
    let Failure { name, status, text } = failure;
    match name.as_str() {
        "ContextOverflowError" => Some(SessionOutcome::ContextFull),
        "ProviderAuthError" => Some(SessionOutcome::Auth { reason: reason(text) }),
        "ProviderModelNotFoundError" | "ConfigInvalidError" => {
            Some(SessionOutcome::Config { reason: reason(text) })
        }
        _ => refusal(*status, text, now, local),
    }
}
