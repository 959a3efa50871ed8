//! Random schedules in zones whose clocks change in every known way, at times
//! near a change: alternating weeks, changes, stays elsewhere, time off and
//! holidays all lie within days of it.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use meantime_model::Schedule;
use meantime_model::schedule::{Alternate, Change, Interval, Stay, TimeOff, Weekly};
use meantime_model::zone::Zone;
use proptest::prelude::*;
use serde_json::Map;

/// Zones of every kind: 60 and 30 minutes and two hours, at midnight and by
/// day, north and south, negative summer time, none at all.
const ZONES: &[&str] = &[
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Lagos",
    "America/Asuncion",
    "America/Havana",
    "America/New_York",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Taipei",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "UTC",
];

pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

pub fn zone() -> impl Strategy<Value = Zone> {
    prop_oneof![
        3 => proptest::sample::select(ZONES),
        1 => proptest::sample::select(Zone::all().map(Zone::name).collect::<Vec<_>>()),
    ]
    .prop_map(|name| name.parse::<Zone>().unwrap())
}

/// A schedule, and a local date near which to look at it.
pub fn world() -> impl Strategy<Value = (Schedule, NaiveDate)> {
    zone().prop_flat_map(world_in)
}

/// The same for a zone: of one week that is repeated, or with all that there
/// can be besides.
pub fn world_in(zone: Zone) -> impl Strategy<Value = (Schedule, NaiveDate)> {
    let day = (0..7 * 365u64).prop_map(|day| NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + Days::new(day));
    (day, proptest::bool::weighted(0.8), weekly(), -2..4i64).prop_flat_map(move |(day, snap, weekly, shift)| {
        let day = if snap { next_change(zone, day) } else { day } + TimeDelta::days(shift);
        let plain = proptest::collection::vec(time_off(day), 0..3)
            .prop_map(move |off| Schedule::new(zone, weekly.clone(), off).unwrap());
        (plain, proptest::option::of(more(day))).prop_map(move |(schedule, more)| {
            let Some((alternate, changes, stays, holidays)) = more else { return (schedule, day) };
            // What overlaps is left out.
            let schedule = schedule.with_alternate(alternate).unwrap_or(schedule);
            let schedule = schedule.with_changes(changes).unwrap_or(schedule);
            let schedule = schedule.with_stays(stays).unwrap_or(schedule);
            (schedule.with_holidays(holidays).unwrap(), day)
        })
    })
}

type More = (Option<Alternate>, Vec<Change>, Vec<Stay>, Vec<TimeOff>);

/// Everything beside weekly hours and time off, near a date.
fn more(day: NaiveDate) -> impl Strategy<Value = More> {
    let near = move |from: i64| day + TimeDelta::days(from);
    let change =
        (-6..9i64, proptest::option::weighted(0.3, zone()), weekly(), proptest::option::weighted(0.3, alternate(day)))
            .prop_map(move |(from, zone, weekly, alternate)| Change {
                from: near(from),
                zone,
                weekly,
                alternate,
                rest: Map::new(),
            });
    let stay = (zone(), -6..9i64, 0..6i64).prop_map(move |(zone, from, more)| Stay {
        zone,
        from: near(from),
        to: near(from + more),
        rest: Map::new(),
    });
    (
        proptest::option::of(alternate(day)),
        proptest::collection::vec(change, 0..3),
        proptest::collection::vec(stay, 0..3),
        proptest::collection::vec(time_off(day), 0..2),
    )
}

fn alternate(day: NaiveDate) -> impl Strategy<Value = Alternate> {
    (-4..4i64, proptest::collection::vec(weekly(), 1..3)).prop_map(move |(week, weeks)| {
        let monday = day - Days::new(day.weekday().num_days_from_monday().into());
        Alternate { from: monday + TimeDelta::weeks(week), weeks, rest: Map::new() }
    })
}

/// Any week that is no error: cut at random minutes, every other piece is
/// work, also over midnights and from Sunday to Monday.
fn weekly() -> impl Strategy<Value = Weekly> {
    let minute = prop_oneof![3 => 0..5 * 60u32, 2 => 0..24 * 60u32, 1 => Just(0)];
    let cut = (0..7u32, minute).prop_map(|(day, minute)| day * 24 * 60 + minute);
    let cuts = (proptest::collection::btree_set(cut, 0..24), any::<bool>()).prop_map(|(cuts, turn)| {
        let mut cuts: Vec<u32> = cuts.into_iter().collect();
        if turn && !cuts.is_empty() {
            let first = cuts.remove(0);
            cuts.push(first + 7 * 24 * 60);
        }
        let mut weekly = Weekly::default();
        for pair in cuts.chunks_exact(2).filter(|pair| pair[1] - pair[0] < 24 * 60) {
            let midnight = pair[0] / (24 * 60) * (24 * 60);
            let interval = Interval { start: (pair[0] - midnight) as u16, end: (pair[1] - midnight) as u16 };
            weekly[(midnight / (24 * 60)) as usize % 7].push(interval);
        }
        weekly
    });
    prop_oneof![
        8 => cuts,
        1 => Just(std::array::from_fn(|_| vec![Interval { start: 0, end: 24 * 60 }])),
        1 => Just(Schedule::proposed(Zone::UTC).weekly().clone()),
    ]
}

/// Whole days or hours within the days after one.
fn time_off(day: NaiveDate) -> impl Strategy<Value = TimeOff> {
    let days = whole_days(day);
    let midnight = day.and_hms_opt(0, 0, 0).unwrap();
    let hours = (-1440..20_000i64, 1..3000i64).prop_map(move |(from, length)| {
        let from = midnight + TimeDelta::minutes(from);
        TimeOff::times(from, from + TimeDelta::minutes(length))
    });
    prop_oneof![days, hours]
}

pub fn whole_days(day: NaiveDate) -> impl Strategy<Value = TimeOff> {
    (-2..9i64, 0..4i64)
        .prop_map(move |(from, more)| TimeOff::days(day + TimeDelta::days(from), day + TimeDelta::days(from + more)))
}

/// The first local date from one on with another offset at its end than at
/// its start, within a year; else the date itself.
fn next_change(zone: Zone, day: NaiveDate) -> NaiveDate {
    let offset = |day: NaiveDate| zone.offset(zone.start(day.and_hms_opt(0, 0, 0).unwrap()));
    day.iter_days().take(366).find(|day| offset(*day) != offset(*day + Days::new(1))).unwrap_or(day)
}

/// A minute near the start of a date, `minutes` after the midnight before it.
pub fn minute(schedule: &Schedule, day: NaiveDate, minutes: i64) -> DateTime<Utc> {
    schedule.zone().start(day.and_hms_opt(0, 0, 0).unwrap()) + TimeDelta::minutes(minutes)
}
