//! What a life of Gemini CLI has shown, and what that makes of its end.
//!
//! Pure. A `result` decides, by its kind and by the error of the service inside its message; the exit code, where
//! there is no result. Exit codes beyond 128 are cut numbers of HTTP and no signals: 429 becomes 173.

use cogwork_schemas::SessionOutcome;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::agent::refusal::{last_words, reason, refusal};
use crate::machine::{Ending, Exit};

/// Everything that counts, of all lines so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    is_up: bool,
    /// The model answered: there is a conversation that is kept.
    has_answered: bool,
    result: Option<LastResult>,
    /// The last thing that it called an error on the way.
    trouble: Option<String>,
}

#[derive(Debug, Clone)]
struct LastResult {
    is_error: bool,
    kind: String,
    message: String,
}

impl Evidence {
    /// The session told what it is: it understood its command line, and was let in.
    pub(super) fn is_up(&self) -> bool {
        self.is_up
    }

    pub(super) fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Takes note of one line.
    pub(super) fn take(&mut self, line: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match line["type"].as_str() {
            Some("init") => self.is_up = true,
            Some("error") if line["severity"] == "error" => self.trouble = Some(text(&line["message"])),
            Some("message") if line["role"] == "assistant" => self.has_answered = true,
            Some("tool_use") => (self.trouble, self.has_answered) = (None, true),
            Some("result") => {
                let error = &line["error"];
                self.result = Some(LastResult {
                    is_error: line["status"] != "success",
                    kind: text(&error["type"]),
                    message: text(&error["message"]),
                });
            }
            Some(_) | None => {}
        }
    }

    /// Returns what the end of the process means.
    pub(super) fn outcome(&self, exit: &Exit, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        match (&self.result, exit.ending) {
            (Some(result), _) if result.is_error => self.failed(result, exit, now, local),
            (Some(_), _) => match &self.trouble {
                Some(text) if text.starts_with("Maximum session turns") => SessionOutcome::TurnLimit,
                Some(_) | None => SessionOutcome::Completed,
            },
            (None, Ending::Code(41)) => SessionOutcome::Auth { reason: last_words(&exit.stderr_tail) },
            (None, Ending::Code(53)) => SessionOutcome::TurnLimit,
            (None, Ending::Code(_)) if !self.is_up => {
                SessionOutcome::Config { reason: last_words(&exit.stderr_tail) }
            }
            // A signal ends it with exit code 0 and without a result.
            (None, Ending::Code(0)) => {
                SessionOutcome::Failed { exit_code: 0, stderr_tail: exit.stderr_tail.clone() }
            }
            (None, _) => exit.outcome(),
        }
    }

    fn failed(&self, result: &LastResult, exit: &Exit, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        let told = || reason(&result.message);
        match result.kind.as_str() {
            "FatalTurnLimitedError" => return SessionOutcome::TurnLimit,
            "FatalAuthenticationError" => return SessionOutcome::Auth { reason: told() },
            "FatalConfigError" | "FatalInputError" | "FatalSandboxError" | "FatalUntrustedWorkspaceError" => {
                return SessionOutcome::Config { reason: told() };
            }
            _ => {}
        }
        let inner = inner(&result.message);
        let status = inner["error"]["code"].as_u64().or_else(|| cut_number(exit));
        let text = inner["error"]["message"].as_str().unwrap_or(&result.message);
        // The first line is the error, the others are advice.
        let text = text.lines().next().unwrap_or_default();
        refusal(status, text, now, local).unwrap_or_else(|| match exit.ending {
            // Its service was not reached, or did not answer in its own form.
            _ if text.contains("fetch failed") || text.contains("ECONN") => {
                SessionOutcome::Transient { reason: told() }
            }
            Ending::Code(_) => SessionOutcome::ReportedError { reason: told() },
            Ending::Signal(_) => exit.outcome(),
        })
    }
}

/// Returns the number of HTTP that an exit code is the rest of: only eight bits of it are left.
fn cut_number(exit: &Exit) -> Option<u64> {
    match exit.ending {
        Ending::Code(code) => u64::try_from(code + 256).ok().filter(|status| (400..512).contains(status)),
        Ending::Signal(_) => None,
    }
}

/// Returns the answer of the service inside "[API Error: …]".
fn inner(message: &str) -> Value {
    let start = message.find('{');
    let end = message.rfind('}');
    let json = start.zip(end).and_then(|(start, end)| message.get(start..=end));
    json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}
