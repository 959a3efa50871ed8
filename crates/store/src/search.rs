//! Full-text search over messages, newest first.
//!
//! Ranking by relevance is left out on purpose: it would read every match.

use crate::item::{self, COLUMNS, Item};
use crate::sql::{Id, RowExt};
use crate::{Read, Result};
use chrono::{DateTime, Utc};
use meantime_model::ItemId;
use rusqlite::params;
use std::collections::HashMap;

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
    let Some(expression) = expression(words) else { return Ok(Vec::new()) };
    let mut q = r.conn.prepare_cached(
        "SELECT message.key, message.item_id, message.at, message.author,
                snippet(message_fts, 3, char(1), char(1), '…', 24) AS excerpt
         FROM message_fts CROSS JOIN message ON message.key = message_fts.rowid
         WHERE message_fts MATCH ?1 AND message_fts.rowid < ?2 ORDER BY message_fts.rowid DESC LIMIT ?3",
    )?;
    let rows = q.query_map(params![expression, before.unwrap_or(i64::MAX), limit], |row| {
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
/// operators can occur; `None` if there is nothing to look for.
fn expression(words: &str) -> Option<String> {
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
    let last = terms.len().checked_sub(1)?;
    let terms = terms.iter().enumerate().map(|(i, (term, word))| {
        // One letter begins half of all words: there it has to be the word.
        let beginning = i == last && *word && term.chars().filter(|c| c.is_alphanumeric()).count() > 1;
        format!("\"{term}\"{}", if beginning { " *" } else { "" })
    });
    Some(terms.collect::<Vec<_>>().join(" "))
}

fn pieces(excerpt: &str) -> Vec<String> {
    let mut pieces: Vec<String> = excerpt.split(MARK).map(str::to_owned).collect();
    // A text with a stray mark of its own may leave one too many.
    if pieces.len() % 2 == 0 {
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
            assert_eq!(expression(typed).as_deref(), want, "{typed}");
        }
    }
}
