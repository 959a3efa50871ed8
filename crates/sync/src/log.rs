//! What this device keeps, as sync sees it.

use meantime_protocol::http::{BootstrapPage, Op, OpResult, PullPage};
use meantime_protocol::{Cursor, Scope};

/// A feed this device follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Which.
    pub scope: Scope,
    /// Where the device stands; none before the first bootstrap page.
    pub cursor: Option<Cursor>,
    /// A bootstrap goes on with this page.
    pub page: Option<String>,
}

/// The device's own side. Each call is one transaction: all of it happened or
/// nothing did, also when the process is killed. Calls block.
pub trait Log: Send + Sync + 'static {
    /// Why the device can't keep something; says so to the person.
    type Error: std::fmt::Display + Send;

    /// The feeds that are followed.
    fn feeds(&self) -> Result<Vec<Feed>, Self::Error>;
    /// Begins to follow a feed; nothing happens to one that is followed.
    fn follow(&self, scope: Scope) -> Result<(), Self::Error>;
    /// The feed is not this person's any more: everything of it goes, except
    /// what was on its way to it, which is refused visibly.
    fn forget(&self, scope: Scope) -> Result<(), Self::Error>;
    /// Begins a feed anew; the outbox is kept. `lost_epoch`: the server was
    /// put back from a backup and may have lost what it had taken.
    fn begin_anew(&self, scope: Scope, lost_epoch: bool) -> Result<(), Self::Error>;
    /// Applies a pulled page with its cursor; a row only if it is newer.
    fn apply(&self, scope: Scope, page: &PullPage) -> Result<(), Self::Error>;
    /// Applies a bootstrap page; nothing of it alerts.
    fn apply_bootstrap(&self, scope: Scope, page: &BootstrapPage) -> Result<(), Self::Error>;
    /// The next changes to push, in the order they were made; the same again
    /// until they are settled.
    fn next_ops(&self) -> Result<Vec<Op>, Self::Error>;
    /// Takes the outcomes in: a refusal stays, visibly, and holds nothing up.
    fn settle(&self, results: &[OpResult]) -> Result<(), Self::Error>;
}
