//! My hours, my settings, and the state of everything in one look.

use crate::api::*;
use crate::dues;
use crate::engine::Engine;
use crate::out;
use crate::people::{self, Team, TeamConfig};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::zone::Zone;
use meantime_model::{PersonId, Schedule};
use meantime_protocol::{Kind, Scope};
use meantime_store::{Read, Tx, account, item, list, outbox, scope, setting, team as records};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Setting: [`Settings`], as this device has them.
const SETTINGS: &str = "settings";

impl Engine {
    pub(crate) async fn status_now(&self) -> Result<Status, Failure> {
        let now = self.now();
        let secrets = crate::secrets::kept(self.safe.kept().await);
        let focus = self.focus_now().await?;
        let schedule = self.schedule_or_proposed().await;
        let computer = self.clock.zone();
        let (me, counts, refusals, first_run, damage) = self
            .read(|db| {
                let team = Team::load(db)?;
                let me = team.as_ref().and_then(|team| {
                    let me = team.me()?;
                    Some(Me { id: me.id, name: me.name.clone(), city: me.city(), team: team.config.team_name.clone() })
                });
                let rows = list::counts(db)?;
                let counts = Counts {
                    inbox: (rows.held + rows.due).saturating_sub(rows.kept),
                    waiting: rows.waiting,
                    later: rows.later,
                    pending: outbox::count_waiting(db, None)?,
                };
                let refusals = outbox::count_refused(db)?;
                Ok((me, counts, refusals, account::all(db)?.is_empty(), crate::damage::unseen(db)?))
            })
            .await?;
        let accounts = self.list_accounts().await?;
        // The team's state is the connection's.
        let sources = || accounts.iter().filter(|account| account.kind != SourceKind::Team);
        let broken = sources().filter(|account| matches!(account.state, AccountState::NeedsYou { .. })).count();
        let zone = schedule.zone();
        let live = self.live();
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
            unreachable: sources().filter_map(|account| unreachable(account, now)).collect(),
            damage,
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
        let now = self.now();
        self.write(move |tx| {
            setting::put(tx, SETTINGS, &settings)?;
            match people::config(tx)? {
                Some(config) => share_settings(tx, &config, &settings, now),
                None => Ok(()),
            }
        })
        .await?;
        self.send_what_is_ready().await;
        self.tell(&[Tag::Settings, Tag::Focus]);
        Ok(Nothing {})
    }
}

/// What is said of an account that is tried again by itself, once that goes on
/// for too long to be a moment: news of a feed can wait.
fn unreachable(account: &Account, now: DateTime<Utc>) -> Option<Unreachable> {
    let AccountState::Retrying { message, since, .. } = &account.state else { return None };
    let moment = if account.kind == SourceKind::Feed { TimeDelta::days(1) } else { TimeDelta::minutes(5) };
    (now - *since >= moment).then(|| Unreachable {
        name: account.name.clone(),
        since: *since,
        message: message.clone(),
    })
}

/// My settings: this device's, and over them those that follow me to each of
/// my devices. The usual ones until some are kept.
pub(crate) fn settings(db: &Read<'_>) -> Result<Settings, Failure> {
    let mut settings: Settings = setting::get(db, SETTINGS)?.unwrap_or_default();
    let Some(config) = people::config(db)? else { return Ok(settings) };
    let mine = records::effective(db, &Kind::SETTINGS, config.person.0)?.and_then(|row| row.typed::<Mine>());
    if let Some(mine) = mine {
        settings.may_interrupt = mine.may_interrupt.unwrap_or(settings.may_interrupt);
        settings.may_interrupt_addresses = mine.may_interrupt_addresses.unwrap_or(settings.may_interrupt_addresses);
        settings.focus_minutes =
            mine.focus_minutes.filter(|minutes| (1..=1440).contains(minutes)).unwrap_or(settings.focus_minutes);
    }
    Ok(settings)
}

/// What is mine and the team's server does not have yet, once it is known
/// what it has: my hours, for teammates count on them, and my settings. What
/// another device of mine has told it stays.
pub(crate) fn share_own(tx: &Tx<'_>, computer: Zone, now: DateTime<Utc>) -> Result<(), Failure> {
    let Some(config) = people::config(tx)? else { return Ok(()) };
    let whole = |scope| -> Result<bool, Failure> {
        Ok(scope::get(tx, scope)?.is_some_and(|feed| feed.cursor.is_some() && feed.page.is_none()))
    };
    let me = config.person;
    let lacks = |kind| -> Result<bool, Failure> { Ok(records::effective(tx, kind, me.0)?.is_none()) };
    if whole(Scope::Team(config.team))? && lacks(&Kind::SCHEDULE)? {
        let hours = people::my_hours(tx)?.unwrap_or_else(|| Schedule::proposed(computer));
        let hours = serde_json::to_value(hours).map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))?;
        setting::put(tx, people::HOURS, &hours)?;
        let fields = patch(&Value::Null, hours);
        out::team_op(tx, &config, out::Change::new(Kind::SCHEDULE, me.0, fields), now)?;
        item::set_all_due_stale(tx)?;
    }
    if whole(Scope::User(me))? && lacks(&Kind::SETTINGS)? {
        let settings: Settings = setting::get(tx, SETTINGS)?.unwrap_or_default();
        if Mine::of(&settings) != Mine::of(&Settings::default()) {
            share_settings(tx, &config, &settings, now)?;
        }
    }
    Ok(())
}

/// Those of my settings that follow me; `None` where nothing was said.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mine {
    #[serde(default)]
    may_interrupt: Option<Vec<PersonId>>,
    #[serde(default)]
    may_interrupt_addresses: Option<Vec<String>>,
    #[serde(default)]
    focus_minutes: Option<u32>,
}

impl Mine {
    fn of(settings: &Settings) -> Self {
        Self {
            may_interrupt: Some(settings.may_interrupt.clone()),
            may_interrupt_addresses: Some(settings.may_interrupt_addresses.clone()),
            focus_minutes: Some(settings.focus_minutes),
        }
    }
}

/// Tells my own feed what changed of the settings that follow me.
fn share_settings(tx: &Tx<'_>, config: &TeamConfig, settings: &Settings, now: DateTime<Utc>) -> Result<(), Failure> {
    let before = records::effective(tx, &Kind::SETTINGS, config.person.0)?.map(|row| row.fields).unwrap_or_default();
    let mine = serde_json::to_value(Mine::of(settings));
    let mine = mine.map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))?;
    let mut changed = patch(&Value::Null, mine);
    changed.retain(|name, value| before.get(name) != Some(value));
    if changed.is_empty() {
        return Ok(());
    }
    out::team_op(tx, config, out::Change::new(Kind::SETTINGS, config.person.0, changed), now)?;
    Ok(())
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
