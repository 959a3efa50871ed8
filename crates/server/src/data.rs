//! The data folder: the database, the keys, and what the operator chose.
//! Readable for its owner only.

use anyhow::{Context as _, anyhow, bail};
use meantime_protocol::Epoch;
use meantime_server_sqlite::Sqlite;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The port a server listens on when nothing else was chosen.
pub const PORT: u16 = 8443;

/// A folder that holds one server.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// What the operator chose at `init`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Names and addresses the server is reached by; the first stands in invites.
    pub hosts: Vec<String>,
    /// The port it listens on.
    pub port: u16,
}

impl DataDir {
    /// That folder, whether or not it is there.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes the folder if it is missing.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make(&self) -> anyhow::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0).with_context(|| format!("the folder {} can't be made", self.0.display()))
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Whether a server lives in it.
    #[must_use]
    pub fn has_server(&self) -> bool {
        self.database().exists()
    }

    /// Begins a server: an empty database and the operator's choices.
    ///
    /// # Errors
    /// When there is one already.
    pub fn create(&self, config: &Config) -> anyhow::Result<Sqlite> {
        self.make()?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| anyhow!("the system's random numbers are not available: {e}"))?;
        let database = Sqlite::create(&self.database(), Epoch(u64::from_ne_bytes(random)))?;
        self.write("server.json", &serde_json::to_vec_pretty(config)?)?;
        Ok(database)
    }

    /// Opens the database that is there.
    ///
    /// # Errors
    /// When there is none, or it can't be used.
    pub fn open(&self) -> anyhow::Result<Sqlite> {
        Ok(Sqlite::open(&self.database())?)
    }

    /// What the operator chose.
    ///
    /// # Errors
    /// When the file is there but can't be read.
    pub fn config(&self) -> anyhow::Result<Config> {
        let path = self.file("server.json");
        let text = fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not of its form", path.display()))
    }

    /// Where the server listens, or did last.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        fs::read_to_string(self.file("address")).ok()?.trim().parse().ok()
    }

    /// Makes sure that no second server uses the folder; until the file is dropped.
    ///
    /// # Errors
    /// When one does.
    pub fn lock(&self) -> anyhow::Result<File> {
        let path = self.file("lock");
        let file = private(&path, false).with_context(|| format!("{} can't be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => bail!("another meantime-server uses {}", self.0.display()),
            Err(fs::TryLockError::Error(e)) => Err(e).with_context(|| format!("{} can't be locked", path.display())),
        }
    }

    /// Writes a file for the owner only; the old one stays until the new one is whole.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let (path, fresh) = (self.file(name), self.file(&format!("{name}.new")));
        let write = || {
            let mut file = private(&fresh, true)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)
        };
        write().with_context(|| format!("{} can't be written", path.display()))
    }

    fn database(&self) -> PathBuf {
        self.file("server.db")
    }
}

fn private(path: &Path, empty: bool) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(empty);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
