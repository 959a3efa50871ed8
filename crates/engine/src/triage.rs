//! Done, snooze, read, mute: changed here at once, written back later, and
//! always undoable. Undo restores what was before and writes that back the
//! same way.

use crate::api::*;
use crate::drafts::{Written, give_back};
use crate::dues;
use crate::engine::Engine;
use crate::files::Files;
use crate::inbox::resolve;
use crate::out;
use crate::scheduled::{self, Scheduled};
use crate::state::State;
use chrono::{DateTime, Datelike as _, Utc};
use meantime_model::zone::Zone;
use meantime_model::{ItemId, Urgency};
use meantime_protocol::Attachment;
use meantime_store::{Read, Tx, item, undo};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// Items changed by one command at most.
const MAX_ITEMS: usize = 10_000;

/// What undo does: everything that was as it was.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Back {
    items: Vec<State>,
    /// Outbox entries that were not sent yet and are taken back.
    unsent: Vec<i64>,
    /// Which records these make at the server, where they appear to nobody
    /// before a later moment: until then they can be deleted there.
    #[serde(default)]
    scheduled: Vec<Scheduled>,
    /// What was typed goes back to the composer of this conversation, or of a
    /// new thread.
    draft: Option<(Option<ItemId>, String)>,
    /// And the files that went with it.
    #[serde(default)]
    files: Vec<Attachment>,
    /// And what else the thread was to be that it began.
    #[serde(default)]
    thread: Option<ThreadDraft>,
    /// Or whom the answer was to go to, and when.
    #[serde(default)]
    answer: Option<AnswerDraft>,
}

impl Back {
    /// A message to `item` (none: a new thread) was typed and waits in these
    /// entries of the outbox.
    pub(crate) fn unsent(unsent: Vec<i64>, item: Option<ItemId>, text: String, files: Vec<Attachment>) -> Self {
        Self { unsent, draft: Some((item, text)), files, ..Self::default() }
    }

    /// It began a thread that was to be this.
    pub(crate) fn and_thread(mut self, thread: ThreadDraft) -> Self {
        self.thread = Some(thread);
        self
    }

    /// It was an answer that was to be this.
    pub(crate) fn and_answer(mut self, answer: AnswerDraft) -> Self {
        self.answer = Some(answer);
        self
    }

    /// The item was changed together with it.
    pub(crate) fn and_item(mut self, before: State) -> Self {
        self.items.push(before);
        self
    }
}

impl Engine {
    pub(crate) async fn triage_items(self: &Arc<Self>, args: Triage) -> Result<Undoable, Failure> {
        if args.ids.is_empty() || args.ids.len() > MAX_ITEMS {
            return Err(Failure::new(FailureCode::Invalid, format!("name 1 to {MAX_ITEMS} items")));
        }
        let (now, computer, zone) = (self.now(), self.computer_zone(), self.zone().await);
        let action = self.resolved(args.action).await?;
        let undoable = !matches!(action, Action::Read | Action::Unread);
        let (what, ids, changed) = self
            .write(move |tx| {
                let mut back = Back::default();
                let mut ids: Vec<ItemId> = Vec::new();
                let mut named = HashSet::new();
                // Of the first that changed, else of the first.
                let mut title = None;
                for text in &args.ids {
                    let id = resolve(tx, text)?;
                    if !named.insert(id) {
                        continue;
                    }
                    ids.push(id);
                    let item = get(tx, id)?;
                    let before = State::of(&item);
                    let after = before.clone().after(&action);
                    after.put(tx, now)?;
                    if before == after {
                        title.get_or_insert(item.title);
                        continue;
                    }
                    if back.items.is_empty() {
                        title = Some(item.title);
                    }
                    back.items.push(before);
                }
                dues::settle(tx, computer)?;
                let name = name(&action, |at| moment(zone, at, now));
                let changed = !back.items.is_empty();
                let (name, count) =
                    if changed { (name, back.items.len()) } else { (already(&action, &name), ids.len()) };
                let what = match (count, title) {
                    (1, Some(title)) => format!("{name}: {title}"),
                    (n, _) => format!("{name}: {n} items"),
                };
                if undoable && changed {
                    keep_step(tx, &what, back.items.first().map(|before| before.id), back, now)?;
                }
                Ok((what, ids, changed))
            })
            .await?;
        self.after_change(&ids).await;
        Ok(Undoable {
            what,
            item: ids.first().copied(),
            until: None,
            sending: None,
            unchanged: !changed,
            to: Vec::new(),
        })
    }

    /// Undo: takes the last step back. Where that is too late (a message that
    /// was sent), it only says so; the step before it is for the next time.
    pub(crate) async fn take_back(self: &Arc<Self>) -> Result<Undone, Failure> {
        let (now, computer, zone) = (self.now(), self.computer_zone(), self.zone().await);
        // A lone command finds out when it sends.
        let connected = !self.background || self.live().connection == Connection::Live;
        let files = self.files.clone();
        let undone = self.write(move |tx| {
            let mut late = Vec::new();
            while let Some(step) = undo::last(tx)? {
                let way = way_back(tx, &step, &files, connected, now)?;
                if way.is_some() && !late.is_empty() {
                    return Ok(Err(not_possible(too_late(&late, Some(&step.what)))));
                }
                undo::set_used(tx, step.id)?;
                match way {
                    Some(way) => {
                        let undone = restore(tx, &step, way, zone, now)?;
                        dues::settle(tx, computer)?;
                        return Ok(Ok(undone));
                    }
                    None => late.push(step.what),
                }
            }
            // That they were left is kept, so that they are not said again.
            let nothing = || "there is nothing to undo".to_owned();
            Ok(Err(not_possible(if late.is_empty() { nothing() } else { too_late(&late, None) })))
        });
        let (undone, ids) = undone.await??;
        self.after_change(&ids).await;
        Ok(undone)
    }

    pub(crate) async fn snooze_choices_for(&self, id: &str) -> Result<Vec<SnoozeChoice>, Failure> {
        let id = id.to_owned();
        self.read(move |db| resolve(db, &id)).await?;
        let schedule = self.schedule_or_proposed().await;
        let choices = meantime_model::snooze::choices(self.now(), &schedule);
        Ok(choices.into_iter().map(|c| SnoozeChoice { label: c.label.to_owned(), until: c.until }).collect())
    }

    /// The action with words about time made into an instant.
    async fn resolved(&self, action: Action) -> Result<Action, Failure> {
        let now = self.now();
        let until = match &action {
            Action::SnoozeFor { words } => {
                let schedule = self.schedule_or_proposed().await;
                meantime_model::snooze::parse(words, now, &schedule)
                    .map_err(|e| Failure::new(FailureCode::Invalid, e.to_string()))?
            }
            Action::Snooze { until } => *until,
            _ => return Ok(action),
        };
        if until <= now {
            return Err(Failure::new(FailureCode::Invalid, "that time is over already: choose one in the future"));
        }
        Ok(Action::Snooze { until })
    }

    /// Wakes whoever has to act on a change of these items.
    pub(crate) async fn after_change(self: &Arc<Self>, ids: &[ItemId]) {
        self.reschedule.notify_one();
        self.withdraw_notices(ids.to_vec()).await;
        self.send_what_is_ready().await;
        let mut tags = vec![Tag::Inbox, Tag::Status];
        tags.extend(ids.iter().take(50).copied().map(Tag::Item));
        self.tell(&tags);
    }
}

/// Keeps a step for undo.
pub(crate) fn keep_step(
    tx: &Tx<'_>,
    what: &str,
    item: Option<ItemId>,
    mut back: Back,
    at: DateTime<Utc>,
) -> Result<(), Failure> {
    back.scheduled = scheduled::of(tx, &back.unsent)?;
    let back = serde_json::to_value(back).map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))?;
    undo::push(tx, &undo::NewStep { what, item, forward: &serde_json::Value::Null, back: &back, at })?;
    Ok(())
}

/// How a step is taken back.
struct WayBack {
    back: Back,
    /// Its items that are still there, as they were and as they are.
    there: Vec<(State, item::Item)>,
    /// Nothing of it was sent yet; else it is at the server, and unseen.
    unsent: bool,
}

/// None where its words are on their way to others, or its items are gone.
fn way_back(
    db: &Read<'_>,
    step: &undo::Step,
    files: &Files,
    connected: bool,
    now: DateTime<Utc>,
) -> Result<Option<WayBack>, Failure> {
    let Ok(back) = serde_json::from_value::<Back>(step.back.clone()) else { return Ok(None) };
    let mut there = Vec::with_capacity(back.items.len());
    for past in &back.items {
        there.extend(item::get(db, past.id)?.map(|current| (past.clone(), current)));
    }
    if there.is_empty() && back.unsent.is_empty() {
        return Ok(None);
    }
    let unsent = out::can_take_back(db, &back.unsent)?;
    // The copies of what was sent may be swept already.
    let unseen = || -> Result<bool, Failure> {
        let whole = back.files.iter().all(|file| files.has(&file.sha256, file.bytes));
        Ok(connected && whole && scheduled::are_unseen(db, &back.scheduled, now)?)
    };
    let possible = unsent || unseen()?;
    Ok(possible.then_some(WayBack { back, there, unsent }))
}

/// Makes everything as it was before a step.
fn restore(
    tx: &Tx<'_>,
    step: &undo::Step,
    way: WayBack,
    zone: Zone,
    now: DateTime<Utc>,
) -> Result<(Undone, Vec<ItemId>), Failure> {
    let WayBack { back, there, unsent } = way;
    if unsent {
        for id in &back.unsent {
            out::take_back(tx, *id, now)?;
        }
    } else {
        scheduled::delete(tx, &back.scheduled, now)?;
    }
    if let Some((item, text)) = &back.draft {
        let written = Written { text, files: &back.files, thread: back.thread.as_ref(), answer: back.answer.as_ref() };
        give_back(tx, *item, &written, now)?;
    }
    let mut ids = Vec::new();
    let mut is_now = back.draft.is_some().then(|| "Not sent, the text is yours again".to_owned());
    for (past, current) in there {
        ids.push(past.id);
        is_now.get_or_insert_with(|| past.undone(&current, |at| moment(zone, at, now)));
        let past = past.keeping_news(&current);
        past.put(tx, now)?;
        past.hand_over_again(tx)?;
    }
    ids.extend(step.item.filter(|id| !ids.contains(id)));
    let of = step.what.split_once(": ").map_or(step.what.as_str(), |(_, of)| of);
    let said = format!("{}: {of}", is_now.as_deref().unwrap_or("As before"));
    Ok((Undone { said, what: step.what.clone(), item: step.item }, ids))
}

/// `too late to undo “Sent: Contract”; undo again for “Done: Lunch”`: the
/// steps that were left, the last one first, and what is next.
fn too_late(steps: &[String], next: Option<&str>) -> String {
    let what = match steps {
        [last, earlier @ .., first] if !earlier.is_empty() => {
            format!("“{last}”, “{first}” and {} more between them", earlier.len())
        }
        _ => steps.iter().map(|what| format!("“{what}”")).collect::<Vec<_>>().join(" and "),
    };
    let next = next.map(|next| format!("; undo again for “{next}”")).unwrap_or_default();
    format!("too late to undo {what}{next}")
}

fn not_possible(message: String) -> Failure {
    Failure::new(FailureCode::NotPossible, message)
}

fn get(tx: &Tx<'_>, id: ItemId) -> Result<item::Item, Failure> {
    item::get(tx, id)?.ok_or_else(|| Failure::new(FailureCode::NotFound, "that item is gone"))
}

fn name(action: &Action, moment: impl FnOnce(DateTime<Utc>) -> String) -> String {
    let name = match action {
        Action::Snooze { until } => return format!("Snoozed until {}", moment(*until)),
        // Its words were made into an instant before.
        Action::SnoozeFor { .. } => "Snoozed",
        Action::Done => "Done",
        Action::NotDone => "Back in the inbox",
        Action::Read => "Read",
        Action::Unread => "Unread",
        Action::Mute => "Muted",
        Action::Unmute => "No longer muted",
        Action::Urgency { urgency: Urgency::Red } => "Urgent",
        Action::Urgency { urgency: Urgency::Yellow } => "Standard",
        Action::Urgency { urgency: Urgency::Green } => "For information",
    };
    name.to_owned()
}

/// What is said where an action changed nothing.
fn already(action: &Action, name: &str) -> String {
    match action {
        Action::NotDone => "In the inbox already".to_owned(),
        Action::Unmute => "Not muted".to_owned(),
        _ => format!("{name} already"),
    }
}

/// As the window writes times: `15:00` today, `Tue 09:00` within a week, else
/// with the date.
fn moment(zone: Zone, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (local, today) = (zone.local(at), zone.local(now).date());
    let day = match local.date().signed_duration_since(today).num_days() {
        0 => "",
        -6..=6 => "%a ",
        _ if local.year() == today.year() => "%-d %b ",
        _ => "%-d %b %Y ",
    };
    local.format(&format!("{day}%H:%M")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_in_the_window() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let now = at("2026-12-29T10:00:00Z");
        for (then, want) in [
            ("2026-12-29T15:00:00Z", "15:00"),
            ("2026-12-30T09:00:00Z", "Wed 09:00"),
            ("2027-01-04T09:00:00Z", "Mon 09:00"),
            ("2027-01-05T09:00:00Z", "5 Jan 2027 09:00"),
            ("2026-12-20T09:00:00Z", "20 Dec 09:00"),
        ] {
            assert_eq!(moment(Zone::UTC, at(then), now), want);
        }
    }
}
