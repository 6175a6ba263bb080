//! The known wordings, and what must never be taken for one of them.

use super::*;

/// A Friday, 12:00 UTC.
const NOW: &str = "2026-11-20T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn said(text: &str) -> Option<Trouble> {
    trouble(text, now(), &TimeZone::UTC)
}

/// Messages of real programs of the last two years, with the moment that they tell at [`NOW`].
const LIMITS: &[(&str, Option<&str>)] = &[
    // A moment of long ago says nothing about now.
    ("Claude AI usage limit reached|1762952400", None),
    ("Claude AI usage limit reached|1795179600", Some("2026-11-20T13:00:00Z")),
    (
        "Claude usage limit reached. Your limit will reset at 3pm (America/Bogota).",
        Some("2026-11-20T20:00:00Z"),
    ),
    (
        "Weekly limit reached · resets 10am (Asia/Seoul) · /upgrade to Max or turn on /extra-usage",
        Some("2026-11-21T01:00:00Z"),
    ),
    ("5-hour limit reached ∙ resets 3pm", Some("2026-11-20T15:00:00Z")),
    ("Opus weekly limit reached ∙ resets Nov 23, 9am", Some("2026-11-23T09:00:00Z")),
    ("You've hit your limit · resets 8pm (Australia/Sydney)", Some("2026-11-21T09:00:00Z")),
    ("You've hit your limit · resets Nov 23 at 4pm (America/Recife)", Some("2026-11-23T19:00:00Z")),
    ("You've hit your limit · resets Apr 23 at 4pm (America/Recife)", None),
    ("You've hit your session limit · resets 12:39pm (UTC)", Some("2026-11-20T12:39:00Z")),
    ("You've hit your weekly limit · resets Nov 23, 11:39am (UTC)", Some("2026-11-23T11:39:00Z")),
    ("You've hit your 5-hour limit · resets 1:13pm (UTC)", Some("2026-11-20T13:13:00Z")),
    ("You've hit your Opus limit · resets Nov 23, 12:45pm (UTC)", Some("2026-11-23T12:45:00Z")),
    ("You've hit your Fable 5 limit · resets tomorrow at 6am (UTC)", Some("2026-11-21T06:00:00Z")),
    (
        "You've hit your org's monthly spend limit · run /usage-credits to ask your admin for a higher limit",
        None,
    ),
    ("You've reached your weekly limit · resets 11:59am (UTC)", Some("2026-11-20T11:59:00Z")),
    ("You're out of usage credits · resets Nov 21, 3pm (UTC)", Some("2026-11-21T15:00:00Z")),
    ("Your org is out of usage · resets Nov 21, 3pm (UTC)", Some("2026-11-21T15:00:00Z")),
    (
        "You’ve hit your usage limit. Visit https://chatgpt.com/settings/usage to purchase more credits or try again at 1:54 PM.",
        Some("2026-11-20T13:54:00Z"),
    ),
    (
        "You’ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro), visit \
         https://chatgpt.com/settings/usage to purchase more credits or try again at Nov 23rd, 2026 11:14 PM.",
        Some("2026-11-23T23:14:00Z"),
    ),
    (
        "You’ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro), visit \
         https://chatgpt.com/settings/usage to purchase more credits or try again later.",
        None,
    ),
    ("Quota exceeded. Check your plan and billing details.", None),
    ("[API Error: You have exhausted your daily quota on this model.]", None),
    (
        "You have exhausted your capacity on this model. Your quota will reset after 2h30m20s.",
        Some("2026-11-20T14:30:20Z"),
    ),
    ("Internal error: You've hit your session limit · resets 12:39pm (UTC)", Some("2026-11-20T12:39:00Z")),
];

#[test]
fn every_known_limit_is_one_with_its_time() {
    for (text, at) in LIMITS {
        let resets_at = at.map(|at| at.parse().unwrap());
        assert_eq!(said(text), Some(Trouble::UsageLimit { resets_at }), "{text}");
    }
}

#[test]
fn every_text_of_the_collection_is_what_it_is() {
    let path = format!("{}/samples/limit_texts.json", env!("CARGO_MANIFEST_DIR"));
    let texts: Vec<serde_json::Value> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(texts.len(), 30);
    for entry in texts {
        let text = entry["text"].as_str().unwrap();
        let found = said(text);
        let class = match &found {
            Some(Trouble::UsageLimit { .. }) => "limit",
            Some(Trouble::Throttled) => "throttle",
            Some(Trouble::ContextFull) => "context",
            Some(Trouble::Auth) => "auth",
            Some(Trouble::Billing) => "billing",
            None => "none",
        };
        assert_eq!(class, entry["class"], "{text}");
        // Each time that is told is understood, but for those that lie too far from the day of this test.
        let is_told = !entry["at"].is_null() && !text.contains("Apr 23");
        let at = match found {
            Some(Trouble::UsageLimit { resets_at }) => resets_at,
            Some(_) | None => None,
        };
        assert_eq!(at.is_some(), is_told, "{text}: {at:?}");
    }
}

#[test]
fn what_is_no_usage_limit_is_what_it_is() {
    for (text, expected) in [
        (
            "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited",
            Trouble::Throttled,
        ),
        ("API Error: Request rejected (429) · slow down", Trouble::Throttled),
        ("exceeded retry limit, last status: 429 Too Many Requests", Trouble::Throttled),
        (
            "API Error: 529 Overloaded. This is a server-side issue, usually temporary — try again in a moment.",
            Trouble::Throttled,
        ),
        (
            "API Error: Repeated 529 Overloaded errors. The API is at capacity — this is usually temporary.",
            Trouble::Throttled,
        ),
        ("Selected model is at capacity. Please try a different model.", Trouble::Throttled),
        ("We’re currently experiencing high demand, which may cause temporary errors.", Trouble::Throttled),
        ("Prompt is too long · the request is ~215000 tokens (limit 200000)", Trouble::ContextFull),
        (
            "Codex ran out of room in the model's context window. Start a new thread or clear earlier history before \
             retrying.",
            Trouble::ContextFull,
        ),
        ("Invalid API key · Fix external API key", Trouble::Auth),
        ("Not logged in · Please run /login", Trouble::Auth),
        ("Failed to authenticate. API Error: 401 no such key", Trouble::Auth),
        ("Credit balance is too low", Trouble::Billing),
    ] {
        assert_eq!(said(text), Some(expected), "{text}");
    }
}

#[test]
fn prose_is_nothing() {
    for text in [
        "",
        "Feature 7 is passing.",
        "All features are passing; the rate limiter returns 429 when the quota of a user is used up.",
        "I have implemented the usage limit: once a user has hit the limit, the API says when it resets.",
        "The 5-hour window was easy, the weekly one needs a test. When the limit is reached, it resets at 3pm.",
        "Added `limit reached` to the messages of the shop's basket.",
        "The session storage limit reached 5 MB in Firefox.",
    ] {
        assert_eq!(said(text), None, "{text}");
    }
    assert_eq!(said(&"You've hit your limit · resets 3pm. ".repeat(100)), None, "no message is that long");
}

#[track_caller]
fn check(text: &str, now: &str, zone: &str, expected: Option<&str>) {
    let zone = TimeZone::get(zone).unwrap();
    let found = reset_time(&plain(text), now.parse().unwrap(), &zone);
    assert_eq!(found, expected.map(|at| at.parse().unwrap()), "{text}");
}

#[test]
fn a_time_of_day_is_its_next_occurrence() {
    check("resets 3pm", NOW, "Europe/Berlin", Some("2026-11-20T14:00:00Z"));
    check("resets 12am", NOW, "UTC", Some("2026-11-21T00:00:00Z"));
    check("resets 12pm", NOW, "UTC", Some(NOW));
    check("resets 11:50am", NOW, "UTC", Some("2026-11-20T11:50:00Z"));
    check("resets 11:40am", NOW, "UTC", Some("2026-11-21T11:40:00Z"));
    check("resets 15:30", NOW, "UTC", Some("2026-11-20T15:30:00Z"));
    check("resets midnight", NOW, "UTC", Some("2026-11-21T00:00:00Z"));
    check("resets at 3 p.m.", NOW, "UTC", Some("2026-11-20T15:00:00Z"));
}

#[test]
fn zones_are_read_in_every_form() {
    for (zone, expected) in [
        ("(Europe/Berlin)", "2026-11-20T20:00:00Z"),
        ("(PST)", "2026-11-21T05:00:00Z"),
        ("PST", "2026-11-21T05:00:00Z"),
        ("(UTC+2)", "2026-11-20T19:00:00Z"),
        ("(GMT-05:30)", "2026-11-21T02:30:00Z"),
        ("(+0530)", "2026-11-20T15:30:00Z"),
        ("cet", "2026-11-20T20:00:00Z"),
    ] {
        check(&format!("resets 9pm {zone}"), NOW, "Asia/Tokyo", Some(expected));
    }
    check("resets 9pm (Atlantis/Capital)", NOW, "UTC", None);
}

#[test]
fn dates_find_their_year_and_changes_of_the_clock_their_moment() {
    check("resets Jan 2, 3pm", "2026-12-31T10:00:00Z", "UTC", Some("2027-01-02T15:00:00Z"));
    check("resets Friday, Nov 27 at 3pm", NOW, "UTC", Some("2026-11-27T15:00:00Z"));
    check("resets Nov 30, 3pm", NOW, "UTC", None);
    check("resets November 21st", NOW, "UTC", Some("2026-11-21T00:00:00Z"));
    // The clocks of Berlin go from 2:00 to 3:00 on this day, and from 3:00 back to 2:00 on the other.
    check("resets 2:30am", "2026-03-29T00:30:00Z", "Europe/Berlin", Some("2026-03-29T01:30:00Z"));
    check("resets 2:30am", "2026-10-24T23:00:00Z", "Europe/Berlin", Some("2026-10-25T00:30:00Z"));
}

#[test]
fn spans_and_exact_moments_are_read() {
    check("try again in 2 hours 5 minutes", NOW, "UTC", Some("2026-11-20T14:05:00Z"));
    check("resets in 45m", NOW, "UTC", Some("2026-11-20T12:45:00Z"));
    check("reset in 1h30m.", NOW, "UTC", Some("2026-11-20T13:30:00Z"));
    check("try again in 2.5s", NOW, "UTC", Some("2026-11-20T12:00:02.5Z"));
    check("try again in a moment", NOW, "UTC", None);
    check("resets 2026-11-20T18:00:00Z", NOW, "UTC", Some("2026-11-20T18:00:00Z"));
}

#[test]
fn nonsense_is_no_time_and_no_panic() {
    for text in [
        "resets ",
        "resets 13pm",
        "resets 25:00",
        "resets 7",
        "resets Nov",
        "resets Nov 31",
        "resets (",
        "resets )(",
        "resets 3pm (",
        "reset in ",
        "reset in 5 parsecs",
        "reset in 99999999999999999999d",
        "limit reached|",
        "limit reached|12",
        "limit reached|9999999999999",
        "resets İ 3pm",
        "resets 0am",
        "resets 1:2:3:4pm (+99)",
    ] {
        check(text, NOW, "UTC", None);
    }
}
