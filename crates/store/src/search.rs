//! Full-text search over messages, newest first, and its two indexes.
//!
//! Ranking by relevance is left out on purpose: it would read every match.
//!
//! `message_fts` has every message and finds whole words in a millisecond. A
//! beginning of a word costs it the merging of all the words that begin so,
//! and an index of beginnings would make indexing a third slower (measured:
//! 3,100 against 4,700 messages per CPU-second). So only the newest messages
//! have one, `message_new`: a common beginning has its hits there; for one
//! that has not, few words have to be merged.

use crate::item::{self, COLUMNS, Item};
use crate::sql::{Id, RowExt};
use crate::{Read, Result, Tx};
use chrono::{DateTime, Utc};
use meantime_model::ItemId;
use rusqlite::params;
use std::collections::HashMap;

/// Both indexes are kept by triggers: no write can forget them. Segments are
/// merged later than by default, which saves a third of the writing.
pub(crate) const V1: &str = "
CREATE VIRTUAL TABLE message_fts USING fts5 (
    title, author, address, text,
    content = 'message', content_rowid = 'key', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO message_fts (message_fts, rank) VALUES ('automerge', 16);
CREATE VIRTUAL TABLE message_new USING fts5 (
    title, author, address, text,
    content = 'message', content_rowid = 'key', tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3 4'
);
CREATE TABLE message_floor (one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), key INTEGER NOT NULL) STRICT;
INSERT INTO message_floor (one, key) VALUES (1, 0);
CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
    INSERT INTO message_fts (rowid, title, author, address, text)
    VALUES (new.key, new.title, new.author, new.address, new.text);
    INSERT INTO message_new (rowid, title, author, address, text)
    SELECT new.key, new.title, new.author, new.address, new.text FROM message_floor WHERE new.key >= key;
END;
CREATE TRIGGER message_removed AFTER DELETE ON message BEGIN
    INSERT INTO message_fts (message_fts, rowid, title, author, address, text)
    VALUES ('delete', old.key, old.title, old.author, old.address, old.text);
    INSERT INTO message_new (message_new, rowid, title, author, address, text)
    SELECT 'delete', old.key, old.title, old.author, old.address, old.text FROM message_floor WHERE old.key >= key;
END;
CREATE TRIGGER message_changed AFTER UPDATE OF key, title, author, address, text ON message
WHEN old.key <> new.key OR old.title <> new.title OR old.author <> new.author OR old.address <> new.address
    OR old.text <> new.text BEGIN
    INSERT INTO message_fts (message_fts, rowid, title, author, address, text)
    VALUES ('delete', old.key, old.title, old.author, old.address, old.text);
    INSERT INTO message_new (message_new, rowid, title, author, address, text)
    SELECT 'delete', old.key, old.title, old.author, old.address, old.text FROM message_floor WHERE old.key >= key;
    INSERT INTO message_fts (rowid, title, author, address, text)
    VALUES (new.key, new.title, new.author, new.address, new.text);
    INSERT INTO message_new (rowid, title, author, address, text)
    SELECT new.key, new.title, new.author, new.address, new.text FROM message_floor WHERE new.key >= key;
END;";

/// Messages in `message_new`: between the first and the second.
const NEW_KEPT: u32 = 4_000;
const NEW_MOST: u32 = 6_000;

/// Words of a query that count; the rest is ignored.
const MAX_WORDS: usize = 16;
const MAX_CHARS: usize = 500;
/// Marks a match in an excerpt; can't stand in a text ([`pieces`] drops it).
const MARK: char = '\u{1}';

/// A message that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its conversation.
    pub item: Item,
    /// Its key.
    pub key: i64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Who wrote it.
    pub author: String,
    /// The place in its text; each second piece is a match.
    pub excerpt: Vec<String>,
}

/// Messages that contain all of the words, the newest first, at most `limit`
/// with a key below `before` (the last hit's key, for the next page). `"…"`
/// is a phrase; the last word may be a beginning.
pub fn search(r: &Read<'_>, words: &str, before: Option<i64>, limit: u32) -> Result<Vec<Hit>> {
    let Some((expression, beginning)) = expression(words) else { return Ok(Vec::new()) };
    let before = before.unwrap_or(i64::MAX);
    if beginning {
        let hits = search_in(r, "message_new", &expression, before, limit)?;
        if hits.len() >= limit as usize {
            return Ok(hits);
        }
    }
    search_in(r, "message_fts", &expression, before, limit)
}

/// Takes the oldest out of the index of beginnings when it has grown; after
/// each page of messages.
pub(crate) fn trim(tx: &Tx<'_>) -> Result<()> {
    let count: u32 =
        tx.conn.prepare_cached("SELECT count(*) FROM message_new_docsize")?.query_row([], |row| row.get(0))?;
    if count <= NEW_MOST {
        return Ok(());
    }
    let floor: i64 = tx
        .conn
        .prepare_cached("SELECT id FROM message_new_docsize ORDER BY id DESC LIMIT 1 OFFSET ?1")?
        .query_row([NEW_KEPT], |row| row.get(0))?;
    let sql = "INSERT INTO message_new (message_new, rowid, title, author, address, text)
        SELECT 'delete', key, title, author, address, text FROM message
        WHERE key < ?1 AND key >= (SELECT key FROM message_floor)";
    tx.conn.prepare_cached(sql)?.execute([floor])?;
    tx.conn.prepare_cached("UPDATE message_floor SET key = ?1")?.execute([floor])?;
    Ok(())
}

fn search_in(r: &Read<'_>, index: &str, expression: &str, before: i64, limit: u32) -> Result<Vec<Hit>> {
    let mut q = r.conn.prepare_cached(&format!(
        "SELECT message.key, message.item_id, message.at, message.author,
                snippet({index}, 3, char(1), char(1), '…', 24) AS excerpt
         FROM {index} CROSS JOIN message ON message.key = {index}.rowid
         WHERE {index} MATCH ?1 AND {index}.rowid < ?2 ORDER BY {index}.rowid DESC LIMIT ?3"
    ))?;
    let rows = q.query_map(params![expression, before, limit], |row| {
        let excerpt: String = row.get("excerpt")?;
        Ok((ItemId(row.uuid("item_id")?), row.get("key")?, row.time("at")?, row.get("author")?, pieces(&excerpt)))
    })?;
    let mut hits = Vec::new();
    let mut items: HashMap<ItemId, Item> = HashMap::new();
    let sql = format!("SELECT {COLUMNS} FROM item JOIN account ON account.id = item.account_id WHERE item.id = ?1");
    let mut one = r.conn.prepare_cached(&sql)?;
    for row in rows {
        let (id, key, at, author, excerpt) = row?;
        let item = match items.get(&id) {
            Some(item) => item.clone(),
            None => {
                let item = one.query_row([Id(id.0)], item::read)?;
                items.insert(id, item.clone());
                item
            }
        };
        hits.push(Hit { item, key, at, author, excerpt });
    }
    Ok(hits)
}

/// What a person typed as an FTS5 expression in which nothing but our own
/// operators can occur, and whether its last word is a beginning; `None` if
/// there is nothing to look for.
fn expression(words: &str) -> Option<(String, bool)> {
    let words: String = words.chars().take(MAX_CHARS).map(|c| if c == '\0' { ' ' } else { c }).collect();
    let mut terms: Vec<(String, bool)> = Vec::new();
    for (i, part) in words.split('"').enumerate() {
        if i % 2 == 1 {
            terms.push((part.to_owned(), false));
        } else {
            terms.extend(part.split_whitespace().map(|word| (word.to_owned(), true)));
        }
    }
    terms.retain(|(term, _)| term.chars().any(char::is_alphanumeric));
    terms.truncate(MAX_WORDS);
    // One letter begins half of all words: there it has to be the word.
    let (last, word) = terms.last()?;
    let beginning = *word && last.chars().filter(|c| c.is_alphanumeric()).count() > 1;
    let mut expression = terms.iter().map(|(term, _)| format!("\"{term}\"")).collect::<Vec<_>>().join(" ");
    if beginning {
        expression.push_str(" *");
    }
    Some((expression, beginning))
}

fn pieces(excerpt: &str) -> Vec<String> {
    let mut pieces: Vec<String> = excerpt.split(MARK).map(str::to_owned).collect();
    // A text with a stray mark of its own may leave one too many.
    if pieces.len().is_multiple_of(2) {
        let rest = pieces.pop().unwrap_or_default();
        if let Some(last) = pieces.last_mut() {
            last.push_str(&rest);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_safe_expression() {
        for (typed, want) in [
            ("release", Some("\"release\" *")),
            ("api draft", Some("\"api\" \"draft\" *")),
            ("\"api draft\"", Some("\"api draft\"")),
            ("\"api draft", Some("\"api draft\"")),
            ("a* OR b NOT c:d ^e", Some("\"a*\" \"OR\" \"b\" \"NOT\" \"c:d\" \"^e\"")),
            ("NEAR(a b)", Some("\"NEAR(a\" \"b)\"")),
            ("  - ( ) ", None),
            ("", None),
        ] {
            assert_eq!(expression(typed).as_ref().map(|e| e.0.as_str()), want, "{typed}");
        }
    }
}
