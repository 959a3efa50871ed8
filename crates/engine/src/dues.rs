//! When my answers are due: computed in the transaction that changed what
//! they follow from, so that no list ever shows a due that is not right.

use crate::api::Failure;
use crate::engine::Engine;
use crate::people::{self, Team};
use chrono::{DateTime, Utc};
use meantime_model::due::{Window, due};
use meantime_model::zone::Zone;
use meantime_model::{Schedule, Urgency};
use meantime_store::account::AccountKind;
use meantime_store::{Tx, item, message};

/// Items computed at a time.
const BATCH: u32 = 500;

impl Engine {
    /// This computer's zone.
    pub(crate) fn computer_zone(&self) -> Zone {
        self.clock.zone().parse().unwrap_or(Zone::UTC)
    }
}

/// Computes every due that is stale. `computer`: the zone of the proposed
/// hours of somebody who keeps none yet.
pub(crate) fn settle(tx: &Tx<'_>, computer: Zone) -> Result<(), Failure> {
    let mut stale = item::stale_due(tx, BATCH)?;
    if stale.is_empty() {
        return Ok(());
    }
    let schedule = people::my_hours(tx)?.unwrap_or_else(|| Schedule::proposed(computer));
    let team = Team::load(tx)?;
    while !stale.is_empty() {
        for item in &stale {
            let asked_at = match item.ask_at {
                None => wanted_by_me(tx, item)?,
                asked => asked,
            };
            item::set_due(tx, item.id, due_of(item, asked_at, &schedule, team.as_ref()))?;
        }
        stale = item::stale_due(tx, BATCH)?;
    }
    Ok(())
}

/// From the ask, the urgency's window, in my working time. What is for
/// information and asks nobody is never due. `Err`: it would be, but for this.
fn due_of(
    item: &item::Item,
    asked_at: Option<DateTime<Utc>>,
    schedule: &Schedule,
    team: Option<&Team>,
) -> Result<Option<DateTime<Utc>>, String> {
    let Some(asked_at) = asked_at else { return Ok(None) };
    if item.kind != AccountKind::Team && item.urgency == Urgency::Green {
        return Ok(None);
    }
    let window = team.map_or_else(|| Window::usual(item.urgency), |team| team.window(item.urgency));
    due(schedule, asked_at, window).map(Some).map_err(|why| why.to_string())
}

/// Where nobody asks me, my own word that it is more than information does,
/// until I answer: since when.
fn wanted_by_me(tx: &Tx<'_>, item: &item::Item) -> Result<Option<DateTime<Utc>>, Failure> {
    let (Some(Urgency::Red | Urgency::Yellow), Some(said_at)) = (item.own_urgency, item.own_urgency_at) else {
        return Ok(None);
    };
    let answered = message::answered_since_said(tx, item.id)?;
    // Of what I have answered already the last message is not what I mean.
    Ok((!answered).then_some(if item.last_own { said_at } else { item.at }))
}
