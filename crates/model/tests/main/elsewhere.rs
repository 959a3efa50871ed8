//! Hours that alternate, change or are kept elsewhere, and public holidays:
//! the reply clock on both sides of each border.

use crate::examples::{ana_weekly, hours, shown, utc};
use chrono::TimeDelta;
use meantime_model::Schedule;
use meantime_model::due::due;
use serde_json::{Value, json};

/// Ana of Lisbon with something more.
fn ana(key: &str, value: Value) -> Schedule {
    let mut file = json!({ "zone": "Europe/Lisbon", "weekly": ana_weekly() });
    file[key] = value;
    hours(file)
}

fn worked(schedule: &Schedule, from: &str, to: &str) -> TimeDelta {
    schedule.working_time_between(utc(from), utc(to))
}

#[test]
fn weeks_take_turns() {
    let morning = json!([["09:00", "12:00"]]);
    let turns = hours(json!({
        "zone": "UTC",
        "weekly": { "mon": morning },
        "alternate": { "from": "2026-01-05", "weeks": [{ "tue": morning }] },
    }));
    let at = "2026-01-05T10:00:00Z";
    for (window, expected) in [
        ("4h", "2026-01-13T11:00:00Z"),
        ("1d", "2026-01-13T10:00:00Z"),
        ("2d", "2026-01-19T10:00:00Z"),
        ("3d", "2026-01-27T10:00:00Z"),
    ] {
        assert_eq!(due(&turns, utc(at), window.parse().unwrap()), Ok(utc(expected)), "{window}");
    }
    let works = |day: &str| turns.works_at(utc(&format!("{day}T10:00:00Z")));
    assert!(works("2025-12-30") && !works("2025-12-29") && works("2025-12-22"), "before the first as well");
    assert!(works("2030-12-30") && !works("2030-12-31"), "five years on");
}

#[test]
fn other_hours_hold_from_a_date_on() {
    let early = json!({ "mon": [["07:00", "15:00"]], "fri": [["07:00", "15:00"]] });
    // 2027 begins on a Friday.
    let changed = ana("changes", json!([{ "from": "2027-01-01", "weekly": early }]));
    assert_eq!(shown(&changed, "2026-12-31T17:00:00Z", "2h"), "Fri 08:00");
    assert_eq!(shown(&changed, "2026-12-31T09:30:00Z", "1d"), "Fri 09:30");
    assert_eq!(shown(&changed, "2026-12-31T17:30:00Z", "1d"), "Fri 15:00", "moved into the new hours");
    assert_eq!(shown(&changed, "2026-12-30T09:30:00Z", "1d"), "Thu 09:30");

    let night = hours(json!({
        "zone": "UTC",
        "weekly": { "thu": [["22:00", "06:00"]] },
        "changes": [{ "from": "2027-01-01", "weekly": { "fri": [["05:00", "09:00"]] } }],
    }));
    let both = worked(&night, "2026-12-31T12:00:00Z", "2027-01-01T12:00:00Z");
    assert_eq!(both, TimeDelta::hours(11), "the night is finished, and what is worked twice counts once");
}

#[test]
fn in_tokyo_until_friday() {
    let ana = ana("stays", json!([{ "zone": "Asia/Tokyo", "from": "2026-11-30", "to": "2026-12-04" }]));
    for (at, window, expected) in [
        ("2026-11-27T16:00:00Z", "4h", "2026-11-30T11:00:00+09:00"),
        ("2026-11-27T11:00:00Z", "1d", "2026-11-30T11:00:00+09:00"),
        ("2026-12-02T10:00:00+09:00", "4h", "2026-12-02T15:00:00+09:00"),
        ("2026-12-04T16:00:00+09:00", "4h", "2026-12-07T11:00:00Z"),
        ("2026-12-04T11:00:00+09:00", "1d", "2026-12-07T11:00:00Z"),
        ("2026-12-04T20:00:00+09:00", "1d", "2026-12-08T09:00:00Z"),
    ] {
        assert_eq!(due(&ana, utc(at), window.parse().unwrap()), Ok(utc(expected)), "{window} after {at}");
    }
    let zone = |at: &str| ana.zone_at(utc(at)).name();
    assert_eq!((zone("2026-11-29T23:59:59Z"), zone("2026-11-30T00:00:00Z")), ("Europe/Lisbon", "Asia/Tokyo"));
    assert_eq!((zone("2026-12-04T23:59:59Z"), zone("2026-12-05T00:00:00Z")), ("Asia/Tokyo", "Europe/Lisbon"));
    assert_eq!(ana.next_opening(utc("2026-12-04T12:00:00Z")), Some(utc("2026-12-07T09:00:00Z")));
}

#[test]
fn going_east_the_first_day_begins_when_the_last_is_over() {
    // Wednesday begins in Lisbon when it is 11:00 in Auckland.
    let ana = ana("stays", json!([{ "zone": "Pacific/Auckland", "from": "2026-06-10", "to": "2026-06-12" }]));
    assert_eq!(worked(&ana, "2026-06-09T17:00:00Z", "2026-06-10T12:00:00Z"), TimeDelta::hours(6));
    assert_eq!(shown(&ana, "2026-06-09T08:30:00Z", "1d"), "Wed 11:00");
    assert_eq!(shown(&ana, "2026-06-09T15:30:00Z", "1d"), "Wed 16:30");
}

#[test]
fn a_shift_is_finished_by_the_clock_it_began_with() {
    let night = |off: Value| {
        hours(json!({
            "zone": "Europe/Lisbon",
            "weekly": { "fri": [["22:00", "02:00"]], "sat": [["10:00", "12:00"]] },
            "stays": [{ "zone": "Asia/Tokyo", "from": "2026-11-30", "to": "2026-12-04" }],
            "time_off": off,
        }))
    };
    let (from, to) = ("2026-12-04T12:00:00Z", "2026-12-05T23:00:00Z");
    assert_eq!(worked(&night(json!([])), from, to), TimeDelta::hours(6));
    let off = night(json!([{ "from": "2026-12-05", "to": "2026-12-05" }]));
    assert_eq!(worked(&off, from, to), TimeDelta::hours(2), "Saturday is off from its first midnight on, in Tokyo");
    let off = night(json!([{ "from": "2026-12-04", "to": "2026-12-04" }]));
    assert_eq!(worked(&off, from, to), TimeDelta::hours(4));

    // As far as zones are apart, and as long as a shift can be.
    let long = hours(json!({
        "zone": "Etc/GMT+12",
        "weekly": { "tue": [["23:00", "22:30"]] },
        "stays": [{ "zone": "Pacific/Kiritimati", "from": "2026-12-02", "to": "2026-12-30" }],
    }));
    let last = utc("2026-12-03T10:29:00Z");
    assert_eq!(long.zone_at(last).local(last).to_string(), "2026-12-04 00:29:00");
    assert!(long.works_at(last) && !long.works_at(last + TimeDelta::minutes(1)));
    assert_eq!(long.working(last, last + TimeDelta::hours(1)).count(), 1);
}

#[test]
fn a_home_may_move() {
    let moved = ana("changes", json!([{ "from": "2027-01-01", "zone": "America/New_York", "weekly": ana_weekly() }]));
    assert_eq!(moved.zone(), "Europe/Lisbon".parse().unwrap());
    assert_eq!(moved.zone_at(utc("2027-02-01T00:00:00Z")).city(), "New York");
    assert_eq!(due(&moved, utc("2026-12-31T11:00:00Z"), "1d".parse().unwrap()), Ok(utc("2027-01-01T11:00:00-05:00")));
}

#[test]
fn public_holidays_are_no_working_days() {
    let christmas = json!([
        { "from": "2026-12-24T12:00", "to": "2026-12-24T18:00", "label": "Christmas Eve" },
        { "from": "2026-12-25", "to": "2026-12-25", "label": "Christmas Day" },
    ]);
    let ana = ana("holidays", christmas);
    assert_eq!(shown(&ana, "2026-12-24T10:00:00Z", "1d"), "Mon 10:00");
    assert_eq!(shown(&ana, "2026-12-24T10:00:00Z", "4h"), "Mon 11:00");
    let off = |at: &str| ana.off_at(utc(at)).and_then(|off| off.label.clone()).unwrap_or_default();
    assert_eq!(
        (off("2026-12-24T13:00:00Z"), off("2026-12-25T00:00:00Z")),
        ("Christmas Eve".into(), "Christmas Day".into())
    );
    assert_eq!(off("2026-12-26T00:00:00Z"), "");
    assert!(ana.without_time_off().works_at(utc("2026-12-25T10:00:00Z")));
}

#[test]
fn a_time_of_day_that_is_missing_or_comes_twice() {
    let nights = |zone: &str| {
        let night = json!([["00:00", "06:00"]]);
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map(|day| (day.to_owned(), night.clone()));
        hours(json!({ "zone": zone, "weekly": days.into_iter().collect::<serde_json::Map<_, _>>() }))
    };
    for (zone, at, expected) in [
        ("Europe/Lisbon", "2026-03-28T01:30:00Z", "2026-03-29T02:00:00+01:00"), // the first after the gap
        ("Europe/Lisbon", "2026-10-24T01:30:00+01:00", "2026-10-25T01:30:00Z"), // the second of two
        ("Australia/Lord_Howe", "2026-04-04T01:45:00+11:00", "2026-04-05T01:45:00+10:30"), // half an hour comes twice
        ("Australia/Lord_Howe", "2026-10-03T02:15:00+10:30", "2026-10-04T02:30:00+11:00"),
        ("Africa/Casablanca", "2026-02-14T02:30:00+01:00", "2026-02-15T02:30:00Z"), // Ramadan
        ("Asia/Kathmandu", "2026-02-14T02:30:00+05:45", "2026-02-15T02:30:00+05:45"),
        ("Pacific/Apia", "2011-12-29T02:30:00-10:00", "2011-12-31T02:30:00+14:00"), // a day that never was
    ] {
        assert_eq!(due(&nights(zone), utc(at), "1d".parse().unwrap()), Ok(utc(expected)), "{zone} {at}");
    }
    let worked = |zone: &str, from: &str, to: &str| worked(&nights(zone), from, to).num_minutes();
    assert_eq!(worked("Africa/Casablanca", "2026-02-14T12:00:00Z", "2026-02-15T12:00:00Z"), 7 * 60);
    assert_eq!(worked("Africa/Casablanca", "2026-03-21T12:00:00Z", "2026-03-22T12:00:00Z"), 5 * 60);
    assert_eq!(worked("Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-05T00:00:00Z"), 6 * 60 + 30);
    assert_eq!(worked("Pacific/Apia", "2011-12-30T00:00:00Z", "2011-12-31T00:00:00Z"), 6 * 60);
}

#[test]
fn ten_thousand_days_off_are_no_trouble() {
    let first = "2026-06-09".parse::<chrono::NaiveDate>().unwrap();
    let off: Vec<_> = first
        .iter_days()
        .take(10_000)
        .map(|day| json!({ "from": format!("{day}T12:00"), "to": format!("{day}T15:00") }))
        .collect();
    let ana = ana("time_off", off.into());
    assert_eq!(shown(&ana, "2026-06-09T11:00:00Z", "4h"), "Wed 10:00");
    assert_eq!(shown(&ana, "2050-06-07T11:00:00Z", "4h"), "Wed 10:00");
}
