//! Which tables there are, and how an older file becomes a newer one.
//!
//! A released step is never edited; a change is a new step. Each step only
//! adds, and all steps of one start run in one transaction.

use crate::store::beside;
use crate::{
    Result, StoreError, account, draft, focus, item, message, notice, outbox, record, scope, search, setting, undo,
};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// `MnTm`: tells our files from other programs'.
pub(crate) const APPLICATION_ID: i32 = 0x4d6e_546d;

/// Step `n` makes version `n + 1`.
const STEPS: &[&[&str]] = &[&[
    account::V1,
    item::V1,
    message::V1,
    search::V1,
    scope::V1,
    record::V1,
    outbox::V1,
    focus::V1,
    notice::V1,
    undo::V1,
    draft::V1,
    setting::V1,
]];

/// The version this build writes.
#[allow(clippy::cast_possible_truncation)]
pub(crate) const VERSION: u32 = STEPS.len() as u32;

/// The version a file is of; 0 for a new one.
pub(crate) fn version(conn: &Connection) -> Result<u32> {
    Ok(conn.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Brings a file to [`VERSION`]. An existing file is copied first, to
/// `PATH.before-vN`; the copy of the last change is kept.
pub(crate) fn migrate(conn: &mut Connection, path: &Path) -> Result<()> {
    let found = version(conn)?;
    if found > VERSION {
        return Err(StoreError::Newer { found, known: VERSION });
    }
    if found == VERSION {
        return Ok(());
    }
    if found > 0 {
        let copy = beside(path, &format!(".before-v{VERSION}"));
        remove(&copy)?;
        conn.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for sql in STEPS.iter().skip(found as usize).copied().flatten() {
        tx.execute_batch(sql)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()?;
    Ok(())
}

pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
