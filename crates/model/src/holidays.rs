//! Public holidays out of the text of a calendar (ICS, RFC 5545), as it is
//! published for subscription.
//!
//! Line by line, and only what such a calendar says: days and local times,
//! once, every year, or on listed dates. An event that comes more often than
//! yearly is no public holiday and refused. The text, the span that is asked
//! for, the holidays in it and the dates that are looked at for them are
//! bounded, so that no calendar takes longer than about a second. Nothing is
//! fetched here.

use crate::schedule::{MAX_HOLIDAYS, MAX_LABEL, Moment, TimeOff};
use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Weekday};
use std::collections::HashSet;

/// Bytes of a calendar at most.
pub const MAX_BYTES: usize = 4 << 20;
/// Days of a span at most: eleven years.
pub const MAX_DAYS: i64 = 11 * 366;
/// Dates that are looked at for one calendar at most.
const MAX_LOOKS: u32 = 5_000_000;

/// Why a text gives no holidays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCalendar {
    /// It is something else.
    #[error("this is no calendar: it does not begin with BEGIN:VCALENDAR")]
    NotCalendar,
    /// More than [`MAX_BYTES`].
    #[error("the calendar is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// More than [`MAX_DAYS`], or backwards.
    #[error("holidays are read for 1 day to 11 years")]
    Span,
    /// More than [`MAX_HOLIDAYS`] in the span.
    #[error("there are more than {MAX_HOLIDAYS} holidays; is this a calendar of public holidays?")]
    TooMany,
    /// Its rules go over too many dates.
    #[error("the calendar's repetitions go over too many dates")]
    TooLong,
    /// A line that can't be read.
    #[error("line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// The holidays of a calendar that lie in a span of dates, both included, in
/// order. Times are taken for the person's own, whatever zone they name;
/// cancelled events are left out.
///
/// # Errors
/// Says what is too much, or which line can't be read.
pub fn read(calendar: &str, from: NaiveDate, to: NaiveDate) -> Result<Vec<TimeOff>, InvalidCalendar> {
    if calendar.len() > MAX_BYTES {
        return Err(InvalidCalendar::TooLarge);
    }
    if !(0..MAX_DAYS).contains(&(to - from).num_days()) {
        return Err(InvalidCalendar::Span);
    }
    let events = events(calendar)?;
    let moved: HashSet<(String, NaiveDate)> =
        events.iter().filter_map(|event| Some((event.uid.clone(), event.instead_of?))).collect();
    let mut out = Vec::new();
    let mut looks = MAX_LOOKS;
    for event in events.iter().filter(|event| !event.cancelled) {
        let without = |date: &NaiveDate| {
            let moved = event.instead_of.is_none() && moved.contains(&(event.uid.clone(), *date));
            !moved && !event.without.contains(date)
        };
        for date in event.dates(from, to, &mut looks)?.into_iter().filter(without) {
            let off = event.on(date);
            let lies = off.end() > from.and_time(NaiveTime::MIN) && off.start().date() <= to && off.start() < off.end();
            if lies && out.len() == MAX_HOLIDAYS {
                return Err(InvalidCalendar::TooMany);
            }
            out.extend(lies.then_some(off));
        }
    }
    out.sort_by_key(TimeOff::start);
    Ok(out)
}

/// An event that may be a holiday.
#[derive(Default)]
struct Event {
    uid: String,
    label: String,
    start: Option<Moment>,
    end: Option<Moment>,
    length: Option<TimeDelta>,
    rule: Option<Rule>,
    also: Vec<NaiveDate>,
    without: HashSet<NaiveDate>,
    /// The date of a series that this one stands for.
    instead_of: Option<NaiveDate>,
    cancelled: bool,
}

fn events(calendar: &str) -> Result<Vec<Event>, InvalidCalendar> {
    let mut events = Vec::new();
    let mut event: Option<Event> = None;
    // Components inside of an event, say alarms: their lines are not its own.
    let mut inside = 0_usize;
    let mut lines = unfolded(calendar);
    let first = lines.next().map(|(_, line)| line);
    if !first.is_some_and(|line| line.trim().eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
        return Err(InvalidCalendar::NotCalendar);
    }
    for (line, text) in lines {
        let Some((name, value)) = property(&text) else { continue };
        match (name.as_str(), &mut event) {
            ("BEGIN", Some(_)) => inside += 1,
            ("BEGIN", None) if value.eq_ignore_ascii_case("VEVENT") => event = Some(Event::default()),
            ("END", Some(_)) if inside > 0 => inside -= 1,
            ("END", Some(_)) => events.extend(event.take().filter(|event| event.start.is_some())),
            (name, Some(event)) if inside == 0 => {
                event.take(name, value).map_err(|problem| InvalidCalendar::Line { line, problem })?;
            }
            _ => {}
        }
    }
    Ok(events)
}

/// The lines with their numbers, those that go on in the next put together.
fn unfolded(calendar: &str) -> impl Iterator<Item = (usize, String)> {
    let calendar = calendar.strip_prefix('\u{feff}').unwrap_or(calendar);
    let mut lines = calendar.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    std::iter::from_fn(move || {
        let (index, first) = lines.next()?;
        let mut line = first.to_owned();
        while let Some((_, more)) = lines.next_if(|(_, more)| more.starts_with([' ', '\t'])) {
            line.extend(more.chars().skip(1));
        }
        Some((index + 1, line))
    })
}

/// The name of a property in capitals, without its parameters, and its value.
fn property(line: &str) -> Option<(String, &str)> {
    let mut quoted = false;
    let colon = line.find(|c| {
        quoted ^= c == '"';
        c == ':' && !quoted
    })?;
    let (name, value) = line.split_at(colon);
    let name = name.split(';').next().unwrap_or_default();
    Some((name.trim().to_ascii_uppercase(), value.get(1..)?.trim()))
}

impl Event {
    /// Takes a property over; what says nothing of when it is, is passed by.
    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "UID" => self.uid = value.to_owned(),
            "SUMMARY" => self.label = plain(value),
            "DTSTART" => self.start = Some(moment(value)?),
            "DTEND" => self.end = Some(moment(value)?),
            "DURATION" => self.length = Some(duration(value)?),
            "RRULE" => self.rule = Some(Rule::read(value)?),
            "RDATE" => self.also.extend(dates(value)?),
            "EXDATE" => self.without.extend(dates(value)?),
            "RECURRENCE-ID" => self.instead_of = Some(date_of(moment(value)?)),
            "STATUS" => self.cancelled = value.eq_ignore_ascii_case("CANCELLED"),
            _ => {}
        }
        Ok(())
    }

    /// The dates on which it begins, up to the end of a span, and not long before it.
    fn dates(&self, from: NaiveDate, to: NaiveDate, looks: &mut u32) -> Result<Vec<NaiveDate>, InvalidCalendar> {
        let Some(start) = self.start.map(date_of) else { return Ok(Vec::new()) };
        let mut dates = match &self.rule {
            Some(rule) => rule.dates(start, from, to, looks)?,
            None => vec![start],
        };
        dates.extend(&self.also);
        dates.sort_unstable();
        dates.dedup();
        Ok(dates)
    }

    /// The holiday that begins on a date.
    fn on(&self, date: NaiveDate) -> TimeOff {
        let start = self.start.unwrap_or(Moment::Day(date));
        let mut off = match start {
            Moment::Day(first) => {
                let days = match (self.end, self.length) {
                    (Some(end), _) => (date_of(end) - first).num_days(),
                    (None, length) => length.map_or(1, |length| length.num_days()),
                };
                // The end of whole days is not included.
                let more = u64::try_from(days - 1).unwrap_or_default();
                TimeOff::days(date, date.checked_add_days(Days::new(more)).unwrap_or(date))
            }
            Moment::Time(first) => {
                let length = match (self.end, self.length) {
                    (Some(Moment::Time(end)), _) => end - first,
                    (Some(Moment::Day(end)), _) => end.and_time(NaiveTime::MIN) - first,
                    (None, length) => length.unwrap_or_default(),
                };
                let from = date.and_time(first.time());
                TimeOff::times(from, from.checked_add_signed(length).unwrap_or(from))
            }
        };
        off.label = (!self.label.is_empty()).then(|| self.label.chars().take(MAX_LABEL).collect());
        off
    }
}

/// A yearly repetition.
struct Rule {
    every: i32,
    count: Option<u32>,
    until: Option<NaiveDate>,
    months: Vec<i32>,
    days: Vec<i32>,
    /// Weekdays, each with which one of the month or year; 0, all of them.
    weekdays: Vec<(i32, Weekday)>,
}

impl Rule {
    fn read(text: &str) -> Result<Self, String> {
        let mut rule = Self { every: 1, count: None, until: None, months: vec![], days: vec![], weekdays: vec![] };
        let mut yearly = false;
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("{:?} is no part of a rule", cut(part)))?;
            match key.trim().to_ascii_uppercase().as_str() {
                "FREQ" => yearly = value.trim().eq_ignore_ascii_case("YEARLY"),
                "INTERVAL" => rule.every = numbers(value, 1..=1000)?.first().copied().unwrap_or(1),
                "COUNT" => {
                    let count = value.trim().parse().map_err(|_| format!("{:?} is no such number", cut(value)))?;
                    rule.count = Some(count);
                }
                "UNTIL" => rule.until = Some(date_of(moment(value)?)),
                "BYMONTH" => rule.months = numbers(value, 1..=12)?,
                "BYMONTHDAY" => rule.days = numbers(value, -31..=31)?,
                "BYDAY" => rule.weekdays = value.split(',').map(weekday).collect::<Result<_, _>>()?,
                "WKST" => {}
                other => return Err(format!("a repetition by {:?} is not understood", cut(other))),
            }
        }
        if !yearly {
            return Err("a public holiday comes every year (FREQ=YEARLY), not in another rhythm".to_owned());
        }
        Ok(rule)
    }

    fn dates(
        &self,
        start: NaiveDate,
        from: NaiveDate,
        to: NaiveDate,
        looks: &mut u32,
    ) -> Result<Vec<NaiveDate>, InvalidCalendar> {
        let last = self.until.map_or(to, |until| until.min(to));
        let mut left = self.count.unwrap_or(u32::MAX);
        // Where nothing is counted, nobody has to begin with the first year.
        let passed = if self.count.is_none() { (from.year() - 1 - start.year()).max(0) / self.every } else { 0 };
        let first = start.year().saturating_add(passed * self.every);
        let every = usize::try_from(self.every).unwrap_or(1);
        let mut dates = Vec::new();
        for year in (first..=last.year()).step_by(every) {
            let days = NaiveDate::from_ymd_opt(year, 1, 1).into_iter().flat_map(|first| first.iter_days());
            for date in days.take_while(|date| date.year() == year) {
                *looks = looks.checked_sub(1).ok_or(InvalidCalendar::TooLong)?;
                if date > last || left == 0 {
                    return Ok(dates);
                }
                if date >= start && self.names(date, start) {
                    left -= 1;
                    dates.push(date);
                }
            }
        }
        Ok(dates)
    }

    /// Whether a date of a year that counts is meant. What the rule leaves
    /// open is as in the first.
    fn names(&self, date: NaiveDate, start: NaiveDate) -> bool {
        let (month, day) = (signed(date.month()), signed(date.day()));
        let from_end = |day: i32, length: u32| day - signed(length) - 1;
        let free = self.days.is_empty() && self.weekdays.is_empty();
        let month_fits = match self.months.as_slice() {
            [] => !free || date.month() == start.month(),
            months => months.contains(&month),
        };
        let day_fits = match self.days.as_slice() {
            [] => !free || date.day() == start.day(),
            days => days.contains(&day) || days.contains(&from_end(day, u32::from(date.num_days_in_month()))),
        };
        let (nth, nth_last) = if self.months.is_empty() {
            let year = if date.leap_year() { 366 } else { 365 };
            (signed(date.ordinal0() / 7) + 1, (from_end(signed(date.ordinal()), year) + 1) / 7 - 1)
        } else {
            (signed(date.day0() / 7) + 1, (from_end(day, u32::from(date.num_days_in_month())) + 1) / 7 - 1)
        };
        let weekday_fits = self.weekdays.is_empty()
            || self
                .weekdays
                .iter()
                .any(|(n, weekday)| *weekday == date.weekday() && (*n == 0 || *n == nth || *n == nth_last));
        month_fits && day_fits && weekday_fits
    }
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn numbers(text: &str, allowed: std::ops::RangeInclusive<i32>) -> Result<Vec<i32>, String> {
    let number = |one: &str| one.trim().parse().ok().filter(|number| allowed.contains(number) && *number != 0);
    text.split(',').map(|one| number(one).ok_or_else(|| format!("{:?} is no such number", cut(one)))).collect()
}

/// `MO`, `4TH`, `-1MO`.
fn weekday(text: &str) -> Result<(i32, Weekday), String> {
    let wrong = || format!("{:?} is no weekday", cut(text));
    let text = text.trim();
    let (n, name) = text.split_at_checked(text.len().saturating_sub(2)).ok_or_else(wrong)?;
    let weekday = match name.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return Err(wrong()),
    };
    let n = if n.is_empty() { 0 } else { n.parse().ok().filter(|n| (-53..=53).contains(n)).ok_or_else(wrong)? };
    Ok((n, weekday))
}

/// `20261224` or `20261224T180000`, with or without `Z`.
fn moment(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    let day = |text| NaiveDate::parse_from_str(text, "%Y%m%d").ok().map(Moment::Day);
    let time = || NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), "%Y%m%dT%H%M%S").ok().map(Moment::Time);
    let known = if text.len() == 8 { day(text) } else { time() };
    known
        .filter(|moment| (0..=9999).contains(&date_of(*moment).year()))
        .ok_or_else(|| format!("{:?} is no day (20261224) and no time (20261224T180000)", cut(text)))
}

fn date_of(moment: Moment) -> NaiveDate {
    match moment {
        Moment::Day(date) => date,
        Moment::Time(time) => time.date(),
    }
}

fn dates(text: &str) -> Result<Vec<NaiveDate>, String> {
    // A period is told by its begin.
    text.split(',').map(|one| moment(one.split('/').next().unwrap_or_default()).map(date_of)).collect()
}

/// `P1D`, `P2W`, `PT4H30M`.
fn duration(text: &str) -> Result<TimeDelta, String> {
    let wrong = || format!("{:?} is no length such as P1D or PT4H", cut(text));
    let mut seconds = 0_i64;
    let mut number = String::new();
    for c in text.trim().trim_start_matches('+').strip_prefix('P').ok_or_else(wrong)?.chars() {
        let unit = match c {
            '0'..='9' if number.len() < 6 => {
                number.push(c);
                continue;
            }
            'T' => continue,
            'W' => 7 * 86_400,
            'D' => 86_400,
            'H' => 3_600,
            'M' => 60,
            'S' => 1,
            _ => return Err(wrong()),
        };
        seconds = seconds.saturating_add(std::mem::take(&mut number).parse::<i64>().map_err(|_| wrong())? * unit);
    }
    Ok(TimeDelta::seconds(seconds))
}

/// A text value without its escapes.
fn plain(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push(' '),
                Some(escaped) => out.push(escaped),
                None => {}
            },
            c => out.push(c),
        }
    }
    out
}

/// What was given, short enough for a message.
fn cut(given: &str) -> String {
    given.chars().take(40).collect()
}
