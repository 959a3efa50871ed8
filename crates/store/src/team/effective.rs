//! A record with this device's pending changes on top.

use crate::outbox::{self, Change, State, Target};
use crate::sql::{Id, RowExt};
use crate::{Read, Result, record};
use chrono::{DateTime, Utc};
use meantime_model::PersonId;
use meantime_protocol::{Fields, Kind, Scope};
use rusqlite::params;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

/// A record as this device sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// Its feed.
    pub scope: Scope,
    /// Its id.
    pub id: Uuid,
    /// Who made it; `None`: me, and the server has not said so yet.
    pub author: Option<PersonId>,
    /// The server's seq, for compare-and-set; `None` before it has one.
    pub seq: Option<u64>,
    /// When the server took it; when it was made here until then.
    pub created_at: DateTime<Utc>,
    /// Until then only its author sees it.
    pub visible_from: Option<DateTime<Utc>>,
    /// What it says.
    pub fields: Fields,
    /// The outbox row of the last change on top, if any.
    pub outbox: Option<i64>,
}

impl Effective {
    /// Its fields, typed; `None` if they are not of that form.
    #[must_use]
    pub fn typed<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(Value::Object(self.fields.clone())).ok()
    }

    /// When others see it: when it was taken, or later if it was sent later.
    #[must_use]
    pub fn shown_at(&self) -> DateTime<Utc> {
        self.visible_from.map_or(self.created_at, |from| from.max(self.created_at))
    }
}

/// A record with what is pending on top; `None` if there is none, or it was
/// deleted.
pub fn effective(r: &Read<'_>, kind: &Kind, id: Uuid) -> Result<Option<Effective>> {
    let stored = record::get(r, kind, id)?;
    let on_server = stored.as_ref().is_some_and(|s| !s.deleted);
    let mut current = stored.filter(|s| !s.deleted).map(|s| Effective {
        scope: s.scope,
        id,
        author: Some(s.author),
        seq: Some(s.seq),
        created_at: s.created_at,
        visible_from: s.visible_from,
        fields: s.fields,
        outbox: None,
    });
    let mut q = r.conn.prepare_cached("SELECT * FROM outbox WHERE record_id = ?1 AND kind = ?2 ORDER BY id")?;
    let entries = q.query_map(params![Id(id), kind.as_str()], outbox::read)?.collect::<Result<Vec<_>, _>>()?;
    for entry in entries {
        let Target::Record { scope, change, .. } = entry.op.target else { continue };
        // A refused change is not shown; refused new words are, so that they
        // stay where they were written until the person decides.
        let refused = matches!(entry.state, State::Refused { .. });
        if refused && (on_server || !(*kind == Kind::THREAD || *kind == Kind::MESSAGE)) {
            continue;
        }
        if current.is_none() && !can_begin(kind, &change) {
            continue;
        }
        if change.deleted {
            current = None;
            continue;
        }
        let now = current.get_or_insert_with(|| Effective {
            scope,
            id,
            author: None,
            seq: None,
            created_at: entry.op.made_at,
            visible_from: change.visible_from,
            fields: Fields::new(),
            outbox: None,
        });
        patch(kind, &mut now.fields, &change);
        now.outbox = Some(entry.id);
    }
    Ok(current)
}

/// Every record of a kind that is not deleted, with what is pending on top.
pub fn all(r: &Read<'_>, kind: &Kind) -> Result<Vec<Effective>> {
    let sql = "SELECT id FROM record WHERE kind = ?1 AND deleted = 0
               UNION SELECT record_id FROM outbox WHERE kind = ?1 ORDER BY 1";
    let mut q = r.conn.prepare_cached(sql)?;
    let ids = q.query_map([kind.as_str()], |row| row.uuid("id"))?.collect::<Result<Vec<_>, _>>()?;
    ids.into_iter().filter_map(|id| effective(r, kind, id).transpose()).collect()
}

/// The change can stand for a record that is not there: a thread has a title,
/// a message its thread. Else it changes something that is gone.
fn can_begin(kind: &Kind, change: &Change) -> bool {
    match kind.as_str() {
        "thread" => change.fields.contains_key("title"),
        "message" => change.fields.contains_key("thread"),
        _ => true,
    }
}

/// A change on a record's fields, as the server will do it.
fn patch(kind: &Kind, fields: &mut Fields, change: &Change) {
    let read_before = (*kind == Kind::MARK).then(|| time(fields, "read_at")).flatten();
    merge(fields, &change.fields);
    // Read markers merge by maximum.
    if let (Some(before), Some(after)) = (read_before, time(fields, "read_at"))
        && before > after
    {
        fields.insert("read_at".into(), serde_json::json!(before));
    }
}

fn time(fields: &Fields, name: &str) -> Option<DateTime<Utc>> {
    fields.get(name)?.as_str()?.parse().ok()
}

/// JSON merge patch, RFC 7396 section 2.
fn merge(target: &mut Fields, patch: &Fields) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.shift_remove(name);
            }
            Value::Object(inner) => {
                let slot = target.entry(name.clone()).or_insert_with(|| Value::Object(Fields::new()));
                if !slot.is_object() {
                    *slot = Value::Object(Fields::new());
                }
                if let Value::Object(fields) = slot {
                    merge(fields, inner);
                }
            }
            other => {
                target.insert(name.clone(), other.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // The examples of RFC 7396, appendix A, whose target is an object.
    #[test]
    fn merges_as_the_rfc_says() {
        for (target, patch, want) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut got = target.as_object().unwrap().clone();
            merge(&mut got, patch.as_object().unwrap());
            assert_eq!(Value::Object(got), want, "{target} + {patch}");
        }
    }
}
