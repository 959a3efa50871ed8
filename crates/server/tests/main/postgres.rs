//! Several server processes on one PostgreSQL, and its backup. Where
//! PostgreSQL or NATS is not installed there is nothing to say.

use crate::attachments::{bytes, read, sent, with};
use crate::binary::{Process, command};
use crate::live::Stream;
use crate::world::{Someone, eventually};
use meantime_protocol::http::{PushOutcome, PushRequest, PushResponse};
use meantime_protocol::{Code, Kind, Problem};
use meantime_server_postgres::kit::{NatsServer, PostgresServer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// A server on that database; the owner's link.
pub fn init(data: &Path, files: &Path, postgres: &meantime_server_postgres::Settings) -> String {
    secret(&files.join("url"), &format!("{}\n", postgres.url));
    let mut init = command("init", data);
    init.args(["--team", "Blue Team", "--host", "127.0.0.1", "--monitoring", "off"]);
    init.arg("--postgres-url-file").arg(files.join("url"));
    if let Some(owner) = &postgres.owner_url {
        secret(&files.join("owner-url"), owner);
        init.arg("--postgres-owner-url-file").arg(files.join("owner-url"));
    }
    let made = init.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// Another process's folder: the same keys and settings.
pub fn beside(data: &Path, other: &Path) {
    fs::create_dir(other).unwrap();
    for name in ["ca.key", "ca.pem", "seal.key", "server.toml"] {
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
}

/// With the two commands that the handbook names, and nothing else.
#[cfg(unix)]
#[tokio::test]
async fn a_backup_comes_back_as_another_life() {
    if !PostgresServer::is_installed() || Command::new("pg_dump").arg("--version").output().is_err() {
        eprintln!("PostgreSQL is not installed: this was not tried");
        return;
    }
    let (dir, server) = (tempfile::tempdir().unwrap(), PostgresServer::shared());
    let (data, elsewhere) = (dir.path().join("server"), dir.path().join("elsewhere"));
    let owner = init(&data, dir.path(), &server.database());
    let mut process = Process::serve(&data);
    let ana = process.client(&data).join(&owner, "Ana").await;
    let thread = ana.thread("Before").await;
    let plan = bytes(40, 5000);
    let sha256 = sent(&ana, ana.team(), &plan).await;
    ana.push(vec![with(&ana, ana.team(), thread, sha256, plan.len())]).await;
    let made = said(command("backup", &data).arg("--to").arg(&elsewhere));
    assert_eq!(made["attachments"], json!({"copied": 1, "before": 0, "missing": 0}));
    let backup = made["backup"].as_str().unwrap();
    ana.thread("After").await;
    let ahead = ana.bootstrap().await.start;
    fs::remove_dir_all(data.join("attachments")).unwrap();

    // Not while somebody works on it, on this machine or another.
    let restore = || {
        let mut restore = command("restore", &data);
        restore.arg("--from").arg(backup);
        restore
    };
    let refused = restore().output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another meantime-server uses"));
    let other = dir.path().join("other");
    beside(&data, &other);
    let mut second = Process::serve(&other);
    process.terminate();
    process.ends(Duration::from_secs(10)).await;
    let refused = restore().output().unwrap();
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("the database is in use"), "{why}");
    second.terminate();
    second.ends(Duration::from_secs(10)).await;
    let restored = said(&mut restore());
    // The try before had got as far as bringing it.
    assert_eq!(restored["attachments"], json!({"copied": 0, "before": 1, "missing": 0}), "{restored}");
    let before = Path::new(restored["before"].as_str().unwrap());
    assert!(before.join("server.dump").exists() && before.join("ca.key").exists(), "what was there is not thrown away");

    let process = Process::serve(&data);
    let ana = Someone::again(process.client(&data), ana.joined);
    assert_eq!(ana.pull(ahead, 10).await.unwrap_err(), (StatusCode::GONE, Code::CursorGone));
    assert_eq!(titles(&ana).await, ["Before"]);
    assert!(read(&ana, ana.team(), sha256).await == plan);
    ana.thread("Goes on").await;
}

/// It ends in the moment after `pg_restore` did, as by a power cut.
#[cfg(unix)]
#[tokio::test]
async fn a_restore_that_is_killed_has_changed_nothing() {
    if !PostgresServer::is_installed() || Command::new("pg_dump").arg("--version").output().is_err() {
        eprintln!("PostgreSQL is not installed: this was not tried");
        return;
    }
    let (dir, server) = (tempfile::tempdir().unwrap(), PostgresServer::shared());
    let data = dir.path().join("server");
    let owner = init(&data, dir.path(), &server.database());
    let mut process = Process::serve(&data);
    let ana = process.client(&data).join(&owner, "Ana").await;
    ana.thread("Before").await;
    let made = said(&mut command("backup", &data));
    ana.thread("After").await;
    let ahead = ana.bootstrap().await.start;
    process.terminate();
    process.ends(Duration::from_secs(10)).await;

    let path = std::env::var("PATH").unwrap();
    let real = std::env::split_paths(&path).map(|folder| folder.join("pg_restore")).find(|real| real.exists()).unwrap();
    let programs = dir.path().join("programs");
    fs::create_dir(&programs).unwrap();
    let program = programs.join("pg_restore");
    fs::write(&program, format!("#!/bin/sh\n{} \"$@\"\nkill -9 $PPID\n", real.display())).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let mut restore = command("restore", &data);
    restore.arg("--from").arg(made["backup"].as_str().unwrap());
    let killed = restore.env("PATH", format!("{}:{path}", programs.display())).output().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&killed.status), Some(9), "{killed:?}");

    let mut process = Process::serve(&data);
    let ana = Someone::again(process.client(&data), ana.joined);
    ana.pull(ahead, 10).await.expect("the life is the one it was, and all of it is there");
    assert_eq!(titles(&ana).await, ["Before", "After"]);
    process.terminate();
    process.ends(Duration::from_secs(10)).await;
    said(restore.env("PATH", path));
    let process = Process::serve(&data);
    let ana = Someone::again(process.client(&data), ana.joined);
    assert_eq!(ana.pull(ahead, 10).await.unwrap_err(), (StatusCode::GONE, Code::CursorGone));
    assert_eq!(titles(&ana).await, ["Before"]);
}

/// Another cluster, where there is neither the role nor a table.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_machine_gets_all_it_needs_from_a_backup() {
    if !PostgresServer::is_installed() || Command::new("pg_dump").arg("--version").output().is_err() {
        eprintln!("PostgreSQL is not installed: this was not tried");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (old, new, elsewhere) = (dir.path().join("old"), dir.path().join("new"), dir.path().join("elsewhere"));
    let owner = init(&old, dir.path(), &PostgresServer::shared().database());
    let process = Process::serve(&old);
    let ana = process.client(&old).join(&owner, "Ana").await;
    ana.thread("Before").await;
    let made = said(command("backup", &old).arg("--to").arg(&elsewhere));
    drop(process);
    fs::remove_dir_all(&old).unwrap();
    let server = tokio::task::block_in_place(PostgresServer::start);
    server.sql("postgres", "REVOKE meantime_app FROM meantime; DROP ROLE meantime_app");
    fs::write(dir.path().join("url"), server.database().url).unwrap();
    let restored = said(command("restore", &new).arg("--from").arg(made["backup"].as_str().unwrap()));
    assert!(restored["before"].is_null(), "{restored}");
    let settings = fs::read_to_string(new.join("server.toml")).unwrap();
    fs::write(new.join("server.toml"), settings.replace(old.to_str().unwrap(), new.to_str().unwrap())).unwrap();
    let process = Process::serve(&new);
    let ana = Someone::again(process.client(&new), ana.joined);
    assert_eq!(titles(&ana).await, ["Before"]);
}

/// PostgreSQL stops, in order and like in a power cut, under two processes
/// that serve: they say so, they live on, and nothing they had taken is lost.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_outlive_their_database() {
    if !PostgresServer::is_installed() {
        eprintln!("PostgreSQL is not installed: this was not tried");
        return;
    }
    let mut server = tokio::task::block_in_place(PostgresServer::start);
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let owner = init(&first, dir.path(), &server.database());
    beside(&first, &second);
    let (mut a, mut b) = (Process::serve(&first), Process::serve(&second));
    let ana = a.client(&first).join(&owner, "Ana").await;
    let thread = ana.thread("Storm").await;
    let link = command("invite", &second).output().unwrap();
    let kofi = b.client(&second).join(String::from_utf8(link.stdout).unwrap().trim(), "Kofi").await;
    let reader = Someone::again(a.client(&first), ana.joined.clone());
    let writers: Vec<_> = [ana, kofi].into_iter().map(|who| Writer::start(who, thread)).collect();
    for killed in [false, true] {
        for writer in &writers {
            writer.progress(20).await;
        }
        if killed {
            server.kill()
        } else {
            server.stop()
        }
        for (writer, process) in writers.iter().zip([&a, &b]) {
            let before = writer.refused.load(Ordering::SeqCst);
            eventually("it to be said", async || writer.refused.load(Ordering::SeqCst) > before + 3).await;
            let folder = if std::ptr::eq(process, &a) { &first } else { &second };
            for page in ["/healthz", "/readyz"] {
                let answer = process.client(folder).call(Method::GET, page).send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{page}");
            }
        }
        tokio::task::block_in_place(|| server.restart());
    }
    let mut written = Vec::new();
    for writer in writers {
        // By themselves, and not only the one who asks first.
        writer.progress(20).await;
        written.extend(writer.end().await);
    }
    assert!(a.child.try_wait().unwrap().is_none() && b.child.try_wait().unwrap().is_none(), "both live on");
    let rows = reader.all().await;
    let seqs: Vec<u64> = rows.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "gap-free");
    let mut kept: Vec<_> = rows.iter().filter(|row| row.kind == Kind::MESSAGE).map(|row| row.id).collect();
    kept.sort_unstable();
    written.sort_unstable();
    assert_eq!(kept, written, "what was acknowledged is there, each once");
}

/// Writes a message after the other, each until it is taken.
struct Writer {
    taken: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    work: tokio::task::JoinHandle<Vec<Uuid>>,
}

impl Writer {
    fn start(who: Someone, thread: Uuid) -> Self {
        let (taken, refused, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default(), Arc::default());
        let (took, sent_away, stopped): (_, _, Arc<AtomicBool>) =
            (Arc::clone(&taken), Arc::clone(&refused), Arc::clone(&stop));
        let work = tokio::spawn(async move {
            let mut written = Vec::new();
            while !stopped.load(Ordering::SeqCst) {
                let op = who.message(thread, "still here");
                written.push(op.id);
                let request = PushRequest { device: who.joined.device, ops: vec![op] };
                loop {
                    let answer = who.call(Method::POST, "/v1/push").json(&request).send().await.unwrap();
                    if answer.status() == StatusCode::OK {
                        let results = answer.json::<PushResponse>().await.unwrap().results;
                        assert!(!matches!(results[0].outcome, PushOutcome::Rejected { .. }), "{results:?}");
                        break;
                    }
                    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
                    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                    assert!((1..=10).contains(&wait));
                    assert_eq!(answer.json::<Problem>().await.unwrap().code, Code::Busy);
                    sent_away.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                took.fetch_add(1, Ordering::SeqCst);
            }
            written
        });
        Self { taken, refused, stop, work }
    }

    async fn progress(&self, more: u64) {
        let before = self.taken.load(Ordering::SeqCst);
        eventually("it to get on", async || self.taken.load(Ordering::SeqCst) >= before + more).await;
    }

    async fn end(self) -> Vec<Uuid> {
        self.stop.store(true, Ordering::SeqCst);
        self.work.await.unwrap()
    }
}

/// A restore by PostgreSQL's own ways, and the one command after it.
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
    assert!(command("invite", &data).status().unwrap().success());
    let made = said(&mut command("backup", &data));
    ana.thread("After").await;
    let ahead = ana.bootstrap().await.start;
    process.terminate();
    process.ends(Duration::from_secs(10)).await;

    let url = database.owner_url.as_ref().unwrap_or(&database.url);
    let mut restore = Command::new("pg_restore");
    restore.args(["--clean", "--if-exists", "--single-transaction", "--dbname", url]);
    let restored = restore.arg(Path::new(made["backup"].as_str().unwrap()).join("server.dump")).output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(said(command("restore", &data).arg("--new-life")), json!({"new_life": true, "links_ended": 1}));

    let process = Process::serve(&data);
    let ana = Someone::again(process.client(&data), ana.joined);
    assert_eq!(ana.pull(ahead, 10).await.unwrap_err(), (StatusCode::GONE, Code::CursorGone));
    assert_eq!(titles(&ana).await, ["Before"]);
}

fn said(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn titles(who: &Someone) -> Vec<Value> {
    let rows = who.all().await;
    rows.iter().filter(|row| row.kind == Kind::THREAD).map(|row| row.fields["title"].clone()).collect()
}
