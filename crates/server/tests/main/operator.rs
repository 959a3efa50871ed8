//! What whoever runs the server does with people and their data.

use crate::attachments::{bytes, files, sent};
use crate::binary::{Process, command, init};
use crate::live::Stream;
use crate::world::{Client, Someone, eventually};
use chrono::TimeDelta;
use meantime_protocol::http::{Op, OpResult, PushOutcome};
use meantime_protocol::{Kind, Scope};
use meantime_server_core::Clock as _;
use meantime_server_postgres::kit::PostgresServer;
use reqwest::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// The storage of the server that is told.
#[derive(Clone, Copy, PartialEq)]
enum On {
    Sqlite,
    Postgres,
}

impl On {
    /// Makes a server; its owner's link.
    fn init(self, data: &Path) -> String {
        match self {
            Self::Sqlite => init(data),
            Self::Postgres => {
                fs::create_dir_all(data).unwrap();
                crate::postgres::init(data, data, &PostgresServer::shared().database())
            }
        }
    }

    /// Puts a database of the first version in the place of a server's.
    fn age(self, data: &Path) {
        match self {
            Self::Sqlite => {
                fs::remove_file(data.join("server.db")).unwrap();
                let first = include_str!("../../../server-sqlite/tests/version1.sql");
                Connection::open(data.join("server.db")).unwrap().execute_batch(first).unwrap();
                #[cfg(unix)]
                fs::set_permissions(data.join("server.db"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
                    .unwrap();
            }
            Self::Postgres => {
                let first = include_str!("../../../server-postgres/src/schema/1.sql");
                let life = "INSERT INTO meantime.life (epoch, version) VALUES (7, 1)";
                let sql = format!("BEGIN; DROP SCHEMA meantime CASCADE; {first}; {life}; COMMIT");
                let done = PostgresServer::shared().try_sql("meantime", &database(data), &sql);
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            }
        }
    }

    /// Of which version a server's database is.
    fn version(self, data: &Path) -> i64 {
        match self {
            Self::Sqlite => {
                let db = Connection::open(data.join("server.db")).unwrap();
                db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
            }
            Self::Postgres => {
                let version = "SELECT version FROM meantime.life";
                PostgresServer::shared().sql(&database(data), version).parse().unwrap()
            }
        }
    }
}

/// The name of a server's database in PostgreSQL.
fn database(data: &Path) -> String {
    let url = fs::read_to_string(data.join("url")).unwrap();
    url.trim().rsplit('/').next().unwrap().to_owned()
}

/// Every command does on PostgreSQL what it does on SQLite.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(super::On::Sqlite).await;
                }
            )*
        }
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if super::PostgresServer::is_installed() {
                        super::$name(super::On::Postgres).await;
                    } else {
                        eprintln!("PostgreSQL is not installed: this was not tried");
                    }
                }
            )*
        }
    };
}

on_both!(
    people_and_devices_are_listed_and_changed_while_it_runs,
    all_goes_out_and_no_secret_with_it,
    what_somebody_wrote_goes_from_everybodys_app,
    circles_go_on_without_who_made_them,
    a_team_goes_with_all_it_had,
    a_check_looks_at_attachments,
    an_older_database_is_left_as_it_is,
);

/// `words` of the command line, on that server.
fn told(data: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meantime-server"));
    command.args(words).arg("--data").arg(data).stdin(Stdio::null());
    command
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn run(data: &Path, words: &[&str]) -> Vec<Value> {
    lines(&told(data, words).output().unwrap())
}

fn refused(data: &Path, words: &[&str]) -> String {
    let output = told(data, words).output().unwrap();
    assert!(!output.status.success(), "{words:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn team(on: On, data: &Path) -> (Process, Client, Someone, Someone) {
    let owner = on.init(data);
    let process = Process::serve(data);
    let client = process.client(data);
    let ana = client.join(&owner, "Ana").await;
    let link = told(data, &["invite"]).output().unwrap();
    let kofi = client.join(String::from_utf8(link.stdout).unwrap().trim(), "Kofi").await;
    (process, client, ana, kofi)
}

async fn people_and_devices_are_listed_and_changed_while_it_runs(on: On) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let (_process, client, ana, kofi) = team(on, data).await;
    let people = run(data, &["user", "list"]);
    let short: Vec<Value> = people.iter().map(|p| json!([p["name"], p["role"], p["devices"]])).collect();
    assert_eq!(short, [json!(["Ana", "owner", 1]), json!(["Kofi", "member", 1])]);
    assert!(refused(data, &["user", "role", "Nobody", "admin"]).contains("nobody here is called Nobody"));
    assert!(refused(data, &["user", "role", "Ana", "member"]).contains("owner"), "the last owner stays");
    run(data, &["user", "role", "Kofi", "admin"]);
    let invite = json!({"valid_hours": 1, "role": "member"});
    let invited = kofi.call(Method::POST, "/v1/invites").json(&invite).send().await.unwrap();
    assert_eq!(invited.status(), StatusCode::OK, "admins invite");

    let mut live = Stream::open(&kofi).await;
    live.next().await.unwrap();
    let devices = run(data, &["device", "list", "Kofi"]);
    assert_eq!((devices.len(), &devices[0]["name"]), (1, &json!("laptop")));
    run(data, &["device", "end", devices[0]["id"].as_str().unwrap()]);
    let began = std::time::Instant::now();
    while live.next().await.is_some() {}
    assert!(began.elapsed().as_secs() < 5, "the stream of an ended device ends in time: {:?}", began.elapsed());
    assert_eq!(kofi.call(Method::GET, "/v1/me").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);

    // A link of one's own gives the same person another device.
    let link = told(data, &["user", "link", "Kofi"]).output().unwrap();
    let again = client.join(String::from_utf8(link.stdout).unwrap().trim(), "Kofi").await;
    assert_eq!(again.joined.person, kofi.joined.person);
    run(data, &["user", "reset-password", "Kofi"]);
    run(data, &["user", "remove", "Kofi"]);
    assert_eq!(again.call(Method::GET, "/v1/me").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let people = run(data, &["user", "list"]);
    assert!(people[0]["removed_at"].is_null() && people[1]["removed_at"].is_string());
    let log = run(data, &["user", "log", "--limit", "3"]);
    assert_eq!(log.len(), 3);
    ana.thread("goes on").await;
}

/// A team with something of everybody in it.
async fn written(ana: &Someone, kofi: &Someone) {
    let thread = ana.thread("Plans").await;
    ana.push(vec![ana.message(thread, "ana's words")]).await;
    kofi.push(vec![kofi.message(thread, "kofi's words")]).await;
    let theirs = kofi.thread("Kofi's thread").await;
    ana.push(vec![ana.message(theirs, "ana's answer")]).await;
    let later = Some(meantime_server::SystemClock.now() + TimeDelta::days(3));
    kofi.push(vec![Op { visible_from: later, ..kofi.message(thread, "kofi's later words") }]).await;
    let mark = kofi.change(Kind::MARK, uuid::Uuid::now_v7(), json!({"muted": true, "note": "kofi's own"}));
    let mark = Op { scope: Scope::User(kofi.joined.person), ..mark };
    kofi.push(vec![mark]).await;
}

async fn all_goes_out_and_no_secret_with_it(on: On) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let (_process, _, ana, kofi) = team(on, data).await;
    written(&ana, &kofi).await;
    let whole = run(data, &["export"]);
    assert_eq!(whole[0]["name"], "Blue Team");
    let of = |name: &str| whole.iter().filter_map(|line| line.get(name)).cloned().collect::<Vec<Value>>();
    assert_eq!(of("person").len(), 2);
    let end = whole.last().unwrap();
    assert_eq!((&end["whole"], end["records"].as_u64().unwrap()), (&json!(true), of("record").len() as u64));
    let text = Value::Array(whole.clone()).to_string();
    for words in ["ana's words", "kofi's words", "ana's answer", "kofi's later words", "kofi's own", "Kofi's thread"] {
        assert_eq!(text.matches(words).count(), 1, "{words}");
    }
    for secret in [&ana.joined.token, &kofi.joined.token] {
        assert!(!text.contains(secret.as_str()));
    }
    // One person's, into a file that only its owner reads.
    let file = dir.path().join("kofi.jsonl");
    let said = run(data, &["export", "--person", "Kofi", "--to", file.to_str().unwrap()]);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(said[0]["records"].as_u64().unwrap() as usize, text.matches("{\"record\":").count());
    for words in ["kofi's words", "kofi's later words", "kofi's own", "Kofi's thread", "\"name\":\"Kofi\""] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    assert!(!text.contains("ana's") && !text.contains("Plans"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

async fn what_somebody_wrote_goes_from_everybodys_app(on: On) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let (_process, _, ana, kofi) = team(on, data).await;
    written(&ana, &kofi).await;
    let before = ana.bootstrap().await;
    let mut live = Stream::open(&ana).await;
    live.next().await.unwrap();

    // Whoever doesn't mean it types something else.
    let mut asks = told(data, &["delete", "--person", "Kofi"]);
    let mut child = asks.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"yes\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("nothing was deleted"));
    assert_eq!(ana.pull(before.start, 10).await.unwrap().rows.len(), 0);

    let mut means = told(data, &["delete", "--person", "Kofi"]);
    let mut child = means.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"Kofi\n").unwrap();
    let done = lines(&child.wait_with_output().unwrap());
    assert!(done[0]["records"].as_u64().unwrap() >= 5);
    live.next().await.unwrap();
    assert_eq!(kofi.call(Method::GET, "/v1/me").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    // Every app hears of it by an ordinary pull, and nothing is left anywhere.
    let pulled = ana.pull(before.start, 100).await.unwrap().rows;
    assert!(pulled.iter().any(|row| row.deleted && row.kind == Kind::MESSAGE));
    let all = serde_json::to_string(&ana.all().await).unwrap() + &Value::Array(run(data, &["export"])).to_string();
    assert!(!all.contains("kofi's") && !all.contains("Kofi's"), "{all}");
    assert!(all.contains("ana's answer") && all.contains("ana's words"), "what others wrote stays");
    assert_eq!(run(data, &["delete", "--person", "Somebody who left", "--yes"])[0]["records"].as_u64().unwrap(), 2);
}

/// A circle that somebody made with others.
async fn circle(who: &Someone, title: &str, with: &[&Someone]) -> Scope {
    let id = uuid::Uuid::now_v7();
    let members: Vec<_> = [who].iter().chain(with).map(|someone| someone.joined.person).collect();
    let made = who.change(Kind::SPACE, id, json!({"title": title, "members": members}));
    let results = who.push(vec![Op { scope: Scope::Private(id), ..made }]).await;
    assert!(matches!(results[0].outcome, PushOutcome::Applied { .. }), "{results:?}");
    Scope::Private(id)
}

/// A thread in it, with a message.
async fn written_in(scope: Scope, who: &Someone, words: &str) -> Vec<OpResult> {
    let title = format!("{words}, in short");
    let thread = who.change(Kind::THREAD, uuid::Uuid::now_v7(), json!({"title": title, "urgency": "green"}));
    let message = who.message(thread.id, words);
    who.push([thread, message].map(|op| Op { scope, ..op }).to_vec()).await
}

async fn circles_go_on_without_who_made_them(on: On) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let (_process, client, ana, kofi) = team(on, data).await;
    let link = told(data, &["invite"]).output().unwrap();
    let mei = client.join(String::from_utf8(link.stdout).unwrap().trim(), "Mei").await;
    let scope = circle(&kofi, "kofi's plans", &[&ana, &mei]).await;
    written_in(scope, &kofi, "kofi's words").await;
    written_in(scope, &ana, "ana's words").await;
    // A direct thread whose other side is gone, and one that he is the last in.
    let alone = circle(&kofi, "kofi alone", &[]).await;
    written_in(alone, &kofi, "kofi's note").await;
    let direct = circle(&mei, "mei's plans", &[&kofi]).await;
    written_in(direct, &kofi, "kofi's secret").await;
    run(data, &["user", "remove", "Mei"]);
    run(data, &["user", "remove", "Kofi"]);
    let before = Value::Array(run(data, &["export"])).to_string();
    for words in ["kofi's note", "kofi's secret", "kofi's words", "ana's words"] {
        assert_eq!(before.matches(&format!("\"{words}\"")).count(), 1, "{words}");
    }
    run(data, &["delete", "--person", "Kofi", "--yes"]);
    let after = Value::Array(run(data, &["export"])).to_string();
    assert!(!after.to_lowercase().contains("kofi"), "{after}");
    assert!(after.contains("mei's plans") && after.contains("ana's words"));
    // Who is left in it goes on, and others may come.
    let results = written_in(scope, &ana, "ana goes on").await;
    assert!(results.iter().all(|result| matches!(result.outcome, PushOutcome::Applied { .. })), "{results:?}");
}

async fn a_team_goes_with_all_it_had(on: On) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let (_process, _, ana, kofi) = team(on, data).await;
    written(&ana, &kofi).await;
    sent(&ana, ana.team(), &bytes(1, 1000)).await;
    assert!(refused(data, &["delete"]).contains("nothing was deleted"), "an empty answer is not the name");
    let mut listening = ana.call(Method::GET, "/v1/live").send().await.unwrap();
    listening.chunk().await.unwrap().expect("where every feed stands");
    let said = run(data, &["delete", "--yes"]);
    assert!(said[0]["rows"].as_u64().unwrap() > 10);
    assert_eq!(said[0]["files"], 1);
    eventually("nobody to be known any more", async || {
        ana.call(Method::GET, "/v1/me").send().await.unwrap().status() == StatusCode::UNAUTHORIZED
    })
    .await;
    let ends = async { while listening.chunk().await.is_ok_and(|chunk| chunk.is_some()) {} };
    tokio::time::timeout(Duration::from_secs(10), ends).await.expect("who listens hears of it");
    assert!(refused(data, &["user", "list"]).contains("has no team"));
    assert!(refused(data, &["invite"]).contains("has no team"));
    assert!(files(&data.join("attachments")).is_empty());
}

async fn a_check_looks_at_attachments(on: On) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let (_process, _, ana, _) = team(on, data).await;
    let check = |words: &[&str]| {
        let output = told(data, &[&["check"][..], words].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = said.lines().find(|line| line.contains("the attachments")).unwrap().to_owned();
        (output.status.success(), line, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for seed in 1..=3 {
        sent(&ana, ana.team(), &bytes(seed, 1000 * usize::from(seed))).await;
    }
    assert_eq!(check(&[]).1, "ok: the attachments: 3 files, all there");
    assert_eq!(check(&["--deep"]).1, "ok: the attachments: 3 files, all there and as they were sent");
    let of = |seed: u8| {
        let all = files(&data.join("attachments"));
        all.into_iter().find(|path| path.metadata().unwrap().len() == 1000 * u64::from(seed)).unwrap()
    };
    // What nobody knows of is no fault.
    let stray = of(1).with_file_name(uuid::Uuid::now_v7().to_string());
    fs::write(&stray, b"stray").unwrap();
    let (good, line, _) = check(&[]);
    assert!(good && line.ends_with("1 file (5 bytes) beside them belong to none, and are swept in time"), "{line}");
    // Damage of the same length is seen by who looks at all of it.
    let (cut, gone, damaged) = (of(1), of(2), of(3));
    fs::write(&damaged, vec![7; 3000]).unwrap();
    assert!(check(&[]).0);
    let (good, line, each) = check(&["--deep"]);
    assert!(!good && line.starts_with("FAULT: the attachments: 1 of 3"), "{line}");
    let key = |path: &Path| path.strip_prefix(data.join("attachments")).unwrap().to_string_lossy().into_owned();
    assert!(each.contains(&key(&damaged)) && each.contains("another hash"), "{each}");
    fs::write(&cut, b"cut").unwrap();
    fs::remove_file(&gone).unwrap();
    let (good, line, each) = check(&[]);
    assert!(!good && line.starts_with("FAULT: the attachments: 2 of 3"), "{line}");
    for (path, how) in [(&cut, "another length (3 bytes)"), (&gone, "is missing")] {
        assert!(each.lines().any(|line| line.contains(&key(path)) && line.contains(how)), "{each}");
    }
    fs::remove_dir_all(data.join("attachments")).unwrap();
    let (good, line, _) = check(&[]);
    assert!(!good && line.contains("folder") && !data.join("attachments").exists(), "{line}");
}

/// A new version is installed, and the one before still runs: only a start of
/// the new one changes the tables.
async fn an_older_database_is_left_as_it_is(on: On) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    on.init(data);
    on.age(data);
    let backup = dir.path().join("backups");
    for words in [
        &["invite"][..],
        &["user", "list"],
        &["user", "log"],
        &["user", "remove", "Ana"],
        &["user", "link", "Ana"],
        &["device", "list", "Ana"],
        &["export"],
        &["delete", "--yes"],
        &["backup", "--to", backup.to_str().unwrap()],
    ] {
        let why = refused(data, words);
        assert!(why.contains("is of an older version"), "{words:?}: {why}");
        assert!(why.contains("`meantime-server serve` brings it up to date"), "{words:?}: {why}");
    }
    let checked = told(data, &["check"]).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && said.contains("\nnote: ") && !said.contains("FAULT"), "{said}");
    assert!(said.contains("is of an older version (schema 1, "), "{said}");
    assert_eq!(on.version(data), 1);
    drop(Process::serve(data));
    assert!(on.version(data) > 1);
    let said = String::from_utf8(told(data, &["check"]).output().unwrap().stdout).unwrap();
    // Other notes are of the tests' PostgreSQL, which keeps nothing safe.
    assert!(said.contains("ok: the database") && !said.contains("is of an older version"), "{said}");
}

#[test]
fn a_check_says_what_has_to_be_mended() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    init(&data);
    let check = |data: &Path| {
        let output = command("check", data).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
    };
    let (good, said) = check(&data);
    assert!(good && said.lines().all(|line| line.starts_with("ok: ")) && said.contains("1 team"), "{said}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(data.join("ca.key"), fs::Permissions::from_mode(0o644)).unwrap();
        let (good, said) = check(&data);
        assert!(!good && said.contains("ca.key") && said.contains("chmod 600"), "{said}");
        fs::set_permissions(data.join("ca.key"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(data.join("attachments")).unwrap();
        fs::set_permissions(data.join("attachments"), fs::Permissions::from_mode(0o755)).unwrap();
        let (good, said) = check(&data);
        assert!(!good && said.contains("attachments") && said.contains("chmod 700"), "{said}");
        fs::remove_dir(data.join("attachments")).unwrap();
    }
    let settings = data.join("server.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("keep = 7", "keep = 7\nkeeep = 8")).unwrap();
    let line = text.lines().position(|line| line == "keep = 7").unwrap() + 2;
    let (good, said) = check(&data);
    assert!(!good && said.contains(&format!("line {line}: unknown field `keeep`")), "{said}");
    // A server with such settings doesn't start.
    let output = command("serve", &data).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("keeep"));
    fs::write(&settings, &text).unwrap();
    fs::remove_file(data.join("server.db")).unwrap();
    let (good, said) = check(&data);
    assert!(!good && said.contains("there is no database"), "{said}");
}

#[test]
fn settings_may_lie_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let (data, config) = (dir.path().join("data"), dir.path().join("etc/server.toml"));
    let with = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meantime-server"));
        command.args(words).arg("--config").arg(&config);
        command
    };
    let mut init = with(&["init", "--team", "Blue Team", "--monitoring", "off"]);
    let made = init.arg("--data").arg(&data).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(data.join("server.db").exists() && !data.join("server.toml").exists());
    let people = with(&["user", "list"]).output().unwrap();
    assert!(people.status.success() && people.stdout.is_empty());
    let link = with(&["invite"]).output().unwrap();
    assert!(String::from_utf8_lossy(&link.stdout).starts_with("meantime://join#"));
}
