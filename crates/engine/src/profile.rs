//! My hours, my settings, and the state of everything in one look.

use crate::api::*;
use crate::dues;
use crate::engine::Engine;
use crate::out;
use crate::people::{self, Team};
use meantime_model::zone::Zone;
use meantime_protocol::Kind;
use meantime_store::{Read, account, item, list, outbox, setting};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Setting: [`Settings`] of this device.
const SETTINGS: &str = "settings";

impl Engine {
    pub(crate) async fn status_now(&self) -> Result<Status, Failure> {
        let now = self.now();
        let secrets = crate::join::kept(self.safe.kept().await);
        let focus = self.focus_now().await?;
        let schedule = self.schedule_or_proposed().await;
        let computer = self.clock.zone();
        let (me, counts, refusals, first_run) = self
            .read(|db| {
                let team = Team::load(db)?;
                let me = team.as_ref().and_then(|team| {
                    let me = team.me()?;
                    Some(Me { id: me.id, name: me.name.clone(), city: me.city(), team: team.config.team_name.clone() })
                });
                let rows = list::counts(db)?;
                let counts = Counts {
                    inbox: rows.held + rows.due,
                    waiting: rows.waiting,
                    later: rows.later,
                    pending: outbox::count_waiting(db, None)?,
                };
                Ok((me, counts, outbox::count_refused(db)?, account::all(db)?.is_empty()))
            })
            .await?;
        let zone = schedule.zone();
        let live = self.live();
        let broken = live.accounts.values().filter(|a| matches!(a.state, AccountState::NeedsYou { .. })).count();
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            first_run,
            me,
            zone: zone.name().to_owned(),
            other_zone: computer.parse::<Zone>().ok().filter(|here| *here != zone).map(|here| here.name().to_owned()),
            state: people::state(&schedule, now),
            focus,
            counts,
            connection: live.connection.clone(),
            refusals,
            broken_accounts: u32::try_from(broken).unwrap_or(u32::MAX),
            secrets,
            notifications: live.notifications.clone(),
        })
    }

    pub(crate) async fn hours_now(&self) -> Result<Hours, Failure> {
        Ok(match self.read(people::my_hours).await? {
            Some(schedule) => Hours { schedule, proposed: false },
            None => Hours { schedule: self.schedule_or_proposed().await, proposed: true },
        })
    }

    /// Keeps my hours here, and tells the team.
    pub(crate) async fn save_hours(self: &Arc<Self>, hours: Hours) -> Result<Nothing, Failure> {
        let value = serde_json::to_value(&hours.schedule)
            .map_err(|e| Failure::new(FailureCode::Invalid, format!("these hours can't be kept: {e}")))?;
        let (now, computer) = (self.now(), self.computer_zone());
        self.write(move |tx| {
            let before = people::my_hours(tx)?.and_then(|old| serde_json::to_value(old).ok()).unwrap_or_default();
            setting::put(tx, people::HOURS, &value)?;
            if let Some(config) = people::config(tx)? {
                out::team_op(
                    tx,
                    &config,
                    out::Change::new(Kind::SCHEDULE, config.person.0, patch(&before, value)),
                    now,
                )?;
            }
            item::set_all_due_stale(tx)?;
            dues::settle(tx, computer)
        })
        .await?;
        self.send_what_is_ready().await;
        self.tell(&[Tag::Settings, Tag::Team, Tag::Inbox, Tag::Status]);
        Ok(Nothing {})
    }

    pub(crate) async fn settings_now(&self) -> Settings {
        self.read(settings).await.unwrap_or_default()
    }

    pub(crate) async fn save_settings(&self, settings: Settings) -> Result<Nothing, Failure> {
        if !(1..=1440).contains(&settings.focus_minutes) {
            return Err(Failure::new(FailureCode::Invalid, "focus_minutes: a block is 1 to 1440 minutes long"));
        }
        self.write(move |tx| Ok(setting::put(tx, SETTINGS, &settings)?)).await?;
        self.tell(&[Tag::Settings, Tag::Focus]);
        Ok(Nothing {})
    }
}

/// This device's settings; the usual ones until some are kept.
pub(crate) fn settings(db: &Read<'_>) -> Result<Settings, Failure> {
    Ok(setting::get(db, SETTINGS)?.unwrap_or_default())
}

/// The merge patch that makes `new` of `old`: what is gone is said with null.
fn patch(old: &Value, new: Value) -> Map<String, Value> {
    let mut out = Map::new();
    let Value::Object(new) = new else { return out };
    if let Value::Object(old) = old {
        out.extend(old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null)));
    }
    for (key, value) in new {
        let before = old.get(&key).cloned().unwrap_or_default();
        let value = match value {
            Value::Object(_) => Value::Object(patch(&before, value)),
            value => value,
        };
        out.insert(key, value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_removes_what_is_gone() {
        let old = json!({"zone": "UTC", "weekly": {"mon": [["09:00", "10:00"]], "tue": [["09:00", "10:00"]]}});
        let new = json!({"zone": "Asia/Tokyo", "weekly": {"tue": [["08:00", "09:00"]]}});
        let wanted = json!({"zone": "Asia/Tokyo", "weekly": {"mon": null, "tue": [["08:00", "09:00"]]}});
        assert_eq!(Value::Object(patch(&old, new)), wanted);
    }
}
