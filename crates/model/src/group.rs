//! The groups of the inbox.

use crate::zone::Zone;
use chrono::{DateTime, Days, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

/// Where an item stands in the inbox, in the order the groups are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Due by the end of my local day, or overdue.
    DueToday,
    /// Due on a later day.
    DueLater,
    /// Nobody waits for an answer.
    ForInformation,
}

impl Group {
    /// The group of an item that is due then, or never, as seen now from a zone.
    #[must_use]
    pub fn of(due: Option<DateTime<Utc>>, now: DateTime<Utc>, zone: Zone) -> Self {
        match due {
            None => Self::ForInformation,
            Some(due) if due < end_of_day(now, zone) => Self::DueToday,
            Some(_) => Self::DueLater,
        }
    }
}

/// The instant at which the local day of another ends.
#[must_use]
pub fn end_of_day(at: DateTime<Utc>, zone: Zone) -> DateTime<Utc> {
    let today = zone.local(at).date();
    zone.end(today.checked_add_days(Days::new(1)).unwrap_or(today).and_time(NaiveTime::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_my_own_midnight() {
        let utc = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let auckland: Zone = "Pacific/Auckland".parse().unwrap();
        let now = utc("2026-06-09T09:00:00Z"); // 21:00 there
        for (due, group) in [
            (Some("2026-06-01T00:00:00Z"), Group::DueToday), // overdue
            (Some("2026-06-09T11:59:59Z"), Group::DueToday),
            (Some("2026-06-09T12:00:00Z"), Group::DueLater),
            (None, Group::ForInformation),
        ] {
            assert_eq!(Group::of(due.map(utc), now, auckland), group, "{due:?}");
        }
        assert!(Group::DueToday < Group::DueLater && Group::DueLater < Group::ForInformation);
    }

    #[test]
    fn a_day_may_be_23_or_25_hours_long() {
        let utc = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let lisbon: Zone = "Europe/Lisbon".parse().unwrap();
        assert_eq!(end_of_day(utc("2026-03-29T00:00:00Z"), lisbon), utc("2026-03-29T23:00:00Z"));
        assert_eq!(end_of_day(utc("2026-10-24T23:00:00Z"), lisbon), utc("2026-10-26T00:00:00Z"));
    }
}
