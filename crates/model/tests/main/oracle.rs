//! A second, obviously correct reading of the rules, that looks at every
//! minute of some days, against the real one.

use crate::random::{config, minute, world, world_in};
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use meantime_model::Schedule;
use meantime_model::due::{Window, due};
use meantime_model::schedule::{Moment, Weekly};
use meantime_model::zone::Zone;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Every minute of some days: what a zone's clock shows, in minutes since 1970.
struct Clock {
    zone: Zone,
    shows: Vec<i64>,
}

impl Clock {
    fn of(zone: Zone, first: DateTime<Utc>, minutes: usize) -> Self {
        // In these years all clocks change at a quarter of an hour.
        assert_eq!(first.timestamp() % 900, 0);
        let offset = |n: usize| zone.tz().offset_from_utc_datetime(&(first + TimeDelta::minutes(n as i64)).naive_utc());
        let mut ahead = 0;
        let shows = (0..minutes).map(|n| {
            if n % 15 == 0 {
                ahead = i64::from(offset(n).fix().local_minus_utc()) / 60;
            }
            first.timestamp() / 60 + n as i64 + ahead
        });
        Self { zone, shows: shows.collect() }
    }

    /// The first minute that shows a local time, else the first that shows a later one.
    fn starts(&self, local: i64) -> usize {
        let shows = self.near(local).find(|n| self.shows[*n] == local);
        shows.unwrap_or_else(|| self.after(local))
    }

    /// The last minute that shows a local time, else the first that shows a later one.
    fn ends(&self, local: i64) -> usize {
        let shows = self.near(local).rfind(|n| self.shows[*n] == local);
        shows.unwrap_or_else(|| self.after(local))
    }

    fn after(&self, local: i64) -> usize {
        let near = self.near(local);
        let end = near.end;
        near.into_iter().find(|n| self.shows[*n] > local).unwrap_or(end)
    }

    /// Where a local time is shown if it is at all: clocks change by three
    /// hours at most.
    fn near(&self, local: i64) -> std::ops::Range<usize> {
        let guess = local - self.shows[0];
        let index = |n: i64| (n.max(0) as usize).min(self.shows.len());
        index(guess - 181)..index(guess + 182)
    }
}

/// A local time in minutes since 1970.
fn minutes_of(local: NaiveDateTime) -> i64 {
    local.and_utc().timestamp() / 60
}

fn midnight(date: NaiveDate) -> i64 {
    minutes_of(date.and_time(NaiveTime::MIN))
}

/// The hours of a date, and where it is spent.
fn rule(schedule: &Schedule, date: NaiveDate) -> (Zone, &Weekly) {
    let (mut zone, mut weekly, mut alternate) = (schedule.zone(), schedule.weekly(), schedule.alternate());
    for change in schedule.changes().iter().filter(|change| change.from <= date) {
        zone = change.zone.unwrap_or(zone);
        (weekly, alternate) = (&change.weekly, change.alternate.as_ref());
    }
    if let Some(stay) = schedule.stays().iter().find(|stay| stay.from <= date && date <= stay.to) {
        zone = stay.zone;
    }
    if let Some(alternate) = alternate {
        let weeks: Vec<&Weekly> = std::iter::once(weekly).chain(&alternate.weeks).collect();
        let passed = (midnight(date) - midnight(alternate.from)).div_euclid(7 * 1440);
        weekly = weeks[passed.rem_euclid(weeks.len() as i64) as usize];
    }
    (zone, weekly)
}

/// A date as it is lived.
struct Lived {
    date: NaiveDate,
    clock: usize,
    /// Nothing of it is before this minute: the date before is over then, where that was spent.
    cut: usize,
    begins: usize,
    over: usize,
}

/// Every minute of some days: what the person's clock shows, and whether it is worked.
struct Minutes {
    first: DateTime<Utc>,
    local: Vec<i64>,
    works: Vec<bool>,
    /// How many minutes before each are worked.
    before: Vec<usize>,
    /// Those that are.
    worked: Vec<usize>,
    /// The local dates of those, in days since 1970, each with where among them it begins.
    dates: Vec<(i64, usize)>,
    clocks: Vec<Clock>,
}

impl Minutes {
    fn of(schedule: &Schedule, from: NaiveDate, days: i64) -> Self {
        let first = minute(schedule, from, 0);
        let mut clocks: Vec<Clock> = Vec::new();
        let (mut local, mut works) = (Vec::<i64>::new(), vec![false; days as usize * 1440]);
        let mut lived: Vec<Lived> = Vec::new();
        for date in from.iter_days().take(days as usize) {
            let (zone, weekly) = rule(schedule, date);
            let clock = clocks.iter().position(|clock| clock.zone == zone).unwrap_or_else(|| {
                clocks.push(Clock::of(zone, first, works.len()));
                clocks.len() - 1
            });
            let here = &clocks[clock];
            let moved = lived.last().is_none_or(|before| before.clock != clock);
            let (cut, begins) = match lived.last() {
                Some(before) if moved => (before.over, before.over),
                Some(before) => (before.cut, here.starts(midnight(date)).max(before.cut)),
                None => (0, 0),
            };
            let over = here.ends(midnight(date + Days::new(1))).max(cut);
            lived.push(Lived { date, clock, cut, begins, over });
            if moved {
                // From here on the clock is this one.
                local.truncate(here.starts(midnight(date)).max(cut));
                local.extend(&here.shows[local.len()..]);
            }

            for interval in &weekly[date.weekday().num_days_from_monday() as usize] {
                let start = here.starts(midnight(date) + i64::from(interval.start)).max(cut);
                let end = here.ends(midnight(date) + i64::from(interval.end));
                (start..end).for_each(|n| works[n] = true);
            }
        }
        for off in schedule.time_off().iter().chain(schedule.holidays()) {
            let on = |date: NaiveDate| lived.iter().find(|lived| lived.date == date);
            let start = match on(off.start().date()) {
                Some(lived) if off.start().time() == NaiveTime::MIN => lived.begins,
                Some(lived) => clocks[lived.clock].starts(minutes_of(off.start())).max(lived.cut),
                None if off.start().date() < from => 0,
                None => works.len(),
            };
            let last = match off.to {
                Moment::Day(date) => date,
                Moment::Time(time) => (time - TimeDelta::minutes(1)).date(),
            };
            let end = match on(last) {
                Some(lived) if minutes_of(off.end()) == midnight(last + Days::new(1)) => lived.over,
                Some(lived) => clocks[lived.clock].ends(minutes_of(off.end())).max(lived.cut),
                None if last < from => 0,
                None => works.len(),
            };
            (start..end).for_each(|n| works[n] = false);
        }
        let worked: Vec<usize> = (0..works.len()).filter(|n| works[*n]).collect();
        let before =
            works.iter().scan(0, |sum, works| Some(std::mem::replace(sum, *sum + usize::from(*works)))).collect();
        let mut dates: Vec<(i64, usize)> =
            worked.iter().enumerate().map(|(index, n)| (local[*n].div_euclid(1440), index)).collect();
        dates.dedup_by_key(|(date, _)| *date);
        Self { first, local, works, before, worked, dates, clocks }
    }

    fn index(&self, at: DateTime<Utc>) -> usize {
        usize::try_from((at - self.first).num_minutes()).unwrap()
    }

    fn instant(&self, index: usize) -> DateTime<Utc> {
        self.first + TimeDelta::minutes(index as i64)
    }

    /// The worked minutes from one on.
    fn worked(&self, from: usize) -> &[usize] {
        &self.worked[self.before[from]..]
    }

    fn hours_due(&self, at: usize, minutes: usize) -> Option<DateTime<Utc>> {
        self.worked(at).get(minutes - 1).map(|n| self.instant(n + 1))
    }

    fn days_due(&self, schedule: &Schedule, at: usize, days: usize) -> Option<DateTime<Utc>> {
        let start = self.local[*self.worked(at).first()?];
        let mut following = self.dates.iter().enumerate().filter(|(_, (date, _))| *date > start.div_euclid(1440));
        let (place, (date, from)) = following.nth(days - 1)?;
        // The last of the table may be cut.
        let (_, to) = self.dates.get(place + 1)?;
        let of_date = &self.worked[*from..*to];
        let zone = rule(schedule, NaiveDate::default() + TimeDelta::days(*date)).0;
        let clock = self.clocks.iter().find(|clock| clock.zone == zone)?;
        let wanted = clock.ends(date * 1440 + start.rem_euclid(1440));
        let due = of_date.iter().copied().find(|n| *n >= wanted).or_else(|| of_date.last().map(|n| n + 1))?;
        Some(self.instant(due))
    }
}

/// Days of a table, and how many of them lie before the first question.
const DAYS: i64 = 14;
const BEFORE: u64 = 4;
/// Questions for each schedule.
const ASKED: usize = 128;

/// Minutes after a date, minutes and days of a window.
type Question = (i64, u32, u32);

fn questions() -> impl Strategy<Value = Vec<Question>> {
    proptest::collection::vec((0..5 * 1440i64, 1..1500u32, 1..5u32), ASKED)
}

fn ask(schedule: &Schedule, day: NaiveDate, questions: &[Question]) -> Result<(), TestCaseError> {
    let minutes = Minutes::of(schedule, day - Days::new(BEFORE), DAYS);
    for (at, length, days) in questions.iter().copied() {
        let at = minute(schedule, day, at);
        let index = minutes.index(at);

        prop_assert_eq!(schedule.works_at(at), minutes.works[index], "works at {}", at);
        let shows = minutes_of(schedule.zone_at(at).local(at));
        prop_assert_eq!(shows, minutes.local[index], "the clock at {}", at);

        let to = (index + length as usize).min(minutes.works.len() - 1);
        let worked = (minutes.before[to] - minutes.before[index]) as i64;
        prop_assert_eq!(schedule.working_time_between(at, minutes.instant(to)), TimeDelta::minutes(worked));

        if let Some(start) = minutes.worked(index).first() {
            prop_assert_eq!(schedule.works_from(at), Some(minutes.instant(*start)));
        }
        if let Some(expected) = minutes.hours_due(index, length as usize) {
            prop_assert_eq!(
                due(schedule, at, Window::minutes(length).unwrap()),
                Ok(expected),
                "{} minutes after {}",
                length,
                at
            );
        }
        if let Some(expected) = minutes.days_due(schedule, index, days as usize) {
            prop_assert_eq!(due(schedule, at, Window::days(days).unwrap()), Ok(expected), "{} days after {}", days, at);
        }
    }
    Ok(())
}

/// With the next, more than 100,000 cases: 597 zones, 128 questions each.
#[test]
fn every_zone_agrees() {
    for zone in Zone::all() {
        let asked = TestRunner::new(config(1))
            .run(&(world_in(zone), questions()), |((schedule, day), questions)| ask(&schedule, day, &questions));
        asked.unwrap_or_else(|e| panic!("{zone}: {e}"));
    }
}

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn agrees((schedule, day) in world(), questions in questions()) {
        ask(&schedule, day, &questions)?;
    }

    #[test]
    fn stretches_agree((schedule, day) in world()) {
        let minutes = Minutes::of(&schedule, day - Days::new(BEFORE), 9);
        let (from, to) = (3 * 1440, 7 * 1440);
        let (start, end) = (minutes.instant(from), minutes.instant(to));
        let mut expected = Vec::new();
        for n in from..to {
            if minutes.works[n] && (n == from || !minutes.works[n - 1]) {
                expected.push((minutes.instant(n), end));
            }
            if !minutes.works[n] && n > from && minutes.works[n - 1] {
                expected.last_mut().unwrap().1 = minutes.instant(n);
            }
        }
        let stretches: Vec<_> = schedule.working(start, end).map(|span| (span.start, span.end)).collect();
        prop_assert_eq!(stretches, expected);
    }
}
