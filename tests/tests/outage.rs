//! Programs and servers that die at the wrong moment: nothing that was typed
//! or received is lost, and nothing happens twice.

use anyhow::{Context, Result, ensure};
use meantime_tests::wait::{Patience, wait_for};
use meantime_tests::world::{World, play};
use meantime_tests::{Cli, Desk, Person, Server};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

#[test]
fn what_is_written_without_a_server_arrives_later() {
    play(async |world| {
        let (_desk, server, ana, kofi) = team(world).await?;
        let server = server.stop();
        wait_for("the outage to be noticed", Patience::LONG, async || {
            let connection = ana.cli.json(&["status"]).await?["connection"].clone();
            Ok((connection["state"] == "offline" && connection["message"].is_string()).then_some(()))
        })
        .await?;
        write(&ana.cli, "Written in a tunnel", "Hello").await?;
        ensure!(has(&ana.cli, "Written in a tunnel").await?, "her own thread is not in her search");

        let _server = server.start().await?;
        arrives_once(&ana.cli, &kofi.cli, "tunnel").await
    });
}

#[test]
fn a_killed_app_loses_no_word_and_sends_none_twice() {
    play(async |world| {
        let (_desk, server, mut ana, kofi) = team(world).await?;
        // While it can still be undone; the moment it goes out; the moment it
        // has arrived, whether she knows or not.
        for (word, moment) in [("waiting", 0), ("leaving", 1), ("arriving", 2)] {
            let written = write(&ana.cli, &format!("Last words {word}"), "Typed before the crash").await?;
            let until: chrono::DateTime<chrono::Utc> = serde_json::from_value(written["until"].clone())?;
            if moment > 0 {
                wait_for("the end of undo", Patience::LONG, async || Ok((now() >= until).then_some(()))).await?;
            }
            if moment > 1 {
                wait_for("the message", Patience::LONG, async || Ok(has(&kofi.cli, word).await?.then_some(()))).await?;
            }
            ana.kill_9().await?;
            ana.start_again().await?;
        }
        let server = server.crash_and_restart().await?;
        for word in ["waiting", "leaving", "arriving"] {
            arrives_once(&ana.cli, &kofi.cli, word).await?;
        }
        drop(server);
        Ok(())
    });
}

#[test]
fn a_block_that_ended_while_the_app_was_dead_is_summed_up_once() {
    play(async |world| {
        let (mut desk, _server, mut ana, kofi) = team(world).await?;
        ana.cli.json(&["focus", "start", "--for", "1m"]).await?;
        let until = ana.cli.json(&["focus", "status"]).await?["block"]["until"].clone();
        kofi.cli.json(&["compose", "Held one", "--text", "Hello", "--ask", "Ana", "--now"]).await?;
        wait_for("a held item", Patience::LONG, async || {
            Ok((ana.cli.json(&["focus", "status"]).await?["block"]["held"] == 1).then_some(()))
        })
        .await?;
        ana.kill_9().await?;
        ensure!(desk.notes().is_empty(), "something was shown during the block");
        let until: chrono::DateTime<chrono::Utc> = serde_json::from_value(until)?;
        let after = Patience(Duration::from_secs(150));
        wait_for("the planned end", after, async || Ok((now() > until).then_some(()))).await?;

        ana.start_again().await?;
        wait_for("the digest", Patience::LONG, async || Ok((desk.dunst.displayed() == 1).then_some(()))).await?;
        let notes = desk.notes();
        ensure!(notes.len() == 1 && notes.iter().all(|note| note.summary.starts_with("1 held")), "shown was {notes:?}");
        ana.kill_9().await?;
        ana.start_again().await?;
        // It answers, so it has looked at what is to be shown.
        wait_for("the team", Patience::LONG, async || {
            Ok((ana.cli.json(&["status"]).await?["connection"]["state"] == "live").then_some(()))
        })
        .await?;
        let notes = desk.notes();
        ensure!(notes.is_empty(), "a second start showed {notes:?}");
        Ok(())
    });
}

#[test]
fn a_profile_is_its_owners_alone() {
    play(async |world| {
        let (_desk, _server, ana, _kofi) = team(world).await?;
        ana.cli.json(&["status"]).await?;
        let mut sockets = 0;
        look_at(&world.path().join("ana"), &mut |path, mode, socket| {
            let wanted = if path.is_dir() { 0o700 } else { 0o600 };
            ensure!(mode == wanted, "{} has mode {mode:o}", path.display());
            sockets += usize::from(socket);
            Ok(())
        })?;
        ensure!(sockets == 1, "there are {sockets} sockets");
        Ok(())
    });
}

async fn team(world: &mut World) -> Result<(Desk, Server, Person, Person)> {
    let desk = Desk::start(world).await?;
    let server = Server::team("Blue Team", &world.folder("server")?, &world.logs()).await?;
    let ana = Person::join(world, "Ana", &server.invite()?).await?;
    let kofi = Person::far_away(world, "Kofi", &server.invite()?).await?;
    for person in [&ana, &kofi] {
        wait_for("both in the team", Patience::LONG, async || {
            let team = person.cli.json(&["team"]).await?;
            Ok((team["people"].as_array().context("no people")?.len() == 2).then_some(()))
        })
        .await?;
    }
    Ok((desk, server, ana, kofi))
}

async fn has(cli: &Cli, words: &str) -> Result<bool> {
    let found = cli.json(&["search", words]).await?;
    Ok(found["hits"].as_array().is_some_and(|hits| !hits.is_empty()))
}

/// Starts a thread for everybody's information.
async fn write(cli: &Cli, title: &str, text: &str) -> Result<Value> {
    cli.json(&["compose", title, "--text", text, "--urgency", "green", "--now"]).await
}

/// Waits for a message. There is never more than one of it: what is written
/// after it comes after it, and so after a second copy.
async fn arrives_once(from: &Cli, to: &Cli, word: &str) -> Result<()> {
    wait_for("the message", Patience::LONG, async || Ok(has(to, word).await?.then_some(()))).await?;
    let marker = format!("marker{}", now().timestamp_micros());
    write(from, &marker, "Hello").await?;
    wait_for("what was written after it", Patience::LONG, async || Ok(has(to, &marker).await?.then_some(()))).await?;
    let found = to.json(&["search", word]).await?;
    let hits = found["hits"].as_array().map_or(0, Vec::len);
    ensure!(hits == 1, "{word} arrived {hits} times");
    Ok(())
}

fn look_at(folder: &Path, judge: &mut impl FnMut(&Path, u32, bool) -> Result<()>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let socket = std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type());
        judge(&entry.path(), metadata.permissions().mode() & 0o777, socket)?;
        if metadata.is_dir() {
            look_at(&entry.path(), judge)?;
        }
    }
    Ok(())
}

fn now() -> chrono::DateTime<chrono::Utc> {
    meantime_platform::Clock::now(&meantime_platform::SystemClock)
}
