//! A PostgreSQL database, out and in again, by PostgreSQL's own programs.

use crate::data::private;
use anyhow::{Context as _, bail};
use meantime_server_postgres::Settings;
use std::path::Path;
use tokio::process::Command;
use url::Url;

/// Lets `pg_dump` write all of it into one file.
pub(super) async fn dump(postgres: &Settings, to: &Path) -> anyhow::Result<()> {
    drop(private(to, true)?);
    let (mut dump, _) = program("pg_dump", postgres)?;
    dump.args(["--format=custom", "--schema=meantime", "--no-password", "--file"]).arg(to);
    run(dump, "pg_dump").await
}

/// Lets `pg_restore` put a dump in the place of what is there, all of it or
/// nothing.
pub(super) async fn put_back(postgres: &Settings, from: &Path) -> anyhow::Result<()> {
    let (mut restore, database) = program("pg_restore", postgres)?;
    restore.args(["--clean", "--if-exists", "--no-owner", "--single-transaction", "--no-password", "--dbname"]);
    restore.arg(database).arg(from);
    run(restore, "pg_restore").await
}

/// One of the programs, told by its environment where the database is: other
/// users of the machine don't see that. The database's name, too.
fn program(name: &str, postgres: &Settings) -> anyhow::Result<(Command, String)> {
    let url = Url::parse(postgres.owner_url.as_ref().unwrap_or(&postgres.url));
    let url = url.with_context(|| {
        format!("{name} is called with an address of the form postgres://USER:PASSWORD@HOST/DATABASE")
    })?;
    let database = plain(url.path().trim_start_matches('/'));
    let mut program = Command::new(name);
    program.env("PGHOST", url.host_str().unwrap_or_default()).env("PGUSER", plain(url.username()));
    program.env("PGDATABASE", &database);
    program.envs(url.port().map(|port| ("PGPORT", port.to_string())));
    program.envs(url.password().map(|password| ("PGPASSWORD", plain(password))));
    for (key, value) in url.query_pairs() {
        match &*key {
            "host" => program.env("PGHOST", &*value),
            "sslmode" => program.env("PGSSLMODE", &*value),
            _ => continue,
        };
    }
    program.envs(postgres.ca_file.as_ref().map(|ca| ("PGSSLROOTCERT", ca.as_os_str())));
    program.kill_on_drop(true);
    Ok((program, database))
}

async fn run(mut program: Command, name: &str) -> anyhow::Result<()> {
    let output = program.output().await;
    let output = output.with_context(|| format!("{name} can't be started; install PostgreSQL's client programs"))?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// A part of a URL as it was meant.
fn plain(part: &str) -> String {
    url::form_urlencoded::parse(format!("x={}", part.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
