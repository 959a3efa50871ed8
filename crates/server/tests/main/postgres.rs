//! Several server processes on one PostgreSQL, and its backup. Where
//! PostgreSQL or NATS is not installed there is nothing to say.

use crate::binary::{Process, command};
use crate::live::Stream;
use crate::world::Someone;
use meantime_protocol::{Code, Kind};
use meantime_server_postgres::kit::{NatsServer, PostgresServer};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A server on that database; the owner's link.
fn init(data: &Path, files: &Path, postgres: &meantime_server_postgres::Settings) -> String {
    fs::write(files.join("url"), format!("{}\n", postgres.url)).unwrap();
    let mut init = command("init", data);
    init.args(["--team", "Blue Team", "--host", "127.0.0.1", "--monitoring", "off"]);
    init.arg("--postgres-url-file").arg(files.join("url"));
    if let Some(owner) = &postgres.owner_url {
        fs::write(files.join("owner-url"), owner).unwrap();
        init.arg("--postgres-owner-url-file").arg(files.join("owner-url"));
    }
    let made = init.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// Another process's folder: the same CA and settings.
fn beside(data: &Path, other: &Path) {
    fs::create_dir(other).unwrap();
    for name in ["ca.key", "ca.pem", "server.toml"] {
        fs::copy(data.join(name), other.join(name)).unwrap();
    }
    let settings = fs::read_to_string(other.join("server.toml")).unwrap();
    fs::write(other.join("server.toml"), settings.replace(data.to_str().unwrap(), other.to_str().unwrap())).unwrap();
}

#[tokio::test]
async fn two_processes_are_one_server() {
    if !PostgresServer::is_installed() || !NatsServer::is_installed() {
        eprintln!("PostgreSQL or NATS is not installed: this was not tried");
        return;
    }
    let (dir, nats) = (tempfile::tempdir().unwrap(), NatsServer::start());
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let owner = init(&first, dir.path(), &PostgresServer::shared().database());
    // NATS alone has to carry the news: looking would take too long.
    fs::write(dir.path().join("nats"), nats.url()).unwrap();
    let settings = fs::read_to_string(first.join("server.toml")).unwrap();
    let nats_file = format!("kind = \"nats\"\npoll_ms = 60000\nurl_file = \"{}\"", dir.path().join("nats").display());
    let (before, after) = settings.split_once("kind = \"poll\"").unwrap();
    let after = after.replacen("poll_ms = 500\n", "", 1).replacen("url_file = \"\"\n", "", 1);
    fs::write(first.join("server.toml"), format!("{before}{nats_file}{after}")).unwrap();
    beside(&first, &second);
    let (a, b) = (Process::serve(&first), Process::serve(&second));

    let ana = a.client(&first).join(&owner, "Ana").await;
    let there = Someone::again(b.client(&second), ana.joined.clone());
    let mut live = Stream::open(&there).await;
    live.next().await.unwrap();
    ana.thread("Said at the first").await;
    let told = tokio::time::timeout(Duration::from_secs(10), live.next()).await;
    assert!(told.is_ok(), "the second hears of it");
    assert!(there.all().await.iter().any(|row| row.kind == Kind::THREAD));
    let link = command("invite", &second).output().unwrap();
    let kofi = a.client(&first).join(String::from_utf8(link.stdout).unwrap().trim(), "Kofi").await;
    assert_eq!(kofi.call(Method::GET, "/v1/me").send().await.unwrap().status(), StatusCode::OK);
    let again = command("init", &dir.path().join("third"))
        .args(["--team", "Another", "--monitoring", "off", "--postgres-url-file"])
        .arg(dir.path().join("url"))
        .arg("--postgres-owner-url-file")
        .arg(dir.path().join(if dir.path().join("owner-url").exists() { "owner-url" } else { "url" }))
        .output()
        .unwrap();
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("already"));
    a_team_is_deleted_as_the_handbook_says(&first, &ana);
}

/// The statements stand in docs/OPERATIONS.md.
fn a_team_is_deleted_as_the_handbook_says(data: &Path, ana: &Someone) {
    let refused = command("delete", data).arg("--yes").output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("docs/OPERATIONS.md"));
    let handbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPERATIONS.md");
    let handbook = fs::read_to_string(handbook).unwrap();
    let sql = handbook.split("```sql\n").find(|part| part.starts_with("DO $$")).unwrap();
    let sql = sql.split("```").next().unwrap().replace("TEAM-ID", &ana.joined.team.to_string());
    let url = fs::read_to_string(data.with_file_name("url")).unwrap();
    let database = url.trim().split('?').next().unwrap().rsplit('/').next().unwrap();
    PostgresServer::shared().sql(database, &sql);
    let teams = command("invite", data).output().unwrap();
    assert!(String::from_utf8_lossy(&teams.stderr).contains("has no team"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_dump_comes_back_as_another_life() {
    if !PostgresServer::is_installed() || Command::new("pg_dump").arg("--version").output().is_err() {
        eprintln!("PostgreSQL is not installed: this was not tried");
        return;
    }
    let (dir, server) = (tempfile::tempdir().unwrap(), PostgresServer::shared());
    let data = dir.path().join("server");
    let database = server.database();
    let owner = init(&data, dir.path(), &database);
    let mut process = Process::serve(&data);
    let ana = process.client(&data).join(&owner, "Ana").await;
    ana.thread("Before").await;
    let made = command("backup", &data).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    ana.thread("After").await;
    let ahead = ana.bootstrap().await.start;
    process.terminate();
    process.ends(Duration::from_secs(10)).await;

    let url = database.owner_url.as_ref().unwrap_or(&database.url);
    let mut restore = Command::new("pg_restore");
    restore.args(["--clean", "--if-exists", "--single-transaction", "--dbname", url]);
    let restored = restore.arg(made["backup"].as_str().unwrap()).output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let life = command("restore", &data).arg("--new-life").output().unwrap();
    assert!(life.status.success(), "{}", String::from_utf8_lossy(&life.stderr));

    let process = Process::serve(&data);
    let ana = Someone::again(process.client(&data), ana.joined);
    assert_eq!(ana.pull(ahead, 10).await.unwrap_err(), (StatusCode::GONE, Code::CursorGone));
    let titles: Vec<Value> =
        ana.all().await.iter().filter(|row| row.kind == Kind::THREAD).map(|row| row.fields["title"].clone()).collect();
    assert_eq!(titles, ["Before"]);
}
