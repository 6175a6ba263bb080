//! What a request that was refused means, whichever agent asked it: what all agents' errors have in common.
//!
//! Pure. A status of HTTP and a text that a structured field has shown to be an error come in; the words of the text
//! go first only where the number has two meanings.

use cogwork_schemas::SessionOutcome;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::text::shortened;
use crate::words::{Trouble, trouble};

/// Bytes of a reason that are kept.
pub(super) const MAX_REASON: usize = 500;

/// Returns what a refusal comes to; `None` when neither its number nor its words are known.
pub(super) fn refusal(
    status: Option<u64>,
    text: &str,
    now: Timestamp,
    local: &TimeZone,
) -> Option<SessionOutcome> {
    let reason = || reason(text);
    let said = trouble(text, now, local);
    Some(match (said, status) {
        // The words know a used-up account from a busy service, which have the same number.
        (Some(Trouble::UsageLimit { resets_at }), None | Some(402 | 403 | 429)) => {
            SessionOutcome::UsageLimit { resets_at, window: None }
        }
        (Some(Trouble::ContextFull), None | Some(400 | 413 | 422)) => SessionOutcome::ContextFull,
        (Some(Trouble::Billing), None | Some(400..=499)) | (_, Some(402)) => {
            SessionOutcome::Billing { reason: reason() }
        }
        (Some(Trouble::Auth), None | Some(400..=499)) | (_, Some(401 | 403)) => {
            SessionOutcome::Auth { reason: reason() }
        }
        (Some(Trouble::Throttled), None) | (_, Some(429)) => SessionOutcome::Throttled { reason: reason() },
        (_, Some(408 | 409 | 425 | 500..=599)) => SessionOutcome::Transient { reason: reason() },
        (_, Some(400..=499)) => SessionOutcome::Config { reason: reason() },
        (_, Some(_)) | (None, None) => return None,
    })
}

/// Returns a text as the reason of an outcome.
pub(super) fn reason(text: &str) -> String {
    shortened(text.trim().to_owned(), MAX_REASON)
}

/// Returns the last line that a program printed to stderr, for one that ended before it was up.
pub(super) fn last_words(stderr: &str) -> String {
    match stderr.trim().lines().last() {
        Some(line) => reason(line),
        None => "it ended before it was up, without a word".to_owned(),
    }
}

/// Returns what it comes to that our MCP server did not come up.
pub(super) fn no_server() -> SessionOutcome {
    SessionOutcome::Config { reason: "Cogwork's MCP server did not connect: run `cogwork doctor`".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_says_what_it_says_and_words_decide_where_it_has_two_meanings() {
        for (status, text, expected) in [
            (Some(401), "no such key", "Auth"),
            (Some(403), "forbidden", "Auth"),
            (Some(402), "pay first", "Billing"),
            (Some(429), "slow down", "Throttled"),
            (Some(429), "Quota exceeded. Check your plan and billing details.", "UsageLimit"),
            (Some(500), "oops", "Transient"),
            (Some(500), "You've hit your limit", "Transient"),
            (Some(529), "Overloaded", "Transient"),
            (Some(503), "at capacity", "Transient"),
            (Some(404), "no such model", "Config"),
            (Some(400), "prompt is too long: 215000 tokens > 200000 maximum", "ContextFull"),
            (Some(400), "Credit balance is too low", "Billing"),
            (Some(400), "bad", "Config"),
            (None, "You've hit your limit · resets 3pm", "UsageLimit"),
            (None, "exceeded retry limit, last status: 429 Too Many Requests", "Throttled"),
            (None, "Invalid API key", "Auth"),
            (None, "It rains.", ""),
            (Some(200), "It rains.", ""),
        ] {
            let found = refusal(status, text, "2026-11-20T12:00:00Z".parse().unwrap(), &TimeZone::UTC);
            let found = found.map(|outcome| format!("{outcome:?}")).unwrap_or_default();
            assert_eq!(found.split([' ', '{']).next(), Some(expected), "{status:?} {text}");
        }
    }
}
