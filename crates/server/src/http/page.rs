//! Sends pages of feeds: few of them are made at once, and those on their way
//! take their room among all others until the last of their text is gone,
//! however slowly whoever asked takes it.
//!
//! What stands on a page is for the rules.

use super::App;
use super::refusal::Refusal;
use super::shed::Place;
use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use meantime_model::PersonId;
use meantime_protocol::{Code, Problem};
use serde::Serialize;
use std::convert::Infallible;

/// Bytes handed to a connection at once: it copies some of what it is given.
const PIECE: usize = 64 << 10;

/// A page's text, and its room.
struct Text {
    json: Box<[u8]>,
    _room: Place<PersonId>,
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.json
    }
}

/// Answers with the page that `made` makes for somebody.
pub(super) async fn send<P: Serialize>(
    app: &App,
    person: PersonId,
    made: impl Future<Output = Result<P, Problem>>,
) -> Result<Response, Refusal> {
    let text = text(app, person, made).await?;
    let length = text.len();
    let pieces = stream::unfold(text, |mut rest| async move {
        let piece = rest.split_to(rest.len().min(PIECE));
        (!piece.is_empty()).then_some((Ok::<_, Infallible>(piece), rest))
    });
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, length.into());
    Ok(response)
}

async fn text<P: Serialize>(
    app: &App,
    person: PersonId,
    made: impl Future<Output = Result<P, Problem>>,
) -> Result<Bytes, Refusal> {
    let _turn = app.room.turn().await;
    let page = made.await?;
    let json = serde_json::to_vec(&page).map_err(|error| {
        tracing::error!(%error, "a page can't be written as text");
        Problem::new(Code::Internal, "the server has a problem of its own")
    })?;
    let room = app.room.page(person, json.len(), &app.metrics)?;
    // Its room goes with the last piece of it, wherever that waits to be taken.
    Ok(Bytes::from_owner(Text { json: json.into_boxed_slice(), _room: room }))
}
