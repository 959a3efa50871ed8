//! `/v1/attachments/{scope}/{sha256}`: bytes that go with messages come in,
//! from where they stopped, and go out. Never interpreted, and never served as
//! anything but bytes to be saved.

mod claims;
mod range;
mod receive;

use super::App;
use super::read::Caller;
use super::refusal::Refusal;
use crate::attachments::blob;
use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
pub use claims::Claims;
use futures::StreamExt as _;
use meantime_protocol::attachment::UPLOAD_OFFSET;
use meantime_protocol::{Code, Problem, Scope, Sha256};
use meantime_server_blobs::{Blob, BlobError, Upload};
use meantime_server_core::Actor;
use meantime_server_core::rules::{self, Kept};
use range::{Part, Piece};
use std::sync::Arc;
use uuid::Uuid;

/// Who asks for which attachment.
pub(super) struct Asked {
    actor: Actor,
    scope: Scope,
    sha256: Sha256,
}

/// How an attachment stands.
enum Stands {
    Whole(Kept),
    /// Not there; `lost` is the tag of one that is noted, but whose bytes are gone.
    Absent {
        lost: Option<Uuid>,
    },
}

/// A refusal that may say how far the upload is.
pub(super) struct Refused {
    problem: Problem,
    offset: Option<u64>,
}

/// Its length if it is whole, else how far this device's upload of it is.
pub(super) async fn head(State(app): State<Arc<App>>, asked: Asked) -> Result<Response, Refused> {
    if let Stands::Whole(kept) = asked.stands(&app).await? {
        let mut response = StatusCode::OK.into_response();
        describe(response.headers_mut(), &kept, kept.bytes);
        return Ok(response);
    }
    let upload = asked.upload();
    let _claim = app.attachments.claims.claim(upload, asked.actor.person).await?;
    let begun = app.attachments.blobs.begun(&upload).await?;
    let mut response = StatusCode::NOT_FOUND.into_response();
    response.headers_mut().insert(HeaderName::from_static(UPLOAD_OFFSET), begun.offset.into());
    Ok(response)
}

/// Its bytes, or a part of them.
pub(super) async fn get(State(app): State<Arc<App>>, asked: Asked, headers: HeaderMap) -> Result<Response, Refused> {
    let Stands::Whole(kept) = asked.stands(&app).await? else { return Err(not_there().into()) };
    let part = match Part::of(&headers, kept.bytes) {
        Part::Whole => 0..kept.bytes,
        Part::Within(part) => part,
        Part::Outside => {
            let problem = Problem::new(Code::Invalid, format!("it has {} bytes", kept.bytes));
            let mut response = (StatusCode::RANGE_NOT_SATISFIABLE, Json(problem)).into_response();
            set(response.headers_mut(), header::CONTENT_RANGE, format!("bytes */{}", kept.bytes));
            return Ok(response);
        }
    };
    let place = app.room.download(asked.actor.person, &app.metrics).map_err(|refusal| refusal.0)?;
    let bytes = app.attachments.blobs.read(&asked.blob(&kept), part.clone()).await?.ok_or_else(not_there)?;
    // Its place is taken until the last of it is gone, or whoever asked is.
    let bytes = bytes.inspect(move |_| {
        let _taken = &place;
    });
    let mut response = Body::from_stream(bytes).into_response();
    let all = part == (0..kept.bytes);
    if !all {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), kept.bytes);
        set(response.headers_mut(), header::CONTENT_RANGE, range);
    }
    describe(response.headers_mut(), &kept, part.end - part.start);
    Ok(response)
}

/// Takes bytes from where the upload stands; all of them make it whole.
pub(super) async fn put(
    State(app): State<Arc<App>>,
    asked: Asked,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let stands = asked.stands(&app).await?;
    let piece = Piece::of(&headers)?;
    let lost = match stands {
        Stands::Whole(kept) => return Ok(receive::done(kept.bytes)),
        Stands::Absent { lost } => lost,
    };
    if piece.total > app.attachments.limits.largest {
        let most = app.attachments.limits.largest >> 20;
        return Err(Problem::new(Code::TooLarge, format!("an attachment is at most {most} MiB here")).into());
    }
    let claim = app.attachments.claims.claim(asked.upload(), asked.actor.person).await?;
    // On its own: when the connection breaks, this future is dropped, and what
    // came shall be kept all the same.
    let received = tokio::spawn(receive::receive(Arc::clone(&app), asked, piece, lost, body, claim)).await;
    received.unwrap_or_else(|_| Err(Problem::new(Code::Internal, "the server has a problem of its own").into()))
}

/// Forgets how far this device's upload is. A whole attachment stays.
pub(super) async fn delete(State(app): State<Arc<App>>, asked: Asked) -> Result<StatusCode, Refused> {
    asked.stands(&app).await?;
    let upload = asked.upload();
    let _claim = app.attachments.claims.claim(upload, asked.actor.person).await?;
    app.attachments.blobs.abandon(&upload).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Asked {
    /// Refuses what isn't theirs before anything else is said.
    async fn stands(&self, app: &App) -> Result<Stands, Refused> {
        let Some(kept) = app.core.attachment(&self.actor, self.scope, self.sha256).await? else {
            return Ok(Stands::Absent { lost: None });
        };
        if app.attachments.blobs.bytes(&self.blob(&kept)).await? == Some(kept.bytes) {
            return Ok(Stands::Whole(kept));
        }
        tracing::error!(team = %self.actor.team, sha256 = %kept.sha256, "the bytes of an attachment are gone");
        Ok(Stands::Absent { lost: Some(kept.tag) })
    }

    fn upload(&self) -> Upload {
        let id = rules::attachment_key(self.actor.team, self.scope, self.sha256).id;
        Upload { team: self.actor.team, device: self.actor.device, id, sha256: self.sha256 }
    }

    fn blob(&self, kept: &Kept) -> Blob {
        blob(self.actor.team, kept)
    }
}

impl FromRequestParts<Arc<App>> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let Caller(actor) = Caller::from_request_parts(parts, app).await?;
        let path = Path::<(String, String)>::from_request_parts(parts, app).await;
        // What is no scope or no hash names nothing, and is answered like that.
        let Path((scope, sha256)) = path.map_err(|_| not_there())?;
        let (Ok(scope), Ok(sha256)) = (scope.parse(), sha256.parse()) else { return Err(not_there().into()) };
        Ok(Self { actor, scope, sha256 })
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, offset: None }
    }
}

impl From<BlobError> for Refused {
    fn from(error: BlobError) -> Self {
        tracing::error!(%error, "attachments can't be read or written");
        let (code, message) = match error {
            BlobError::Full(_) => {
                (Code::StorageFull, "the server has no room left for attachments; tell whoever runs it")
            }
            BlobError::Failed(_) => (Code::Internal, "the server can't get at its attachments just now"),
        };
        Problem::new(code, message).into()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = Refusal(self.problem).into_response();
        if let Some(offset) = self.offset {
            response.headers_mut().insert(HeaderName::from_static(UPLOAD_OFFSET), offset.into());
        }
        response
    }
}

/// Nothing of what its sender says about it: bytes, to be saved.
fn describe(headers: &mut HeaderMap, kept: &Kept, length: u64) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, length.into());
    set(headers, header::ETAG, format!("\"{}\"", kept.sha256));
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

fn not_there() -> Problem {
    Problem::new(Code::NotFound, "there is no such attachment, or it is not whole")
}
