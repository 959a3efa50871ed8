//! What whoever runs the server does to the database as a whole, as the owner
//! of the tables: begin another life of it, make it ready for a restore, take
//! a team out.

use crate::connections::Query;
use crate::open::Owner;
use crate::row::get;
use crate::settings::SERVING;
use crate::{OpenError, Postgres, Settings, schema};
use meantime_model::TeamId;
use meantime_protocol::Epoch;
use meantime_server_core::StorageError;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, Transaction};

/// How long those who are about to go may take.
const LEAVING: Duration = Duration::from_secs(3);

/// Who else is connected.
const OTHERS: &str = "SELECT count(*), coalesce(string_agg(DISTINCT usename, ', '), '')
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL";

/// Whether anybody is connected by that name.
const SERVED: &str = "SELECT count(*) > 0 FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = $1";

impl Postgres {
    /// Says that the data was restored from a backup: from now on it is
    /// another life, and apps read their feeds from the start. Invites and
    /// links that wait to be used are ended, for in the life before they may
    /// have been used since; how many.
    ///
    /// # Errors
    /// When anybody else is connected to the database, the tables are missing,
    /// or who connects doesn't own them.
    pub async fn begin_anew(settings: &Settings, epoch: Epoch) -> Result<u64, OpenError> {
        let mut owner = Owner::connect(settings).await?;
        alone(&owner.client).await?;
        let tx = owner.client.transaction().await.map_err(|e| OpenError::of(&e))?;
        // Who comes from here on waits, and finds the new life.
        let lock = "SET LOCAL lock_timeout = '5s'; LOCK TABLE meantime.life IN ACCESS EXCLUSIVE MODE";
        tx.batch_execute(lock).await.map_err(|e| OpenError::of(&e))?;
        let sql = "UPDATE meantime.life SET epoch = $1";
        tx.execute(sql, &[&epoch.0.cast_signed()]).await.map_err(|e| OpenError::of(&e))?;
        let sql = "DELETE FROM meantime.invite WHERE NOT used";
        let ended = tx.execute(sql, &[]).await.map_err(|e| OpenError::of(&e))?;
        tx.commit().await.map_err(|e| OpenError::of(&e))?;
        Ok(ended)
    }

    /// Makes the role that the tables' rules name, if it isn't there, so that a
    /// dump can be put in. Whether there are tables now.
    ///
    /// # Errors
    /// When anybody else is connected to the database, the role can't be made,
    /// or what is there is another program's.
    pub async fn ready_for_restore(settings: &Settings) -> Result<bool, OpenError> {
        let owner = Owner::connect(settings).await?;
        schema::ready(&owner.client, settings).await?;
        alone(&owner.client).await?;
        schema::is_there(&owner.client).await
    }

    /// The statements that, around those of a dump, put it in the place of what
    /// is there, as another life; to be carried out by whoever owns the tables.
    /// They are one transaction: before its end nothing is changed, and nobody
    /// sees the dump's own epoch. The last answers with how many invites and
    /// links were ended ([`Postgres::begin_anew`]).
    #[must_use]
    pub fn around_a_dump(epoch: Epoch) -> (String, String) {
        let begin = format!(
            "{};\nBEGIN;\nSET LOCAL lock_timeout = '5s';\nDROP SCHEMA IF EXISTS meantime CASCADE;\n",
            schema::DURABLE
        );
        let epoch = epoch.0.cast_signed();
        let end = format!(
            "UPDATE meantime.life SET epoch = {epoch};\n\
             WITH ended AS (DELETE FROM meantime.invite WHERE NOT used RETURNING 1) SELECT count(*) FROM ended;\n\
             COMMIT;\n"
        );
        (begin, end)
    }

    /// What PostgreSQL is told not to do, so that what it acknowledged may be
    /// lost or damaged when its machine goes down; in words.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn risks(&self) -> Result<Vec<String>, StorageError> {
        let sql = "SELECT name FROM pg_catalog.pg_settings
                   WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name";
        let risks = self.connections.lookup(Query { sql, values: &[] }).await?;
        let risk = |name: String| format!("PostgreSQL runs with {name} = off: {}", may_happen(&name));
        risks.iter().map(|row| Ok(risk(get(row, 0)?))).collect()
    }

    /// Whether there are tables in the database.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn has_tables(settings: &Settings) -> Result<bool, OpenError> {
        let owner = Owner::connect(settings).await?;
        let row = owner.client.query_one("SELECT to_regclass('meantime.life') IS NOT NULL", &[]).await;
        row.and_then(|row| row.try_get(0)).map_err(|e| OpenError::of(&e))
    }

    /// Whether a server process, or one of its commands, works on the database
    /// just now; asked before this one opens it.
    ///
    /// # Errors
    /// When it can't be asked.
    pub async fn is_served(settings: &Settings) -> Result<bool, OpenError> {
        let owner = Owner::connect(settings).await?;
        let row = owner.client.query_one(SERVED, &[&SERVING]).await.map_err(|e| OpenError::of(&e))?;
        row.try_get(0).map_err(|e| OpenError::of(&e))
    }

    /// Takes everything of a team out; how many rows. Servers may be running:
    /// for them the team is gone from one moment to the next.
    ///
    /// # Errors
    /// When the database can't be used; then nothing was taken out.
    pub async fn erase_team(settings: &Settings, team: TeamId) -> Result<u64, OpenError> {
        let mut owner = Owner::connect(settings).await?;
        let tx = owner.client.transaction().await.map_err(|e| OpenError::of(&e))?;
        let gone = erase(&tx, team).await.map_err(|e| OpenError::of(&e))?;
        tx.commit().await.map_err(|e| OpenError::of(&e))?;
        Ok(gone)
    }
}

/// Waits until nobody else is connected; not for long.
async fn alone(owner: &Client) -> Result<(), OpenError> {
    let began = Instant::now();
    loop {
        let row = owner.query_one(OTHERS, &[]).await.map_err(|e| OpenError::of(&e))?;
        let read = |e| OpenError::of(&e);
        let (others, users) = (row.try_get(0).map_err(read)?, row.try_get(1).map_err(read)?);
        if others == 0 {
            return Ok(());
        }
        // Those of a server that has just ended are there a moment longer.
        if began.elapsed() > LEAVING {
            return Err(OpenError::InUse { others, users });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn may_happen(name: &str) -> &'static str {
    match name {
        "fsync" => "what it acknowledged may be gone, or all of it damaged, after its machine went down; set it to on",
        _ => "pages may be torn after its machine went down, unless its file system never does that; set it to on",
    }
}

async fn erase(tx: &Transaction<'_>, team: TeamId) -> Result<u64, tokio_postgres::Error> {
    // In the order of every commit: the team's row, then the counters. Who
    // writes just now is waited for, and nobody writes after that.
    tx.execute("SELECT FROM meantime.team WHERE team_id = $1 FOR UPDATE", &[&team.0]).await?;
    tx.execute("SELECT FROM meantime.scope WHERE team_id = $1 ORDER BY scope FOR UPDATE", &[&team.0]).await?;
    // Whatever table has a team's rows names the team, later ones too; the
    // team's own row comes last, since others refer to it.
    let sql = "SELECT c.table_name::text FROM information_schema.columns AS c
               JOIN information_schema.tables AS t USING (table_schema, table_name)
               WHERE c.table_schema = 'meantime' AND c.column_name = 'team_id' AND t.table_type = 'BASE TABLE'
               ORDER BY c.table_name = 'team', c.table_name";
    let mut gone = 0;
    for row in tx.query(sql, &[]).await? {
        let table: String = row.try_get(0)?;
        let sql = format!("DELETE FROM meantime.\"{}\" WHERE team_id = $1", table.replace('"', "\"\""));
        gone += tx.execute(&sql, &[&team.0]).await?;
    }
    Ok(gone)
}
