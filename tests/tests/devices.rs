//! Several devices of one person: how they sign in and out, and what they
//! share. Real commands, real engines, a real server over TLS.

use crate::desks::{Office, device, failed, ok, typed};
use anyhow::{Context, Result, anyhow, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_platform::{Clock as _, SystemClock};
use meantime_tests::wait::{Patience, wait_for};
use meantime_tests::world::play;
use meantime_tests::{Cli, Person};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use totp_rs::{Algorithm, Secret, TOTP};

const PASSWORD: &str = "correct horse battery";
const NEXT: &str = "another horse entirely";
const WRONG: &str = "the wrong horse altogether";

#[test]
fn a_second_machine_signs_in_is_signed_out_and_keeps_every_word() {
    play(async |world| {
        let office = Office::open(world).await?;
        let invite = office.server.invite()?;
        let laptop = device(world, "laptop").await?;
        let ana = laptop.cli.json_with_input(&["join", "--name", "Ana"], &invite).await?["person"].clone();
        laptop.cli.json(&["compose", "Before", "--text", "Written before", "--urgency", "green", "--now"]).await?;
        let set = ["account", "password", "--login", "ana", "--json"];
        let info = ok(typed(&laptop.cli, &set, &[PASSWORD]).await?)?;
        ensure!((&info["login"], &info["totp"]) == (&json!("ana"), &json!(false)), "{info}");
        let server = info["server"].as_str().context("no server")?.to_owned();
        let host = server.split('#').next().unwrap_or_default().to_owned();

        let desk = device(world, "desk").await?;
        let way = ["sign-in", "--server", &server, "--login", "Ana"];
        failed(&typed(&desk.cli, &way, &[]).await?, 2, "invalid", "no password was given")?;
        failed(&typed(&desk.cli, &way, &[WRONG]).await?, 4, "auth", "the password")?;
        let unpinned = ["sign-in", "--server", &host, "--login", "ana", "--json"];
        failed(&typed(&desk.cli, &unpinned, &[PASSWORD]).await?, 4, "certificate", "certificate")?;
        failed(&desk.cli.run(&["sign-in", "--password", PASSWORD], "").await?, 2, "invalid", "--password")?;
        let signed_in = typed(&desk.cli, &way, &[PASSWORD]).await?;
        ensure!((signed_in.code, signed_in.out.as_str()) == (0, "Signed in to Blue Team.\n"), "{signed_in:?}");
        wait_for("what was written before", Patience::LONG, async || has(&desk.cli, "before").await).await?;

        for (person, this) in [(&laptop, "laptop"), (&desk, "desk")] {
            let list = person.cli.json(&["device", "list"]).await?;
            let devices = list.as_array().context("no list")?;
            let named: Vec<_> = devices.iter().map(|d| (d["name"].as_str(), d["this"] == true)).collect();
            ensure!(named == [(Some("laptop"), this == "laptop"), (Some("desk"), this == "desk")], "{list}");
            let shown = person.cli.run(&["device", "list"], "").await?.out;
            let own = shown.lines().find(|line| line.contains("this device")).context("which is this one?")?;
            ensure!(own.contains(this) && shown.lines().count() == 2, "{shown}");
        }
        failed(&laptop.cli.run(&["device", "end", "tower"], "").await?, 3, "not_found", "meantime device list")?;
        let ended = laptop.cli.run(&["device", "end", "desk"], "").await?;
        ensure!((ended.code, ended.out.as_str()) == (0, "desk was signed out.\n"), "{ended:?}");
        signed_out(&desk).await?;
        let shown = desk.cli.run(&["status"], "").await?.out;
        ensure!(shown.contains("signed out of the team") && shown.contains("Sign in again"), "{shown}");
        for json in [&["device", "list"][..], &["device", "list", "--json"]] {
            failed(&desk.cli.run(json, "").await?, 4, "auth", "Sign in again, or ask for a new link")?;
        }
        ensure!(has(&desk.cli, "before").await?.is_some(), "what it had is gone");
        desk.cli.json(&["compose", "Meanwhile", "--text", "Written while out", "--urgency", "green", "--now"]).await?;
        // It knows where, and the key it came with still holds.
        let again = ok(typed(&desk.cli, &["sign-in", "--login", "ana", "--json"], &[PASSWORD]).await?)?;
        ensure!(again["person"] == ana, "{again}");
        wait_for("what was written while out", Patience::LONG, async || has(&laptop.cli, "while").await).await?;
        let list = laptop.cli.json(&["device", "list"]).await?;
        ensure!(list.as_array().is_some_and(|devices| devices.len() == 2), "{list}");

        let secret = invite.split("secret=").nth(1).and_then(|rest| rest.split('&').next()).context("no secret")?;
        lie_nowhere(world.path(), &[PASSWORD, WRONG, secret])
    });
}

#[test]
fn an_authenticator_is_asked_for_and_a_new_password_ends_the_others() {
    play(async |world| {
        let office = Office::open(world).await?;
        let laptop = device(world, "laptop").await?;
        laptop.cli.json_with_input(&["join", "--name", "Ana"], &office.server.invite()?).await?;
        let set = ["account", "password", "--login", "ana", "--json"];
        let info = ok(typed(&laptop.cli, &set, &[PASSWORD]).await?)?;
        let server = info["server"].as_str().context("no server")?.to_owned();

        let begin = ["account", "authenticator", "begin", "--json"];
        let begun = ok(typed(&laptop.cli, &begin, &[PASSWORD]).await?)?;
        let secret = begun["secret"].as_str().context("no secret")?.to_owned();
        ensure!(begun["uri"].as_str().is_some_and(|uri| uri.contains(&secret)), "the link has another secret");
        let picture = begun["picture"].as_array().context("no picture")?;
        let square = |row: &Value| row.as_str().is_some_and(|row| row.len() == picture.len());
        ensure!(picture.len() >= 21 && picture.iter().all(square), "no picture: {picture:?}");
        let confirm = ["account", "authenticator", "confirm", "--json"];
        let spaced = |code: &str| format!("{} {}", &code[..3], &code[3..]);
        let first = code(&secret, 0)?;
        failed(&typed(&laptop.cli, &confirm, &[&other_than(&secret)?]).await?, 4, "auth", "the code")?;
        let confirmed = ok(typed(&laptop.cli, &confirm, &[&spaced(&first)]).await?)?;
        ensure!(confirmed["totp"] == true, "{confirmed}");

        let phone = device(world, "phone").await?;
        let way = ["sign-in", "--server", &server, "--login", "ana", "--json"];
        let no_code = typed(&phone.cli, &way, &[PASSWORD]).await?;
        failed(&no_code, 4, "code_needed", "the code of your authenticator is needed")?;
        failed(&typed(&phone.cli, &way, &[PASSWORD, &other_than(&secret)?]).await?, 4, "auth", "the code")?;
        failed(&typed(&phone.cli, &way, &[PASSWORD, &first]).await?, 4, "auth", "the code")?;
        // A clock that is a little ahead is let pass; the code before it is used up.
        ok(typed(&phone.cli, &way, &[PASSWORD, &code(&secret, 1)?]).await?)?;
        let end = ["account", "authenticator", "end"];
        failed(&typed(&phone.cli, &end, &[WRONG]).await?, 4, "auth", "the password")?;
        let ended = typed(&phone.cli, &end, &[PASSWORD]).await?;
        ensure!(ended.code == 0 && ended.out.contains("and your password") && !ended.out.contains("code"), "{ended:?}");

        let change = ["account", "password"];
        failed(&typed(&laptop.cli, &change, &[WRONG, NEXT]).await?, 4, "auth", "the password")?;
        failed(&typed(&laptop.cli, &change, &[PASSWORD, "tooshort"]).await?, 2, "invalid", "10")?;
        let changed = typed(&laptop.cli, &change, &[PASSWORD, NEXT]).await?;
        ensure!(changed.code == 0 && changed.out.contains("Your other devices were signed out."), "{changed:?}");
        signed_out(&phone).await?;
        let list = laptop.cli.json(&["device", "list"]).await?;
        ensure!(list.as_array().is_some_and(|devices| devices.len() == 1 && devices[0]["this"] == true), "{list}");
        ok(typed(&phone.cli, &way, &[NEXT]).await?)?;

        // Who goes on guessing has to wait, and is told so.
        let tablet = device(world, "tablet").await?;
        let waits = wait_for("being told to wait", Patience::LONG, async || {
            let guess = typed(&tablet.cli, &way, &[PASSWORD]).await?;
            Ok((guess.code != 4).then_some(guess))
        })
        .await?;
        failed(&waits, 5, "offline", "try again in ")?;
        lie_nowhere(world.path(), &[PASSWORD, NEXT, WRONG, &secret])
    });
}

#[test]
fn two_devices_share_what_is_read_put_off_and_done() {
    play(async |world| {
        let Office { server, _safe } = Office::open(world).await?;
        let laptop = device(world, "laptop").await?;
        laptop.cli.json_with_input(&["join", "--name", "Ana"], &server.invite()?).await?;
        let link = laptop.cli.json(&["device", "link"]).await?["link"].as_str().context("no link")?.to_owned();
        let mut desk = device(world, "desk").await?;
        ok(typed(&desk.cli, &["join", "--name", "Whoever", "--json"], &[&link]).await?)?;
        let kofi = device(world, "kofi").await?;
        kofi.cli.json_with_input(&["join", "--name", "Kofi"], &server.invite()?).await?;
        wait_for("Ana", Patience::LONG, async || {
            let team = kofi.cli.json(&["team"]).await?;
            Ok(team["people"].as_array().filter(|people| people.len() == 2).map(drop))
        })
        .await?;
        for title in ["Budget", "Lunch", "Travel", "Hiring"] {
            kofi.cli.json(&["compose", title, "--text", "What do you think?", "--ask", "Ana", "--now"]).await?;
        }
        for title in ["Budget", "Lunch", "Travel", "Hiring"] {
            for cli in [&laptop.cli, &desk.cli] {
                becomes(cli, "inbox", title, |row| row["unread"] == true).await?;
            }
        }
        let id = async |title: &str| -> Result<String> {
            let row = row(&laptop.cli, "inbox", title).await?.with_context(|| format!("no {title}"))?;
            Ok(row["id"].as_str().context("no id")?.to_owned())
        };
        let (budget, lunch, travel, hiring) =
            (id("Budget").await?, id("Lunch").await?, id("Travel").await?, id("Hiring").await?);
        let day = |n| SystemClock.now() + TimeDelta::days(n);
        let put_off = async |cli: &Cli, id: &str, until: DateTime<Utc>| {
            cli.json(&["snooze", id, "--until", &until.to_rfc3339()]).await
        };

        // Both are there: what one does, the other follows.
        laptop.cli.json(&["read", &budget]).await?;
        becomes(&desk.cli, "inbox", "Budget", |row| row["unread"] == false).await?;
        let until = day(2);
        put_off(&desk.cli, &lunch, until).await?;
        becomes(&laptop.cli, "later", "Lunch", |row| is(&row["snoozed_until"], until)).await?;
        laptop.cli.json(&["done", &travel]).await?;
        becomes(&desk.cli, "done", "Travel", |_| true).await?;
        laptop.cli.json(&["undo"]).await?;
        becomes(&desk.cli, "inbox", "Travel", |row| row["unread"] == true).await?;
        laptop.cli.json(&["settings", "set", "focus_minutes=25", "theme=dark"]).await?;
        wait_for("the settings", Patience::LONG, async || {
            let settings = desk.cli.json(&["settings"]).await?;
            Ok((settings["focus_minutes"] == 25 && settings["theme"] == "system").then_some(()))
        })
        .await?;

        // The desk changes something while it is offline, and is switched off.
        let server = server.stop();
        wait_for("the outage", Patience::LONG, async || {
            Ok((desk.cli.json(&["status"]).await?["connection"]["state"] == "offline").then_some(()))
        })
        .await?;
        let (first, last) = (day(3), day(4));
        desk.cli.json(&["done", &travel]).await?;
        put_off(&desk.cli, &hiring, last).await?;
        put_off(&desk.cli, &lunch, last).await?;
        desk.cli.json(&["settings", "set", "focus_minutes=35"]).await?;
        ensure!(row(&desk.cli, "done", "Travel").await?.is_some(), "offline, nothing happens");
        desk.kill_9().await?;

        // The laptop changes the same later, and its changes arrive first.
        let _server = server.start().await?;
        laptop.cli.json(&["read", &hiring]).await?;
        put_off(&laptop.cli, &lunch, first).await?;
        let mine = ["settings", "set", "focus_minutes=20", r#"may_interrupt_addresses=["boss@example.org"]"#];
        laptop.cli.json(&mine).await?;
        wait_for("what the laptop did to arrive", Patience::LONG, async || {
            let status = laptop.cli.json(&["status"]).await?;
            let sent = status["counts"]["pending"] == 0 && status["connection"]["state"] == "live";
            Ok(sent.then_some(()))
        })
        .await?;
        desk.start_again().await?;

        // Field by field, the last arrival wins; what nobody else touched stays.
        for cli in [&laptop.cli, &desk.cli] {
            becomes(cli, "done", "Travel", |_| true).await?;
            becomes(cli, "later", "Lunch", |row| is(&row["snoozed_until"], last)).await?;
            becomes(cli, "later", "Hiring", |row| is(&row["snoozed_until"], last) && row["unread"] == false).await?;
            wait_for("the settings of both", Patience::LONG, async || {
                let settings = cli.json(&["settings"]).await?;
                let both = settings["focus_minutes"] == 35
                    && settings["may_interrupt_addresses"] == json!(["boss@example.org"]);
                Ok(both.then_some(()))
            })
            .await?;
            let refusals = cli.json(&["refusals"]).await?;
            ensure!(refusals == json!([]), "something was refused: {refusals}");
        }
        Ok(())
    });
}

async fn signed_out(person: &Person) -> Result<()> {
    wait_for("being signed out", Patience::LONG, async || {
        let connection = person.cli.json(&["status"]).await?["connection"].clone();
        Ok((connection["state"] == "refused" && connection["signed_out"] == true).then_some(()))
    })
    .await
}

async fn has(cli: &Cli, word: &str) -> Result<Option<()>> {
    let found = cli.json(&["search", word]).await?;
    Ok(found["hits"].as_array().filter(|hits| !hits.is_empty()).map(drop))
}

async fn row(cli: &Cli, view: &str, title: &str) -> Result<Option<Value>> {
    let page = cli.json(&["inbox", "--view", view]).await?;
    Ok(page["rows"].as_array().and_then(|rows| rows.iter().find(|row| row["title"] == title)).cloned())
}

async fn becomes(cli: &Cli, view: &str, title: &str, holds: impl Fn(&Value) -> bool) -> Result<()> {
    wait_for(&format!("{title} in {view}"), Patience::LONG, async || {
        Ok(row(cli, view, title).await?.filter(|row| holds(row)).map(drop))
    })
    .await
}

/// To the millisecond, which is what is kept.
fn is(at: &Value, wanted: DateTime<Utc>) -> bool {
    let at = serde_json::from_value::<DateTime<Utc>>(at.clone());
    at.is_ok_and(|at| at.timestamp_millis() == wanted.timestamp_millis())
}

/// What an authenticator shows, so many steps of 30 seconds from now.
fn code(secret: &str, steps: i64) -> Result<String> {
    let secret = Secret::Encoded(secret.to_owned()).to_bytes().map_err(|e| anyhow!("{e:?}"))?;
    let totp = TOTP::new(Algorithm::SHA1, 6, 0, 30, secret).map_err(|e| anyhow!("{e}"))?;
    Ok(totp.generate(u64::try_from(SystemClock.now().timestamp() + 30 * steps)?))
}

/// A code that is none of about now.
fn other_than(secret: &str) -> Result<String> {
    let good: Vec<_> = (-2..=2).map(|steps| code(secret, steps)).collect::<Result<_>>()?;
    let mut codes = (0..10).map(|n| format!("{n}{n}{n}{n}{n}{n}"));
    codes.find(|code| !good.contains(code)).context("all codes are good")
}

/// No file holds them but the keyring's own.
fn lie_nowhere(folder: &Path, secrets: &[&str]) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let (path, kind) = {
            let entry = entry?;
            (entry.path(), entry.file_type()?)
        };
        if kind.is_dir() && path.file_name().is_none_or(|name| name != "keyring") {
            lie_nowhere(&path, secrets)?;
        } else if kind.is_file() {
            let text = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
            let found = secrets.iter().position(|secret| text.contains(secret));
            ensure!(found.is_none(), "secret {found:?} lies in {}", path.display());
        }
    }
    Ok(())
}
