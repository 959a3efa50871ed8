//! The lists: inbox in its groups, waiting, later, done; windows of rows
//! straight from an index, whatever the size of the table.

use crate::item::{self, COLUMNS, Item, UNSEEN};
use crate::sql::Ms;
use crate::{Read, Result};
use chrono::{DateTime, Utc};
use rusqlite::{ToSql, params_from_iter};

/// Groups of the inbox, in the order they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Handed over by the last block and not looked at: urgent first.
    Held,
    /// Due by the end of the day, or overdue.
    DueToday,
    /// Due later.
    DueLater,
    /// Nobody waits for an answer: newest first.
    ForInformation,
}

/// A window of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Window<T> {
    /// Rows of the whole list.
    pub total: u32,
    /// The rows wanted, in order.
    pub rows: Vec<T>,
}

/// A window of the inbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Inbox {
    /// Rows of each group, in order; empty groups are there with 0.
    pub groups: [(Group, u32); 4],
    /// The rows wanted, in order, with their group.
    pub rows: Vec<(Group, Item)>,
}

/// Rows of the lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed over, not looked at.
    pub held: u32,
    /// With a due.
    pub due: u32,
    /// Of these two, held back by the running block.
    pub kept: u32,
    /// For information.
    pub information: u32,
    /// Where I wait for others.
    pub waiting: u32,
    /// Snoozed.
    pub later: u32,
    /// Done.
    pub done: u32,
}

/// What was handed over: urgent first, then what came last.
pub(crate) const HELD_ORDER: &str = "present_urgency, sort_at DESC, item.rowid";

/// The inbox: `day_end` parts *due today* from *due later*.
pub fn inbox(r: &Read<'_>, day_end: DateTime<Utc>, offset: u32, limit: u32) -> Result<Inbox> {
    let due = tally(r, 1)?;
    let today: u32 = r
        .conn
        .prepare_cached("SELECT count(*) FROM item WHERE bucket = 1 AND due <= ?1")?
        .query_row([Ms(day_end)], |row| row.get(0))?;
    let groups = [
        (Group::Held, tally(r, 0)?),
        (Group::DueToday, today),
        (Group::DueLater, due.saturating_sub(today)),
        (Group::ForInformation, tally(r, 2)?),
    ];
    let mut rows = Vec::new();
    let (mut skip, mut want) = (offset, limit);
    for (group, count) in groups {
        if want == 0 {
            break;
        }
        if skip >= count {
            skip -= count;
            continue;
        }
        let day_end = Ms(day_end);
        let page = match group {
            Group::Held => walk(r, "bucket = 0", HELD_ORDER, &[], count, skip, want)?,
            Group::DueToday => {
                walk(r, "bucket = 1 AND due <= ?1", "due, sort_at, item.rowid", &[&day_end], count, skip, want)?
            }
            Group::DueLater => {
                walk(r, "bucket = 1 AND due > ?1", "due, sort_at, item.rowid", &[&day_end], count, skip, want)?
            }
            Group::ForInformation => walk(r, "bucket = 2", "sort_at DESC, item.rowid DESC", &[], count, skip, want)?,
        };
        want -= u32::try_from(page.len()).unwrap_or(want);
        skip = 0;
        rows.extend(page.into_iter().map(|item| (group, item)));
    }
    Ok(Inbox { groups, rows })
}

/// Where I wait for others: what moved last first.
pub fn waiting(r: &Read<'_>, offset: u32, limit: u32) -> Result<Window<Item>> {
    let total = count_waiting(r)?;
    let rows = walk(r, "waiting = 1 AND bucket < 4", "sort_at DESC, item.rowid DESC", &[], total, offset, limit)?;
    Ok(Window { total, rows })
}

/// Snoozed: what wakes next first.
pub fn later(r: &Read<'_>, offset: u32, limit: u32) -> Result<Window<Item>> {
    let total = tally(r, 4)?;
    Ok(Window { total, rows: walk(r, "bucket = 4", "snoozed_until, item.rowid", &[], total, offset, limit)? })
}

/// Done: the last first.
pub fn done(r: &Read<'_>, offset: u32, limit: u32) -> Result<Window<Item>> {
    let total = tally(r, 5)?;
    Ok(Window { total, rows: walk(r, "bucket = 5", "done_at DESC, item.rowid DESC", &[], total, offset, limit)? })
}

/// Rows of every list.
pub fn counts(r: &Read<'_>) -> Result<Counts> {
    Ok(Counts {
        held: tally(r, 0)?,
        due: tally(r, 1)?,
        kept: count_kept(r)?,
        information: tally(r, 2)?,
        waiting: count_waiting(r)?,
        later: tally(r, 4)?,
        done: tally(r, 5)?,
    })
}

fn tally(r: &Read<'_>, bucket: i64) -> Result<u32> {
    let mut q = r.conn.prepare_cached("SELECT n FROM tally WHERE bucket = ?1")?;
    Ok(q.query_row([bucket], |row| row.get(0))?)
}

fn count_kept(r: &Read<'_>) -> Result<u32> {
    let sql = format!("SELECT count(*) FROM item WHERE held_block IS NOT NULL AND bucket < 2 AND {UNSEEN}");
    Ok(r.conn.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
}

fn count_waiting(r: &Read<'_>) -> Result<u32> {
    let mut q = r.conn.prepare_cached("SELECT count(*) FROM item WHERE waiting = 1 AND bucket < 4")?;
    Ok(q.query_row([], |row| row.get(0))?)
}

/// Rows `skip..skip + want` of the `count` that `filter` leaves, in `order`.
/// Walks from the nearer end, and only the index until the first row wanted.
fn walk(
    r: &Read<'_>,
    filter: &str,
    order: &str,
    args: &[&dyn ToSql],
    count: u32,
    skip: u32,
    want: u32,
) -> Result<Vec<Item>> {
    let want = want.min(count.saturating_sub(skip));
    if want == 0 {
        return Ok(Vec::new());
    }
    let behind = count - skip - want;
    let backwards = behind < skip;
    let order = if backwards { reversed(order) } else { order.to_owned() };
    let offset = if backwards { behind } else { skip };
    let n = args.len();
    let sql = format!(
        "SELECT {COLUMNS} FROM item JOIN account ON account.id = item.account_id
         WHERE item.rowid IN (SELECT rowid FROM item WHERE {filter} ORDER BY {order} LIMIT ?{} OFFSET ?{})
         ORDER BY {order}",
        n + 1,
        n + 2,
    );
    let args = args.iter().copied().chain([&want as &dyn ToSql, &offset]);
    let mut q = r.conn.prepare_cached(&sql)?;
    let mut rows = q.query_map(params_from_iter(args), item::read)?.collect::<Result<Vec<_>, _>>()?;
    if backwards {
        rows.reverse();
    }
    Ok(rows)
}

fn reversed(order: &str) -> String {
    let parts = order.split(", ").map(|part| match part.strip_suffix(" DESC") {
        Some(column) => column.to_owned(),
        None => format!("{part} DESC"),
    });
    parts.collect::<Vec<_>>().join(", ")
}
