//! What a conversation has shown, and what that makes of its end.
//!
//! Pure. The answer to the prompt decides, be it a reason to stop or an error. The protocol has no errors of the
//! model's service, so each agent has its own: all that are known are looked at. Words go last, and only words that
//! a field has marked as an error.

use cogwork_schemas::SessionOutcome;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::agent::refusal::{last_words, reason, refusal};
use crate::machine::{Ending, Exit};
use crate::words::{Trouble, trouble};

/// "Authentication required", in the numbers of the protocol.
const NEEDS_LOGIN: i64 = -32_000;

/// Everything that counts, of all messages so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// There is a session.
    pub(super) is_up: bool,
    /// The model answered: there is a conversation to go on with.
    pub(super) has_answered: bool,
    end: Option<End>,
    /// Codex has met an error that it tells in prose, as if all were well: the prose after it, once it is there.
    trouble: Option<String>,
}

#[derive(Debug, Clone)]
enum End {
    Stopped { reason: String },
    Refused { is_prompt: bool, error: Value },
}

impl Evidence {
    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Takes note of one update.
    pub(super) fn take(&mut self, update: &Value) {
        match update["sessionUpdate"].as_str() {
            Some("session_info_update") => match update["_meta"]["codex"]["threadStatus"]["type"].as_str() {
                Some("systemError") => self.trouble = Some(String::new()),
                Some(_) => self.trouble = None,
                None => {}
            },
            Some("agent_message_chunk") => {
                self.has_answered = true;
                if let (Some(trouble), Some(text)) = (&mut self.trouble, update["content"]["text"].as_str()) {
                    trouble.push_str(text);
                }
            }
            Some("tool_call" | "tool_call_update") => (self.trouble, self.has_answered) = (None, true),
            Some(_) | None => {}
        }
    }

    pub(super) fn ended(&mut self, result: &Value) {
        let reason = result["stopReason"].as_str().unwrap_or_default().to_owned();
        self.end = Some(End::Stopped { reason });
    }

    pub(super) fn refused(&mut self, is_prompt: bool, error: &Value) {
        self.end = Some(End::Refused { is_prompt, error: error.clone() });
    }

    /// Returns what the end of the process means.
    pub(super) fn outcome(&self, exit: &Exit, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        let failed = |text: &str| SessionOutcome::ReportedError { reason: reason(text) };
        match (&self.end, &self.trouble) {
            (Some(End::Stopped { reason }), None) => match reason.as_str() {
                "end_turn" => SessionOutcome::Completed,
                "max_turn_requests" => SessionOutcome::TurnLimit,
                reason => failed(&format!("it stopped: {reason}")),
            },
            (Some(End::Stopped { .. }), Some(text)) => {
                refusal(None, text, now, local).unwrap_or_else(|| failed(text))
            }
            (Some(End::Refused { is_prompt, error }), _) => refused(error, now, local).unwrap_or_else(|| {
                let text = text(error);
                if *is_prompt { failed(text) } else { SessionOutcome::Config { reason: reason(text) } }
            }),
            (None, _) => match exit.ending {
                Ending::Code(_) if !self.is_up => {
                    SessionOutcome::Config { reason: last_words(&exit.stderr_tail) }
                }
                // It ended in the middle of its turn.
                Ending::Code(exit_code) => {
                    SessionOutcome::Failed { exit_code, stderr_tail: exit.stderr_tail.clone() }
                }
                Ending::Signal(_) => exit.outcome(),
            },
        }
    }
}

fn refused(error: &Value, now: Timestamp, local: &TimeZone) -> Option<SessionOutcome> {
    let text = text(error);
    let told = || reason(text);
    let data = &error["data"];
    let code = error["code"].as_i64();
    if code == Some(NEEDS_LOGIN) {
        return Some(SessionOutcome::Auth { reason: told() });
    }
    let kind = [&data["errorKind"], &data["codexErrorInfo"]].into_iter().find_map(Value::as_str);
    let said = trouble(text, now, local);
    let limit = match said {
        Some(Trouble::UsageLimit { resets_at }) => Some(resets_at),
        Some(_) | None => None,
    };
    match kind {
        Some("usageLimitExceeded") => {
            return Some(SessionOutcome::UsageLimit { resets_at: limit.flatten(), window: None });
        }
        Some("contextWindowExceeded") => return Some(SessionOutcome::ContextFull),
        Some("authentication_failed" | "unauthorized") => {
            return Some(SessionOutcome::Auth { reason: told() });
        }
        Some("billing_error") => return Some(SessionOutcome::Billing { reason: told() }),
        Some("rate_limit" | "serverOverloaded") if limit.is_none() => {
            return Some(SessionOutcome::Throttled { reason: told() });
        }
        Some("server_error" | "overloaded" | "internalServerError") if said.is_none() => {
            return Some(SessionOutcome::Transient { reason: told() });
        }
        Some(_) | None => {}
    }
    // Some give the status of HTTP for the number, others in the details.
    let status = code.and_then(|code| u64::try_from(code).ok()).filter(|code| (400..600).contains(code));
    let details = || ["httpStatusCode", "statusCode", "status"].iter().find_map(|key| data[*key].as_u64());
    let nested =
        || data["codexErrorInfo"].as_object()?.values().find_map(|info| info["httpStatusCode"].as_u64());
    refusal(status.or_else(details).or_else(nested), text, now, local)
}

/// The message of an error; "Internal error" says less than what comes with it.
fn text(error: &Value) -> &str {
    let message = error["message"].as_str().unwrap_or_default();
    let detail = [&error["data"]["message"], &error["data"]["details"]].into_iter().find_map(Value::as_str);
    detail.filter(|_| message.is_empty() || message == "Internal error").unwrap_or(message)
}
