//! Takes pushes off the wire: one op after the other, so that one that can't be
//! read is refused by itself, and none takes more memory than its room.
//!
//! What an op takes in memory is not what it takes as text: `0,` are two bytes
//! and a value. So what it holds is counted before it is read, and a push has
//! to find room for that, and for what it makes the server look at. Which
//! changes are allowed is for the rules.

use super::App;
use super::people::to_the_end;
use super::read::{Caller, bad};
use super::refusal::Refusal;
use super::shed::Place;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use bytes::BytesMut;
use futures::StreamExt as _;
use meantime_model::{DeviceId, PersonId};
use meantime_protocol::http::{Op, PushResponse};
use meantime_protocol::{Code, MAX_BODY_BYTES, MAX_FIELDS_BYTES, MAX_OPS, MAX_VALUES, Problem};
use meantime_server_core::Incoming;
use meantime_server_core::limits::LOOKED_AT_BYTES;
use meantime_server_core::rules::too_many_values;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;

/// Longest op as text. Its fields are at most a quarter of that, written as
/// short as can be.
const OP_BYTES: usize = 4 * MAX_FIELDS_BYTES;
/// Values in the fields of all ops of a push together.
const VALUES: usize = 100_000;
/// What a value takes in memory, in bytes: a number in an object, with its name.
const VALUE_BYTES: usize = 128;
/// The most room that a push can take, in bytes.
pub(super) const HEAVIEST: usize = MAX_BODY_BYTES + VALUES * VALUE_BYTES + LOOKED_AT_BYTES;

/// A push whose ops were not looked at yet.
#[derive(Deserialize)]
struct Push<'a> {
    device: DeviceId,
    #[serde(borrow)]
    ops: Ops<'a>,
}

/// The texts of the ops; of too many, one too many.
struct Ops<'a>(Vec<&'a RawValue>);

/// What has to be known of an op that is refused.
#[derive(Deserialize)]
struct Numbered {
    n: u64,
}

/// How many values an op's fields hold, at all levels.
#[derive(Deserialize)]
struct Holding {
    #[serde(default)]
    fields: Values,
}

/// How many values a JSON text is made of, the outermost among them.
#[derive(Default)]
struct Values(usize);

pub(super) async fn push(
    State(app): State<Arc<App>>,
    Caller(actor): Caller,
    request: Body,
) -> Result<Json<PushResponse>, Refusal> {
    let mut room = app.room.push(actor.person).ok_or_else(|| app.room.no_memory(&app.metrics))?;
    let ops = read(&app, actor.device, &mut room, request).await?;
    // What is being written takes its room also when whoever asked went away.
    to_the_end(async move {
        let results = app.core.push(&actor, &ops).await?;
        app.metrics.pushed(&results);
        drop(room);
        Ok(PushResponse { results })
    })
    .await
}

async fn read(
    app: &App,
    device: DeviceId,
    room: &mut Place<PersonId>,
    request: Body,
) -> Result<Vec<Incoming>, Refusal> {
    let text = whole(app, room, request).await?;
    let push: Push = serde_json::from_slice(&text)
        .map_err(|e| Refusal(bad(format!("the body is not what this call takes: {e}"))))?;
    if push.device != device {
        return Err(Refusal(Problem::new(Code::Forbidden, "the device is not the one that the token belongs to")));
    }
    let Ops(texts) = push.ops;
    if texts.len() > MAX_OPS {
        return Err(Refusal(Problem::new(Code::TooLarge, format!("one push carries at most {MAX_OPS} changes"))));
    }
    app.room.heavier(room, looks_at(texts.len()), &app.metrics)?;
    let (mut ops, mut values) = (Vec::with_capacity(texts.len()), 0);
    for text in texts {
        let n = numbered(text.get())?;
        let holds = holding(text.get());
        if let Ok(more) = holds {
            values += more;
            if values > VALUES {
                let message = format!("the changes of one push hold at most {VALUES} values; divide it");
                return Err(Refusal(Problem::new(Code::TooLarge, message)));
            }
            app.room.heavier(room, more * VALUE_BYTES, &app.metrics)?;
        }
        let op = holds.and_then(|_| serde_json::from_str::<Op>(text.get()).map_err(unreadable));
        ops.push(Incoming { n, op });
    }
    Ok(ops)
}

/// The body, for which there is room as it comes.
async fn whole(app: &App, room: &mut Place<PersonId>, request: Body) -> Result<BytesMut, Refusal> {
    let (mut stream, mut text) = (request.into_data_stream(), BytesMut::new());
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(|_| Refusal(bad("the body ended before its end".to_owned())))?;
        if text.len() + bytes.len() > MAX_BODY_BYTES {
            let message = format!("this request is at most {} KiB; divide it", MAX_BODY_BYTES >> 10);
            return Err(Refusal(Problem::new(Code::TooLarge, message)));
        }
        app.room.heavier(room, bytes.len(), &app.metrics)?;
        text.extend_from_slice(&bytes);
    }
    Ok(text)
}

/// How much so many ops may make the server look at, as far as is known before
/// it does: what an op changes may be as big as there is.
fn looks_at(ops: usize) -> usize {
    ops.saturating_mul(MAX_FIELDS_BYTES).min(LOOKED_AT_BYTES)
}

/// An op's number. What has none can't be answered by its number either.
fn numbered(op: &str) -> Result<u64, Problem> {
    let n = op.starts_with('{').then(|| serde_json::from_str::<Numbered>(op).ok()).flatten();
    // One more than this is more than the database counts to.
    let n = n.map(|Numbered { n }| n).filter(|n| *n < i64::MAX.unsigned_abs());
    n.ok_or_else(|| bad("every op has a number n".to_owned()))
}

/// How many values an op's fields hold, if it is not too large.
fn holding(op: &str) -> Result<usize, Problem> {
    if op.len() > OP_BYTES {
        let message = format!("one change is at most {} KiB as it is sent", OP_BYTES >> 10);
        return Err(Problem::new(Code::TooLarge, message));
    }
    // The outermost is the fields themselves.
    let Holding { fields: Values(values) } = serde_json::from_str(op).map_err(unreadable)?;
    match values.saturating_sub(1) {
        values if values > MAX_VALUES => Err(too_many_values()),
        values => Ok(values),
    }
}

fn unreadable(error: serde_json::Error) -> Problem {
    Problem::new(Code::Invalid, format!("this change can't be read: {error}"))
}

impl<'de: 'a, 'a> Deserialize<'de> for Ops<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of ops")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut ops = Vec::new();
                while ops.len() <= MAX_OPS
                    && let Some(op) = list.next_element()?
                {
                    ops.push(op);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(ops)
            }
        }
        from.deserialize_seq(List).map(Ops)
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = usize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<usize, E> {
                Ok(1)
            }

            fn visit_bool<E>(self, _: bool) -> Result<usize, E> {
                Ok(1)
            }

            fn visit_i64<E>(self, _: i64) -> Result<usize, E> {
                Ok(1)
            }

            fn visit_u64<E>(self, _: u64) -> Result<usize, E> {
                Ok(1)
            }

            fn visit_f64<E>(self, _: f64) -> Result<usize, E> {
                Ok(1)
            }

            fn visit_str<E>(self, _: &str) -> Result<usize, E> {
                Ok(1)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<usize, A::Error> {
                let mut count = 1;
                while let Some(Values(more)) = list.next_element()? {
                    count += more;
                }
                Ok(count)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<usize, A::Error> {
                let mut count = 1;
                while let Some((IgnoredAny, Values(more))) = object.next_entry()? {
                    count += more;
                }
                Ok(count)
            }
        }
        from.deserialize_any(One).map(Values)
    }
}
