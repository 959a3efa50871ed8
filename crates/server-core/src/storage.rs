//! What a backend does.

mod people;

use crate::pokes::Moved;
use crate::{Key, Row, SecretHash, TeamScope};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use meantime_model::{DeviceId, OpId, PersonId, TeamId};
use meantime_protocol::{Epoch, Kind, Record, Scope};
use uuid::Uuid;

pub use crate::watched::Concerned;
pub use people::{Account, Attempts, AuditEntry, Bearer, Change, Device, Invite, Standing, Token, Totp, Tried};

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

    /// Whether something can be written and kept just now. Tries it with as
    /// little as there is, and changes nothing that anybody reads.
    async fn writable(&self) -> Result<(), StorageError>;

    /// Whose token this is, and how they stand. Finds the team, so takes none.
    async fn bearer(&self, token: SecretHash) -> Result<Option<Bearer>, StorageError>;

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

    /// The rows of some keys, in their order; tombstones and held ones too.
    async fn get(&self, team: TeamScope, keys: &[Key]) -> Result<Vec<Option<Row>>, StorageError>;

    /// What is known of some op numbers of a device.
    async fn taken(&self, team: TeamScope, device: DeviceId, ns: &[u64]) -> Result<Taken, StorageError>;

    /// Writes what was decided, or nothing.
    async fn commit(&self, team: TeamScope, batch: Batch) -> Result<Commit, StorageError>;

    /// The newest seq of each scope; 0 for one that has none.
    async fn upto(&self, team: TeamScope, scopes: &[Scope]) -> Result<Vec<u64>, StorageError>;

    /// The feeds of a team that something was ever written in, whoever reads
    /// them, in the order of how they are written ([`Scope`]'s `Display`), from
    /// after one. For whoever runs the server.
    async fn scopes(&self, team: TeamScope, after: Option<Scope>, limit: usize) -> Result<Vec<Scope>, StorageError>;

    /// Which feeds, of any teams, are beyond a seq that is known of them; those
    /// of one team stand together. For the server's own streams, which look at
    /// many at once.
    async fn newer(&self, known: &[Moved]) -> Result<Vec<Moved>, StorageError> {
        let mut newer = Vec::new();
        for feeds in known.chunk_by(|a, b| a.team == b.team) {
            let Some(Moved { team, .. }) = feeds.first() else { continue };
            let scopes: Vec<Scope> = feeds.iter().map(|feed| feed.scope).collect();
            let seqs = self.upto(TeamScope::operator(*team), &scopes).await?;
            let moved = feeds.iter().zip(seqs).filter(|(feed, seq)| *seq > feed.seq);
            newer.extend(moved.map(|(feed, seq)| Moved { seq, ..*feed }));
        }
        Ok(newer)
    }

    /// Which teams' access numbers ([`Storage::access`]) are others than the
    /// ones that are known of them. For the server's own streams, as
    /// [`Storage::newer`].
    async fn access_moved(&self, known: &[(TeamId, u64)]) -> Result<Vec<(TeamId, u64)>, StorageError> {
        let mut moved = Vec::new();
        for (team, known) in known {
            let access = self.access(TeamScope::operator(*team)).await?;
            if access != *known {
                moved.push((*team, access));
            }
        }
        Ok(moved)
    }

    /// Whom the changes concern that moved a team's access number from `after`
    /// to `upto`; none where that is not known (any more), so that it may be
    /// everybody. For the server's own streams, as [`Storage::newer`].
    async fn concerned(
        &self,
        _team: TeamScope,
        _after: u64,
        _upto: u64,
    ) -> Result<Option<Vec<Concerned>>, StorageError> {
        Ok(None)
    }

    /// Whether another process may have committed something since the last
    /// call that answered; a backend that can't tell says so each time. What
    /// was committed through this value is no news to whoever asks.
    async fn others_wrote(&self) -> Result<bool, StorageError> {
        Ok(true)
    }

    /// What changed after a seq, oldest first, tombstones too, as `reader` may see it.
    async fn changes(&self, team: TeamScope, from: &Changes) -> Result<Page, StorageError>;

    /// The current rows, newest first, no tombstones, as `reader` may see them.
    async fn current(&self, team: TeamScope, from: &Current) -> Result<Page, StorageError>;

    /// Held rows, not deleted, whose time has come, in the order they shall
    /// appear: by `visible_from`, then `created_at`, threads before messages.
    async fn held(&self, team: TeamScope, due: DateTime<Utc>, limit: usize) -> Result<Vec<Row>, StorageError>;

    /// Every row of one kind in a scope, tombstones and held ones too, in the
    /// order of their ids, from after an id.
    async fn rows(
        &self,
        team: TeamScope,
        scope: Scope,
        kind: &Kind,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Row>, StorageError>;

    /// Forgets what is old ([`Sweep`]); how many tombstones.
    async fn sweep(&self, team: TeamScope, old: &Sweep) -> Result<u64, StorageError>;

    /// A number that grows with every commit that has a change which
    /// [`Change::moves_access`]; 0 before the first. It orders decisions about
    /// people ([`Batch::access`]), and tells that somebody came or went.
    async fn access(&self, team: TeamScope) -> Result<u64, StorageError>;

    /// How a device and its person stand; `None` when it is not there.
    async fn standing(&self, team: TeamScope, device: DeviceId) -> Result<Option<Standing>, StorageError>;

    /// A person's devices, oldest first.
    async fn devices(&self, team: TeamScope, person: PersonId) -> Result<Vec<Device>, StorageError>;

    /// A device's tokens, oldest first, retired ones too.
    async fn tokens(&self, team: TeamScope, device: DeviceId) -> Result<Vec<Token>, StorageError>;

    /// Notes when a device was last heard of.
    async fn seen(&self, team: TeamScope, device: DeviceId, at: DateTime<Utc>) -> Result<(), StorageError>;

    /// How a person signs in.
    async fn account(&self, team: TeamScope, person: PersonId) -> Result<Option<Account>, StorageError>;

    /// Who signs in by this name.
    async fn account_named(&self, team: TeamScope, login: &str) -> Result<Option<Account>, StorageError>;

    /// The accounts that have an authenticator, by their people's ids.
    async fn authenticators(&self, team: TeamScope) -> Result<Vec<Account>, StorageError>;

    /// The circles that each of some people is in, by id.
    async fn circles(&self, team: TeamScope, people: &[PersonId]) -> Result<Vec<Vec<Uuid>>, StorageError>;

    /// The invites that are unused and expire after an instant, whoever made them.
    async fn invites(&self, team: TeamScope, now: DateTime<Utc>) -> Result<Vec<Invite>, StorageError>;

    /// Failed tries to sign in.
    async fn attempts(&self, team: TeamScope, of: Tried) -> Result<Option<Attempts>, StorageError>;

    /// Counts one more failed try at `at`, however many others are counted at
    /// the same time; how many there are in a row now. If the last before it
    /// was before `since`, it is the first. Of a person who has no account
    /// nothing is kept.
    async fn failed(
        &self,
        team: TeamScope,
        of: Tried,
        at: DateTime<Utc>,
        since: DateTime<Utc>,
    ) -> Result<u32, StorageError>;

    /// Forgets failed tries. Those of an account go with it, too.
    async fn forget_attempts(&self, team: TeamScope, of: Tried) -> Result<(), StorageError>;

    /// What was done, newest first, from before a number.
    async fn audit(&self, team: TeamScope, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, StorageError>;
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// The name it was founded with; the agreement may have a newer one.
    pub name: String,
}

/// What is known of some op numbers of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// For each number the op that was taken under it, in their order.
    pub ops: Vec<Option<OpId>>,
    /// Ops with this number or a smaller one may have been taken and forgotten.
    pub forgotten: Option<u64>,
}

/// What is old enough to be forgotten: what was last changed, or ran out,
/// before each instant.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// Tombstones; the feed remembers up to which seq it has lost some
    /// ([`Page::min_seq`]).
    pub tombstones: DateTime<Utc>,
    /// Op numbers; the device remembers the greatest ([`Taken::forgotten`]).
    pub taken: DateTime<Utc>,
    /// Retired tokens.
    pub tokens: DateTime<Utc>,
    /// Invites, by their expiry.
    pub invites: DateTime<Utc>,
    /// Failed tries with logins that are nobody's.
    pub attempts: DateTime<Utc>,
    /// Entries of the audit log; the newest stays, so that its number is not
    /// given again.
    pub audit: DateTime<Utc>,
}

/// What one commit does. Its parts are looked at and carried out in the order
/// of the fields.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// When it was decided; kept with the op numbers.
    pub at: DateTime<Utc>,
    /// The access number that the decision relied on; another one now makes
    /// the batch stale. None: it relied on nothing about people.
    pub access: Option<u64>,
    /// Rows that the decision relied on, with their seq; 0: must not exist.
    pub expects: Vec<(Key, u64)>,
    /// Ops that are now taken. One that is there already, or of a device that
    /// is not there any more, makes the batch stale.
    pub taken: Vec<(DeviceId, u64, OpId)>,
    /// What becomes of people's devices, invites and the like, in this order.
    /// One that [`Change::moves_access`] adds 1 to the access number, several
    /// of them add 1 together.
    pub changes: Vec<Change>,
    /// Rows to write, each in place of the one with its key. Their `seq` is
    /// ignored: they get the scope's next ones in this order. One key may be
    /// written several times; the last image stays.
    pub writes: Vec<Row>,
    /// What to note of it.
    pub audit: Vec<AuditEntry>,
}

/// What became of a [`Batch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Written and durable; the seqs of `writes`, in their order.
    Done(Vec<u64>),
    /// Something it relied on moved; nothing was written.
    Stale,
    /// The invite that it uses is used, or not there; nothing was written.
    InviteGone,
}

/// Asks for a page of [`Storage::changes`].
#[derive(Clone, Copy, Debug)]
pub struct Changes {
    /// The feed.
    pub scope: Scope,
    /// Who reads.
    pub reader: PersonId,
    /// Only what a guest sees of the team's feed: the agreement, and the
    /// `member`, `schedule` and `focus` records (whose ids are people's) of
    /// the reader and of whoever is in a circle with them.
    pub guest: bool,
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
    /// As in [`Changes`].
    pub guest: bool,
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
    /// The page ends with the row whose fields pass this many bytes
    /// ([`crate::row::weight`]).
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
    /// Too much to do, or it is away for a moment; later it may work. Nothing
    /// was done.
    #[error("the storage is too busy")]
    Busy,
    /// It went away in the middle of it: it may have been carried out, or not.
    #[error("the storage went away: {0}")]
    Unsure(String),
    /// It does not work.
    #[error("the storage failed: {0}")]
    Failed(String),
}
