//! Times as people read them: in their zone, as short as they can be told apart.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Beyond these days a weekday alone could be taken for another week's.
const WEEK: i64 = 6;

/// The time that somebody reads it at, and where.
#[derive(Debug, Clone)]
pub struct When {
    pub now: Timestamp,
    pub zone: TimeZone,
}

impl When {
    /// Returns a time: `14:05` today, `Thu 14:05` in this week, `26 Nov 14:05` in this year, `26 Nov 2027` in another.
    pub fn at(&self, at: Timestamp) -> String {
        let (now, at) = (self.now.to_zoned(self.zone.clone()), at.to_zoned(self.zone.clone()));
        let days = now.date().until(at.date()).map_or(i64::MAX, |span| i64::from(span.get_days()).abs());
        let form = match (days, now.year() == at.year()) {
            (0, _) => "%H:%M",
            (1..=WEEK, _) => "%a %H:%M",
            (_, true) => "%-d %b %H:%M",
            (_, false) => "%-d %b %Y",
        };
        at.strftime(form).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_short_as_it_can_be() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let when = When { now: "2026-11-30T20:00:00Z".parse().unwrap(), zone };
        for (at, told) in [
            ("2026-11-30T20:30:00Z", "21:30"),
            // Tomorrow where people are.
            ("2026-11-30T23:30:00Z", "Tue 00:30"),
            ("2026-11-28T08:00:00Z", "Sat 09:00"),
            ("2026-12-06T08:00:00Z", "Sun 09:00"),
            ("2026-12-07T08:00:00Z", "7 Dec 09:00"),
            ("2026-01-07T08:00:00Z", "7 Jan 09:00"),
            ("2027-11-28T08:00:00Z", "28 Nov 2027"),
        ] {
            assert_eq!(when.at(at.parse().unwrap()), told, "{at}");
        }
    }
}
