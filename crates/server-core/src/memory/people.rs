//! People, devices and circles in memory.

use super::State;
use crate::storage::{Account, Attempts, AuditEntry, Bearer, Change, Device, Invite, Standing, Token, Tried};
use crate::{Key, SecretHash, TeamScope};
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, PersonId, TeamId};
use meantime_protocol::{Kind, Scope};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

#[derive(Debug, Default)]
pub(super) struct People {
    pub access: HashMap<TeamId, u64>,
    pub devices: Vec<Device>,
    pub tokens: Vec<(TeamId, Token)>,
    pub invites: Vec<Invite>,
    pub accounts: BTreeMap<(TeamId, PersonId), Account>,
    pub circles: BTreeMap<(TeamId, Uuid), BTreeSet<PersonId>>,
    pub attempts: HashMap<(TeamId, Tried), Attempts>,
    pub audit: HashMap<TeamId, Vec<AuditEntry>>,
}

impl State {
    pub(super) fn bearer(&self, hash: SecretHash) -> Option<Bearer> {
        let (team, token) = self.people.tokens.iter().find(|(_, token)| token.hash == hash)?;
        let standing = self.standing(TeamScope::operator(*team), token.device)?;
        Some(Bearer { token: token.clone(), standing })
    }

    pub(super) fn standing(&self, team: TeamScope, device: DeviceId) -> Option<Standing> {
        let device = self.people.devices.iter().find(|d| d.team == team.id() && d.id == device)?.clone();
        let key = Key { scope: Scope::Team(team.id()), kind: Kind::MEMBER, id: device.person.0 };
        let member = self.rows.get(&(team.id(), key)).cloned();
        let circles = self.people.circles_of(team, device.person);
        Some(Standing { device, member, circles })
    }

    pub(super) fn change(&mut self, team: TeamScope, change: Change) {
        let (people, team) = (&mut self.people, team.id());
        match change {
            Change::AddInvite(invite) => people.invites.push(Invite { team, ..invite }),
            Change::UseInvite(secret) => {
                for invite in people.invites.iter_mut().filter(|i| i.secret == secret && i.team == team) {
                    invite.used = true;
                }
            }
            Change::DropInvites(person) => people.invites.retain(|invite| {
                invite.team != team || invite.used || (invite.by != Some(person) && invite.person != Some(person))
            }),
            Change::DropInvitesBy(person) => {
                people.invites.retain(|invite| invite.team != team || invite.used || invite.by != Some(person));
            }
            Change::AddDevice(device, token) => {
                people.devices.push(Device { team, ..device });
                people.tokens.push((team, token));
            }
            Change::RemoveDevice(device) => {
                people.devices.retain(|d| d.team != team || d.id != device);
                people.tokens.retain(|(of, token)| *of != team || token.device != device);
                self.taken.retain(|(of, by, _), _| *of != team || *by != device);
                self.forgotten.remove(&(team, device));
            }
            Change::AddToken(token) => {
                people.retire(team, token.device, token.issued_at, &|other| !other.used);
                people.tokens.push((team, token));
            }
            Change::UseToken { device, token, at } => {
                people.retire(team, device, at, &|other| other.hash != token);
                for (_, known) in people.tokens.iter_mut().filter(|(of, known)| *of == team && known.hash == token) {
                    known.used = true;
                }
            }
            Change::PutAccount(account) => {
                people.accounts.insert((team, account.person), account);
            }
            Change::RemoveAccount(person) => {
                people.accounts.remove(&(team, person));
                people.attempts.remove(&(team, Tried::Person(person)));
            }
            Change::Circle { circle, members } => {
                people.circles.insert((team, circle), members.into_iter().collect());
            }
        }
    }
}

impl People {
    pub(super) fn has_device(&self, team: TeamId, device: DeviceId) -> bool {
        self.devices.iter().any(|d| d.team == team && d.id == device)
    }

    pub(super) fn circles_of(&self, team: TeamScope, person: PersonId) -> Vec<Uuid> {
        let theirs = self.circles.iter().filter(|((of, _), members)| *of == team.id() && members.contains(&person));
        theirs.map(|((_, circle), _)| *circle).collect()
    }

    /// Whoever is in a circle with a person, and they themselves.
    pub(super) fn known_to(&self, team: TeamScope, person: PersonId) -> BTreeSet<Uuid> {
        let circles = self.circles.iter().filter(|((of, _), members)| *of == team.id() && members.contains(&person));
        circles.flat_map(|(_, members)| members).chain([&person]).map(|id| id.0).collect()
    }

    pub(super) fn failed(&mut self, team: TeamScope, of: Tried, at: DateTime<Utc>, since: DateTime<Utc>) -> u32 {
        if let Tried::Person(person) = of
            && !self.accounts.contains_key(&(team.id(), person))
        {
            return 1;
        }
        let before = self.attempts.get(&(team.id(), of)).filter(|attempts| attempts.at >= since);
        let failures = before.map_or(0, |attempts| attempts.failures).saturating_add(1);
        self.attempts.insert((team.id(), of), Attempts { failures, at });
        failures
    }

    pub(super) fn note(&mut self, team: TeamScope, entry: AuditEntry) {
        let log = self.audit.entry(team.id()).or_default();
        let seq = log.last().map_or(0, |last| last.seq) + 1;
        log.push(AuditEntry { seq, ..entry });
    }

    fn retire(&mut self, team: TeamId, device: DeviceId, at: DateTime<Utc>, which: &dyn Fn(&Token) -> bool) {
        let theirs = self.tokens.iter_mut().filter(|(of, token)| *of == team && token.device == device);
        for (_, token) in theirs.filter(|(_, token)| which(token)) {
            token.retired_at = token.retired_at.or(Some(at));
        }
    }
}
