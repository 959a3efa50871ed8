//! A yearly repetition of a calendar's event (RFC 5545, 3.3.10): the part of
//! its rules that public holidays need. Another rhythm is refused.

use super::{InvalidCalendar, cut, date_of, moment};
use chrono::{Datelike, NaiveDate, Weekday};

/// A yearly repetition.
pub(super) struct Rule {
    every: i32,
    count: Option<u32>,
    until: Option<NaiveDate>,
    months: Vec<i32>,
    days: Vec<i32>,
    /// Weekdays, each with which one of the month or year; 0, all of them.
    weekdays: Vec<(i32, Weekday)>,
}

impl Rule {
    /// Reads the value of an `RRULE`.
    pub(super) fn read(text: &str) -> Result<Self, String> {
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

    /// The dates it names, from `start` to the end of a span of dates, and those
    /// not long before it; each date that is looked at takes one of `looks`.
    pub(super) fn dates(
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
