//! The restore drill: as the handbook says, with the commands it names.

use crate::attachments::{bytes, files, read, sent, with};
use crate::binary::{Process, command, init};
use crate::world::{Client, Shifted, Someone, World, eventually};
use chrono::TimeDelta;
use meantime_protocol::http::PushOutcome;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Kind, Sha256};
use meantime_server_blobs::kit::S3Server;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

fn said(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn restore(data: &Path, from: &str) -> Output {
    command("restore", data).args(["--from", from]).output().unwrap()
}

fn invite(data: &Path) -> String {
    let made = command("invite", data).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

fn texts(rows: &[meantime_protocol::Record]) -> Vec<&str> {
    rows.iter().filter(|row| row.kind == Kind::MESSAGE).filter_map(|row| row.fields["text"].as_str()).collect()
}

#[cfg(unix)]
#[tokio::test]
async fn what_was_backed_up_comes_back_as_another_life() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    let owner = init(&data);
    let mut process = Process::serve(&data);
    let ana = process.client(&data).join(&owner, "Ana").await;
    let thread = ana.thread("Drill").await;
    ana.push(vec![ana.message(thread, "before")]).await;
    let invited = invite(&data);
    // The server goes on meanwhile.
    let made = said(&command("backup", &data).output().unwrap());
    let backup = made["backup"].as_str().unwrap();
    let lost = ana.message(thread, "after");
    ana.push(vec![lost.clone()]).await;
    let ahead = ana.bootstrap().await.start;
    process.client(&data).join(&invited, "Fay").await;

    let running = restore(&data, backup);
    assert!(String::from_utf8_lossy(&running.stderr).contains("another meantime-server"));
    process.terminate();
    process.ends(Duration::from_secs(10)).await;
    let restored = said(&restore(&data, backup));
    let before = restored["before"].as_str().unwrap();
    assert!(Path::new(before).join("server.db").exists(), "what was there is not thrown away");
    assert_eq!(restored["links_ended"], 1);

    let process = Process::serve(&data);
    // The device is known as before and trusts the server as before; where it
    // stood is another life's, so it starts over, and sends what got lost again.
    let ana = Someone::again(process.client(&data), ana.joined);
    assert_eq!(ana.pull(ahead, 10).await.unwrap_err(), (StatusCode::GONE, Code::CursorGone));
    let page = ana.bootstrap().await;
    assert_ne!(page.start.epoch, ahead.epoch);
    assert_eq!(texts(&page.rows), ["before"]);
    assert!(matches!(ana.push(vec![lost]).await[0].outcome, PushOutcome::Applied { .. }));
    assert_eq!(texts(&ana.all().await), ["before", "after"]);
    // Used since: nobody else gets in by it.
    let (status, problem) = process.client(&data).try_join(&invited, "Gus").await.err().unwrap();
    assert_eq!((status, problem.code), (StatusCode::FORBIDDEN, Code::InviteInvalid));
    process.client(&data).join(&invite(&data), "Fay").await;
}

#[tokio::test]
async fn a_new_machine_gets_all_it_needs_from_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    init(&old);
    let to = dir.path().join("elsewhere");
    let made = said(&command("backup", &old).arg("--to").arg(&to).output().unwrap());
    let backup = Path::new(made["backup"].as_str().unwrap());
    assert!(backup.starts_with(&to));
    fs::remove_dir_all(&old).unwrap();
    said(&restore(&new, backup.to_str().unwrap()));
    // Its settings name the old folder; on a new machine that is where it is put.
    let settings = fs::read_to_string(new.join("server.toml")).unwrap();
    fs::write(new.join("server.toml"), settings.replace(old.to_str().unwrap(), new.to_str().unwrap())).unwrap();
    let process = Process::serve(&new);
    Client::of(process.ready["listening"].as_str().unwrap(), &new).join(&invite(&new), "Ana").await;
}

#[test]
fn what_is_not_whole_is_not_restored() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    init(&data);
    let made = said(&command("backup", &data).output().unwrap());
    let backup = Path::new(made["backup"].as_str().unwrap());
    let before = fs::read(data.join("server.db")).unwrap();
    let list = fs::read_to_string(backup.join("backup.json")).unwrap();
    let newer = list.replace("\"meantime_backup\": 3", "\"meantime_backup\": 4");
    let outside = list.replace("\"ca.pem\"", "\"../ca.pem\"");
    for (file, bytes, words) in [
        ("ca.key", b"another".to_vec(), "not as it was written"),
        ("server.db", before[..before.len() / 2].to_vec(), "not as it was written"),
        ("backup.json", b"{}".to_vec(), "not of its form"),
        ("backup.json", newer.into_bytes(), "newer"),
        ("backup.json", outside.into_bytes(), "does not belong"),
    ] {
        let good = fs::read(backup.join(file)).unwrap();
        fs::write(backup.join(file), bytes).unwrap();
        let refused = restore(&data, backup.to_str().unwrap());
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && why.contains(words), "{file}: {why}");
        fs::write(backup.join(file), good).unwrap();
        assert_eq!(fs::read(data.join("server.db")).unwrap(), before, "nothing was touched");
    }
    let nothing = restore(&data, dir.path().to_str().unwrap());
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("is no backup"));
    // One of before attachments went along is as good as ever.
    let mut old: Value = serde_json::from_str(&list).unwrap();
    old["meantime_backup"] = json!(1);
    old["files"].as_array_mut().unwrap().retain(|file| file["name"] != "attachments.jsonl");
    fs::write(backup.join("backup.json"), old.to_string()).unwrap();
    fs::remove_file(backup.join("attachments.jsonl")).unwrap();
    assert_eq!(said(&restore(&data, backup.to_str().unwrap()))["attachments"], "none in this backup");
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_a_backup() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    init(&data);
    let made = said(&command("backup", &data).output().unwrap());
    let backup = Path::new(made["backup"].as_str().unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(backup), 0o700);
    for file in fs::read_dir(backup).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn the_server_makes_backups_by_itself_and_keeps_some() {
    let monitored = ("listen = \"\"", "listen = \"127.0.0.1:0\"");
    let world = World::at(Shifted::default(), &[("keep = 7", "keep = 2"), monitored]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    sent(&ana, ana.team(), &bytes(1, 1000)).await;
    let folder = world.data.file("backups");
    let names = || -> Vec<String> {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| name.starts_with("20") && !name.ends_with(".part"));
        names.sort();
        names
    };
    eventually("a first one", async || names().len() == 1).await;
    let first = names();
    for day in 1..=2 {
        world.clock.pass(TimeDelta::hours(25));
        eventually("the next one", async || names().len() == 2 && names() != first && names().len() <= 2).await;
        eventually("it to be told", async || {
            let made = world.number("meantime_backup_made_seconds").await;
            made >= first_at(&names()) + f64::from(day - 1) * 3600.0
        })
        .await;
        if day == 1 {
            continue;
        }
        eventually("the oldest to go", async || !names().contains(&first[0])).await;
    }
    assert_eq!(world.number("meantime_backups_failed_total").await, 0.0);
    eventually("the attachment to be with them", async || files(&folder.join("attachments")).len() == 1).await;

    // The clock was wrong, or is now: those there are of the future.
    let future = names();
    world.clock.pass(TimeDelta::hours(-200));
    eventually("one of today", async || names().iter().any(|name| !future.contains(name))).await;
    let today: Vec<String> = names().into_iter().filter(|name| !future.contains(name)).collect();
    world.clock.pass(TimeDelta::hours(25));
    eventually("one of tomorrow", async || names().len() == 2 && !names().contains(&future[1])).await;
    assert!(names().contains(&today[0]), "it went on as usual: {today:?}, {:?}", names());
}

/// A server keeps its folder to itself, and so does whoever makes a backup.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_may_lie_beside_what_it_is_of() {
    let world = World::at(Shifted::default(), &[("folder = \"backups\"", "folder = \".\"")]).await;
    let made = || {
        let entries = fs::read_dir(world.data.file("")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().join("server.db").exists()).count()
    };
    eventually("a backup", async || made() == 1).await;
}

/// A team with two files in messages of Kofi's, one of them in two backups.
struct Backed {
    process: Process,
    ana: Someone,
    data: PathBuf,
    to: PathBuf,
    backups: Vec<PathBuf>,
    sha256: [Sha256; 2],
    _dir: tempfile::TempDir,
}

async fn backed() -> Backed {
    let dir = tempfile::tempdir().unwrap();
    let (data, to) = (dir.path().join("server"), dir.path().join("elsewhere"));
    let owner = init(&data);
    let process = Process::serve(&data);
    let ana = process.client(&data).join(&owner, "Ana").await;
    let thread = ana.thread("Plans").await;
    let link = command("invite", &data).output().unwrap();
    let kofi = process.client(&data).join(String::from_utf8(link.stdout).unwrap().trim(), "Kofi").await;
    let mut backups = Vec::new();
    let mut sha256 = Vec::new();
    for (seed, length) in [(21, 1000), (22, 6 << 20)] {
        let all = bytes(seed, length);
        let one = sent(&kofi, ana.team(), &all).await;
        let outcome = kofi.push(vec![with(&kofi, ana.team(), thread, one, length)]).await.remove(0).outcome;
        assert!(matches!(outcome, PushOutcome::Applied { .. }));
        let made = said(&command("backup", &data).arg("--to").arg(&to).output().unwrap());
        let (copied, before) = (&made["attachments"]["copied"], &made["attachments"]["before"]);
        // What is there already is not copied again.
        assert_eq!((copied.as_u64(), before.as_u64()), (Some(1), Some(backups.len() as u64)), "{made}");
        backups.push(PathBuf::from(made["backup"].as_str().unwrap()));
        sha256.push(one);
    }
    Backed { process, ana, data, to, backups, sha256: sha256.try_into().unwrap(), _dir: dir }
}

#[cfg(unix)]
#[tokio::test]
async fn attachments_come_back_with_their_messages() {
    let Backed { mut process, ana, data, to, backups, sha256, _dir } = backed().await;
    process.terminate();
    process.ends(Duration::from_secs(10)).await;
    fs::remove_dir_all(&data).unwrap();
    let restored = said(&restore(&data, backups[1].to_str().unwrap()));
    assert_eq!(restored["attachments"], json!({"copied": 2, "before": 0, "missing": 0}));
    // Done again, nothing is left to do.
    let restored = said(&restore(&data, backups[1].to_str().unwrap()));
    assert_eq!(restored["attachments"]["before"], 2);
    let checked = command("check", &data).arg("--deep").output().unwrap();
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.contains("ok: the attachments: 2 files, all there and as they were sent"), "{checked}");
    let process = Process::serve(&data);
    let ana = Someone::again(process.client(&data), ana.joined);
    assert!(read(&ana, ana.team(), sha256[0]).await == bytes(21, 1000));
    assert!(read(&ana, ana.team(), sha256[1]).await == bytes(22, 6 << 20));
    // Whoever carries one backup away carries its attachments in it.
    let away = to.with_file_name("away");
    fs::create_dir(&away).unwrap();
    let both = Command::new("cp").arg("-r").args([&backups[0], &to.join("attachments")]).arg(&away).status();
    assert!(both.unwrap().success());
    let one = away.join(backups[0].file_name().unwrap());
    fs::rename(away.join("attachments"), one.join("attachments")).unwrap();
    let third = to.with_file_name("third");
    let restored = said(&restore(&third, one.to_str().unwrap()));
    assert_eq!(restored["attachments"]["copied"], 1, "the first backup has one");
}

#[cfg(unix)]
#[tokio::test]
async fn attachments_that_are_not_whole_are_not_restored_unasked() {
    let Backed { mut process, ana, data, to, backups, sha256, _dir } = backed().await;
    let store = to.join("attachments");
    let large = files(&store).into_iter().find(|path| path.metadata().unwrap().len() > 5000).unwrap();
    // Of the same length; a file of its own, since on one disk both share it.
    fs::remove_file(&large).unwrap();
    fs::write(&large, vec![7; 6 << 20]).unwrap();
    process.terminate();
    process.ends(Duration::from_secs(10)).await;
    fs::remove_dir_all(data.join("attachments")).unwrap();
    let before = fs::read(data.join("server.db")).unwrap();
    let named = large.strip_prefix(&store).unwrap().to_str().unwrap();
    for gone in [false, true] {
        if gone {
            fs::remove_dir_all(&store).unwrap();
        }
        let refused = restore(&data, backups[1].to_str().unwrap());
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        // What was whole the first time has been brought already.
        assert!(!refused.status.success() && why.contains("1 attachments") && why.contains(named), "{why}");
        assert_eq!(fs::read(data.join("server.db")).unwrap(), before, "nothing was touched");
    }
    let mut anyway = command("restore", &data);
    let restored = said(&anyway.args(["--incomplete", "--from"]).arg(&backups[1]).output().unwrap());
    assert_eq!(restored["attachments"]["missing"], 1);
    let process = Process::serve(&data);
    let ana = Someone::again(process.client(&data), ana.joined);
    assert!(read(&ana, ana.team(), sha256[0]).await == bytes(21, 1000));
    // Who still has the other sends it again.
    sent(&ana, ana.team(), &bytes(22, 6 << 20)).await;
    assert!(read(&ana, ana.team(), sha256[1]).await == bytes(22, 6 << 20));
}

#[tokio::test]
async fn what_is_gone_from_every_backup_goes_from_their_store() {
    let Backed { process: _process, data, to, backups, _dir, .. } = backed().await;
    // The bytes of a person who is deleted go at once; backups still have them.
    let gone = said(&command("delete", &data).args(["--person", "Kofi", "--yes"]).output().unwrap());
    assert_eq!((&gone["attachments"], files(&data.join("attachments")).len()), (&json!(2), 0));
    assert_eq!(files(&to.join("attachments")).len(), 2);
    // A backup that was given up half way is in nobody's way.
    let left = to.join("2026-01-01T000000.000Z.part");
    fs::create_dir(&left).unwrap();
    let made = said(&command("backup", &data).arg("--to").arg(&to).args(["--keep", "2"]).output().unwrap());
    assert_eq!((&made["removed"], &made["attachments"]["copied"]), (&json!(1), &json!(0)));
    assert!(!backups[0].exists() && backups[1].exists() && !left.exists());
    assert_eq!(files(&to.join("attachments")).len(), 2, "the second has both");
    let made = said(&command("backup", &data).arg("--to").arg(&to).args(["--keep", "1"]).output().unwrap());
    assert_eq!(made["removed"], 2);
    assert!(files(&to.join("attachments")).is_empty());
}

/// Attachments in a bucket stay there, and that is said; or they come along.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_in_a_bucket_are_left_out_aloud() {
    let bucket = S3Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    let owner = init(&data);
    let key = dir.path().join("key");
    fs::write(&key, format!("{}\n{}\n", bucket.s3.key_id, bucket.s3.key)).unwrap();
    let mut settings = fs::read_to_string(data.join("server.toml")).unwrap();
    for (line, value) in [
        ("kind = \"folder\"", "kind = \"s3\"".to_owned()),
        ("endpoint = \"\"", format!("endpoint = \"{}\"", bucket.s3.endpoint)),
        ("bucket = \"\"", format!("bucket = \"{}\"", bucket.s3.bucket)),
        ("key_file = \"\"", format!("key_file = \"{}\"", key.display())),
    ] {
        assert_eq!(settings.matches(line).count(), 1, "{line}");
        settings = settings.replace(line, &value);
    }
    fs::write(data.join("server.toml"), settings).unwrap();
    let process = Process::serve(&data);
    let ana = process.client(&data).join(&owner, "Ana").await;
    let all = bytes(30, 3 << 20);
    let sha256 = sent(&ana, ana.team(), &all).await;
    let run = |command: &mut Command| command.output().unwrap();
    let to = dir.path().join("elsewhere");
    let without = said(&run(command("backup", &data).arg("--to").arg(&to)));
    assert!(without["attachments"].as_str().unwrap().contains("left out: those in the bucket attachments"));
    assert!(!to.join("attachments").exists());
    let made = said(&run(command("backup", &data).arg("--with-s3").arg("--to").arg(&to)));
    assert_eq!(made["attachments"]["copied"], 1);
    let check = || String::from_utf8(run(command("check", &data).arg("--deep")).stdout).unwrap();
    assert!(check().contains("1 file, all there and as they were sent"), "{}", check());
    let object = files(&bucket.bucket()).into_iter().find(|path| path.metadata().unwrap().len() == 3 << 20).unwrap();
    fs::remove_file(object).unwrap();
    assert!(check().contains("FAULT: the attachments: 1 of 1"), "{}", check());
    drop(process);
    let restored = said(&restore(&data, without["backup"].as_str().unwrap()));
    assert_eq!(restored["attachments"], "none in this backup");
    let restored = said(&restore(&data, made["backup"].as_str().unwrap()));
    assert_eq!(restored["attachments"]["copied"], 1);
    let process = Process::serve(&data);
    let ana = Someone::again(process.client(&data), ana.joined);
    assert!(read(&ana, ana.team(), sha256).await == all);
}

fn first_at(names: &[String]) -> f64 {
    let at = chrono::NaiveDateTime::parse_from_str(&names[0], "%Y-%m-%dT%H%M%S%.3fZ").unwrap();
    at.and_utc().timestamp() as f64
}
