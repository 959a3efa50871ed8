//! Knowing a device by its token, giving it the next one, and ending it.

use crate::access::{active_role, rules_over};
use crate::audit::{Event, by, entry};
use crate::core::{TRIES, busy, failed, internal, slow_down};
use crate::join::not_there;
use crate::limits::{SEEN_EVERY, TOKEN_GRACE, TOKENS_PER_HOUR};
use crate::storage::{Batch, Bearer, Change, Commit, Device, Storage, Token};
use crate::{Actor, By, Core, Secret, SecretHash, TeamScope};
use chrono::TimeDelta;
use meantime_model::{DeviceId, PersonId};
use meantime_protocol::people::{DeviceInfo, TokenResponse};
use meantime_protocol::{Code, Problem};

impl<S: Storage> Core<S> {
    /// Who holds this token. A token that was replaced is good for
    /// [`TOKEN_GRACE`] once the next was used; showing it later ends the device,
    /// for then somebody has a copy.
    ///
    /// # Errors
    /// `unauthorized` when nobody does.
    pub async fn authenticate(&self, token: &str) -> Result<Actor, Problem> {
        let hash = SecretHash::of(token);
        for _ in 0..TRIES {
            let bearer = self.storage.bearer(hash).await.map_err(failed)?.ok_or_else(unauthorized)?;
            let now = self.now();
            if bearer.token.retired_at.is_some_and(|at| now > at + TOKEN_GRACE) {
                self.reused(&bearer).await?;
                return Err(unauthorized());
            }
            let actor = Actor::of(&bearer.standing).ok_or_else(unauthorized)?;
            if !bearer.token.used && bearer.token.retired_at.is_none() {
                let change = Change::UseToken { device: actor.device, token: hash, at: now };
                let batch = Batch { at: now, changes: vec![change], ..Batch::default() };
                match self.storage.commit(actor.team_scope(), batch).await.map_err(failed)? {
                    Commit::Done(_) => {}
                    // The device asked for another one at the same moment.
                    Commit::Stale | Commit::InviteGone => continue,
                }
            }
            if now - bearer.standing.device.seen_at > SEEN_EVERY {
                self.storage.seen(actor.team_scope(), actor.device, now).await.map_err(failed)?;
            }
            return Ok(actor);
        }
        Err(busy())
    }

    /// The device's next token. The one it has stays good until this one was
    /// used: a reply that is lost costs nothing.
    ///
    /// # Errors
    /// `slow_down` when it asks for too many.
    pub async fn next_token(&self, actor: &Actor) -> Result<TokenResponse, Problem> {
        let team = actor.team_scope();
        for _ in 0..TRIES {
            let now = self.now();
            let access = self.storage.access(team).await.map_err(failed)?;
            self.still_known(actor).await?;
            let tokens = self.storage.tokens(team, actor.device).await.map_err(failed)?;
            if tokens.iter().filter(|t| now - t.issued_at < TimeDelta::hours(1)).count() >= TOKENS_PER_HOUR {
                return Err(slow_down("this device asks for a new token too often", 3600));
            }
            let secret = Secret::token().map_err(|e| internal(&e))?;
            let token =
                Token { hash: secret.hash(), device: actor.device, issued_at: now, used: false, retired_at: None };
            let changes = vec![Change::AddToken(token)];
            let batch = Batch { at: now, access: Some(access), changes, ..Batch::default() };
            if let Commit::Done(_) = self.carry_out(team, batch).await.map_err(failed)? {
                return Ok(TokenResponse { token: secret.reveal() });
            }
        }
        Err(busy())
    }

    /// A person's devices, as somebody sees them who may: the person, an owner
    /// or admin over them, the operator.
    ///
    /// # Errors
    /// `not_found` for whose devices they may not see.
    pub async fn devices(&self, who: By<'_>, person: PersonId) -> Result<Vec<DeviceInfo>, Problem> {
        self.decides_about(who, person).await?;
        let this = who.actor().map(|actor| actor.device);
        let devices = self.storage.devices(who.team(), person).await.map_err(failed)?;
        let shown = |Device { id, name, since, seen_at, .. }: Device| DeviceInfo {
            id,
            name,
            since,
            seen_at,
            this: Some(id) == this,
        };
        Ok(devices.into_iter().map(shown).collect())
    }

    /// Ends a device: its tokens are good for nothing from then on, and its
    /// open streams end. Invites and links that its person made and nobody
    /// used are good for nothing either: whoever has it now may have made them.
    ///
    /// # Errors
    /// `not_found` for a device that is not there or not theirs to end;
    /// `unauthorized` for who was ended meanwhile.
    pub async fn revoke(&self, who: By<'_>, device: DeviceId) -> Result<(), Problem> {
        let gone = || Problem::new(Code::NotFound, "there is no such device, or not for you");
        let team = who.team();
        for _ in 0..TRIES {
            let now = self.now();
            let access = Some(self.storage.access(team).await.map_err(failed)?);
            if let Some(actor) = who.actor() {
                self.still_known(actor).await?;
            }
            let standing = self.storage.standing(team, device).await.map_err(failed)?.ok_or_else(gone)?;
            let person = standing.device.person;
            self.decides_about(who, person).await.map_err(|p| match p.code {
                Code::NotFound => gone(),
                _ => p,
            })?;
            let audit = vec![by(who.actor(), entry(now, Event::DeviceRevoked, Some(device.0)))];
            let changes = vec![Change::RemoveDevice(device), Change::DropInvitesBy(person)];
            let batch = Batch { at: now, access, changes, audit, ..Batch::default() };
            if let Commit::Done(_) = self.carry_out(team, batch).await.map_err(failed)? {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// Whoever asks as they stand now; `unauthorized` when their device was
    /// ended, or they were removed, since they were known. A decision relies
    /// on it by the access number, read before.
    pub(crate) async fn still_known(&self, actor: &Actor) -> Result<Actor, Problem> {
        let standing = self.storage.standing(actor.team_scope(), actor.device).await.map_err(failed)?;
        standing.as_ref().and_then(Actor::of).ok_or_else(unauthorized)
    }

    /// `not_found` unless somebody may decide about a person's devices.
    async fn decides_about(&self, who: By<'_>, person: PersonId) -> Result<(), Problem> {
        let Some(actor) = who.actor() else {
            return self.member(who.team(), person).await?.map(drop).ok_or_else(not_there);
        };
        if actor.person == person {
            return Ok(());
        }
        // Whoever may not is not told whether there is such a person.
        if !actor.administers() {
            return Err(not_there());
        }
        match self.member(who.team(), person).await?.as_ref().and_then(active_role) {
            Some(role) if rules_over(actor.role, role) => Ok(()),
            _ => Err(not_there()),
        }
    }

    async fn reused(&self, bearer: &Bearer) -> Result<(), Problem> {
        let Device { id, team, person, .. } = bearer.standing.device;
        tracing::warn!(device = %id, "a token was shown that had been replaced: its device was ended");
        let noted = entry(self.now(), Event::TokenReused, Some(id.0));
        let audit = vec![crate::storage::AuditEntry { by: Some(person), device: Some(id), ..noted }];
        let changes = vec![Change::RemoveDevice(id), Change::DropInvitesBy(person)];
        let batch = Batch { at: self.now(), changes, audit, ..Batch::default() };
        self.carry_out(TeamScope::operator(team), batch).await.map_err(failed).map(drop)
    }
}

pub(crate) fn unauthorized() -> Problem {
    Problem::new(Code::Unauthorized, "this device is not known here; join again with an invite, or sign in")
}
