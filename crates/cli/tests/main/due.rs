//! `meantime due`: the contract with scripts.

use crate::World;
use serde_json::{Value, json};

const HOURS: &str = r#"{"zone": "Europe/Lisbon",
    "weekly": {"mon": [["09:00","13:00"],["14:00","18:00"]], "tue": [["09:00","13:00"],["14:00","18:00"]], "fri": [["22:00","02:00"]]},
    "time_off": [{"from": "2026-12-24", "to": "2026-12-26"}]}"#;

fn hours() -> Value {
    serde_json::from_str(HOURS).unwrap()
}

#[test]
fn one_due_is_printed_with_the_persons_offset() {
    let world = World::new();
    let file = world.file("hours.json", HOURS);
    let due = |at: &str, window: &str| world.run(&["due", "--hours", &file, "--at", at, "--window", window]);
    assert_eq!(due("2026-11-23T16:30:00Z", "4h").ok().out, "2026-11-24T11:30:00+00:00\n");
    assert_eq!(due("2026-07-06T10:00:00Z", "1d").ok().out, "2026-07-07T11:00:00+01:00\n");
    let json = world.run(&["--json", "due", "--hours", &file, "--at", "2026-11-23T16:30:00Z", "--window", "4h"]).ok();
    assert_eq!(json.json(), json!({ "due": "2026-11-24T11:30:00+00:00" }));
    let piped =
        world.pipe(&["due", "--hours", "-", "--at", "2026-11-23T16:30:00Z", "--window", "4h"], HOURS.as_bytes());
    assert_eq!(piped.ok().out, "2026-11-24T11:30:00+00:00\n");
}

#[test]
fn what_is_wrong_is_named() {
    let world = World::new();
    let good = world.file("hours.json", HOURS);
    let odd = world.file("odd.json", r#"{"zone": "Europe/Lisbone", "weekly": {}}"#);
    let empty = world.file("empty.json", r#"{"zone": "Europe/Lisbon", "weekly": {}}"#);
    let late = world.file("late.json", r#"{"zone": "Europe/Lisbon", "weekly": {"mon": [["09:00","25:00"]]}}"#);
    let broken = world.file("broken.json", "{");
    let at = "2026-11-23T16:30:00Z";
    for (file, at, window, exit, code, told) in [
        (odd.as_str(), at, "4h", 2, "invalid_hours", "did you mean Europe/Lisbon?"),
        (&late, at, "4h", 2, "invalid_hours", "weekly.mon[0]"),
        (&broken, at, "4h", 2, "invalid_hours", "not JSON"),
        (&good, "tomorrow", "4h", 2, "invalid_at", "at:"),
        (&good, "2026-11-23T16:30:00", "4h", 2, "invalid_at", "at:"),
        (&good, at, "0h", 2, "invalid_window", "window:"),
        (&good, at, "-4h", 2, "invalid_window", "window:"),
        (&good, at, "4 weeks", 2, "invalid_window", "window:"),
        (&good, at, "99999999999999999999h", 2, "invalid_window", "window:"),
        (&empty, at, "4h", 1, "no_hours", "no working hours"),
        (&good, "1902-01-01T00:00:00Z", "4h", 1, "out_of_range", "1970"),
    ] {
        // `--window=` because a window that begins with `-` would be taken for an option.
        let window = format!("--window={window}");
        let ran = world.run(&["due", "--hours", file, "--at", at, &window]);
        assert_eq!((ran.code, ran.out.as_str()), (exit, ""), "{window} {ran:?}");
        assert!(ran.err.starts_with("meantime: ") && ran.err.contains(told), "{told}: {ran:?}");
        let ran = world.run(&["--json", "due", "--hours", file, "--at", at, &window]);
        assert_eq!((ran.code, ran.json()["error"]["code"].as_str()), (exit, Some(code)), "{ran:?}");
    }
    let missing = world.run(&["due", "--hours", "/no/such/file", "--at", at, "--window", "4h"]);
    assert_eq!((missing.code, missing.err.as_str()), (3, "meantime: there is no file /no/such/file\n"));
}

#[test]
fn hours_that_change_and_travel_count() {
    let mut hours = hours();
    hours["stays"] = json!([{ "zone": "Asia/Tokyo", "from": "2026-11-24", "to": "2026-11-24" }]);
    hours["holidays"] = json!([{ "from": "2026-11-30", "to": "2026-11-30", "label": "Restoration" }]);
    hours["changes"] = json!([{ "from": "2026-12-01", "weekly": { "tue": [["10:00", "12:00"]] } }]);
    let lines = ["2026-11-23T11:00:00Z", "2026-11-24T17:00:00+09:00", "2026-11-27T23:00:00Z"]
        .map(|at| json!({ "hours": hours, "at": at, "window": "1d" }).to_string());
    let ran = World::new().pipe(&["due", "--batch"], lines.join("\n").as_bytes()).ok().json_lines();
    let dues: Vec<_> = ran.iter().map(|line| line["due"].as_str().unwrap()).collect();
    assert_eq!(dues, ["2026-11-24T11:00:00+09:00", "2026-11-27T22:00:00+00:00", "2026-11-28T02:00:00+00:00"]);

    hours["stays"] = json!([{ "zone": "Asia/Tokio", "from": "2026-11-24", "to": "2026-11-24" }]);
    let line = json!({ "hours": hours, "at": "2026-11-23T11:00:00Z", "window": "1d" }).to_string();
    let ran = World::new().pipe(&["due", "--batch"], line.as_bytes()).ok().json_lines();
    let told = r#"stays[0].zone: there is no time zone "Asia/Tokio"; did you mean Asia/Tokyo?"#;
    assert_eq!(ran[0]["error"], json!({ "code": "invalid_hours", "message": told }));
}

#[test]
fn a_batch_answers_each_line() {
    let line = |at: Value, window: Value| json!({ "hours": hours(), "at": at, "window": window }).to_string();
    let at = "2026-11-23T16:30:00Z";
    let lines = [
        line(json!(at), json!("4h")),
        String::new(),
        "not json".to_owned(),
        line(json!(5), json!("4h")),
        line(json!(at), json!(4)),
        json!({ "at": at, "window": "4h" }).to_string(),
        json!({ "hours": { "zone": "Mars/Base", "weekly": {} }, "at": at, "window": "4h" }).to_string(),
        json!({ "hours": { "zone": "Asia/Tokyo", "weekly": {} }, "at": at, "window": "4h" }).to_string(),
        "[".repeat(100_000),
        line(json!("2026-12-23T12:00:00+01:00"), json!("1d")),
    ];
    let ran = World::new().pipe(&["due", "--batch"], lines.join("\n").as_bytes()).ok();
    let told: Vec<_> = ran
        .json_lines()
        .iter()
        .map(|line| line["due"].as_str().or(line["error"]["code"].as_str()).unwrap().to_owned())
        .collect();
    assert_eq!(
        told,
        [
            "2026-11-24T11:30:00+00:00",
            "invalid_line",
            "invalid_at",
            "invalid_window",
            "invalid_hours",
            "invalid_hours",
            "no_hours",
            "invalid_line",
            // Friday is a holiday: from Monday 9:00 one day on.
            "2026-12-29T09:00:00+00:00",
        ]
    );
    assert!(ran.json_lines().iter().all(|line| line["error"].is_null() || line["error"]["message"].is_string()));
}

#[test]
fn a_line_too_long_or_not_utf_8_is_an_error_of_its_own() {
    let mut input = vec![b'x'; (16 << 20) + 10];
    input.extend(b"\n\xff\xfe\n");
    input.extend(json!({ "hours": hours(), "at": "2026-11-23T16:30:00Z", "window": "4h" }).to_string().bytes());
    let lines = World::new().pipe(&["due", "--batch"], &input).ok().json_lines();
    let codes: Vec<_> = lines.iter().map(|line| line["error"]["code"].as_str()).collect();
    assert_eq!(codes, [Some("too_long"), Some("invalid_line"), None]);
    assert_eq!(lines[2]["due"], "2026-11-24T11:30:00+00:00");
}
