//! The server, as sync sees it.

use crate::{Pokes, RemoteResult};
use async_trait::async_trait;
use meantime_protocol::http::{BootstrapPage, Me, Op, PullPage, PushResponse};
use meantime_protocol::{Cursor, Scope};

/// A team server. Calls may run side by side; a dropped call may or may not
/// have happened at the server, and may be repeated.
#[async_trait]
pub trait Remote: Send + Sync {
    /// Who this device is, and which feeds it may read.
    async fn me(&self) -> RemoteResult<Me>;
    /// Sends changes; one outcome each, in the same order.
    async fn push(&self, ops: Vec<Op>) -> RemoteResult<PushResponse>;
    /// What changed in a feed since a cursor.
    async fn pull(&self, scope: Scope, cursor: Cursor) -> RemoteResult<PullPage>;
    /// The current rows of a feed, newest first; `page` as the page before said.
    async fn bootstrap(&self, scope: Scope, page: Option<String>) -> RemoteResult<BootstrapPage>;
    /// Hears which feeds move, until the stream ends.
    async fn live(&self) -> RemoteResult<Pokes>;
}
