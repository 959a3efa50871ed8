//! Instants as the reader reads them: in their zone, as near as needed.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use chrono_tz::Tz;

/// The reader's zone and the present.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    zone: Tz,
    now: DateTime<Utc>,
}

impl Times {
    /// An unknown zone is read as UTC.
    pub(crate) fn new(zone: &str, now: DateTime<Utc>) -> Self {
        Self { zone: zone.parse().unwrap_or(Tz::UTC), now }
    }

    /// `17:00` today, `tomorrow 09:00`, `Tue 11:00` within six days, else
    /// `24 Dec 09:00`, with the year where it is another.
    pub(crate) fn when(&self, at: DateTime<Utc>) -> String {
        let (at, now) = (at.with_timezone(&self.zone), self.now.with_timezone(&self.zone));
        let time = at.format("%H:%M");
        match (at.date_naive() - now.date_naive()).num_days() {
            0 => time.to_string(),
            1 => format!("tomorrow {time}"),
            -1 => format!("yesterday {time}"),
            -6..=6 => at.format("%a %H:%M").to_string(),
            _ if at.year() == now.year() => at.format("%-d %b %H:%M").to_string(),
            _ => at.format("%-d %b %Y %H:%M").to_string(),
        }
    }

    /// `due 17:00`, `overdue since Mon 11:00`.
    pub(crate) fn due(&self, at: DateTime<Utc>) -> String {
        let word = if self.is_past(at) { "overdue since" } else { "due" };
        format!("{word} {}", self.when(at))
    }

    pub(crate) fn is_past(&self, at: DateTime<Utc>) -> bool {
        at < self.now
    }

    /// `50 min`, `3 h 20 min`, until then; never less than a minute.
    pub(crate) fn left(&self, until: DateTime<Utc>) -> String {
        let minutes = ((until - self.now).num_seconds().max(0) as u64).div_ceil(60).max(1);
        match (minutes / 60, minutes % 60) {
            (0, minutes) => format!("{minutes} min"),
            (hours, 0) => format!("{hours} h"),
            (hours, minutes) => format!("{hours} h {minutes} min"),
        }
    }

    /// `09:00–18:00`; a time of another day than `day`'s start is marked with
    /// how many days it is off.
    pub(crate) fn span(&self, start: DateTime<Utc>, end: DateTime<Utc>, day: DateTime<Utc>) -> String {
        let day = day.with_timezone(&self.zone).date_naive();
        let clock = |at: DateTime<Utc>, is_end: bool| {
            let at = at.with_timezone(&self.zone);
            match (at.date_naive() - day).num_days() {
                0 => at.format("%H:%M").to_string(),
                1 if is_end && at.time() == chrono::NaiveTime::MIN => "24:00".to_owned(),
                off => format!("{}{off:+}d", at.format("%H:%M")),
            }
        };
        format!("{}–{}", clock(start, false), clock(end, true))
    }

    /// `Tuesday, 24 November 2026`.
    pub(crate) fn day(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%A, %-d %B %Y").to_string()
    }

    /// What the clock shows now in a zone, with how far its day is off:
    /// `02:10 (tomorrow)`. None for an unknown zone.
    pub(crate) fn clock_in(&self, zone: &str) -> Option<String> {
        let there = self.now.with_timezone(&zone.parse::<Tz>().ok()?);
        let off = there.date_naive() - self.now.with_timezone(&self.zone).date_naive();
        let day = match off {
            off if off > TimeDelta::zero() => " (tomorrow)",
            off if off < TimeDelta::zero() => " (yesterday)",
            _ => "",
        };
        Some(format!("{}{day}", there.format("%H:%M")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn an_instant_is_told_as_near_as_needed() {
        // Sunday, 23:30 in Lisbon.
        let times = Times::new("Europe/Lisbon", at("2026-11-22T23:30:00Z"));
        for (instant, told) in [
            ("2026-11-22T09:00:00Z", "09:00"),
            ("2026-11-23T00:00:00Z", "tomorrow 00:00"),
            ("2026-11-21T12:00:00Z", "yesterday 12:00"),
            ("2026-11-24T11:00:00Z", "Tue 11:00"),
            ("2026-11-29T09:00:00Z", "29 Nov 09:00"),
            ("2027-01-04T09:00:00Z", "4 Jan 2027 09:00"),
        ] {
            assert_eq!(times.when(at(instant)), told);
        }
        assert_eq!(times.due(at("2026-11-22T23:00:00Z")), "overdue since 23:00");
        assert_eq!(Times::new("No/Where", at("2026-11-22T23:30:00Z")).when(at("2026-11-22T10:00:00Z")), "10:00");
    }

    #[test]
    fn spans_and_clocks_tell_other_days() {
        let times = Times::new("Europe/Lisbon", at("2026-11-24T18:30:00Z"));
        let day = at("2026-11-24T00:00:00Z");
        assert_eq!(times.span(at("2026-11-23T22:00:00Z"), at("2026-11-24T02:00:00Z"), day), "22:00-1d–02:00");
        assert_eq!(times.span(at("2026-11-24T20:00:00Z"), at("2026-11-25T00:00:00Z"), day), "20:00–24:00");
        assert_eq!(times.clock_in("Asia/Taipei").as_deref(), Some("02:30 (tomorrow)"));
        assert_eq!(times.left(at("2026-11-24T19:20:30Z")), "51 min");
        assert_eq!(times.left(at("2026-11-24T22:30:00Z")), "4 h");
        assert_eq!(times.left(at("2026-11-24T18:00:00Z")), "1 min");
    }
}
