//! Who is asking, and the team nobody steps out of.

use crate::Row;
use crate::storage::Standing;
use meantime_model::{DeviceId, PersonId, TeamId};
use meantime_protocol::Scope;
use meantime_protocol::kinds::Role;
use std::sync::Arc;
use uuid::Uuid;

/// The team that a storage call may touch; nothing of another is read or
/// written through it. Made from a token, an invite or by the operator,
/// never from what a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TeamScope(TeamId);

impl TeamScope {
    /// For whoever runs the server, and for the server's own work.
    #[must_use]
    pub fn operator(team: TeamId) -> Self {
        Self(team)
    }

    /// The team.
    #[must_use]
    pub fn id(self) -> TeamId {
        self.0
    }
}

/// A person on one of their devices, known by its token. What they are is as
/// it was when they were asked; a push looks at the rows themselves again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub person: PersonId,
    /// Of which team.
    pub team: TeamId,
    /// On which device.
    pub device: DeviceId,
    /// What they may do.
    pub role: Role,
    /// The circles they are in.
    pub circles: Arc<[Uuid]>,
}

impl Actor {
    /// Who somebody is, from how they stand; `None` for who is not in the team
    /// (any more).
    #[must_use]
    pub fn of(standing: &Standing) -> Option<Self> {
        let Standing { device, member, circles } = standing;
        let role = active_role(member.as_ref()?)?;
        let circles = circles.as_slice().into();
        Some(Self { person: device.person, team: device.team, device: device.id, role, circles })
    }

    /// The team this person's calls stay in.
    #[must_use]
    pub fn team_scope(&self) -> TeamScope {
        TeamScope(self.team)
    }

    /// Every feed this person may read.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        let circles = self.circles.iter().map(|circle| Scope::Private(*circle));
        [Scope::Team(self.team), Scope::User(self.person)].into_iter().chain(circles).collect()
    }

    /// Whether this person may read a feed. What is not theirs is answered as
    /// if it were not there.
    #[must_use]
    pub fn reaches(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Team(team) => *team == self.team,
            Scope::User(person) => *person == self.person,
            Scope::Private(circle) => self.circles.binary_search(circle).is_ok(),
        }
    }

    /// Whether they see only a guest's part of a feed.
    #[must_use]
    pub fn is_guest_in(&self, scope: &Scope) -> bool {
        self.role == Role::Guest && matches!(scope, Scope::Team(_))
    }

    /// Whether this person may invite and write the agreement.
    #[must_use]
    pub fn administers(&self) -> bool {
        administers(self.role)
    }
}

/// Whoever does something with people and devices.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// Whoever runs the server: may do everything in a team.
    Operator(TeamScope),
    /// Somebody of the team: may do what their role allows.
    Member(&'a Actor),
}

impl<'a> By<'a> {
    /// The team it is done in.
    #[must_use]
    pub fn team(self) -> TeamScope {
        match self {
            Self::Operator(team) => team,
            Self::Member(actor) => actor.team_scope(),
        }
    }

    /// Who does it; none for the operator.
    #[must_use]
    pub fn actor(self) -> Option<&'a Actor> {
        match self {
            Self::Operator(_) => None,
            Self::Member(actor) => Some(actor),
        }
    }
}

/// Whether somebody of one role may decide about somebody who has, or shall
/// have, another: owners about everybody, admins about all but owners.
#[must_use]
pub fn rules_over(role: Role, other: Role) -> bool {
    role == Role::Owner || (role == Role::Admin && other != Role::Owner)
}

/// Whether somebody of this role may invite and write the agreement.
#[must_use]
pub fn administers(role: Role) -> bool {
    matches!(role, Role::Owner | Role::Admin)
}

/// What a `member` record says somebody may do; `None` when they are not in
/// the team any more. A role that can't be read allows least.
#[must_use]
pub fn active_role(member: &Row) -> Option<Role> {
    let record = &member.record;
    let removed = record.fields.get("removed_at").is_some_and(|at| !at.is_null());
    if record.deleted || removed {
        return None;
    }
    let role = record.fields.get("role").cloned().unwrap_or_default();
    Some(serde_json::from_value(role).unwrap_or(Role::Guest))
}
