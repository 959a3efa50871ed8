//! Snoozing: the choices that are offered, and times in words.
//!
//! All of them are instants in the end; the schedule says when a person starts
//! and in which zone the words are meant.

use crate::schedule::Schedule;
use crate::working::LOOK_AHEAD;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};

/// One way to snooze.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `In 3 hours`, `When I start tomorrow`, …
    pub label: &'static str,
    /// When the item comes back; in the future.
    pub until: DateTime<Utc>,
}

/// Why words say no time to come back at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSnooze {
    /// They are not understood.
    #[error("write 3h, 45m, 2d (working days), tomorrow, monday, evening, 14:30, 2026-12-24 or 2026-12-24 09:00")]
    Unknown,
    /// They are understood, and mean a time that has passed.
    #[error("that time has passed")]
    Past,
    /// More than five years ahead.
    #[error("that is more than five years ahead")]
    TooFar,
}

/// When a day starts on which the person doesn't work, and when an evening does.
const MORNING: u32 = 9;
const EVENING: u32 = 18;
const LONGEST: TimeDelta = TimeDelta::days(5 * 366);

/// The choices as seen now, in the order they are shown. What is past, what
/// doesn't exist (no work tomorrow) and what would be the same as an earlier
/// one is left out.
#[must_use]
pub fn choices(now: DateTime<Utc>, schedule: &Schedule) -> Vec<Choice> {
    let calendar = Calendar::new(now, schedule);
    let evening = match calendar.close(calendar.today).filter(|close| *close > now) {
        Some(close) => ("When my day ends", Some(close)),
        None => ("This evening", Some(calendar.at(calendar.today, clock(EVENING)))),
    };
    let all = [
        ("In 3 hours", Some(now + TimeDelta::hours(3))),
        evening,
        ("When I start tomorrow", calendar.opening(following(calendar.today, 1))),
        ("Next working day", calendar.working_day(1)),
        ("When I start on Monday", calendar.opening(calendar.next(Weekday::Mon))),
    ];
    let mut choices: Vec<Choice> = Vec::with_capacity(all.len());
    for (label, until) in all {
        if let Some(until) = until
            && until > now
            && choices.iter().all(|choice| choice.until != until)
        {
            choices.push(Choice { label, until });
        }
    }
    choices
}

/// The instant that words mean, said now: `3h` and `45m` from now; `2d` when I
/// start on the second working day after today; `tomorrow`, `monday` … `sunday`
/// and `2026-12-24` when I start on that day (9:00 if I don't work then);
/// `evening` and `14:30` the next time it is so late. A day may be followed by
/// a time: `tomorrow 14:30`, `2026-12-24 09:00`.
///
/// # Errors
/// Says what can be written, or that the time has passed or is too far.
pub fn parse(words: &str, now: DateTime<Utc>, schedule: &Schedule) -> Result<DateTime<Utc>, BadSnooze> {
    let words = spoken(words);
    let calendar = Calendar::new(now, schedule);
    let until = match count(&words) {
        Some(count) => calendar.counted(count?)?,
        None => calendar.named(&words).ok_or(BadSnooze::Unknown)?,
    };
    match until {
        until if until <= now => Err(BadSnooze::Past),
        until if until - now > LONGEST => Err(BadSnooze::TooFar),
        until => Ok(until),
    }
}

/// The same as people say it: `in 3 hours`, `this evening`, `next monday`.
fn spoken(words: &str) -> String {
    let words = words.to_lowercase();
    let mut words: Vec<&str> = words.split_whitespace().collect();
    if let ["in" | "this" | "next" | "on" | "at", _, ..] = words.as_slice() {
        words.remove(0);
    }
    let words: Vec<&str> = words
        .into_iter()
        .filter(|word| *word != "working")
        .map(|word| match word {
            "tonight" => "evening",
            "week" => "monday",
            "minute" | "minutes" | "min" => "m",
            "hour" | "hours" => "h",
            "day" | "days" => "d",
            other => other,
        })
        .collect();
    words.join(" ")
}

/// A number with a unit.
enum Count {
    Minutes(u32),
    Days(u32),
}

fn count(words: &str) -> Option<Result<Count, BadSnooze>> {
    let digits = words.trim_end_matches(|c: char| !c.is_ascii_digit());
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse::<u32>().map_err(|_| BadSnooze::TooFar);
    match words.get(digits.len()..)?.trim() {
        "m" => Some(number.map(Count::Minutes)),
        "h" => Some(number.map(|hours| Count::Minutes(hours.saturating_mul(60)))),
        "d" => Some(number.map(Count::Days)),
        _ => None,
    }
}

/// A person's calendar around an instant.
struct Calendar<'a> {
    schedule: &'a Schedule,
    now: DateTime<Utc>,
    /// The local date.
    today: NaiveDate,
}

impl<'a> Calendar<'a> {
    fn new(now: DateTime<Utc>, schedule: &'a Schedule) -> Self {
        Self { schedule, now, today: schedule.zone_at(now).local(now).date() }
    }

    fn at(&self, day: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
        self.schedule.zone_on(day).start(day.and_time(time))
    }

    /// When the person starts on a day; none if they don't.
    fn opening(&self, day: NaiveDate) -> Option<DateTime<Utc>> {
        self.openings(day).next().filter(|(opens, _)| *opens == day).map(|(_, at)| at)
    }

    /// When the person starts on the n-th day after today on which they do.
    fn working_day(&self, n: u32) -> Option<DateTime<Utc>> {
        let index = usize::try_from(n.checked_sub(1)?).ok()?;
        let mut last = self.today;
        let firsts =
            self.openings(following(self.today, 1)).filter(|(day, _)| std::mem::replace(&mut last, *day) != *day);
        firsts.map(|(_, at)| at).nth(index)
    }

    /// Each opening from a local midnight on, with its date. What runs past
    /// that midnight is none.
    fn openings(&self, from: NaiveDate) -> impl Iterator<Item = (NaiveDate, DateTime<Utc>)> {
        let midnight = self.at(from, NaiveTime::MIN);
        self.schedule
            .working(midnight - TimeDelta::days(1), midnight + LOOK_AHEAD)
            .map(|stretch| stretch.start)
            .filter(move |start| *start >= midnight)
            .map(|start| (self.schedule.zone_at(start).local(start).date(), start))
    }

    /// When the person's last stretch of a day ends; none if they don't work
    /// then, or into the next day.
    fn close(&self, day: NaiveDate) -> Option<DateTime<Utc>> {
        let midnight = self.schedule.zone_on(day).end(following(day, 1).and_time(NaiveTime::MIN));
        let last = self.schedule.working(self.at(day, NaiveTime::MIN), midnight).last()?;
        (last.end < midnight).then_some(last.end)
    }

    /// When the person starts on a day, 9:00 if they don't.
    fn start(&self, day: NaiveDate) -> DateTime<Utc> {
        self.opening(day).unwrap_or_else(|| self.at(day, clock(MORNING)))
    }

    /// The next such weekday after today.
    fn next(&self, weekday: Weekday) -> NaiveDate {
        let days = weekday.days_since(self.today.weekday());
        following(self.today, if days == 0 { 7 } else { days.into() })
    }

    fn counted(&self, count: Count) -> Result<DateTime<Utc>, BadSnooze> {
        match count {
            Count::Minutes(minutes) => {
                self.now.checked_add_signed(TimeDelta::minutes(minutes.into())).ok_or(BadSnooze::TooFar)
            }
            Count::Days(0) => Err(BadSnooze::Past),
            Count::Days(days) if self.hours_kept() => self.working_day(days).ok_or(BadSnooze::TooFar),
            // Without hours every day is as good as another.
            Count::Days(days) => Ok(self.start(following(self.today, days.into()))),
        }
    }

    fn hours_kept(&self) -> bool {
        self.schedule.keeps_hours()
    }

    fn named(&self, words: &str) -> Option<DateTime<Utc>> {
        if let Some((day, time)) = words.split_once(' ').or_else(|| words.split_once('t'))
            && let Some(day) = self.day(day)
        {
            return Some(self.at(day, read_time(time.trim())?));
        }
        if let Some(day) = self.day(words) {
            return Some(self.start(day));
        }
        let time = read_time(words)?;
        let today = self.at(self.today, time);
        Some(if today > self.now { today } else { self.at(following(self.today, 1), time) })
    }

    fn day(&self, word: &str) -> Option<NaiveDate> {
        if word == "tomorrow" {
            return Some(following(self.today, 1));
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return NaiveDate::parse_from_str(word, "%Y-%m-%d").ok();
        }
        word.parse().ok().map(|weekday| self.next(weekday))
    }
}

fn read_time(word: &str) -> Option<NaiveTime> {
    if word == "evening" { Some(clock(EVENING)) } else { NaiveTime::parse_from_str(word, "%H:%M").ok() }
}

fn clock(hour: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default()
}

fn following(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Interval, TimeOff, Weekly};
    use crate::zone::Zone;

    fn lisbon() -> Zone {
        "Europe/Lisbon".parse().unwrap()
    }

    /// A local time in Lisbon's summer.
    fn local(text: &str) -> DateTime<Utc> {
        lisbon().start(chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap())
    }

    fn shown(now: &str, schedule: &Schedule) -> Vec<String> {
        let show = |at| lisbon().local(at).format("%a %H:%M");
        choices(local(now), schedule).iter().map(|c| format!("{}: {}", c.label, show(c.until))).collect()
    }

    #[test]
    fn words_may_be_as_people_say_them() {
        let (ana, now) = (Schedule::proposed(lisbon()), local("2026-06-09 10:00"));
        for (said, written) in [
            ("in 3 hours", "3h"),
            ("3 hours", "3h"),
            ("in 45 minutes", "45m"),
            ("2 working days", "2d"),
            ("this evening", "evening"),
            ("Tonight", "evening"),
            ("next week", "monday"),
            ("next Monday", "monday"),
            ("on thursday 14:30", "thursday 14:30"),
        ] {
            assert_eq!(parse(said, now, &ana).unwrap(), parse(written, now, &ana).unwrap(), "{said}");
        }
        assert!(parse("in a while", now, &ana).is_err());
    }

    #[test]
    fn choices_leave_out_what_is_past_missing_or_double() {
        let ana = Schedule::proposed(lisbon());
        assert_eq!(
            shown("2026-06-09 10:00", &ana), // a Tuesday
            [
                "In 3 hours: Tue 13:00",
                "When my day ends: Tue 18:00",
                "When I start tomorrow: Wed 09:00",
                "When I start on Monday: Mon 09:00"
            ]
        );
        assert_eq!(
            shown("2026-06-12 15:00", &ana), // a Friday
            ["In 3 hours: Fri 18:00", "Next working day: Mon 09:00"]
        );
        assert_eq!(
            shown("2026-06-13 10:00", &ana),
            ["In 3 hours: Sat 13:00", "This evening: Sat 18:00", "Next working day: Mon 09:00"]
        );
        assert_eq!(
            shown("2026-06-14 20:00", &ana),
            ["In 3 hours: Sun 23:00", "When I start tomorrow: Mon 09:00"],
            "the evening has begun"
        );
        let none = Schedule::new(lisbon(), Weekly::default(), Vec::new()).unwrap();
        assert_eq!(shown("2026-06-09 10:00", &none), ["In 3 hours: Tue 13:00", "This evening: Tue 18:00"]);
    }

    #[test]
    fn choices_know_leave_and_nights() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let leave = vec![TimeOff::days(day("2026-06-10"), day("2026-06-15"))];
        let ana = Schedule::proposed(lisbon()).with_time_off(leave).unwrap();
        assert_eq!(
            shown("2026-06-09 10:00", &ana),
            ["In 3 hours: Tue 13:00", "When my day ends: Tue 18:00", "Next working day: Tue 09:00"]
        );
        let night = vec![Interval { start: 22 * 60, end: 30 * 60 }];
        let nights = Schedule::new(lisbon(), std::array::from_fn(|_| night.clone()), Vec::new()).unwrap();
        assert_eq!(
            shown("2026-06-09 23:00", &nights),
            ["In 3 hours: Wed 02:00", "When I start tomorrow: Wed 22:00", "When I start on Monday: Mon 22:00"]
        );
    }

    #[test]
    fn words_are_times() {
        let ana = Schedule::proposed(lisbon());
        for (now, words, until) in [
            ("2026-06-09 10:00", "3h", "2026-06-09 13:00"),
            ("2026-06-09 10:00", " 45 M ", "2026-06-09 10:45"),
            ("2026-06-09 10:00", "1d", "2026-06-10 09:00"),
            ("2026-06-11 10:00", "2d", "2026-06-15 09:00"),
            ("2026-06-09 10:00", "tomorrow", "2026-06-10 09:00"),
            ("2026-06-12 10:00", "tomorrow", "2026-06-13 09:00"),
            ("2026-06-09 10:00", "tomorrow 14:30", "2026-06-10 14:30"),
            ("2026-06-09 10:00", "Tuesday", "2026-06-16 09:00"),
            ("2026-06-09 10:00", "sat", "2026-06-13 09:00"),
            ("2026-06-09 10:00", "thursday evening", "2026-06-11 18:00"),
            ("2026-06-09 10:00", "evening", "2026-06-09 18:00"),
            ("2026-06-09 19:00", "evening", "2026-06-10 18:00"),
            ("2026-06-09 10:00", "14:30", "2026-06-09 14:30"),
            ("2026-06-09 15:00", "14:30", "2026-06-10 14:30"),
            ("2026-06-09 10:00", "2026-07-24", "2026-07-24 09:00"),
            ("2026-06-09 10:00", "2026-07-24 07:15", "2026-07-24 07:15"),
            ("2026-06-09 10:00", "2026-07-24T07:15", "2026-07-24 07:15"),
        ] {
            assert_eq!(parse(words, local(now), &ana), Ok(local(until)), "{now}: {words}");
        }
        let none = Schedule::new(lisbon(), Weekly::default(), Vec::new()).unwrap();
        assert_eq!(parse("2d", local("2026-06-12 10:00"), &none), Ok(local("2026-06-14 09:00")));
    }

    #[test]
    fn other_words_are_an_error() {
        let ana = Schedule::proposed(lisbon());
        for (words, error) in [
            ("", BadSnooze::Unknown),
            ("soon", BadSnooze::Unknown),
            ("-3h", BadSnooze::Unknown),
            ("3", BadSnooze::Unknown),
            ("25:00", BadSnooze::Unknown),
            ("tomorrow 9", BadSnooze::Unknown),
            ("2026-02-30", BadSnooze::Unknown),
            ("t", BadSnooze::Unknown),
            ("é", BadSnooze::Unknown),
            ("0m", BadSnooze::Past),
            ("0d", BadSnooze::Past),
            ("2026-06-09", BadSnooze::Past),
            ("2026-06-09 09:59", BadSnooze::Past),
            ("1999-01-01", BadSnooze::Past),
            ("9999-12-31", BadSnooze::TooFar),
            ("99999999999999h", BadSnooze::TooFar),
            ("4294967295d", BadSnooze::TooFar),
        ] {
            assert_eq!(parse(words, local("2026-06-09 10:00"), &ana), Err(error), "{words}");
        }
    }
}
