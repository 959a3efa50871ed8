//! The block: what it holds, what comes through, and how it ends.

use super::{ADDRESS, ANA, Day, OFFER, PAT, newsletter};
use crate::post::Mail;
use crate::wait::{Patience, wait_for};
use crate::{App, Cli};
use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use meantime_model::Zone;
use serde_json::{Value, json};
use std::time::Duration;

/// What the twelve are, as the notification at the end must say it.
const DIGEST: &str = "12 held: 1 due today, 3 replies, 8 for information";
const RED: &str = "The payment page is down";
/// The titles of the rows that lie within the list's edges.
const ON_SCREEN: &str = "const { top, bottom } = document.querySelector('[data-testid=list]').getBoundingClientRect();
    const within = ({ top: above, bottom: below }) => top <= above && below <= bottom;
    return [...document.querySelectorAll('[data-testid=row-title]')]
        .filter((title) => within(title.getBoundingClientRect())).map((title) => title.title);";

impl Day<'_> {
    /// Switches focus on in the tray's menu.
    pub(super) async fn focuses(&mut self) -> Result<String> {
        let tray = self.desk.tray.item().await;
        tray.click("Focus for 50").await;
        let block = wait_for("the block", Patience::SHORT, async || block(&self.ana).await).await?;
        self.app.wait_for("[data-testid=held-banner]").await?;
        let tooltip = tray.tooltip().await;
        let seen = wait_for("Amina to see it", Patience::LONG, async || {
            let team = self.amina.cli.json(&["team"]).await?;
            let people = team["people"].as_array().context("no people")?;
            let ana = people.iter().find(|person| person["name"] == ANA).context("Ana is not in the team")?;
            Ok((ana["state"]["state"] == "focusing").then(|| ana["state"]["until"].clone()))
        })
        .await?;
        ensure!(seen == block["until"], "Amina sees {seen}, the block ends {}", block["until"]);
        Ok(format!(
            "the tray says \"{tooltip}\", Amina sees \"focusing\" until {}{}",
            self.clock(&seen).await?,
            self.picture("2-focus").await?
        ))
    }

    /// Mail, feed and team, twelve in all: none of them is shown.
    pub(super) async fn messages_wait(&mut self) -> Result<String> {
        let asks_ana = ["--text", "Can you look at it?", "--urgency", "red", "--ask", ANA];
        self.jakob.cli.json(&[&["compose", "The release is blocked"], &asks_ana[..]].concat()).await?;
        for title in ["Where we meet in spring", "New names for the channels"] {
            let id =
                wait_for("Ana's thread", Patience::LONG, async || row(&self.amina.cli, "inbox", title).await).await?;
            self.amina.cli.json(&["reply", id_of(&id)?, "--text", "I like it.", "--now"]).await?;
        }
        let answer = format!("Re: {OFFER}");
        self.post.deliver(&Mail { subject: &answer, from: PAT, to: ADDRESS, answers: Some(OFFER) });
        for n in 4..=7 {
            self.post.deliver(&newsletter(&format!("Notes of week {n}")));
            self.feed.publish(&format!("Version 2.{n}"));
        }
        wait_for("twelve held messages", Patience::LONG, async || {
            check_feeds(&self.ana).await?;
            let block = block(&self.ana).await?.context("the block ended")?;
            Ok((block["held"] == 12).then_some(()))
        })
        .await?;
        let notes = self.desk.notes();
        ensure!(notes.is_empty(), "these were shown while Ana focused: {notes:?}");
        let banner = self.app.window.texts("[data-testid=held-banner]").await?;
        let (place, picture) = (self.zone().await?.city(), self.picture("3-held").await?);
        Ok(format!("nothing was shown; the window says \"{}\" by the clock of {place}{picture}", banner.join(" ")))
    }

    /// Red, from the one on the list: shown once, and the item says why.
    pub(super) async fn red_comes_through(&mut self) -> Result<String> {
        let compose = ["compose", RED, "--text", "Since ten minutes.", "--urgency", "red", "--ask", ANA];
        self.amina.cli.json(&compose).await?;
        wait_for("a notification", Patience::LONG, async || Ok((self.desk.dunst.displayed() > 0).then_some(())))
            .await?;
        let picture = self.picture("4-red").await?;
        let notes = self.desk.notes();
        let [note] = notes.as_slice() else { anyhow::bail!("one was to be shown, not {notes:?}") };
        ensure!(note.summary.contains(RED), "shown was {note:?}");
        let shown = row(&self.ana, "inbox", RED).await?.context("it is not in the list")?;
        let why = shown["why"].as_str().unwrap_or_default().to_owned();
        ensure!(why.contains("your list"), "the item says {why:?}");
        let held = block(&self.ana).await?.context("the block ended")?["held"].clone();
        ensure!(held == 12, "{held} are held");
        Ok(format!("\"{}\"; the item says \"{why}\"{picture}", note.summary))
    }

    /// `kill -9`, while the block has a minute left.
    pub(super) async fn is_killed(&mut self) -> Result<String> {
        let before = block(&self.ana).await?.context("the block ended")?;
        self.ana.json(&["focus", "start", "--for", "1m"]).await?;
        self.app.kill_9().await?;
        self.app = App::start(&self.world.profile("ana"), &self.world.logs()).await?;
        let after = wait_for("the engine", Patience::LONG, async || block(&self.ana).await).await?;
        ensure!(after["id"] == before["id"] && after["held"] == 12, "before {before}, after {after}");
        self.app.wait_for("[data-testid=held-banner]").await?;
        let notes = self.desk.notes();
        ensure!(notes.is_empty(), "the start showed {notes:?}");
        let until = self.clock(&after["until"]).await?;
        Ok(format!("the block goes on until {until}, {} are held", after["held"]))
    }

    /// An instant as Ana's window says it, and where that is.
    async fn clock(&self, instant: &Value) -> Result<String> {
        let instant: DateTime<Utc> = instant.as_str().context("no time")?.parse()?;
        let zone = self.zone().await?;
        Ok(format!("{} in {}", zone.local(instant).format("%H:%M"), zone.city()))
    }

    async fn zone(&self) -> Result<Zone> {
        let status = self.ana.json(&["status"]).await?;
        status["zone"].as_str().and_then(|zone| zone.parse().ok()).context("Ana has no zone")
    }

    /// Time is up: one notification, and what was held is on top of the list.
    pub(super) async fn block_ends(&mut self) -> Result<String> {
        // The end is planned in whole minutes, so this may be two.
        let end = Patience(Duration::from_secs(180));
        wait_for("the end of the block", end, async || Ok(block(&self.ana).await?.is_none().then_some(()))).await?;
        wait_for("the digest", Patience::SHORT, async || Ok((self.desk.dunst.displayed() > 0).then_some(()))).await?;
        self.app.wait_for("[data-testid=group-held]").await?;
        let page = self.ana.json(&["inbox"]).await?;
        let held = page["rows"][0]["title"].clone();
        wait_for("the first held row on the screen", Patience::SHORT, async || {
            let seen = self.app.window.script(ON_SCREEN, json!([])).await?;
            Ok(seen.as_array().is_some_and(|titles| titles.contains(&held)).then_some(()))
        })
        .await?;
        let picture = self.picture("5-digest").await?;
        let notes = self.desk.notes();
        let [digest] = notes.as_slice() else { anyhow::bail!("one was to be shown, not {notes:?}") };
        ensure!(digest.summary == DIGEST, "the digest says {:?}", digest.summary);
        let first = &page["groups"][0];
        ensure!(first["group"] == "held" && first["count"] == 12, "the groups are {}", page["groups"]);
        Ok(format!("\"{}\", and they are on top of the list{picture}", digest.summary))
    }
}

/// Reads the feeds now: they are polled every so often, and nobody waits that
/// long here.
pub(super) async fn check_feeds(cli: &Cli) -> Result<()> {
    let accounts = cli.json(&["account", "list"]).await?;
    for account in accounts.as_array().context("no list of accounts")? {
        if account["kind"] == "feed" {
            cli.json(&["account", "check", id_of(account)?]).await?;
        }
    }
    Ok(())
}

pub(super) async fn block(cli: &Cli) -> Result<Option<Value>> {
    let mut status = cli.json(&["focus", "status"]).await?;
    Ok(status.get_mut("block").map(Value::take).filter(|block| !block.is_null()))
}

/// The row of that title in one of a person's lists.
pub(super) async fn row(cli: &Cli, view: &str, title: &str) -> Result<Option<Value>> {
    let page = cli.json(&["inbox", "--view", view, "--limit", "500"]).await?;
    let rows = page["rows"].as_array().context("no rows")?;
    Ok(rows.iter().find(|row| row["title"] == title).cloned())
}

pub(super) fn id_of(value: &Value) -> Result<&str> {
    value["id"].as_str().with_context(|| format!("no id in {value}"))
}
