//! Accounts: added only once they answered, each with a task that reads it.

use crate::api::*;
use crate::engine::{Engine, RunningAccount};
use crate::import::Archive;
use crate::runner::{self, Poke};
use chrono::{DateTime, Utc};
use meantime_model::AccountId;
use meantime_platform::Secrets as _;
use meantime_source::{Cursor, Secret, Source, SourceError};
use meantime_store::{account, outbox};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The code of what a new password mends.
const AUTH: &str = "auth";

/// The name of an account's secret in the keyring.
pub(crate) fn secret_name(account: AccountId) -> String {
    format!("account/{account}")
}

/// The name under which the tokens a team's server knew before are kept.
pub(crate) fn earlier_name(account: AccountId) -> String {
    format!("{}/earlier", secret_name(account))
}

impl Engine {
    pub(crate) async fn list_accounts(&self) -> Result<Vec<Account>, Failure> {
        let (rows, pending) = self
            .read(|db| {
                let rows = account::all(db)?;
                let mut pending = HashMap::new();
                for row in &rows {
                    pending.insert(row.id, outbox::count_waiting(db, Some(row.id))?);
                }
                Ok((rows, pending))
            })
            .await?;
        let live = self.live();
        Ok(rows
            .into_iter()
            .map(|row| Account {
                pending: pending.get(&row.id).copied().unwrap_or(0),
                state: match row.kind {
                    account::AccountKind::Team => crate::team_sync::account_state(&live.connection),
                    account::AccountKind::Archive => AccountState::Fine,
                    _ => live.accounts.get(&row.id).map_or_else(|| state_of(&row), |running| running.state.clone()),
                },
                kind: kind(row.kind),
                id: row.id,
                name: row.name,
                checked_at: row.checked_at,
            })
            .collect())
    }

    async fn account(&self, id: AccountId) -> Result<Account, Failure> {
        let found = self.list_accounts().await?.into_iter().find(|account| account.id == id);
        found.ok_or_else(|| Failure::new(FailureCode::NotFound, "there is no such account"))
    }

    /// Signs in first: an account that does not answer is not added. One that
    /// is there already and waits for the person gets what was entered: another
    /// password, port or certificate. It keeps everything that was read.
    pub(crate) async fn add_new_account(self: &Arc<Self>, new: NewAccount) -> Result<Account, Failure> {
        let configured = self.adapters.configure(new).await?;
        let source = self.adapters.open(configured.kind, &configured.config, configured.secret.clone())?;
        let info = source.check().await?;
        let identity = source.identity();
        let known = identity.clone();
        if let Some(row) = self.read(move |db| Ok(account::by_identity(db, &known)?)).await? {
            return self.mend_account(row, configured).await;
        }
        let row = account::Account {
            id: AccountId::new(),
            kind: stored_kind(configured.kind),
            name: info.name,
            identity,
            config: configured.config,
            created_at: self.now(),
            checked_at: None,
            error: None,
            position: 0,
        };
        let id = row.id;
        if let Some(secret) = &configured.secret {
            self.safe.set(&secret_name(id), secret.reveal()).await?;
        }
        if let Err(error) = self.write(move |tx| Ok(account::put(tx, &row)?)).await {
            let _ = self.safe.delete(&secret_name(id)).await;
            return Err(error);
        }
        if self.background {
            self.start_account(id);
        }
        self.tell(&[Tag::Accounts, Tag::Status]);
        self.account(id).await
    }

    async fn mend_account(
        self: &Arc<Self>,
        row: account::Account,
        new: crate::adapters::Configured,
    ) -> Result<Account, Failure> {
        let before = self.account(row.id).await?;
        if !matches!(before.state, AccountState::NeedsYou { .. } | AccountState::Retrying { .. }) {
            let message = format!("{} is among your accounts already", row.name);
            return Err(Failure::new(FailureCode::NotPossible, message));
        }
        if let Some(secret) = &new.secret {
            self.safe.set(&secret_name(row.id), secret.reveal()).await?;
        }
        let id = row.id;
        let row = account::Account { config: new.config, ..row };
        self.write(move |tx| Ok(account::put(tx, &row)?)).await?;
        self.check_now(id).await
    }

    /// Reads an account at once and tells how that went.
    pub(crate) async fn check_now(self: &Arc<Self>, id: AccountId) -> Result<Account, Failure> {
        let before = self.account(id).await?;
        if matches!(before.kind, SourceKind::Team | SourceKind::Archive) {
            self.sync_now();
            return Ok(before);
        }
        let hopeless = match self.read_once(id).await {
            Ok(()) => {
                self.set_read(id).await;
                false
            }
            Err(error) => {
                self.set_account_state(id, self.trouble(id, &error, None).await).await;
                !error.is_transient()
            }
        };
        // Each try with a wrong password counts at a provider.
        if !hopeless {
            self.poke_account(id);
        }
        self.account(id).await
    }

    async fn read_once(self: &Arc<Self>, id: AccountId) -> Result<(), SourceError> {
        let poke = self.live().accounts.get(&id).map(|running| running.poke.clone()).unwrap_or_default();
        let _alone = poke.alone().await;
        let source = self.open_source(id).await?;
        self.read_account(id, source.as_ref()).await?;
        let written = async {
            self.let_on(id).await?;
            self.write_back(id, source.as_ref()).await
        };
        written.await.map_err(|failure| SourceError::Transient(failure.message))
    }

    pub(crate) async fn new_password(self: &Arc<Self>, args: SignIn) -> Result<Account, Failure> {
        let row = self.account_row(args.id).await?;
        let secret = Secret::new(args.password);
        self.adapters.open(kind(row.kind), &row.config, Some(secret.clone()))?.check().await?;
        self.safe.set(&secret_name(args.id), secret.reveal()).await?;
        self.check_now(args.id).await
    }

    /// Reads a mail archive into an account of its own; nothing of it alerts.
    /// The account comes with the first mail: a wrong path leaves nothing behind.
    pub(crate) async fn import(self: &Arc<Self>, args: ImportMail) -> Result<Imported, Failure> {
        let path = PathBuf::from(&args.path);
        if !path.exists() {
            return Err(Failure::new(FailureCode::NotFound, format!("there is no file or folder {}", path.display())));
        }
        let identity = format!("archive:{}", path.display());
        let known = identity.clone();
        let into = match self.read(move |db| Ok(account::by_identity(db, &known)?)).await? {
            Some(row) => Archive { row, new: false },
            None => {
                let name = path.file_name().map_or(args.path.clone(), |name| name.to_string_lossy().into_owned());
                let row = account::Account {
                    id: AccountId::new(),
                    kind: account::AccountKind::Archive,
                    name,
                    identity,
                    config: serde_json::json!({ "path": args.path }),
                    created_at: self.now(),
                    checked_at: None,
                    error: None,
                    position: 0,
                };
                Archive { row, new: true }
            }
        };
        let imported = self.import_into(into, path, args.format).await?;
        self.tell(&[Tag::Accounts, Tag::Inbox, Tag::Status]);
        Ok(imported)
    }

    pub(crate) async fn start_accounts(self: &Arc<Self>) -> Result<(), Failure> {
        for row in self.read(|db| Ok(account::all(db)?)).await? {
            if matches!(row.kind, account::AccountKind::Imap | account::AccountKind::Feed) {
                self.start_account(row.id);
            }
        }
        Ok(())
    }

    fn start_account(self: &Arc<Self>, id: AccountId) {
        let (poke, stop) = (Poke::default(), self.stop.child_token());
        let running = RunningAccount { poke: poke.clone(), stop: stop.clone(), state: AccountState::New };
        self.live().accounts.insert(id, running);
        self.tasks.spawn(runner::run(self.clone(), id, poke, stop));
    }

    pub(crate) fn poke_account(&self, id: AccountId) {
        if let Some(running) = self.live().accounts.get(&id) {
            running.poke.now();
        }
    }

    /// Something waits for the account.
    pub(crate) fn work_for_account(&self, id: AccountId) {
        if let Some(running) = self.live().accounts.get(&id) {
            running.poke.work();
        }
    }

    /// Secrets can be read again, or the computer woke up.
    pub(crate) async fn retry_accounts(self: &Arc<Self>) {
        let running: Vec<(AccountId, Poke)> =
            self.live().accounts.iter().map(|(id, running)| (*id, running.poke.clone())).collect();
        for (id, poke) in running {
            if let Err(error) = self.let_on(id).await {
                tracing::error!(%error, "what waits could not be let on");
            }
            poke.now();
        }
        self.sync_now();
    }

    /// It may be otherwise now: what did not get through is tried once more.
    pub(crate) async fn let_on(&self, id: AccountId) -> Result<(), Failure> {
        self.write(move |tx| Ok(outbox::let_on(tx, id)?)).await
    }

    /// Opens an account with its secret from the keyring.
    pub(crate) async fn open_source(&self, id: AccountId) -> Result<Arc<dyn Source>, SourceError> {
        let row = self.account_row(id).await.map_err(|e| SourceError::Permanent(e.message))?;
        let secret = match row.kind {
            account::AccountKind::Imap => {
                let secret = self.safe.get(&secret_name(id)).await;
                let secret = secret.map_err(|e| SourceError::Permanent(e.to_string()))?;
                let missing =
                    || SourceError::Auth(format!("the password of {} is not kept any more: type it again", row.name));
                Some(Secret::new(secret.ok_or_else(missing)?))
            }
            _ => None,
        };
        self.adapters.open(kind(row.kind), &row.config, secret)
    }

    pub(crate) async fn account_row(&self, id: AccountId) -> Result<account::Account, Failure> {
        let row = self.read(move |db| Ok(account::get(db, id)?)).await?;
        row.ok_or_else(|| Failure::new(FailureCode::NotFound, "there is no such account"))
    }

    pub(crate) async fn cursor_of(&self, id: AccountId) -> Option<Cursor> {
        let row = self.read(move |db| Ok(account::cursor(db, id)?)).await.ok()??;
        Some(Cursor(row.cursor))
    }

    pub(crate) async fn forget_cursor(&self, id: AccountId) {
        let _ = self.write(move |tx| Ok(account::clear_cursor(tx, id)?)).await;
    }

    /// An account could be read. What can't be written back to it is its state
    /// then.
    pub(crate) async fn set_read(&self, id: AccountId) {
        let trouble = self.trouble_of_writing(id).await;
        if trouble.is_some() {
            let now = self.now();
            let _ = self.write(move |tx| Ok(account::set_checked(tx, id, now)?)).await;
        }
        self.set_account_state(id, trouble.unwrap_or(AccountState::Fine)).await;
    }

    /// The state of an account that takes nothing, if that is so.
    pub(crate) async fn trouble_of_writing(&self, id: AccountId) -> Option<AccountState> {
        let failing = self.read(move |db| Ok(outbox::failing(db, id)?)).await.ok()??;
        let outbox::Failing { code, message, again } = failing;
        Some(match again {
            None => AccountState::NeedsYou { password: code == AUTH, message },
            again => AccountState::Retrying { message, since: self.trouble_since(id).await, again },
        })
    }

    /// The state of an account that can't be read; `again`: when it is tried
    /// again by itself.
    pub(crate) async fn trouble(
        &self,
        id: AccountId,
        error: &SourceError,
        again: Option<DateTime<Utc>>,
    ) -> AccountState {
        let message = error.to_string();
        if error.is_transient() {
            return AccountState::Retrying { message, since: self.trouble_since(id).await, again };
        }
        AccountState::NeedsYou { password: matches!(error, SourceError::Auth(_)), message }
    }

    /// Since when an account that is in trouble now has been so, also before
    /// this start of Meantime.
    async fn trouble_since(&self, id: AccountId) -> DateTime<Utc> {
        let known = self.live().accounts.get(&id).map(|running| running.state.clone());
        let before = match known {
            Some(AccountState::New) | None => self.account_row(id).await.ok().map(|row| state_of(&row)),
            known => known,
        };
        match before {
            Some(AccountState::Retrying { since, .. }) => since,
            _ => self.now(),
        }
    }

    /// Keeps an account's state, and tells when it changed.
    pub(crate) async fn set_account_state(&self, id: AccountId, state: AccountState) {
        let (now, kept) = (self.now(), state.clone());
        let stored = self.write(move |tx| {
            match kept {
                AccountState::Fine => account::set_checked(tx, id, now)?,
                AccountState::Retrying { message, .. } => account::set_error(tx, id, "retrying", &message)?,
                AccountState::NeedsYou { password: true, message } => account::set_error(tx, id, AUTH, &message)?,
                AccountState::NeedsYou { message, .. } => account::set_error(tx, id, "needs_you", &message)?,
                AccountState::New | AccountState::Reading { .. } => {}
            }
            Ok(())
        });
        if let Err(error) = stored.await {
            tracing::error!(%error, "an account's state could not be kept");
        }
        if let Some(running) = self.live().accounts.get_mut(&id) {
            running.state = state;
        }
        self.tell(&[Tag::Accounts, Tag::Status]);
    }
}

/// What was last known of an account that is not being read.
fn state_of(row: &account::Account) -> AccountState {
    match &row.error {
        Some((code, message)) if code == "retrying" => {
            let since = row.checked_at.unwrap_or(row.created_at);
            AccountState::Retrying { message: message.clone(), since, again: None }
        }
        Some((code, message)) => AccountState::NeedsYou { password: code == AUTH, message: message.clone() },
        None if row.checked_at.is_some() => AccountState::Fine,
        None => AccountState::New,
    }
}

/// The interface's name of a stored kind.
pub(crate) fn kind(kind: account::AccountKind) -> SourceKind {
    match kind {
        account::AccountKind::Team => SourceKind::Team,
        account::AccountKind::Imap => SourceKind::Imap,
        account::AccountKind::Feed => SourceKind::Feed,
        account::AccountKind::Archive => SourceKind::Archive,
    }
}

fn stored_kind(kind: SourceKind) -> account::AccountKind {
    match kind {
        SourceKind::Team => account::AccountKind::Team,
        SourceKind::Imap => account::AccountKind::Imap,
        SourceKind::Feed => account::AccountKind::Feed,
        SourceKind::Archive => account::AccountKind::Archive,
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let code = match &error {
            SourceError::Auth(_) => FailureCode::Auth,
            SourceError::Certificate(_) => FailureCode::Certificate,
            SourceError::Transient(_) | SourceError::RateLimited { .. } => FailureCode::Offline,
            SourceError::Permanent(_) | SourceError::Later { .. } => FailureCode::Refused,
            SourceError::Invalid(_) => FailureCode::Invalid,
            SourceError::CursorInvalid | SourceError::Protocol(_) => FailureCode::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<meantime_platform::SecretsError> for Failure {
    fn from(error: meantime_platform::SecretsError) -> Self {
        Self::new(FailureCode::NoSecrets, error.to_string())
    }
}
