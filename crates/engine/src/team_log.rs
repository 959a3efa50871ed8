//! What sync keeps on this machine: the team's records and the outbox in the
//! store, and this device's token in the keyring.

use crate::accounts::secret_name;
use crate::api::Failure;
use crate::dues;
use crate::engine::blocking;
use crate::people::TeamConfig;
use crate::profile;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::AccountId;
use meantime_model::zone::Zone;
use meantime_platform::secrets::Safe;
use meantime_platform::{Clock, Secrets as _};
use meantime_protocol::Scope;
use meantime_protocol::http::{BootstrapPage, OpResult, PullPage};
use meantime_store::team::{self, Applied};
use meantime_store::{Store, Tx, account, item, outbox, scope};
use meantime_sync::{Feed, Log, LogError, Outgoing, Token, TokenPlace};
use std::sync::Arc;
use tokio::sync::mpsc;

/// This device's token, in the keyring.
pub(crate) struct Kept {
    pub(crate) safe: Arc<Safe>,
    pub(crate) store: Store,
    pub(crate) account: AccountId,
}

#[async_trait]
impl TokenPlace for Kept {
    async fn replace(&self, next: &Token, at: DateTime<Utc>) -> Result<(), String> {
        self.safe.set(&secret_name(self.account), next.reveal()).await.map_err(|e| e.to_string())?;
        let (store, id) = (self.store.clone(), self.account);
        let noted = blocking(move || {
            store.write(|tx| {
                let Some(mut row) = account::get(tx, id)? else { return Ok(()) };
                if let Some(config) = row.config.as_object_mut() {
                    config.insert("token_at".to_owned(), serde_json::json!(at));
                }
                Ok::<_, Failure>(account::put(tx, &row)?)
            })
        });
        // Not noted, it is only replaced once more after the next start.
        if let Err(failure) = noted.await {
            tracing::warn!(%failure, "when this device's token was replaced could not be noted");
        }
        Ok(())
    }
}

/// The store, as sync sees it.
pub(crate) struct TeamLog(pub(crate) Arc<Local>);

/// What a call of the log works on, off the async threads.
pub(crate) struct Local {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) computer: Zone,
    pub(crate) account: AccountId,
    pub(crate) config: TeamConfig,
    pub(crate) arrived: mpsc::UnboundedSender<Applied>,
}

impl TeamLog {
    async fn with<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Local) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, LogError> {
        let local = self.0.clone();
        blocking(move || f(&local)).await.map_err(|failure| LogError(failure.message))
    }
}

impl Local {
    /// Applies something in one transaction: new messages are judged and dues
    /// computed in it. What it changed is told once it is through.
    fn apply(&self, f: impl FnOnce(&Tx<'_>, &team::Team) -> Result<Applied, Failure>) -> Result<(), Failure> {
        let now = self.clock.now();
        let eyes = team::Team { account: self.account, me: self.config.person, now };
        let applied = self.store.write_bulk(|tx| {
            let applied = f(tx, &eyes)?;
            if applied.hours_changed {
                item::set_all_due_stale(tx)?;
            }
            dues::settle(tx, self.computer)?;
            if applied.fresh.iter().any(|fresh| fresh.alert) {
                let judge = crate::intake::Judge::read(tx, now)?;
                for fresh in &applied.fresh {
                    judge.take(tx, fresh.item, fresh.key, fresh.alert)?;
                }
            }
            Ok::<_, Failure>(applied)
        })?;
        let _ = self.arrived.send(applied);
        Ok(())
    }
}

#[async_trait]
impl Log for TeamLog {
    async fn feeds(&self) -> Result<Vec<Feed>, LogError> {
        self.with(|local| {
            let feeds = local.store.read(|db| Ok::<_, Failure>(scope::all(db, local.account)?))?;
            Ok(feeds.into_iter().map(|f| Feed { scope: f.scope, cursor: f.cursor, page: f.page }).collect())
        })
        .await
    }

    async fn follow(&self, scope: Scope) -> Result<(), LogError> {
        self.with(move |local| local.store.write_bulk(|tx| Ok(scope::add(tx, local.account, scope)?))).await
    }

    async fn forget(&self, scope: Scope) -> Result<(), LogError> {
        self.with(move |local| local.apply(|tx, eyes| Ok(team::forget(tx, eyes, scope)?))).await
    }

    async fn apply_page(&self, scope: Scope, page: &PullPage) -> Result<(), LogError> {
        let page = page.clone();
        self.with(move |local| local.apply(|tx, eyes| Ok(team::apply_page(tx, eyes, scope, &page)?))).await
    }

    async fn apply_bootstrap(&self, scope: Scope, page: &BootstrapPage) -> Result<(), LogError> {
        let page = page.clone();
        self.with(move |local| {
            local.apply(|tx, eyes| {
                let applied = team::apply_bootstrap(tx, eyes, scope, &page)?;
                profile::share_own(tx, local.computer, eyes.now)?;
                Ok(applied)
            })
        })
        .await
    }

    async fn begin_anew(&self, scope: Scope, lost_epoch: bool) -> Result<(), LogError> {
        self.with(move |local| local.store.write_bulk(|tx| Ok(team::begin_anew(tx, scope, lost_epoch)?))).await
    }

    async fn outgoing(&self) -> Result<Outgoing, LogError> {
        self.with(|local| {
            let now = local.clock.now();
            local.store.write(|tx| {
                let ops = team::next_ops(tx, local.account, now)?;
                Ok(Outgoing { ops, next_at: outbox::next_ready(tx, local.account, now)? })
            })
        })
        .await
    }

    async fn settle(&self, results: &[OpResult]) -> Result<(), LogError> {
        let results = results.to_vec();
        self.with(move |local| {
            local.apply(|tx, eyes| {
                let (settled, applied) = team::settle(tx, eyes, &results)?;
                for refused in settled.iter().filter(|settled| settled.refused.is_some()) {
                    tracing::warn!(what = refused.what, "the team server refused a change");
                }
                Ok(applied)
            })
        })
        .await
    }
}
