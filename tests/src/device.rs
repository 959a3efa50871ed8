//! A device as a process of its own, so that it can be killed at any moment:
//! the app's syncer over the app's database, without an engine and a window.
//! Its clock may be wrong, and its connection is bad.
//!
//! It is told what its person does, a line of JSON each, and answers each once
//! that is on its disk. What a test expects of it is the test's business.

mod served;
mod wire;

pub use served::serve;

use crate::programs;
use anyhow::{Context, Result, bail};
use meantime_model::{ItemId, PersonId};
use meantime_protocol::http::JoinResponse;
use meantime_protocol::{Invite, Record};
use meantime_sync::{HttpRemote, Token};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use uuid::Uuid;

/// Which device it is: the first line it is told.
#[derive(Clone, Serialize, Deserialize)]
struct Setup {
    database: PathBuf,
    host: String,
    ca: Option<[u8; 32]>,
    joined: JoinResponse,
    /// By how much its clock is wrong.
    skew_hours: i64,
    /// How its connection fails.
    seed: u64,
}

/// What its person does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Begins a thread.
    Ask {
        /// Its id.
        thread: ItemId,
        /// What it is about.
        title: String,
        /// Who is asked.
        asked: Vec<PersonId>,
    },
    /// Writes a message.
    Say {
        /// Into which thread.
        thread: ItemId,
        /// Its id.
        message: Uuid,
        /// What it says.
        text: String,
        /// To be sent later: so long from now, by this device's own clock.
        in_seconds: Option<i64>,
    },
    /// Deletes a message of theirs.
    Delete {
        /// Of which thread.
        thread: ItemId,
        /// Which.
        message: Uuid,
    },
    /// Marks a thread, with times by this device's own clock.
    Mark {
        /// Which thread.
        thread: ItemId,
        /// As what.
        mark: Mark,
    },
    /// Tries what nobody may.
    Poison {
        /// Under this name.
        text: String,
    },
    /// The cable is plugged in, or not.
    Cable(bool),
    /// Tells what is to be seen.
    Look,
}

/// A person's mark of a thread.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Mark {
    /// Read until now.
    Read,
    /// Done since now.
    Done,
    /// Neither done nor snoozed.
    Back,
    /// Snoozed for so many hours.
    Snoozed(i64),
    /// Muted, or not.
    Muted(bool),
}

/// What is to be seen on a device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Changes that were not sent yet.
    pub waiting: u32,
    /// The words of what was refused.
    pub refused: Vec<String>,
    /// The records of the team's feed and the person's own, without tombstones.
    pub records: Vec<Record>,
    /// Each thread as a list and the conversation show it, but for what has not
    /// arrived or was refused, which is this device's alone, and for whether it
    /// is snoozed, which each device sees by its own clock.
    pub shown: BTreeMap<Uuid, String>,
}

/// A device. Dropping it kills it; its database stays.
pub struct Device {
    setup: Setup,
    log: PathBuf,
    process: Option<Running>,
}

struct Running {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Device {
    /// Joins a team and starts. `folder` is its own, and there.
    ///
    /// # Errors
    /// The server's words; the device does not start.
    pub async fn join(link: &str, name: &str, skew_hours: i64, seed: u64, folder: &Path) -> Result<Self> {
        let invite: Invite = link.parse()?;
        let joined = HttpRemote::join(&invite, name, "laptop").await?;
        let database = folder.join("meantime.db");
        let setup = Setup { database, host: invite.host, ca: invite.ca, joined, skew_hours, seed };
        let mut device = Self { setup, log: folder.join("device.err"), process: None };
        device.start().await?;
        Ok(device)
    }

    /// Who it is.
    #[must_use]
    pub fn joined(&self) -> &JoinResponse {
        &self.setup.joined
    }

    /// The server as this device may see it, over a good connection.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub fn remote(&self) -> Result<HttpRemote> {
        Ok(HttpRemote::new(&self.setup.host, self.setup.ca, &Token::new(self.setup.joined.token.clone()))?)
    }

    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// Starts it with what lies in its database.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(programs::ours("device")?);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().context("can't start the device")?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?).lines();
        self.process = Some(Running { child, input, output });
        let setup = serde_json::to_string(&self.setup)?;
        self.tell(&setup).await?;
        self.answer().await.map(drop)
    }

    /// `kill -9`, wherever it is.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => Ok(process.child.kill().await?),
            None => Ok(()),
        }
    }

    /// Its person does something; it is on the disk when this returns.
    ///
    /// # Errors
    /// The device's words.
    pub async fn obey(&mut self, order: &Order) -> Result<()> {
        self.tell(&serde_json::to_string(order)?).await?;
        self.answer().await.map(drop)
    }

    /// Its person does something and it is killed so long after that; nobody
    /// knows whether it got to it.
    ///
    /// # Errors
    /// The system's.
    pub async fn die_over(&mut self, order: &Order, after: Duration) -> Result<()> {
        self.tell(&serde_json::to_string(order)?).await?;
        tokio::time::sleep(after).await;
        self.kill().await
    }

    /// What is to be seen on it.
    ///
    /// # Errors
    /// The device's words.
    pub async fn look(&mut self) -> Result<Seen> {
        self.tell(&serde_json::to_string(&Order::Look)?).await?;
        Ok(serde_json::from_str(&self.answer().await?)?)
    }

    async fn tell(&mut self, line: &str) -> Result<()> {
        let process = self.process.as_mut().context("the device does not run")?;
        process.input.write_all(format!("{line}\n").as_bytes()).await.context("the device does not listen")
    }

    async fn answer(&mut self) -> Result<String> {
        let process = self.process.as_mut().context("the device does not run")?;
        match process.output.next_line().await? {
            Some(line) => Ok(line),
            None => bail!("the device ended: {}", std::fs::read_to_string(&self.log).unwrap_or_default()),
        }
    }
}
