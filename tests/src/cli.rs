//! The `meantime` command, asked with `--json`.

use crate::programs;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Runs `meantime` in one world and profile.
#[derive(Clone)]
pub struct Cli {
    /// A command that takes longer has failed.
    pub patience: Duration,
    program: PathBuf,
    env: Vec<(String, PathBuf)>,
}

impl Cli {
    /// With the environment of a profile.
    ///
    /// # Errors
    /// It was not built.
    pub fn new(env: Vec<(String, PathBuf)>) -> Result<Self> {
        Ok(Self { program: programs::ours(programs::CLI)?, env, patience: Duration::from_secs(60) })
    }

    /// Runs a command and reads its answer.
    ///
    /// # Errors
    /// It failed (what it said), or took too long.
    pub async fn json(&self, args: &[&str]) -> Result<Value> {
        self.json_with_input(args, "").await
    }

    /// The same with something to read, say a password.
    ///
    /// # Errors
    /// As [`Cli::json`].
    pub async fn json_with_input(&self, args: &[&str], input: &str) -> Result<Value> {
        let ran = self.run(&[args, &["--json"]].concat(), input).await?;
        let what = format!("meantime {}", args.first().copied().unwrap_or_default());
        if ran.code != 0 {
            bail!("{what}: {} {}", ran.err.trim(), ran.out.trim());
        }
        serde_json::from_str(&ran.out).with_context(|| format!("{what} answered {:?}", ran.out))
    }

    /// Runs a command as it is typed, whatever comes of it.
    ///
    /// # Errors
    /// It can't be started, took too long, or was killed.
    pub async fn run(&self, args: &[&str], input: &str) -> Result<Ran> {
        let mut child = Command::new(&self.program)
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // It may have ended without reading; then its error says more.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let what = format!("meantime {}", args.first().copied().unwrap_or_default());
        let done = tokio::time::timeout(self.patience, child.wait_with_output()).await;
        let done = done.with_context(|| format!("{what} did not end in time"))??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = done.status.code().with_context(|| format!("{what} was killed"))?;
        Ok(Ran { code, out: text(&done.stdout), err: text(&done.stderr) })
    }
}

/// What a command said, and how it ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
}
