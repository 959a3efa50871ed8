//! A world of its own for each test: folders, and nothing of this machine's
//! person.

use anyhow::{Result, anyhow};
use futures::FutureExt;
use std::any::Any;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// Two at a time: each starts a dozen programs and waits for them most of the
/// while, and machines are small.
static TURNS: Semaphore = Semaphore::const_new(2);

/// A test that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(6 * 60);

/// Plays a test in a world of its own.
///
/// # Panics
/// The test failed: why, and what every program said last.
#[allow(clippy::panic)] // how a test says that it failed
pub fn play(test: impl AsyncFnOnce(&mut World) -> Result<()>) {
    if let Err(error) = in_a_world(test) {
        panic!("{error:#}");
    }
}

/// Does something in a world of its own, within a time limit.
///
/// # Errors
/// Why it failed, and behind that what every program said last.
pub fn in_a_world(act: impl AsyncFnOnce(&mut World) -> Result<()>) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let _turn = TURNS.acquire().await?;
        let mut world = World::new()?;
        // A part that panics is a failure like any other: the logs tell why.
        let acted = AssertUnwindSafe(tokio::time::timeout(LIMIT, act(&mut world))).catch_unwind().await;
        let ended = match acted {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) => Err(anyhow!("did not end within {} minutes", LIMIT.as_secs() / 60)),
            Err(panic) => Err(anyhow!(words_of(&*panic))),
        };
        ended.map_err(|error| anyhow!("{error:#}\n\n{}", world.last_words()))
    })
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
}

/// Folders, an environment, and whatever was started in it.
pub struct World {
    dir: TempDir,
    env: Vec<(String, PathBuf)>,
}

impl World {
    /// New folders for a person, empty and private.
    ///
    /// # Errors
    /// The disk.
    pub fn new() -> Result<Self> {
        // Short: the path of a socket may have 108 bytes.
        let dir = tempfile::Builder::new().prefix("mt-").tempdir_in("/tmp")?;
        let mut world = Self { dir, env: Vec::new() };
        for (name, folder) in [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "home/.config"),
            ("XDG_DATA_HOME", "home/.local/share"),
            ("XDG_STATE_HOME", "home/.local/state"),
            ("XDG_CACHE_HOME", "home/.cache"),
            ("XDG_RUNTIME_DIR", "run"),
        ] {
            let path = world.folder(folder)?;
            world.set(name, path);
        }
        world.folder("logs")?;
        Ok(world)
    }

    /// The folder everything is in.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where programs' output goes.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path().join("logs")
    }

    /// Adds to the environment of what is started from now on.
    pub fn set(&mut self, name: &str, value: impl Into<PathBuf>) {
        self.env.retain(|(other, _)| other != name);
        self.env.push((name.to_owned(), value.into()));
    }

    /// The environment for a Meantime profile of this name.
    #[must_use]
    pub fn profile(&self, name: &str) -> Vec<(String, PathBuf)> {
        let mut env = self.env.clone();
        env.push(("MEANTIME_HOME".to_owned(), self.path().join(name)));
        env
    }

    /// The environment.
    #[must_use]
    pub fn env(&self) -> &[(String, PathBuf)] {
        &self.env
    }

    /// A private folder in this world.
    ///
    /// # Errors
    /// The disk.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path().join(name);
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        Ok(path)
    }

    /// The end of every log, for a failure.
    fn last_words(&self) -> String {
        const LINES: usize = 25;
        let mut logs: Vec<PathBuf> =
            fs::read_dir(self.logs()).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        logs.sort();
        let mut words = String::new();
        for log in logs {
            let text = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            if !lines.is_empty() {
                let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
                words += &format!("--- {name}\n");
                words.extend(lines.iter().skip(lines.len().saturating_sub(LINES)).map(|line| format!("{line}\n")));
            }
        }
        words
    }
}
