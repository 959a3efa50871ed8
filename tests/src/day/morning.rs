//! Before the block: who is there, and what Ana sees first.

use super::focus::{id_of, row};
use super::hours::works_now;
use super::{ADDRESS, ANA, Day, OFFER, PAT, newsletter};
use crate::desk::Desk;
use crate::post::{Mail, Post};
use crate::wait::{Patience, wait_for};
use crate::{App, Cli, FeedServer, Person, Server, World};
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;

const ANAS_ANSWER: &str = "Could you do it by the fifteenth?";

/// The thread in which the sample people greet who joins.
pub(super) const GREETING: &str = "Review the sync API draft before we freeze it";

impl<'a> Day<'a> {
    /// Starts the desktop, the servers, two teammates and the app.
    pub(super) async fn begin(world: &'a mut World, pictures: Option<PathBuf>) -> Result<Self> {
        let desk = Desk::start(world).await?;
        let server = Server::demo(&world.folder("server")?, &world.logs()).await?;
        let post = Post::start();
        for n in 1..=3 {
            post.deliver(&newsletter(&format!("Notes of week {n}")));
        }
        post.deliver(&Mail { subject: OFFER, from: PAT, to: ADDRESS, answers: None });
        let feed = FeedServer::start(&["Version 1.0", "Version 1.1", "Version 1.2"]).await?;
        let amina = Person::far_away(world, "Amina", &server.invite()?).await?;
        let jakob = Person::far_away(world, "Jakob", &server.invite()?).await?;

        for person in [&amina, &jakob] {
            works_now(world, &person.cli).await?;
        }
        let app = App::start(&world.profile("ana"), &world.logs()).await?;
        let ana = Cli::new(world.profile("ana"))?;
        Ok(Self { world, desk, server, post, feed, app, ana, amina, jakob, pictures })
    }

    /// Ana joins the team, writes down her hours and adds her accounts.
    pub(super) async fn sources(&mut self) -> Result<String> {
        self.app.wait_for("[data-testid=first-run]").await?;
        let team = join(self.world, &self.ana, &self.server).await?;
        let list = format!("may_interrupt=[\"{}\"]", self.amina.id);
        self.ana.json(&["settings", "set", &list]).await?;

        self.post.add_to(&self.ana).await?;
        self.ana.json(&["account", "add", "feed", "--private", &self.feed.url()]).await?;
        accounts_read(&self.ana).await?;
        Ok(format!("Ana joined {team}; mailbox {ADDRESS} and the feed were read"))
    }

    /// The window shows what came from all three.
    pub(super) async fn opens(&mut self) -> Result<String> {
        // The sample people greet who joins; that comes live, and before the block.
        greeted(&self.ana).await?;
        let page = self.ana.json(&["inbox", "--limit", "200"]).await?;
        let rows = page["rows"].as_array().context("no rows")?;
        let of = |source: &str| rows.iter().filter(|row| row["source"] == source).count();
        let (team, mail, feed) = (of("team"), of("imap"), of("feed"));
        ensure!(team >= 5 && mail == 4 && feed == 3, "{team} threads, {mail} mails and {feed} entries in {page}");
        // The rest is further down: only rows on the screen exist.
        self.app.wait_for_row(rows[0]["title"].as_str().context("no title")?).await?;
        let notes = self.desk.notes();
        let old = ["Notes of week", "Version", "Offer"];
        let wrong = notes.iter().find(|note| old.iter().any(|old| note.summary.contains(old)));
        ensure!(wrong.is_none(), "what was there before must not alert: {wrong:?}");
        // Two threads of hers, to be answered later.
        for title in ["Where we meet in spring", "New names for the channels"] {
            self.ana.json(&["compose", title, "--text", "What do you think?", "--urgency", "green", "--now"]).await?;
        }
        // And an answer by mail, which will be answered.
        let offer = row(&self.ana, "inbox", OFFER).await?.context("the offer is not in the list")?;
        self.ana.json(&["reply", id_of(&offer)?, "--text", ANAS_ANSWER, "--now"]).await?;
        self.post.sent(ANAS_ANSWER).await?;
        Ok(format!(
            "{team} threads, {mail} mails and {feed} feed entries in one list{}",
            self.picture("1-morning").await?
        ))
    }
}

/// Ana joins the sample team and writes down her hours; tells the team's name.
pub(super) async fn join(world: &World, ana: &Cli, server: &Server) -> Result<String> {
    let joined = ana.json_with_input(&["join", "--name", ANA], &server.invite()?).await?;
    works_now(world, ana).await?;
    Ok(joined["team"].as_str().unwrap_or_default().to_owned())
}

/// Waits until mailbox and feed were read for the first time.
pub(super) async fn accounts_read(ana: &Cli) -> Result<()> {
    wait_for("all accounts to be read", Patience::LONG, async || {
        let accounts = ana.json(&["account", "list"]).await?;
        let accounts = accounts.as_array().context("no list of accounts")?;
        let fine = accounts.iter().filter(|account| account["state"]["state"] == "fine").count();
        Ok((fine >= 2 && fine == accounts.len()).then_some(()))
    })
    .await
}

/// Waits for the words that the sample people have for who joins.
pub(super) async fn greeted(ana: &Cli) -> Result<()> {
    wait_for("the sample team's greeting", Patience::LONG, async || {
        let Some(thread) = row(ana, "inbox", GREETING).await? else { return Ok(None) };
        let shown = ana.json(&["show", id_of(&thread)?]).await?;
        Ok(shown.to_string().contains("Ana, one question").then_some(()))
    })
    .await
}
