//! `done`, `snooze`, `read`, … and `undo`.

use super::times;
use crate::args::Items;
use crate::reach::Reached;
use crate::show::{Out, clean};
use crate::stop::Stop;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use meantime_engine::api::{Action, ItemRef, Nothing, Triage, Undoable};
use meantime_model::Urgency;

#[derive(Args)]
pub(crate) struct SnoozeArgs {
    /// Its id, or the end of it, as the lists show it
    id: String,
    /// Until then: 2026-12-24T09:00:00+01:00, or `2026-12-24 09:00` in my zone
    #[arg(long, conflicts_with = "words")]
    until: Option<String>,
    /// `3h`, `2d` (working days), `tomorrow`, `monday`; without any the choices are shown
    words: Vec<String>,
}

#[derive(Args)]
pub(crate) struct UrgencyArgs {
    /// How soon an answer is wanted
    #[arg(value_enum)]
    level: Level,
    /// Which items
    #[command(flatten)]
    items: Items,
}

/// Urgency as it is typed.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    /// Urgent
    Red,
    /// Standard
    Yellow,
    /// For information
    Green,
}

impl From<Level> for Urgency {
    fn from(level: Level) -> Self {
        match level {
            Level::Red => Self::Red,
            Level::Yellow => Self::Yellow,
            Level::Green => Self::Green,
        }
    }
}

pub(crate) async fn done(engine: &Reached, items: Items, out: &mut Out) -> Result<(), Stop> {
    change(engine, items.ids, Action::Done, out).await
}

pub(crate) async fn reopen(engine: &Reached, items: Items, out: &mut Out) -> Result<(), Stop> {
    change(engine, items.ids, Action::NotDone, out).await
}

pub(crate) async fn read(engine: &Reached, items: Items, out: &mut Out) -> Result<(), Stop> {
    change(engine, items.ids, Action::Read, out).await
}

pub(crate) async fn unread(engine: &Reached, items: Items, out: &mut Out) -> Result<(), Stop> {
    change(engine, items.ids, Action::Unread, out).await
}

pub(crate) async fn mute(engine: &Reached, items: Items, out: &mut Out) -> Result<(), Stop> {
    change(engine, items.ids, Action::Mute, out).await
}

pub(crate) async fn unmute(engine: &Reached, items: Items, out: &mut Out) -> Result<(), Stop> {
    change(engine, items.ids, Action::Unmute, out).await
}

pub(crate) async fn urgency(engine: &Reached, args: UrgencyArgs, out: &mut Out) -> Result<(), Stop> {
    change(engine, args.items.ids, Action::Urgency { urgency: args.level.into() }, out).await
}

pub(crate) async fn snooze(engine: &Reached, args: SnoozeArgs, out: &mut Out) -> Result<(), Stop> {
    let words = args.until.unwrap_or_else(|| args.words.join(" "));
    if words.trim().is_empty() {
        let choices = engine.snooze_choices(ItemRef { id: args.id }).await?;
        return Ok(out.reply(&choices, &times(engine, out).await?)?);
    }
    let action = match DateTime::parse_from_rfc3339(words.trim()) {
        Ok(until) => Action::Snooze { until: until.with_timezone(&Utc) },
        Err(_) => Action::SnoozeFor { words },
    };
    change(engine, vec![args.id], action, out).await
}

async fn change(engine: &Reached, ids: Vec<String>, action: Action, out: &mut Out) -> Result<(), Stop> {
    let undoable = engine.triage(Triage { ids, action }).await?;
    tell(&undoable, out)
}

/// Says what was done.
pub(crate) fn tell(undoable: &Undoable, out: &mut Out) -> Result<(), Stop> {
    Ok(out.sentence(undoable, clean(&undoable.what))?)
}

pub(crate) async fn undo(engine: &Reached, out: &mut Out) -> Result<(), Stop> {
    let undone = engine.undo(Nothing {}).await?;
    Ok(out.sentence(&undone, clean(&undone.said))?)
}
