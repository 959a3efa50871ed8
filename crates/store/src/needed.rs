//! Which of the app's own copies of files are still needed: those that a draft
//! or the outbox names. It knows hashes; the copies themselves are elsewhere.

use crate::{Read, Result};
use meantime_protocol::Sha256;
use std::collections::HashSet;

/// The hashes of all files that are still to go out, or may yet be.
pub fn files(r: &Read<'_>) -> Result<HashSet<Sha256>> {
    // A team message names them in its fields, an answer by mail beside its
    // text. Read by their place: a value alone may be no JSON.
    let sql = "SELECT CAST(json_extract(draft.files, f.fullkey || '.sha256') AS TEXT) AS hash
                   FROM draft, json_each(draft.files) AS f
               UNION SELECT CAST(json_extract(outbox.body, f.fullkey || '.sha256') AS TEXT)
                   FROM outbox, json_each(outbox.body, '$.fields.attachments') AS f WHERE outbox.scope IS NOT NULL
               UNION SELECT CAST(json_extract(outbox.body, f.fullkey || '.path') AS TEXT)
                   FROM outbox, json_each(outbox.body, '$.files') AS f WHERE outbox.scope IS NULL";
    let mut q = r.conn.prepare_cached(sql)?;
    let mut needed = HashSet::new();
    for hash in q.query_map([], |row| row.get::<_, Option<String>>(0))? {
        needed.extend(hash?.and_then(|hash| hash.parse::<Sha256>().ok()));
    }
    Ok(needed)
}
