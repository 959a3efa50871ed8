//! Signing in: a further device for somebody with a password. Wrong names,
//! passwords and codes are answered alike, after the same work, and later each
//! time.

use crate::access::active_role;
use crate::accounts::{Try, normal, sign_in_failed};
use crate::audit::{Event, entry};
use crate::core::{TRIES, busy, failed};
use crate::join::new_device;
use crate::password::Verified;
use crate::rules::name_of_person;
use crate::storage::{Account, AuditEntry, Batch, Change, Commit, Storage};
use crate::{Core, TeamScope, totp};
use meantime_model::TeamId;
use meantime_protocol::http::JoinResponse;
use meantime_protocol::people::SignInRequest;
use meantime_protocol::{Code, Problem};
use std::net::IpAddr;

impl<S: Storage> Core<S> {
    /// A further device for somebody with a password. `from`: where the
    /// request came from.
    ///
    /// # Errors
    /// `sign_in_failed`, one answer for all that may be wrong; `totp_needed`;
    /// `slow_down` after failures; `limit_reached` for too many devices;
    /// `busy` when many sign in.
    pub async fn sign_in(&self, request: &SignInRequest, from: Option<IpAddr>) -> Result<JoinResponse, Problem> {
        let device_name = name_of_person("the device's name", &request.device_name)?;
        let team = self.team_to_sign_in_to(request.team).await?;
        let login = normal(&request.login);
        let turn = self.passwords.turn().await?;
        let account = match team {
            Some(team) => self.storage.account_named(team, &login).await.map_err(failed)?,
            None => None,
        };
        let attempt = Try { team, login: &login, account: account.as_ref(), from };
        let verified = self.try_password(&turn, &attempt, &request.password).await?;
        let (Some(team), Some(mut account)) = (team, account.clone()) else { return Err(sign_in_failed()) };
        let known = account.clone();
        if let Some(totp) = account.totp.as_mut().filter(|totp| totp.confirmed) {
            let needed = || Problem::new(Code::TotpNeeded, "the code of your authenticator is needed as well");
            let code = request.totp.as_deref().ok_or_else(needed)?;
            let secret = self.opened(team.id(), known.person, totp)?;
            match totp::step(&secret, code, totp.last_step, self.now()) {
                Some(step) => totp.last_step = step,
                None => {
                    self.failed_try(&attempt).await?;
                    return Err(sign_in_failed());
                }
            }
        }
        if verified == Verified::Outdated {
            account.password = self.passwords.hash(&turn, &request.password).await?;
        }
        let joined = self.add_signed_in(team, &known, account, &device_name).await?;
        self.storage.forget_attempts(team, attempt.counted(team)).await.map_err(failed)?;
        Ok(joined)
    }

    /// Adds the device of somebody who showed what `known` asks for, if that
    /// is still so.
    async fn add_signed_in(
        &self,
        team: TeamScope,
        known: &Account,
        account: Account,
        device_name: &str,
    ) -> Result<JoinResponse, Problem> {
        let person = known.person;
        for _ in 0..TRIES {
            let now = self.now();
            let access = self.storage.access(team).await.map_err(failed)?;
            // Changed, or used with the same code, since it was looked at.
            if self.storage.account(team, person).await.map_err(failed)?.as_ref() != Some(known) {
                return Err(sign_in_failed());
            }
            let member = self.member(team, person).await?.ok_or_else(sign_in_failed)?;
            active_role(&member).ok_or_else(sign_in_failed)?;
            self.room_for_a_device(team, person).await?;
            let fresh = new_device(team, person, device_name, now)?;
            let device = fresh.device.id;
            let mut batch = Batch { at: now, access: Some(access), ..Batch::default() };
            batch.expects.push((member.key(), member.record.seq));
            let noted = entry(now, Event::SignedIn, Some(person.0));
            batch.audit.push(AuditEntry { by: Some(person), device: Some(device), ..noted });
            if account != *known {
                batch.changes.push(Change::PutAccount(account.clone()));
            }
            batch.changes.push(Change::AddDevice(fresh.device, fresh.token));
            if let Commit::Done(_) = self.carry_out(team, batch).await.map_err(failed)? {
                let team_name = self.team_name(team).await?;
                return Ok(JoinResponse { person, team: team.id(), team_name, device, token: fresh.secret.reveal() });
            }
        }
        Err(busy())
    }

    /// `None`: there is no such team, which the caller doesn't tell.
    async fn team_to_sign_in_to(&self, wanted: Option<TeamId>) -> Result<Option<TeamScope>, Problem> {
        if let Some(team) = wanted {
            let team = TeamScope::operator(team);
            return Ok(self.storage.team(team).await.map_err(failed)?.map(|_| team));
        }
        match self.storage.teams().await.map_err(failed)?.as_slice() {
            [team] => Ok(Some(TeamScope::operator(team.id))),
            _ => Err(Problem::new(Code::Invalid, "this server has several teams: say which")),
        }
    }
}
