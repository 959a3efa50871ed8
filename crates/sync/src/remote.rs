//! The server's side.

use crate::{OutgoingFile, RemoteError, TransferError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use meantime_protocol::http::{BootstrapPage, Me, Poke, PullPage, PushRequest, PushResponse};
use meantime_protocol::{Cursor, Scope};

/// Pokes as they come; it ends or fails when the connection does.
pub type Pokes = BoxStream<'static, Result<Poke, RemoteError>>;

/// A team server, as one device sees it. Futures may be dropped at any await;
/// a push may then have been taken.
#[async_trait]
pub trait Remote: Send + Sync {
    /// Who this device is, and its feeds with their newest cursors.
    async fn me(&self) -> Result<Me, RemoteError>;
    /// Send ops.
    async fn push(&self, request: &PushRequest) -> Result<PushResponse, RemoteError>;
    /// A page of what changed since `cursor`.
    async fn pull(&self, scope: Scope, cursor: Cursor) -> Result<PullPage, RemoteError>;
    /// A page of the current rows; the first without `page`.
    async fn bootstrap(&self, scope: Scope, page: Option<&str>) -> Result<BootstrapPage, RemoteError>;
    /// Replaces what this device proves itself with, when it is time for that.
    /// Whatever happens, the device has something that is good.
    async fn renew(&self, _now: DateTime<Utc>) -> Result<(), RemoteError> {
        Ok(())
    }
    /// What the server's clock says; `None`: it does not tell.
    async fn time(&self) -> Result<Option<DateTime<Utc>>, RemoteError> {
        Ok(None)
    }
    /// Send a file, from where an earlier try ended. When it returns, messages
    /// of its scope may refer to it.
    async fn send_file(&self, file: &OutgoingFile) -> Result<(), TransferError>;
    /// Open the live stream.
    async fn live(&self) -> Result<Pokes, RemoteError>;
}
