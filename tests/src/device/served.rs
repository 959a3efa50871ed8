//! The device's side: what the process does.

use super::wire::BadWire;
use super::{Mark, Order, Seen, Setup};
use crate::stored::{Deed, Stored};
use anyhow::{Context, Result};
use chrono::TimeDelta;
use meantime_model::{ItemId, PersonId};
use meantime_protocol::{Fields, Kind, Scope};
use meantime_store::outbox::{self, Change};
use meantime_store::{StoreError, item, message, record};
use meantime_sync::{Handle, HttpRemote, Syncer, Token, Tuning};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// As an app's, but nobody waits a second to try again.
const QUICK: Tuning = Tuning {
    first_retry: Duration::from_millis(30),
    longest_retry: Duration::from_millis(200),
    reconnect: Duration::from_millis(30),
    poll: Duration::from_secs(5),
    refused: Duration::from_secs(900),
};

/// Is a device until its input ends.
///
/// # Errors
/// The disk; an order that can't be read.
pub fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _entered = runtime.enter();
    let mut lines = io::stdin().lines();
    let setup: Setup = serde_json::from_str(&lines.next().context("nothing was said")??)?;
    let stored = Stored::open(&setup.database, &setup.joined, TimeDelta::hours(setup.skew_hours))?;
    let remote = HttpRemote::new(&setup.host, setup.ca, &Token::new(setup.joined.token.clone()))?;
    let wire = Arc::new(BadWire::new(remote, setup.seed));
    let clock = stored.clone();
    let (log, remote) = (Arc::new(stored.clone()), Arc::clone(&wire));
    let (syncer, handle) = Syncer::new(log, remote, setup.joined.device, move || clock.now(), QUICK);
    runtime.spawn(syncer.run(std::future::pending()));
    let (me, team) = (setup.joined.person, Scope::Team(setup.joined.team));
    let device = Served { stored, wire, handle, me, team };
    println!("{{}}");
    for line in lines {
        println!("{}", device.obey(serde_json::from_str(&line?)?)?);
    }
    Ok(())
}

struct Served {
    stored: Stored,
    wire: Arc<BadWire>,
    handle: Handle,
    me: PersonId,
    team: Scope,
}

impl Served {
    /// The answer, once it is done.
    fn obey(&self, order: Order) -> Result<String> {
        match order {
            Order::Ask { thread, title, asked } => {
                let change = change(json!({"title": title, "urgency": "yellow", "asked": asked}));
                let (kind, id, item) = (Kind::THREAD, thread.0, Some(thread));
                self.write(Deed { scope: self.team, kind, id, item, change, what: "Thread", text: &title })?;
            }
            Order::Say { thread, message, text, in_seconds } => {
                let visible_from = in_seconds.map(|seconds| self.stored.now() + TimeDelta::seconds(seconds));
                let change = Change { visible_from, ..change(json!({"thread": thread, "text": text})) };
                let (kind, id, item) = (Kind::MESSAGE, message, Some(thread));
                self.write(Deed { scope: self.team, kind, id, item, change, what: "Message", text: &text })?;
            }
            Order::Delete { thread, message } => {
                let change = Change { deleted: true, ..Change::default() };
                let (kind, id, item) = (Kind::MESSAGE, message, Some(thread));
                self.write(Deed { scope: self.team, kind, id, item, change, what: "Deletion", text: "" })?;
            }
            Order::Mark { thread, mark } => {
                let (scope, change) = (Scope::User(self.me), change(self.fields(mark)));
                let (kind, id, item) = (Kind::MARK, thread.0, Some(thread));
                self.write(Deed { scope, kind, id, item, change, what: "Mark", text: "" })?;
            }
            Order::Poison { text } => {
                let change = change(json!({"name": text, "role": "owner"}));
                let (kind, id) = (Kind::MEMBER, self.me.0);
                self.write(Deed { scope: self.team, kind, id, item: None, change, what: "Poison", text: &text })?;
            }
            Order::Cable(plugged) => self.wire.plug(plugged),
            Order::Look => return Ok(serde_json::to_string(&self.look()?)?),
        }
        Ok("{}".to_owned())
    }

    fn write(&self, deed: Deed<'_>) -> Result<()> {
        self.stored.write(deed)?;
        self.handle.nudge();
        Ok(())
    }

    /// Times are by this device's own clock.
    fn fields(&self, mark: Mark) -> Value {
        let now = self.stored.now();
        match mark {
            Mark::Read => json!({ "read_at": now }),
            Mark::Done => json!({ "done_at": now }),
            Mark::Back => json!({"done_at": null, "snoozed_until": null}),
            Mark::Snoozed(hours) => json!({"done_at": null, "snoozed_until": now + TimeDelta::hours(hours)}),
            Mark::Muted(muted) => json!({ "muted": muted }),
        }
    }

    fn look(&self) -> Result<Seen, StoreError> {
        self.stored.store.read(|db| {
            let mut records = record::of_scope(db, self.team)?;
            records.append(&mut record::of_scope(db, Scope::User(self.me))?);
            records.retain(|row| !row.deleted);
            let mut shown = BTreeMap::new();
            for thread in records.iter().filter(|row| row.kind == Kind::THREAD) {
                let Some(item) = item::get(db, ItemId(thread.id))? else { continue };
                let messages = message::of_item(db, item.id, 9999)?.into_iter();
                let texts: Vec<String> = messages.filter(|m| m.sending.is_none()).map(|m| m.text).collect();
                let state = (item.done, item.done_at, item.muted, item.unread);
                shown.insert(thread.id, format!("{state:?} {texts:?}"));
            }
            let refused = outbox::refused(db)?.into_iter().map(|entry| entry.op.text).collect();
            Ok(Seen { waiting: outbox::count_waiting(db, None)?, refused, records, shown })
        })
    }
}

fn change(fields: Value) -> Change {
    let fields = if let Value::Object(fields) = fields { fields } else { Fields::new() };
    Change { fields, ..Change::default() }
}
