//! Who is asking, and the team nobody steps out of.

use meantime_model::{DeviceId, PersonId, TeamId};
use meantime_protocol::Scope;
use meantime_protocol::kinds::Role;

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

/// A person on one of their devices, known by its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub person: PersonId,
    /// Of which team.
    pub team: TeamId,
    /// On which device.
    pub device: DeviceId,
    /// What they may do.
    pub role: Role,
}

impl Actor {
    /// The team this person's calls stay in.
    #[must_use]
    pub fn team_scope(&self) -> TeamScope {
        TeamScope(self.team)
    }

    /// Every feed this person may read.
    #[must_use]
    pub fn scopes(&self) -> [Scope; 2] {
        [Scope::Team(self.team), Scope::User(self.person)]
    }

    /// Whether this person may read and write in a feed. What is not theirs
    /// is answered as if it were not there.
    #[must_use]
    pub fn reaches(&self, scope: &Scope) -> bool {
        self.scopes().contains(scope)
    }

    /// Whether this person may invite and write the agreement.
    #[must_use]
    pub fn administers(&self) -> bool {
        matches!(self.role, Role::Owner | Role::Admin)
    }
}
