//! The app's own database as sync sees it: what the engine gives it, without
//! the engine. Nothing is judged, and no file goes with a message.

use anyhow::Result;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::{AccountId, ItemId, OpId, PersonId};
use meantime_platform::{Clock, SystemClock};
use meantime_protocol::http::{BootstrapPage, JoinResponse, OpResult, PullPage};
use meantime_protocol::{Kind, Scope};
use meantime_store::account::{self, Account, AccountKind};
use meantime_store::outbox::{self, Change, NewOp, Target};
use meantime_store::team::{self, Team};
use meantime_store::{Store, StoreError, Tx, scope};
use meantime_sync::{Feed, Log, LogError, Outgoing};
use serde_json::Value;
use std::path::Path;
use uuid::Uuid;

/// A device's database. Clones share it.
#[derive(Clone)]
pub struct Stored {
    /// The database itself.
    pub store: Store,
    account: AccountId,
    me: PersonId,
    skew: TimeDelta,
}

/// What a person does, in the words of the outbox.
pub struct Deed<'a> {
    /// Where it goes.
    pub scope: Scope,
    /// What it changes.
    pub kind: Kind,
    /// Which one.
    pub id: Uuid,
    /// The conversation it belongs to.
    pub item: Option<ItemId>,
    /// The change.
    pub change: Change,
    /// What it is, in a few words.
    pub what: &'a str,
    /// The words that may not be lost.
    pub text: &'a str,
}

impl Stored {
    /// Opens a database, making it, and in it the team's account, where there
    /// is none. `skew`: by how much this device's clock is wrong.
    ///
    /// # Errors
    /// The disk; a database that was found damaged.
    pub fn open(file: &Path, joined: &JoinResponse, skew: TimeDelta) -> Result<Self> {
        let now = SystemClock.now() + skew;
        let opened = Store::open(file, now)?;
        anyhow::ensure!(opened.recovered.is_none(), "the database was damaged");
        let store = opened.store;
        let account = match store.read(account::all)?.first() {
            Some(known) => known.id,
            None => {
                let row = team_account(joined, now);
                store.write(|tx| account::put(tx, &row))?;
                row.id
            }
        };
        Ok(Self { store, account, me: joined.person, skew })
    }

    /// The time by this device's clock.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + self.skew
    }

    /// The person does something: it is on the disk when this returns.
    ///
    /// # Errors
    /// The disk.
    pub fn write(&self, deed: Deed<'_>) -> Result<(), StoreError> {
        let Deed { scope, kind, id, item, change, what, text } = deed;
        let entry = NewOp {
            account: self.account,
            op_id: OpId::new(),
            target: Target::Record { scope, kind, id, change },
            item,
            what: what.to_owned(),
            text: text.to_owned(),
            not_before: None,
            made_at: self.now(),
        };
        self.store.write(|tx| team::push(tx, &self.eyes(), &entry)).map(drop)
    }

    fn eyes(&self) -> Team {
        Team { account: self.account, me: self.me, now: self.now() }
    }

    async fn durable<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>, &Team) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LogError> {
        let this = self.clone();
        blocking(move || this.store.write(|tx| f(tx, &this.eyes()))).await
    }

    async fn bulk<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>, &Team) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, LogError> {
        let this = self.clone();
        blocking(move || this.store.write_bulk(|tx| f(tx, &this.eyes()))).await
    }
}

fn team_account(joined: &JoinResponse, now: DateTime<Utc>) -> Account {
    Account {
        id: AccountId::new(),
        kind: AccountKind::Team,
        name: joined.team_name.clone(),
        identity: format!("team:{}", joined.team),
        config: Value::Null,
        created_at: now,
        checked_at: None,
        error: None,
        position: 0,
    }
}

async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, LogError> {
    let done = tokio::task::spawn_blocking(f).await.map_err(|e| LogError(e.to_string()))?;
    done.map_err(|e| LogError(e.to_string()))
}

#[async_trait]
impl Log for Stored {
    async fn feeds(&self) -> Result<Vec<Feed>, LogError> {
        let this = self.clone();
        let feeds = blocking(move || this.store.read(|db| scope::all(db, this.account))).await?;
        let feed = |scope::Feed { scope, cursor, page, was, lost }| Feed { scope, cursor, page, was, lost };
        Ok(feeds.into_iter().map(feed).collect())
    }

    async fn follow(&self, scope: Scope) -> Result<(), LogError> {
        self.bulk(move |tx, team| scope::add(tx, team.account, scope)).await
    }

    async fn forget(&self, scope: Scope) -> Result<(), LogError> {
        self.bulk(move |tx, team| team::forget(tx, team, scope).map(drop)).await
    }

    async fn apply_page(&self, scope: Scope, page: &PullPage) -> Result<(), LogError> {
        let page = page.clone();
        self.bulk(move |tx, team| team::apply_page(tx, team, scope, &page).map(drop)).await
    }

    async fn apply_bootstrap(&self, scope: Scope, page: &BootstrapPage) -> Result<(), LogError> {
        let page = page.clone();
        self.bulk(move |tx, team| team::apply_bootstrap(tx, team, scope, &page).map(drop)).await
    }

    async fn begin_anew(&self, scope: Scope, lost_epoch: bool) -> Result<(), LogError> {
        self.bulk(move |tx, _| team::begin_anew(tx, scope, lost_epoch)).await
    }

    async fn bring_back(&self, scope: Scope) -> Result<(), LogError> {
        self.bulk(move |tx, team| team::bring_back(tx, team, scope)).await
    }

    async fn outgoing(&self) -> Result<Outgoing, LogError> {
        self.durable(|tx, team| {
            let ops = team::next_ops(tx, team.account, team.now)?;
            Ok(Outgoing { ops, next_at: outbox::next_ready(tx, team.account, team.now)? })
        })
        .await
    }

    async fn settle(&self, results: &[OpResult]) -> Result<(), LogError> {
        let results = results.to_vec();
        self.bulk(move |tx, team| team::settle(tx, team, &results).map(drop)).await
    }
}
