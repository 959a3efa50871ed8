//! What goes wrong outside is said in plain words and stops nothing else.

use anyhow::{Context, Result, ensure};
use meantime_tests::post::{Mail, Post};
use meantime_tests::wait::{Patience, wait_for};
use meantime_tests::world::{World, play};
use meantime_tests::{Cli, Desk, FeedServer, Person};
use serde_json::Value;

const LETTER: Mail<'_> = Mail { subject: "A good one", from: "pat@example.net", to: "ana@example.org", answers: None };

#[test]
fn a_malformed_mail_is_shown_and_stops_nothing() {
    play(async |world| {
        let (_desk, ana, post) = with_mailbox(world).await?;
        post.imap.deliver(b"\xff\xfe\x00 no header, no end");
        post.imap.deliver(b"Subject: Broken parts\r\nContent-Type: multipart/mixed; boundary=\"x\"\r\n\r\n--x\r\n");
        let nested = (0..6_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"));
        post.imap.deliver(format!("Subject: Without end\r\n{}", nested.collect::<String>()).as_bytes());
        post.deliver(&LETTER);
        wait_for("the good mail", Patience::LONG, async || {
            Ok(titles(&ana.cli).await?.contains(&LETTER.subject.to_owned()).then_some(()))
        })
        .await?;
        let page = ana.cli.json(&["inbox"]).await?;
        let rows = page["rows"].as_array().context("no rows")?;
        ensure!(rows.iter().any(|row| row["unreadable"].is_string()), "nothing says that it can't be read: {page}");
        ensure!(rows.len() == 4, "a mail is missing: {page}");
        let account = account(&ana.cli, "imap").await?;
        ensure!(account["state"]["state"] == "fine", "the account stopped: {account}");
        Ok(())
    });
}

#[test]
fn a_broken_feed_says_so_and_comes_back() {
    play(async |world| {
        let _desk = Desk::start(world).await?;
        let ana = Person::new(world, "Ana").await?;
        let feed = FeedServer::start(&["First"]).await?;
        let added = ana.cli.json(&["account", "add", "feed", "--private", &feed.url()]).await?;
        let id = added["id"].as_str().context("no id")?.to_owned();

        feed.break_it(true);
        // The command's exit code says that something is wrong; the state says what.
        let _ = ana.cli.json(&["account", "check", &id]).await;
        let broken = account(&ana.cli, "feed").await?;
        let words = broken["state"]["message"].as_str().unwrap_or_default().to_owned();
        ensure!(broken["state"]["state"] != "fine" && words.len() > 20, "nothing is said: {broken}");

        feed.break_it(false);
        feed.publish("Second");
        ana.cli.json(&["account", "check", &id]).await?;
        wait_for("the new entry", Patience::LONG, async || {
            Ok(titles(&ana.cli).await?.contains(&"Second".to_owned()).then_some(()))
        })
        .await
    });
}

#[test]
fn a_refused_password_waits_for_the_person() {
    play(async |world| {
        let (_desk, ana, mut post) = with_mailbox(world).await?;
        let id = account(&ana.cli, "imap").await?["id"].as_str().context("no id")?.to_owned();
        let password = post.imap.password.clone();
        post.imap.set_password("another one");
        post.imap.restart();
        let state = state_after_check(&ana.cli, &id).await?;
        ensure!(state["state"] == "needs_you" && state["password"] == true, "the state is {state}");

        post.deliver(&LETTER);
        post.imap.set_password(&password);
        ana.cli.json_with_input(&["account", "sign-in", &id], &password).await?;
        wait_for("the mail", Patience::LONG, async || {
            Ok(titles(&ana.cli).await?.contains(&LETTER.subject.to_owned()).then_some(()))
        })
        .await
    });
}

#[test]
fn a_changed_certificate_is_never_trusted_silently() {
    play(async |world| {
        let (_desk, ana, mut post) = with_mailbox(world).await?;
        let id = account(&ana.cli, "imap").await?["id"].as_str().context("no id")?.to_owned();
        post.imap.renew_certificate();
        let state = state_after_check(&ana.cli, &id).await?;
        let words = state["message"].as_str().unwrap_or_default();
        ensure!(state["state"] == "needs_you" && words.contains("certificate"), "the state is {state}");
        Ok(())
    });
}

async fn with_mailbox(world: &mut World) -> Result<(Desk, Person, Post)> {
    let desk = Desk::start(world).await?;
    let post = Post::start();
    let ana = Person::new(world, "Ana").await?;
    post.add_to(&ana.cli).await?;
    wait_for("the mailbox to be read", Patience::LONG, async || {
        Ok((account(&ana.cli, "imap").await?["state"]["state"] == "fine").then_some(()))
    })
    .await?;
    Ok((desk, ana, post))
}

async fn state_after_check(cli: &Cli, id: &str) -> Result<Value> {
    wait_for("the trouble to be noticed", Patience::LONG, async || {
        // Fails with the exit code of what is wrong; the state says what.
        let _ = cli.json(&["account", "check", id]).await;
        let state = account(cli, "imap").await?["state"].clone();
        Ok((state["state"] == "needs_you").then_some(state))
    })
    .await
}

async fn account(cli: &Cli, kind: &str) -> Result<Value> {
    let accounts = cli.json(&["account", "list"]).await?;
    let mut accounts = accounts.as_array().cloned().context("no list of accounts")?.into_iter();
    accounts.find(|account| account["kind"] == kind).with_context(|| format!("no {kind} account"))
}

async fn titles(cli: &Cli) -> Result<Vec<String>> {
    let page = cli.json(&["inbox"]).await?;
    let rows = page["rows"].as_array().context("no rows")?;
    Ok(rows.iter().filter_map(|row| row["title"].as_str().map(str::to_owned)).collect())
}
