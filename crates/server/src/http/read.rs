//! Reads requests: who asks, the query, the body. Whatever is not of its form
//! is refused in words.

use super::App;
use super::refusal::Refusal;
use axum::body::Body;
use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use meantime_protocol::{Code, MAX_SMALL_BODY_BYTES, Problem};
use meantime_server_core::Actor;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// A secret in a body is small, and here by then: whoever sends it may be
/// anybody.
const SLOW_SECRET: Duration = Duration::from_secs(5);

/// The person whose token the request carries.
pub(super) struct Caller(pub Actor);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|text| text.split_once(' ')).filter(|(how, _)| how.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else {
            return Err(Refusal(Problem::new(Code::Unauthorized, "the request carries no token")));
        };
        let actor = app.core.authenticate(token.trim()).await?;
        app.core.paced(&actor)?;
        Ok(Self(actor))
    }
}

/// The body as JSON of the protocol; that of a push is read with
/// [`super::push`].
pub(super) async fn body<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let bytes = axum::body::to_bytes(body, MAX_SMALL_BODY_BYTES).await.map_err(|e| Refusal(unread(&e)))?;
    serde_json::from_slice(&bytes).map_err(|e| Refusal(bad(format!("the body is not what this call takes: {e}"))))
}

/// The body of a call that anybody may make.
pub(super) async fn secret<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let read = tokio::time::timeout(SLOW_SECRET, self::body(body)).await;
    read.unwrap_or_else(|_| {
        let problem = Problem::new(Code::Busy, "the request came too slowly; nothing was done");
        Err(Refusal(Problem { retry_after: Some(1), ..problem }))
    })
}

/// The query of the protocol.
pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    let query = Query::try_from_uri(uri);
    query.map(|Query(value)| value).map_err(|e| Refusal(bad(format!("the query is not what this call takes: {e}"))))
}

fn unread(error: &axum::Error) -> Problem {
    // The limit's error is an inner one, and its type is not public here.
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit") {
            let message = format!("this request is at most {} KiB", MAX_SMALL_BODY_BYTES >> 10);
            return Problem::new(Code::TooLarge, message);
        }
        cause = error.source();
    }
    bad("the body ended before its end".to_owned())
}

pub(super) fn bad(message: String) -> Problem {
    Problem::new(Code::BadRequest, message)
}
