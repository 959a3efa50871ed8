//! The tables, and how older ones become them: numbered steps, each once,
//! whoever starts first. Additive: a column or table is never renamed or
//! dropped, so that servers that still run are not disturbed.

use crate::failure::words;
use crate::{OpenError, Settings};
use meantime_protocol::Epoch;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Transaction};

/// One step each, from the version of its index to the next. They name the
/// role as [`ROLE`].
const STEPS: [&str; 6] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
];

/// The role's name in the steps.
const ROLE: &str = "meantime_app";

/// Who changes the tables holds this lock of the database. "Mntm".
const LOCK: i64 = 0x4d6e_746d;

/// Oldest PostgreSQL, as `server_version_num` has it.
const OLDEST: i32 = 150_000;

/// What a database, a role or the whole server may have lowered for the sake
/// of speed is put right for this connection: what was acknowledged is on the
/// disk, and on that of a synchronous standby. What asks for more stays.
pub(crate) const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') <> 'remote_apply'";

/// What a connection sees of the whole.
pub(crate) struct Life {
    pub(crate) epoch: u64,
    /// Row-level security would not hold for who is connected.
    pub(crate) bypasses: bool,
}

/// Who is connected, and to which life of the data. What it writes is durable
/// from now on.
pub(crate) async fn look(client: &Client) -> Result<Life, Error> {
    client.batch_execute(DURABLE).await?;
    let sql = "SELECT epoch, (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user)
                   OR pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = 'meantime.record'::regclass), 'USAGE')
               FROM meantime.life";
    let row = client.query_one(sql, &[]).await?;
    let epoch: i64 = row.try_get(0)?;
    Ok(Life { epoch: epoch.cast_unsigned(), bypasses: row.try_get(1)? })
}

/// Fills an empty database.
pub(crate) async fn create(owner: &mut Client, settings: &Settings, epoch: Epoch) -> Result<(), OpenError> {
    let database = |e: Error| OpenError::Database(words(&e));
    ready(owner, settings).await?;
    let role = settings.role()?;
    let tx = owner.transaction().await.map_err(database)?;
    alone(&tx).await?;
    if is_there(tx.client()).await? {
        return Err(OpenError::Exists);
    }
    steps(&tx, &STEPS, role, 0).await.map_err(database)?;
    let sql = "INSERT INTO meantime.life (epoch, version) VALUES ($1, $2)";
    tx.execute(sql, &[&epoch.0.cast_signed(), &version(&STEPS)]).await.map_err(database)?;
    tx.commit().await.map_err(database)
}

/// Whether there are tables; another program's, in their place, are a fault.
pub(crate) async fn is_there(owner: &Client) -> Result<bool, OpenError> {
    let there = owner.query_one("SELECT to_regnamespace('meantime') IS NOT NULL", &[]).await;
    if !there.and_then(|row| row.try_get(0)).map_err(|e| OpenError::Database(words(&e)))? {
        return Ok(false);
    }
    match owner.query_one("SELECT epoch, version FROM meantime.life", &[]).await.map_err(|e| OpenError::of(&e)) {
        Ok(_) => Ok(true),
        Err(OpenError::Missing) => Err(OpenError::Foreign),
        Err(other) => Err(other),
    }
}

/// Makes what tables need that come from elsewhere, from a dump.
pub(crate) async fn ready(owner: &Client, settings: &Settings) -> Result<(), OpenError> {
    old_enough(owner).await?;
    let role = settings.role()?;
    let no_role = |why| OpenError::NoRole { role: role.to_owned(), users: settings.users(), why };
    make_role(owner, role).await.map_err(|e| no_role(words(&e)))?;
    // Whoever serves has to be a member too; some owners may see to that.
    let Some(user) = settings.serving() else { return Ok(()) };
    let sql = "SELECT pg_has_role(rolname, $2::name, 'MEMBER') FROM pg_roles WHERE rolname = $1";
    let member = owner.query_opt(sql, &[&user, &role]).await.map_err(|e| no_role(words(&e)))?;
    if member.is_some_and(|row| row.try_get(0).unwrap_or(true)) {
        return Ok(());
    }
    let granted = owner.batch_execute(&format!("GRANT {role} TO {}", quoted(&user))).await;
    granted.map_err(|e| no_role(words(&e)))
}

/// Fails where the tables are older, and leaves them as they are.
pub(crate) async fn up_to_date(owner: &Client) -> Result<(), OpenError> {
    old_enough(owner).await?;
    let (found, known) = (found(owner.query_one(VERSION, &[]).await, &STEPS)?, version(&STEPS));
    if found < known { Err(OpenError::Older { found, known }) } else { Ok(()) }
}

/// Brings the tables up to date.
pub(crate) async fn upgrade(owner: &mut Client, role: &str) -> Result<(), OpenError> {
    upgrade_by(owner, role, &STEPS).await
}

async fn upgrade_by(owner: &mut Client, role: &str, known: &[&str]) -> Result<(), OpenError> {
    old_enough(owner).await?;
    // Without the lock: most starts change nothing, and not everybody may.
    if found(owner.query_one(VERSION, &[]).await, known)? == version(known) {
        return Ok(());
    }
    let tx = owner.transaction().await.map_err(|e| OpenError::of(&e))?;
    alone(&tx).await?;
    let from = found(tx.query_one(VERSION, &[]).await, known)?;
    if from == version(known) {
        return Ok(());
    }
    let refused = |e: Error| match e.code() {
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => OpenError::NotOwner(words(&e)),
        _ => OpenError::Database(words(&e)),
    };
    steps(&tx, known, role, usize::try_from(from).unwrap_or_default()).await.map_err(refused)?;
    tx.execute("UPDATE meantime.life SET version = $1", &[&version(known)]).await.map_err(refused)?;
    tx.commit().await.map_err(refused)?;
    tracing::info!(from, to = version(known), "the database's tables were brought up to date");
    Ok(())
}

const VERSION: &str = "SELECT version FROM meantime.life";

fn version(steps: &[&str]) -> i32 {
    i32::try_from(steps.len()).unwrap_or(i32::MAX)
}

fn found(row: Result<tokio_postgres::Row, Error>, known: &[&str]) -> Result<i32, OpenError> {
    let found: i32 = row.and_then(|row| row.try_get(0)).map_err(|e| OpenError::of(&e))?;
    if found > version(known) {
        return Err(OpenError::Newer { found, known: version(known) });
    }
    Ok(found)
}

/// Waits until nobody else changes the tables; until the transaction ends.
async fn alone(tx: &Transaction<'_>) -> Result<(), OpenError> {
    let wait = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0";
    tx.batch_execute(wait).await.map_err(|e| OpenError::of(&e))?;
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(|e| OpenError::of(&e))?;
    Ok(())
}

async fn steps(tx: &Transaction<'_>, known: &[&str], role: &str, from: usize) -> Result<(), Error> {
    for step in known.iter().skip(from) {
        tx.batch_execute(&step.replace(ROLE, role)).await?;
    }
    Ok(())
}

/// Roles belong to all databases of a PostgreSQL, so another may just have
/// made it.
async fn make_role(owner: &Client, role: &str) -> Result<(), Error> {
    let there = owner.query_one("SELECT count(*) > 0 FROM pg_roles WHERE rolname = $1", &[&role]).await;
    let there: bool = there.and_then(|row| row.try_get(0))?;
    if !there && let Err(e) = owner.batch_execute(&format!("CREATE ROLE {role} NOLOGIN")).await {
        let made = [SqlState::DUPLICATE_OBJECT, SqlState::UNIQUE_VIOLATION];
        if !e.code().is_some_and(|code| made.contains(code)) {
            return Err(e);
        }
    }
    let member = owner.query_one("SELECT pg_has_role(current_user, $1, 'MEMBER')", &[&role]).await;
    if !member.and_then(|row| row.try_get::<_, bool>(0))? {
        owner.batch_execute(&format!("GRANT {role} TO CURRENT_USER")).await?;
    }
    Ok(())
}

/// A name as it may stand in a statement.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn old_enough(owner: &Client) -> Result<(), OpenError> {
    let sql = "SELECT current_setting('server_version_num')::integer, current_setting('server_version')";
    let row = owner.query_one(sql, &[]).await.map_err(|e| OpenError::of(&e))?;
    let number: i32 = row.try_get(0).map_err(|e| OpenError::of(&e))?;
    if number < OLDEST {
        return Err(OpenError::OldPostgres(row.try_get(1).map_err(|e| OpenError::of(&e))?));
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Postgres;
    use meantime_server_postgres::kit::PostgresServer;
    use std::sync::Arc;
    use tokio::sync::Barrier;

    const ADDED: &str = "CREATE TABLE meantime.added (n integer); GRANT SELECT ON meantime.added TO meantime_app";
    const FILLED: &str = "INSERT INTO meantime.added VALUES (1)";

    /// The steps, and further ones.
    fn and(further: &[&'static str]) -> Vec<&'static str> {
        [&STEPS, further].concat()
    }

    async fn owner(url: &str) -> Client {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_many_that_start_at_once_one_takes_each_step() {
        let url = PostgresServer::shared().database().url;
        create(&mut owner(&url).await, &Settings::new(&url), Epoch(7)).await.unwrap();
        let begin = Arc::new(Barrier::new(8));
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let (url, begin) = (url.clone(), Arc::clone(&begin));
                tokio::spawn(async move {
                    let mut owner = owner(&url).await;
                    begin.wait().await;
                    upgrade_by(&mut owner, "meantime_app", &and(&[ADDED, FILLED])).await
                })
            })
            .collect();
        for start in starts {
            start.await.unwrap().unwrap();
        }
        let (sql, reader) =
            ("SELECT count(*), (SELECT version FROM meantime.life) FROM meantime.added", owner(&url).await);
        let row = reader.query_one(sql, &[]).await.unwrap();
        let added = version(&STEPS) + 2;
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i32>(1)), (1, added));
        let refused = upgrade(&mut owner(&url).await, "meantime_app").await.unwrap_err();
        assert!(matches!(refused, OpenError::Newer { found, .. } if found == added), "{refused}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_does_not_serve_leaves_older_tables_as_they_are() {
        let settings = Settings::new(&PostgresServer::shared().database().url);
        let mut owner = owner(&settings.url).await;
        make_role(&owner, "meantime_app").await.unwrap();
        let tx = owner.transaction().await.unwrap();
        steps(&tx, &STEPS[..1], "meantime_app", 0).await.unwrap();
        tx.execute("INSERT INTO meantime.life (epoch, version) VALUES (7, 1)", &[]).await.unwrap();
        tx.commit().await.unwrap();
        let found = async || owner.query_one(VERSION, &[]).await.unwrap().get::<_, i32>(0);
        let refused = Postgres::open_as_it_is(&settings).await.unwrap_err();
        assert!(matches!(refused, OpenError::Older { found: 1, .. }), "{refused}");
        assert!(refused.to_string().contains("`meantime-server serve` brings it up to date"), "{refused}");
        assert_eq!(found().await, 1);
        Postgres::open(&settings).await.unwrap();
        assert_eq!(found().await, version(&STEPS));
        Postgres::open_as_it_is(&settings).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_step_that_fails_leaves_everything_as_it_was() {
        let url = PostgresServer::shared().database().url;
        create(&mut owner(&url).await, &Settings::new(&url), Epoch(7)).await.unwrap();
        let failed = upgrade_by(&mut owner(&url).await, "meantime_app", &and(&[ADDED, FILLED, "SELECT 1 / 0"]))
            .await
            .unwrap_err();
        assert!(failed.to_string().contains("division by zero"), "{failed}");
        let left = owner(&url).await.query_one("SELECT to_regclass('meantime.added') IS NULL", &[]).await.unwrap();
        assert!(left.get::<_, bool>(0));
        upgrade(&mut owner(&url).await, "meantime_app").await.unwrap();
        upgrade_by(&mut owner(&url).await, "meantime_app", &and(&[ADDED, FILLED])).await.unwrap();
    }
}
