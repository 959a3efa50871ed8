//! The README's picture: Ana's morning in the real window. Team, mailbox and
//! feed are in one list, a block holds three messages, one came through, some
//! things wait or are put off, and an answer is being written.
//!
//! Nothing is drawn or made up afterwards: it is what real programs show.

use super::ADDRESS;
use super::focus::{block, check_feeds, id_of, row};
use super::morning::{GREETING, accounts_read, greeted, join};
use crate::desk::Desk;
use crate::post::Post;
use crate::wait::{Patience, wait_for};
use crate::webdriver::keys;
use crate::{App, Cli, FeedServer, Person, Server, World};
use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_platform::{Clock, SystemClock};
use std::path::Path;

/// Of the sample team; on Ana's list of those who may interrupt.
const KOFI: &str = "Kofi Mensah";
/// His thread, red; what he adds to it comes through the block.
const RED: &str = "Release blocked: signing certificate expires at noon";
const COMES_THROUGH: &str = "Still open. Can you renew it, or tell me who can?";
/// Put off, so that not everything is in one list.
const LATER: [&str; 2] = ["Five interviews are booked: which questions matter most?", "New icons for snooze and held"];
/// Ana's own questions: to whom, about what.
const WAITING: [(&str, &str, &str); 2] = [
    ("Sara", "Where do we meet in spring?", "Lisbon or Lagos? I would book the rooms next week."),
    ("Priya", "Which two figures go into the report?", "I have room for two of your five charts."),
];
const ANSWER: &str = "Mostly. Two cases have no place yet: a write that was refused while I was offline, and a space \
                      I was removed from. Could both carry a code and one sentence?";

/// Takes the picture, and waits until each part of it is on the screen.
///
/// # Errors
/// The window did not come that far.
pub async fn screenshot(world: &mut World, file: &Path) -> Result<()> {
    let desk = Desk::start(world).await?;
    let server = Server::demo(&world.folder("server")?, &world.logs()).await?;
    let post = Post::start();
    let now = SystemClock.now();
    post.imap.deliver(&Letter::CONTRACT.text(now - TimeDelta::hours(18)));
    let feed = FeedServer::start(&[]).await?;
    let words = "Search reads the archive as well, and quotes are folded.";
    feed.publish_at("Mailbox 2.3 released", words, now - TimeDelta::hours(27));

    let app = App::start(&world.profile("ana"), &world.logs()).await?;
    let ana = Cli::new(world.profile("ana"))?;
    join(world, &ana, &server).await?;
    let kofi = Person::far_away(world, "Kofi", &server.link_of(KOFI)?).await?;
    ana.json(&["settings", "set", &format!("may_interrupt=[\"{}\"]", kofi.id)]).await?;
    post.add_to(&ana).await?;
    ana.json(&["account", "add", "feed", "--private", &feed.url()]).await?;
    accounts_read(&ana).await?;
    greeted(&ana).await?;
    sort(&ana).await?;

    ana.json(&["focus", "start", "--for", "50m"]).await?;
    post.imap.deliver(&Letter::INVOICE.text(now - TimeDelta::minutes(2)));
    post.imap.deliver(&Letter::NEWS.text(now - TimeDelta::minutes(4)));
    feed.publish_at("Mailbox 2.4 released", "Two new servers, and a smaller window.", now - TimeDelta::minutes(3));
    let red = wait_for("Kofi to have his thread", Patience::LONG, async || anywhere(&kofi.cli, RED).await).await?;
    kofi.cli.json(&["reply", &red, "--text", COMES_THROUGH]).await?;
    wait_for("what is held, and what came through", Patience::LONG, async || {
        check_feeds(&ana).await?;
        let held = block(&ana).await?.context("the block ended")?["held"].clone();
        let why = row(&ana, "inbox", RED).await?.context("the red thread is gone")?["why"].clone();
        Ok((held == 3 && why.as_str().is_some_and(|why| why.contains("your list"))).then_some(()))
    })
    .await?;

    app.go_to(GREETING).await?;
    app.window.press(&[keys::ENTER]).await?;
    app.wait_for("[data-testid=message]").await?;
    app.window.press(&["r"]).await?;
    app.wait_for("[data-testid=reply-text]").await?;
    app.window.type_in("[data-testid=reply-text]", ANSWER).await?;
    for shown in ["held-banner", "group-due_today", "group-for_information"] {
        app.wait_for(&format!("[data-testid={shown}]")).await?;
    }
    desk.dunst.close_all();
    desk.picture(file).await
}

/// Puts some threads off, and asks others something.
async fn sort(ana: &Cli) -> Result<()> {
    for title in LATER {
        let item = row(ana, "inbox", title).await?.with_context(|| format!("no \"{title}\" in the list"))?;
        ana.json(&["snooze", id_of(&item)?, "2d"]).await?;
    }
    for (whom, title, text) in WAITING {
        ana.json(&["compose", title, "--text", text, "--urgency", "yellow", "--ask", whom, "--now"]).await?;
    }
    wait_for("the lists", Patience::SHORT, async || {
        let of = async |view: &str| -> Result<usize> {
            let page = ana.json(&["inbox", "--view", view]).await?;
            Ok(page["rows"].as_array().context("no rows")?.len())
        };
        Ok((of("waiting").await? == WAITING.len() && of("later").await? == LATER.len()).then_some(()))
    })
    .await
}

/// The id of an item, in whichever list it is.
async fn anywhere(cli: &Cli, title: &str) -> Result<Option<String>> {
    for view in ["inbox", "waiting", "done"] {
        if let Some(row) = row(cli, view, title).await? {
            return Ok(Some(id_of(&row)?.to_owned()));
        }
    }
    Ok(None)
}

/// A mail with words of its own.
struct Letter {
    from: &'static str,
    subject: &'static str,
    text: &'static str,
    /// To many at once, so that nobody is asked.
    many: bool,
}

impl Letter {
    const CONTRACT: Self = Self {
        from: "Ines Duarte <ines@studio.example>",
        subject: "Contract for the usability study",
        text: "Attached is the version with your changes. If it is right, please sign page four.",
        many: false,
    };
    const INVOICE: Self = Self {
        from: "Hosting GmbH <billing@hosting.example>",
        subject: "Invoice 2026-118",
        text: "Your invoice for this month is ready.",
        many: true,
    };
    const NEWS: Self = Self {
        from: "The Weekly <news@weekly.example>",
        subject: "Seven essays on asynchronous work",
        text: "Why the best meeting is often a page of text.",
        many: true,
    };

    fn text(&self, at: DateTime<Utc>) -> Vec<u8> {
        let Self { from, subject, text, many } = self;
        let list = if *many { "Precedence: bulk\r\n" } else { "" };
        let id: String = subject.chars().filter(char::is_ascii_alphanumeric).collect();
        format!(
            "From: {from}\r\nTo: Ana Sousa <{ADDRESS}>\r\nSubject: {subject}\r\nDate: {}\r\n\
             Message-ID: <{id}@example.net>\r\n{list}MIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n",
            at.to_rfc2822()
        )
        .into_bytes()
    }
}
