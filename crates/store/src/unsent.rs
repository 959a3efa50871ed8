//! What would be lost with an account: everything of it that is nowhere else.

use crate::sql::{Id, RowExt};
use crate::{Read, Result, outbox};
use meantime_model::AccountId;
use std::collections::HashSet;

/// What of an account is nowhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsent {
    /// What was typed, the oldest first.
    pub texts: Vec<Text>,
    /// Other changes that have not arrived: done, read, working hours, …
    pub changes: u32,
}

/// Something typed that has not arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its conversation, or what it was to do.
    pub title: String,
    /// How far it came.
    pub state: State,
    /// The words.
    pub text: String,
}

/// How far a text came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Being typed.
    Draft,
    /// On its way.
    Waiting,
    /// Refused for good.
    Refused,
}

impl Unsent {
    /// Nothing would be lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.changes == 0
    }
}

/// What would be lost with the account.
pub fn of(r: &Read<'_>, account: AccountId) -> Result<Unsent> {
    let mut unsent = Unsent::default();
    let sql = "SELECT draft.text AS text, item.title AS title FROM draft JOIN item ON item.id = draft.item_id
               WHERE item.account_id = ?1 ORDER BY draft.at";
    let mut q = r.conn.prepare_cached(sql)?;
    let drafts = q.query_map([Id(account.0)], |row| {
        Ok(Text { title: row.get("title")?, state: State::Draft, text: row.get("text")? })
    })?;
    for draft in drafts {
        unsent.texts.push(draft?);
    }
    let sql = "SELECT outbox.state AS state, outbox.text AS text, outbox.item_id AS item_id,
                   coalesce(item.title, outbox.what) AS title
               FROM outbox LEFT JOIN item ON item.id = outbox.item_id
               WHERE outbox.account_id = ?1 AND outbox.state <> 'sent' ORDER BY outbox.id";
    let mut q = r.conn.prepare_cached(sql)?;
    let mut rows = q.query([Id(account.0)])?;
    // A thread and its first message carry the same words.
    let mut known = HashSet::new();
    while let Some(row) = rows.next()? {
        let text: String = row.get("text")?;
        if text.is_empty() {
            unsent.changes += 1;
        } else if known.insert((row.opt_uuid("item_id")?, text.clone())) {
            let refused = row.get_ref("state")?.as_str().is_ok_and(|state| state == outbox::REFUSED);
            let state = if refused { State::Refused } else { State::Waiting };
            unsent.texts.push(Text { title: row.get("title")?, state, text });
        }
    }
    Ok(unsent)
}
