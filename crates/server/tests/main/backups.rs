//! The restore drill: as the handbook says, with the commands it names.

use crate::binary::{Process, command, init};
use crate::world::{Client, Shifted, Someone, World, eventually};
use chrono::TimeDelta;
use meantime_protocol::http::PushOutcome;
use meantime_protocol::{Code, Kind};
use reqwest::StatusCode;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

fn said(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn restore(data: &Path, from: &str) -> Output {
    command("restore", data).args(["--from", from]).output().unwrap()
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
    // The server goes on meanwhile.
    let made = said(&command("backup", &data).output().unwrap());
    let backup = made["backup"].as_str().unwrap();
    let lost = ana.message(thread, "after");
    ana.push(vec![lost.clone()]).await;
    let ahead = ana.bootstrap().await.start;

    let running = restore(&data, backup);
    assert!(String::from_utf8_lossy(&running.stderr).contains("another meantime-server"));
    process.terminate();
    process.ends(Duration::from_secs(10)).await;
    let restored = said(&restore(&data, backup));
    let before = restored["before"].as_str().unwrap();
    assert!(Path::new(before).join("server.db").exists(), "what was there is not thrown away");

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
}

#[tokio::test]
async fn a_new_machine_gets_all_it_needs_from_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    let owner = init(&old);
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
    Client::of(process.ready["listening"].as_str().unwrap(), &new).join(&owner, "Ana").await;
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
    let newer = list.replace("\"meantime_backup\": 1", "\"meantime_backup\": 2");
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
    let folder = world.data.file("backups");
    let names = || -> Vec<String> {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| !name.ends_with(".part"));
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
}

fn first_at(names: &[String]) -> f64 {
    let at = chrono::NaiveDateTime::parse_from_str(&names[0], "%Y-%m-%dT%H%M%S%.3fZ").unwrap();
    at.and_utc().timestamp() as f64
}
