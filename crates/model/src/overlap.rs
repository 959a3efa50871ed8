//! When several people work at the same time, a slot in which they can meet,
//! and who bears the odd hours of it.
//!
//! What core hours there are is agreed elsewhere; here they are a schedule.

use crate::schedule::Schedule;
use crate::working::{Span, Working};
use crate::zone::Zone;
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};

/// The stretches between two instants in which at least `at_least` of the
/// people work, in order, cut to them. Who works may change within one;
/// nobody asked of, or more than there are, is nothing.
///
/// Takes time in proportion to people × stretches.
#[must_use]
pub fn overlap<'a>(people: &[&'a Schedule], at_least: usize, from: DateTime<Utc>, to: DateTime<Utc>) -> Overlap<'a> {
    let people = if at_least == 0 || at_least > people.len() { &[] } else { people };
    let people = people.iter().map(|schedule| Person::new(schedule.working(from, to))).collect();
    Overlap { people, at_least, at: from, to }
}

/// The first slot of a length between two instants in which the same people,
/// `at_least` of them or more, work from its start to its end. A slot without
/// length is none.
#[must_use]
pub fn next_slot(
    people: &[&Schedule],
    at_least: usize,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    length: TimeDelta,
) -> Option<Span> {
    if at_least == 0 || length <= TimeDelta::zero() {
        return None;
    }
    let mut people: Vec<_> = people.iter().map(|schedule| Person::new(schedule.working(from, to))).collect();
    let mut start = from;
    loop {
        let end = start.checked_add_signed(length)?;
        // Those who work until the end, and when the next of the others comes.
        let (mut present, mut next) = (0, None);
        for person in &mut people {
            person.skip(|span| span.end < end || span.length() < length);
            match person.present {
                Some(span) if span.start <= start => present += 1,
                Some(span) => next = Some(next.map_or(span.start, |next: DateTime<Utc>| next.min(span.start))),
                None => {}
            }
        }
        if present >= at_least {
            return Some(Span { start, end });
        }
        start = next?;
    }
}

/// A stretch of common working time, inside of core hours or outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Marked {
    /// The stretch.
    pub span: Span,
    /// Whether it lies in core hours.
    pub core: bool,
}

/// Cuts stretches where core hours begin and end. Core hours are a schedule:
/// weekly hours in the zone they were agreed in.
#[must_use]
pub fn marked(spans: impl IntoIterator<Item = Span>, core: &Schedule) -> Vec<Marked> {
    let mut out = Vec::new();
    for Span { start, end } in spans {
        let mut rest = start;
        let mut push = |start, end, core| {
            if start < end {
                out.push(Marked { span: Span { start, end }, core });
            }
        };
        for inside in core.working(start, end) {
            push(rest, inside.start, false);
            push(inside.start, inside.end, true);
            rest = inside.end;
        }
        push(rest, end, false);
    }
    out
}

/// A meeting of every week, the first of them given: at the same local time in
/// a zone, and as long each time.
pub fn weekly(first: Span, zone: Zone, weeks: u32) -> impl Iterator<Item = Span> {
    let local = zone.local(first.start);
    (0..weeks).filter_map(move |week| {
        let local = local.checked_add_days(Days::new(7 * u64::from(week)))?;
        let start = if week == 0 { first.start } else { zone.start(local) };
        Some(Span { start, end: start.checked_add_signed(first.length())? })
    })
}

/// How many meetings a person has outside of their day: those of which any
/// part lies before 9:00 or after 18:00 by their own clock, where they are
/// then. Weekends and time off count as every day: it is about who bears the
/// odd hours, not about who comes.
#[must_use]
pub fn outside_day(person: &Schedule, meetings: impl IntoIterator<Item = Span>) -> usize {
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
    let (opens, closes) = (time(9), time(18));
    let inside = |meeting: &Span| {
        let zone = person.zone_at(meeting.start);
        let (start, end) = (zone.local(meeting.start), zone.local(meeting.end));
        start.date() == end.date() && start.time() >= opens && end.time() <= closes
    };
    meetings.into_iter().filter(|meeting| !inside(meeting)).count()
}

/// Common working time: see [`overlap`].
#[derive(Clone, Debug)]
pub struct Overlap<'a> {
    people: Vec<Person<'a>>,
    at_least: usize,
    /// Everything before it has been looked at.
    at: DateTime<Utc>,
    to: DateTime<Utc>,
}

/// One person's stretches, and the one that ends next.
#[derive(Clone, Debug)]
struct Person<'a> {
    stretches: Working<'a>,
    present: Option<Span>,
}

impl<'a> Person<'a> {
    fn new(mut stretches: Working<'a>) -> Self {
        let present = stretches.next();
        Self { stretches, present }
    }

    /// Lets go of the stretches that are of no use.
    fn skip(&mut self, useless: impl Fn(Span) -> bool) {
        while self.present.is_some_and(&useless) {
            self.present = self.stretches.next();
        }
    }
}

impl Overlap<'_> {
    /// Whether enough people work at `at`, and when that may change next.
    fn look(&mut self) -> (bool, DateTime<Utc>) {
        let mut working = 0;
        let mut change = self.to;
        for person in &mut self.people {
            person.skip(|span| span.end <= self.at);
            if let Some(span) = person.present {
                let works = span.contains(self.at);
                working += usize::from(works);
                change = change.min(if works { span.end } else { span.start });
            }
        }
        (!self.people.is_empty() && working >= self.at_least, change)
    }
}

impl Iterator for Overlap<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let mut start = None;
        while self.at < self.to {
            let (enough, change) = self.look();
            match start {
                None if enough => start = Some(self.at),
                Some(start) if !enough => return Some(Span { start, end: self.at }),
                _ => {}
            }
            self.at = change;
        }
        start.map(|start| Span { start, end: self.to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Schedule;

    fn proposed(zone: &str) -> Schedule {
        Schedule::proposed(zone.parse().unwrap())
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn day(people: &[&Schedule], at_least: usize) -> Vec<String> {
        overlap(people, at_least, utc("2026-06-09T00:00:00Z"), utc("2026-06-10T00:00:00Z"))
            .map(|span| format!("{}-{}", span.start.format("%H:%M"), span.end.format("%H:%M")))
            .collect()
    }

    #[test]
    fn all_of_them_or_enough_of_them() {
        // Works 08–12 and 13–17 UTC in Lisbon, 13–17 and 18–22 in New York, 01–05 and 06–10 in Taipei.
        let (ana, sam, mei) = (proposed("Europe/Lisbon"), proposed("America/New_York"), proposed("Asia/Taipei"));
        assert_eq!(day(&[&ana, &sam], 2), ["13:00-17:00"]);
        assert_eq!(day(&[&ana, &mei], 2), ["08:00-10:00"]);
        assert_eq!(day(&[&ana, &sam, &mei], 3), Vec::<String>::new());
        assert_eq!(day(&[&ana, &sam, &mei], 2), ["08:00-10:00", "13:00-17:00"]);
        assert_eq!(day(&[&ana, &sam, &mei], 1), ["01:00-05:00", "06:00-12:00", "13:00-17:00", "18:00-22:00"]);
        assert_eq!(day(&[&ana], 2), Vec::<String>::new(), "more than there are");
        assert_eq!(day(&[&ana], 0), Vec::<String>::new(), "nobody asked of");
        assert_eq!(day(&[], 0), Vec::<String>::new());
    }

    #[test]
    fn a_slot_is_of_the_same_people_from_its_start_to_its_end() {
        let hours = |weekly: &str| -> Schedule {
            serde_json::from_str(&format!(r#"{{"zone":"UTC","weekly":{{"tue":[{weekly}]}}}}"#)).unwrap()
        };
        let (a, b, c) = (
            hours(r#"["09:00","10:00"]"#),
            hours(r#"["09:00","11:00"]"#),
            hours(r#"["10:00","11:00"],["14:00","18:00"]"#),
        );
        let d = hours(r#"["16:00","20:00"]"#);
        let people = [&a, &b, &c, &d];
        let from = utc("2026-06-09T00:00:00Z");
        let slot = |minutes| {
            let slot = next_slot(&people, 2, from, from + TimeDelta::days(1), TimeDelta::minutes(minutes));
            slot.map(|slot| slot.start.format("%H:%M").to_string())
        };
        assert_eq!(slot(60).unwrap(), "09:00");
        assert_eq!(slot(61).unwrap(), "16:00", "at 10:00 one goes and another comes");
        assert_eq!(slot(121), None);
    }

    #[test]
    fn core_hours_are_marked() {
        let spans = [Span { start: utc("2026-06-09T08:00:00Z"), end: utc("2026-06-09T14:00:00Z") }];
        let core: Schedule =
            serde_json::from_str(r#"{"zone":"Europe/Lisbon","weekly":{"tue":[["10:00","12:00"],["15:00","16:00"]]}}"#)
                .unwrap();
        let shown: Vec<_> = marked(spans, &core)
            .into_iter()
            .map(|Marked { span, core }| format!("{}-{} {core}", span.start.format("%H:%M"), span.end.format("%H:%M")))
            .collect();
        assert_eq!(shown, ["08:00-09:00 false", "09:00-11:00 true", "11:00-14:00 false"]);
    }

    #[test]
    fn odd_hours_are_counted_by_each_ones_own_clock() {
        let (ana, sam, mei) = (proposed("Europe/Lisbon"), proposed("America/New_York"), proposed("Asia/Taipei"));
        // Tuesdays at 14:00 in Lisbon: 9:00 in New York, 10:00 while only one of them has changed its
        // clocks; 21:00 or 22:00 in Taipei.
        let first = Span { start: utc("2026-06-09T13:00:00Z"), end: utc("2026-06-09T13:45:00Z") };
        let meetings: Vec<_> = weekly(first, ana.zone(), 52).collect();
        assert_eq!((meetings.len(), meetings[30].start), (52, utc("2027-01-05T14:00:00Z")));
        let outside = |person| outside_day(person, meetings.iter().copied());
        assert_eq!((outside(&ana), outside(&sam), outside(&mei)), (0, 0, 52));
        let early = Span { start: utc("2026-06-09T12:30:00Z"), end: utc("2026-06-09T13:30:00Z") };
        assert_eq!(outside_day(&sam, weekly(early, sam.zone(), 4)), 4, "any part counts");
        let late = Span { start: utc("2026-06-09T16:30:00Z"), end: utc("2026-06-09T17:00:01Z") };
        assert_eq!(outside_day(&ana, [late]), 1);
    }

    #[test]
    fn the_next_slot_is_long_enough() {
        let (ana, sam) = (proposed("Europe/Lisbon"), proposed("America/New_York"));
        let people = [&ana, &sam];
        let from = utc("2026-06-12T15:30:00Z"); // a Friday
        let slot = |hours| next_slot(&people, 2, from, from + TimeDelta::weeks(4), TimeDelta::hours(hours));
        assert_eq!(slot(1).unwrap().start, from);
        assert_eq!(slot(2).unwrap(), Span { start: utc("2026-06-15T13:00:00Z"), end: utc("2026-06-15T15:00:00Z") });
        assert_eq!(slot(5), None);
        assert_eq!(slot(0), None);
    }
}
