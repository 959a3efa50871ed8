//! Somebody with a Meantime of their own, without a window: `meantime daemon`
//! and the command line.

use crate::cli::Cli;
use crate::process::{self, Process};
use crate::wait::{Patience, wait_for};
use crate::{World, programs};
use anyhow::{Context, Result};
use meantime_platform::kit::{GnomeKeyring, PrivateBus};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A person. Dropping them ends their engine.
pub struct Person {
    /// What they type.
    pub cli: Cli,
    /// Their id in the team; empty without one.
    pub id: String,
    name: String,
    env: Vec<(String, PathBuf)>,
    logs: PathBuf,
    daemon: Process,
    _desk: Option<(GnomeKeyring, PrivateBus)>,
}

impl Person {
    /// Gives somebody an empty profile and an engine.
    ///
    /// # Errors
    /// The engine does not start.
    pub async fn new(world: &World, name: &str) -> Result<Self> {
        Self::with(world.profile(&name.to_lowercase()), name, world).await
    }

    /// A teammate at another desk, where notifications of theirs don't show
    /// on this one: an engine on a bus of its own, joined to a team.
    ///
    /// # Errors
    /// The engine does not start, or the team is not joined.
    pub async fn far_away(world: &World, name: &str, invite: &str) -> Result<Self> {
        let bus = PrivateBus::start();
        let keyring = GnomeKeyring::start(&world.folder(&format!("keyring-{name}"))?, &bus).await;
        let mut env = world.profile(&name.to_lowercase());
        env.retain(|(name, _)| name != "DBUS_SESSION_BUS_ADDRESS");
        env.push(("DBUS_SESSION_BUS_ADDRESS".to_owned(), bus.address().into()));
        let mut person = Self::with(env, name, world).await?;
        person._desk = Some((keyring, bus));
        person.joins(name, invite).await?;
        Ok(person)
    }

    async fn with(env: Vec<(String, PathBuf)>, name: &str, world: &World) -> Result<Self> {
        let logs = world.logs();
        let daemon = start(name, &env, &logs).await?;
        let cli = Cli::new(env.clone())?;
        Ok(Self { cli, id: String::new(), name: name.to_owned(), env, logs, daemon, _desk: None })
    }

    /// The same, and they join a team.
    ///
    /// # Errors
    /// The engine does not start, or the team is not joined.
    pub async fn join(world: &World, name: &str, invite: &str) -> Result<Self> {
        let mut person = Self::new(world, name).await?;
        person.joins(name, invite).await?;
        Ok(person)
    }

    async fn joins(&mut self, name: &str, invite: &str) -> Result<()> {
        let joined = self.cli.json_with_input(&["join", "--name", name], invite).await?;
        self.id = joined.get("person").and_then(Value::as_str).context("joining told no person")?.to_owned();
        Ok(())
    }

    /// Kills their engine as nothing can prepare for.
    ///
    /// # Errors
    /// It goes on all the same.
    pub async fn kill_9(&mut self) -> Result<()> {
        process::kill_9(self.daemon.pid());
        wait_for("the end of a killed engine", Patience::SHORT, async || Ok(self.daemon.ended()?.map(drop))).await
    }

    /// Starts their engine again.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        self.daemon = start(&self.name, &self.env, &self.logs).await?;
        Ok(())
    }
}

async fn start(name: &str, env: &[(String, PathBuf)], logs: &Path) -> Result<Process> {
    let program = programs::ours(programs::CLI)?;
    let mut command = Command::new(program);
    command.arg("daemon").envs(env.iter().map(|(name, value)| (name, value)));
    let mut daemon = Process::start(&format!("daemon-{}", name.to_lowercase()), command, logs)?;
    let cli = Cli::new(env.to_vec())?;
    wait_for("an engine", Patience::LONG, async || {
        daemon.must_run()?;
        cli.json(&["status"]).await.map(Some)
    })
    .await?;
    Ok(daemon)
}
