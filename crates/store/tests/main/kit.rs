//! What the tests build their worlds from.

use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::{AccountId, ItemId, Urgency};
use meantime_store::account::{Account, AccountKind};
use meantime_store::ingest::{Change, Incoming, Ingested, Page, ingest};
use meantime_store::message::{Correspondent, NewMessage};
use meantime_store::{Result, Store, account, item};
use serde_json::json;
use std::path::PathBuf;

pub struct World {
    pub dir: tempfile::TempDir,
    pub store: Store,
    pub mail: AccountId,
}

pub const IDENTITY: &str = "imap:ana@example.org";

/// Minute `n` of the tests' time.
pub fn at(n: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::minutes(n)
}

pub fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("meantime.db"), at(0)).unwrap().store;
    let mail = add_account(&store, AccountKind::Imap, IDENTITY);
    World { dir, store, mail }
}

pub fn add_account(store: &Store, kind: AccountKind, identity: &str) -> AccountId {
    let account = Account {
        id: AccountId::new(),
        kind,
        name: identity.into(),
        identity: identity.into(),
        config: json!({"host": "mail.example.org"}),
        created_at: at(0),
        checked_at: None,
        error: None,
        position: 0,
    };
    store.write(|tx| account::put(tx, &account)).unwrap();
    account.id
}

pub fn message(upstream: &str, minute: i64, text: &str) -> NewMessage {
    NewMessage {
        upstream: upstream.into(),
        title: "Review API draft".into(),
        author: Correspondent { name: "Mei Lin".into(), address: "mei@example.org".into() },
        person: None,
        to: vec![Correspondent { name: "Ana".into(), address: "ana@example.org".into() }],
        cc: vec![],
        reply_to: vec![],
        own: false,
        at: at(minute),
        text: text.into(),
        html: None,
        attachments: vec![],
        read: false,
        done: false,
        unreadable: None,
        link: None,
        visible_from: None,
        outbox: None,
    }
}

pub fn incoming(conversation: &str, message: NewMessage) -> Change {
    Change::Message(Box::new(Incoming {
        conversation: conversation.into(),
        title: message.title.clone(),
        place: "INBOX".into(),
        urgency: Urgency::Yellow,
        addressed: true,
        message,
    }))
}

pub fn item_id(conversation: &str) -> ItemId {
    ItemId::derived(IDENTITY, conversation)
}

impl World {
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("meantime.db")
    }

    pub fn take(&self, changes: Vec<Change>) -> Ingested {
        self.page(changes, false).unwrap()
    }

    pub fn page(&self, changes: Vec<Change>, backfill: bool) -> Result<Ingested> {
        let page = Page { cursor: json!({"seen": changes.len()}), changes, backfill, backfilled: !backfill };
        self.store.write_bulk(|tx| ingest(tx, self.mail, &page, at(0)))
    }

    pub fn item(&self, id: ItemId) -> item::Item {
        self.store.read(|r| item::get(r, id)).unwrap().expect("the item is there")
    }
}
