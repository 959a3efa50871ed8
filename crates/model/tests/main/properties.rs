//! What holds for every schedule, message and window.

use crate::random::{config, minute, whole_days, world};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use meantime_model::Schedule;
use meantime_model::due::{Window, due};
use meantime_model::holidays;
use meantime_model::overlap::{next_slot, overlap};
use meantime_model::schedule::{Alternate, Change, Interval, Stay, TimeOff, Weekly};
use meantime_model::zone::Zone;
use proptest::prelude::*;

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![minutes(), (1..12u32).prop_map(|days| Window::days(days).unwrap()),]
}

fn minutes() -> impl Strategy<Value = Window> {
    (1..4000u32).prop_map(|minutes| Window::minutes(minutes).unwrap())
}

/// Instants with seconds and less, near a date.
fn instants(count: usize) -> impl Strategy<Value = Vec<i64>> {
    proptest::collection::vec(-1_000_000_000..6 * 86_400_000_000i64, count).prop_map(|mut all| {
        all.sort_unstable();
        all
    })
}

fn at(schedule: &Schedule, day: NaiveDate, micros: i64) -> DateTime<Utc> {
    minute(schedule, day, 0) + TimeDelta::microseconds(micros)
}

/// The schedule with one interval cut in two where it is given, if it has one.
fn split(schedule: &Schedule, day: usize, index: usize, place: u16) -> Option<Schedule> {
    let mut weekly: Weekly = schedule.weekly().clone();
    let intervals = &mut weekly[day];
    let index = index % intervals.len().max(1);
    let Interval { start, end } = *intervals.get(index)?;
    let cut = start + 1 + place % (end - start);
    // What is past midnight belongs to another date, which may be of another week or zone.
    let plain = schedule.alternate().is_none() && schedule.changes().is_empty() && schedule.stays().is_empty();
    if cut >= end || cut >= 1440 && !plain {
        return None;
    }
    intervals[index].end = cut;
    let next = usize::from(cut >= 1440);
    let midnight = 1440 * next as u16;
    weekly[(day + next) % 7].push(Interval { start: cut - midnight, end: end - midnight });
    Some(schedule.with_weekly(weekly).unwrap())
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn a_due_lies_in_working_time_or_at_its_close((schedule, day) in world(), at_ in instants(1), window in window()) {
        let at = at(&schedule, day, at_[0]);
        if let Ok(due) = due(&schedule, at, window) {
            prop_assert!(due > at || window == Window::days(1).unwrap());
            let close = schedule.works_at(due - TimeDelta::nanoseconds(1));
            prop_assert!(schedule.works_at(due) || close, "{}", due);
        }
    }

    #[test]
    fn a_later_message_is_never_due_earlier((schedule, day) in world(), at_ in instants(2), window in window()) {
        let (first, second) = (at(&schedule, day, at_[0]), at(&schedule, day, at_[1]));
        // The stated exception: the clock itself went back between the two.
        let shown = |at| schedule.works_from(at).map(|start| schedule.zone_at(start).local(start));
        prop_assume!(window.to_string().ends_with(['h', 'm']) || shown(first) <= shown(second));
        if let (Ok(first), Ok(second)) = (due(&schedule, first, window), due(&schedule, second, window)) {
            prop_assert!(first <= second);
        }
    }

    #[test]
    fn time_off_never_makes_a_due_in_hours_earlier((schedule, day) in world(), at_ in instants(1), window in minutes(), hours in 1..100i64, from in 0..200i64) {
        let start = day.and_hms_opt(0, 0, 0).unwrap() + TimeDelta::hours(from);
        let mut off = schedule.time_off().to_vec();
        off.push(TimeOff::times(start, start + TimeDelta::hours(hours)));
        let less = schedule.with_time_off(off).unwrap();
        let at = at(&schedule, day, at_[0]);
        if let (Ok(more), Ok(less)) = (due(&schedule, at, window), due(&less, at, window)) {
            prop_assert!(more <= less);
        }
    }

    #[test]
    fn whole_days_off_never_make_a_due_earlier(
        ((schedule, day), off) in world().prop_flat_map(|(schedule, day)| (Just((schedule, day)), whole_days(day))),
        at_ in instants(1),
        window in window(),
    ) {
        let mut all = schedule.time_off().to_vec();
        all.push(off);
        let less = schedule.with_time_off(all).unwrap();
        let at = at(&schedule, day, at_[0]);
        if let (Ok(more), Ok(less)) = (due(&schedule, at, window), due(&less, at, window)) {
            prop_assert!(more <= less);
        }
    }

    #[test]
    fn splitting_an_interval_changes_nothing(
        (schedule, day) in world(), at_ in instants(2), window in window(), cut in (0..7usize, 0..9usize, 0..1440u16),
    ) {
        if let Some(cut) = split(&schedule, cut.0, cut.1, cut.2) {
            let (from, to) = (at(&schedule, day, at_[0]), at(&schedule, day, at_[1]));
            prop_assert_eq!(due(&schedule, from, window), due(&cut, from, window));
            let spans = |schedule: &Schedule| schedule.working(from, to).collect::<Vec<_>>();
            prop_assert_eq!(spans(&schedule), spans(&cut));
            prop_assert_eq!(schedule.next_opening(from), cut.next_opening(from));
        }
    }

    #[test]
    fn what_changes_nothing_changes_nothing((schedule, day) in world(), at_ in instants(2), window in window(), from in -9..9i64, more in 0..9i64) {
        let (now, then) = (at(&schedule, day, at_[0]), at(&schedule, day, at_[1]));
        let (from, monday) = (day + TimeDelta::days(from), NaiveDate::from_ymd_opt(2026, 1, 5).unwrap());
        let rest = serde_json::Map::new;
        let weekly = schedule.weekly().clone();
        let plain = Schedule::new(schedule.zone(), weekly.clone(), schedule.time_off().to_vec()).unwrap();
        let stay = Stay { zone: plain.zone(), from, to: from + TimeDelta::days(more), rest: rest() };
        let change = Change { from, zone: None, weekly: weekly.clone(), alternate: None, rest: rest() };
        let alternate = Alternate { from: monday, weeks: vec![weekly; 2], rest: rest() };
        for same in [
            plain.with_stays(vec![stay]).unwrap(),
            plain.with_changes(vec![change]).unwrap(),
            plain.with_alternate(Some(alternate)).unwrap(),
            plain.with_time_off(Vec::new()).unwrap().with_holidays(plain.time_off().to_vec()).unwrap(),
        ] {
            prop_assert_eq!(due(&plain, now, window), due(&same, now, window));
            let spans = |schedule: &Schedule| schedule.working(now, then).collect::<Vec<_>>();
            prop_assert_eq!(spans(&plain), spans(&same));
            prop_assert_eq!(plain.off_at(now).is_some(), same.off_at(now).is_some());
        }
    }

    #[test]
    fn a_slot_is_the_first_that_enough_work_through(worlds in proptest::collection::vec(world(), 1..4), at_least in 1..4usize, length in 1..300i64) {
        let day = worlds[0].1;
        let people: Vec<&Schedule> = worlds.iter().map(|(schedule, _)| schedule).collect();
        let from = minute(people[0], day, 0);
        let (to, length) = (from + TimeDelta::days(3), TimeDelta::minutes(length));
        let enough = |start: DateTime<Utc>| {
            let all = |schedule: &&&Schedule| schedule.working_time_between(start, start + length) == length;
            start + length <= to && people.iter().filter(all).count() >= at_least
        };
        match next_slot(&people, at_least, from, to, length) {
            Some(slot) => {
                prop_assert!(slot.length() == length && enough(slot.start));
                prop_assert!(slot.start == from || !enough(slot.start - TimeDelta::nanoseconds(1)));
                let opens = people.iter().flat_map(|schedule| schedule.working(from, slot.start)).map(|span| span.start);
                prop_assert!(opens.chain([from]).all(|start| start >= slot.start || !enough(start)));
            }
            None => {
                let mut opens = people.iter().flat_map(|schedule| schedule.working(from, to)).map(|span| span.start);
                prop_assert!(!opens.any(enough));
            }
        }
    }

    #[test]
    fn working_time_adds_up((schedule, day) in world(), at_ in instants(3)) {
        let [a, b, c] = [0, 1, 2].map(|n| at(&schedule, day, at_[n]));
        let hours = |from, to| schedule.working_time_between(from, to);
        prop_assert_eq!(hours(a, b) + hours(b, c), hours(a, c));
        prop_assert_eq!(hours(c, a), TimeDelta::zero().min(a - c) * i32::from(a > c));
        let spans: TimeDelta = schedule.working(a, c).map(|span| span.length()).sum();
        prop_assert_eq!(spans, hours(a, c));
    }

    #[test]
    fn openings_and_ends_are_where_work_changes((schedule, day) in world(), at_ in instants(1)) {
        let now = at(&schedule, day, at_[0]);
        let tick = TimeDelta::nanoseconds(1);
        if let Some(opening) = schedule.next_opening(now) {
            prop_assert!(opening > now && schedule.works_at(opening) && !schedule.works_at(opening - tick));
        }
        match schedule.end_of_stretch(now) {
            Some(end) => prop_assert!(schedule.works_at(now) && schedule.works_at(end - tick) && !schedule.works_at(end)),
            None => prop_assert!(!schedule.works_at(now) || schedule.next_opening(now).is_none()),
        }
    }

    #[test]
    fn enough_people_work_in_an_overlap(worlds in proptest::collection::vec(world(), 1..4), at_least in 1..4usize, ask in 0..5 * 1440i64) {
        let day = worlds[0].1;
        let people: Vec<&Schedule> = worlds.iter().map(|(schedule, _)| schedule).collect();
        let from = minute(people[0], day, 0);
        let to = from + TimeDelta::days(5);
        let at = from + TimeDelta::minutes(ask);
        let enough = people.iter().filter(|schedule| schedule.works_at(at)).count() >= at_least;
        let spans: Vec<_> = overlap(&people, at_least, from, to).collect();
        prop_assert_eq!(spans.iter().any(|span| span.contains(at)), enough);
        prop_assert!(spans.windows(2).all(|pair| pair[0].end < pair[1].start), "in order, not touching");
        prop_assert!(spans.iter().all(|span| from <= span.start && span.start < span.end && span.end <= to));
    }

    #[test]
    fn a_schedule_survives_its_file((schedule, _) in world()) {
        let file = serde_json::to_string(&schedule).unwrap();
        prop_assert_eq!(serde_json::from_str::<Schedule>(&file).unwrap(), schedule);
    }

}

proptest! {
    // Looking for the nearest name takes its time.
    #![proptest_config(config(200))]

    #[test]
    fn no_text_is_a_panic(text in "\\PC{0,12}", digits in "[0-9hmdT: -]{0,12}", micros in any::<i64>()) {
        let schedule = Schedule::proposed(Zone::UTC);
        let now = DateTime::from_timestamp_micros(micros).unwrap_or_default();
        for text in [&text, &digits] {
            let _ = (text.parse::<Zone>(), text.parse::<Window>());
            let _ = meantime_model::snooze::parse(text, now, &schedule);
            let file = serde_json::json!({ "zone": text, "weekly": { "mon": [[text, "12:00"]] } });
            prop_assert!(Schedule::from_json(file).is_err());
            let file = serde_json::json!({ "zone": "UTC", "weekly": {}, "time_off": [{ "from": text, "to": text }] });
            let _ = Schedule::from_json(file);
            let stay = serde_json::json!({ "zone": "UTC", "weekly": {}, "stays": [{ "zone": "UTC", "from": text, "to": text }] });
            prop_assert!(Schedule::from_json(stay).is_err());
            let event = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nRRULE:{text}\nDURATION:{text}\nEND:VEVENT");
            let day = now.date_naive();
            let _ = (holidays::read(text, day, day), holidays::read(&event, day, day));
        }
        let _ = (due(&schedule, now, Window::days(3).unwrap()), meantime_model::snooze::choices(now, &schedule));
        let _ = (schedule.next_opening(now), schedule.end_of_stretch(now), schedule.works_at(now));
    }
}
