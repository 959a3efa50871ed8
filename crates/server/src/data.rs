//! The data folder: the database, the keys, and what the operator chose.
//! Readable for its owner only.

use crate::seal;
use crate::settings::{self, Beginning, Settings};
use anyhow::{Context as _, anyhow, bail};
use meantime_protocol::Epoch;
use meantime_server_blobs::disk;
use meantime_server_sqlite::Sqlite;
use serde::Deserialize;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The port a server listens on when nothing else was chosen.
pub const PORT: u16 = 8443;

/// A folder that holds one server, and the file with its settings.
#[derive(Clone, Debug)]
pub struct DataDir {
    folder: PathBuf,
    settings: PathBuf,
}

/// What differs between servers whose other settings have their defaults.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Names and addresses the server is reached by; the first stands in invites.
    pub hosts: Vec<String>,
    /// The port it listens on.
    pub port: u16,
}

impl DataDir {
    /// That folder, whether or not it is there, with the settings in it.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { folder: path.to_owned(), settings: path.join(settings::FILE) }
    }

    /// The folder of which a settings file elsewhere speaks.
    ///
    /// # Errors
    /// When the file can't be read or has faults.
    pub fn of_settings(path: &Path) -> anyhow::Result<Self> {
        let settings = Settings::read(path)?;
        Ok(Self { folder: settings.data, settings: path.to_owned() })
    }

    /// The same folder with its settings elsewhere.
    #[must_use]
    pub fn with_settings(self, settings: &Path) -> Self {
        Self { settings: settings.to_owned(), ..self }
    }

    /// Makes the folder if it is missing.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make(&self) -> anyhow::Result<()> {
        make(&self.folder)
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// By which of its files a server lives in it, if one does.
    #[must_use]
    pub fn has_server(&self) -> Option<PathBuf> {
        let keys = ["ca.key", "ca.pem", seal::FILE].map(|name| self.file(name));
        [self.settings.clone(), self.database()].into_iter().chain(keys).find(|file| file.exists())
    }

    /// Begins a server on SQLite whose settings are the defaults, but for
    /// `config`, and monitoring, which listens nowhere.
    ///
    /// # Errors
    /// When there is one already.
    pub fn create(&self, config: &Config) -> anyhow::Result<Sqlite> {
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, config.port));
        self.begin(&Beginning { hosts: config.hosts.clone(), listen, ..Beginning::default() })?;
        self.create_database()
    }

    /// Writes the settings of a new server.
    ///
    /// # Errors
    /// When they would have faults, or the system refuses.
    pub fn begin(&self, beginning: &Beginning) -> anyhow::Result<Settings> {
        self.make()?;
        let text = beginning.text();
        Settings::parse(&text).map_err(|faults| settings::Faults { file: self.settings.clone(), faults })?;
        if let Some(folder) = self.settings.parent() {
            make(folder)?;
        }
        write(&self.settings, text.as_bytes())?;
        self.settings()
    }

    /// Makes the empty database of a new server on SQLite.
    ///
    /// # Errors
    /// When there is one already.
    pub fn create_database(&self) -> anyhow::Result<Sqlite> {
        Ok(Sqlite::create(&self.database(), new_epoch()?)?)
    }

    /// Opens the database that is there.
    ///
    /// # Errors
    /// When there is none, or it can't be used.
    pub fn open(&self) -> anyhow::Result<Sqlite> {
        Ok(Sqlite::open(&self.database())?)
    }

    /// The settings, as they are understood for this folder even if they name
    /// another. Those of a server made before there was such a file are written
    /// into one.
    ///
    /// # Errors
    /// When they can't be read or have faults.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let before = self.file("server.json");
        if !self.settings.exists() && before.exists() {
            let text = fs::read(&before).with_context(|| format!("{} can't be read", before.display()))?;
            let config: Config =
                serde_json::from_slice(&text).with_context(|| format!("{} is not of its form", before.display()))?;
            let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, config.port));
            write(&self.settings, Beginning { hosts: config.hosts, listen, ..Beginning::default() }.text().as_bytes())?;
        }
        Ok(Settings::read_for(&self.settings, self)?)
    }

    /// The file with the settings.
    #[must_use]
    pub fn settings_file(&self) -> &Path {
        &self.settings
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
            Err(fs::TryLockError::WouldBlock) => bail!("another meantime-server uses {}", self.folder.display()),
            Err(fs::TryLockError::Error(e)) => Err(e).with_context(|| format!("{} can't be locked", path.display())),
        }
    }

    /// Writes a file for the owner only; the old one stays until the new one is whole.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        write(&self.file(name), bytes)
    }

    /// The SQLite database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.file("server.db")
    }
}

/// A random epoch: another life of the data.
///
/// # Errors
/// When the system has no random numbers.
pub fn new_epoch() -> anyhow::Result<Epoch> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| anyhow!("the system's random numbers are not available: {e}"))?;
    Ok(Epoch(u64::from_ne_bytes(random)))
}

/// Makes a folder that only its owner may look into, if it is missing.
pub(crate) fn make(folder: &Path) -> anyhow::Result<()> {
    disk::make_folder(folder).with_context(|| format!("the folder {} can't be made", folder.display()))
}

/// Writes a file for its owner only; the old one stays until the new one is whole.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let write = || {
        let mut file = private(Path::new(&fresh), true)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        disk::sync_folder(path.parent().unwrap_or(Path::new("")))
    };
    write().with_context(|| format!("{} can't be written", path.display()))
}

/// Writes a file for its owner only that must not be there yet.
pub(crate) fn write_once(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || {
        let mut file = fresh(path)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if written.is_err() {
            // A part of it is worse than none.
            let _ = fs::remove_file(path);
        }
        written
    };
    write().with_context(|| format!("{} can't be written", path.display()))
}

/// Makes a file for its owner only, where none is yet.
pub(crate) fn fresh(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens a file for its owner only, made if missing.
pub(crate) fn private(path: &Path, empty: bool) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(empty);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
