//! Focus: one block at a time, kept in the store, so that a crash neither
//! loses nor doubles anything. Ending a block hands over what it held and
//! writes its digest in the same transaction; the digest is shown from there.

use crate::api::{self, Failure, FailureCode, FocusStart, FocusStatus, Tag};
use crate::engine::Engine;
use crate::notices::Body;
use crate::out;
use crate::people;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::digest::{Digest, Held};
use meantime_model::focus::{RunningBlock, Watch};
use meantime_model::zone::Zone;
use meantime_model::{BlockId, group};
use meantime_protocol::{Fields, Kind};
use meantime_store::{Tx, focus, item, notice};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Longest block, in minutes.
const MAX_MINUTES: u32 = 1440;

/// What the wall clock and the clock that nobody sets may differ by over a
/// block without meaning anything.
const TOLERANCE: TimeDelta = TimeDelta::seconds(10);

/// A running block as this process first saw it: what the wall clock and the
/// clock that nobody sets said then. Another process, after a crash or a start
/// of the computer, begins anew with its own.
#[derive(Clone, Copy)]
pub(crate) struct Observed {
    block: BlockId,
    began: DateTime<Utc>,
    steady: Duration,
}

impl Engine {
    pub(crate) async fn start_focus(self: &Arc<Self>, args: FocusStart) -> Result<FocusStatus, Failure> {
        if args.minutes.is_some_and(|minutes| !(1..=MAX_MINUTES).contains(&minutes)) {
            return Err(Failure::new(FailureCode::Invalid, format!("minutes: a block is 1 to {MAX_MINUTES} long")));
        }
        self.end_block_if_over().await?;
        let now = self.now();
        self.write(move |tx| match focus::running(tx)? {
            Some(block) => {
                focus::set_planned(tx, block.id, planned(&block, args, now)?)?;
                tell_of(tx, block.id, now)
            }
            None => begin(tx, args.minutes, now),
        })
        .await?;
        self.after_focus().await;
        self.focus_now().await
    }

    pub(crate) async fn stop_focus(self: &Arc<Self>) -> Result<FocusStatus, Failure> {
        let now = self.now();
        let zone = self.zone().await;
        self.write(move |tx| match focus::running(tx)? {
            Some(block) => end(tx, &block, "stopped", zone, now),
            None => Err(Failure::new(FailureCode::NotPossible, "no focus block runs")),
        })
        .await?;
        self.after_focus().await;
        self.focus_now().await
    }

    pub(crate) async fn toggle_focus(self: &Arc<Self>) -> Result<FocusStatus, Failure> {
        let (now, zone) = (self.now(), self.zone().await);
        // Decided in the transaction that does it: of two at once neither fails.
        self.write(move |tx| match focus::running(tx)? {
            Some(block) => end(tx, &block, "stopped", zone, now),
            None => begin(tx, Some(crate::profile::settings(tx)?.focus_minutes), now),
        })
        .await?;
        self.after_focus().await;
        self.focus_now().await
    }

    pub(crate) async fn focus_now(&self) -> Result<FocusStatus, Failure> {
        let usual_minutes = self.settings_now().await.focus_minutes;
        let found = self
            .read(|db| {
                let Some(block) = focus::running(db)? else { return Ok(None) };
                let (held, messages) = (focus::count(db, block.id)?, focus::count_messages(db, block.id)?);
                Ok(Some((block, held, messages)))
            })
            .await?;
        let block = found.map(|(block, held, messages)| {
            let until = self.ends_at(&block);
            api::Block { id: block.id, since: block.since, until, held, messages }
        });
        Ok(FocusStatus { block, usual_minutes })
    }

    /// When a running block will end, by the wall clock as it is now: as
    /// planned, unless that clock was set meanwhile.
    pub(crate) fn ends_at(&self, block: &focus::Block) -> Option<DateTime<Utc>> {
        let (now, planned) = (self.now(), block.until()?);
        let end = now + running(block).left(self.watch(block.id, now))?;
        Some(if (end - planned).abs() < TOLERANCE { planned } else { end })
    }

    /// Ends the running block when its time is over, however the clock was
    /// set and however long the computer slept.
    pub(crate) async fn end_block_if_over(self: &Arc<Self>) -> Result<(), Failure> {
        let Some(block) = self.read(|db| Ok(focus::running(db)?)).await? else { return Ok(()) };
        let now = self.now();
        let watch = self.watch(block.id, now);
        if !running(&block).ended(watch) {
            return Ok(());
        }
        let zone = self.zone().await;
        self.write(move |tx| match focus::running(tx)? {
            Some(current) if current == block => end(tx, &current, "over", zone, now),
            _ => Ok(()),
        })
        .await?;
        self.after_focus().await;
        Ok(())
    }

    /// What the clocks say about a block, since this process first saw it.
    fn watch(&self, block: BlockId, now: DateTime<Utc>) -> Watch {
        let steady = self.clock.steady();
        let mut live = self.live();
        let observed = match live.block_started {
            Some(observed) if observed.block == block => observed,
            _ => *live.block_started.insert(Observed { block, began: now, steady }),
        };
        let passed = TimeDelta::from_std(steady.saturating_sub(observed.steady)).unwrap_or(TimeDelta::MAX);
        Watch { began: observed.began, passed }
    }

    async fn after_focus(self: &Arc<Self>) {
        self.notices.notify_one();
        self.reschedule.notify_one();
        self.send_what_is_ready().await;
        self.tell(&[Tag::Focus, Tag::Inbox, Tag::Status, Tag::Team]);
    }
}

/// A stored block, as the rules see it.
pub(crate) fn running(block: &focus::Block) -> RunningBlock {
    RunningBlock { id: block.id, since: block.since, until: block.until() }
}

/// Begins a block, none of which runs.
fn begin(tx: &Tx<'_>, planned_minutes: Option<u32>, now: DateTime<Utc>) -> Result<(), Failure> {
    let reason = "by hand".to_owned();
    let block = focus::Block { id: BlockId::new(), since: now, planned_minutes, ended_at: None, reason };
    focus::start(tx, &block)?;
    tell_of(tx, block.id, now)
}

/// Teammates see of a block what is stored, to the millisecond.
fn tell_of(tx: &Tx<'_>, block: BlockId, now: DateTime<Utc>) -> Result<(), Failure> {
    let block = focus::get(tx, block)?;
    tell_team(tx, block.as_ref().map(|block| block.since), block.and_then(|block| block.until()), now)
}

/// The new length of a running block, in minutes since its start.
fn planned(block: &focus::Block, args: FocusStart, now: DateTime<Utc>) -> Result<Option<u32>, Failure> {
    let Some(minutes) = args.minutes else { return Ok(None) };
    let length = match (args.extend, block.planned_minutes) {
        (true, Some(planned)) => planned.saturating_add(minutes),
        (true, None) => return Ok(None),
        (false, _) => {
            // Whole minutes since the start: the end is then up to a minute later, never earlier.
            let so_far = (now - block.since).max(TimeDelta::zero()) + TimeDelta::seconds(59);
            u32::try_from(so_far.num_minutes()).unwrap_or(MAX_MINUTES).saturating_add(minutes)
        }
    };
    if length > 2 * MAX_MINUTES {
        return Err(Failure::new(FailureCode::Invalid, "minutes: the block would be longer than two days"));
    }
    Ok(Some(length))
}

/// Ends a block: what it held and what still waits is handed over, and summed
/// up in one digest. Where all was seen meanwhile, there is nothing to say.
fn end(tx: &Tx<'_>, block: &focus::Block, reason: &str, zone: Zone, now: DateTime<Utc>) -> Result<(), Failure> {
    // A block that was over while nothing ran ended when it was planned to.
    let ended = block.until().map_or(now, |until| until.min(now)).max(block.since);
    let Some(holds) = focus::end(tx, block.id, ended, reason)? else { return Ok(()) };
    tell_team(tx, None, None, now)?;
    let mut held = Vec::with_capacity(holds.len());
    for hold in holds {
        let Some(item) = item::get(tx, hold.item)? else { continue };
        let line = if item.people.is_empty() { item.title } else { format!("{}: {}", item.people, item.title) };
        held.push(Held { due: item.due.or(hold.due), reply: hold.reply, line });
    }
    if held.is_empty() {
        return Ok(());
    }
    let digest = Digest::of(&held, group::end_of_day(now, zone));
    let body = Body { text: digest.lines.join("\n"), urgent: false, block: Some(block.id) };
    notice::push(
        tx,
        &notice::NewNotice {
            key: &format!("digest:{}", block.id),
            kind: "digest",
            item: None,
            title: &digest.title(),
            body: &serde_json::to_value(body).unwrap_or_default(),
            at: now,
        },
    )?;
    Ok(())
}

/// Teammates see until when I focus.
pub(crate) fn tell_team(
    tx: &Tx<'_>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let Some(config) = people::config(tx)? else { return Ok(()) };
    let mut fields = Fields::new();
    fields.insert("since".to_owned(), json!(since));
    fields.insert("until".to_owned(), json!(until));
    out::team_op(tx, &config, out::Change::new(Kind::FOCUS, config.person.0, fields), now)?;
    Ok(())
}
