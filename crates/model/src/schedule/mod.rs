//! When a person works: hours that repeat week by week in their zone, changes
//! of them, stays in other zones, time off and public holidays.
//!
//! A [`Schedule`] is checked when it is made and never wrong afterwards. Its
//! JSON form, the hours file, is in [`file`], what is checked in [`check`],
//! which hours and zone a date has in [`timeline`]; what follows from it
//! (working intervals, dues) is in [`crate::working`] and [`crate::due`].

mod check;
mod file;
mod timeline;

pub(crate) use timeline::Run;

use crate::zone::Zone;
use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Map, Value};

/// Entries of time off at most.
pub const MAX_TIME_OFF: usize = 10_000;
/// Public holidays at most: those of sixty years.
pub const MAX_HOLIDAYS: usize = 1_000;
/// Changes of the hours at most.
pub const MAX_CHANGES: usize = 500;
/// Stays in other zones at most.
pub const MAX_STAYS: usize = 1_000;
/// Weeks that follow each other in turn at most.
pub const MAX_WEEKS: usize = 52;
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
    /// The zone at home, in which all local times are but those of a stay.
    zone: Zone,
    /// For each day its intervals, local times as `HH:MM`; one that ends before
    /// it starts runs past midnight, `24:00` is allowed as an end.
    #[ts(
        type = "{ [day in \"mon\" | \"tue\" | \"wed\" | \"thu\" | \"fri\" | \"sat\" | \"sun\"]?: [string, string][] }"
    )]
    weekly: Weekly,
    /// Other weeks that follow `weekly` in turn.
    #[ts(optional)]
    alternate: Option<Alternate>,
    /// Other hours from a date on, in order.
    #[ts(optional, as = "Option<Vec<Change>>")]
    changes: Vec<Change>,
    /// Dates spent in other zones, in order.
    #[ts(optional, as = "Option<Vec<Stay>>")]
    stays: Vec<Stay>,
    /// Leave, sick days.
    #[ts(optional, as = "Option<Vec<TimeOff>>")]
    time_off: Vec<TimeOff>,
    /// Public holidays.
    #[ts(optional, as = "Option<Vec<TimeOff>>")]
    holidays: Vec<TimeOff>,
    /// Fields of newer versions.
    #[ts(skip)]
    rest: Map<String, Value>,
    /// Which hours and zone hold from which date on.
    #[ts(skip)]
    runs: Vec<Run>,
    /// Time off and holidays as they are lived.
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

/// Weeks that follow each other in turn, before `from` as well.
#[derive(Clone, Debug, PartialEq, ts_rs::TS)]
pub struct Alternate {
    /// The Monday of a week that has the hours of `weekly`, `2026-01-05`.
    #[ts(type = "string")]
    pub from: NaiveDate,
    /// The week after it, the one after that, …; then `weekly` again.
    #[ts(type = "Schedule[\"weekly\"][]")]
    pub weeks: Vec<Weekly>,
    /// Fields of newer versions.
    #[ts(skip)]
    pub rest: Map<String, Value>,
}

/// Other hours from a date on, until the next change.
#[derive(Clone, Debug, PartialEq, ts_rs::TS)]
pub struct Change {
    /// The first date with these hours, `2027-01-01`.
    #[ts(type = "string")]
    pub from: NaiveDate,
    /// The zone at home from then on, where it changes too.
    #[ts(optional)]
    pub zone: Option<Zone>,
    /// The hours, as those of the schedule.
    #[ts(type = "Schedule[\"weekly\"]")]
    pub weekly: Weekly,
    /// Weeks in turn, as those of the schedule.
    #[ts(optional)]
    pub alternate: Option<Alternate>,
    /// Fields of newer versions.
    #[ts(skip)]
    pub rest: Map<String, Value>,
}

/// Dates spent in another zone: the hours are kept by its clock.
#[derive(Clone, Debug, PartialEq, ts_rs::TS)]
pub struct Stay {
    /// The zone.
    pub zone: Zone,
    /// The first date there, `2026-11-30`.
    #[ts(type = "string")]
    pub from: NaiveDate,
    /// The last date there.
    #[ts(type = "string")]
    pub to: NaiveDate,
    /// Fields of newer versions.
    #[ts(skip)]
    pub rest: Map<String, Value>,
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
        Self { time_off, ..Self::plain(zone, weekly) }.checked()
    }

    /// What is proposed to somebody who keeps no hours yet: Monday to Friday,
    /// 9 to 13 and 14 to 18.
    #[must_use]
    pub fn proposed(zone: Zone) -> Self {
        let day = vec![Interval { start: 9 * 60, end: 13 * 60 }, Interval { start: 14 * 60, end: 18 * 60 }];
        Self::plain(zone, std::array::from_fn(|weekday| if weekday < 5 { day.clone() } else { Vec::new() }))
    }

    /// The same schedule with other weekly hours.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn with_weekly(&self, weekly: Weekly) -> Result<Self, InvalidSchedule> {
        Self { weekly, ..self.clone() }.checked()
    }

    /// The same schedule with other weeks in turn.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn with_alternate(&self, alternate: Option<Alternate>) -> Result<Self, InvalidSchedule> {
        Self { alternate, ..self.clone() }.checked()
    }

    /// The same schedule with other changes.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn with_changes(&self, changes: Vec<Change>) -> Result<Self, InvalidSchedule> {
        Self { changes, ..self.clone() }.checked()
    }

    /// The same schedule with other stays.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn with_stays(&self, stays: Vec<Stay>) -> Result<Self, InvalidSchedule> {
        Self { stays, ..self.clone() }.checked()
    }

    /// The same schedule with other time off.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn with_time_off(&self, time_off: Vec<TimeOff>) -> Result<Self, InvalidSchedule> {
        Self { time_off, ..self.clone() }.checked()
    }

    /// The same schedule with other public holidays.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    pub fn with_holidays(&self, holidays: Vec<TimeOff>) -> Result<Self, InvalidSchedule> {
        Self { holidays, ..self.clone() }.checked()
    }

    /// The hours as they were without any time off or holiday.
    #[must_use]
    pub fn without_time_off(&self) -> Self {
        Self { time_off: Vec::new(), holidays: Vec::new(), off: Vec::new(), ..self.clone() }
    }

    /// The zone at home, at first: [`Schedule::zone_at`] knows of changes and stays.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// The weekly hours, each day's in order: those of every week and for ever
    /// only without [`Schedule::alternate`] and [`Schedule::changes`].
    #[must_use]
    pub fn weekly(&self) -> &Weekly {
        &self.weekly
    }

    /// The weeks that follow in turn, if they aren't all alike.
    #[must_use]
    pub fn alternate(&self) -> Option<&Alternate> {
        self.alternate.as_ref()
    }

    /// Other hours from a date on, in order.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Dates spent in other zones, in order.
    #[must_use]
    pub fn stays(&self) -> &[Stay] {
        &self.stays
    }

    /// Time off, as it was written.
    #[must_use]
    pub fn time_off(&self) -> &[TimeOff] {
        &self.time_off
    }

    /// Public holidays, as they were written.
    #[must_use]
    pub fn holidays(&self) -> &[TimeOff] {
        &self.holidays
    }

    /// Fields of newer versions, kept for them.
    #[must_use]
    pub fn rest(&self) -> &Map<String, Value> {
        &self.rest
    }

    /// Whether any hours are kept at all, in whichever week.
    #[must_use]
    pub fn keeps_hours(&self) -> bool {
        let any = |weekly: &Weekly, alternate: &Option<Alternate>| {
            let others = alternate.iter().flat_map(|alternate| &alternate.weeks);
            std::iter::once(weekly).chain(others).flatten().any(|day| !day.is_empty())
        };
        any(&self.weekly, &self.alternate) || self.changes.iter().any(|change| any(&change.weekly, &change.alternate))
    }

    /// A schedule of one week; not checked.
    fn plain(zone: Zone, weekly: Weekly) -> Self {
        Self {
            zone,
            weekly,
            alternate: None,
            changes: Vec::new(),
            stays: Vec::new(),
            time_off: Vec::new(),
            holidays: Vec::new(),
            rest: Map::new(),
            runs: vec![Run::first(zone)],
            off: Vec::new(),
        }
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        // `runs` and `off` follow from the others.
        (self.zone, &self.weekly, &self.alternate, &self.changes, &self.stays)
            == (other.zone, &other.weekly, &other.alternate, &other.changes, &other.stays)
            && (&self.time_off, &self.holidays, &self.rest) == (&other.time_off, &other.holidays, &other.rest)
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
