//! Pages of a feed, read row by row where the whole is not of the known form:
//! one row that can't be read becomes one that says so, at its place, and
//! keeps none behind it from being read.
//!
//! Invents nothing about what the row may have said.

use super::HttpRemote;
use crate::RemoteError;
use chrono::{DateTime, Utc};
use meantime_model::PersonId;
use meantime_protocol::{Fields, Kind, Record, Scope};
use reqwest::RequestBuilder;
use reqwest::header::DATE;
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

/// The title of what stands for something that can't be read.
const TITLE: &str = "Something of the team that can't be read";

impl HttpRemote {
    /// A call that is answered with a page of rows of this feed.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        scope: Scope,
        request: RequestBuilder,
    ) -> Result<T, RemoteError> {
        let answer = self.answer(request).await?;
        let date = answer.headers().get(DATE).and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
        let body = self.body(answer).await?;
        serde_json::from_slice(&body).or_else(|whole| {
            let at = date.map(|date| date.with_timezone(&Utc)).unwrap_or_default();
            one_by_one(&body, scope, at).ok_or_else(|| RemoteError::Protocol(whole.to_string()))
        })
    }
}

/// The page with each row read on its own; `None` where it is not only for
/// its rows that it can't be read. `at`: the server's time.
fn one_by_one<T: DeserializeOwned>(body: &[u8], scope: Scope, at: DateTime<Utc>) -> Option<T> {
    let mut page: Value = serde_json::from_slice(body).ok()?;
    let rows = page.get_mut("rows")?.as_array_mut()?;
    for row in std::mem::take(rows) {
        match Record::deserialize(&row) {
            Ok(_) => rows.push(row),
            Err(why) => {
                tracing::warn!(%scope, %why, "a row can't be read");
                rows.extend(stand_in(&row, scope, at).into_iter().filter_map(|row| serde_json::to_value(row).ok()));
            }
        }
    }
    serde_json::from_value(page).ok()
}

/// What is shown in place of a row: in its thread where it is a message and
/// says of which, else as a thread of its own. The same row gives the same,
/// and a message that can be read later takes its place.
fn stand_in(row: &Value, scope: Scope, at: DateTime<Utc>) -> Vec<Record> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let id = |of: Option<&str>| of.and_then(|id| Uuid::parse_str(id).ok());
    let time = |name: &str| text(name).and_then(|time| time.parse::<DateTime<Utc>>().ok());
    let seen = time("updated_at").or_else(|| time("created_at")).unwrap_or(at);
    let record = |kind: Kind, id: Uuid, fields: Value| Record {
        scope,
        kind,
        id,
        seq: row.get("seq").and_then(Value::as_u64).unwrap_or_default(),
        author: PersonId(self::id_or_nil(text("author"))),
        deleted: false,
        visible_from: None,
        created_at: seen,
        updated_at: seen,
        fields: Fields::from_iter(fields.as_object().cloned().unwrap_or_default()),
    };
    let thread = row.get("fields").and_then(|fields| fields.get("thread")).and_then(Value::as_str);
    if text("kind") == Some(Kind::MESSAGE.as_str())
        && let (Some(message), Some(thread)) = (id(text("id")), id(thread))
    {
        return vec![record(Kind::MESSAGE, message, json!({ "thread": thread }))];
    }
    let name = match (text("kind"), id(text("id"))) {
        (Some(kind), Some(id)) => format!("{scope} {kind} {id}"),
        _ => format!("{scope} {row}"),
    };
    let thread = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
    let message = Uuid::new_v5(&thread, b"message");
    vec![
        record(Kind::THREAD, thread, json!({ "title": TITLE, "urgency": "green" })),
        record(Kind::MESSAGE, message, json!({ "thread": thread })),
    ]
}

fn id_or_nil(text: Option<&str>) -> Uuid {
    text.and_then(|id| Uuid::parse_str(id).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use meantime_protocol::http::PullPage;

    const GOOD: &str = r#"{"scope":"team:00000000-0000-0000-0000-000000000002","kind":"thread",
        "id":"00000000-0000-0000-0000-00000000000a","seq":7,"author":"00000000-0000-0000-0000-000000000001",
        "created_at":"2026-06-09T09:00:00Z","updated_at":"2026-06-09T09:00:00Z","fields":{"title":"Good"}}"#;

    fn page(rows: &[&str]) -> Option<PullPage> {
        let body = format!(r#"{{"rows":[{}],"next":"00000000000000aa:9","more":false,"upto":9}}"#, rows.join(","));
        let scope = "team:00000000-0000-0000-0000-000000000002".parse().unwrap();
        one_by_one(body.as_bytes(), scope, "2026-06-10T09:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_row_of_another_form_hides_no_other() {
        let message = r#"{"kind":"message","id":"00000000-0000-0000-0000-00000000000b","seq":8,"author":5,
            "updated_at":"2026-06-09T10:00:00Z","fields":{"thread":"00000000-0000-0000-0000-00000000000a","text":"?"}}"#;
        let all = [GOOD, message, r#"{"kind":5,"seq":9}"#, "null", "[]", r#""row""#, "-1e300"];
        let read = page(&all).unwrap();
        assert_eq!(read.rows.len(), 2 + 5 * 2);
        assert_eq!((read.rows[0].fields["title"].as_str(), read.next.seq), (Some("Good"), 9));
        let instead = &read.rows[1];
        assert_eq!((&instead.kind, instead.seq, instead.id.as_u128()), (&Kind::MESSAGE, 8, 0xb));
        assert_eq!(instead.fields.keys().collect::<Vec<_>>(), ["thread"], "what it said is not known");
        assert_eq!(instead.updated_at.to_rfc3339(), "2026-06-09T10:00:00+00:00");
        let (thread, inside) = (&read.rows[2], &read.rows[3]);
        assert_eq!((thread.kind == Kind::THREAD, thread.seq), (true, 9));
        assert_eq!(inside.fields["thread"], thread.id.to_string());
        assert_eq!(inside.created_at.to_rfc3339(), "2026-06-10T09:00:00+00:00", "by the server's clock");
        assert_eq!(page(&all).unwrap().rows, read.rows, "the same each time");
    }

    #[test]
    fn what_is_no_page_is_none() {
        let scope: Scope = "team:00000000-0000-0000-0000-000000000002".parse().unwrap();
        for body in ["", "[]", r#"{"rows":[]}"#, r#"{"rows":5,"next":"00000000000000aa:9","more":false,"upto":9}"#] {
            assert!(one_by_one::<PullPage>(body.as_bytes(), scope, DateTime::UNIX_EPOCH).is_none(), "{body}");
        }
    }
}
