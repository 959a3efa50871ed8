//! A working day on real processes, as docs and README tell it: mail, team and
//! feed come into one list; focus holds everything; what is urgent from the
//! one person allowed to comes through; the app is killed and comes back; the
//! block ends with one notification; the list is worked off by keys, and what
//! was done is seen in the mailbox and at the server.
//!
//! The test and the tour play the same day; each step fails unless it held.

#![allow(clippy::indexing_slicing)] // of JSON: what is missing reads as null

mod focus;
mod hours;
mod morning;
mod picture;
mod triage;

pub use picture::screenshot;

use crate::desk::Desk;
use crate::post::{Mail, Post};
use crate::{App, Cli, FeedServer, Person, Server, World};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The name Ana is known by.
pub const ANA: &str = "Ana Sousa";
/// Ana's mailbox.
pub const ADDRESS: &str = "ana@example.org";

/// Somebody outside the team who writes to her, and what about.
const PAT: &str = "Pat Vale <pat@example.net>";
const OFFER: &str = "Offer for the autumn";

/// Hears what was seen.
pub trait Audience {
    /// A step held: what it was, and what was seen.
    fn step(&mut self, title: &str, seen: &str);
    /// Where pictures are to be put, if any are wanted.
    fn pictures(&self) -> Option<&Path> {
        None
    }
}

/// Nobody hears: the test.
pub struct Silence;

impl Audience for Silence {
    fn step(&mut self, _: &str, _: &str) {}
}

/// Everything there is on that day.
struct Day<'a> {
    world: &'a mut World,
    desk: Desk,
    server: Server,
    post: Post,
    feed: FeedServer,
    app: App,
    ana: Cli,
    /// On Ana's list of those who may interrupt.
    amina: Person,
    /// Not on it.
    jakob: Person,
    pictures: Option<PathBuf>,
}

/// Plays the whole day.
///
/// # Errors
/// The first step that did not hold, and why.
pub async fn play(world: &mut World, audience: &mut dyn Audience) -> Result<()> {
    let pictures = audience.pictures().map(Path::to_owned);
    let mut day = Day::begin(world, pictures).await?;
    let Err(error) = day.steps(audience).await else { return Ok(()) };
    Err(error.context(format!("the screen was then{}", day.picture("failed").await?)))
}

impl Day<'_> {
    async fn steps(&mut self, audience: &mut dyn Audience) -> Result<()> {
        audience.step("A team, a mailbox and a feed", &self.sources().await?);
        audience.step("Ana opens Meantime", &self.opens().await?);
        audience.step("She focuses, from the tray", &self.focuses().await?);
        audience.step("Twelve messages arrive", &self.messages_wait().await?);
        audience.step("Amina's red thread comes through", &self.red_comes_through().await?);
        audience.step("The app is killed and started again", &self.is_killed().await?);
        audience.step("The block ends", &self.block_ends().await?);
        audience.step("She works the list off, by keys", &self.keys().await?);
        audience.step("She takes the last one back", &self.undo().await?);
        audience.step("The mailbox and the server know", &self.written_back().await?);
        Ok(())
    }

    /// Puts what is on the screen into a file, if pictures are wanted; tells
    /// the file for the step's report.
    async fn picture(&self, name: &str) -> Result<String> {
        let Some(folder) = &self.pictures else { return Ok(String::new()) };
        let file = folder.join(format!("{name}.png"));
        self.desk.picture(&file).await?;
        Ok(format!(" [{}]", file.display()))
    }
}

/// A mail that asks nobody for anything.
fn newsletter(subject: &str) -> Mail<'_> {
    Mail { subject, from: "The Weekly <news@example.net>", to: "all@example.net", answers: None }
}
