//! People who joined a team on our server.

use crate::Server;
use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use meantime_protocol::http::{InviteRequest, JoinResponse, Op, PushOutcome, PushRequest};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Fields, Invite, Kind, Scope};
use meantime_sync::{HttpRemote, Remote as _, Token};
use serde_json::{Value, json};
use uuid::Uuid;

/// People whom one admin lets in: fewer than a device may ask for at once.
const EACH: usize = 200;
/// Admins who let people in at the same time.
const AT_ONCE: usize = 16;

/// Somebody's place in a team: one device.
#[derive(Clone, Debug)]
pub struct Seat {
    /// What the server said.
    pub joined: JoinResponse,
    host: String,
    ca: Option<[u8; 32]>,
}

impl Seat {
    /// Lets that many people in, each with a device.
    ///
    /// # Errors
    /// The server's words.
    pub async fn take(server: &Server, people: usize) -> Result<Vec<Self>> {
        let parts = stream::iter(0..people.div_ceil(EACH)).map(async |part| {
            let admin = Self::join(&server.invite_as("admin")?).await?;
            let remote = admin.remote()?;
            let mut seats = vec![admin];
            while seats.len() < EACH && part * EACH + seats.len() < people {
                let invite = remote.invite(&InviteRequest { valid_hours: 1, role: Role::Member }).await?;
                seats.push(Self::join(&invite.link).await?);
            }
            Ok::<_, anyhow::Error>(seats)
        });
        let parts: Vec<Vec<Self>> = parts.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(parts.into_iter().flatten().collect())
    }

    async fn join(link: &str) -> Result<Self> {
        let invite: Invite = link.parse()?;
        let joined = HttpRemote::join(&invite, "Somebody", "laptop").await?;
        Ok(Self { joined, host: invite.host, ca: invite.ca })
    }

    /// The server, as this device sees it: connections of its own.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub fn remote(&self) -> Result<HttpRemote> {
        Ok(HttpRemote::new(&self.host, self.ca, &Token::new(self.joined.token.clone()))?)
    }

    /// `HOST:PORT` of the server.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The team's feed.
    #[must_use]
    pub fn team(&self) -> Scope {
        Scope::Team(self.joined.team)
    }

    /// Sends changes past any outbox; all have to be taken.
    ///
    /// # Errors
    /// The server's words.
    pub async fn push(&self, remote: &HttpRemote, ops: Vec<Op>) -> Result<()> {
        let answer = remote.push(&PushRequest { device: self.joined.device, ops }).await?;
        for result in answer.results {
            if let PushOutcome::Rejected { problem } = result.outcome {
                anyhow::bail!("a change was refused: {problem}");
            }
        }
        Ok(())
    }

    /// Opens a thread in a feed, as change number `n` of this device.
    ///
    /// # Errors
    /// The server's words.
    pub async fn open_thread(&self, remote: &HttpRemote, n: u64, scope: Scope) -> Result<Uuid> {
        let id = Uuid::now_v7();
        self.push(remote, vec![op(n, scope, Kind::THREAD, id, json!({"title": "A thread", "urgency": "green"}))])
            .await?;
        Ok(id)
    }
}

/// A change that makes a record.
#[must_use]
pub fn op(n: u64, scope: Scope, kind: Kind, id: Uuid, fields: Value) -> Op {
    let fields = match fields {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    };
    let op_id = meantime_model::OpId::new();
    Op { n, op_id, scope, kind, id, fields, base_seq: None, deleted: false, visible_from: None }
}

/// A message in a thread.
#[must_use]
pub fn message(n: u64, scope: Scope, thread: Uuid, text: &str) -> Op {
    op(n, scope, Kind::MESSAGE, Uuid::now_v7(), json!({"thread": thread, "text": text}))
}
