//! The real team server, in a folder of its own.

use crate::process::Process;
use crate::programs;
use crate::wait::{Patience, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running server. Dropping it kills it; its data stays.
pub struct Server {
    process: Process,
    data: PathBuf,
    logs: PathBuf,
    args: Vec<String>,
    started: Value,
}

impl Server {
    /// Starts a server with the sample team.
    ///
    /// # Errors
    /// It is not built, or does not start.
    pub async fn demo(data: &Path, logs: &Path) -> Result<Self> {
        Self::run(vec!["demo".into()], data, logs).await
    }

    /// Starts a server for a new, empty team.
    ///
    /// # Errors
    /// It is not built, or does not start.
    pub async fn team(name: &str, data: &Path, logs: &Path) -> Result<Self> {
        Self::team_with(name, data, logs, &[]).await
    }

    /// The same with more arguments of `init`.
    ///
    /// # Errors
    /// It is not built, or does not start.
    pub async fn team_with(name: &str, data: &Path, logs: &Path, more: &[&str]) -> Result<Self> {
        let init = ["init", "--team", name, "--host", "127.0.0.1", "--data"];
        let done = Command::new(programs::ours(programs::SERVER)?).args(init).arg(data).args(more).output()?;
        ensure!(done.status.success(), "init: {}", String::from_utf8_lossy(&done.stderr));
        // Several run at once here: monitoring, which has one port, listens nowhere.
        set(data, "listen = \"127.0.0.1:9464\"", "listen = \"\"")?;
        Self::run(vec!["serve".into(), "--listen".into(), "127.0.0.1:0".into()], data, logs).await
    }

    /// Changes a line of its settings, for its next start.
    ///
    /// # Errors
    /// There is no such line.
    pub fn set(&self, line: &str, other: &str) -> Result<()> {
        set(&self.data, line, other)
    }

    async fn run(args: Vec<String>, data: &Path, logs: &Path) -> Result<Self> {
        let mut command = Command::new(programs::ours(programs::SERVER)?);
        command.args(&args).arg("--data").arg(data);
        let mut process = Process::start("server", command, logs)?;
        let started = wait_for("the team server", Patience::LONG, async || {
            process.must_run()?;
            let said = process.output();
            let line = said.lines().next().filter(|_| said.contains('\n'));
            line.map(|line| serde_json::from_str(line).context("the server's first line")).transpose()
        })
        .await?;
        Ok(Self { process, data: data.to_owned(), logs: logs.to_owned(), args, started })
    }

    /// An invite link for one more person.
    ///
    /// # Errors
    /// The server's own words.
    pub fn invite(&self) -> Result<String> {
        self.invite_as("member")
    }

    /// An invite link for one more person of that role.
    ///
    /// # Errors
    /// The server's own words.
    pub fn invite_as(&self, role: &str) -> Result<String> {
        self.link(&["invite", "--role", role])
    }

    /// A link that makes its bearer somebody who is in the team, by name.
    ///
    /// # Errors
    /// The server's own words.
    pub fn link_of(&self, person: &str) -> Result<String> {
        self.link(&["user", "link", person])
    }

    fn link(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(programs::ours(programs::SERVER)?);
        let made = command.args(args).arg("--data").arg(&self.data).output()?;
        ensure!(made.status.success(), "{args:?}: {}", String::from_utf8_lossy(&made.stderr));
        Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned())
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data.join("server.db")
    }

    /// Kills it as nothing can prepare for, and starts it again where it was.
    ///
    /// # Errors
    /// It does not start again.
    pub async fn crash_and_restart(self) -> Result<Self> {
        let stopped = self.stop();
        stopped.start().await
    }

    /// Kills it.
    #[must_use]
    pub fn stop(self) -> StoppedServer {
        let Self { process, data, logs, mut args, started } = self;
        drop(process);
        // Its apps know this address.
        let address = started.get("listening").and_then(Value::as_str).unwrap_or_default();
        let address = address.trim_start_matches("https://").trim_end_matches('/').to_owned();
        args.truncate(1);
        args.extend(["--listen".to_owned(), address]);
        StoppedServer { data, logs, args }
    }
}

/// A server that does not run.
pub struct StoppedServer {
    data: PathBuf,
    logs: PathBuf,
    args: Vec<String>,
}

impl StoppedServer {
    /// Starts it where it was.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(self) -> Result<Server> {
        Server::run(self.args, &self.data, &self.logs).await
    }
}

fn set(data: &Path, line: &str, other: &str) -> Result<()> {
    let settings = data.join("server.toml");
    let text = fs::read_to_string(&settings).context("the settings that init wrote")?;
    let (line, other) = (format!("\n{line}\n"), format!("\n{other}\n"));
    ensure!(text.contains(&line), "no such line in the settings: {line}");
    Ok(fs::write(&settings, text.replace(&line, &other))?)
}
