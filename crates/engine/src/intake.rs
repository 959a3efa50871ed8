//! What comes in: a page of a source goes into the store, and in the same
//! transaction every message that is new is judged. It notifies, stays quiet,
//! or is held by the running block.

use crate::api::{Failure, Tag};
use crate::dues;
use crate::engine::Engine;
use crate::notices::Body;
use crate::people::Team;
use chrono::{DateTime, Utc};
use meantime_model::focus::{self as rule, Arrival, Decision, Sender};
use meantime_model::{AccountId, ItemId, Urgency};
use meantime_source as source;
use meantime_store::{Read, Tx, focus, ingest, item, message, note, notice};
use std::sync::Arc;

/// What the judging of new messages needs to know, read once a page.
pub(crate) struct Judge {
    list: rule::MayInterrupt,
    team: Option<Team>,
    now: DateTime<Utc>,
}

impl Engine {
    /// A page of an account, with its cursor.
    pub(crate) async fn take_in(self: &Arc<Self>, account: AccountId, page: source::Page) -> Result<(), Failure> {
        let (now, computer) = (self.now(), self.computer_zone());
        let store = self.store.clone();
        let touched = crate::engine::blocking(move || {
            store.write_bulk(|tx| {
                let judge = Judge::read(tx, now)?;
                let page = stored_page(page, &judge.list, now);
                forget_local_copies(tx, account, &page)?;
                let done = ingest::ingest(tx, account, &page, now)?;
                dues::settle(tx, computer)?;
                for fresh in &done.fresh {
                    let ingest::Fresh { item, key, backfill, seen, .. } = *fresh;
                    judge.take(tx, (item, key), backfill, seen)?;
                }
                Ok::<_, Failure>(done.touched)
            })
        })
        .await?;
        self.after_arrival(&touched).await;
        Ok(())
    }

    /// Tells everybody, and shows what is to be shown.
    pub(crate) async fn after_arrival(self: &Arc<Self>, touched: &[ItemId]) {
        if touched.is_empty() {
            return;
        }
        self.notices.notify_one();
        let mut tags = vec![Tag::Inbox, Tag::Status, Tag::Focus];
        tags.extend(touched.iter().take(50).copied().map(Tag::Item));
        self.tell(&tags);
    }
}

impl Judge {
    /// What is needed to judge what comes in now.
    pub(crate) fn read(db: &Read<'_>, now: DateTime<Utc>) -> Result<Self, Failure> {
        let settings = crate::profile::settings(db)?;
        let list = rule::MayInterrupt::new(settings.may_interrupt, settings.may_interrupt_addresses);
        Ok(Self { list, team: Team::load(db)?, now })
    }

    /// Decides about one new message (its item and key), in the transaction
    /// that brought it. `backfill`: it is no news; `seen`: nor to me.
    pub(crate) fn take(
        &self,
        tx: &Tx<'_>,
        (item, key): (ItemId, i64),
        backfill: bool,
        seen: bool,
    ) -> Result<(), Failure> {
        let (Some(item), Some(message)) = (item::get(tx, item)?, message::get(tx, key)?) else {
            return Ok(());
        };
        let sender = match message.person {
            Some(person) => Sender::Person(person),
            None if message.address.is_empty() => Sender::Nobody,
            None => Sender::Address(message.address.clone()),
        };
        let arrival = Arrival {
            urgency: item.urgency,
            sender,
            own: message.own,
            addressed: item.addressed || item.asks_me,
            answers_me: item.own,
            backfill,
            seen,
            muted: item.muted,
        };
        let block = focus::running(tx)?.as_ref().map(crate::focus::running);
        match rule::decide(&arrival, &rule::State { block, list: self.list.clone() }) {
            Decision::Quiet { .. } => Ok(()),
            Decision::Notify { .. } => self.alert(tx, &item, &message),
            Decision::BreakThrough { why } => {
                item::set_why(tx, item.id, &format!("came through: {why}"))?;
                self.alert(tx, &item, &message)
            }
            Decision::Hold { block, .. } => {
                let hold = focus::Hold {
                    item: item.id,
                    arrived: 1,
                    urgency: item.urgency,
                    reply: item.own || message::wrote_in(tx, item.id)?,
                    asks_me: item.asks_me,
                    due: item.due,
                    first_at: self.now,
                };
                Ok(focus::hold(tx, block, &hold)?)
            }
        }
    }

    fn alert(&self, tx: &Tx<'_>, item: &item::Item, message: &message::Message) -> Result<(), Failure> {
        let author = match (&self.team, message.person) {
            (Some(team), Some(person)) => team.name(person),
            _ => message.author.clone(),
        };
        let title = if author.is_empty() { item.title.clone() } else { format!("{author}: {}", item.title) };
        let body = Body {
            text: note::start_of(&message.text, message.person.is_some()),
            urgent: item.urgency == Urgency::Red,
            block: None,
        };
        notice::push(
            tx,
            &notice::NewNotice {
                key: &format!("alert:{}:{}", item.id, message.upstream),
                kind: "alert",
                item: Some(item.id),
                title: &title,
                body: &serde_json::to_value(body).unwrap_or_default(),
                at: self.now,
            },
        )?;
        Ok(())
    }
}

/// An answer of mine was shown from the moment it was typed; now its source
/// has brought the copy that counts.
fn forget_local_copies(tx: &Tx<'_>, account: AccountId, page: &ingest::Page) -> Result<(), Failure> {
    for change in &page.changes {
        let ingest::Change::Message(incoming) = change else { continue };
        let Some(op) = source::op::sent_by(&incoming.message.upstream).filter(|_| incoming.message.own) else {
            continue;
        };
        if let Some(local) = message::by_upstream(tx, account, &source::op::reply_id(op))? {
            message::remove(tx, local.key)?;
        }
    }
    Ok(())
}

/// A source's page as the store takes it: here the rules of urgency for
/// sources that have none of their own come in.
fn stored_page(page: source::Page, list: &rule::MayInterrupt, now: DateTime<Utc>) -> ingest::Page {
    ingest::Page {
        backfilled: !(page.backfill && page.more),
        backfill: page.backfill,
        cursor: page.next.0,
        changes: page.changes.into_iter().map(|change| stored_change(change, list, now)).collect(),
    }
}

/// `list`: whose word is taken that something is urgent. Urgent is rare by
/// agreement, and with whoever else writes there is none.
pub(crate) fn stored_change(change: source::Change, list: &rule::MayInterrupt, now: DateTime<Utc>) -> ingest::Change {
    match change {
        source::Change::Flags { message, flags } => {
            ingest::Change::Flags { message, read: flags.read, done: flags.done }
        }
        source::Change::Gone { message } => ingest::Change::Gone { message },
        source::Change::Message(incoming) => {
            let source::change::Incoming { item, message } = *incoming;
            let by_rule = if item.addressed { Urgency::Yellow } else { Urgency::Green };
            let believed = |urgency: &Urgency| {
                *urgency != Urgency::Red || list.has(&Sender::Address(message.author.address.clone()))
            };
            ingest::Change::Message(Box::new(ingest::Incoming {
                conversation: item.upstream,
                title: item.title.clone(),
                place: item.place,
                urgency: item.urgency.filter(believed).unwrap_or(by_rule),
                addressed: item.addressed,
                message: stored_message(message, item.title, now),
            }))
        }
    }
}

fn stored_message(message: source::Message, title: String, now: DateTime<Utc>) -> message::NewMessage {
    let person = |p: source::Person| message::Correspondent { name: p.name, address: p.address };
    let people = |people: Vec<source::Person>| people.into_iter().map(person).collect();
    let mut author = person(message.author);
    if author.name.is_empty() {
        author.name.clone_from(&author.address);
    }
    message::NewMessage {
        upstream: message.upstream,
        title,
        author,
        person: None,
        to: people(message.to),
        cc: people(message.cc),
        reply_to: people(message.reply_to),
        own: message.own,
        at: message.at.min(now),
        text: message.text,
        html: message.html,
        attachments: message
            .attachments
            .into_iter()
            .map(|a| message::Attachment { name: a.name, media_type: a.media_type, bytes: a.bytes, sha256: None })
            .collect(),
        read: message.flags.read,
        done: message.flags.done,
        unreadable: message.unreadable,
        link: message.link,
        visible_from: None,
        outbox: None,
    }
}
