//! The hours file: what is read, what is written, what is refused.

use meantime_model::Schedule;
use meantime_model::schedule::{Interval, MAX_INTERVALS, MAX_TIME_OFF, TimeOff};
use serde_json::{Value, json};

#[test]
fn a_file_is_read_and_written_as_it_is_described() {
    let file = json!({
        "zone": "Europe/Lisbon",
        "weekly": {
            "mon": [["09:00", "13:00"], ["14:00", "18:00"]],
            "fri": [["22:00", "02:00"]],
            "sun": [["20:00", "24:00"]],
        },
        "time_off": [
            { "from": "2026-12-24", "to": "2026-12-26", "label": "Christmas", "kind": "holiday" },
            { "from": "2026-12-31T12:00", "to": "2026-12-31T18:00" },
        ],
        "valid_from": "2026-01-01",
    });
    let schedule: Schedule = serde_json::from_value(file.clone()).unwrap();
    assert_eq!(schedule.weekly()[4], [Interval { start: 22 * 60, end: 26 * 60 }]);
    assert_eq!(schedule.time_off()[0].end().to_string(), "2026-12-27 00:00:00");
    assert_eq!(serde_json::to_string(&schedule).unwrap(), file.to_string(), "fields of newer versions survive");
}

#[test]
fn all_that_hours_can_be_is_read_and_written() {
    let file = json!({
        "zone": "Europe/Lisbon",
        "weekly": { "mon": [["09:00", "13:00"]] },
        "alternate": { "from": "2026-01-05", "weeks": [{ "tue": [["09:00", "13:00"]] }, {}], "why": "newer" },
        "changes": [
            { "from": "2027-01-01", "weekly": {} },
            {
                "from": "2027-03-01",
                "zone": "Europe/Berlin",
                "weekly": { "wed": [["22:00", "02:00"]] },
                "alternate": { "from": "2027-03-01", "weeks": [{}] },
                "note": "newer",
            },
        ],
        "stays": [{ "zone": "Asia/Tokyo", "from": "2026-11-30", "to": "2026-12-04", "hotel": "newer" }],
        "time_off": [{ "from": "2026-12-24", "to": "2026-12-26" }],
        "holidays": [{ "from": "2026-12-25", "to": "2026-12-25", "label": "Christmas Day", "source": "newer" }],
        "theme": "newer",
    });
    let schedule: Schedule = serde_json::from_value(file.clone()).unwrap();
    assert_eq!(serde_json::to_string(&schedule).unwrap(), file.to_string());
    let absent =
        json!({ "zone": "UTC", "weekly": {}, "alternate": null, "changes": null, "stays": null, "holidays": [] });
    let written = serde_json::to_value(Schedule::from_json(absent).unwrap()).unwrap();
    assert_eq!(written, json!({ "zone": "UTC", "weekly": {}, "time_off": [] }), "what is not used is not written");
}

#[test]
fn an_error_in_what_is_rarer_names_its_field() {
    let with = |key: &str, value: Value| {
        let mut file = json!({ "zone": "Europe/Lisbon", "weekly": { "sun": [["22:00", "06:00"]] } });
        file[key] = value;
        Schedule::from_json(file).unwrap_err().to_string()
    };
    let early = json!([["05:00", "09:00"]]);
    for (key, value, error) in [
        ("alternate", json!([]), "alternate: must be an object with `from` and `weeks`"),
        ("alternate", json!({ "weeks": [{}] }), "alternate.from: is missing"),
        (
            "alternate",
            json!({ "from": "5 January", "weeks": [{}] }),
            r#"alternate.from: "5 January" is no day; write it as 2026-12-24"#,
        ),
        (
            "alternate",
            json!({ "from": "2026-01-06", "weeks": [{}] }),
            "alternate.from: is a Tuesday; a week begins on Monday, 2026-01-05",
        ),
        (
            "alternate",
            json!({ "from": "2026-01-05", "weeks": [] }),
            "alternate.weeks: is empty; leave `alternate` out where all weeks are alike",
        ),
        (
            "alternate",
            json!({ "from": "2026-01-05", "weeks": vec![json!({}); 52] }),
            "alternate.weeks: 52 entries; 51 are allowed",
        ),
        (
            "alternate",
            json!({ "from": "2026-01-05", "weeks": [{ "mon": [["09:00", "25:00"]] }] }),
            r#"alternate.weeks[0].mon[0]: "25:00" is no time of day; write it as 09:30, between 00:00 and 24:00"#,
        ),
        (
            "alternate",
            json!({ "from": "2026-01-05", "weeks": [{ "mon": early }] }),
            "alternate.weeks[0].mon[0]: overlaps weekly.sun[0]",
        ),
        ("changes", json!({}), "changes: must be a list"),
        ("changes", json!([{ "from": "2027-01-01" }]), "changes[0].weekly: is missing"),
        (
            "changes",
            json!([{ "from": "2027-01-01", "weekly": {}, "zone": "Europe/Lisboa" }]),
            r#"changes[0].zone: there is no time zone "Europe/Lisboa"; did you mean Europe/Lisbon?"#,
        ),
        (
            "changes",
            json!([{ "from": "2027-01-01", "weekly": { "sun": [["22:00", "06:00"]], "mon": early } }]),
            "changes[0].weekly.sun[0]: overlaps changes[0].weekly.mon[0]",
        ),
        (
            "changes",
            json!([{ "from": "2027-01-01", "weekly": {} }, { "from": "2027-01-01", "weekly": {} }]),
            "changes[1]: overlaps changes[0]",
        ),
        (
            "changes",
            Value::from(vec![json!({ "from": "2027-01-01", "weekly": {} }); 501]),
            "changes: 501 entries; 500 are allowed",
        ),
        ("stays", json!([5]), "stays[0]: must be an object with `zone`, `from` and `to`"),
        (
            "stays",
            json!([{ "zone": "Tokio", "from": "2026-11-30", "to": "2026-12-04" }]),
            r#"stays[0].zone: there is no time zone "Tokio"; did you mean Asia/Tokyo?"#,
        ),
        (
            "stays",
            json!([{ "zone": "UTC", "from": "2026-11-30", "to": "2026-11-29" }]),
            "stays[0].to: is before `from`",
        ),
        (
            "stays",
            json!([{ "zone": "UTC", "from": "2026-11-30", "to": "2026-12-04T12:00" }]),
            r#"stays[0].to: "2026-12-04T12:00" is no day; write it as 2026-12-24"#,
        ),
        (
            "stays",
            json!([
                { "zone": "UTC", "from": "2026-12-04", "to": "2026-12-06" },
                { "zone": "UTC", "from": "2026-11-30", "to": "2026-12-04" },
            ]),
            "stays[1]: overlaps stays[0]",
        ),
        ("holidays", json!([{ "from": "2026-12-25" }]), "holidays[0].to: is missing"),
        ("holidays", json!([{ "from": "2026-12-25", "to": "2026-12-24" }]), "holidays[0].to: is before `from`"),
        (
            "holidays",
            Value::from(vec![json!({ "from": "2026-12-25", "to": "2026-12-25" }); 10_000]),
            "holidays: 10000 entries; 1000 are allowed",
        ),
    ] {
        assert_eq!(with(key, value), error);
    }
}

#[test]
fn the_order_of_intervals_and_an_absent_time_off_do_not_matter() {
    let read = |file: Value| Schedule::from_json(file).unwrap();
    let one = read(json!({ "zone": "utc", "weekly": { "mon": [["14:00", "00:00"], ["09:00", "13:00"]], "tue": [] } }));
    let other =
        read(json!({ "zone": "UTC", "weekly": { "mon": [["09:00", "13:00"], ["14:00", "24:00"]] }, "time_off": [] }));
    assert_eq!(one, other);
}

#[test]
fn an_error_names_its_field() {
    let weekly = |weekly: Value| json!({ "zone": "Europe/Lisbon", "weekly": weekly });
    let off = |off: Value| json!({ "zone": "Europe/Lisbon", "weekly": {}, "time_off": off });
    for (file, error) in [
        (json!(null), "hours: must be an object with `zone` and `weekly`"),
        (json!({ "weekly": {} }), "zone: is missing"),
        (json!({ "zone": 1, "weekly": {} }), "zone: must be a name such as Europe/Lisbon"),
        (
            json!({ "zone": "Europe/Lisbonn", "weekly": {} }),
            r#"zone: there is no time zone "Europe/Lisbonn"; did you mean Europe/Lisbon?"#,
        ),
        (json!({ "zone": "UTC" }), "weekly: is missing"),
        (weekly(json!([])), "weekly: must be an object with the days mon to sun"),
        (weekly(json!({ "monday": [] })), "weekly.monday: is no day; the days are mon, tue, … sun"),
        (weekly(json!({ "mon": 9 })), r#"weekly.mon: must be a list such as [["09:00", "17:00"]]"#),
        (
            weekly(json!({ "mon": [["09:00", "12:00"], ["13:00"]] })),
            r#"weekly.mon[1]: must be two times such as ["09:00", "17:00"]"#,
        ),
        (
            weekly(json!({ "mon": [["09:00", "25:00"]] })),
            r#"weekly.mon[0]: "25:00" is no time of day; write it as 09:30, between 00:00 and 24:00"#,
        ),
        (
            weekly(json!({ "mon": [["9:00", "12:00"]] })),
            r#"weekly.mon[0]: "9:00" is no time of day; write it as 09:30, between 00:00 and 24:00"#,
        ),
        (
            weekly(json!({ "mon": [["24:00", "02:00"]] })),
            "weekly.mon[0]: can't start at 24:00; write 00:00 on the next day",
        ),
        (weekly(json!({ "mon": [["09:00", "09:00"]] })), "weekly.mon[0]: is empty: it ends when it starts"),
        (weekly(json!({ "mon": [["09:00", "13:00"], ["12:59", "18:00"]] })), "weekly.mon[1]: overlaps weekly.mon[0]"),
        (
            weekly(json!({ "mon": [["22:00", "06:00"]], "tue": [["05:00", "09:00"]] })),
            "weekly.tue[0]: overlaps weekly.mon[0]",
        ),
        (
            weekly(json!({ "sun": [["22:00", "06:00"]], "mon": [["05:00", "09:00"]] })),
            "weekly.sun[0]: overlaps weekly.mon[0]",
        ),
        (off(json!({})), "time_off: must be a list"),
        (off(json!([1])), "time_off[0]: must be an object with `from` and `to`"),
        (off(json!([{ "from": "2026-12-24" }])), "time_off[0].to: is missing"),
        (off(json!([{ "from": "2026-12-24", "to": "2026-12-23" }])), "time_off[0].to: is before `from`"),
        (off(json!([{ "from": "2026-12-24T10:00", "to": "2026-12-24T10:00" }])), "time_off[0].to: is not after `from`"),
        (
            off(json!([{ "from": "2026-02-30", "to": "2026-03-01" }])),
            r#"time_off[0].from: "2026-02-30" is no day (2026-12-24) and no local time (2026-12-31T12:00)"#,
        ),
        (
            off(json!([{ "from": "2026-12-24", "to": "2026-12-24T18:00Z" }])),
            r#"time_off[0].to: "2026-12-24T18:00Z" is no day (2026-12-24) and no local time (2026-12-31T12:00)"#,
        ),
        (off(json!([{ "from": "2026-12-24", "to": "2026-12-24", "label": 1 }])), "time_off[0].label: must be text"),
        (
            off(json!([{ "from": "2026-12-24", "to": "2026-12-24", "label": "x".repeat(501) }])),
            "time_off[0].label: is longer than 500 letters",
        ),
    ] {
        assert_eq!(Schedule::from_json(file).unwrap_err().to_string(), error);
    }
}

#[test]
fn there_are_limits() {
    let intervals: Vec<Value> = (0..=MAX_INTERVALS).map(|n| json!([format!("{:02}:00", n % 24), "24:00"])).collect();
    let error = Schedule::from_json(json!({ "zone": "UTC", "weekly": { "mon": intervals } })).unwrap_err();
    assert_eq!(error.to_string(), "weekly.mon: 49 intervals; 48 a day are allowed");

    let day = "2026-01-01".parse().unwrap();
    let ana = Schedule::proposed("Europe/Lisbon".parse().unwrap());
    assert!(ana.with_time_off(vec![TimeOff::days(day, day); MAX_TIME_OFF]).is_ok());
    let error = ana.with_time_off(vec![TimeOff::days(day, day); MAX_TIME_OFF + 1]).unwrap_err();
    assert_eq!(error.to_string(), "time_off: 10001 entries; 10000 are allowed");
}
