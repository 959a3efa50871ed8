//! Working hours for whoever plays the day, at a place where it is morning
//! now: what is due today, and what is not, is then the same at whatever time,
//! on whatever day, this is played.

use crate::{Cli, World};
use anyhow::{Context, Result};
use chrono::{DateTime, Timelike, Utc};
use meantime_model::Zone;
use meantime_platform::{Clock, SystemClock};
use serde_json::{Value, json};

/// All around the earth; the first one where it is morning is taken.
const PLACES: [&str; 13] = [
    "Europe/Lisbon",
    "Africa/Nairobi",
    "Asia/Karachi",
    "Asia/Bangkok",
    "Asia/Tokyo",
    "Australia/Brisbane",
    "Pacific/Auckland",
    "Pacific/Honolulu",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Sao_Paulo",
    "Atlantic/Cape_Verde",
];

/// A red ask of four working hours is due today, one of yesterday noon, too.
const MORNING: std::ops::Range<u32> = 9..12;

/// Writes down hours for somebody that are not over yet: what is sent to them
/// goes at once.
pub(super) async fn works_now(world: &World, cli: &Cli) -> Result<()> {
    let hours = world.path().join("hours.json");
    std::fs::write(&hours, serde_json::to_vec(&all_week(SystemClock.now())?)?)?;
    cli.json(&["hours", "set", &hours.to_string_lossy()]).await.map(drop)
}

fn all_week(now: DateTime<Utc>) -> Result<Value> {
    let zone = morning(now).context("it is morning nowhere")?;
    let day = json!([["08:00", "18:00"]]);
    let weekly: serde_json::Map<String, Value> = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .iter()
        .map(|name| ((*name).to_owned(), day.clone()))
        .collect();
    Ok(json!({ "zone": zone.name(), "weekly": weekly, "time_off": [] }))
}

fn morning(now: DateTime<Utc>) -> Option<Zone> {
    let mut zones = PLACES.iter().filter_map(|name| name.parse::<Zone>().ok());
    zones.find(|zone| MORNING.contains(&zone.local(now).hour()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn it_is_always_morning_somewhere() {
        for day in ["2026-01-15", "2026-03-29", "2026-07-15", "2026-10-25", "2026-11-01"] {
            let midnight: DateTime<Utc> = format!("{day}T00:30:00Z").parse().unwrap();
            for hour in 0..24 {
                let now = midnight + TimeDelta::hours(hour);
                assert!(morning(now).is_some(), "{now}");
            }
        }
    }
}
