//! A PostgreSQL database, out and in again, by PostgreSQL's own programs.

use crate::data::private;
use anyhow::{Context as _, bail};
use meantime_protocol::Epoch;
use meantime_server_postgres::Settings;
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use url::Url;

/// Lets `pg_dump` write all of it into one file.
pub(super) async fn dump(postgres: &Settings, to: &Path) -> anyhow::Result<()> {
    drop(private(to, true)?);
    let (mut dump, _) = program("pg_dump", postgres)?;
    dump.args(["--format=custom", "--schema=meantime", "--no-password", "--file"]).arg(to);
    run(dump, "pg_dump").await
}

/// Puts a dump in the place of what is there, as another life: all of it or
/// nothing, whenever this process or one of the programs ends. How many invites
/// and links were ended.
///
/// `pg_restore` writes the statements, `psql` carries them out. Were
/// `pg_restore` to do that by itself, the dump would be there with its own
/// epoch for a moment, or for good if nobody comes to change it.
pub(super) async fn put_back(postgres: &Settings, from: &Path, epoch: Epoch) -> anyhow::Result<u64> {
    let (begin, end) = meantime_server_postgres::Postgres::around_a_dump(epoch);
    let (mut psql, _) = program("psql", postgres)?;
    psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password", "--file=-"]);
    psql.args(["--set", "ON_ERROR_STOP=1"]).env("PGOPTIONS", "-c client_min_messages=warning");
    let mut psql = started(psql, "psql", Stdio::piped())?;
    let mut into = psql.stdin.take().context("psql reads nothing")?;
    let (mut restore, _) = program("pg_restore", postgres)?;
    restore.args(["--no-owner", "--file=-"]).arg(from);
    let mut restore = started(restore, "pg_restore", Stdio::null())?;
    let mut statements = restore.stdout.take().context("pg_restore writes nothing")?;
    let told = tokio::spawn(ended(psql, "psql"));
    let fed = async {
        into.write_all(begin.as_bytes()).await?;
        tokio::io::copy(&mut statements, &mut into).await?;
        // What it wrote may be half of it.
        ended(restore, "pg_restore").await?;
        into.write_all(end.as_bytes()).await?;
        into.shutdown().await?;
        anyhow::Ok(())
    };
    let fed = fed.await;
    // Without the last statements it goes back to what was.
    drop(into);
    let told = match (told.await?, fed) {
        (Err(refused), _) => return Err(refused),
        (Ok(_), Err(failed)) => return Err(failed),
        (Ok(told), Ok(())) => told,
    };
    let last = told.lines().last().unwrap_or_default();
    last.parse().with_context(|| format!("psql answered `{last}`"))
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

async fn run(program: Command, name: &str) -> anyhow::Result<()> {
    ended(started(program, name, Stdio::null())?, name).await.map(drop)
}

fn started(mut program: Command, name: &str, input: Stdio) -> anyhow::Result<Child> {
    let child = program.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    child.with_context(|| format!("{name} can't be started; install PostgreSQL's client programs"))
}

/// What it said, or what was wrong.
async fn ended(child: Child, name: &str) -> anyhow::Result<String> {
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A part of a URL as it was meant.
fn plain(part: &str) -> String {
    url::form_urlencoded::parse(format!("x={}", part.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
