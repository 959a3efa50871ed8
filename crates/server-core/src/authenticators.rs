//! What authenticators share with the server: sealed where it is kept
//! ([`crate::seal`]), opened where a code is compared, and looked through for
//! whoever runs the server.
//!
//! Servers of before that kept it as it is. Such secrets still count, until
//! [`Core::seal_authenticators`] has sealed them.

use crate::core::{TRIES, busy, failed};
use crate::seal::SealError;
use crate::storage::{Account, Batch, Change, Commit, Storage, Totp};
use crate::{Core, TeamScope, totp};
use meantime_model::{PersonId, TeamId};
use meantime_protocol::{Code, Problem};

/// Whose authenticators there are in a team, by how their secrets are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authenticators {
    /// Sealed, and this server opens them.
    pub good: Vec<PersonId>,
    /// As they are.
    pub plain: Vec<PersonId>,
    /// Sealed with another key than this server's, or it has none.
    pub foreign: Vec<PersonId>,
    /// Not sealed for whom they are kept, or changed since.
    pub broken: Vec<PersonId>,
}

impl<S: Storage> Core<S> {
    /// How the authenticators of a team are kept; changes nothing.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn authenticators(&self, team: TeamScope) -> Result<Authenticators, Problem> {
        let mut found = Authenticators::default();
        for Account { person, totp, .. } in self.storage.authenticators(team).await.map_err(failed)? {
            let Some(Totp { secret, .. }) = totp else { continue };
            let kept = match self.seals.open(team.id(), person, &secret) {
                _ if totp::is_plain(&secret) => &mut found.plain,
                Ok(_) => &mut found.good,
                Err(SealError::OtherKey | SealError::NoKey) => &mut found.foreign,
                Err(_) => &mut found.broken,
            };
            kept.push(person);
        }
        Ok(found)
    }

    /// Seals what an older server kept as it is; how many there were.
    ///
    /// # Errors
    /// When there is no key, or the storage fails; some may be sealed then.
    pub async fn seal_authenticators(&self, team: TeamScope) -> Result<usize, Problem> {
        let mut sealed = 0;
        for person in self.with_one_key(team).await?.plain {
            sealed += usize::from(self.seal_one(team, person).await?);
        }
        Ok(sealed)
    }

    /// What to keep of a new secret.
    pub(crate) async fn sealed(&self, team: TeamScope, person: PersonId, secret: &[u8]) -> Result<Vec<u8>, Problem> {
        self.with_one_key(team).await?;
        self.seal(team.id(), person, secret)
    }

    /// What this person's authenticator shares with the server.
    pub(crate) fn opened(&self, team: TeamId, person: PersonId, totp: &Totp) -> Result<Vec<u8>, Problem> {
        if totp::is_plain(&totp.secret) {
            return Ok(totp.secret.clone());
        }
        self.seals.open(team, person, &totp.secret).map_err(|why| unusable(team, person, why))
    }

    /// Refuses while some were sealed with another key: two in one database
    /// are right on no server.
    async fn with_one_key(&self, team: TeamScope) -> Result<Authenticators, Problem> {
        let found = self.authenticators(team).await?;
        match found.foreign.first() {
            Some(of) => Err(unusable(team.id(), *of, SealError::OtherKey)),
            None => Ok(found),
        }
    }

    fn seal(&self, team: TeamId, person: PersonId, secret: &[u8]) -> Result<Vec<u8>, Problem> {
        self.seals.seal(team, person, secret).map_err(|why| unusable(team, person, why))
    }

    async fn seal_one(&self, team: TeamScope, person: PersonId) -> Result<bool, Problem> {
        for _ in 0..TRIES {
            let access = self.storage.access(team).await.map_err(failed)?;
            let Some(mut account) = self.storage.account(team, person).await.map_err(failed)? else {
                return Ok(false);
            };
            let Some(totp) = account.totp.as_mut().filter(|totp| totp::is_plain(&totp.secret)) else {
                return Ok(false);
            };
            totp.secret = self.seal(team.id(), person, &totp.secret)?;
            let changes = vec![Change::PutAccount(account)];
            let batch = Batch { at: self.now(), access: Some(access), changes, ..Batch::default() };
            if let Commit::Done(_) = self.carry_out(team, batch).await.map_err(failed)? {
                return Ok(true);
            }
        }
        Err(busy())
    }
}

/// Said in the log, where whoever can mend it looks, and to the person.
fn unusable(team: TeamId, person: PersonId, why: SealError) -> Problem {
    tracing::error!(%team, %person, "the secret of an authenticator can't be used: {why}");
    let message = "the server can't read what your authenticator shares with it; tell whoever runs the server, \
                   whose log says why";
    Problem::new(Code::Internal, message)
}
