//! Working intervals as instants: a weekly schedule laid over the calendar,
//! time off taken out.
//!
//! An interval starts and ends as [`Zone::start`](crate::zone::Zone::start)
//! and [`Zone::end`](crate::zone::Zone::end) say, so that no working minute is
//! lost or counted twice when clocks change: a repeated hour counts as it is
//! lived, two hours. What hours of two dates have in common (a night's, where
//! other hours begin the next day) counts once. Everything is computed from the schedule on the fly;
//! nothing is allocated or cached. Instants count from 1678 to 2261, nearer
//! ones stand for those beyond.

use crate::schedule::{Run, Schedule};
use chrono::{DateTime, TimeDelta, Utc};

/// How far ahead of an instant openings, ends and dues are looked for.
pub const LOOK_AHEAD: TimeDelta = TimeDelta::days(2 * 365 + 1);

/// A stretch of time, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Included.
    pub start: DateTime<Utc>,
    /// Not included; after `start`.
    pub end: DateTime<Utc>,
}

impl Span {
    /// How long it is.
    #[must_use]
    pub fn length(self) -> TimeDelta {
        self.end - self.start
    }

    /// Whether an instant lies in it.
    #[must_use]
    pub fn contains(self, at: DateTime<Utc>) -> bool {
        self.start <= at && at < self.end
    }
}

impl Schedule {
    /// The stretches of work between two instants, in order, cut to them;
    /// intervals that touch are one stretch.
    #[must_use]
    pub fn working(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Working<'_> {
        let (from, to) = (nanos(from), nanos(to));
        Working { walk: Walk::new(self, from, to), ahead: None, to }
    }

    /// Whether the person works at an instant.
    #[must_use]
    pub fn works_at(&self, at: DateTime<Utc>) -> bool {
        let at = nanos(at);
        Walk::new(self, at, at.saturating_add(1)).next().is_some()
    }

    /// The first instant from `at` on at which the person works: `at` itself
    /// if they do. `None` if they don't within [`LOOK_AHEAD`].
    #[must_use]
    pub fn works_from(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        Walk::new(self, nanos(at), horizon(at)).next().map(|(start, _)| instant(start))
    }

    /// The start of the first stretch of work that begins after an instant.
    /// `None` if none does within [`LOOK_AHEAD`].
    #[must_use]
    pub fn next_opening(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut stretches = Working { walk: Walk::new(self, nanos(after), horizon(after)), ahead: None, to: i64::MAX };
        stretches.find(|stretch| stretch.start > after).map(|stretch| stretch.start)
    }

    /// The end of the stretch of work that is going on at an instant. `None`
    /// if the person doesn't work then, or without an end within [`LOOK_AHEAD`].
    #[must_use]
    pub fn end_of_stretch(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let stretch = Working { walk: Walk::new(self, nanos(at), horizon(at)), ahead: None, to: i64::MAX }.next()?;
        (stretch.start <= at && nanos(stretch.end) < horizon(at)).then_some(stretch.end)
    }

    /// How long the person works between two instants; nothing if the second
    /// is not after the first. Takes time in proportion to the days between.
    #[must_use]
    pub fn working_time_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        let to = nanos(to);
        let pieces = Walk::new(self, nanos(from), to).map(|(start, end)| end.min(to) - start);
        TimeDelta::nanoseconds(pieces.sum())
    }
}

/// The stretches of work of a schedule: see [`Schedule::working`].
#[derive(Clone, Debug)]
pub struct Working<'a> {
    walk: Walk<'a>,
    ahead: Option<(i64, i64)>,
    to: i64,
}

impl Iterator for Working<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let (start, mut end) = self.ahead.take().or_else(|| self.walk.next())?;
        for piece in self.walk.by_ref() {
            if piece.0 > end {
                self.ahead = Some(piece);
                break;
            }
            end = piece.1;
        }
        Some(Span { start: instant(start), end: instant(end.min(self.to)) })
    }
}

/// Nanoseconds since 1970, nearer ones for what is beyond 1678 and 2261.
pub(crate) fn nanos(at: DateTime<Utc>) -> i64 {
    at.timestamp_nanos_opt().unwrap_or(if at.timestamp() < 0 { i64::MIN } else { i64::MAX })
}

/// What [`nanos`] made a number.
pub(crate) fn instant(nanos: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(nanos)
}

/// The end of the look-ahead from an instant.
pub(crate) fn horizon(at: DateTime<Utc>) -> i64 {
    nanos(at).saturating_add(LOOK_AHEAD.num_nanoseconds().unwrap_or(i64::MAX))
}

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 24 * 3600 * SECOND;

/// The pieces of working time from an instant on: half open, in order, never
/// empty, never overlapping, though they may touch. The first is cut to the
/// instant; the last starts before the limit and may end after it.
#[derive(Clone, Debug)]
pub(crate) struct Walk<'a> {
    schedule: &'a Schedule,
    /// The hours and the zone of that day, and those after them.
    run: Run,
    runs: &'a [Run],
    /// The local date whose intervals come next, in days since 1970.
    day: i64,
    /// Which of them.
    next: usize,
    /// No day after this one has intervals that count.
    last_day: i64,
    limit: i64,
    /// Everything before it has been given out.
    floor: i64,
    /// The end of the interval being given out; what is left of it begins at `floor`.
    until: i64,
    /// Time off not passed yet.
    off: &'a [(i64, i64)],
}

impl<'a> Walk<'a> {
    pub(crate) fn new(schedule: &'a Schedule, from: i64, limit: i64) -> Self {
        let zone = schedule.zone_at(instant(from));
        let local = from.saturating_add(SECOND.saturating_mul(zone.offset(instant(from)).local_minus_utc().into()));
        let off = schedule.off();
        let mut walk = Self {
            schedule,
            run: Run::first(zone),
            runs: schedule.runs(),
            day: local.div_euclid(DAY) - before(schedule),
            next: 0,
            // No zone is two days from UTC.
            last_day: if schedule.keeps_hours() { limit.div_euclid(DAY) + 2 } else { i64::MIN },
            limit,
            floor: from,
            until: from,
            off: off.get(off.partition_point(|(_, end)| *end <= from)..).unwrap_or_default(),
        };
        walk.go_to(walk.day);
        walk
    }

    fn go_to(&mut self, day: i64) {
        (self.day, self.next) = (day, 0);
        while let [run, rest @ ..] = self.runs
            && run.first <= day
        {
            (self.run, self.runs) = (*run, rest);
        }
    }

    /// The next interval as it is lived, cut to `floor`.
    fn interval(&mut self) -> Option<(i64, i64)> {
        while self.day <= self.last_day {
            let Some(interval) = self.schedule.on(&self.run, self.day).get(self.next) else {
                self.go_to(self.day + 1);
                continue;
            };
            self.next += 1;
            let end = self.at(interval.end).1;
            if end <= self.floor {
                continue;
            }
            let start = self.at(interval.start).0.max(self.run.cut);
            if start >= self.limit {
                self.last_day = i64::MIN;
                return None;
            }
            let start = start.max(self.floor);
            if start < end {
                return Some((start, end));
            }
        }
        None
    }

    /// Both readings of a local time of the present day.
    fn at(&self, minutes: u16) -> (i64, i64) {
        let local = self.day * (DAY / SECOND) + i64::from(minutes) * 60;
        let local = DateTime::from_timestamp(local, 0).unwrap_or_default().naive_utc();
        let (start, end) = self.run.zone.readings(local);
        (nanos(start), nanos(end))
    }

    /// Goes on after a time off, past days that lie wholly in it.
    fn skip(&mut self, to: i64) {
        self.floor = to;
        let day = to.div_euclid(DAY) - 1 - before(self.schedule);
        if day > self.day {
            self.go_to(day);
            self.until = to;
        }
    }
}

/// How many dates before the local one at an instant may have hours that last
/// until then: the day before, past midnight, by its hours or by its clock.
/// Zones are 26 hours apart at most, by which a date comes sooner elsewhere.
fn before(schedule: &Schedule) -> i64 {
    if schedule.runs().len() > 1 { 3 } else { 1 }
}

impl Iterator for Walk<'_> {
    type Item = (i64, i64);

    fn next(&mut self) -> Option<(i64, i64)> {
        loop {
            if self.floor >= self.until {
                let (start, end) = self.interval()?;
                (self.floor, self.until) = (start, end);
            }
            while let [(_, end), rest @ ..] = self.off
                && *end <= self.floor
            {
                self.off = rest;
            }
            let end = match self.off.first() {
                Some((start, end)) if *start <= self.floor => {
                    self.skip(*end);
                    continue;
                }
                Some((start, _)) => self.until.min(*start),
                None => self.until,
            };
            let piece = (self.floor, end);
            self.floor = end;
            if piece.0 >= self.limit {
                return None;
            }
            return Some(piece);
        }
    }
}
