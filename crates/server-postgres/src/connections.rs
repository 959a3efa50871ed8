//! Connections, and the transactions on them. A transaction names its team
//! first (`SET LOCAL meantime.team`), so that row-level security lets it see
//! that team's rows and no others.
//!
//! A transaction whose statements don't depend on each other's answers is
//! sent in one go: one round trip, and no half of it can stay behind when the
//! caller goes away.

use crate::failure::{Failure, undone, unsure, words};
use crate::{OpenError, Settings, schema};
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use futures::{FutureExt as _, future};
use meantime_protocol::Epoch;
use meantime_server_core::{StorageError, TeamScope};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

/// How long a call waits for a connection before the storage is busy.
const WAITING: Duration = Duration::from_secs(5);
/// Making a connection, and asking it who it is.
const CONNECTING: Duration = Duration::from_secs(10);
/// A transaction that is not answered by then has lost its connection. The
/// database itself gives up on a statement before.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a transaction that was undone for another's sake is tried.
const TRIES: usize = 5;

/// A statement and its values.
pub(crate) struct Query<'a> {
    pub(crate) sql: &'a str,
    pub(crate) values: &'a [&'a (dyn ToSql + Sync)],
}

/// The connections of this process.
#[derive(Debug)]
pub(crate) struct Connections {
    pool: Pool,
    epoch: Arc<AtomicU64>,
    /// The last try to connect failed.
    down: AtomicBool,
}

impl Connections {
    /// Makes the first of them, so that what is wrong with the settings shows now.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let epoch = Arc::new(AtomicU64::new(0));
        // Nobody cleans up after a call: transactions end with themselves.
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(settings.app()?, settings.tls()?, config);
        let known = Arc::clone(&epoch);
        let look = Hook::async_fn(move |client, _| {
            let known = Arc::clone(&known);
            // The epoch changes while nobody is connected, so whoever connects
            // learns of it. Who was connected nevertheless is refused from then
            // on (`in_life`), and connects anew.
            Box::pin(async move {
                let life = schema::look(client).await.map_err(HookError::Backend)?;
                if life.bypasses {
                    return Err(HookError::message("its role could see every team's rows"));
                }
                known.store(life.epoch, Ordering::Relaxed);
                Ok(())
            })
        });
        let pool = Pool::builder(manager)
            .max_size(settings.connections.max(1))
            .wait_timeout(Some(WAITING))
            .create_timeout(Some(CONNECTING))
            .recycle_timeout(Some(CONNECTING))
            .runtime(Runtime::Tokio1)
            .post_create(look)
            .build()
            .map_err(|e| OpenError::Settings(e.to_string()))?;
        match pool.get().await {
            Ok(_) => Ok(Self { pool, epoch, down: AtomicBool::new(false) }),
            Err(PoolError::Backend(error)) => Err(OpenError::Database(words(&error))),
            Err(PoolError::PostCreateHook(HookError::Backend(error))) => Err(OpenError::of(&error)),
            Err(PoolError::PostCreateHook(_)) => Err(OpenError::Bypasses(settings.role.clone())),
            Err(error) => Err(OpenError::Database(error.to_string())),
        }
    }

    /// As of the newest connection.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Relaxed))
    }

    /// One statement that names no team: a call of one of the functions that
    /// may look across them.
    pub(crate) async fn lookup(&self, query: Query<'_>) -> Result<Vec<Row>, StorageError> {
        let rows = self.run(None, &[query], true).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// Begins a transaction that may change things.
    pub(crate) fn begin(&self, team: TeamScope) -> String {
        format!("BEGIN; {}", self.in_the_name_of(team))
    }

    /// Statements that change nothing, on one state; their rows in their order.
    pub(crate) async fn read(&self, team: TeamScope, queries: &[Query<'_>]) -> Result<Vec<Vec<Row>>, StorageError> {
        let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}", self.in_the_name_of(team));
        self.run(Some(&begin), queries, true).await
    }

    /// Statements that are carried out together or not at all; durable when
    /// this returns.
    pub(crate) async fn write(&self, team: TeamScope, queries: &[Query<'_>]) -> Result<Vec<Vec<Row>>, StorageError> {
        self.run(Some(&self.begin(team)), queries, false).await
    }

    /// A connection, for a transaction that is not sent in one go.
    pub(crate) async fn take(&self) -> Result<Object, StorageError> {
        let error = match self.pool.get().await {
            Ok(client) => {
                if self.down.swap(false, Ordering::Relaxed) {
                    tracing::info!("the database is back");
                }
                return Ok(client);
            }
            Err(error) => error,
        };
        match error {
            // All are in use, which is no news about the database.
            PoolError::Timeout(TimeoutType::Wait) => Err(StorageError::Busy),
            PoolError::Timeout(_) => Err(self.unreachable("no answer")),
            PoolError::Backend(e) | PoolError::PostCreateHook(HookError::Backend(e)) => match undone(&e) {
                StorageError::Busy => Err(self.unreachable(&words(&e))),
                refused => Err(refused),
            },
            other => Err(StorageError::Failed(other.to_string())),
        }
    }

    async fn run(
        &self,
        begin: Option<&str>,
        queries: &[Query<'_>],
        again: bool,
    ) -> Result<Vec<Vec<Row>>, StorageError> {
        let end = begin.map(|_| "COMMIT");
        for last in (0..TRIES).rev().map(|left| left == 0) {
            let client = self.take().await?;
            let error = match tokio::time::timeout(PATIENCE, pipelined(&client, begin, queries, end)).await {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) => error,
                Err(_) => {
                    discard(client);
                    let unsure = StorageError::Unsure("no answer".to_owned());
                    return Err(if again { StorageError::Busy } else { unsure });
                }
            };
            let failure = Failure::of(&error);
            if failure == Failure::Lost {
                discard(client);
            }
            if last || !(failure == Failure::Conflict || (failure == Failure::Lost && again)) {
                return Err(if again { undone(&error) } else { unsure(&error) });
            }
        }
        Err(StorageError::Busy)
    }

    /// And in the life of the data that this process knows: in another one
    /// nothing is carried out.
    fn in_the_name_of(&self, team: TeamScope) -> String {
        let epoch = self.epoch().0.cast_signed();
        format!("SET LOCAL meantime.team = '{}'; SELECT meantime.in_life({epoch})", team.id())
    }

    fn unreachable(&self, why: &str) -> StorageError {
        if !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(why, "the database can't be reached; requests are answered with \"busy\" until it can");
        }
        StorageError::Busy
    }
}

/// Closes a connection whose state is not known.
pub(crate) fn discard(client: Object) {
    drop(Object::take(client));
}

/// Sends everything before it waits for the first answer. When `before`
/// begins a transaction and `after` ends it, a statement that fails makes the
/// COMMIT an undoing.
pub(crate) async fn pipelined(
    client: &Object,
    before: Option<&str>,
    queries: &[Query<'_>],
    after: Option<&str>,
) -> Result<Vec<Vec<Row>>, Error> {
    let mut statements = Vec::with_capacity(queries.len());
    for query in queries {
        statements.push(client.prepare_cached(query.sql).await?);
    }
    type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Error>> + Send + 'a>>;
    let plain = |sql| -> Answer<'_> { Box::pin(async move { client.batch_execute(sql).await.map(|()| Vec::new()) }) };
    let asked = queries
        .iter()
        .zip(&statements)
        .map(|(query, statement)| -> Answer<'_> { Box::pin(client.query(statement, query.values)) });
    let all = before.map(plain).into_iter().chain(asked).chain(after.map(plain));
    let mut all: Vec<_> = all.map(future::maybe_done).collect();
    // A statement is sent when its future is first polled: here, in order.
    future::poll_fn(|context| {
        let mut waiting = false;
        for answer in &mut all {
            waiting |= answer.poll_unpin(context).is_pending();
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let answers = all.iter_mut().filter_map(|answer| Pin::new(answer).take_output());
    // The first thing that went wrong says why; the rest follows from it.
    let mut rows = answers.collect::<Result<Vec<_>, _>>()?;
    rows.truncate(rows.len() - usize::from(after.is_some()));
    Ok(rows.split_off(usize::from(before.is_some())))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::open::Owner;
    use crate::{Postgres, Settings};
    use meantime_protocol::Epoch;
    use meantime_server_postgres::kit::PostgresServer;
    use tokio_postgres::Client;

    async fn waits(client: &Client) -> String {
        client.query_one("SHOW synchronous_commit", &[]).await.unwrap().get(0)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_elses_settings_make_it_less_durable() {
        let server = PostgresServer::shared();
        let settings = Settings::new(&server.database().url);
        let (_, name) = settings.url.rsplit_once('/').unwrap();
        drop(Postgres::create(&settings, Epoch(7)).await.unwrap());
        for (set, kept) in [("off", "on"), ("local", "on"), ("remote_write", "on"), ("remote_apply", "remote_apply")] {
            server.sql("postgres", &format!("ALTER DATABASE {name} SET synchronous_commit = {set}"));
            let postgres = Postgres::open(&settings).await.unwrap();
            assert_eq!(waits(&postgres.connections.take().await.unwrap()).await, kept, "{set}");
            assert_eq!(waits(&Owner::connect(&settings).await.unwrap().client).await, kept, "the owner's, {set}");
        }
    }
}
