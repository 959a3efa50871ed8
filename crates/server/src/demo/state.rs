//! What the sample team has to remember: who they are on the server.

use crate::data::DataDir;
use crate::seal;
use anyhow::Context as _;
use meantime_protocol::http::JoinResponse;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use uuid::Uuid;

/// Written last, so that its being there says that the team is whole.
const FILE: &str = "demo.json";
/// Is there while the team is being made.
const UNFINISHED: &str = "demo.unfinished";

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct State {
    /// The sample people by their keys.
    pub people: BTreeMap<String, Sample>,
    /// The threads' ids, in the order of the content.
    pub threads: Vec<Uuid>,
}

/// A sample person's device.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sample {
    pub joined: JoinResponse,
    /// Number of the next change.
    pub next: u64,
}

impl Sample {
    /// A number for a change, never given out again.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl State {
    pub fn read(data: &DataDir) -> anyhow::Result<Option<Self>> {
        let path = data.file(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
        Ok(Some(serde_json::from_slice(&text).with_context(|| format!("{} is not of its form", path.display()))?))
    }

    pub fn write(&self, data: &DataDir) -> anyhow::Result<()> {
        data.write(FILE, &serde_json::to_vec_pretty(self)?)
    }
}

/// Says that the team is being made. If it was before and never became whole,
/// what there is of it goes: nobody but the sample people was ever in it.
pub(super) fn begin(data: &DataDir) -> anyhow::Result<()> {
    let path = data.file(UNFINISHED);
    if path.exists() {
        for name in ["server.db", "server.db-wal", "server.db-shm", "server.toml", "ca.key", "ca.pem", seal::FILE] {
            match fs::remove_file(data.file(name)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
                _ => {}
            }
        }
    }
    if data.has_server().is_some() {
        anyhow::bail!("{} holds a team that is not the sample one; give another --data", data.file("").display());
    }
    data.write(UNFINISHED, b"")
}

/// Says that it is whole.
pub(super) fn end(data: &DataDir) -> anyhow::Result<()> {
    Ok(fs::remove_file(data.file(UNFINISHED))?)
}
