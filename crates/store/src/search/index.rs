//! What the three indexes are, and how messages get into them and out.
//!
//! It finds nothing: that is [`super::search`].

use crate::{Result, Tx};

/// Segments are merged later than by default, which saves a third of the
/// writing. The triggers of this step and the next are replaced by [`V3`].
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

/// The index of text without spaces. It keeps no text of its own to delete by,
/// so what is gone is deleted by its key.
pub(crate) const V2: &str = "
CREATE VIRTUAL TABLE message_cjk USING fts5 (
    title, author, address, text,
    content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2', prefix = '1'
);
INSERT INTO message_cjk (message_cjk, rank) VALUES ('automerge', 16);
INSERT INTO message_cjk (rowid, title, author, address, text)
SELECT key, cjk_words(title), cjk_words(author), address, cjk_words(text) FROM message
WHERE has_cjk(title, author, text);
CREATE TRIGGER message_cjk_added AFTER INSERT ON message WHEN has_cjk(new.title, new.author, new.text) BEGIN
    INSERT INTO message_cjk (rowid, title, author, address, text)
    VALUES (new.key, cjk_words(new.title), cjk_words(new.author), new.address, cjk_words(new.text));
END;
CREATE TRIGGER message_cjk_removed AFTER DELETE ON message BEGIN
    DELETE FROM message_cjk WHERE rowid = old.key;
END;
CREATE TRIGGER message_cjk_changed AFTER UPDATE OF key, title, author, address, text ON message
WHEN old.key <> new.key OR old.title <> new.title OR old.author <> new.author OR old.address <> new.address
    OR old.text <> new.text BEGIN
    DELETE FROM message_cjk WHERE rowid = old.key;
    INSERT INTO message_cjk (rowid, title, author, address, text)
    SELECT new.key, cjk_words(new.title), cjk_words(new.author), new.address, cjk_words(new.text)
    WHERE has_cjk(new.title, new.author, new.text);
END;";

/// The indexes are kept by triggers: no write can forget them. What comes in is
/// noted and indexed as one statement at the end of the transaction
/// ([`settle`]): each statement that could fail half-way makes FTS5 write out
/// what it holds, one segment a message, and merging those took two thirds of
/// the time of reading mail in.
pub(crate) const V3: &str = "
CREATE TABLE message_pending (key INTEGER PRIMARY KEY) STRICT;
DROP TRIGGER message_added;
DROP TRIGGER message_removed;
DROP TRIGGER message_changed;
DROP TRIGGER message_cjk_added;
DROP TRIGGER message_cjk_removed;
DROP TRIGGER message_cjk_changed;
CREATE TRIGGER message_added AFTER INSERT ON message BEGIN
    INSERT OR IGNORE INTO message_pending (key) VALUES (new.key);
END;
CREATE TRIGGER message_removed AFTER DELETE ON message BEGIN
    INSERT INTO message_fts (message_fts, rowid, title, author, address, text)
    SELECT 'delete', old.key, old.title, old.author, old.address, old.text
    WHERE NOT EXISTS (SELECT 1 FROM message_pending WHERE key = old.key);
    INSERT INTO message_new (message_new, rowid, title, author, address, text)
    SELECT 'delete', old.key, old.title, old.author, old.address, old.text FROM message_floor
    WHERE old.key >= key AND NOT EXISTS (SELECT 1 FROM message_pending p WHERE p.key = old.key);
    DELETE FROM message_cjk WHERE rowid = old.key;
    DELETE FROM message_pending WHERE key = old.key;
END;
CREATE TRIGGER message_changed AFTER UPDATE OF key, title, author, address, text ON message
WHEN old.key <> new.key OR old.title <> new.title OR old.author <> new.author OR old.address <> new.address
    OR old.text <> new.text BEGIN
    INSERT INTO message_fts (message_fts, rowid, title, author, address, text)
    SELECT 'delete', old.key, old.title, old.author, old.address, old.text
    WHERE NOT EXISTS (SELECT 1 FROM message_pending WHERE key = old.key);
    INSERT INTO message_new (message_new, rowid, title, author, address, text)
    SELECT 'delete', old.key, old.title, old.author, old.address, old.text FROM message_floor
    WHERE old.key >= key AND NOT EXISTS (SELECT 1 FROM message_pending p WHERE p.key = old.key);
    DELETE FROM message_cjk WHERE rowid = old.key;
    DELETE FROM message_pending WHERE key = old.key;
    INSERT OR IGNORE INTO message_pending (key) VALUES (new.key);
END;";

/// Messages in `message_new`: between the first and the second.
const NEW_KEPT: u32 = 4_000;
const NEW_MOST: u32 = 6_000;
/// Where no message begins: the floor while the index is put off.
const PUT_OFF: i64 = i64::MAX;

/// Empties the index of beginnings and lets nothing in until
/// [`take_up_beginnings`]: reading in a great many messages would put each
/// into it and take most out again, which costs more than all the rest.
/// Beginnings are found meanwhile, only slower.
pub fn put_off_beginnings(tx: &Tx<'_>) -> Result<()> {
    tx.conn.execute("UPDATE message_floor SET key = ?1", [PUT_OFF])?;
    tx.conn.execute("INSERT INTO message_new (message_new) VALUES ('delete-all')", [])?;
    Ok(())
}

/// Fills the index of beginnings, if it was put off, with the newest messages.
pub fn take_up_beginnings(tx: &Tx<'_>) -> Result<()> {
    let floor: i64 = tx.conn.query_row("SELECT key FROM message_floor", [], |row| row.get(0))?;
    if floor != PUT_OFF {
        return Ok(());
    }
    let oldest = "SELECT coalesce((SELECT key FROM message ORDER BY key DESC LIMIT 1 OFFSET ?1), 0)";
    let floor: i64 = tx.conn.query_row(oldest, [NEW_KEPT], |row| row.get(0))?;
    tx.conn.execute("UPDATE message_floor SET key = ?1", [floor])?;
    let sql = "INSERT INTO message_new (rowid, title, author, address, text)
        SELECT key, title, author, address, text FROM message WHERE key >= ?1";
    tx.conn.execute(sql, [floor])?;
    Ok(())
}

/// What indexes the pending messages. `CROSS` keeps the order of the two
/// tables: SQLite would go through all messages for the few that are pending.
const SETTLE: [&str; 4] = [
    "INSERT INTO message_fts (rowid, title, author, address, text)
     SELECT key, title, author, address, text FROM message_pending CROSS JOIN message USING (key) ORDER BY key",
    "INSERT INTO message_new (rowid, title, author, address, text)
     SELECT key, title, author, address, text FROM message_pending CROSS JOIN message USING (key)
     WHERE key >= (SELECT key FROM message_floor) ORDER BY key",
    "INSERT INTO message_cjk (rowid, title, author, address, text)
     SELECT key, cjk_words(title), cjk_words(author), address, cjk_words(text)
     FROM message_pending CROSS JOIN message USING (key) WHERE has_cjk(title, author, text)",
    "DELETE FROM message_pending",
];

/// Indexes what came in; at the end of each transaction.
pub(crate) fn settle(tx: &Tx<'_>) -> Result<()> {
    let pending = "SELECT EXISTS (SELECT 1 FROM message_pending)";
    if !tx.conn.prepare_cached(pending)?.query_row([], |row| row.get::<_, bool>(0))? {
        return Ok(());
    }
    for sql in SETTLE {
        tx.conn.prepare_cached(sql)?.execute([])?;
    }
    trim(tx)
}

/// Takes the oldest out of the index of beginnings when it has grown.
fn trim(tx: &Tx<'_>) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn what_came_in_is_indexed_without_going_through_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::Store::open(&folder.path().join("s.db"), DateTime::UNIX_EPOCH).unwrap().store;
        for sql in SETTLE {
            let steps: Vec<String> = store
                .read(|r| {
                    let mut plan = r.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                    let steps = plan.query_map([], |row| row.get("detail"))?.collect::<Result<_, _>>()?;
                    Ok::<_, crate::StoreError>(steps)
                })
                .unwrap();
            assert!(!steps.iter().any(|step| step == "SCAN message"), "{sql}: {steps:?}");
        }
    }
}
