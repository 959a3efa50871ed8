//! Somebody with a Meantime of their own, without a window: `meantime daemon`
//! and the command line.

use crate::cli::Cli;
use crate::process::Process;
use crate::wait::{Patience, wait_for};
use crate::{World, programs};
use anyhow::{Context, Result};
use serde_json::Value;
use std::process::Command;

/// A person. Dropping them ends their engine.
pub struct Person {
    /// What they type.
    pub cli: Cli,
    /// Their id in the team.
    pub id: String,
    _daemon: Process,
}

impl Person {
    /// Gives somebody a profile and an engine, and lets them join a team.
    ///
    /// # Errors
    /// The engine does not start, or the team is not joined.
    pub async fn join(world: &World, name: &str, invite: &str) -> Result<Self> {
        let env = world.profile(&name.to_lowercase());
        let mut command = Command::new(programs::ours(programs::CLI)?);
        command.arg("daemon").envs(env.iter().map(|(name, value)| (name, value)));
        let mut daemon = Process::start(&format!("daemon-{}", name.to_lowercase()), command, &world.logs())?;
        let cli = Cli::new(env)?;
        wait_for("an engine", Patience::LONG, async || {
            daemon.must_run()?;
            cli.json(&["status"]).await.map(Some)
        })
        .await?;
        let joined = cli.json_with_input(&["join", "--name", name], invite).await?;
        let id = joined.get("person").and_then(Value::as_str).context("joining told no person")?.to_owned();
        Ok(Self { cli, id, _daemon: daemon })
    }
}
