//! What sync keeps on this machine: the team's records and the outbox in the
//! store, and this device's token in the keyring.

use crate::accounts::{earlier_name, secret_name};
use crate::api::Failure;
use crate::dues;
use crate::engine::blocking;
use crate::files::Files;
use crate::people::TeamConfig;
use crate::profile;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::AccountId;
use meantime_model::zone::Zone;
use meantime_platform::secrets::Safe;
use meantime_platform::{Clock, Secrets as _};
use meantime_protocol::http::{BootstrapPage, OpResult, PullPage};
use meantime_protocol::{Problem, Scope};
use meantime_store::team::{self, Applied};
use meantime_store::{Store, Tx, account, item, outbox, scope};
use meantime_sync::{EARLIER, Feed, Log, LogError, Outgoing, OutgoingFile, Token, TokenPlace};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// This device's token, and those before it, in the keyring.
pub(crate) struct Kept {
    pub(crate) safe: Arc<Safe>,
    pub(crate) store: Store,
    pub(crate) account: AccountId,
}

#[async_trait]
impl TokenPlace for Kept {
    async fn replace(&self, next: &Token, at: DateTime<Utc>) -> Result<(), String> {
        let present = self.safe.get(&secret_name(self.account)).await.map_err(|e| e.to_string())?;
        let mut earlier = self.earlier().await?;
        earlier.splice(0..0, present.map(Token::new));
        self.keep_earlier(&earlier).await?;
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

    async fn earlier(&self) -> Result<Vec<Token>, String> {
        let kept = self.safe.get(&earlier_name(self.account)).await.map_err(|e| e.to_string())?;
        Ok(kept.unwrap_or_default().split_whitespace().map(|token| Token::new(token.to_owned())).collect())
    }
}

impl Kept {
    async fn keep_earlier(&self, tokens: &[Token]) -> Result<(), String> {
        let name = earlier_name(self.account);
        let tokens: Vec<&str> = tokens.iter().take(EARLIER).map(Token::reveal).collect();
        let kept = match tokens.is_empty() {
            true => self.safe.delete(&name).await,
            false => self.safe.set(&name, &tokens.join(" ")).await,
        };
        kept.map_err(|e| e.to_string())
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
    pub(crate) files: Arc<Files>,
    /// Files that this run saw at the server: no more than a reason not to ask
    /// again, for what nobody names is forgotten there after some days.
    pub(crate) there: Mutex<team::Arrived>,
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
    fn there(&self) -> MutexGuard<'_, team::Arrived> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }

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
            if applied.fresh.iter().any(|fresh| !fresh.backfill) {
                let judge = crate::intake::Judge::read(tx, now)?;
                for fresh in &applied.fresh {
                    judge.take(tx, (fresh.item, fresh.key), fresh.backfill, fresh.seen)?;
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
            let feed = |scope::Feed { scope, cursor, page, was, lost }| Feed { scope, cursor, page, was, lost };
            Ok(feeds.into_iter().map(feed).collect())
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
        self.0.there().clear();
        self.with(move |local| local.store.write_bulk(|tx| Ok(team::begin_anew(tx, scope, lost_epoch)?))).await
    }

    async fn bring_back(&self, scope: Scope) -> Result<(), LogError> {
        self.with(move |local| {
            local.apply(|tx, eyes| {
                team::bring_back(tx, eyes, scope)?;
                Ok(Applied::default())
            })
        })
        .await
    }

    async fn has_overdue(&self) -> Result<bool, LogError> {
        self.with(|local| {
            let now = local.clock.now();
            local.store.read(|db| Ok(team::has_overdue(db, local.account, now)?))
        })
        .await
    }

    async fn send_overdue(&self) -> Result<(), LogError> {
        self.with(|local| local.apply(|tx, eyes| Ok(team::send_overdue(tx, eyes)?))).await
    }

    async fn outgoing(&self) -> Result<Outgoing, LogError> {
        self.with(|local| {
            let (now, there) = (local.clock.now(), local.there().clone());
            local.store.write(|tx| {
                let ops = team::next_ops_past(tx, local.account, now, &there)?;
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
                    local.there().clear();
                }
                Ok(applied)
            })
        })
        .await
    }

    async fn next_file(&self) -> Result<Option<OutgoingFile>, LogError> {
        self.with(|local| {
            let (now, there) = (local.clock.now(), local.there().clone());
            let next = local.store.read(|db| Ok::<_, Failure>(team::next_file(db, local.account, now, &there)?))?;
            Ok(next.map(|team::FileToSend { outbox, scope, file }| {
                let path = local.files.path(&file.sha256);
                OutgoingFile { op: outbox, scope, sha256: file.sha256, bytes: file.bytes, name: file.name, path }
            }))
        })
        .await
    }

    async fn file_arrived(&self, file: &OutgoingFile) -> Result<(), LogError> {
        self.0.there().insert((file.scope, file.sha256));
        Ok(())
    }

    async fn file_refused(&self, file: &OutgoingFile, problem: &Problem) -> Result<(), LogError> {
        let (op, said) = (file.op, format!("{} could not be sent: {}", file.name, problem.message));
        let problem = Problem::new(problem.code, said);
        self.with(move |local| local.apply(|tx, eyes| Ok(team::refuse(tx, eyes, op, &problem)?))).await
    }
}
