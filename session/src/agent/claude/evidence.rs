//! What a life of Claude Code has shown, and what that makes of its end.
//!
//! Pure. Structured fields come first, in an order that was measured against versions 2.1.197 and 2.1.329; words
//! last, and only words that a structured field has marked as an error. The program's own word for success is worth
//! nothing: `subtype` is `success` for a refused key, and exit codes are 0 for an aborted session.

use cogwork_schemas::SessionOutcome;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::agent::refusal::{MAX_REASON, last_words};
use crate::machine::{Ending, Exit};
use crate::text::shortened;
use crate::words::{Trouble, trouble};

/// Everything that counts, of all lines so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// The service's last refusal that names a reset: the account's allowance is used up.
    rejected: Option<Rejected>,
    /// The last `result`; a session may print several.
    result: Option<LastResult>,
    /// The last error that stands in place of an answer of the model.
    failure: Option<Failure>,
    /// The session told what it is: it understood its command line.
    is_up: bool,
}

#[derive(Debug, Clone)]
struct Rejected {
    resets_at: Option<Timestamp>,
    window: Option<String>,
}

#[derive(Debug, Clone)]
struct Failure {
    word: String,
    text: String,
}

#[derive(Debug, Clone)]
struct LastResult {
    is_error: bool,
    subtype: String,
    status: Option<u64>,
    terminal_reason: String,
    stop_reason: String,
    text: String,
}

impl Evidence {
    /// Takes note of one line.
    pub(super) fn take(&mut self, line: &Value) {
        match line["type"].as_str() {
            Some("system") if line["subtype"] == "init" => self.is_up = true,
            Some("rate_limit_event") => self.allowance(&line["rate_limit_info"]),
            Some("assistant") => self.assistant(line),
            Some("result") => self.result = Some(LastResult::of(line)),
            Some(_) | None => {}
        }
    }

    fn allowance(&mut self, info: &Value) {
        match info["status"].as_str() {
            // Without a reset time or a window it is the service that is busy, not the account that is used up.
            Some("rejected") if info["resetsAt"].is_number() || info["rateLimitType"].is_string() => {
                self.rejected = Some(Rejected { resets_at: reset(info), window: window(info) });
            }
            Some("allowed" | "allowed_warning") => self.rejected = None,
            Some(_) | None => {}
        }
    }

    fn assistant(&mut self, line: &Value) {
        let Some(word) = line["error"].as_str() else {
            if line["message"]["model"] != "<synthetic>" {
                // The model answered: what failed before is over.
                self.failure = None;
            }
            return;
        };
        let word = match line["api_error"].as_str() {
            Some(precise @ "usage_limit_reached") => precise,
            Some(_) | None => word,
        };
        let text = line["message"]["content"][0]["text"].as_str().unwrap_or_default();
        self.failure = Some(Failure { word: word.to_owned(), text: text.to_owned() });
    }

    /// Returns what the end of the process means.
    pub(super) fn outcome(&self, exit: &Exit, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        match &self.result {
            Some(result) if !result.is_error => SessionOutcome::Completed,
            Some(result) => self.failed(result, now, local),
            None => self.without_result(exit, now, local),
        }
    }

    fn failed(&self, result: &LastResult, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        if let Some(Rejected { resets_at, window }) = &self.rejected {
            return SessionOutcome::UsageLimit { resets_at: *resets_at, window: window.clone() };
        }
        match result.subtype.as_str() {
            "error_max_turns" => return SessionOutcome::TurnLimit,
            "error_max_budget_usd" => return SessionOutcome::BudgetSpent,
            _ => {}
        }
        if result.terminal_reason == "prompt_too_long" {
            return SessionOutcome::ContextFull;
        }
        if result.stop_reason == "refusal" {
            return SessionOutcome::ReportedError { reason: shortened(result.text.clone(), MAX_REASON) };
        }
        let (word, text) = match &self.failure {
            Some(failure) => (failure.word.as_str(), failure.text.as_str()),
            None => ("", result.text.as_str()),
        };
        let text = if result.text.is_empty() { text } else { &result.text };
        let said = trouble(text, now, local);
        let reason = shortened(text.to_owned(), MAX_REASON);
        if word == "usage_limit_reached" {
            let resets_at = match said {
                Some(Trouble::UsageLimit { resets_at }) => resets_at,
                Some(_) | None => None,
            };
            return SessionOutcome::UsageLimit { resets_at, window: None };
        }
        // The words know a used-up account from a busy service, which have the same number.
        match (said, word, result.status) {
            (Some(Trouble::UsageLimit { resets_at }), _, _) => {
                SessionOutcome::UsageLimit { resets_at, window: None }
            }
            (Some(Trouble::ContextFull), _, _) => SessionOutcome::ContextFull,
            (_, "billing_error", _) | (Some(Trouble::Billing), _, _) => SessionOutcome::Billing { reason },
            (_, "authentication_failed" | "oauth_org_not_allowed" | "account_on_hold", _)
            | (_, "verification_required" | "cloud_credential_error", _)
            | (_, _, Some(401 | 403))
            | (Some(Trouble::Auth), _, _) => SessionOutcome::Auth { reason },
            (_, "rate_limit", _) | (_, _, Some(429)) => SessionOutcome::Throttled { reason },
            (_, "model_not_found" | "invalid_request", _) => SessionOutcome::Config { reason },
            (_, "overloaded" | "server_error" | "unknown", _) | (_, _, Some(500..=599)) => {
                SessionOutcome::Transient { reason }
            }
            // An end that was asked for by a signal, a refusal of the model, or something new: nothing to wait for.
            _ => SessionOutcome::ReportedError { reason },
        }
    }

    fn without_result(&self, exit: &Exit, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        let Exit { ending, stderr_tail } = exit;
        match *ending {
            Ending::Signal(signal) => SessionOutcome::Killed { signal, stderr_tail: stderr_tail.clone() },
            // What it says before it is up is about its command line.
            Ending::Code(_) if !self.is_up => match trouble(stderr_tail, now, local) {
                Some(Trouble::Auth) => SessionOutcome::Auth { reason: stderr_tail.clone() },
                Some(_) | None => SessionOutcome::Config { reason: last_words(stderr_tail) },
            },
            // 128 + n: it ended itself after a signal.
            Ending::Code(code @ 129..) => {
                SessionOutcome::Killed { signal: code - 128, stderr_tail: stderr_tail.clone() }
            }
            Ending::Code(exit_code) => SessionOutcome::Failed { exit_code, stderr_tail: stderr_tail.clone() },
        }
    }
}

impl LastResult {
    fn of(line: &Value) -> Self {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let errors = line["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let result = text("result");
        Self {
            // What does not say that it is none is an error.
            is_error: line["is_error"].as_bool().unwrap_or(true) || line["subtype"] != "success",
            subtype: text("subtype"),
            status: line["api_error_status"].as_u64(),
            terminal_reason: text("terminal_reason"),
            stop_reason: text("stop_reason"),
            text: if result.is_empty() { errors.collect::<Vec<_>>().join("; ") } else { result },
        }
    }
}

/// Returns when an allowance is new, from `rate_limit_info`.
pub(super) fn reset(info: &Value) -> Option<Timestamp> {
    Timestamp::from_second(info["resetsAt"].as_i64()?).ok()
}

/// Returns which allowance it is: `five_hour`, `seven_day`, `seven_day_opus` and so on.
pub(super) fn window(info: &Value) -> Option<String> {
    info["rateLimitType"].as_str().map(str::to_owned)
}
