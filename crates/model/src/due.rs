//! The reply clock: when an answer is due, counted in the recipient's working
//! time.
//!
//! - *n working hours*: the instant at which n hours of working time have
//!   passed since the message, or since the next opening when it came outside.
//! - *n working days*: from the same start; on the n-th following local date
//!   with any working time, at the same local time of day, moved into that
//!   date's working time: in a gap to the gap's end, after the last interval
//!   to its close, before the first to its opening. A time of day that occurs
//!   twice on that date is its second, one that is missing the first after it.
//!
//! In another zone (a stay, a move) both go by the clock and the date that the
//! person has there: a time of day stays what it was before the journey.
//!
//! A due may be the very instant at which working time closes. The search ends
//! [`LOOK_AHEAD`](crate::working::LOOK_AHEAD) after the message, or earlier at
//! a stretch of [`LEAVE`] without any work: a promise that far off is none.
//!
//! A later message is never due earlier, with one exception that the rule for
//! days makes: within an hour that clocks repeat, or that a journey west gives
//! back, the time of day itself goes back.

use crate::schedule::Schedule;
use crate::urgency::Urgency;
use crate::working::{Walk, horizon, instant, nanos};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// So long without work, nothing is due. A year's leave is longer than that
/// even for a message of its first weeks.
pub const LEAVE: TimeDelta = TimeDelta::days(335);

/// How long an answer may take: `4h`, `90m` of working time, or `1d`, working days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ts_rs::TS)]
#[ts(type = "string")]
pub struct Window(Length);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Length {
    Minutes(u32),
    Days(u32),
}

/// Why something is no window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWindow {
    /// Not a number and a unit.
    #[error("a reply window is written as 4h, 90m or 1d")]
    Form,
    /// No time at all.
    #[error("a reply window is one minute at least")]
    Zero,
    /// Beyond what makes sense.
    #[error("a reply window is 1000h or 366d at most")]
    TooLong,
}

/// Why there is no due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoDue {
    /// The schedule has no working hours at all.
    #[error("there are no working hours to count")]
    NoHours,
    /// A year's leave, or too little working time within the look-ahead.
    #[error("there is not enough working time within two years, or a year of leave comes first")]
    Never,
    /// The zones' rules are known from 1970 to 2099; the look-ahead must fit in.
    #[error("dues are counted for messages from 1970 to 2097")]
    OutOfRange,
}

impl NoDue {
    /// For programs; never changes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NoHours => "no_hours",
            Self::Never => "never",
            Self::OutOfRange => "out_of_range",
        }
    }
}

impl Window {
    /// So much working time.
    ///
    /// # Errors
    /// None at all, or more than 1000 hours.
    pub fn minutes(minutes: u32) -> Result<Self, InvalidWindow> {
        match minutes {
            0 => Err(InvalidWindow::Zero),
            1..=60_000 => Ok(Self(Length::Minutes(minutes))),
            _ => Err(InvalidWindow::TooLong),
        }
    }

    /// So many hours of working time.
    ///
    /// # Errors
    /// As [`Window::minutes`].
    pub fn hours(hours: u32) -> Result<Self, InvalidWindow> {
        Self::minutes(hours.saturating_mul(60))
    }

    /// So many working days.
    ///
    /// # Errors
    /// None at all, or more than 366.
    pub fn days(days: u32) -> Result<Self, InvalidWindow> {
        match days {
            0 => Err(InvalidWindow::Zero),
            1..=366 => Ok(Self(Length::Days(days))),
            _ => Err(InvalidWindow::TooLong),
        }
    }

    /// The window where the team's agreement says nothing: red 4 working
    /// hours, yellow 1 working day, green 3.
    #[must_use]
    pub fn usual(urgency: Urgency) -> Self {
        Self(match urgency {
            Urgency::Red => Length::Minutes(4 * 60),
            Urgency::Yellow => Length::Days(1),
            Urgency::Green => Length::Days(3),
        })
    }
}

/// When an answer to a message of `at` is due.
///
/// # Errors
/// Says why nothing is.
pub fn due(schedule: &Schedule, at: DateTime<Utc>, window: Window) -> Result<DateTime<Utc>, NoDue> {
    if !COUNTED.contains(&at.timestamp()) {
        return Err(NoDue::OutOfRange);
    }
    if !schedule.keeps_hours() {
        return Err(NoDue::NoHours);
    }
    let due = match window.0 {
        Length::Minutes(minutes) => after_hours(schedule, at, i64::from(minutes) * 60_000_000_000),
        Length::Days(days) => after_days(schedule, at, days),
    };
    due.map(instant).ok_or(NoDue::Never)
}

/// 1970-01-01 to 2098-01-01, in seconds.
const COUNTED: std::ops::Range<i64> = 0..4_039_372_800;

fn after_hours(schedule: &Schedule, at: DateTime<Utc>, mut left: i64) -> Option<i64> {
    let mut idle_since = nanos(at);
    for (start, end) in Walk::new(schedule, idle_since, horizon(at)) {
        if is_leave(idle_since, start) {
            return None;
        }
        if left <= end - start {
            return Some(start + left);
        }
        left -= end - start;
        idle_since = end;
    }
    None
}

fn after_days(schedule: &Schedule, at: DateTime<Utc>, mut left: u32) -> Option<i64> {
    let mut idle_since = nanos(at);
    let mut parts = Parts {
        walk: Walk::new(schedule, idle_since, horizon(at)),
        schedule,
        rest: None,
        date: NaiveDate::MIN,
        until: i64::MIN,
    };
    let (mut date, start, end) = parts.next().filter(|(_, start, _)| !is_leave(idle_since, *start))?;
    let time = schedule.zone_at(instant(start)).local(instant(start)).time();
    idle_since = end;
    while left > 0 {
        let (next, start, end) = parts.next().filter(|(_, start, _)| !is_leave(idle_since, *start))?;
        idle_since = end;
        if next <= date {
            continue;
        }
        date = next;
        left -= 1;
        if left == 0 {
            let wanted = nanos(schedule.zone_on(date).end(date.and_time(time)));
            return Some(into_working_time(wanted, date, (start, end), parts));
        }
    }
    None
}

/// The wanted instant, moved into the working time of a date whose first part
/// is given.
fn into_working_time(wanted: i64, date: NaiveDate, first: (i64, i64), others: Parts<'_>) -> i64 {
    let others = others.take_while(|(other, ..)| *other == date).map(|(_, start, end)| (start, end));
    let mut close = first.1;
    for (start, end) in std::iter::once(first).chain(others) {
        if wanted < end {
            return wanted.max(start);
        }
        close = end;
    }
    close
}

fn is_leave(from: i64, to: i64) -> bool {
    LEAVE.num_nanoseconds().is_some_and(|leave| to - from >= leave)
}

/// Working time, cut where local dates begin; each part with its date.
struct Parts<'a> {
    walk: Walk<'a>,
    schedule: &'a Schedule,
    /// What is left of the piece being cut.
    rest: Option<(i64, i64)>,
    /// The date of the last part, and its end.
    date: NaiveDate,
    until: i64,
}

impl Iterator for Parts<'_> {
    type Item = (NaiveDate, i64, i64);

    fn next(&mut self) -> Option<Self::Item> {
        let (start, end) = self.rest.take().or_else(|| self.walk.next())?;
        if start >= self.until {
            (self.date, self.until) = self.schedule.date_at(start);
        }
        if end > self.until {
            self.rest = Some((self.until, end));
        }
        Some((self.date, start, end.min(self.until)))
    }
}

impl FromStr for Window {
    type Err = InvalidWindow;

    fn from_str(text: &str) -> Result<Self, InvalidWindow> {
        let text = text.trim();
        let number = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        if number.is_empty() || !number.bytes().all(|c| c.is_ascii_digit()) {
            return Err(InvalidWindow::Form);
        }
        let count = number.parse().unwrap_or(u32::MAX); // only digits: too many of them
        match text.get(number.len()..) {
            Some("m") => Self::minutes(count),
            Some("h") => Self::hours(count),
            Some("d") => Self::days(count),
            _ => Err(InvalidWindow::Form),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Length::Minutes(minutes) if minutes.is_multiple_of(60) => write!(f, "{}h", minutes / 60),
            Length::Minutes(minutes) => write!(f, "{minutes}m"),
            Length::Days(days) => write!(f, "{days}d"),
        }
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
