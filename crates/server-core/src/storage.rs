//! What a backend does.

use crate::{Key, Row, SecretHash, TeamScope};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, OpId, PersonId, TeamId};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Epoch, Record, Scope};

/// Keeps teams, people's devices and records. Called from many tasks at
/// once, and possibly from several processes on the same data.
///
/// Reads see one committed state each. [`Storage::commit`] is all or nothing
/// and durable when it returns; it is the only way a feed changes. It is
/// optimistic: the caller reads, judges, and hands over what it decided with
/// the seqs it relied on; if one of them moved, nothing is written and the
/// caller judges again. Dropping a call's future does not undo it: it may
/// still be carried out.
///
/// Sequence numbers of a scope are 1, 2, 3, … in the order of commit: a
/// reader that sees seq n has no smaller one still to come.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// Which life of the data this is.
    async fn epoch(&self) -> Result<Epoch, StorageError>;

    /// Whose token this is. Finds the team, so takes none.
    async fn device(&self, token: SecretHash) -> Result<Option<Device>, StorageError>;

    /// An invite by its secret, used and expired ones too. Finds the team, so takes none.
    async fn invite(&self, secret: SecretHash) -> Result<Option<Invite>, StorageError>;

    /// Every team, oldest first: for whoever runs the server.
    async fn teams(&self) -> Result<Vec<Team>, StorageError>;

    /// The team of the earliest record that waits to become visible, and when
    /// it shall. For the server's own clockwork.
    async fn next_held(&self) -> Result<Option<(DateTime<Utc>, TeamId)>, StorageError>;

    /// Begins a team.
    async fn found(&self, team: TeamScope, name: &str, at: DateTime<Utc>) -> Result<(), StorageError>;

    /// The team's own row; `None` when it was never founded.
    async fn team(&self, team: TeamScope) -> Result<Option<Team>, StorageError>;

    /// Keeps an invite, whose team must be `team`.
    async fn add_invite(&self, team: TeamScope, invite: &Invite) -> Result<(), StorageError>;

    /// The rows of some keys, in their order; tombstones and held ones too.
    async fn get(&self, team: TeamScope, keys: &[Key]) -> Result<Vec<Option<Row>>, StorageError>;

    /// For each number whether an op of the device was taken under it, and which.
    async fn taken(&self, team: TeamScope, device: DeviceId, ns: &[u64]) -> Result<Vec<Option<OpId>>, StorageError>;

    /// Writes what was decided, or nothing.
    async fn commit(&self, team: TeamScope, batch: Batch) -> Result<Commit, StorageError>;

    /// The newest seq of each scope; 0 for one that has none.
    async fn upto(&self, team: TeamScope, scopes: &[Scope]) -> Result<Vec<u64>, StorageError>;

    /// What changed after a seq, oldest first, tombstones too, as `reader` may see it.
    async fn changes(&self, team: TeamScope, from: &Changes) -> Result<Page, StorageError>;

    /// The current rows, newest first, no tombstones, as `reader` may see them.
    async fn current(&self, team: TeamScope, from: &Current) -> Result<Page, StorageError>;

    /// Held rows, not deleted, whose time has come, in the order they shall
    /// appear: by `visible_from`, then `created_at`, threads before messages.
    async fn held(&self, team: TeamScope, due: DateTime<Utc>, limit: usize) -> Result<Vec<Row>, StorageError>;

    /// Forgets tombstones last changed before an instant, and remembers up to
    /// which seq the feed has lost some ([`Page::min_seq`]).
    async fn sweep(&self, team: TeamScope, before: DateTime<Utc>) -> Result<u64, StorageError>;
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// The name it was founded with; the agreement may have a newer one.
    pub name: String,
}

/// A device and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Its team.
    pub team: TeamId,
    /// Its person.
    pub person: PersonId,
    /// SHA-256 of its token.
    pub token: SecretHash,
    /// What its person calls it.
    pub name: String,
    /// When it joined.
    pub since: DateTime<Utc>,
}

/// An invite. Its secret is known only to whoever holds the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// SHA-256 of its secret.
    pub secret: SecretHash,
    /// The team it leads to.
    pub team: TeamId,
    /// What its bearer becomes.
    pub role: Role,
    /// Useless from then on.
    pub expires_at: DateTime<Utc>,
    /// Somebody joined with it.
    pub used: bool,
}

/// What one commit does.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Rows that the decision relied on, with their seq; 0: must not exist.
    pub expects: Vec<(Key, u64)>,
    /// Ops that are now taken. One that is there already makes the batch stale.
    pub taken: Vec<(DeviceId, u64, OpId)>,
    /// Rows to write, each in place of the one with its key. Their `seq` is
    /// ignored: they get the scope's next ones in this order. One key may be
    /// written several times; the last image stays.
    pub writes: Vec<Row>,
    /// Uses up an invite and keeps the new device.
    pub join: Option<Join>,
}

/// Somebody joins.
#[derive(Clone, Debug)]
pub struct Join {
    /// The invite that must be unused until now.
    pub invite: SecretHash,
    /// Their first device.
    pub device: Device,
}

/// What became of a [`Batch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Written and durable; the seqs of `writes`, in their order.
    Done(Vec<u64>),
    /// Something it relied on moved; nothing was written.
    Stale,
    /// Its invite was used meanwhile; nothing was written.
    InviteGone,
}

/// Asks for a page of [`Storage::changes`].
#[derive(Clone, Copy, Debug)]
pub struct Changes {
    /// The feed.
    pub scope: Scope,
    /// Who reads.
    pub reader: PersonId,
    /// Rows with a greater seq.
    pub after: u64,
    /// How much at once.
    pub limit: Limit,
}

/// Asks for a page of [`Storage::current`].
#[derive(Clone, Copy, Debug)]
pub struct Current {
    /// The feed.
    pub scope: Scope,
    /// Who reads.
    pub reader: PersonId,
    /// The kinds of [`crate::row::goes_first`], or the others.
    pub first: bool,
    /// Rows with a smaller seq.
    pub below: u64,
    /// How much at once.
    pub limit: Limit,
}

/// How much one page may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Rows at most.
    pub rows: usize,
    /// The page ends with the row whose fields, as JSON, pass this many bytes.
    pub bytes: usize,
}

/// A page of a feed.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Its rows.
    pub rows: Vec<Record>,
    /// There are further ones.
    pub more: bool,
    /// The scope's newest seq, of the same moment as the rows.
    pub upto: u64,
    /// Tombstones up to this seq may be forgotten: a device that stands
    /// before it has to start over.
    pub min_seq: u64,
}

/// The backend failed. Says nothing about what a person did.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Too much to do; later it may work.
    #[error("the storage is too busy")]
    Busy,
    /// It does not work.
    #[error("the storage failed: {0}")]
    Failed(String),
}
