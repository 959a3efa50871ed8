//! One pull: what changed in the inbox, the archive and the sent mail since
//! the cursor, else the next piece of the backfill.
//!
//! The server is asked in the order inbox, archive, sent; a message that
//! moves in between is seen twice or in the next pull, never lost. Nothing
//! is changed on the server.

use crate::config::MailboxConfig;
use crate::cursor::{Forward, Inbox, Known, State};
use crate::folders::Folders;
use crate::identity::{header_fields, message_name};
use crate::read::{Open, Read, Reader, locate, naming_items};
use crate::session::{Mailbox, Selected, uid_set};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_source::{Budget, Change, Flags, Page, SourceError, SourceResult};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// How far back the first read goes.
pub const BACKFILL_DAYS: i64 = 90;
/// How many messages of the inbox the first read takes at most.
pub const BACKFILL_INBOX: usize = 5_000;
/// How many messages each of the archive and the sent mail.
pub const BACKFILL_OTHER: usize = 1_000;
/// The first page is small: something to see at once.
pub const FIRST_PAGE: usize = 25;
/// Without CONDSTORE: the flags of this many of the newest are compared.
pub const FLAG_WINDOW: usize = 500;

/// What being in the archive says of a message.
const ARCHIVED: Flags = Flags { read: false, done: true };
/// What being in the sent mail says: nothing is to be done about it.
const SENT: Flags = Flags { read: true, done: true };

/// Pulls one page.
pub async fn pull(
    mailbox: &mut Mailbox,
    config: &MailboxConfig,
    folders: &Folders,
    state: Option<State>,
    budget: Budget,
    now: DateTime<Utc>,
) -> SourceResult<Page> {
    let first = state.is_none();
    let mut pull = Pull { mailbox, config, state: state.unwrap_or_default(), budget, now };
    let mut changes = Vec::new();
    let mut unfinished = false;
    if first {
        pull.begin().await?;
    } else {
        unfinished = pull.news(&mut changes).await?;
    }
    let arrived = pull.forward(folders, &mut changes).await?;
    unfinished |= arrived;
    let backfill = changes.is_empty() && !unfinished;
    if backfill {
        let size = if first { FIRST_PAGE.min(budget.changes) } else { budget.changes };
        pull.backfill(size.max(1), &mut changes).await?;
    }
    let state = pull.state;
    Ok(Page {
        more: unfinished || state.backfilling(),
        backfill: first || (backfill && !changes.is_empty()),
        changes,
        next: state.write()?,
        poll_after: None,
        trouble: None,
    })
}

struct Pull<'a> {
    mailbox: &'a mut Mailbox,
    config: &'a MailboxConfig,
    state: State,
    budget: Budget,
    now: DateTime<Utc>,
}

impl Pull<'_> {
    /// The first time: what there is now is backfill, what comes from here on is news.
    async fn begin(&mut self) -> SourceResult<()> {
        let selected = self.open_inbox().await?;
        let (uidnext, todo) = self.recent(selected, BACKFILL_INBOX).await?;
        self.state.inbox = Inbox {
            uidvalidity: selected.uidvalidity,
            uidnext,
            modseq: selected.modseq,
            exists: None,
            known: BTreeMap::new(),
            todo,
        };
        Ok(())
    }

    async fn open_inbox(&mut self) -> SourceResult<Selected> {
        let selected = self.mailbox.select("INBOX", false).await?;
        if selected.uidvalidity == 0 {
            return Err(SourceError::Permanent(format!(
                "{} gives messages no lasting numbers (UIDs); Meantime can't read such a server.",
                self.config.imap.host
            )));
        }
        Ok(selected)
    }

    /// Where news begin in the open mailbox, and which messages before that are recent.
    async fn recent(&mut self, selected: Selected, at_most: usize) -> SourceResult<(u32, Vec<u32>)> {
        let since = (self.now - TimeDelta::days(BACKFILL_DAYS)).format("%-d-%b-%Y");
        let found = self.mailbox.search(&format!("SINCE {since}")).await?;
        let uidnext = match selected.uidnext {
            Some(uidnext) => uidnext,
            None => self.mailbox.search("ALL").await?.last().map_or(1, |last| last.saturating_add(1)),
        };
        let mut recent: Vec<u32> = found.into_iter().filter(|uid| *uid < uidnext).collect();
        recent.drain(..recent.len().saturating_sub(at_most));
        Ok((uidnext, recent))
    }

    /// Inbox: flags, new messages, vanished ones. True where some are left
    /// for the next page.
    async fn news(&mut self, changes: &mut Vec<Change>) -> SourceResult<bool> {
        let selected = self.open_inbox().await?;
        if selected.uidvalidity != self.state.inbox.uidvalidity {
            return Err(SourceError::CursorInvalid);
        }
        let counted = selected.modseq.is_some() && selected.modseq == self.state.inbox.modseq;
        let nothing_came =
            selected.uidnext == Some(self.state.inbox.uidnext) && self.state.inbox.exists == Some(selected.exists);
        if !counted {
            self.flags(selected, changes).await?;
        }
        if nothing_came {
            return Ok(false);
        }
        let low = self.state.inbox.known.keys().next().copied().unwrap_or(self.state.inbox.uidnext);
        let low = low.min(self.state.inbox.uidnext);
        // "n:*" always has the last message in it, even where that is older.
        let mut present = self.mailbox.search(&format!("UID {low}:*")).await?;
        present.retain(|uid| *uid >= low);
        let new: Vec<u32> = present.range(self.state.inbox.uidnext..).copied().collect();
        let taken: Vec<u32> = new.iter().copied().take(self.budget.changes.max(1)).collect();
        let read = self.reader("INBOX", selected.uidvalidity, Flags::default()).upwards(&taken).await?;
        let done_with = read.through.unwrap_or_default();
        for Read { uid, incoming } in read.messages {
            self.state.inbox.learn(uid, incoming.message.upstream.clone(), incoming.message.flags);
            changes.push(Change::Message(Box::new(incoming)));
        }
        let last_new = new.last().copied();
        if done_with > 0 {
            self.state.inbox.uidnext = done_with.saturating_add(1);
        }
        let vanished: Vec<u32> = self
            .state
            .inbox
            .known
            .keys()
            .filter(|uid| !present.contains(uid) && **uid < self.state.inbox.uidnext)
            .copied()
            .collect();
        let gone_left = self.vanished(&vanished, changes).await?;
        let unfinished = gone_left || last_new.is_some_and(|last| last > done_with);
        if !unfinished && let Some(uidnext) = selected.uidnext {
            self.state.inbox.uidnext = self.state.inbox.uidnext.max(uidnext);
        }
        self.state.inbox.exists = (!unfinished).then_some(selected.exists);
        Ok(unfinished)
    }

    /// Inbox: flags that changed on messages that were handed out.
    async fn flags(&mut self, selected: Selected, changes: &mut Vec<Change>) -> SourceResult<()> {
        let inbox = &self.state.inbox;
        let Some((low, high)) = inbox.known.keys().next().zip(inbox.known.keys().next_back()) else {
            self.state.inbox.modseq = selected.modseq;
            return Ok(());
        };
        let changed = match (inbox.modseq, selected.modseq) {
            (Some(since), Some(_)) if self.mailbox.can("CONDSTORE") => {
                self.mailbox.fetch(&format!("{low}:{high}"), &format!("(UID FLAGS) (CHANGEDSINCE {since})")).await?
            }
            _ => {
                let window = inbox.known.keys().rev().take(FLAG_WINDOW).copied();
                self.mailbox.fetch(&uid_set(window), "(UID FLAGS)").await?
            }
        };
        for (uid, fetched) in changed {
            let Some(Known(name, flags)) = self.state.inbox.known.get_mut(&uid) else { continue };
            if *flags != fetched.flags {
                *flags = fetched.flags;
                changes.push(Change::Flags { message: name.clone(), flags: fetched.flags });
            }
        }
        self.state.inbox.modseq = selected.modseq;
        Ok(())
    }

    /// Messages that left the inbox: archived or deleted? True where some are
    /// left for the next page.
    async fn vanished(&mut self, uids: &[u32], changes: &mut Vec<Change>) -> SourceResult<bool> {
        let room = self.budget.changes.max(1);
        let gone: Vec<Known> = uids.iter().take(room).filter_map(|uid| self.state.inbox.known.remove(uid)).collect();
        if gone.is_empty() {
            return Ok(false);
        }
        // A second copy of the message may still be there.
        let kept: HashSet<&String> = self.state.inbox.known.values().map(|Known(name, _)| name).collect();
        let names: BTreeSet<String> =
            gone.into_iter().map(|Known(name, _)| name).filter(|name| !kept.contains(name)).collect();
        let archived = match self.state.archive.as_ref().map(|archive| archive.name.clone()) {
            Some(archive) => {
                self.mailbox.select(&archive, false).await?;
                locate(self.mailbox, &names).await?
            }
            None => BTreeMap::new(),
        };
        for message in names {
            changes.push(match archived.get(&message) {
                Some((_, flags)) => Change::Flags { message, flags: Flags { read: flags.read, done: true } },
                None => Change::Gone { message },
            });
        }
        Ok(uids.len() > room)
    }

    /// Archive and sent mail: what came. True where some is left.
    async fn forward(&mut self, folders: &Folders, changes: &mut Vec<Change>) -> SourceResult<bool> {
        let mut unfinished = false;
        let archive = self.state.archive.take();
        let (archive, left) = self.forward_one(archive, folders.archive.as_deref(), ARCHIVED, changes).await?;
        self.state.archive = archive;
        unfinished |= left;
        let sent = self.state.sent.take();
        let (sent, left) = self.forward_one(sent, folders.sent.as_deref(), SENT, changes).await?;
        self.state.sent = sent;
        Ok(unfinished | left)
    }

    async fn forward_one(
        &mut self,
        before: Option<Forward>,
        name: Option<&str>,
        flags: Flags,
        changes: &mut Vec<Change>,
    ) -> SourceResult<(Option<Forward>, bool)> {
        let Some(name) = name else { return Ok((None, false)) };
        let told = self.mailbox.status(name).await?;
        let Some(mut forward) = before.filter(|known| known.name == name && known.uidvalidity == told.uidvalidity)
        else {
            // New to us, or made anew: what is in it is backfill.
            let selected = self.mailbox.select(name, false).await?;
            let (uidnext, todo) = self.recent(selected, BACKFILL_OTHER).await?;
            let forward = Forward { name: name.to_owned(), uidvalidity: selected.uidvalidity, uidnext, todo };
            return Ok((Some(forward), false));
        };
        if told.uidnext == Some(forward.uidnext) {
            return Ok((Some(forward), false));
        }
        self.mailbox.select(name, false).await?;
        let mut new = self.mailbox.search(&format!("UID {}:*", forward.uidnext)).await?;
        new.retain(|uid| *uid >= forward.uidnext);
        let taken: Vec<u32> = new.iter().copied().take(self.budget.changes.max(1)).collect();
        let Some(through) = taken.last().copied() else {
            forward.uidnext = told.uidnext.unwrap_or(forward.uidnext);
            return Ok((Some(forward), false));
        };
        // Most that comes here left the inbox just now: named first, so that
        // it need not be fetched again.
        let named = self.mailbox.fetch(&uid_set(taken.iter().copied()), &naming_items()).await?;
        let in_inbox: HashSet<&str> = self.state.inbox.known.values().map(|Known(name, _)| name.as_str()).collect();
        let told_already: HashSet<String> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Flags { message, .. } => Some(message.clone()),
                _ => None,
            })
            .collect();
        let unknown: Vec<u32> = named
            .iter()
            .filter(|(_, fetched)| {
                let name = fetched.raw.as_deref().map(header_fields).and_then(|fields| message_name(&fields));
                !name.is_some_and(|name| in_inbox.contains(name.as_str()) || told_already.contains(&name))
            })
            .map(|(uid, _)| *uid)
            .collect();
        let read = self.reader(name, forward.uidvalidity, flags).upwards(&unknown).await?;
        // Where the byte budget ended the page early, the rest comes next time.
        let through = match read.through {
            Some(reached) if unknown.last().is_some_and(|last| *last > reached) => reached,
            _ => through,
        };
        changes.extend(read.messages.into_iter().map(|read| Change::Message(Box::new(read.incoming))));
        forward.uidnext = through.saturating_add(1);
        let left = new.last().is_some_and(|last| *last > through);
        if !left {
            forward.uidnext = forward.uidnext.max(told.uidnext.unwrap_or_default());
        }
        Ok((Some(forward), left))
    }

    /// The next piece of the backfill, newest first: inbox, sent, archive.
    async fn backfill(&mut self, size: usize, changes: &mut Vec<Change>) -> SourceResult<()> {
        if !self.state.inbox.todo.is_empty() {
            let batch = newest(&mut self.state.inbox.todo, size);
            self.mailbox.select("INBOX", false).await?;
            let uidvalidity = self.state.inbox.uidvalidity;
            let read = self.reader("INBOX", uidvalidity, Flags::default()).downwards(&batch).await?;
            self.state.inbox.todo.extend(read.left);
            for Read { uid, incoming } in read.messages {
                self.state.inbox.learn(uid, incoming.message.upstream.clone(), incoming.message.flags);
                changes.push(Change::Message(Box::new(incoming)));
            }
            return Ok(());
        }
        for (sent, flags) in [(true, SENT), (false, ARCHIVED)] {
            let forward = if sent { self.state.sent.as_mut() } else { self.state.archive.as_mut() };
            let Some(forward) = forward.filter(|forward| !forward.todo.is_empty()) else { continue };
            let batch = newest(&mut forward.todo, size);
            let (name, uidvalidity) = (forward.name.clone(), forward.uidvalidity);
            self.mailbox.select(&name, false).await?;
            let read = self.reader(&name, uidvalidity, flags).downwards(&batch).await?;
            let in_inbox: HashSet<&str> = self.state.inbox.known.values().map(|Known(name, _)| name.as_str()).collect();
            for Read { incoming, .. } in read.messages {
                // "All mail" has the inbox in it too; the inbox goes first.
                if !in_inbox.contains(incoming.message.upstream.as_str()) {
                    changes.push(Change::Message(Box::new(incoming)));
                }
            }
            let forward = if sent { self.state.sent.as_mut() } else { self.state.archive.as_mut() };
            if let Some(forward) = forward {
                forward.todo.extend(read.left);
            }
            return Ok(());
        }
        Ok(())
    }

    fn reader<'b>(&'b mut self, name: &'b str, uidvalidity: u32, flags: Flags) -> Reader<'b> {
        let (bytes, now) = (self.budget.bytes, self.now);
        Reader { mailbox: self.mailbox, config: self.config, open: Open { name, uidvalidity, flags }, bytes, now }
    }
}

/// Takes up to `size` from the end.
fn newest(todo: &mut Vec<u32>, size: usize) -> Vec<u32> {
    todo.split_off(todo.len().saturating_sub(size))
}
