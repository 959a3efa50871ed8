//! The person's own state of an item: done, snoozed, muted, read. Changing it
//! is one step for every source: the store, the other devices (a mark in the
//! person's own feed), and the source itself where it can.

use crate::api::{Action, Failure};
use crate::out::{self, Change};
use crate::people;
use chrono::{DateTime, Utc};
use meantime_model::{BlockId, ItemId, Urgency};
use meantime_protocol::{Fields, Kind};
use meantime_source::What;
use meantime_store::account::AccountKind;
use meantime_store::{Tx, focus, item, message};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The person's own state of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) id: ItemId,
    done: bool,
    snoozed_until: Option<DateTime<Utc>>,
    muted: bool,
    own_urgency: Option<Urgency>,
    unread: bool,
    /// It stood under what that block handed over, not looked at.
    #[serde(default)]
    handed_block: Option<BlockId>,
}

impl State {
    pub(crate) fn of(item: &item::Item) -> Self {
        Self {
            id: item.id,
            done: item.done,
            snoozed_until: item.snoozed_until,
            muted: item.muted,
            own_urgency: item.own_urgency.filter(|own| !spent(item, *own)),
            unread: item.unread,
            handed_block: item.handed_block,
        }
    }

    /// The state after an action.
    pub(crate) fn after(mut self, action: &Action) -> Self {
        match action {
            Action::Done => (self.done, self.unread) = (true, false),
            Action::NotDone => (self.done, self.snoozed_until) = (false, None),
            Action::Snooze { until } => (self.done, self.snoozed_until) = (false, Some(*until)),
            // Its words were made into an instant before.
            Action::SnoozeFor { .. } => {}
            Action::Read => self.unread = false,
            Action::Unread => self.unread = true,
            Action::Mute => (self.muted, self.done, self.unread) = (true, true, false),
            Action::Unmute => self.muted = false,
            Action::Urgency { urgency } => self.own_urgency = Some(*urgency),
        }
        self
    }

    /// Answered: read, and done if the person said so.
    pub(crate) fn answered(mut self, done: bool) -> Self {
        self.unread = false;
        self.done |= done;
        self
    }

    /// This state, for undo: no step that can be undone makes anything unread,
    /// so what is unread now came after it and was not seen yet.
    pub(crate) fn keeping_news(mut self, current: &item::Item) -> Self {
        self.unread |= current.unread;
        self
    }

    /// Puts it back under what was held, where it stood there: once the rest of
    /// this state was [`put`](Self::put), and unless a later block has handed
    /// over since.
    pub(crate) fn hand_over_again(&self, tx: &Tx<'_>) -> Result<(), Failure> {
        let Some(block) = self.handed_block else { return Ok(()) };
        if focus::handed_over(tx)?.is_none_or(|latest| latest.id == block) {
            item::set_handed_over(tx, self.id, block)?;
        }
        Ok(())
    }

    /// How the item is once this state of it came back, in a few words.
    pub(crate) fn undone(&self, current: &item::Item, moment: impl FnOnce(DateTime<Utc>) -> String) -> String {
        let now = Self::of(current);
        let words = match (self, &now) {
            (past, now) if past.muted && !now.muted => "Muted again",
            (past, now) if !past.muted && now.muted => "No longer muted",
            (past, now) if past.own_urgency != now.own_urgency => "As urgent as before",
            (past, now) if past.done && !now.done => "Done again",
            (past, now) if past.done && now.done => "Still done",
            (past, _) if !past.done && past.snoozed_until.is_some() => {
                return past.snoozed_until.map_or_else(String::new, |at| format!("Snoozed again until {}", moment(at)));
            }
            _ => "Back in the inbox",
        };
        words.to_owned()
    }

    /// Makes this the state of the item, everywhere.
    pub(crate) fn put(&self, tx: &Tx<'_>, now: DateTime<Utc>) -> Result<(), Failure> {
        let Some(before) = item::get(tx, self.id)? else { return Ok(()) };
        let was = Self::of(&before);
        if was.own_urgency != self.own_urgency {
            item::set_own_urgency(tx, self.id, self.own_urgency, now)?;
        }
        // Looked at: it is not "handed over" any more, whatever else it is.
        item::set_looked_at(tx, self.id)?;
        if was == (Self { own_urgency: was.own_urgency, handed_block: was.handed_block, ..self.clone() }) {
            return Ok(());
        }
        // A team thread follows its mark; of other sources' items the mark is a copy.
        if before.kind != AccountKind::Team {
            self.set(tx, &was, now)?;
        }
        if before.kind == AccountKind::Imap {
            self.tell_mailbox(tx, &before, &was, now)?;
        }
        self.mark(tx, &was, now)
    }

    fn set(&self, tx: &Tx<'_>, was: &Self, now: DateTime<Utc>) -> Result<(), Failure> {
        if was.done != self.done {
            item::set_done(tx, self.id, self.done.then_some(now))?;
        }
        if was.snoozed_until != self.snoozed_until && !self.done {
            item::set_snoozed(tx, self.id, self.snoozed_until)?;
        }
        if was.muted != self.muted {
            item::set_muted(tx, self.id, self.muted)?;
        }
        match (was.unread, self.unread) {
            (true, false) => item::set_read(tx, self.id)?,
            (false, true) => item::set_unread(tx, self.id)?,
            _ => {}
        }
        Ok(())
    }

    fn tell_mailbox(&self, tx: &Tx<'_>, item: &item::Item, was: &Self, now: DateTime<Utc>) -> Result<(), Failure> {
        let messages = message::upstreams(tx, self.id)?;
        let newest = messages.first().cloned().into_iter().collect();
        let mut ops = Vec::new();
        match (was.unread, self.unread) {
            (true, false) => ops.push(What::Read { messages: messages.clone() }),
            (false, true) => ops.push(What::Unread { messages: newest }),
            _ => {}
        }
        match (was.done, self.done) {
            (false, true) => ops.push(What::Done { messages }),
            (true, false) => ops.push(What::NotDone { messages }),
            _ => {}
        }
        for what in ops {
            out::source_op(tx, item, &what, "Your change", "", None, now)?;
        }
        Ok(())
    }

    /// The mark that the person's other devices follow: what changed of it and
    /// nothing else, so that it takes nothing back that another device did
    /// meanwhile. Its times are the server's, so that a wrong clock here hides
    /// nothing.
    fn mark(&self, tx: &Tx<'_>, was: &Self, now: DateTime<Utc>) -> Result<(), Failure> {
        let Some(config) = people::config(tx)? else { return Ok(()) };
        let seen = message::seen_until(tx, self.id)?.unwrap_or(now);
        let snoozed = |state: &Self| state.snoozed_until.filter(|_| !state.done);
        let mut fields = Fields::new();
        if was.unread != self.unread {
            fields.insert("read_at".to_owned(), json!((!self.unread).then_some(seen)));
        }
        if was.done != self.done {
            fields.insert("done_at".to_owned(), json!(self.done.then_some(seen)));
        }
        if snoozed(was) != snoozed(self) {
            fields.insert("snoozed_until".to_owned(), json!(snoozed(self)));
        }
        if was.muted != self.muted {
            fields.insert("muted".to_owned(), json!(self.muted));
        }
        if fields.is_empty() {
            return Ok(());
        }
        let change = Change::new(Kind::MARK, self.id.0, fields).of(self.id, "Your mark", "");
        out::team_op(tx, &config, change, now)?;
        Ok(())
    }
}

/// My word that it is more than information counts until I answer.
fn spent(item: &item::Item, own: Urgency) -> bool {
    own != Urgency::Green && item.due.is_none() && item.no_due.is_none() && !item.waiting
}
