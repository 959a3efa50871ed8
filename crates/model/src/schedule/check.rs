//! What a schedule must be: the limits, and that nothing overlaps. Each error
//! names its field.

use super::{
    Alternate, DAY, DAYS, Interval, InvalidSchedule, MAX_CHANGES, MAX_HOLIDAYS, MAX_INTERVALS, MAX_LABEL, MAX_STAYS,
    MAX_TIME_OFF, MAX_WEEKS, Moment, Schedule, TimeOff, Weekly, timeline,
};
use chrono::{Datelike, Days, NaiveDate, Weekday};

impl Schedule {
    /// The schedule in order and with what follows from it, if nothing is wrong.
    pub(super) fn checked(mut self) -> Result<Self, InvalidSchedule> {
        check_hours("", &mut self.weekly, &mut self.alternate)?;
        at_most("changes", self.changes.len(), MAX_CHANGES)?;
        for (index, change) in self.changes.iter_mut().enumerate() {
            check_hours(&format!("changes[{index}]."), &mut change.weekly, &mut change.alternate)?;
        }
        at_most("stays", self.stays.len(), MAX_STAYS)?;
        for (index, stay) in self.stays.iter().enumerate() {
            if stay.to < stay.from {
                return Err(InvalidSchedule::new(format!("stays[{index}].to"), "is before `from`"));
            }
        }
        at_most("time_off", self.time_off.len(), MAX_TIME_OFF)?;
        check_off("time_off", &self.time_off)?;
        at_most("holidays", self.holidays.len(), MAX_HOLIDAYS)?;
        check_off("holidays", &self.holidays)?;

        let dates = |from: NaiveDate| (from, from);
        apart("changes", self.changes.iter().map(|change| dates(change.from)).collect())?;
        apart("stays", self.stays.iter().map(|stay| (stay.from, stay.to)).collect())?;
        self.changes.sort_by_key(|change| change.from);
        self.stays.sort_by_key(|stay| stay.from);
        self.runs = timeline::runs(&self);
        self.off = self.lived();
        Ok(self)
    }
}

fn at_most(field: &str, count: usize, most: usize) -> Result<(), InvalidSchedule> {
    if count > most {
        return Err(InvalidSchedule::new(field, format!("{count} entries; {most} are allowed")));
    }
    Ok(())
}

/// Whether no two of a list, each from a date to another, have a date in common.
fn apart(field: &str, spans: Vec<(NaiveDate, NaiveDate)>) -> Result<(), InvalidSchedule> {
    let mut order: Vec<_> = spans.into_iter().enumerate().map(|(index, (from, to))| (from, to, index)).collect();
    order.sort_unstable();
    for pair in order.windows(2) {
        if let [(_, to, one), (from, _, other)] = pair
            && from <= to
        {
            let (later, earlier) = (one.max(other), one.min(other));
            return Err(InvalidSchedule::new(format!("{field}[{later}]"), format!("overlaps {field}[{earlier}]")));
        }
    }
    Ok(())
}

/// Checks the weeks that follow each other, and brings each day in order.
fn check_hours(path: &str, weekly: &mut Weekly, alternate: &mut Option<Alternate>) -> Result<(), InvalidSchedule> {
    if let Some(alternate) = alternate.as_ref() {
        if alternate.from.weekday() != Weekday::Mon {
            let monday =
                alternate.from.checked_sub_days(Days::new(alternate.from.weekday().num_days_from_monday().into()));
            let monday = monday.unwrap_or(alternate.from);
            let problem = format!("is a {}; a week begins on Monday, {monday}", alternate.from.format("%A"));
            return Err(InvalidSchedule::new(format!("{path}alternate.from"), problem));
        }
        let field = format!("{path}alternate.weeks");
        if alternate.weeks.is_empty() {
            return Err(InvalidSchedule::new(field, "is empty; leave `alternate` out where all weeks are alike"));
        }
        at_most(&field, alternate.weeks.len(), MAX_WEEKS - 1)?;
    }
    let others = alternate.iter_mut().flat_map(|alternate| &mut alternate.weeks);
    let weeks: Vec<&mut Weekly> = std::iter::once(weekly).chain(others).collect();
    check_weeks(path, &weeks)?;
    for day in weeks.into_iter().flatten() {
        day.sort_unstable();
    }
    Ok(())
}

/// Where an interval is written: its week, its weekday, and which of the day.
type Place = (usize, usize, usize);

fn named(path: &str, (week, day, index): Place) -> String {
    let day = format!("{}[{index}]", DAYS.get(day).unwrap_or(&""));
    match week.checked_sub(1) {
        None => format!("{path}weekly.{day}"),
        Some(other) => format!("{path}alternate.weeks[{other}].{day}"),
    }
}

fn check_weeks(path: &str, weeks: &[&mut Weekly]) -> Result<(), InvalidSchedule> {
    // Minutes after the first Monday's midnight, to see what runs into the next day.
    let mut all = Vec::new();
    let mut midnight = 0;
    for (week, days) in weeks.iter().enumerate() {
        for (day, intervals) in days.iter().enumerate() {
            let place = |index| (week, day, index);
            if intervals.len() > MAX_INTERVALS {
                let field = named(path, place(0));
                let problem = format!("{} intervals; {MAX_INTERVALS} a day are allowed", intervals.len());
                return Err(InvalidSchedule::new(field.trim_end_matches("[0]"), problem));
            }
            for (index, interval) in intervals.iter().enumerate() {
                check_interval(*interval)
                    .map_err(|problem| InvalidSchedule::new(named(path, place(index)), problem))?;
                let Interval { start, end } = *interval;
                all.push((midnight + u32::from(start), midnight + u32::from(end), place(index)));
            }
            midnight += u32::from(DAY);
        }
    }
    all.sort_unstable();
    // Round the cycle: after the last week comes the first again.
    let around = all.first().map(|(start, end, place)| (start + midnight, end + midnight, *place));
    let mut next = all.iter().skip(1).chain(&around);
    for (_, end, place) in &all {
        if let Some((start, _, other)) = next.next()
            && start < end
        {
            // With a single interval, `around` is itself a cycle later and never overlaps.
            let (later, earlier) = (named(path, *place.max(other)), named(path, *place.min(other)));
            return Err(InvalidSchedule::new(later, format!("overlaps {earlier}")));
        }
    }
    Ok(())
}

fn check_interval(Interval { start, end }: Interval) -> Result<(), &'static str> {
    let whole = (start, end) == (0, DAY);
    if start == end {
        Err("is empty: it ends when it starts")
    } else if start >= DAY || end < start || (end - start >= DAY && !whole) {
        Err("must start on its day and last less than 24 hours, or be the whole day")
    } else {
        Ok(())
    }
}

fn check_off(field: &str, entries: &[TimeOff]) -> Result<(), InvalidSchedule> {
    for (index, off) in entries.iter().enumerate() {
        if off.end() <= off.start() {
            let problem = if matches!(off.to, Moment::Day(_)) { "is before `from`" } else { "is not after `from`" };
            return Err(InvalidSchedule::new(format!("{field}[{index}].to"), problem));
        }
        if off.label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL) {
            let problem = format!("is longer than {MAX_LABEL} letters");
            return Err(InvalidSchedule::new(format!("{field}[{index}].label"), problem));
        }
    }
    Ok(())
}
