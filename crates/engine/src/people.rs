//! My team as this device knows it: who is in it, when they work, whether
//! they focus, and the agreement's reply windows.

use crate::api::{Failure, FailureCode, PersonState};
use crate::engine::Engine;
use chrono::{DateTime, Utc};
use meantime_model::due::Window;
use meantime_model::{PersonId, Schedule, TeamId, Urgency};
use meantime_protocol::Kind;
use meantime_protocol::kinds::{Agreement, Focus, Member, Role, Windows};
use meantime_store::{Read, account, setting, team as records};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Setting: my hours, where no team keeps them.
pub(crate) const HOURS: &str = "hours";

/// What the team's account row keeps: no secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TeamConfig {
    pub(crate) host: String,
    /// SHA-256 of the server CA's key, hexadecimal.
    pub(crate) ca: Option<String>,
    pub(crate) person: PersonId,
    pub(crate) team: TeamId,
    pub(crate) team_name: String,
    pub(crate) device: meantime_model::DeviceId,
    /// When this device's token was handed out.
    #[serde(default)]
    pub(crate) token_at: Option<DateTime<Utc>>,
    /// The server is the sample team's: it runs on this machine, with the engine.
    #[serde(default)]
    pub(crate) sample: bool,
}

impl TeamConfig {
    /// The key of the server's own authority, if it has one.
    pub(crate) fn pin(&self) -> Result<Option<[u8; 32]>, Failure> {
        let Some(hex) = &self.ca else { return Ok(None) };
        let pairs = (0..hex.len()).step_by(2);
        let bytes: Option<Vec<u8>> =
            pairs.map(|i| hex.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect();
        let pin = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let broken = || {
            let message = "the team's key in the database can't be read; join again";
            Failure::new(FailureCode::Internal, message)
        };
        pin.map(Some).ok_or_else(broken)
    }
}

/// My team.
pub(crate) struct Team {
    pub(crate) config: TeamConfig,
    pub(crate) people: BTreeMap<PersonId, Person>,
    /// Those who were removed: what they wrote keeps their name.
    pub(crate) former: BTreeMap<PersonId, Person>,
    windows: Windows,
}

/// Somebody of the team.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: PersonId,
    pub(crate) name: String,
    pub(crate) title: String,
    city: Option<String>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) focus: Option<Focus>,
    pub(crate) role: Role,
    pub(crate) removed_at: Option<DateTime<Utc>>,
}

impl Team {
    /// The team this device joined, if any.
    pub(crate) fn load(db: &Read<'_>) -> Result<Option<Self>, Failure> {
        let Some(config) = config(db)? else { return Ok(None) };
        let mut team = Self { people: BTreeMap::new(), former: BTreeMap::new(), windows: Windows::default(), config };
        for row in records::all(db, &Kind::MEMBER)? {
            let Some(member) = row.typed::<Member>() else { continue };
            let (id, title) = (PersonId(row.id), member.title.unwrap_or_default());
            let Member { name, role, removed_at, city, .. } = member;
            let person = Person { id, name, title, city, schedule: None, focus: None, role, removed_at };
            match removed_at {
                None => team.people.insert(id, person),
                Some(_) => team.former.insert(id, person),
            };
        }
        for row in records::all(db, &Kind::SCHEDULE)? {
            if let Some(person) = team.people.get_mut(&PersonId(row.id)) {
                person.schedule = Schedule::from_json(Value::Object(row.fields)).ok();
            }
        }
        for row in records::all(db, &Kind::FOCUS)? {
            if let Some(person) = team.people.get_mut(&PersonId(row.id)) {
                person.focus = row.typed();
            }
        }
        for agreement in records::all(db, &Kind::AGREEMENT)?.iter().filter_map(|row| row.typed::<Agreement>()) {
            team.windows = agreement.windows;
            team.config.team_name = agreement.team;
        }
        Ok(Some(team))
    }

    /// The reply window of an urgency, by the agreement.
    pub(crate) fn window(&self, urgency: Urgency) -> Window {
        let text = match urgency {
            Urgency::Red => &self.windows.red,
            Urgency::Yellow => &self.windows.yellow,
            Urgency::Green => &self.windows.green,
        };
        text.as_deref().and_then(|text| text.parse().ok()).unwrap_or_else(|| Window::usual(urgency))
    }

    /// A person's name, as shown.
    pub(crate) fn name(&self, id: PersonId) -> String {
        self.people
            .get(&id)
            .or_else(|| self.former.get(&id))
            .map_or_else(|| "somebody who left".to_owned(), |person| person.name.clone())
    }

    pub(crate) fn me(&self) -> Option<&Person> {
        self.people.get(&self.config.person)
    }
}

impl Person {
    /// Where they are: as they say, else their zone's city.
    pub(crate) fn city(&self) -> String {
        let by_zone = || self.schedule.as_ref().map(|schedule| schedule.zone().city());
        self.city.clone().or_else(by_zone).unwrap_or_default()
    }

    pub(crate) fn zone(&self) -> Option<String> {
        self.schedule.as_ref().map(|schedule| schedule.zone().name().to_owned())
    }

    pub(crate) fn state(&self, now: DateTime<Utc>) -> PersonState {
        if let Some(until) = running_focus(self.focus.as_ref(), now) {
            return PersonState::Focusing { until };
        }
        self.schedule.as_ref().map_or(PersonState::Unknown, |schedule| state(schedule, now))
    }
}

/// `Some(until)` while a block runs.
pub(crate) fn running_focus(focus: Option<&Focus>, now: DateTime<Utc>) -> Option<Option<DateTime<Utc>>> {
    let focus = focus.filter(|focus| focus.since.is_some())?;
    match focus.until {
        Some(until) if until <= now => None,
        until => Some(until),
    }
}

/// What somebody with this schedule does now.
pub(crate) fn state(schedule: &Schedule, now: DateTime<Utc>) -> PersonState {
    if let Some(until) = schedule.end_of_stretch(now) {
        return PersonState::Works { until };
    }
    match schedule.next_opening(now) {
        None => PersonState::Unknown,
        Some(until) if schedule.off_at(now).is_some() => PersonState::Away { until },
        Some(at) => PersonState::Starts { at },
    }
}

/// The joined team's configuration.
pub(crate) fn config(db: &Read<'_>) -> Result<Option<TeamConfig>, Failure> {
    Ok(team_account(db)?.and_then(|row| serde_json::from_value(row.config).ok()))
}

/// Whose eyes the store sees the team with.
pub(crate) fn eyes(db: &Read<'_>, now: DateTime<Utc>) -> Result<Option<records::Team>, Failure> {
    let Some(row) = team_account(db)? else { return Ok(None) };
    let config: Option<TeamConfig> = serde_json::from_value(row.config).ok();
    Ok(config.map(|config| records::Team { account: row.id, me: config.person, now }))
}

/// The joined team's account row.
pub(crate) fn team_account(db: &Read<'_>) -> Result<Option<account::Account>, Failure> {
    Ok(account::all(db)?.into_iter().find(|row| row.kind == account::AccountKind::Team))
}

/// My hours: my team's record of them, else this device's setting.
pub(crate) fn my_hours(db: &Read<'_>) -> Result<Option<Schedule>, Failure> {
    if let Some(config) = config(db)? {
        let row = records::effective(db, &Kind::SCHEDULE, config.person.0)?;
        if let Some(schedule) = row.and_then(|row| Schedule::from_json(Value::Object(row.fields)).ok()) {
            return Ok(Some(schedule));
        }
    }
    let kept: Option<Value> = setting::get(db, HOURS)?;
    Ok(kept.and_then(|value| Schedule::from_json(value).ok()))
}

impl Engine {
    pub(crate) async fn my_schedule(&self) -> Option<Schedule> {
        self.read(my_hours).await.ok().flatten()
    }

    /// My hours, or what is proposed until I keep some.
    pub(crate) async fn schedule_or_proposed(&self) -> Schedule {
        self.my_schedule().await.unwrap_or_else(|| Schedule::proposed(self.computer_zone()))
    }
}
