//! Full-text search over messages, newest first, and its three indexes.
//!
//! Ranking by relevance is left out on purpose: it would read every match.
//!
//! `message_fts` has every message and finds whole words in a millisecond. A
//! beginning of a word costs it the merging of all the words that begin so,
//! and an index of beginnings would make indexing a third slower (measured:
//! 3,100 against 4,700 messages per CPU-second). So only the newest messages
//! have one, `message_new`: a common beginning has its hits there; for one
//! that has not, few words have to be merged.
//!
//! Both take a run of Chinese, Japanese or Korean for one word.
//! `message_cjk` has the messages with such text once more, in pairs of
//! letters ([`cjk`]); other messages cost nothing there.

mod cjk;
pub(crate) mod excerpt;
mod index;

pub(crate) use cjk::register;
pub(crate) use index::{V1, V2, V3, settle};
pub use index::{put_off_beginnings, take_up_beginnings};

use crate::account::AccountKind;
use crate::item::{self, COLUMNS, Item};
use crate::sql::{Id, RowExt};
use crate::{Read, Result};
use chrono::{DateTime, Utc};
use meantime_model::ItemId;
use rusqlite::{Rows, params};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// Words of a query that count; the rest is ignored.
const MAX_WORDS: usize = 16;
const MAX_CHARS: usize = 500;

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
    /// The place in its text, as plain text on one line; each second piece is
    /// a match.
    pub excerpt: Vec<String>,
}

/// Messages that contain all of the words, the newest first, at most `limit`
/// with a key below `before` (the last hit's key, for the next page). `"…"`
/// is a phrase; the last word may be a beginning.
pub fn search(r: &Read<'_>, words: &str, before: Option<i64>, limit: u32) -> Result<Vec<Hit>> {
    let terms = terms(words);
    let Some(wanted) = expression(&terms) else { return Ok(Vec::new()) };
    let before = before.unwrap_or(i64::MAX);
    let mut hits = search_cjk(r, &terms, before, limit)?;
    if terms.iter().any(|term| cjk::any(&term.text)) {
        // The other indexes know such words only where spaces stand around them.
        return Ok(hits);
    }
    let known: HashSet<i64> = hits.iter().map(|hit| hit.key).collect();
    hits.extend(search_words(r, &wanted, before, limit)?.into_iter().filter(|hit| !known.contains(&hit.key)));
    hits.sort_unstable_by_key(|hit| Reverse(hit.key));
    hits.truncate(limit as usize);
    Ok(hits)
}

fn search_words(r: &Read<'_>, wanted: &Wanted, before: i64, limit: u32) -> Result<Vec<Hit>> {
    if wanted.beginning {
        let hits = search_in(r, "message_new", &wanted.expression, before, limit)?;
        if hits.len() >= limit as usize {
            return Ok(hits);
        }
    }
    search_in(r, "message_fts", &wanted.expression, before, limit)
}

fn search_in(r: &Read<'_>, index: &str, expression: &str, before: i64, limit: u32) -> Result<Vec<Hit>> {
    let mut q = r.conn.prepare_cached(&format!(
        "SELECT message.key, message.item_id, message.at, message.author,
                snippet({index}, 3, char(1), char(1), '…', 24) AS excerpt
         FROM {index} CROSS JOIN message ON message.key = {index}.rowid
         WHERE {index} MATCH ?1 AND {index}.rowid < ?2 ORDER BY {index}.rowid DESC LIMIT ?3"
    ))?;
    hits(r, q.query(params![expression, before, limit])?, excerpt::of_snippet)
}

fn search_cjk(r: &Read<'_>, terms: &[Term], before: i64, limit: u32) -> Result<Vec<Hit>> {
    let Some(wanted) = cjk_expression(terms) else { return Ok(Vec::new()) };
    let mut q = r.conn.prepare_cached(
        "SELECT message.key, message.item_id, message.at, message.author, message.text AS excerpt
         FROM message_cjk CROSS JOIN message ON message.key = message_cjk.rowid
         WHERE message_cjk MATCH ?1 AND message_cjk.rowid < ?2 ORDER BY message_cjk.rowid DESC LIMIT ?3",
    )?;
    let words: Vec<String> = terms.iter().map(|term| term.text.clone()).collect();
    hits(r, q.query(params![wanted, before, limit])?, |text, markdown| excerpt::around(text, &words, markdown))
}

/// Rows of key, item, time, author and text, each with its item.
fn hits(r: &Read<'_>, mut rows: Rows<'_>, cut: impl Fn(&str, bool) -> Vec<String>) -> Result<Vec<Hit>> {
    let mut hits = Vec::new();
    let mut items: HashMap<ItemId, Item> = HashMap::new();
    let sql = format!("SELECT {COLUMNS} FROM item JOIN account ON account.id = item.account_id WHERE item.id = ?1");
    let mut one = r.conn.prepare_cached(&sql)?;
    while let Some(row) = rows.next()? {
        let id = ItemId(row.uuid("item_id")?);
        let item = match items.get(&id) {
            Some(item) => item.clone(),
            None => {
                let item = one.query_row([Id(id.0)], item::read)?;
                items.insert(id, item.clone());
                item
            }
        };
        let text: String = row.get("excerpt")?;
        let excerpt = cut(&text, item.kind == AccountKind::Team);
        hits.push(Hit { item, key: row.get("key")?, at: row.time("at")?, author: row.get("author")?, excerpt });
    }
    Ok(hits)
}

/// A word or phrase that was typed.
struct Term {
    text: String,
    /// Typed between quotes.
    phrase: bool,
}

/// The terms of what was typed, without those that hold nothing to look for.
fn terms(words: &str) -> Vec<Term> {
    let words: String = words.chars().take(MAX_CHARS).map(|c| if c == '\0' { ' ' } else { c }).collect();
    let mut terms: Vec<Term> = Vec::new();
    for (i, part) in words.split('"').enumerate() {
        if i % 2 == 1 {
            terms.push(Term { text: part.to_owned(), phrase: true });
        } else {
            terms.extend(part.split_whitespace().map(|word| Term { text: word.to_owned(), phrase: false }));
        }
    }
    terms.retain(|term| term.text.chars().any(char::is_alphanumeric));
    terms.truncate(MAX_WORDS);
    terms
}

/// An FTS5 expression in which nothing but our own operators can occur.
#[derive(Debug, PartialEq)]
struct Wanted {
    expression: String,
    /// Its last word is a beginning.
    beginning: bool,
}

/// What is asked of the indexes of words; `None` if there is nothing to look for.
fn expression(terms: &[Term]) -> Option<Wanted> {
    let beginning = may_begin(terms.last()?);
    let mut expression = terms.iter().map(|term| format!("\"{}\"", term.text)).collect::<Vec<_>>().join(" ");
    if beginning {
        expression.push_str(" *");
    }
    Some(Wanted { expression, beginning })
}

/// The same, asked of the index of text without spaces.
fn cjk_expression(terms: &[Term]) -> Option<String> {
    let last = terms.len().checked_sub(1)?;
    let each = terms.iter().enumerate().map(|(i, term)| {
        let (words, alone) = cjk::to_find(&term.text);
        let ends_so = term.text.chars().rfind(|c| c.is_alphanumeric()).is_some_and(cjk::is_cjk);
        let star = if alone || (i == last && !ends_so && may_begin(term)) { " *" } else { "" };
        format!("\"{words}\"{star}")
    });
    Some(each.collect::<Vec<_>>().join(" AND "))
}

/// One letter begins half of all words: there it has to be the word.
fn may_begin(last: &Term) -> bool {
    !last.phrase && last.text.chars().filter(|c| c.is_alphanumeric()).count() > 1
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
            assert_eq!(expression(&terms(typed)).as_ref().map(|e| e.expression.as_str()), want, "{typed}");
        }
    }

    #[test]
    fn runs_without_spaces_become_pairs() {
        for (typed, want) in [
            ("設計", "\" 設計 \""),
            ("設計する 犬", "\" 設計 計す する \" AND \" 犬 \" *"),
            ("API設計 draft", "\"API 設計 \" AND \"draft\" *"),
            ("\"設計 API\"", "\" 設計 計  API\""),
            ("releas", "\"releas\" *"),
        ] {
            assert_eq!(cjk_expression(&terms(typed)).as_deref(), Some(want), "{typed}");
        }
    }
}
