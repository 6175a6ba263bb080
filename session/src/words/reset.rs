//! When a limit ends, as people are told it: "3pm (Asia/Seoul)", "Nov 23rd, 2026 11:14 PM", "in 2 hours".

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

/// No limit lasts longer; what lies further ahead was not understood.
const FURTHEST: SignedDuration = SignedDuration::from_hours(8 * 24);

/// A time of day that has just gone by means that the limit is over, not that it lasts another day.
const JUST_GONE: SignedDuration = SignedDuration::from_mins(15);

/// What stands before the time, in lower case; the last one in a text counts.
const ANNOUNCEMENTS: &[&str] = &[
    "resets ",
    "reset at ",
    "reset on ",
    "reset in ",
    "reset after ",
    "try again at ",
    "try again in ",
    "available again at ",
];

/// Abbreviations that mean one offset where these programs are used, in hours and minutes east of Greenwich.
const ABBREVIATIONS: &[(&str, i8, i8)] = &[
    ("UTC", 0, 0),
    ("GMT", 0, 0),
    ("Z", 0, 0),
    ("WET", 0, 0),
    ("WEST", 1, 0),
    ("BST", 1, 0),
    ("CET", 1, 0),
    ("CEST", 2, 0),
    ("EET", 2, 0),
    ("EEST", 3, 0),
    ("MSK", 3, 0),
    ("IST", 5, 30),
    ("SGT", 8, 0),
    ("HKT", 8, 0),
    ("AWST", 8, 0),
    ("JST", 9, 0),
    ("KST", 9, 0),
    ("ACST", 9, 30),
    ("ACDT", 10, 30),
    ("AEST", 10, 0),
    ("AEDT", 11, 0),
    ("NZST", 12, 0),
    ("NZDT", 13, 0),
    ("BRT", -3, 0),
    ("EST", -5, 0),
    ("EDT", -4, 0),
    ("CST", -6, 0),
    ("CDT", -5, 0),
    ("MST", -7, 0),
    ("MDT", -6, 0),
    ("PST", -8, 0),
    ("PDT", -7, 0),
    ("AKST", -9, 0),
    ("AKDT", -8, 0),
    ("HST", -10, 0),
];

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Returns when the limit that a text tells of ends: the next moment that fits its words, at most eight days ahead.
/// `None` when it does not say, or in words that are not known. A moment that has just gone by is returned as it is.
pub(crate) fn reset_time(text: &str, now: Timestamp, local: &TimeZone) -> Option<Timestamp> {
    let found = match text.split_once('|') {
        Some((_, seconds)) if text.to_lowercase().contains("limit reached|") => unix(seconds)?,
        Some(_) | None => told(text, now, local)?,
    };
    let ahead = found.duration_since(now);
    (ahead <= FURTHEST && ahead >= -FURTHEST).then_some(found)
}

fn told(text: &str, now: Timestamp, local: &TimeZone) -> Option<Timestamp> {
    let lower = text.to_lowercase();
    // Lower case may have other lengths in bytes; then nothing is known of where the time stands.
    if lower.len() != text.len() {
        return None;
    }
    let (start, announcement) = ANNOUNCEMENTS
        .iter()
        .filter_map(|words| Some((lower.rfind(words)?, *words)))
        .max_by_key(|(at, _)| *at)?;
    let time =
        text.get(start + announcement.len()..)?.split('\u{b7}').next()?.trim().trim_end_matches(['.', ']']);
    if announcement.ends_with("in ")
        || announcement.ends_with("after ")
        || time.to_lowercase().starts_with("in ")
    {
        let span = time.strip_prefix("in ").unwrap_or(time);
        return now.checked_add(relative(span)?).ok();
    }
    if let Ok(exact) = time.parse::<Timestamp>() {
        return Some(exact);
    }
    let (words, zone) = split_zone(time, local)?;
    occurrence(&words, now, &zone)
}

/// Reads unix seconds, or milliseconds as some versions had.
fn unix(text: &str) -> Option<Timestamp> {
    let digits: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
    match digits.len() {
        10 => Timestamp::from_second(digits.parse().ok()?).ok(),
        13 => Timestamp::from_millisecond(digits.parse().ok()?).ok(),
        _ => None,
    }
}

/// Reads "2 hours 5 minutes", "45m", "1h30m", "2.5s".
fn relative(text: &str) -> Option<SignedDuration> {
    let mut total = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        rest = rest.get(number.len()..)?.trim_start();
        let unit: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
        rest = rest.get(unit.len()..)?.trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
        let seconds = match unit.to_lowercase().as_str() {
            "d" | "day" | "days" => 86_400.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
    }
    (total > 0.0).then(|| SignedDuration::try_from_secs_f64(total).ok())?
}

/// Splits the zone from the end of a time: "(Asia/Seoul)", "UTC+2", "PST"; `local` when there is none.
fn split_zone(time: &str, local: &TimeZone) -> Option<(Vec<String>, TimeZone)> {
    let (time, zone) = match time.split_once('(') {
        Some((time, zone)) => (time, Some(zone.trim_end_matches(')').trim())),
        None => (time, None),
    };
    let mut words: Vec<String> =
        time.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let zone = match zone {
        Some(name) => named_zone(name)?,
        None => match words.last().and_then(|word| named_zone(word)) {
            Some(zone) => {
                words.pop();
                zone
            }
            None => local.clone(),
        },
    };
    Some((words, zone))
}

fn named_zone(name: &str) -> Option<TimeZone> {
    if let Some((_, hours, minutes)) =
        ABBREVIATIONS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))
    {
        return fixed(*hours, *minutes);
    }
    let offset = ["UTC", "GMT"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    if let Some(east) = offset.strip_prefix('+') {
        return signed(east, 1);
    }
    if let Some(west) = offset.strip_prefix(['-', '\u{2212}']) {
        return signed(west, -1);
    }
    // Only what looks like a name of the database is looked up in it.
    name.contains('/').then(|| TimeZone::get(name).ok())?
}

fn signed(offset: &str, sign: i8) -> Option<TimeZone> {
    let (hours, minutes) = match offset.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if offset.len() == 4 => offset.split_at_checked(2)?,
        None => (offset, "0"),
    };
    fixed(sign * hours.parse::<i8>().ok()?, sign * minutes.parse::<i8>().ok()?)
}

fn fixed(hours: i8, minutes: i8) -> Option<TimeZone> {
    let seconds = i32::from(hours) * 3_600 + i32::from(minutes) * 60;
    Some(TimeZone::fixed(Offset::from_seconds(seconds).ok()?))
}

/// What the words of a time fix.
#[derive(Default)]
struct Said {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    time: Option<Time>,
    tomorrow: bool,
}

/// Returns the moment that the words mean, seen from `now` in their zone.
fn occurrence(words: &[String], now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let said = read(words)?;
    let here = now.to_zoned(zone.clone());
    let time = said.time.or_else(|| said.day.map(|_| Time::midnight()))?;
    let at = |date: Date| moment(date, time, zone);
    match (said.month, said.day) {
        (Some(month), Some(day)) => {
            let year = said.year.unwrap_or(here.year());
            let this = at(Date::new(year, month, day).ok()?)?;
            // Said in December of a day in January.
            let far_gone = now.duration_since(this) > FURTHEST;
            if said.year.is_none() && far_gone {
                return at(Date::new(year.checked_add(1)?, month, day).ok()?);
            }
            Some(this)
        }
        (None, None) => {
            let today = here.date();
            let tomorrow = today.checked_add(1.day()).ok()?;
            if said.tomorrow {
                return at(tomorrow);
            }
            let this = at(today)?;
            if this > now || now.duration_since(this) <= JUST_GONE { Some(this) } else { at(tomorrow) }
        }
        (Some(_), None) | (None, Some(_)) => None,
    }
}

/// A time that a change of the clock leaves out is taken for the one after the gap.
fn moment(date: Date, time: Time, zone: &TimeZone) -> Option<Timestamp> {
    let zoned: Zoned = DateTime::from_parts(date, time).to_zoned(zone.clone()).ok()?;
    Some(zoned.timestamp())
}

fn read(words: &[String]) -> Option<Said> {
    let mut said = Said::default();
    let mut words = words.iter().map(|word| word.to_lowercase()).peekable();
    while let Some(word) = words.next() {
        if let Some(month) = month(&word) {
            said.month = Some(month);
            continue;
        }
        match word.as_str() {
            "at" | "on" | "today" => {}
            "tomorrow" => said.tomorrow = true,
            "noon" => said.time = Some(Time::constant(12, 0, 0, 0)),
            "midnight" => said.time = Some(Time::midnight()),
            _ if is_weekday(&word) => {}
            _ if said.month.is_some() && said.day.is_none() => {
                said.day = Some(word.trim_end_matches(char::is_alphabetic).parse().ok()?);
            }
            _ if said.day.is_some() && word.len() == 4 && word.parse::<i16>().is_ok() => {
                said.year = word.parse().ok();
            }
            _ => {
                let next = words.peek().filter(|next| half(next).is_some()).cloned();
                if next.is_some() {
                    words.next();
                }
                said.time = Some(clock(&word, next.as_deref())?);
            }
        }
    }
    Some(said)
}

fn month(word: &str) -> Option<i8> {
    let word = word.trim_end_matches('.');
    let index = MONTHS.iter().position(|month| word.len() >= 3 && word.starts_with(month))?;
    i8::try_from(index + 1).ok()
}

fn is_weekday(word: &str) -> bool {
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().any(|day| word.starts_with(day))
}

/// Returns the hours that "am" or "pm" adds.
fn half(word: &str) -> Option<i8> {
    match word.replace('.', "").as_str() {
        "am" => Some(0),
        "pm" => Some(12),
        _ => None,
    }
}

/// Reads "3pm", "12:39am", "1:54" with "pm" behind it, "15:00".
fn clock(word: &str, behind: Option<&str>) -> Option<Time> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '.');
    let suffix = word.get(digits.len()..)?;
    let half = match (suffix, behind) {
        ("", None) => None,
        ("", Some(behind)) => Some(half(behind)?),
        (suffix, _) => Some(half(suffix)?),
    };
    let mut parts = digits.split(':');
    let hour: i8 = parts.next()?.parse().ok()?;
    let minute: i8 = parts.next().map_or(Ok(0), str::parse).ok()?;
    let second: i8 = parts.next().map_or(Ok(0), str::parse).ok()?;
    let hour = match half {
        // A bare number is no time of day.
        None if !word.contains(':') => return None,
        None => hour,
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(half) => hour % 12 + half,
    };
    Time::new(hour, minute, second, 0).ok()
}
