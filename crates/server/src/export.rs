//! A team, or what is a person's in it, as JSON lines. Without secrets: no
//! token, no password, nothing an invite could be made of.
//!
//! Of attachments it says which there are, and under which key of their store
//! their bytes are.
//!
//! The first line says what it is, the last one that it is whole.

use crate::attachments::blob;
use crate::feeds;
use chrono::{DateTime, Utc};
use meantime_model::PersonId;
use meantime_protocol::people::AuditQuery;
use meantime_protocol::{MAX_PAGE, Record, Scope};
use meantime_server_core::attachments::Listed;
use meantime_server_core::members::Person;
use meantime_server_core::storage::Team;
use meantime_server_core::{By, Core, Shared, Storage as _, TeamScope};
use serde_json::{Value, json};
use std::io::Write;

/// What is written, and whose.
pub struct Export<'a, W> {
    core: &'a Core<Shared>,
    team: &'a Team,
    /// Everybody's when absent.
    of: Option<PersonId>,
    out: W,
    records: u64,
}

impl<'a, W: Write> Export<'a, W> {
    /// Of a team, or of one person in it, to `out`.
    pub fn new(core: &'a Core<Shared>, team: &'a Team, of: Option<PersonId>, out: W) -> Self {
        Self { core, team, of, out, records: 0 }
    }

    /// Writes all of it; how many records there were.
    ///
    /// # Errors
    /// When the storage fails or `out` can't be written; then the last line is missing.
    pub async fn write(mut self, now: DateTime<Utc>) -> anyhow::Result<u64> {
        let team = TeamScope::operator(self.team.id);
        let what = if self.of.is_some() { "person" } else { "team" };
        let epoch = self.core.storage().epoch().await?.to_string();
        let head = json!({
            "meantime_export": 1, "what": what, "team": self.team.id, "name": self.team.name,
            "of": self.of, "epoch": epoch, "made_at": now,
        });
        self.line(&head)?;
        for person in self.core.people(team).await? {
            if self.of.is_none_or(|of| of == person.id) {
                self.person(team, &person).await?;
            }
        }
        let core = self.core;
        for scope in feeds::scopes(core, team).await? {
            feeds::records(core, team, scope, |record| self.record(&record, false)).await?;
        }
        for record in feeds::held(core, team, now).await? {
            self.record(&record, true)?;
        }
        self.attachments(team).await?;
        self.audit(team).await?;
        self.line(&json!({"whole": true, "records": self.records}))?;
        self.out.flush()?;
        Ok(self.records)
    }

    async fn person(&mut self, team: TeamScope, person: &Person) -> anyhow::Result<()> {
        let Person { id, name, role, removed_at, login, .. } = person;
        let devices = self.core.devices(By::Operator(team), *id).await?;
        let devices: Vec<Value> = devices
            .iter()
            .map(|device| json!({"id": device.id, "name": device.name, "since": device.since, "seen_at": device.seen_at}))
            .collect();
        let person = json!({
            "id": id, "name": name, "role": role, "removed_at": removed_at, "login": login, "devices": devices,
        });
        self.line(&json!({ "person": person }))
    }

    fn record(&mut self, record: &Record, held: bool) -> anyhow::Result<()> {
        let theirs = |of: PersonId| record.author == of || record.id == of.0 || record.scope == Scope::User(of);
        if !self.of.is_none_or(theirs) {
            return Ok(());
        }
        self.records += 1;
        self.line(&if held { json!({"record": record, "waits": true}) } else { json!({ "record": record }) })
    }

    async fn attachments(&mut self, team: TeamScope) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let some = self.core.attachments(team, after, MAX_PAGE).await?;
            let Some(last) = some.last() else { return Ok(()) };
            after = Some(last.id);
            let of = self.of;
            for Listed { by, since, kept, .. } in some.iter().filter(|a| of.is_none_or(|of| a.by == of)) {
                let key = blob(team.id(), kept).key();
                let attachment = json!({
                    "scope": kept.scope, "sha256": kept.sha256, "bytes": kept.bytes, "by": by, "since": since,
                    "key": key,
                });
                self.line(&json!({ "attachment": attachment }))?;
            }
        }
    }

    async fn audit(&mut self, team: TeamScope) -> anyhow::Result<()> {
        let mut before = None;
        loop {
            let page = self.core.audit(team, &AuditQuery { before, limit: Some(MAX_PAGE) }).await?;
            let Some(last) = page.entries.last() else { return Ok(()) };
            before = Some(last.seq);
            for entry in &page.entries {
                let theirs = |of: PersonId| entry.by == Some(of) || entry.about == Some(of.0);
                if self.of.is_none_or(theirs) {
                    self.line(&json!({ "audit": entry }))?;
                }
            }
        }
    }

    fn line(&mut self, value: &Value) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        Ok(self.out.write_all(b"\n")?)
    }
}
