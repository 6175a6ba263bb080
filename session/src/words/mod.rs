//! What agent programs say in words when a model refuses them, and when it will not any more.
//!
//! Pure. It is asked last and only about texts that a structured field has shown to be an error: an agent that
//! writes about rate limits must never stop a run. Wordings change with every version of those programs; the
//! known ones, past and present, stand in the tests.

mod reset;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) use reset::reset_time;

/// What an error says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The account has used up what it may use; until when, if that is said.
    UsageLimit { resets_at: Option<Timestamp> },
    /// The service is busy, or asks to be asked less often.
    Throttled,
    /// The conversation does not fit the model any more.
    ContextFull,
    /// The key or login is not accepted.
    Auth,
    /// Nobody pays.
    Billing,
}

/// Longer texts are no error messages of these programs, whatever they contain.
const LONGEST: usize = 2_000;

/// What stands before the message itself, in lower case.
const PREFIXES: &[&str] = &["[api error: ", "api error: ", "internal error: ", "error: ", "claude: "];

/// How a message begins that is about a used-up account.
const LIMIT_BEGINNINGS: &[&str] = &[
    "you've hit your ",
    "you have hit your ",
    "you've reached your ",
    "you have reached your ",
    "you've used up your ",
    "you're out of ",
    "you are out of ",
    "your org is out of ",
    "your organization is out of ",
];

/// What such a beginning has to speak of.
const LIMIT_WORDS: &[&str] = &["limit", "usage", "credits"];

/// What was reached, in messages such as "weekly limit reached".
const REACHED: &[&str] =
    &["5-hour", "five-hour", "weekly", "opus", "sonnet", "haiku", "session", "usage", "daily", "monthly"];

const QUOTA: &[&str] = &[
    "exhausted your capacity on this model",
    "exhausted your daily quota",
    "exhausted your quota",
    "quota exceeded",
    "insufficient_quota",
];

const THROTTLED: &[&str] = &[
    "not your usage limit",
    "temporarily limiting requests",
    "rejected (429)",
    "429 too many requests",
    "rate limit exceeded",
    "rate limit reached",
    "rate_limit_exceeded",
    "overloaded",
    "at capacity",
    "experiencing high demand",
    "resource exhausted",
    "resource_exhausted",
    "(429)",
];

const CONTEXT: &[&str] = &[
    "prompt is too long",
    "ran out of room in the model's context window",
    "context_length_exceeded",
    "exceeds the context window",
    "input token count exceeds",
];

const AUTH: &[&str] = &[
    "invalid api key",
    "not logged in",
    "please run /login",
    "failed to authenticate",
    "oauth token has expired",
    "unexpected status 401",
    "api key not valid",
];

const BILLING: &[&str] = &["credit balance is too low", "billing_error", "billing hard limit"];

/// Returns what a text that is known to be an error says; `None` when it says nothing that is known. `local` is the
/// zone of a time that names none.
pub(crate) fn trouble(text: &str, now: Timestamp, local: &TimeZone) -> Option<Trouble> {
    if text.len() > LONGEST {
        return None;
    }
    let plain = plain(text);
    let lower = plain.to_lowercase();
    let contains = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    // First, because it names the limit that it is not.
    if lower.contains("not your usage limit") {
        return Some(Trouble::Throttled);
    }
    if is_limit(&lower) {
        return Some(Trouble::UsageLimit { resets_at: reset_time(&plain, now, local) });
    }
    if contains(CONTEXT) {
        return Some(Trouble::ContextFull);
    }
    if contains(BILLING) {
        return Some(Trouble::Billing);
    }
    if contains(AUTH) {
        return Some(Trouble::Auth);
    }
    contains(THROTTLED).then_some(Trouble::Throttled)
}

fn is_limit(lower: &str) -> bool {
    let mut message = lower;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| message.strip_prefix(prefix)) {
        message = rest;
    }
    let message = message.strip_prefix("claude ai ").unwrap_or(message);
    let message = message.strip_prefix("claude ").unwrap_or(message);
    let begins = LIMIT_BEGINNINGS.iter().any(|beginning| message.starts_with(beginning));
    if begins && LIMIT_WORDS.iter().any(|word| message.contains(word)) {
        return true;
    }
    let reached = message.split_once("limit reached").is_some_and(|(before, _)| {
        REACHED.iter().any(|what| before.starts_with(what)) && before.split_whitespace().count() <= 3
    });
    reached || QUOTA.iter().any(|quota| message.contains(quota))
}

/// Returns the text with one form of apostrophe, dot and blank.
fn plain(text: &str) -> String {
    let same: String = text
        .chars()
        .map(|c| match c {
            '\u{2019}' | '\u{2018}' => '\'',
            '\u{2219}' | '\u{2022}' => '\u{b7}',
            c => c,
        })
        .collect();
    same.split_whitespace().collect::<Vec<_>>().join(" ")
}
