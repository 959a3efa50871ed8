//! A second, obviously correct reading of the rules, that looks at every
//! minute of some days, against the real one.

use crate::random::{config, minute, world};
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use meantime_model::Schedule;
use meantime_model::due::{Window, due};
use proptest::prelude::*;

/// Every minute of some days: what the clock shows, and whether it is worked.
struct Minutes {
    first: DateTime<Utc>,
    local: Vec<NaiveDateTime>,
    works: Vec<bool>,
}

impl Minutes {
    fn of(schedule: &Schedule, from: NaiveDate, days: i64) -> Self {
        let first = minute(schedule, from, 0);
        let tz = schedule.zone().tz();
        let local: Vec<_> = (0..days * 1440)
            .map(|n| tz.from_utc_datetime(&(first + TimeDelta::minutes(n)).naive_utc()).naive_local())
            .collect();
        let works = vec![false; local.len()];
        let mut minutes = Self { first, local, works };
        for day in from.iter_days().take(days as usize) {
            let midnight = day.and_time(NaiveTime::MIN);
            for interval in &schedule.weekly()[day.weekday().num_days_from_monday() as usize] {
                let start = minutes.starts(midnight + TimeDelta::minutes(interval.start.into()));
                let end = minutes.ends(midnight + TimeDelta::minutes(interval.end.into()));
                (start..end).for_each(|n| minutes.works[n] = true);
            }
        }
        for off in schedule.time_off() {
            let (start, end) = (minutes.starts(off.start()), minutes.ends(off.end()));
            (start..end).for_each(|n| minutes.works[n] = false);
        }
        minutes
    }

    /// The first minute that shows a local time, else the first that shows a later one.
    fn starts(&self, local: NaiveDateTime) -> usize {
        let shows = self.near(local).find(|n| self.local[*n] == local);
        shows.unwrap_or_else(|| self.after(local))
    }

    /// The last minute that shows a local time, else the first that shows a later one.
    fn ends(&self, local: NaiveDateTime) -> usize {
        let shows = self.near(local).rfind(|n| self.local[*n] == local);
        shows.unwrap_or_else(|| self.after(local))
    }

    fn after(&self, local: NaiveDateTime) -> usize {
        let near = self.near(local);
        let end = near.end;
        near.into_iter().find(|n| self.local[*n] > local).unwrap_or(end)
    }

    /// Where a local time is shown if it is at all: clocks change by three
    /// hours at most.
    fn near(&self, local: NaiveDateTime) -> std::ops::Range<usize> {
        let guess = (local - self.local[0]).num_minutes();
        let index = |n: i64| (n.max(0) as usize).min(self.local.len());
        index(guess - 181)..index(guess + 182)
    }

    fn index(&self, at: DateTime<Utc>) -> usize {
        usize::try_from((at - self.first).num_minutes()).unwrap()
    }

    fn instant(&self, index: usize) -> DateTime<Utc> {
        self.first + TimeDelta::minutes(index as i64)
    }

    fn worked(&self, from: usize) -> impl Iterator<Item = usize> {
        (from..self.works.len()).filter(|n| self.works[*n])
    }

    fn hours_due(&self, at: usize, minutes: usize) -> Option<DateTime<Utc>> {
        self.worked(at).nth(minutes - 1).map(|n| self.instant(n + 1))
    }

    fn days_due(&self, at: usize, days: usize) -> Option<DateTime<Utc>> {
        let start = self.local[self.worked(at).next()?];
        let mut dates: Vec<NaiveDate> = self.worked(at).map(|n| self.local[n].date()).collect();
        dates.dedup();
        dates.retain(|date| *date > start.date());
        // The last date of the table may be cut.
        let date = *dates.get(days - 1).filter(|date| **date < self.local.last().unwrap().date())?;
        let wanted = self.ends(date.and_time(start.time()));
        let of_date = || self.worked(at).filter(|n| self.local[*n].date() == date);
        let due = of_date().find(|n| *n >= wanted).or_else(|| of_date().last().map(|n| n + 1))?;
        Some(self.instant(due))
    }
}

const DAYS: i64 = 12;

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn agrees((schedule, day) in world(), questions in proptest::collection::vec((0..5 * 1440i64, 1..1500u32, 1..5u32), 16)) {
        let minutes = Minutes::of(&schedule, day - Days::new(2), DAYS);
        for (at, length, days) in questions {
            let at = minute(&schedule, day, at);
            let index = minutes.index(at);

            prop_assert_eq!(schedule.works_at(at), minutes.works[index], "works at {}", at);

            let to = (index + length as usize).min(minutes.works.len());
            let worked = minutes.works[index..to].iter().filter(|works| **works).count() as i64;
            prop_assert_eq!(schedule.working_time_between(at, minutes.instant(to)), TimeDelta::minutes(worked));

            if let Some(start) = minutes.worked(index).next() {
                prop_assert_eq!(schedule.works_from(at), Some(minutes.instant(start)));
            }
            if let Some(expected) = minutes.hours_due(index, length as usize) {
                prop_assert_eq!(due(&schedule, at, Window::minutes(length).unwrap()), Ok(expected), "{} minutes after {}", length, at);
            }
            if let Some(expected) = minutes.days_due(index, days as usize) {
                prop_assert_eq!(due(&schedule, at, Window::days(days).unwrap()), Ok(expected), "{} days after {}", days, at);
            }
        }
    }

    #[test]
    fn stretches_agree((schedule, day) in world()) {
        let minutes = Minutes::of(&schedule, day - Days::new(2), 7);
        let (from, to) = (minutes.instant(1440), minutes.instant(5 * 1440));
        let mut expected = Vec::new();
        for n in 1440..5 * 1440 {
            if minutes.works[n] && (n == 1440 || !minutes.works[n - 1]) {
                expected.push((minutes.instant(n), to));
            }
            if !minutes.works[n] && n > 1440 && minutes.works[n - 1] {
                expected.last_mut().unwrap().1 = minutes.instant(n);
            }
        }
        let stretches: Vec<_> = schedule.working(from, to).map(|span| (span.start, span.end)).collect();
        prop_assert_eq!(stretches, expected);
    }
}
