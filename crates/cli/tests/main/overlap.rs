//! `meantime overlap`: the contract with scripts.

use crate::World;
use serde_json::json;

fn nine_to_six(zone: &str) -> String {
    let day = json!([["09:00", "13:00"], ["14:00", "18:00"]]);
    json!({ "zone": zone, "weekly": { "mon": day, "tue": day, "wed": day, "thu": day, "fri": day } }).to_string()
}

/// A day on which Ana of Lisbon and Sam of New York have four hours in common,
/// and Mei of Taipei two with Ana.
const DAY: [&str; 4] = ["--from", "2026-11-24T00:00:00Z", "--to", "2026-11-25T00:00:00Z"];

#[test]
fn common_time_and_the_next_slot_are_printed() {
    let world = World::new();
    let [ana, sam, mei] = [("ana", "Europe/Lisbon"), ("sam", "America/New_York"), ("mei", "Asia/Taipei")]
        .map(|(name, zone)| world.file(name, nine_to_six(zone)));
    let run = |people: &[&str], more: &[&str]| world.run(&[&["overlap", "--hours"], people, &DAY, more].concat());

    let both = run(&[&ana, &sam], &[]).ok();
    assert_eq!(both.out, "2026-11-24T14:00:00+00:00 to 2026-11-24T18:00:00+00:00\n");
    assert_eq!(run(&[&ana, &sam, &mei], &[]).ok().out, "there is no such time\n");
    let json = run(&[&ana, &sam, &mei], &["--at-least", "2", "--json"]).ok().json();
    assert_eq!(
        json,
        json!({ "overlap": [
            { "from": "2026-11-24T09:00:00+00:00", "to": "2026-11-24T10:00:00+00:00" },
            { "from": "2026-11-24T14:00:00+00:00", "to": "2026-11-24T18:00:00+00:00" },
        ] })
    );

    let core = world.file("core", r#"{"zone": "Europe/Lisbon", "weekly": {"tue": [["15:00", "16:00"]]}}"#);
    let marked = run(&[&ana, &sam], &["--core", &core, "--length", "45m", "--json"]).ok().json();
    let cores: Vec<_> = marked["overlap"].as_array().unwrap().iter().map(|span| span["core"].as_bool()).collect();
    assert_eq!(cores, [Some(false), Some(true), Some(false)]);
    assert_eq!(
        marked["slot"],
        json!({
            "from": "2026-11-24T14:00:00+00:00", "to": "2026-11-24T14:45:00+00:00", "weeks": 52,
            "people": [
                {
                    "hours": ana, "from": "2026-11-24T14:00:00+00:00", "to": "2026-11-24T14:45:00+00:00",
                    "works": true, "outside_day": 0,
                },
                {
                    "hours": sam, "from": "2026-11-24T09:00:00-05:00", "to": "2026-11-24T09:45:00-05:00",
                    "works": true, "outside_day": 0,
                },
            ],
        })
    );
    let text = run(&[&ana, &sam, &mei], &["--core", &core, "--at-least", "2", "--length", "2h"]).ok().out;
    assert!(text.contains("2026-11-24T15:00:00+00:00 to 2026-11-24T16:00:00+00:00, core hours\n"), "{text}");
    assert!(text.contains("next slot: 2026-11-24T14:00:00+00:00 to 2026-11-24T16:00:00+00:00\n"), "{text}");
    assert!(text.contains("mei: 2026-11-24T22:00:00+08:00 to 2026-11-25T00:00:00+08:00, doesn’t work; held weekly, outside of 9 to 18 in 52 of 52 weeks\n"), "{text}");
    let none = run(&[&ana, &sam], &["--length", "5h", "--json"]).ok().json();
    assert_eq!((none["slot"].is_null(), none["overlap"].as_array().unwrap().len()), (true, 1));
    assert!(run(&[&ana, &sam], &["--length", "5h"]).ok().out.ends_with("no slot is long enough\n"));
}

#[test]
fn what_is_wrong_is_named() {
    let world = World::new();
    let ana = world.file("ana.json", nine_to_six("Europe/Lisbon"));
    let odd = world.file("odd.json", nine_to_six("Europe/Lisbone"));
    let (from, to) = (DAY[1], DAY[3]);
    for (hours, from, to, more, code, told) in [
        (odd.as_str(), from, to, "--at-least=1", "invalid_hours", "odd.json: zone: there is no time zone"),
        (&ana, "today", to, "--at-least=1", "invalid_from", "from: is no instant"),
        (&ana, from, "2026-11-24", "--at-least=1", "invalid_to", "to: is no instant"),
        (&ana, to, from, "--at-least=1", "invalid_to", "to: must be after"),
        (&ana, from, "2030-01-01T00:00:00Z", "--at-least=1", "invalid_to", "731 days"),
        (&ana, from, to, "--at-least=0", "invalid_at_least", "at_least: must be 1 to 1"),
        (&ana, from, to, "--at-least=2", "invalid_at_least", "at_least: must be 1 to 1"),
        (&ana, from, to, "--length=0m", "invalid_length", "length: is written as 45m"),
        (&ana, from, to, "--length=-5m", "invalid_length", "length: is written as 45m"),
        (&ana, from, to, "--length=25h", "invalid_length", "length: is written as 45m"),
        (&ana, from, to, "--length=99999999999999999999h", "invalid_length", "length: is written as 45m"),
        (&ana, from, to, "--length=h", "invalid_length", "length: is written as 45m"),
        (&ana, from, to, "--length=ä", "invalid_length", "length: is written as 45m"),
    ] {
        let args = ["overlap", "--hours", hours, "--from", from, "--to", to, more];
        let ran = world.run(&args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?} {ran:?}");
        assert!(ran.err.starts_with("meantime: ") && ran.err.contains(told), "{told}: {ran:?}");
        let ran = world.run(&[&["--json"], &args[..]].concat());
        assert_eq!((ran.code, ran.json()["error"]["code"].as_str()), (2, Some(code)), "{ran:?}");
    }
    let missing = world.run(&["overlap", "--hours", "/no/such/file", "--from", from, "--to", to]);
    assert_eq!((missing.code, missing.err.as_str()), (3, "meantime: there is no file /no/such/file\n"));
}
