//! Any text as an agent's complaint about a limit: a time that it tells is one, and not far away.

#![no_main]

use cogwork_session::fuzzing;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;

/// With changes of the clock in both halves of the world, by odd amounts, and none.
const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"];

/// 1970 to 2100.
const SECONDS: u32 = 4_102_444_800;

fuzz_target!(|input: (u32, u8, &str)| {
    let (seconds, zone, text) = input;
    let Ok(now) = Timestamp::from_second(i64::from(seconds % SECONDS)) else { return };
    let zone = TimeZone::get(ZONES[usize::from(zone) % ZONES.len()]).unwrap_or(TimeZone::UTC);
    for text in [text.to_owned(), format!("You've hit your session limit · resets {text}")] {
        let Some(Some(until)) = fuzzing::limit(&text, now, &zone) else { continue };
        assert!(until.duration_since(now).abs() <= SignedDuration::from_hours(8 * 24), "{now} {text:?}: {until}");
    }
});
