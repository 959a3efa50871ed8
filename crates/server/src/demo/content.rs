//! The sample team as it stands in `team.json`: who, when they work, what
//! they wrote. Times in it are relative to the first start, days off and
//! focus to each.

use chrono::{DateTime, Days, TimeDelta, Utc};
use meantime_model::Urgency;
use serde::Deserialize;
use serde_json::{Value, json};

const TEXT: &str = include_str!("team.json");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Team {
    pub team: String,
    pub people: Vec<Person>,
    pub threads: Vec<Thread>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Person {
    pub key: String,
    pub name: String,
    pub title: String,
    pub city: String,
    zone: String,
    weekly: Value,
    #[serde(default)]
    time_off: Vec<Leave>,
    /// Focuses for this long from each start.
    pub focus_minutes: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leave {
    from_day: i64,
    to_day: i64,
    label: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Thread {
    pub title: String,
    pub urgency: Urgency,
    pub space: String,
    pub asked: Vec<String>,
    /// Whoever joins later is asked as well.
    pub asks_newcomer: bool,
    /// The first one begins the thread.
    pub messages: Vec<Said>,
    pub outcome: Option<Said>,
    /// What its author tells a newcomer; `{name}` is theirs.
    pub welcome: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    pub by: String,
    minutes_ago: i64,
    pub text: String,
}

impl Team {
    pub fn read() -> anyhow::Result<Self> {
        Ok(serde_json::from_str(TEXT)?)
    }
}

impl Person {
    /// Their hours file.
    pub fn schedule(&self, now: DateTime<Utc>) -> Value {
        let day = |offset: i64| {
            let days = Days::new(offset.unsigned_abs());
            let today = now.date_naive();
            if offset < 0 { today.checked_sub_days(days) } else { today.checked_add_days(days) }
        };
        let leave = |l: &Leave| json!({"from": day(l.from_day), "to": day(l.to_day), "label": l.label});
        let time_off: Vec<Value> = self.time_off.iter().map(leave).collect();
        json!({"zone": self.zone, "weekly": self.weekly, "time_off": time_off})
    }
}

impl Said {
    pub fn at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - TimeDelta::minutes(self.minutes_ago)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meantime_model::{Schedule, overlap};

    /// The team page has an answer to "when do we all work", in any week of
    /// the year and once nobody is away.
    #[test]
    fn all_five_meet_in_every_week() {
        let team = Team::read().unwrap();
        for day in [2, 100, 190, 300] {
            let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::days(day);
            let schedules: Vec<Schedule> =
                team.people.iter().map(|person| Schedule::from_json(person.schedule(now)).unwrap()).collect();
            let all: Vec<&Schedule> = schedules.iter().collect();
            let back = now + TimeDelta::days(3);
            let slot = overlap::next_slot(&all, all.len(), back, back + TimeDelta::days(7), TimeDelta::minutes(45));
            assert!(slot.is_some(), "{now}");
        }
    }
}
