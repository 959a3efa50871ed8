//! Public holidays out of the text of a calendar (ICS, RFC 5545), as it is
//! published for subscription.
//!
//! Line by line, and only what such a calendar says: days and local times,
//! once, every year, or on listed dates. An event that comes more often than
//! yearly is no public holiday and refused. The text, the span that is asked
//! for, the holidays in it and the dates that are looked at for them are
//! bounded, so that no calendar takes longer than about a second. Nothing is
//! fetched here.

mod rule;

use crate::schedule::{MAX_HOLIDAYS, MAX_LABEL, Moment, TimeOff};
use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use rule::Rule;
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
