//! Calendars of public holidays: as they are published, and as nobody should.

use chrono::NaiveDate;
use meantime_model::holidays::{InvalidCalendar, MAX_BYTES, read};
use std::fmt::Write;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A calendar of events, each given by its lines.
fn calendar(events: &[&str]) -> String {
    let events =
        events.iter().map(|lines| format!("BEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\n", lines.replace('\n', "\r\n")));
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", events.collect::<String>())
}

/// The holidays of some events from 2026 to 2028: `2026-12-25 Christmas`.
fn holidays(events: &[&str]) -> Vec<String> {
    let found = read(&calendar(events), day("2026-01-01"), day("2028-12-31")).unwrap();
    let shown = |off: &meantime_model::schedule::TimeOff| {
        let to = if off.from == off.to { String::new() } else { format!(" to {}", off.to) };
        format!("{}{to} {}", off.from, off.label.clone().unwrap_or_default()).trim().to_owned()
    };
    found.iter().map(shown).collect()
}

#[test]
fn a_calendar_as_it_is_published_is_read() {
    let found = holidays(&[
        "UID:1\nDTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261226\nSUMMARY:Christmas\\, the\n  first day\nTRANSP:TRANSPARENT",
        "UID:2\nDTSTART;VALUE=DATE:20261228\nDTEND;VALUE=DATE:20261231\nSUMMARY;LANGUAGE=\"en:x\":Days between",
        "UID:3\nDTSTART;TZID=Europe/Lisbon:20261224T120000\nDTEND;TZID=Europe/Lisbon:20261224T180000\nSUMMARY:Christmas Eve",
        "UID:4\nDTSTART;VALUE=DATE:20270101\nSUMMARY:New Year\nBEGIN:VALARM\nDTSTART:20280101\nSUMMARY:no\nEND:VALARM",
        "UID:5\nDTSTART;VALUE=DATE:20270601\nDURATION:P2D\nSUMMARY:Two days",
        "UID:6\nDTSTART;VALUE=DATE:20270701\nSTATUS:CANCELLED\nSUMMARY:Not held",
        "UID:7\nDTSTART;VALUE=DATE:20250101\nSUMMARY:Past",
        "SUMMARY:No date",
    ]);
    assert_eq!(
        found,
        [
            "2026-12-24T12:00 to 2026-12-24T18:00 Christmas Eve",
            "2026-12-25 Christmas, the first day",
            "2026-12-28 to 2026-12-30 Days between",
            "2027-01-01 New Year",
            "2027-06-01 to 2027-06-02 Two days",
        ]
    );
}

#[test]
fn what_comes_every_year_is_found_in_each() {
    let every = |start: &str, rule: &str| holidays(&[&format!("DTSTART;VALUE=DATE:{start}\nRRULE:FREQ=YEARLY{rule}")]);
    assert_eq!(every("19700704", ""), ["2026-07-04", "2027-07-04", "2028-07-04"]);
    assert_eq!(every("17760704", ";INTERVAL=2"), ["2026-07-04", "2028-07-04"]);
    assert_eq!(every("20260704", ";COUNT=2"), ["2026-07-04", "2027-07-04"]);
    assert_eq!(every("20200704", ";COUNT=7"), ["2026-07-04"]);
    assert_eq!(every("20260704", ";UNTIL=20271231T000000Z"), ["2026-07-04", "2027-07-04"]);
    assert_eq!(every("20240229", ""), ["2028-02-29"]);
    // Thanksgiving, Memorial Day, a Scandinavian midsummer (the Saturday from the 20th to the 26th).
    assert_eq!(every("20201126", ";BYMONTH=11;BYDAY=4TH"), ["2026-11-26", "2027-11-25", "2028-11-23"]);
    assert_eq!(every("20200525", ";BYDAY=-1MO;BYMONTH=5;WKST=SU"), ["2026-05-25", "2027-05-31", "2028-05-29"]);
    assert_eq!(
        every("20200620", ";BYMONTH=6;BYMONTHDAY=20,21,22,23,24,25,26;BYDAY=SA"),
        ["2026-06-20", "2027-06-26", "2028-06-24"]
    );
    assert_eq!(every("20201231", ";BYMONTH=12;BYMONTHDAY=-1"), ["2026-12-31", "2027-12-31", "2028-12-31"]);
    assert_eq!(every("20200101", ";BYDAY=1MO"), ["2026-01-05", "2027-01-04", "2028-01-03"], "of the year");
    assert_eq!(every("20200101", ";BYDAY=-1FR"), ["2026-12-25", "2027-12-31", "2028-12-29"]);
}

#[test]
fn dates_are_added_left_out_and_moved() {
    let found = holidays(&[
        "UID:easter\nDTSTART;VALUE=DATE:20260405\nRDATE;VALUE=DATE:20270328,20280416\nSUMMARY:Easter",
        "UID:day\nDTSTART;VALUE=DATE:20200510\nRRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20270510\nSUMMARY:Day",
        "UID:day\nRECURRENCE-ID;VALUE=DATE:20280510\nDTSTART;VALUE=DATE:20280512\nSUMMARY:Day, later",
    ]);
    assert_eq!(
        found,
        ["2026-04-05 Easter", "2026-05-10 Day", "2027-03-28 Easter", "2028-04-16 Easter", "2028-05-12 Day, later"]
    );
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let read = |text: &str| read(text, day("2026-01-01"), day("2028-12-31")).unwrap_err().to_string();
    assert_eq!(read(""), "this is no calendar: it does not begin with BEGIN:VCALENDAR");
    assert_eq!(read("<html>"), "this is no calendar: it does not begin with BEGIN:VCALENDAR");
    for (line, problem) in [
        ("DTSTART:tomorrow", r#"line 4: "tomorrow" is no day (20261224) and no time (20261224T180000)"#),
        ("DTSTART:20260230", r#"line 4: "20260230" is no day (20261224) and no time (20261224T180000)"#),
        ("RRULE:FREQ=SECONDLY", "line 4: a public holiday comes every year (FREQ=YEARLY), not in another rhythm"),
        ("RRULE:COUNT=5", "line 4: a public holiday comes every year (FREQ=YEARLY), not in another rhythm"),
        ("RRULE:FREQ=YEARLY;BYSECOND=1", r#"line 4: a repetition by "BYSECOND" is not understood"#),
        ("RRULE:FREQ=YEARLY;INTERVAL=0", r#"line 4: "0" is no such number"#),
        ("RRULE:FREQ=YEARLY;COUNT=-1", r#"line 4: "-1" is no such number"#),
        ("RRULE:FREQ=YEARLY;BYDAY=XX", r#"line 4: "XX" is no weekday"#),
        ("RRULE:FREQ=YEARLY;BYDAY=ä", r#"line 4: "ä" is no weekday"#),
        ("DURATION:a while", r#"line 4: "a while" is no length such as P1D or PT4H"#),
    ] {
        assert_eq!(read(&calendar(&[line])), problem);
    }
}

#[test]
fn what_is_too_much_is_refused_and_takes_no_time() {
    let in_2026 = |text: &str| read(text, day("2026-01-01"), day("2026-12-31"));
    let many = vec!["DTSTART;VALUE=DATE:20260101"; 10_000];
    assert_eq!(in_2026(&calendar(&many)), Err(InvalidCalendar::TooMany));
    let early = vec!["DTSTART:00010101\nRRULE:FREQ=YEARLY;COUNT=4000000000;BYDAY=MO"; 10_000];
    assert_eq!(in_2026(&calendar(&early)), Err(InvalidCalendar::TooLong));
    let never = vec!["DTSTART:00010101\nRRULE:FREQ=YEARLY;COUNT=1;BYMONTH=2;BYMONTHDAY=30"; 10_000];
    assert_eq!(in_2026(&calendar(&never)), Err(InvalidCalendar::TooLong));
    assert_eq!(in_2026(&calendar(&vec!["DTSTART:20250101"; 10_000])), Ok(vec![]), "of another year");

    let mut deep = String::from("BEGIN:VCALENDAR\n");
    for _ in 0..100_000 {
        writeln!(deep, "BEGIN:VEVENT").unwrap();
    }
    assert_eq!(in_2026(&deep), Ok(vec![]));
    let folded = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x\n{}", " x\n".repeat(1_000_000));
    assert_eq!(in_2026(&folded), Ok(vec![]));
    let label = calendar(&[&format!("DTSTART:20260101\nSUMMARY:{}", "ä".repeat(100_000))]);
    assert_eq!(in_2026(&label).unwrap()[0].label.as_ref().unwrap().chars().count(), 500);
    let long = "x".repeat(MAX_BYTES + 1);
    assert_eq!(in_2026(&long), Err(InvalidCalendar::TooLarge));

    let text = calendar(&["DTSTART:20260101"]);
    assert_eq!(read(&text, day("2026-01-01"), day("2025-12-31")), Err(InvalidCalendar::Span));
    assert_eq!(read(&text, day("2026-01-01"), day("2040-01-01")), Err(InvalidCalendar::Span));
    assert!(read(&text, NaiveDate::MAX - chrono::Days::new(30), NaiveDate::MAX).is_ok_and(|found| found.is_empty()));
}
