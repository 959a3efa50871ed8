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
const STEPS: &[&[&str]] = &[
    &[
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
    ],
    &[item::V2, message::V2],
    &[search::V2],
    &[search::V3],
    &[item::V3],
    &[draft::V2, message::V3],
    &[draft::V3],
    &[notice::V2],
    &[scope::V2, record::V2],
    &[item::V4],
    &[item::V5],
    &[draft::V4],
    &[message::V4],
];

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, item, message};
    use chrono::DateTime;

    /// What was read and typed with the first version is there with this one.
    #[test]
    fn a_file_of_the_first_version_is_upgraded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("meantime.db");
        let old = Connection::open(&path).unwrap();
        for sql in STEPS[0] {
            old.execute_batch(sql).unwrap();
        }
        old.execute_batch(
            "INSERT INTO account (id, kind, name, identity, config, created_at, position)
                VALUES (zeroblob(16), 'imap', 'a', 'imap:a', '{}', 0, 0);
             INSERT INTO item (id, account_id, upstream, title, place, urgency, addressed, at)
                VALUES (zeroblob(16), zeroblob(16), 'c', 'Contract', 'INBOX', 1, 1, 5);
             INSERT INTO message (key, item_id, account_id, upstream, title, author, address, recipients, copies, own,
                    at, text, attachments, read, up_read, up_done)
                VALUES (5120, zeroblob(16), zeroblob(16), 'm', 'Contract', 'Mei', 'mei@x', '[]', '[]', 0,
                    5, '次の設計を', '[]', 0, 0, 0);
             INSERT INTO draft (item_id, text, at) VALUES (zeroblob(16), 'half a sentence', 6);
             INSERT INTO scope (scope, account_id) VALUES ('team:1', zeroblob(16));
             INSERT INTO record (scope, kind, id, seq, author, deleted, created_at, updated_at, fields) VALUES
                ('team:1', 'message', x'0190a00000007000800000000000e1e1', 1, zeroblob(16), 0, 0, 0, json_object('text', 'a',
                    'attachments', json_array(json_object('sha256', printf('%064d', 0), 'name', 'plan.pdf',
                        'media_type', 'application/pdf', 'bytes', 3, 'newer', 1)))),
                ('team:1', 'message', x'0190a00000007000800000000000e2e2', 2, zeroblob(16), 0, 0, 0, json_object('text', 'b',
                    'attachments', json_array(json_object('sha256', 'x', 'name', 'plan.pdf')))),
                ('team:1', 'message', x'0190a00000007000800000000000e3e3', 3, zeroblob(16), 0, 0, 0, '{\"text\":\"c\"}');
             INSERT INTO message (key, item_id, account_id, upstream, title, author, address, person, recipients, copies,
                    own, at, text, attachments, read, up_read, up_done)
                SELECT 6144 + seq, zeroblob(16), zeroblob(16), '0190a000-0000-7000-8000-00000000e' || seq || 'e' || seq,
                    'Plans', 'Mei', '', zeroblob(16), '[]', '[]', 0, 6, json_extract(fields, '$.text'), '[]', 0, 0, 0
                FROM record;",
        )
        .unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);

        let opened = Store::open(&path, DateTime::UNIX_EPOCH).unwrap();
        assert!(opened.recovered.is_none());
        let (found, messages, typed) = opened
            .store
            .read(|r| {
                let id = meantime_model::ItemId(uuid::Uuid::nil());
                Ok::<_, StoreError>((item::get(r, id)?, message::of_item(r, id, 9)?, draft::get(r, None)?))
            })
            .unwrap();
        assert_eq!(found.map(|item| (item.title, item.no_due)), Some(("Contract".to_owned(), None)));
        let files: Vec<Vec<&str>> =
            messages.iter().map(|m| m.attachments.iter().map(|f| f.name.as_str()).collect()).collect();
        assert_eq!(files, [vec![], vec!["plan.pdf"], vec![], vec![]], "what hung on team messages is shown now");
        assert_eq!((messages[0].text.as_str(), messages[0].reply_to.len()), ("次の設計を", 0));
        assert_eq!(typed.as_deref(), Some("half a sentence"));
        let hits = opened.store.read(|r| search::search(r, "設計", None, 9)).unwrap();
        assert_eq!(hits.len(), 1, "what came later finds what was there");
        let copy = Connection::open(beside(&path, &format!(".before-v{VERSION}"))).unwrap();
        assert_eq!(version(&copy).unwrap(), 1, "the file as it was is kept");
    }
}
