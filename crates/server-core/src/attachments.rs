//! Which attachments there are, whose they are, and how much they take. Their
//! bytes are kept elsewhere; whoever keeps them asks here first, and notes
//! here when they are whole.

use crate::core::{TRIES, busy, failed};
use crate::rules::{self, Kept};
use crate::storage::{Batch, Commit, Storage, StorageError};
use crate::{Actor, Core, Key, Row, Run, TeamScope, feed};
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::{PersonId, TeamId};
use meantime_protocol::{Code, Fields, Kind, Problem, Record, Scope, Sha256};
use serde_json::{Value, json};
use uuid::Uuid;

/// Records looked at in one go.
const AT_ONCE: usize = 200;

/// An attachment whose bytes are whole, to be noted.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// The feed it belongs to.
    pub scope: Scope,
    /// Its hash, which was checked.
    pub sha256: Sha256,
    /// How many bytes.
    pub bytes: u64,
    /// Under which tag they are kept.
    pub tag: Uuid,
    /// The tag of one whose bytes turned out to be gone: this takes its place.
    pub instead_of: Option<Uuid>,
}

/// An attachment as whoever runs the server sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The id of its record, by which its bytes are kept.
    pub id: Uuid,
    /// Who brought it first.
    pub by: PersonId,
    /// When.
    pub since: DateTime<Utc>,
    /// What it is.
    pub kept: Kept,
}

impl<S: Storage> Core<S> {
    /// An attachment, if it is whole.
    ///
    /// # Errors
    /// `not_found` (for a circle `scope_gone`) for a feed that isn't there,
    /// isn't this person's, or has no messages for them.
    pub async fn attachment(&self, actor: &Actor, scope: Scope, sha256: Sha256) -> Result<Option<Kept>, Problem> {
        reach(actor, scope)?;
        let row = self.one(actor.team_scope(), &rules::attachment_key(actor.team, scope, sha256)).await?;
        Ok(row.as_ref().and_then(Kept::of).filter(|kept| kept.scope == scope && kept.sha256 == sha256))
    }

    /// Whether so many bytes more are within what a team may have.
    ///
    /// # Errors
    /// `limit_reached` when not.
    pub async fn room_for_attachment(&self, team: TeamScope, bytes: u64, most: u64) -> Result<(), Problem> {
        let total = self.one(team, &total_key(team.id())).await?;
        within(taken(total.as_ref()), bytes, most)
    }

    /// Bytes of all whole attachments of a team.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn attached_bytes(&self, team: TeamScope) -> Result<u64, Problem> {
        Ok(taken(self.one(team, &total_key(team.id())).await?.as_ref()))
    }

    /// Notes a whole attachment, so that messages may refer to it. If somebody
    /// was faster, theirs is answered, and nothing is noted.
    ///
    /// # Errors
    /// As [`Core::attachment`]; `limit_reached` when the team would have more
    /// than `most` bytes; `unauthorized` for who is not in it any more.
    pub async fn keep_attachment(&self, actor: &Actor, whole: Whole, most: u64) -> Result<Kept, Problem> {
        let team = actor.team_scope();
        let Whole { scope, sha256, bytes, tag, instead_of } = whole;
        let keys = [rules::attachment_key(team.id(), scope, sha256), total_key(team.id())];
        for _ in 0..TRIES {
            // It took a while to come: they may not be who they were.
            let actor = self.still_known(actor).await?;
            reach(&actor, scope)?;
            let mut rows = self.storage.get(team, &keys).await.map_err(failed)?.into_iter();
            let (row, total) = (rows.next().flatten(), rows.next().flatten());
            let before = row.as_ref().and_then(Kept::of);
            let (had, messages, idle_since) = match before {
                Some(kept) if Some(kept.tag) != instead_of => return Ok(kept),
                Some(kept) => (kept.bytes, kept.messages, kept.idle_since),
                None => (0, Vec::new(), Some(self.now())),
            };
            let others = taken(total.as_ref()).saturating_sub(had);
            within(others, bytes, most)?;
            let kept = Kept { scope, sha256, bytes, tag, messages, idle_since };
            let now = self.now();
            let made = |key: &Key, fields| made(&actor, key, fields, now);
            let writes = vec![made(&keys[0], kept.fields()), made(&keys[1], total_fields(others + bytes))];
            let seq = |row: &Option<Row>| row.as_ref().map_or(0, |row| row.record.seq);
            let expects = keys.iter().cloned().zip([seq(&row), seq(&total)]).collect();
            let batch = Batch { at: now, expects, writes, ..Batch::default() };
            match self.carry_out(team, batch).await.map_err(failed)? {
                Commit::Done(_) => return Ok(kept),
                Commit::Stale | Commit::InviteGone => {}
            }
        }
        Err(busy())
    }

    /// The whole attachments of a team in the order of their ids, from after
    /// one: for exports, backups and whoever runs the server.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn attachments(
        &self,
        team: TeamScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Listed>, StorageError> {
        let mut after = after;
        let mut found = Vec::new();
        while found.len() < limit {
            let rows = self.some_attachments(team, after, limit - found.len()).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.record.id);
            found.extend(rows.iter().filter_map(listed));
        }
        Ok(found)
    }

    /// Which of some bytes that are kept, by the id of their record and their
    /// tag, belong to a whole attachment.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn are_attached(&self, team: TeamScope, tags: &[(Uuid, Uuid)]) -> Result<Vec<bool>, StorageError> {
        let (scope, kind) = (rules::cupboard(team.id()), rules::kind_of_attachment());
        let keys: Vec<Key> = tags.iter().map(|(id, _)| Key { scope, kind: kind.clone(), id: *id }).collect();
        let rows = self.storage.get(team, &keys).await?;
        let tag_of = |row: Option<Row>| row.as_ref().and_then(Kept::of).map(|kept| kept.tag);
        Ok(rows.into_iter().zip(tags).map(|(row, (_, tag))| tag_of(row) == Some(*tag)).collect())
    }

    /// Forgets the attachments of a team that no message has referred to for
    /// so long; what they were. Their bytes may be removed then.
    ///
    /// # Errors
    /// When the storage fails; what was forgotten before that is not told, and
    /// its bytes belong to nothing.
    pub async fn sweep_attachments(&self, team: TeamScope, idle: TimeDelta) -> Result<Vec<Kept>, StorageError> {
        self.forget(team, idle, None).await
    }

    /// The same of what one person brought, and at once: for when everything
    /// of theirs shall go. What others' messages refer to stays.
    ///
    /// # Errors
    /// As [`Core::sweep_attachments`].
    pub async fn forget_attachments_of(&self, team: TeamScope, person: PersonId) -> Result<Vec<Kept>, StorageError> {
        self.forget(team, TimeDelta::zero(), Some(person)).await
    }

    async fn forget(&self, team: TeamScope, idle: TimeDelta, by: Option<PersonId>) -> Result<Vec<Kept>, StorageError> {
        let mut forgotten = Vec::new();
        let mut after = None;
        loop {
            let rows = self.some_attachments(team, after, AT_ONCE).await?;
            let Some(last) = rows.last() else { return Ok(forgotten) };
            after = Some(last.record.id);
            for row in rows {
                let theirs = by.is_none_or(|by| row.record.author == by);
                if let Some(kept) = Kept::of(&row).filter(|_| theirs) {
                    forgotten.extend(self.look_at(team, row, kept, idle).await?);
                }
            }
        }
    }

    async fn some_attachments(
        &self,
        team: TeamScope,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Row>, StorageError> {
        self.storage.rows(team, rules::cupboard(team.id()), &rules::kind_of_attachment(), after, limit).await
    }

    /// Notes which messages still refer to an attachment, or forgets it. If it
    /// moved meanwhile, next time.
    async fn look_at(
        &self,
        team: TeamScope,
        row: Row,
        mut kept: Kept,
        idle: TimeDelta,
    ) -> Result<Option<Kept>, StorageError> {
        let now = self.now();
        let message = |id: &Uuid| Key { scope: kept.scope, kind: Kind::MESSAGE, id: *id };
        let keys: Vec<Key> = kept.messages.iter().map(message).collect();
        let rows = if keys.is_empty() { Vec::new() } else { self.storage.get(team, &keys).await? };
        let live = rows.into_iter().flatten().filter(|row| rules::refers(row, kept.sha256));
        let live: Vec<Uuid> = live.map(|row| row.record.id).collect();
        let expects = vec![(row.key(), row.record.seq)];
        let batch = match kept.idle_since {
            since if live.is_empty() && now - since.unwrap_or(now) >= idle => {
                let total = self.storage.get(team, &[total_key(team.id())]).await?.into_iter().next().flatten();
                let Some(total) = total else { return Ok(None) };
                let left = taken(Some(&total)).saturating_sub(kept.bytes);
                let total_after = Row {
                    record: Record { updated_at: now, fields: total_fields(left), ..total.record.clone() },
                    ..total.clone()
                };
                let gone = Row {
                    record: Record { updated_at: now, deleted: true, fields: Fields::new(), ..row.record.clone() },
                    ..row
                };
                let expects = expects.into_iter().chain([(total.key(), total.record.seq)]).collect();
                let batch = Batch { at: now, expects, writes: vec![gone, total_after], ..Batch::default() };
                let done = matches!(self.carry_out(team, batch).await?, Commit::Done(_));
                return Ok(done.then_some(kept));
            }
            since => {
                let idle_since = if live.is_empty() { since.or(Some(now)) } else { None };
                if live.len() == kept.messages.len() && idle_since == since {
                    return Ok(None);
                }
                (kept.messages, kept.idle_since) = (live, idle_since);
                Batch { at: now, expects, writes: vec![rules::with(&row, &kept, now)], ..Batch::default() }
            }
        };
        self.carry_out(team, batch).await?;
        Ok(None)
    }
}

/// Attachments go with messages: they are where this person reads some.
fn reach(actor: &Actor, scope: Scope) -> Result<(), Problem> {
    feed::reach(actor, &scope)?;
    if actor.is_guest_in(&scope) || matches!(scope, Scope::User(_)) {
        return Err(feed::not_there());
    }
    Ok(())
}

fn within(others: u64, bytes: u64, most: u64) -> Result<(), Problem> {
    if others.saturating_add(bytes) <= most {
        return Ok(());
    }
    let message = format!("the team's attachments may take {} MiB together, and this one is too many", most >> 20);
    Err(Problem::new(Code::LimitReached, message))
}

/// The record with the bytes of all attachments of a team.
fn total_key(team: TeamId) -> Key {
    Key { scope: rules::cupboard(team), kind: Kind::new("attachments"), id: team.0 }
}

fn listed(row: &Row) -> Option<Listed> {
    let Record { id, author, created_at, .. } = row.record;
    Some(Listed { id, by: author, since: created_at, kept: Kept::of(row)? })
}

fn taken(total: Option<&Row>) -> u64 {
    total.and_then(|row| row.record.fields.get("bytes")).and_then(Value::as_u64).unwrap_or_default()
}

fn total_fields(bytes: u64) -> Fields {
    Fields::from_iter([("bytes".to_owned(), json!(bytes))])
}

fn made(actor: &Actor, key: &Key, fields: Fields, now: DateTime<Utc>) -> Row {
    Row {
        held: false,
        run: Run { device: actor.device, base: 0 },
        decided_by: None,
        record: Record {
            scope: key.scope,
            kind: key.kind.clone(),
            id: key.id,
            seq: 0,
            author: actor.person,
            deleted: false,
            visible_from: None,
            created_at: now,
            updated_at: now,
            fields,
        },
    }
}
