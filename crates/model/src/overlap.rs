//! When several people work at the same time.

use crate::schedule::Schedule;
use crate::working::{Span, Working};
use chrono::{DateTime, TimeDelta, Utc};

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

/// The first slot of a length between two instants in which at least
/// `at_least` of the people work from its start to its end. A slot without
/// length is none.
#[must_use]
pub fn next_slot(
    people: &[&Schedule],
    at_least: usize,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    length: TimeDelta,
) -> Option<Span> {
    let start = overlap(people, at_least, from, to).find(|span| span.length() >= length)?.start;
    (length > TimeDelta::zero()).then_some(Span { start, end: start + length })
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

    /// Lets go of what ended by an instant.
    fn go_to(&mut self, at: DateTime<Utc>) {
        while self.present.is_some_and(|span| span.end <= at) {
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
            person.go_to(self.at);
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
