//! The sample team.

use crate::binary::{Process, command};
use crate::world::{Someone, eventually};
use meantime_protocol::{Kind, Record};
use meantime_server_core::Clock as _;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

fn demo(data: &Path) -> Process {
    let mut demo = command("demo", data);
    demo.arg("--watch-parent");
    Process::start(demo)
}

async fn asks(who: &Someone) -> usize {
    let me = json!(who.joined.person);
    let asked = |row: &Record| row.fields.get("asked").and_then(Value::as_array).is_some_and(|a| a.contains(&me));
    who.bootstrap().await.rows.iter().filter(|row| row.kind == Kind::THREAD && asked(row)).count()
}

#[tokio::test]
async fn a_sample_team_is_there_and_asks_who_joins() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("demo");
    let mut process = demo(&data);
    assert_eq!(process.ready["team"], "Blue Team");
    let ana = process.client(&data).join(process.ready["invite"].as_str().unwrap(), "Ana Sousa").await;
    eventually("the sample people's questions", async || asks(&ana).await == 7).await;

    let rows = ana.bootstrap().await.rows;
    let of = |kind: Kind| rows.iter().filter(move |row| row.kind == kind);
    let names: HashSet<&str> = of(Kind::MEMBER).filter_map(|row| row.fields["name"].as_str()).collect();
    let people = ["Ana Sousa", "Kofi Mensah", "Mei Lin", "Priya Nair", "Sara Okafor", "Tomás Ruiz"];
    assert_eq!(names, HashSet::from(people));
    let zones: HashSet<&str> = of(Kind::SCHEDULE).filter_map(|row| row.fields["zone"].as_str()).collect();
    assert_eq!(zones.len(), 5);
    assert_eq!(of(Kind::SCHEDULE).filter(|row| !row.fields["time_off"].as_array().unwrap().is_empty()).count(), 1);
    assert_eq!(of(Kind::THREAD).count(), 12);
    let now = meantime_server::SystemClock.now();
    assert!(of(Kind::THREAD).all(|row| row.created_at < now - chrono::TimeDelta::minutes(20)), "they have an age");
    for urgency in ["red", "yellow", "green"] {
        assert!(of(Kind::THREAD).any(|row| row.fields["urgency"] == urgency), "{urgency}");
    }
    let welcomes = of(Kind::MESSAGE).filter(|row| row.fields["text"].as_str().unwrap().starts_with("Ana, ")).count();
    assert_eq!(welcomes, 2);

    // It goes with its parent.
    drop(process.child.stdin.take());
    process.ends(Duration::from_secs(5)).await;

    // The second start is the same team, and nobody is asked twice.
    let before = rows.iter().map(|row| row.id).collect::<HashSet<_>>();
    let again = demo(&data);
    assert_eq!(again.ready["listening"], process.ready["listening"]);
    assert_ne!(again.ready["invite"], process.ready["invite"]);
    let link = again.ready["invite"].as_str().unwrap();
    let noor = again.client(&data).join(link, "Noor").await;
    eventually("questions for the second one", async || asks(&noor).await == 7).await;
    let ana = Someone::again(again.client(&data), ana.joined.clone());
    assert_eq!(asks(&ana).await, 7);
    let new: Vec<Record> = ana.bootstrap().await.rows.into_iter().filter(|row| !before.contains(&row.id)).collect();
    assert_eq!(new.iter().filter(|row| row.kind == Kind::MESSAGE).count(), 2, "two welcomes for Noor: {new:?}");
}

#[tokio::test]
async fn a_sample_team_that_was_not_finished_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("demo");
    drop(demo(&data));
    // As if it had been killed while the team was being made.
    std::fs::remove_file(data.join("demo.json")).unwrap();
    std::fs::write(data.join("demo.unfinished"), "").unwrap();
    let process = demo(&data);
    let ana = process.client(&data).join(process.ready["invite"].as_str().unwrap(), "Ana").await;
    assert_eq!(ana.bootstrap().await.rows.iter().filter(|row| row.kind == Kind::MEMBER).count(), 6);
    // A team that is not the sample one is never touched.
    drop(process);
    std::fs::remove_file(data.join("demo.json")).unwrap();
    let refused = command("demo", &data).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not the sample one"));
}
