//! Takes the bytes of an upload: piece by piece into the store, so that little
//! is in memory, and little is lost when the connection breaks.

use super::claims::Claim;
use super::range::Piece;
use super::{Asked, Refused};
use crate::http::App;
use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use meantime_protocol::attachment::{LEAST_PIECE, Upload as Done};
use meantime_protocol::{Code, Problem};
use meantime_server_blobs::{Begun, Blob, Finished, PIECE};
use meantime_server_core::attachments::Whole;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// Who sends nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(30);
/// One request takes no longer than that; the next goes on from there.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// How the bytes of a request ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// With all that it said there would be.
    Full,
    /// Before that, in good order.
    Short,
    /// Before that: the connection broke, or it took too long.
    Cut,
}

/// All bytes are there.
pub(super) fn done(bytes: u64) -> Response {
    Json(Done { offset: bytes, complete: true }).into_response()
}

/// Takes what the request brings; what came is kept even when it ends in the
/// middle.
pub(super) async fn receive(
    app: Arc<App>,
    asked: Asked,
    piece: Piece,
    lost: Option<Uuid>,
    body: Body,
    claim: Claim,
) -> Result<Response, Refused> {
    let upload = asked.upload();
    let blobs = &app.attachments.blobs;
    let mut begun = blobs.begun(&upload).await?;
    if piece.start != begun.offset {
        let problem = Problem::new(Code::Conflict, format!("{} bytes are there; go on from there", begun.offset));
        return Err(Refused { problem, offset: Some(begun.offset) });
    }
    has_room(&app, &asked, &claim, &begun, &piece).await?;
    let (end, rest) = take(&app, &asked, &claim, &piece, &mut begun, body).await?;
    if begun.offset + rest.len() as u64 == piece.total {
        return match blobs.finish(&upload, begun, rest).await? {
            Finished::Whole(blob) => keep(&app, &asked, blob, piece.total, lost).await,
            Finished::OtherHash(_) => {
                let problem = Problem::new(Code::Invalid, "the bytes are not those of that SHA-256; begin anew");
                Err(Refused { problem, offset: Some(0) })
            }
        };
    }
    // So little is sent again sooner than kept for itself.
    let little = (rest.len() as u64) < LEAST_PIECE;
    if little && end != End::Cut && begun.offset == piece.start {
        let problem = Problem::new(Code::Invalid, format!("what is not the end has at least {LEAST_PIECE} bytes"));
        return Err(Refused { problem, offset: Some(begun.offset) });
    }
    let too_little = little && end == End::Cut;
    if !rest.is_empty() && !too_little {
        blobs.append(&upload, &mut begun, rest).await?;
    }
    if end == End::Cut {
        let problem = Problem::new(Code::Busy, "the upload was interrupted; go on from where it is");
        return Err(Refused { problem: Problem { retry_after: Some(1), ..problem }, offset: Some(begun.offset) });
    }
    Ok(Json(Done { offset: begun.offset, complete: false }).into_response())
}

/// Before anything more of an upload is kept: whether there is room for all of
/// it, beside what is whole and what others have not finished.
async fn has_room(app: &App, asked: &Asked, claim: &Claim, begun: &Begun, piece: &Piece) -> Result<(), Refused> {
    let limits = &app.attachments.limits;
    let (team, device) = (asked.actor.team, asked.actor.device);
    let _turn = app.attachments.claims.turn().await;
    // Read before what is there: what has ended meanwhile is in that.
    let mut mine = app.attachments.claims.beginning(device);
    let unfinished = app.attachments.blobs.unfinished(team).await?;
    let others = unfinished.values().sum::<u64>().saturating_sub(begun.offset);
    let bytes = others.saturating_add(piece.total);
    app.core.room_for_attachment(asked.actor.team_scope(), bytes, limits.team).await?;
    if begun.offset > 0 {
        return Ok(());
    }
    mine.extend(unfinished.into_keys().filter(|(of, _)| *of == device).map(|(_, id)| id));
    mine.remove(&asked.upload().id);
    if mine.len() >= limits.unfinished {
        let message = format!("this device has {} unfinished uploads; finish or delete one", mine.len());
        return Err(Problem::new(Code::LimitReached, message).into());
    }
    claim.begins();
    Ok(())
}

/// Reads the body, keeps whole pieces; what is left of it.
async fn take(
    app: &App,
    asked: &Asked,
    claim: &Claim,
    piece: &Piece,
    begun: &mut Begun,
    body: Body,
) -> Result<(End, Bytes), Refused> {
    let upload = asked.upload();
    let give_up = Instant::now() + LONGEST;
    let mut stream = body.into_data_stream();
    let mut left = piece.end - piece.start;
    let mut buffer = BytesMut::new();
    let end = loop {
        if left == 0 {
            break End::Full;
        }
        let next = tokio::select! {
            next = tokio::time::timeout_at(give_up.min(Instant::now() + SILENCE), stream.next()) => next,
            () = claim.wanted() => break End::Cut,
            () = app.stop.cancelled() => break End::Cut,
        };
        match next {
            Ok(Some(Ok(bytes))) => {
                let bytes = bytes.slice(..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
                left -= bytes.len() as u64;
                buffer.extend_from_slice(&bytes);
            }
            Ok(None) => break End::Short,
            Ok(Some(Err(_))) | Err(_) => break End::Cut,
        }
        // The last one is finished with, not kept for itself.
        while buffer.len() > PIECE || (buffer.len() == PIECE && left > 0) {
            app.attachments.blobs.append(&upload, begun, buffer.split_to(PIECE).freeze()).await?;
        }
    };
    Ok((end, buffer.freeze()))
}

/// Notes it. If somebody else was faster, or it may not be, its bytes are not needed.
async fn keep(app: &App, asked: &Asked, blob: Blob, bytes: u64, lost: Option<Uuid>) -> Result<Response, Refused> {
    let tag = blob.tag;
    let whole = Whole { scope: asked.scope, sha256: asked.sha256, bytes, tag, instead_of: lost };
    let kept = app.core.keep_attachment(&asked.actor, whole, app.attachments.limits.team).await;
    // After a failure it may have been noted all the same: then they stay, and
    // are swept if they belong to nothing.
    let unneeded = match &kept {
        Ok(kept) => kept.tag != tag,
        Err(problem) => !matches!(problem.code, Code::Internal | Code::Busy),
    };
    if unneeded && let Err(error) = app.attachments.blobs.remove(&blob).await {
        tracing::warn!(%error, "bytes that nobody needs were not removed");
    }
    Ok(done(kept?.bytes))
}
