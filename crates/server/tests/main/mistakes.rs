//! What whoever runs a server does wrong, or meets: each is refused or found,
//! with a next step, before anything is lost.

use crate::attachments::{bytes, files, sent};
use crate::binary::{Process, command, init};
use crate::world::{World, eventually};
use meantime_protocol::kinds::Role;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `words` of the command line.
fn told(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meantime-server"));
    command.args(words);
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn backup(data: &Path, to: &Path) -> PathBuf {
    let made: Value =
        serde_json::from_str(&said(&command("backup", data).arg("--to").arg(to).output().unwrap())).unwrap();
    PathBuf::from(made["backup"].as_str().unwrap())
}

#[test]
fn a_restore_has_to_be_told_where() {
    let dir = tempfile::tempdir().unwrap();
    let (data, to, etc) = (dir.path().join("server"), dir.path().join("to"), dir.path().join("etc"));
    init(&data);
    let made = backup(&data, &to);
    fs::create_dir(&etc).unwrap();
    let config = etc.join("server.toml");
    // On a new machine there are no settings yet: nothing lands beside them.
    let why = refused(told(&["restore", "--config", text(&config), "--from", text(&made)]));
    assert!(why.contains("add --data FOLDER"), "{why}");
    assert_eq!(fs::read_dir(&etc).unwrap().count(), 0);
    let new = dir.path().join("new");
    said(&told(&["restore", "--config", text(&config), "--data", text(&new), "--from", text(&made)]).output().unwrap());
    assert!(new.join("server.db").exists() && !new.join("server.toml").exists());
    // From then on the settings alone say where it is.
    let serving = Process::start({
        let mut serve = told(&["serve", "--listen", "127.0.0.1:0", "--config"]);
        serve.arg(&config);
        serve
    });
    assert!(new.join("address").exists());
    drop(serving);
    // The settings of a server are never made those of another folder.
    let before = fs::read(&config).unwrap();
    let drill = dir.path().join("drill");
    let why = refused(told(&["restore", "--config", text(&config), "--data", text(&drill), "--from", text(&made)]));
    assert!(why.contains("leave --config out"), "{why}");
    assert!(fs::read(&config).unwrap() == before && !drill.exists());
}

/// The drill of the handbook, beside a server that runs.
#[tokio::test]
async fn a_drill_looks_at_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (data, drill) = (dir.path().join("server"), dir.path().join("drill"));
    let owner = init(&data);
    let process = Process::serve(&data);
    let ana = process.client(&data).join(&owner, "Ana").await;
    sent(&ana, ana.team(), &bytes(7, 4000)).await;
    let made = backup(&data, &dir.path().join("to"));
    let settings = fs::read(data.join("server.toml")).unwrap();
    said(&told(&["restore", "--data", text(&drill), "--from", text(&made)]).output().unwrap());
    assert_eq!(files(&drill.join("attachments")).len(), 1);
    // Also where its settings still name the live folder, as those of older restores do.
    fs::write(drill.join("server.toml"), &settings).unwrap();
    fs::remove_dir_all(data.join("attachments")).unwrap();
    said(&command("check", &drill).arg("--deep").output().unwrap());
    fs::remove_dir_all(drill.join("attachments")).unwrap();
    let why = refused(command("check", &drill));
    assert!(why.contains("FAULT: the attachments"), "{why}");
    assert!(ana.client.alive().await && fs::read(data.join("server.toml")).unwrap() == settings);
}

#[test]
fn what_can_not_be_read_is_not_said_to_be_no_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (data, made) = (dir.path().join("server"), dir.path().join("made"));
    fs::create_dir(&made).unwrap();
    let restore = || {
        let mut restore = command("restore", &data);
        restore.arg("--from").arg(&made);
        refused(restore)
    };
    let why = restore();
    assert!(why.contains("is no backup: there is no backup.json"), "{why}");
    fs::create_dir(made.join("backup.json")).unwrap();
    let why = restore();
    assert!(!why.contains("is no backup") && why.contains("backup.json can't be read"), "{why}");
}

#[test]
fn a_folder_with_keys_has_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let (data, config) = (dir.path().join("data"), dir.path().join("etc/server.toml"));
    let words = |host: &'static str| ["init", "--team", "Blue Team", "--monitoring", "off", "--host", host];
    let mut begin = told(&words("not a host"));
    let why = refused({
        begin.arg("--data").arg(&data).arg("--config").arg(&config);
        begin
    });
    assert!(why.contains("hosts"), "{why}");
    // What came to nothing can be called again.
    let mut begin = told(&words("127.0.0.1"));
    said(&begin.arg("--data").arg(&data).arg("--config").arg(&config).output().unwrap());
    // As on PostgreSQL: settings elsewhere, and no database in the folder.
    fs::remove_file(data.join("server.db")).unwrap();
    for key in ["ca.key", "ca.pem", "seal.key"] {
        let why = refused({
            let mut again = told(&words("127.0.0.1"));
            again.arg("--data").arg(&data);
            again
        });
        assert!(why.contains("there is a server in") && why.contains(key), "{why}");
        fs::remove_file(data.join(key)).unwrap();
    }
    assert!(!data.join("server.toml").exists());
}

#[test]
fn a_damaged_database_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    init(&data);
    let log = "PRAGMA wal_checkpoint(TRUNCATE)";
    rusqlite::Connection::open(data.join("server.db")).unwrap().query_row(log, [], |_| Ok(())).unwrap();
    let mut all = fs::read(data.join("server.db")).unwrap();
    // Pages 4 to 9, of 4096 bytes each.
    all[3 * 4096..9 * 4096].fill(0xa5);
    fs::write(data.join("server.db"), all).unwrap();
    for deep in [false, true] {
        let mut check = command("check", &data);
        check.args(deep.then_some("--deep"));
        let why = refused(check);
        assert!(why.contains("FAULT: the database: ") && why.contains("is damaged"), "{why}");
        assert!(why.contains("1 of these has to be mended"), "{why}");
    }
}

#[cfg(unix)]
#[test]
fn a_reason_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    init(&data);
    // What can't be opened at all, as a file of root's.
    fs::remove_file(data.join("server.db")).unwrap();
    fs::create_dir(data.join("server.db")).unwrap();
    let why = refused(told(&["user", "list", "--data", text(&data)]));
    assert_eq!(why.matches("unable to open").count(), 1, "{why}");
}

#[test]
fn nothing_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("server"), dir.path().join("team.jsonl"));
    init(&data);
    let export = || {
        let mut export = command("export", &data);
        export.arg("--to").arg(&file);
        export
    };
    said(&export().output().unwrap());
    let before = fs::read(&file).unwrap();
    let why = refused(export());
    assert!(why.contains("is there already"), "{why}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn wrong_words_are_said_with_the_right_ones() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let why = refused({
        let mut invite = command("invite", dir.path());
        invite.args(["--hours", "73"]);
        invite
    });
    assert!(why.contains("73 is not in 1..=72"), "{why}");
    let why = refused(told(&["invite"]));
    assert!(why.contains("--data") && why.contains("--config"), "{why}");
}

/// A number that begins with the first event is no growth to who watches.
#[tokio::test]
async fn what_goes_wrong_begins_at_nothing() {
    let world = World::tuned(&[("listen = \"\"", "listen = \"127.0.0.1:0\"")]).await;
    let numbers = async || world.monitored("metrics").await.1;
    let fresh = numbers().await;
    for name in [
        "shed_total{limit=\"requests\"}",
        "shed_total{limit=\"secrets\"}",
        "shed_total{limit=\"streams\"}",
        "shed_total{limit=\"streams_per_second\"}",
        "ops_total{outcome=\"rejected\"}",
        "storage_errors_total{call=\"commit\",why=\"failed\"}",
        "requests_total{method=\"POST\",route=\"/v1/push\",status=\"500\"}",
        "backups_failed_total",
        "certificates_refused_total",
    ] {
        assert!(fresh.contains(&format!("\nmeantime_{name} 0\n")), "{name}:\n{fresh}");
    }
    assert!(!fresh.contains("call=\"invite\""), "it was called");
    world.someone("Ana", Role::Owner).await;
    assert!(numbers().await.contains("\nmeantime_storage_errors_total{call=\"invite\",why=\"failed\"} 0\n"));
}

#[cfg(unix)]
mod on_postgres {
    use super::*;
    use crate::postgres::{beside, init};
    use meantime_server_postgres::kit::PostgresServer;
    use meantime_server_postgres::{Postgres, Settings};

    fn there_is_none() -> bool {
        let none = !PostgresServer::is_installed() || Command::new("pg_dump").arg("--version").output().is_err();
        if none {
            eprintln!("PostgreSQL is not installed: this was not tried");
        }
        none
    }

    fn secret(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    async fn titles(database: &Settings) -> i64 {
        let count = "SELECT count(*) FROM meantime.record WHERE kind = 'thread'";
        let (name, server) = (database.url.rsplit('/').next().unwrap(), PostgresServer::shared());
        assert!(Postgres::has_tables(database).await.unwrap());
        server.sql(name, count).parse().unwrap()
    }

    /// The backup's settings name the live database.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_drill_never_goes_into_the_live_database() {
        if there_is_none() {
            return;
        }
        let (dir, server) = (tempfile::tempdir().unwrap(), PostgresServer::shared());
        let (data, drill) = (dir.path().join("server"), dir.path().join("drill"));
        let database = server.database();
        let owner = init(&data, dir.path(), &database);
        let process = Process::serve(&data);
        let ana = process.client(&data).join(&owner, "Ana").await;
        ana.thread("Before").await;
        let made = backup(&data, &dir.path().join("to"));
        ana.thread("After").await;
        drop(process);

        let restore = |more: &[&str]| {
            let mut restore = told(&["restore", "--data", text(&drill), "--from", text(&made)]);
            restore.args(more);
            restore
        };
        let why = refused(restore(&[]));
        assert!(why.contains("has a team in it") && why.contains("--postgres-url-file"), "{why}");
        assert_eq!(titles(&database).await, 2);
        assert!(!drill.join("ca.key").exists() && !drill.join("server.toml").exists());

        let (empty, url) = (server.database(), dir.path().join("drill-url"));
        secret(&url, &empty.url);
        said(&restore(&["--postgres-url-file", text(&url)]).output().unwrap());
        assert_eq!((titles(&empty).await, titles(&database).await), (1, 2));
        // Whatever looks at the drill from now on sees its own database.
        let people = said(&told(&["user", "list", "--data", text(&drill)]).output().unwrap());
        assert!(people.contains("Ana"), "{people}");
        said(&command("check", &drill).arg("--deep").output().unwrap());
        server.sql(empty.url.rsplit('/').next().unwrap(), "DROP SCHEMA meantime CASCADE");
        assert!(refused(command("check", &drill)).contains("FAULT: the database"));

        let third = dir.path().join("third");
        let mut meant = told(&["restore", "--data", text(&third), "--replace-database", "--from", text(&made)]);
        let restored = said(&meant.output().unwrap());
        assert!(restored.contains("before-restore-"), "what was in it is not thrown away: {restored}");
        assert_eq!(titles(&database).await, 1);
    }

    /// Its folder of attachments is its own, and nobody would find what is in the first one's.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_second_process_says_that_attachments_are_not_shared() {
        if there_is_none() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        let owner = init(&first, dir.path(), &PostgresServer::shared().database());
        beside(&first, &second);
        let serve = |data: &Path, log: &Path| {
            let mut serve = command("serve", data);
            serve.args(["--listen", "127.0.0.1:0"]);
            Process::logging(serve, fs::File::create(log).unwrap())
        };
        let log = |name: &str| dir.path().join(name);
        let words = "another process works on this database";
        let a = serve(&first, &log("a"));
        assert!(!fs::read_to_string(log("a")).unwrap().contains(words), "alone it says nothing");
        let b = serve(&second, &log("b"));
        assert!(fs::read_to_string(log("b")).unwrap().contains(words));
        drop(b);
        let shared = dir.path().join("shared");
        let settings = fs::read_to_string(second.join("server.toml")).unwrap();
        let line = format!("folder = \"{}\"", shared.display());
        fs::write(second.join("server.toml"), settings.replace("folder = \"attachments\"", &line)).unwrap();
        let b = serve(&second, &log("c"));
        assert!(!fs::read_to_string(log("c")).unwrap().contains(words));
        // What lies at the first is missing here; no advice to take everything back for it.
        let ana = a.client(&first).join(&owner, "Ana").await;
        sent(&ana, ana.team(), &bytes(8, 4000)).await;
        let why = refused(command("check", &second));
        assert!(why.contains("1 of 1 are missing") && why.contains("several processes"), "{why}");
        assert!(!why.contains("restore"), "{why}");
        drop(b);
    }

    /// On PostgreSQL a timer makes backups; the server tells when the last was made.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_timers_backup_is_told() {
        if there_is_none() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("server");
        init(&data, dir.path(), &PostgresServer::shared().database());
        let settings = fs::read_to_string(data.join("server.toml")).unwrap();
        fs::write(data.join("server.toml"), settings.replace("\nlisten = \"\"\n", "\nlisten = \"127.0.0.1:0\"\n"))
            .unwrap();
        let process = Process::serve(&data);
        let at = process.ready["monitoring"].as_str().unwrap().parse().unwrap();
        let made = async || {
            let text = crate::world::monitored(at, "metrics").await.1;
            let line = text.lines().find_map(|line| line.strip_prefix("meantime_backup_made_seconds "));
            line.unwrap().parse::<f64>().unwrap()
        };
        assert_eq!(made().await, 0.0);
        said(&command("backup", &data).output().unwrap());
        eventually("it to be told", async || made().await > 1.7e9).await;
    }
}
