//! Which hours and which zone a date has, and what that makes of local times.
//!
//! Every date is spent in one zone: that of the stay it lies in, else the one
//! at home. Its hours and its time off are read by the clock of that zone, the
//! hours to their end, also past midnight. Where the zone changes between two
//! dates, the later one begins when the earlier is over where that was spent:
//! - going east, the clock goes ahead, and what would lie before that moment
//!   has no room, as in the hour that clocks skip;
//! - going west, the old clock shows the new date until it begins in the new
//!   zone as well, and nobody's hours lie between.

use super::{Alternate, Interval, Moment, Schedule, TimeOff, Weekly};
use crate::working::{instant, nanos};
use crate::zone::Zone;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// Dates that follow each other with the same hours, in one zone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The first of them, in days since 1970.
    pub(crate) first: i64,
    pub(crate) zone: Zone,
    /// Which change their hours are of; none, those of the schedule itself.
    change: Option<usize>,
    /// When the date before is over, where the zone changed: nothing is earlier.
    pub(crate) cut: i64,
    /// When the first date begins.
    opens: i64,
    /// When the clock begins to show the zone's time.
    pub(crate) begins: i64,
}

impl Run {
    /// All dates from ever on, with the hours of the schedule itself.
    pub(crate) fn first(zone: Zone) -> Self {
        Self { first: i64::MIN, zone, change: None, cut: i64::MIN, opens: i64::MIN, begins: i64::MIN }
    }

    /// The dates from one on, after those of `self`.
    fn then(&self, date: NaiveDate, zone: Zone, change: Option<usize>) -> Self {
        let midnight = date.and_time(NaiveTime::MIN);
        let start = nanos(zone.start(midnight));
        let (cut, opens) = if zone == self.zone {
            (self.cut, start.max(self.cut))
        } else {
            let over = nanos(self.zone.end(midnight)).max(self.cut);
            (over, over)
        };
        Self { first: number(date), zone, change, cut, opens, begins: start.max(cut) }
    }
}

/// A date in days since 1970.
fn number(date: NaiveDate) -> i64 {
    date.signed_duration_since(NaiveDate::default()).num_days()
}

/// The runs of a schedule whose changes and stays are in order and apart.
pub(super) fn runs(schedule: &Schedule) -> Vec<Run> {
    let ends = schedule.stays.iter().filter_map(|stay| stay.to.checked_add_days(Days::new(1)));
    let mut borders: Vec<NaiveDate> = schedule.changes.iter().map(|change| change.from).collect();
    borders.extend(schedule.stays.iter().map(|stay| stay.from).chain(ends));
    borders.sort_unstable();
    borders.dedup();

    let mut runs = vec![Run::first(schedule.zone)];
    let (mut home, mut change) = (schedule.zone, None);
    let mut changes = schedule.changes.iter().enumerate().peekable();
    let mut stays = schedule.stays.iter().peekable();
    for date in borders {
        while let Some((index, next)) = changes.next_if(|(_, next)| next.from <= date) {
            (home, change) = (next.zone.unwrap_or(home), Some(index));
        }
        while stays.next_if(|stay| stay.to < date).is_some() {}
        let zone = stays.peek().filter(|stay| stay.from <= date).map_or(home, |stay| stay.zone);
        if let Some(before) = runs.last() {
            runs.push(before.then(date, zone, change));
        }
    }
    runs
}

impl Schedule {
    /// The zone that the person's clock shows at an instant.
    #[must_use]
    pub fn zone_at(&self, at: DateTime<Utc>) -> Zone {
        self.run_at(nanos(at)).0.zone
    }

    /// The zone in which the person spends a date.
    #[must_use]
    pub fn zone_on(&self, date: NaiveDate) -> Zone {
        self.run_on(date).zone
    }

    /// The time off or public holiday that an instant lies in, whether there
    /// were hours or not.
    #[must_use]
    pub fn off_at(&self, at: DateTime<Utc>) -> Option<&TimeOff> {
        let at = nanos(at);
        self.time_off.iter().chain(&self.holidays).find(|off| {
            let (start, end) = self.span(off);
            start <= at && at < end
        })
    }

    /// The local date at an instant, and until when it is that date by the
    /// same clock.
    pub(crate) fn date_at(&self, at: i64) -> (NaiveDate, i64) {
        let (run, next) = self.run_at(at);
        let date = run.zone.local(instant(at)).date();
        let midnight = date.checked_add_days(Days::new(1)).unwrap_or(date).and_time(NaiveTime::MIN);
        let mut until = nanos(run.zone.start(midnight));
        if until <= at {
            // Clocks went back over midnight: this date is lived a second time.
            until = nanos(run.zone.end(midnight));
        }
        (date, next.map_or(until, |next| until.min(next.begins)))
    }

    /// All runs, in order; there is one at least.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The intervals that begin on a date of a run, in order.
    pub(crate) fn on(&self, run: &Run, date: i64) -> &[Interval] {
        let change = run.change.and_then(|index| self.changes.get(index));
        let (weekly, alternate) =
            change.map_or((&self.weekly, &self.alternate), |change| (&change.weekly, &change.alternate));
        let week = alternate.as_ref().map_or(weekly, |alternate| in_turn(weekly, alternate, date));
        // 1970 began on a Thursday.
        let weekday = usize::try_from((date + 3).rem_euclid(7)).unwrap_or_default();
        week.get(weekday).map_or(&[], Vec::as_slice)
    }

    /// Time off and holidays as instants: half-open spans in nanoseconds since
    /// 1970, in order, merged.
    pub(crate) fn off(&self) -> &[(i64, i64)] {
        &self.off
    }

    pub(super) fn lived(&self) -> Vec<(i64, i64)> {
        let mut spans: Vec<_> = self.time_off.iter().chain(&self.holidays).map(|off| self.span(off)).collect();
        spans.retain(|(start, end)| start < end);
        spans.sort_unstable();
        spans.dedup_by(|next, kept| {
            let touches = next.0 <= kept.1;
            if touches {
                kept.1 = kept.1.max(next.1);
            }
            touches
        });
        spans
    }

    fn span(&self, off: &TimeOff) -> (i64, i64) {
        (self.begin(off.start()), self.over(off))
    }

    /// When a time off begins that begins at a local time.
    fn begin(&self, local: NaiveDateTime) -> i64 {
        let run = self.run_on(local.date());
        if local.time() == NaiveTime::MIN && number(local.date()) == run.first {
            return run.opens;
        }
        nanos(run.zone.start(local)).max(run.cut)
    }

    /// When a time off is over.
    fn over(&self, off: &TimeOff) -> i64 {
        let local = off.end();
        let last = match off.to {
            Moment::Day(date) => date,
            // Midnight ends the date before it.
            Moment::Time(time) => time.checked_sub_signed(TimeDelta::nanoseconds(1)).unwrap_or(time).date(),
        };
        let run = self.run_on(last);
        nanos(run.zone.end(local)).max(run.cut)
    }

    fn run_on(&self, date: NaiveDate) -> Run {
        let date = number(date);
        let next = if self.runs.len() > 1 { self.runs.partition_point(|run| run.first <= date) } else { 1 };
        self.run(next).0
    }

    /// The run whose clock is shown at an instant, and the next.
    fn run_at(&self, at: i64) -> (Run, Option<&Run>) {
        let next = if self.runs.len() > 1 { self.runs.partition_point(|run| run.begins <= at) } else { 1 };
        self.run(next)
    }

    fn run(&self, next: usize) -> (Run, Option<&Run>) {
        let run = self.runs.get(next.saturating_sub(1)).copied();
        (run.unwrap_or_else(|| Run::first(self.zone)), self.runs.get(next))
    }
}

/// The week of a date where weeks follow each other in turn.
fn in_turn<'a>(weekly: &'a Weekly, alternate: &'a Alternate, date: i64) -> &'a Weekly {
    let weeks = (date - number(alternate.from)).div_euclid(7);
    let turn = weeks.rem_euclid(i64::try_from(alternate.weeks.len() + 1).unwrap_or(1));
    let other = usize::try_from(turn - 1).ok().and_then(|other| alternate.weeks.get(other));
    other.unwrap_or(weekly)
}
