//! When a person works: weekly hours in their zone, and time off.
//!
//! A [`Schedule`] is checked when it is made and never wrong afterwards. Its
//! JSON form, the hours file, is in [`file`]; what follows from it (working
//! intervals, dues) is in [`crate::working`] and [`crate::due`].

mod file;

use crate::working::nanos;
use crate::zone::Zone;
use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Map, Value};

/// Entries of time off at most.
pub const MAX_TIME_OFF: usize = 10_000;
/// Intervals of one day at most.
pub const MAX_INTERVALS: usize = 48;
/// Letters of a label at most.
pub const MAX_LABEL: usize = 500;
/// Minutes of a day on the wall clock.
pub(crate) const DAY: u16 = 24 * 60;
/// The weekdays by their names in the hours file.
pub(crate) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// When a person works. As JSON it is the hours file.
#[derive(Clone, ts_rs::TS)]
pub struct Schedule {
    /// The zone all local times of the schedule are in.
    zone: Zone,
    /// For each day its intervals, local times as `HH:MM`; one that ends before
    /// it starts runs past midnight, `24:00` is allowed as an end.
    #[ts(
        type = "{ [day in \"mon\" | \"tue\" | \"wed\" | \"thu\" | \"fri\" | \"sat\" | \"sun\"]?: [string, string][] }"
    )]
    weekly: Weekly,
    /// Leave, sick days, holidays.
    #[ts(optional, as = "Option<Vec<TimeOff>>")]
    time_off: Vec<TimeOff>,
    /// Fields of newer versions.
    #[ts(skip)]
    rest: Map<String, Value>,
    /// Time off as it is lived: see [`lived`].
    #[ts(skip)]
    off: Vec<(i64, i64)>,
}

/// The intervals of each weekday, Monday first.
pub type Weekly = [Vec<Interval>; 7];

/// A stretch of work on the wall clock, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// Minutes after the local midnight its day begins with, below 1440.
    pub start: u16,
    /// In the same minutes, after `start` and less than a day later (or 1440,
    /// the whole day, from 0): beyond 1440 it is past the next midnight.
    pub end: u16,
}

/// A stretch in which a person doesn't work.
#[derive(Clone, Debug, PartialEq, ts_rs::TS)]
pub struct TimeOff {
    /// A whole day, `2026-12-24`, or a local time, `2026-12-31T12:00`.
    #[ts(as = "String")]
    pub from: Moment,
    /// A day is included, a local time is not.
    #[ts(as = "String")]
    pub to: Moment,
    /// What teammates see, say `leave` or `Christmas`.
    #[ts(optional)]
    pub label: Option<String>,
    /// Fields of newer versions.
    #[ts(skip)]
    pub rest: Map<String, Value>,
}

/// An end of a time off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// All of a local day.
    Day(NaiveDate),
    /// A local time.
    Time(NaiveDateTime),
}

/// Why something is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidSchedule {
    /// Where, as a path into the hours file: `weekly.mon[1]`.
    pub field: String,
    /// What is wrong and what would be right, in plain words.
    pub problem: String,
}

impl InvalidSchedule {
    fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl Schedule {
    /// A schedule of these hours; each day's intervals in any order.
    ///
    /// # Errors
    /// Names the field that is empty, out of range, overlaps or is too much.
    pub fn new(zone: Zone, weekly: Weekly, time_off: Vec<TimeOff>) -> Result<Self, InvalidSchedule> {
        Self::checked(zone, weekly, time_off, Map::new())
    }

    /// What is proposed to somebody who keeps no hours yet: Monday to Friday,
    /// 9 to 13 and 14 to 18.
    #[must_use]
    pub fn proposed(zone: Zone) -> Self {
        let day = vec![Interval { start: 9 * 60, end: 13 * 60 }, Interval { start: 14 * 60, end: 18 * 60 }];
        let weekly = std::array::from_fn(|weekday| if weekday < 5 { day.clone() } else { Vec::new() });
        Self { zone, weekly, time_off: Vec::new(), rest: Map::new(), off: Vec::new() }
    }

    /// The same schedule with other time off.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn with_time_off(&self, time_off: Vec<TimeOff>) -> Result<Self, InvalidSchedule> {
        Self::checked(self.zone, self.weekly.clone(), time_off, self.rest.clone())
    }

    /// The zone all local times of the schedule are in.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// The weekly hours, each day's in order.
    #[must_use]
    pub fn weekly(&self) -> &Weekly {
        &self.weekly
    }

    /// Time off, as it was written.
    #[must_use]
    pub fn time_off(&self) -> &[TimeOff] {
        &self.time_off
    }

    /// Fields of newer versions, kept for them.
    #[must_use]
    pub fn rest(&self) -> &Map<String, Value> {
        &self.rest
    }

    /// The intervals that begin on a weekday, in order.
    pub(crate) fn on(&self, weekday: usize) -> &[Interval] {
        self.weekly.get(weekday).map_or(&[], Vec::as_slice)
    }

    /// Time off as instants: see [`lived`].
    pub(crate) fn off(&self) -> &[(i64, i64)] {
        &self.off
    }

    fn checked(
        zone: Zone,
        mut weekly: Weekly,
        time_off: Vec<TimeOff>,
        rest: Map<String, Value>,
    ) -> Result<Self, InvalidSchedule> {
        check_weekly(&weekly)?;
        check_time_off(&time_off)?;
        weekly.iter_mut().for_each(|day| day.sort_unstable());
        let off = lived(zone, &time_off);
        Ok(Self { zone, weekly, time_off, rest, off })
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        // `off` follows from the others.
        (self.zone, &self.weekly, &self.time_off, &self.rest)
            == (other.zone, &other.weekly, &other.time_off, &other.rest)
    }
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

impl TimeOff {
    /// These days, both included.
    #[must_use]
    pub fn days(from: NaiveDate, to: NaiveDate) -> Self {
        Self { from: Moment::Day(from), to: Moment::Day(to), label: None, rest: Map::new() }
    }

    /// From one local time to another, which is not included.
    #[must_use]
    pub fn times(from: NaiveDateTime, to: NaiveDateTime) -> Self {
        Self { from: Moment::Time(from), to: Moment::Time(to), label: None, rest: Map::new() }
    }

    /// The first local time of it.
    #[must_use]
    pub fn start(&self) -> NaiveDateTime {
        match self.from {
            Moment::Day(day) => day.and_time(NaiveTime::MIN),
            Moment::Time(time) => time,
        }
    }

    /// The first local time after it.
    #[must_use]
    pub fn end(&self) -> NaiveDateTime {
        match self.to {
            Moment::Day(day) => day.checked_add_days(Days::new(1)).unwrap_or(day).and_time(NaiveTime::MIN),
            Moment::Time(time) => time,
        }
    }
}

fn check_weekly(weekly: &Weekly) -> Result<(), InvalidSchedule> {
    // Minutes after Monday's midnight, to see what runs into the next day.
    let mut week = Vec::new();
    for ((day, intervals), first) in DAYS.iter().zip(weekly).zip((0..).step_by(DAY.into())) {
        if intervals.len() > MAX_INTERVALS {
            let problem = format!("{} intervals; {MAX_INTERVALS} a day are allowed", intervals.len());
            return Err(InvalidSchedule::new(format!("weekly.{day}"), problem));
        }
        for (index, Interval { start, end }) in intervals.iter().enumerate() {
            let field = || format!("weekly.{day}[{index}]");
            if start == end {
                return Err(InvalidSchedule::new(field(), "is empty: it ends when it starts"));
            }
            let whole = (*start, *end) == (0, DAY);
            if *start >= DAY || end < start || (end - start >= DAY && !whole) {
                let problem = "must start on its day and last less than 24 hours, or be the whole day";
                return Err(InvalidSchedule::new(field(), problem));
            }
            week.push((first + u32::from(*start), first + u32::from(*end), field()));
        }
    }
    week.sort_unstable();
    let length = 7 * u32::from(DAY);
    let around = week.first().map(|(start, end, field)| (start + length, end + length, field.clone()));
    let mut next = week.iter().skip(1).chain(&around);
    for (_, end, field) in &week {
        if let Some((start, _, other)) = next.next()
            && start < end
        {
            // With a single interval, `around` is itself a week later and never overlaps.
            let (field, other) = if field > other { (field, other) } else { (other, field) };
            return Err(InvalidSchedule::new(field, format!("overlaps {other}")));
        }
    }
    Ok(())
}

fn check_time_off(time_off: &[TimeOff]) -> Result<(), InvalidSchedule> {
    if time_off.len() > MAX_TIME_OFF {
        let problem = format!("{} entries; {MAX_TIME_OFF} are allowed", time_off.len());
        return Err(InvalidSchedule::new("time_off", problem));
    }
    for (index, off) in time_off.iter().enumerate() {
        if off.end() <= off.start() {
            let problem = if matches!(off.to, Moment::Day(_)) { "is before `from`" } else { "is not after `from`" };
            return Err(InvalidSchedule::new(format!("time_off[{index}].to"), problem));
        }
        if off.label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL) {
            let problem = format!("is longer than {MAX_LABEL} letters");
            return Err(InvalidSchedule::new(format!("time_off[{index}].label"), problem));
        }
    }
    Ok(())
}

/// Time off as it is lived: half-open spans in nanoseconds since 1970, in
/// order, merged. What is beyond the years that count is cut.
fn lived(zone: Zone, time_off: &[TimeOff]) -> Vec<(i64, i64)> {
    let mut spans: Vec<_> =
        time_off.iter().map(|off| (nanos(zone.start(off.start())), nanos(zone.end(off.end())))).collect();
    spans.sort_unstable();
    spans.dedup_by(|next, kept| {
        let touches = next.0 <= kept.1;
        if touches {
            kept.1 = kept.1.max(next.1);
        }
        touches
    });
    spans.retain(|(start, end)| start < end);
    spans
}
