//! What goes out: changes for the team server and for the sources, put into
//! the outbox in the transaction that made them.

use crate::api::{Failure, FailureCode, Tag};
use crate::engine::Engine;
use crate::people::{self, TeamConfig};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::{AccountId, ItemId, OpId};
use meantime_protocol::{Attachment, Fields, Kind, Scope};
use meantime_source::{ActOutcome, FileToSend, Op, Source, SourceError, What};
use meantime_store::{Read, Tx, item, message, outbox, team};
use std::sync::Arc;
use uuid::Uuid;

/// Ops handed to a source in one go.
const BATCH: u32 = 100;
/// An op that failed in a way that may pass is ready again after this; doubles
/// with each try, to about a quarter of an hour.
const RETRY: TimeDelta = TimeDelta::seconds(2);

/// A change of one record, before it is put into the outbox.
pub(crate) struct Change {
    kind: Kind,
    id: Uuid,
    fields: Fields,
    deleted: bool,
    visible_from: Option<DateTime<Utc>>,
    not_before: Option<DateTime<Utc>>,
    circle: Option<Uuid>,
    item: Option<ItemId>,
    what: String,
    text: String,
}

impl Change {
    pub(crate) fn new(kind: Kind, id: Uuid, fields: Fields) -> Self {
        let what = format!("Your {kind}");
        Self {
            kind,
            id,
            fields,
            deleted: false,
            visible_from: None,
            not_before: None,
            circle: None,
            item: None,
            what,
            text: String::new(),
        }
    }

    /// Delivered at `visible`, and not sent before `not_before`.
    pub(crate) fn later(mut self, visible: Option<DateTime<Utc>>, not_before: DateTime<Utc>) -> Self {
        self.visible_from = visible;
        self.not_before = Some(not_before);
        self
    }

    /// For the people of a circle alone, where there is one.
    pub(crate) fn within(mut self, circle: Option<Uuid>) -> Self {
        self.circle = circle;
        self
    }

    /// Makes it a tombstone.
    pub(crate) fn deleted(mut self) -> Self {
        self.deleted = true;
        self
    }

    /// Belongs to a conversation; `text` is what was typed.
    pub(crate) fn of(mut self, item: ItemId, what: &str, text: &str) -> Self {
        self.item = Some(item);
        self.what = what.to_owned();
        self.text = text.to_owned();
        self
    }
}

/// Puts a change for the team server into the outbox; answers its row.
pub(crate) fn team_op(tx: &Tx<'_>, config: &TeamConfig, change: Change, now: DateTime<Utc>) -> Result<i64, Failure> {
    let scope = match change.circle {
        Some(circle) => Scope::Private(circle),
        None if change.kind == Kind::MARK || change.kind == Kind::SETTINGS => Scope::User(config.person),
        None => Scope::Team(config.team),
    };
    let no_team = || Failure::new(FailureCode::NotPossible, "you are in no team yet: join one first");
    let eyes = people::eyes(tx, now)?.ok_or_else(no_team)?;
    let op = outbox::NewOp {
        account: eyes.account,
        op_id: OpId::new(),
        target: outbox::Target::Record {
            scope,
            kind: change.kind,
            id: change.id,
            change: outbox::Change {
                fields: change.fields,
                base_seq: None,
                deleted: change.deleted,
                visible_from: change.visible_from,
            },
        },
        item: change.item,
        what: change.what,
        text: change.text,
        not_before: change.not_before,
        made_at: now,
    };
    Ok(team::push(tx, &eyes, &op)?.0)
}

/// Queues an answer to a mail, and shows it in its conversation at once;
/// answers its row in the outbox.
pub(crate) fn mail_reply(
    tx: &Tx<'_>,
    found: &item::Item,
    what: &What,
    text: &str,
    not_before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<i64, Failure> {
    let (id, op) = source_op(tx, found, what, "Your answer", text, Some(not_before), now)?;
    let (to, cc, files) = match what {
        What::Reply { to, cc, files, .. } => (to.as_slice(), cc.as_slice(), files.as_slice()),
        _ => (&[][..], &[][..], &[][..]),
    };
    let file = |f: &FileToSend| message::Attachment {
        name: f.name.clone(),
        media_type: f.media_type.clone(),
        bytes: f.bytes,
        sha256: None,
    };
    let person =
        |p: &meantime_source::Person| message::Correspondent { name: p.name.clone(), address: p.address.clone() };
    let own = message::NewMessage {
        // The source sends it under a name made of the same id, so that the
        // copy it finds in Sent later is this message.
        upstream: meantime_source::op::reply_id(op),
        title: found.title.clone(),
        author: message::Correspondent { name: "You".to_owned(), address: String::new() },
        person: None,
        to: to.iter().map(person).collect(),
        cc: cc.iter().map(person).collect(),
        reply_to: Vec::new(),
        own: true,
        at: now,
        text: text.to_owned(),
        html: None,
        attachments: files.iter().map(file).collect(),
        read: true,
        done: false,
        unreadable: None,
        link: None,
        visible_from: None,
        outbox: Some(id),
    };
    message::put_own(tx, found.account, found.id, &own)?;
    Ok(id)
}

/// A file of an answer as it waits in the outbox: where its copy lies is told
/// when it goes.
pub(crate) fn named_by_hash(file: &Attachment) -> FileToSend {
    let Attachment { sha256, name, media_type, bytes } = file.clone();
    FileToSend { name, media_type, bytes, path: sha256.to_string().into() }
}

/// Puts a change for an item's own source into the outbox.
pub(crate) fn source_op(
    tx: &Tx<'_>,
    item: &item::Item,
    what: &What,
    words: &str,
    text: &str,
    not_before: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(i64, OpId), Failure> {
    let body = serde_json::to_value(what).map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))?;
    let op = outbox::NewOp {
        account: item.account,
        op_id: OpId::new(),
        target: outbox::Target::Source(body),
        item: Some(item.id),
        what: format!("{words}: {}", item.title),
        text: text.to_owned(),
        not_before,
        made_at: now,
    };
    Ok((outbox::push(tx, &op)?, op.op_id))
}

/// Whether none of these has begun to go out.
pub(crate) fn can_take_back(db: &Read<'_>, ids: &[i64]) -> Result<bool, Failure> {
    for id in ids {
        let waits = |entry: &outbox::Entry| entry.state == outbox::State::Waiting && entry.attempts == 0;
        if !outbox::get(db, *id)?.as_ref().is_some_and(waits) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes unsent words back. Too late for one is no error: it is on its way.
pub(crate) fn take_back(tx: &Tx<'_>, id: i64, now: DateTime<Utc>) -> Result<Option<outbox::Entry>, Failure> {
    let Some(entry) = outbox::withdraw(tx, id)? else { return Ok(None) };
    shown_again(tx, &entry, now)?;
    Ok(Some(entry))
}

/// After an entry of the outbox was withdrawn, let go or tried again: what is
/// shown follows.
pub(crate) fn shown_again(tx: &Tx<'_>, entry: &outbox::Entry, now: DateTime<Utc>) -> Result<(), Failure> {
    match &entry.op.target {
        outbox::Target::Record { .. } => {
            if let Some(eyes) = people::eyes(tx, now)? {
                team::replay(tx, &eyes, entry)?;
            }
        }
        outbox::Target::Source(_) => {
            let upstream = meantime_source::op::reply_id(entry.op.op_id);
            let gone = outbox::get(tx, entry.id)?.is_none();
            if let Some(own) = message::by_upstream(tx, entry.op.account, &upstream)?.filter(|_| gone) {
                message::remove(tx, own.key)?;
            }
        }
    }
    Ok(())
}

/// What keeps changes from getting through for now.
#[derive(Clone)]
struct Obstacle {
    /// Tried again then; `None`: once the person did something.
    again: Option<DateTime<Utc>>,
    code: String,
    message: String,
}

impl Engine {
    /// Wakes whoever sends: the accounts that have something ready, and sync.
    pub(crate) async fn send_what_is_ready(&self) {
        self.changed.store(true, std::sync::atomic::Ordering::Relaxed);
        let now = self.now();
        let ids: Vec<AccountId> = self.live().accounts.keys().copied().collect();
        let ready = self.read(move |db| {
            let mut out = Vec::new();
            for id in ids {
                if !outbox::ready(db, id, now, 1)?.is_empty() {
                    out.push(id);
                }
            }
            Ok(out)
        });
        for id in ready.await.unwrap_or_default() {
            self.work_for_account(id);
        }
        self.poke_sync();
    }

    /// Hands a source everything that waits for it. What fails says so itself
    /// ([`outbox::failing`]): it is tried again later, or waits for the person.
    /// Answers go by a server of their own and hold up nothing else.
    pub(crate) async fn write_back(self: &Arc<Self>, id: AccountId, source: &dyn Source) -> Result<(), Failure> {
        let waits = self.read(move |db| Ok(outbox::failing(db, id)?)).await?.filter(|failing| failing.again.is_none());
        let mut answers = waits.map(|failing| Obstacle { again: None, code: failing.code, message: failing.message });
        let mut others = None;
        loop {
            let now = self.now();
            let ready = self.read(move |db| Ok(outbox::ready(db, id, now, BATCH)?)).await?;
            if ready.is_empty() {
                return Ok(());
            }
            for entry in ready {
                let outbox::Target::Source(body) = &entry.op.target else { continue };
                let what: What = match serde_json::from_value(body.clone()) {
                    Ok(what) => self.with_copies(what),
                    Err(e) => {
                        self.refuse(&entry, "invalid", format!("it can't be read any more: {e}")).await?;
                        continue;
                    }
                };
                let obstacle = if matches!(what, What::Reply { .. }) { &mut answers } else { &mut others };
                // What stopped one stops those behind it.
                if obstacle.is_none() {
                    *obstacle = self.act(source, &entry, what).await?;
                }
                if let Some(Obstacle { again, code, message }) = obstacle.clone() {
                    // The scheduler may sleep for longer than that.
                    self.reschedule.notify_one();
                    let row = entry.id;
                    self.write(move |tx| match again {
                        Some(again) => Ok(outbox::set_retry(tx, row, again, &code, &message)?),
                        None => Ok(outbox::set_stuck(tx, row, &code, &message)?),
                    })
                    .await?;
                }
            }
        }
    }

    /// Hands one change over; answers what stood in its way, if that may pass.
    async fn act(
        self: &Arc<Self>,
        source: &dyn Source,
        entry: &outbox::Entry,
        what: What,
    ) -> Result<Option<Obstacle>, Failure> {
        let row = entry.id;
        if !self.write(move |tx| Ok(outbox::set_attempted(tx, row)?)).await? {
            // Taken back since it was read.
            return Ok(None);
        }
        match source.act(&Op { id: entry.op.op_id, what }).await {
            Ok(ActOutcome::Applied | ActOutcome::AlreadyApplied | ActOutcome::Unsupported) => {
                self.write(move |tx| Ok(outbox::set_arrived(tx, row)?)).await?;
                self.sweep_files().await;
                self.tell(&entry.op.item.map(Tag::Item).into_iter().chain([Tag::Status]).collect::<Vec<_>>());
                Ok(None)
            }
            Err(error @ (SourceError::Permanent(_) | SourceError::Invalid(_))) => {
                self.refuse(entry, error.code(), error.to_string()).await?;
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(account = %entry.op.account, code = error.code(), %error, "a change could not be written back");
                // Becoming ready wakes the account's runner: as seldom as that would come by itself.
                let wait = error.after().and_then(|after| TimeDelta::from_std(after).ok());
                let wait = wait.unwrap_or(RETRY * 2_i32.pow(entry.attempts.min(9))).max(RETRY);
                let again = error.is_transient().then(|| self.now() + wait);
                Ok(Some(Obstacle { again, code: error.code().to_owned(), message: error.to_string() }))
            }
        }
    }

    /// What an answer's files are called in the outbox, as where they lie.
    fn with_copies(&self, mut what: What) -> What {
        if let What::Reply { files, .. } = &mut what {
            for file in files {
                if let Some(sha256) = file.path.to_str().and_then(|hash| hash.parse().ok()) {
                    file.path = self.files.path(&sha256);
                }
            }
        }
        what
    }

    async fn refuse(&self, entry: &outbox::Entry, code: &'static str, message: String) -> Result<(), Failure> {
        let row = entry.id;
        self.write(move |tx| Ok(outbox::set_refused(tx, row, code, &message)?)).await?;
        self.tell(&entry.op.item.map(Tag::Item).into_iter().chain([Tag::Status]).collect::<Vec<_>>());
        Ok(())
    }
}
