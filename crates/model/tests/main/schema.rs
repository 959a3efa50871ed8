//! The published description of the hours file, against what is read.

use crate::random::{config, world};
use meantime_model::Schedule;
use proptest::prelude::*;
use serde_json::{Value, json};

fn schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(include_str!("../../../../docs/hours.schema.json")).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// The JSON pointers of all values in one.
fn pointers(value: &Value, here: &str, out: &mut Vec<String>) {
    out.push(here.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| pointers(value, &format!("{here}/{key}"), out)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| pointers(value, &format!("{here}/{index}"), out));
        }
        _ => {}
    }
}

#[test]
fn the_guide_has_files_that_are_read() {
    let guide = include_str!("../../../../docs/HOURS.md");
    let examples: Vec<&str> = guide.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 2, "{}", examples.len());
    for example in examples {
        let file: Value = serde_json::from_str(example).unwrap();
        assert!(schema().is_valid(&file), "{example}");
        let fields = file.as_object().unwrap().keys();
        let schedule = Schedule::from_json(file.clone()).unwrap();
        assert!(schedule.rest().is_empty(), "{:?}", fields.collect::<Vec<_>>());
    }
}

#[test]
fn what_has_another_form_is_described_as_wrong() {
    let schema = schema();
    let with = |key: &str, value: Value| {
        let mut file = json!({ "zone": "UTC", "weekly": { "mon": [["09:00", "24:00"]] } });
        file[key] = value;
        (schema.is_valid(&file), Schedule::from_json(file).is_ok())
    };
    assert_eq!(with("weekly", json!({ "tue": [["22:00", "02:00"]] })), (true, true));
    for (key, value) in [
        ("zone", json!(5)),
        ("weekly", Value::Null),
        ("weekly", json!({ "monday": [] })),
        ("weekly", json!({ "mon": [["09:00", "25:00"]] })),
        ("weekly", json!({ "mon": [["24:00", "09:00"]] })),
        ("weekly", json!({ "mon": [["09:00"]] })),
        ("alternate", json!({ "from": "2026-01-05", "weeks": [] })),
        ("alternate", json!({ "from": "2026-01-05" })),
        ("changes", json!([{ "from": "2026-01-05" }])),
        ("stays", json!([{ "zone": "UTC", "from": "2026-01-05" }])),
        ("stays", json!([{ "zone": "UTC", "from": "2026-01-05", "to": "2026-01-05T12:00" }])),
        ("time_off", json!([{ "from": "2026-01-05", "to": "2026-01-05 12:00" }])),
        ("holidays", json!([{ "from": "2026-01-05" }])),
        ("holidays", vec![json!({ "from": "2026-01-05", "to": "2026-01-05" }); 1001].into()),
    ] {
        assert_eq!(with(key, value.clone()), (false, false), "{key} {value}");
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn what_is_written_and_what_is_read_is_described((schedule, _) in world(), place in any::<usize>(), odd in 0..14usize) {
        let mut file = serde_json::to_value(&schedule).unwrap();
        let schema = schema();
        prop_assert!(schema.is_valid(&file), "{file}");

        let mut places = Vec::new();
        pointers(&file, "", &mut places);
        let odd = [
            Value::Null, json!(5), json!(""), json!([]), json!({}), json!("25:00"), json!("24:00"), json!("9:00"),
            json!("2026-02-30"), json!("2026-02-03"), json!("2026-02-03T12:00:30"), json!("UTC"), json!(true), json!([[]]),
        ][odd].clone();
        let place = &places[place % places.len()];
        *file.pointer_mut(place).unwrap() = odd;
        prop_assert!(Schedule::from_json(file.clone()).is_err() || schema.is_valid(&file), "{place} of {file}");
    }
}
