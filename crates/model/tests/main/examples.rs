//! Real people on real days.

use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::due::{InvalidWindow, NoDue, Window, due};
use meantime_model::{Schedule, Urgency};
use serde_json::{Value, json};

pub fn hours(file: Value) -> Schedule {
    Schedule::from_json(file).unwrap()
}

/// Ana works in Lisbon, Monday to Friday, 9 to 13 and 14 to 18.
fn ana() -> Schedule {
    Schedule::proposed("Europe/Lisbon".parse().unwrap())
}

pub fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The due in the recipient's zone, `Tue 13:00`.
pub fn shown(schedule: &Schedule, at: &str, window: &str) -> String {
    let due = due(schedule, utc(at), window.parse().unwrap()).unwrap();
    schedule.zone_at(due).local(due).format("%a %H:%M").to_string()
}

#[test]
fn mei_writes_at_her_ten_and_ana_answers_by_her_one() {
    let (written, ana) = (utc("2026-01-13T10:00:00+08:00"), ana());
    assert_eq!(ana.zone().local(written).to_string(), "2026-01-13 02:00:00");
    assert_eq!(shown(&ana, "2026-01-13T10:00:00+08:00", &Window::usual(Urgency::Red).to_string()), "Tue 13:00");
    assert_eq!(ana.next_opening(written), Some(utc("2026-01-13T09:00:00Z")));
}

#[test]
fn working_hours_go_on_after_the_break_the_night_and_the_weekend() {
    let ana = ana();
    for (at, window, due) in [
        ("2026-06-09T10:10:00+01:00", "4h", "Tue 15:10"),
        ("2026-06-09T13:00:00+01:00", "4h", "Tue 18:00"), // the very close
        ("2026-06-09T16:00:00+01:00", "4h", "Wed 11:00"),
        ("2026-06-12T16:00:00+01:00", "4h", "Mon 11:00"),
        ("2026-06-13T12:00:00+01:00", "90m", "Mon 10:30"),
        ("2026-06-09T18:00:00+01:00", "1m", "Wed 09:01"),
    ] {
        assert_eq!(shown(&ana, at, window), due, "{window} after {at}");
    }
}

#[test]
fn working_days_keep_the_time_of_day_within_the_hours() {
    let short_wednesday = hours(json!({ "zone": "Europe/Lisbon", "weekly": {
        "mon": [["08:00", "18:00"]], "tue": [["09:00", "13:00"], ["14:00", "18:00"]], "wed": [["10:00", "12:00"]],
    } }));
    for (at, window, due) in [
        ("2026-06-08T11:00:00+01:00", "1d", "Tue 11:00"),
        ("2026-06-08T08:30:00+01:00", "1d", "Tue 09:00"), // before the first
        ("2026-06-08T13:20:00+01:00", "1d", "Tue 14:00"), // in a gap
        ("2026-06-08T13:00:00+01:00", "1d", "Tue 14:00"), // where the gap begins
        ("2026-06-09T17:00:00+01:00", "1d", "Wed 12:00"), // after the last
        ("2026-06-07T23:00:00+01:00", "1d", "Tue 09:00"), // from the opening on Monday at 8
        ("2026-06-08T11:00:00+01:00", "3d", "Mon 11:00"),
    ] {
        assert_eq!(shown(&short_wednesday, at, window), due, "{window} after {at}");
    }
    assert_eq!(shown(&ana(), "2026-06-12T11:00:00+01:00", "1d"), "Mon 11:00");
}

#[test]
fn time_off_is_no_working_time() {
    let ana = hours(json!({
        "zone": "Europe/Lisbon",
        "weekly": { "thu": [["09:00", "18:00"]], "fri": [["22:00", "02:00"]], "mon": [["09:00", "18:00"]] },
        "time_off": [
            { "from": "2026-12-24", "to": "2026-12-26", "label": "Christmas" },
            { "from": "2026-12-31T12:00", "to": "2026-12-31T18:00" },
        ],
    }));
    assert_eq!(shown(&ana, "2026-12-24T10:00:00Z", "2h"), "Mon 11:00", "the night to the 26th is off as well");
    assert_eq!(shown(&ana, "2026-12-31T10:00:00Z", "3h"), "Fri 23:00", "half a day off");
    assert_eq!(shown(&ana, "2026-12-31T10:00:00Z", "1d"), "Fri 22:00");
    assert_eq!(shown(&ana, "2027-01-01T23:00:00Z", "1d"), "Sat 02:00", "the night reaches into Saturday");
}

#[test]
fn a_repeated_hour_is_two_and_a_missing_one_none() {
    let night = hours(
        json!({ "zone": "Europe/Lisbon", "weekly": { "sat": [["23:00", "03:00"]], "sun": [["10:00", "11:00"]] } }),
    );
    let worked = |from: &str, to: &str| night.working_time_between(utc(from), utc(to));
    assert_eq!(worked("2026-10-24T12:00:00Z", "2026-10-25T09:00:00Z"), TimeDelta::hours(5));
    assert_eq!(worked("2026-03-28T12:00:00Z", "2026-03-29T08:00:00Z"), TimeDelta::hours(3));
    assert_eq!(worked("2026-05-02T12:00:00Z", "2026-05-03T08:00:00Z"), TimeDelta::hours(4));
    assert_eq!(due(&night, utc("2026-10-24T22:00:00Z"), "3h".parse().unwrap()), Ok(utc("2026-10-25T01:00:00Z")));
}

#[test]
fn nothing_to_compute_says_so() {
    let window = Window::usual(Urgency::Yellow);
    let never = hours(json!({ "zone": "Asia/Kathmandu", "weekly": {} }));
    let at = utc("2026-01-02T10:00:00Z");
    assert_eq!(due(&never, at, window), Err(NoDue::NoHours));
    assert_eq!((never.next_opening(at), never.works_from(at), never.end_of_stretch(at)), (None, None, None));

    let leave = |to: &str| {
        let off = json!([{ "from": "2026-01-01", "to": to }]);
        let file = json!({ "zone": "Europe/Lisbon", "weekly": ana_weekly(), "time_off": off });
        due(&hours(file), at, window)
    };
    assert_eq!(leave("2026-12-31"), Err(NoDue::Never), "a year of leave");
    assert_eq!(leave("9999-12-31"), Err(NoDue::Never));
    assert_eq!(leave("2026-09-30"), Ok(utc("2026-10-02T08:00:00Z")), "nine months are none");

    let over = |changes: Value| hours(json!({ "zone": "UTC", "weekly": {}, "changes": changes }));
    assert_eq!(due(&over(json!([{ "from": "2026-01-01", "weekly": {} }])), at, window), Err(NoDue::NoHours));
    let far = json!([{ "from": "2028-01-03", "weekly": ana_weekly() }]);
    assert_eq!(due(&over(far), at, window), Err(NoDue::Never), "two years before the first hours");
    let gone = json!([{ "from": "2025-01-01", "weekly": ana_weekly() }, { "from": "2026-01-01", "weekly": {} }]);
    assert_eq!(due(&over(gone), at, window), Err(NoDue::Never), "no hours from yesterday on");

    let rare = hours(json!({ "zone": "UTC", "weekly": { "mon": [["09:00", "09:01"]] } }));
    assert_eq!(due(&rare, at, "1h".parse().unwrap()).unwrap(), utc("2027-02-22T09:01:00Z"));
    assert_eq!(due(&rare, at, "2h".parse().unwrap()), Err(NoDue::Never));
    for far in
        [DateTime::<Utc>::MIN_UTC, utc("1969-12-31T23:59:59Z"), utc("2098-01-01T00:00:00Z"), DateTime::<Utc>::MAX_UTC]
    {
        assert_eq!(due(&rare, far, window), Err(NoDue::OutOfRange), "{far}");
    }

    let always: Value = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .iter()
        .map(|day| ((*day).to_owned(), json!([["00:00", "24:00"]])))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let always = hours(json!({ "zone": "America/New_York", "weekly": always }));
    assert_eq!((always.next_opening(at), always.end_of_stretch(at)), (None, None));
    assert_eq!(due(&always, at, "4h".parse().unwrap()), Ok(at + TimeDelta::hours(4)));
}

pub fn ana_weekly() -> Value {
    serde_json::to_value(ana()).unwrap()["weekly"].clone()
}

#[test]
fn a_window_is_a_number_and_a_unit() {
    for (given, written) in
        [("4h", "4h"), ("90m", "90m"), ("120m", "2h"), (" 1d ", "1d"), ("366d", "366d"), ("1000h", "1000h")]
    {
        let window: Window = given.parse().unwrap();
        assert_eq!(window.to_string(), written);
        assert_eq!(serde_json::from_str::<Window>(&serde_json::to_string(&window).unwrap()).unwrap(), window);
    }
    for (given, error) in [
        ("", InvalidWindow::Form),
        ("h", InvalidWindow::Form),
        ("4", InvalidWindow::Form),
        ("4 hours", InvalidWindow::Form),
        ("-4h", InvalidWindow::Form),
        ("1.5h", InvalidWindow::Form),
        ("0h", InvalidWindow::Zero),
        ("0d", InvalidWindow::Zero),
        ("1001h", InvalidWindow::TooLong),
        ("367d", InvalidWindow::TooLong),
        ("99999999999999999999m", InvalidWindow::TooLong),
    ] {
        assert_eq!(given.parse::<Window>(), Err(error), "{given}");
    }
}
