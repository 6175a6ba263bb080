//! What a life of Codex has shown, and what that makes of its end.
//!
//! Pure. Only `turn.failed` is final: the `error` lines before it are retries, which may come to an end or go on for
//! as long as there is no network. What Codex writes down about an error says more than what it prints, and goes
//! first; the words it prints go last.

use cogwork_schemas::SessionOutcome;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::read::retry;
use super::rollout::Written;
use crate::agent::refusal::{last_words, no_server, reason, refusal};
use crate::machine::{Ending, Exit};
use crate::words::{Trouble, trouble};

/// It waits for a network for ever, a little longer each time; after about a minute and a half we wait instead.
const NETWORK_WAITS: u32 = 5;

/// Everything that counts, of all lines so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    is_up: bool,
    /// How the last turn ended, with the message of its failure.
    turn: Option<Result<(), String>>,
    /// How often in a row it has found no network.
    network_waits: u32,
    /// How often in a row its key was refused.
    refusals: u32,
}

impl Evidence {
    /// The session told what it is: it understood its command line, and our MCP server is up.
    pub(super) fn is_up(&self) -> bool {
        self.is_up
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.turn, Some(Err(_)))
    }

    /// Takes note of one line. Returns how the session ends if it cannot come to anything any more.
    pub(super) fn take(&mut self, line: &Value, is_deed: bool) -> Option<SessionOutcome> {
        if is_deed {
            (self.network_waits, self.refusals) = (0, 0);
        }
        match line["type"].as_str() {
            Some("thread.started") => self.is_up = true,
            Some("turn.completed") => self.turn = Some(Ok(())),
            Some("turn.failed") => {
                let text = line["error"]["message"].as_str().unwrap_or_default();
                self.turn = Some(Err(text.to_owned()));
            }
            Some("error") => return self.retries(retry(line)?),
            Some(_) | None => {}
        }
        None
    }

    fn retries(&mut self, cause: &str) -> Option<SessionOutcome> {
        if cause.starts_with("waiting for network") {
            self.network_waits += 1;
            return (self.network_waits >= NETWORK_WAITS)
                .then(|| SessionOutcome::Transient { reason: reason(cause) });
        }
        let refused = matches!(status(cause), Some(401 | 403));
        self.refusals = if refused { self.refusals + 1 } else { 0 };
        // The first may be a login that is just being renewed.
        (self.refusals > 1).then(|| SessionOutcome::Auth { reason: reason(cause) })
    }

    /// Returns what the end of the process means.
    pub(super) fn outcome(
        &self,
        written: &Written,
        exit: &Exit,
        now: Timestamp,
        local: &TimeZone,
    ) -> SessionOutcome {
        match (&self.turn, exit.ending) {
            (Some(Ok(())), _) => SessionOutcome::Completed,
            (Some(Err(text)), _) => failed(text, written, now, local),
            (None, Ending::Code(_)) if !self.is_up => before_it_was_up(&exit.stderr_tail),
            // Without the end of a turn nothing is complete, whatever it says.
            (None, Ending::Code(exit_code)) => {
                SessionOutcome::Failed { exit_code, stderr_tail: exit.stderr_tail.clone() }
            }
            (None, Ending::Signal(_)) => exit.outcome(),
        }
    }
}

fn failed(text: &str, written: &Written, now: Timestamp, local: &TimeZone) -> SessionOutcome {
    let told = || reason(text);
    match written.error.as_deref() {
        Some("usage_limit_exceeded") => {
            let said = match trouble(text, now, local) {
                Some(Trouble::UsageLimit { resets_at }) => resets_at,
                Some(_) | None => None,
            };
            let used_up = written.used_up.as_ref();
            SessionOutcome::UsageLimit {
                resets_at: used_up.and_then(|window| window.resets_at).or(said),
                window: used_up.map(|window| window.name.clone()),
            }
        }
        Some("context_window_exceeded") => SessionOutcome::ContextFull,
        Some("unauthorized") => SessionOutcome::Auth { reason: told() },
        Some("model_not_found" | "bad_request") => SessionOutcome::Config { reason: told() },
        Some("server_overloaded") => SessionOutcome::Throttled { reason: told() },
        Some("internal_server_error") => SessionOutcome::Transient { reason: told() },
        Some(_) | None => {
            let status = written.status.or_else(|| status(text));
            refusal(status, text, now, local).unwrap_or_else(|| by_its_own_words(text))
        }
    }
}

/// Messages that Codex makes itself, without an answer of its service.
fn by_its_own_words(text: &str) -> SessionOutcome {
    let reason = reason(text);
    if text.starts_with("Missing environment variable") {
        return SessionOutcome::Auth { reason };
    }
    if text.starts_with("stream disconnected") || text.contains("error sending request") {
        return SessionOutcome::Transient { reason };
    }
    SessionOutcome::ReportedError { reason }
}

fn before_it_was_up(stderr: &str) -> SessionOutcome {
    if stderr.contains("required MCP servers failed to initialize") {
        return no_server();
    }
    SessionOutcome::Config { reason: last_words(stderr) }
}

/// Returns the status of HTTP in messages such as "unexpected status 401 Unauthorized".
fn status(text: &str) -> Option<u64> {
    let rest = text.split("status").nth(1)?.trim_start_matches([':', ' ']);
    rest.get(..3)?.parse().ok()
}
