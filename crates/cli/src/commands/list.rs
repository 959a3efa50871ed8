//! `status`, `inbox`, `search`, `show`.

use super::times;
use crate::args::Item;
use crate::reach::Reached;
use crate::show::{Out, Times};
use crate::stop::Stop;
use clap::{Args, ValueEnum};
use meantime_engine::api::{InboxQuery, ItemRef, Nothing, SearchQuery, View};
use meantime_platform::{Clock, SystemClock};

#[derive(Args)]
pub(crate) struct StatusArgs {
    /// What it tells of a damaged database was seen: it is told no more
    #[arg(long)]
    seen: bool,
}

#[derive(Args)]
pub(crate) struct InboxArgs {
    /// Which list
    #[arg(long, value_enum, default_value_t)]
    view: Which,
    /// How many rows
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Rows to skip
    #[arg(long, default_value_t = 0)]
    offset: u32,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Which {
    /// What is to be answered or read
    #[default]
    Inbox,
    /// Where I wait for others' answers
    Waiting,
    /// Snoozed
    Later,
    /// Done, the newest first
    Done,
}

#[derive(Args)]
pub(crate) struct SearchArgs {
    /// All must occur, the last may be a beginning; "…" is a phrase
    #[arg(required = true)]
    words: Vec<String>,
    /// How many messages
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// The next page: as the page before says
    #[arg(long, allow_negative_numbers = true)]
    before: Option<i64>,
}

pub(crate) async fn status(engine: &Reached, args: &StatusArgs, out: &mut Out) -> Result<(), Stop> {
    if args.seen {
        engine.damage_seen(Nothing {}).await?;
    }
    let status = engine.status(Nothing {}).await?;
    let times = Times::new(&status.zone, SystemClock.now());
    Ok(out.reply(&status, &times)?)
}

pub(crate) async fn inbox(engine: &Reached, args: InboxArgs, out: &mut Out) -> Result<(), Stop> {
    let view = match args.view {
        Which::Inbox => View::Inbox,
        Which::Waiting => View::Waiting,
        Which::Later => View::Later,
        Which::Done => View::Done,
    };
    let page = engine.inbox(InboxQuery { view, offset: args.offset, limit: args.limit }).await?;
    Ok(out.reply(&page, &times(engine, out).await?)?)
}

pub(crate) async fn search(engine: &Reached, args: SearchArgs, out: &mut Out) -> Result<(), Stop> {
    let words = args.words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let page = engine.search(SearchQuery { words, before: args.before, limit: args.limit }).await?;
    Ok(out.reply(&page, &times(engine, out).await?)?)
}

/// The shell took the quotes away from a phrase that was one argument.
fn quoted(word: &str) -> String {
    if word.contains(char::is_whitespace) && !word.contains('"') { format!("\"{word}\"") } else { word.to_owned() }
}

pub(crate) async fn show(engine: &Reached, item: Item, out: &mut Out) -> Result<(), Stop> {
    let conversation = engine.open(ItemRef { id: item.id }).await?;
    Ok(out.reply(&conversation, &times(engine, out).await?)?)
}
