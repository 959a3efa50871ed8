//! Passwords and authenticators: choosing, changing and losing them, and the
//! waits after wrong ones. Getting in with them is [`crate::sign_in`]'s.

use crate::access::active_role;
use crate::audit::{Event, by, entry};
use crate::core::{TRIES, busy, failed, internal, slow_down};
use crate::join::not_there;
use crate::limits::{FREE_TRIES, TRIES_KEPT};
use crate::password::{Turn, Verified, acceptable};
use crate::storage::{Account, Batch, Change, Commit, Storage, Totp, Tried};
use crate::{Actor, Core, TeamScope, totp, tries};
use meantime_model::PersonId;
use meantime_protocol::people::{AccountInfo, AccountRequest, TotpConfirm, TotpRequest, TotpResponse};
use meantime_protocol::{Code, Problem};
use std::net::IpAddr;

/// Whose password is tried, and from where.
pub(crate) struct Try<'a> {
    /// None: no such team, which is not told.
    pub team: Option<TeamScope>,
    pub login: &'a str,
    pub account: Option<&'a Account>,
    pub from: Option<IpAddr>,
}

impl Try<'_> {
    /// Where its failures are counted: a colleague who signs in resets no
    /// other's count, and logins that are nobody's fill no disk.
    pub fn counted(&self, team: TeamScope) -> Tried {
        match self.account {
            Some(account) => Tried::Person(account.person),
            None => Tried::Slot(tries::slot(team.id(), self.login)),
        }
    }
}

impl<S: Storage> Core<S> {
    /// How this person signs in.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn account(&self, actor: &Actor) -> Result<AccountInfo, Problem> {
        let account = self.storage.account(actor.team_scope(), actor.person).await.map_err(failed)?;
        Ok(info(account.as_ref()))
    }

    /// Sets this person's login and password. In place of others, the present
    /// password is asked for, and their other devices are ended: whoever knew
    /// the old one is out.
    ///
    /// # Errors
    /// `invalid` names and passwords; `sign_in_failed` for a wrong present
    /// password; `conflict` for a login that somebody has; `slow_down`; `busy`.
    pub async fn set_account(
        &self,
        actor: &Actor,
        request: &AccountRequest,
        from: Option<IpAddr>,
    ) -> Result<AccountInfo, Problem> {
        let (team, login) = (actor.team_scope(), normal(&request.login));
        if !is_login(&login) {
            let message = "a name to sign in with is 3 to 100 characters long, without spaces";
            return Err(Problem::new(Code::Invalid, message));
        }
        acceptable(&request.password)?;
        let turn = self.passwords.turn().await?;
        let old = self.storage.account(team, actor.person).await.map_err(failed)?;
        if let Some(old) = &old {
            let attempt = Try { team: Some(team), login: &old.login, account: Some(old), from };
            self.try_password(&turn, &attempt, request.current_password.as_deref().unwrap_or_default()).await?;
        }
        let password = self.passwords.hash(&turn, &request.password).await?;
        let totp = old.as_ref().and_then(|old| old.totp.clone());
        let account = Account { person: actor.person, login, password, totp };
        for _ in 0..TRIES {
            let (now, mut batch) = (self.now(), self.account_batch(actor, old.as_ref()).await?);
            let holder = self.storage.account_named(team, &account.login).await.map_err(failed)?;
            if holder.is_some_and(|holder| holder.person != actor.person) {
                return Err(Problem::new(Code::Conflict, "somebody in the team signs in by this name already"));
            }
            if old.is_some() {
                for device in self.storage.devices(team, actor.person).await.map_err(failed)? {
                    if device.id != actor.device {
                        batch.changes.push(Change::RemoveDevice(device.id));
                    }
                }
                batch.changes.push(Change::DropInvites(actor.person));
            }
            let event = if old.is_some() { Event::PasswordChanged } else { Event::PasswordSet };
            batch.audit.push(by(Some(actor), entry(now, event, Some(actor.person.0))));
            batch.changes.push(Change::PutAccount(account.clone()));
            if let Commit::Done(_) = self.carry_out(team, batch).await.map_err(failed)? {
                return Ok(info(Some(&account)));
            }
        }
        Err(busy())
    }

    /// Begins with an authenticator: nothing is asked for until a first code
    /// was shown.
    ///
    /// # Errors
    /// `sign_in_failed` for a wrong password; `conflict` when there is one.
    pub async fn begin_totp(
        &self,
        actor: &Actor,
        request: &TotpRequest,
        from: Option<IpAddr>,
    ) -> Result<TotpResponse, Problem> {
        let old = self.with_password(actor, &request.password, from).await?;
        if old.totp.as_ref().is_some_and(|totp| totp.confirmed) {
            return Err(Problem::new(Code::Conflict, "an authenticator is asked for already; end with it first"));
        }
        let secret = totp::secret().map_err(|e| internal(&e))?;
        let (text, uri) = totp::shown(&secret, &self.team_name(actor.team_scope()).await?, &old.login);
        let secret = self.sealed(actor.team_scope(), actor.person, &secret).await?;
        let totp = Some(Totp { secret, confirmed: false, last_step: 0 });
        self.put_account(actor, &old, totp, None).await?;
        Ok(TotpResponse { secret: text, uri })
    }

    /// Shows that the authenticator works: from now on it is asked for.
    ///
    /// # Errors
    /// `sign_in_failed` for a wrong code, `not_found` when none was begun,
    /// `slow_down`.
    pub async fn confirm_totp(
        &self,
        actor: &Actor,
        request: &TotpConfirm,
        from: Option<IpAddr>,
    ) -> Result<AccountInfo, Problem> {
        let team = actor.team_scope();
        let _turn = self.passwords.turn().await?;
        let old = self.storage.account(team, actor.person).await.map_err(failed)?;
        let pending = old.as_ref().and_then(|old| old.totp.clone()).filter(|totp| !totp.confirmed);
        let (Some(old), Some(totp)) = (&old, pending) else {
            return Err(Problem::new(Code::NotFound, "no authenticator waits to be confirmed"));
        };
        let attempt = Try { team: Some(team), login: &old.login, account: Some(old), from };
        self.may_try(&attempt).await?;
        let secret = self.opened(team.id(), actor.person, &totp)?;
        match totp::step(&secret, &request.code, totp.last_step, self.now()) {
            Some(last_step) => {
                let totp = Some(Totp { confirmed: true, last_step, ..totp });
                self.put_account(actor, old, totp, Some(Event::TotpOn)).await
            }
            None => {
                self.failed_try(&attempt).await?;
                Err(sign_in_failed())
            }
        }
    }

    /// Ends with the authenticator.
    ///
    /// # Errors
    /// `sign_in_failed` for a wrong password, `slow_down`.
    pub async fn end_totp(
        &self,
        actor: &Actor,
        request: &TotpRequest,
        from: Option<IpAddr>,
    ) -> Result<AccountInfo, Problem> {
        let old = self.with_password(actor, &request.password, from).await?;
        let event = old.totp.as_ref().is_some_and(|totp| totp.confirmed).then_some(Event::TotpOff);
        self.put_account(actor, &old, None, event).await
    }

    /// Takes somebody's password and authenticator away, for whoever runs the
    /// server: the person sets new ones on a device of theirs, or gets one by
    /// [`Core::member_link`]. Their devices stay.
    ///
    /// # Errors
    /// `not_found` for who is not in the team.
    pub async fn reset_password(&self, team: TeamScope, person: PersonId) -> Result<(), Problem> {
        let row = self.member(team, person).await?;
        row.as_ref().and_then(active_role).ok_or_else(not_there)?;
        let (changes, now) = (vec![Change::RemoveAccount(person)], self.now());
        let audit = vec![entry(now, Event::PasswordReset, Some(person.0))];
        self.carry_out(team, Batch { at: now, changes, audit, ..Batch::default() }).await.map_err(failed).map(drop)
    }

    /// This person's account, given that they know its password.
    async fn with_password(&self, actor: &Actor, password: &str, from: Option<IpAddr>) -> Result<Account, Problem> {
        let team = actor.team_scope();
        let turn = self.passwords.turn().await?;
        let account = self.storage.account(team, actor.person).await.map_err(failed)?;
        let account =
            account.ok_or_else(|| Problem::new(Code::NotFound, "you have no password yet; choose one first"))?;
        let attempt = Try { team: Some(team), login: &account.login, account: Some(&account), from };
        self.try_password(&turn, &attempt, password).await?;
        Ok(account)
    }

    async fn put_account(
        &self,
        actor: &Actor,
        old: &Account,
        totp: Option<Totp>,
        event: Option<Event>,
    ) -> Result<AccountInfo, Problem> {
        let account = Account { totp, ..old.clone() };
        for _ in 0..TRIES {
            let mut batch = self.account_batch(actor, Some(old)).await?;
            batch.changes.push(Change::PutAccount(account.clone()));
            let noted = event.map(|event| by(Some(actor), entry(batch.at, event, Some(actor.person.0))));
            batch.audit.extend(noted);
            if let Commit::Done(_) = self.carry_out(actor.team_scope(), batch).await.map_err(failed)? {
                return Ok(info(Some(&account)));
            }
        }
        Err(busy())
    }

    /// A batch that relies on a person's account being as it was looked at,
    /// and on the acting device being there.
    async fn account_batch(&self, actor: &Actor, old: Option<&Account>) -> Result<Batch, Problem> {
        let team = actor.team_scope();
        let access = self.storage.access(team).await.map_err(failed)?;
        self.still_known(actor).await?;
        if self.storage.account(team, actor.person).await.map_err(failed)?.as_ref() != old {
            return Err(Problem::new(Code::Conflict, "how you sign in was changed meanwhile; look at it again"));
        }
        Ok(Batch { at: self.now(), access: Some(access), ..Batch::default() })
    }

    /// Refuses while there is a wait. A login's does not hold for an address
    /// that never failed, for some tries a day: who tries a stranger's login
    /// again and again keeps out whoever comes from there, not the stranger.
    async fn may_try(&self, attempt: &Try<'_>) -> Result<(), Problem> {
        let now = self.now();
        let mut wait = self.addresses.wait(attempt.from, now);
        if let Some(team) = attempt.team {
            let counted = attempt.counted(team);
            let kept = self.storage.attempts(team, counted).await.map_err(failed)?;
            let of_login = tries::wait(kept, FREE_TRIES, now);
            let elsewhere = of_login.is_some()
                && self.addresses.is_clean(attempt.from, now)
                && self.elsewhere.take((team.id(), counted), now).is_ok();
            wait = if elsewhere { wait } else { wait.max(of_login) };
        }
        wait.map_or(Ok(()), |seconds| Err(slow_down("there were too many wrong tries", seconds)))
    }

    /// Right or outdated; wrong is an error, and noted.
    pub(crate) async fn try_password(
        &self,
        turn: &Turn,
        attempt: &Try<'_>,
        password: &str,
    ) -> Result<Verified, Problem> {
        self.may_try(attempt).await?;
        let kept = attempt.account.map(|account| account.password.as_str());
        match self.passwords.verify(turn, password, kept).await? {
            Verified::Wrong => {
                self.failed_try(attempt).await?;
                Err(sign_in_failed())
            }
            verified => Ok(verified),
        }
    }

    pub(crate) async fn failed_try(&self, attempt: &Try<'_>) -> Result<(), Problem> {
        let now = self.now();
        self.addresses.fail(attempt.from, now);
        let Some(team) = attempt.team else { return Ok(()) };
        let counted = attempt.counted(team);
        let failures = self.storage.failed(team, counted, now, now - TRIES_KEPT).await.map_err(failed)?;
        // So that a flood of tries is not one of entries.
        if failures.is_power_of_two() {
            let mut noted = entry(now, Event::SignInFailed, attempt.account.map(|account| account.person.0));
            noted.note = format!("{failures} in a row");
            let batch = Batch { at: now, audit: vec![noted], ..Batch::default() };
            self.carry_out(team, batch).await.map_err(failed)?;
        }
        Ok(())
    }
}

/// A login as it is kept and looked for.
pub(crate) fn normal(login: &str) -> String {
    login.trim().to_lowercase()
}

fn is_login(login: &str) -> bool {
    (3..=100).contains(&login.chars().count()) && !login.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn info(account: Option<&Account>) -> AccountInfo {
    let totp = account.and_then(|account| account.totp.as_ref()).is_some_and(|totp| totp.confirmed);
    AccountInfo { login: account.map(|account| account.login.clone()), totp }
}

pub(crate) fn sign_in_failed() -> Problem {
    Problem::new(Code::SignInFailed, "the name, the password or the code is wrong")
}
