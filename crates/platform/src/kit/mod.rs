//! Real parts for tests, each on a bus and a display of its own: a session
//! bus, Xvfb, dunst, gnome-keyring, a tray host, a notification daemon that
//! can misbehave, a logind that says what it is told.
//!
//! Nothing here is part of the app. A part that does not start fails the test
//! at once with what it said; each ends when dropped.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a failing fixture is a failing test

mod bus;
mod dunst;
mod keyring;
mod logind;
mod notifications;
mod tray;
mod xvfb;

pub use bus::PrivateBus;
pub use dunst::{Dunst, DunstNote};
pub use keyring::GnomeKeyring;
pub use logind::Logind;
pub use notifications::{Behaviour, NotificationDaemon, Received};
pub use tray::{MenuEntry, TrayHost, TrayItem};
pub use xvfb::Xvfb;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take to happen on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A child process that ends with its owner.
pub struct Process {
    child: Child,
    log: std::path::PathBuf,
}

impl Process {
    /// Starts a program; what it says goes to `<folder>/<name>.log`.
    ///
    /// # Panics
    /// The program is not installed.
    #[must_use]
    pub fn start(folder: &Path, name: &str, command: &mut Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).expect("a log file");
        command.stdout(file.try_clone().expect("a log file"));
        Self::spawn(name, command.stderr(file), log)
    }

    /// As [`Process::start`], and reads the first line it prints.
    fn start_and_read(folder: &Path, name: &str, command: &mut Command) -> (Self, String) {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).expect("a log file");
        let mut process = Self::spawn(name, command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file), log);
        let mut line = String::new();
        let stdout = process.child.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("its first line");
        assert!(!line.trim().is_empty(), "{name}: {}", process.log());
        (process, line.trim().to_owned())
    }

    fn spawn(name: &str, command: &mut Command, log: std::path::PathBuf) -> Self {
        let child = command.spawn().unwrap_or_else(|e| panic!("{name} does not start: {e}"));
        Self { child, log }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process itself.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Ends it at once, as a crash would (SIGKILL on Unix).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Polls until `look` finds something; panics with `what` after [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Runs a test in a process of its own, with a private session bus and
/// private folders in its environment: libraries read these from there, and
/// tests run side by side. `name` is the test's full name within the binary.
///
/// # Panics
/// The test fails, or there is none of this name.
pub fn alone<F: Future<Output = ()>>(name: &str, body: impl FnOnce(Stage) -> F) {
    const INSIDE: &str = "MEANTIME_KIT_STAGE";
    if let Some(folder) = std::env::var_os(INSIDE) {
        let bus = PrivateBus::inherited();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(body(Stage { folder: folder.into(), bus }));
        return;
    }
    let folder = tempfile::Builder::new().prefix("mt-").tempdir().expect("a folder");
    let bus = PrivateBus::start();
    let mut command = Command::new(std::env::current_exe().expect("the test binary"));
    command.env("RUST_BACKTRACE", "0");
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(INSIDE, folder.path());
    private_environment(&mut command, folder.path(), &bus);
    let output = command.stdin(Stdio::null()).output().expect("the test runs again");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{name}:\n{said}");
}

/// What a test that runs [`alone`] has around it.
pub struct Stage {
    /// Private, and removed afterwards.
    pub folder: std::path::PathBuf,
    /// The session bus that the environment names.
    pub bus: PrivateBus,
}

/// Gives a program its own home, folders and buses.
pub fn private_environment(command: &mut Command, folder: &Path, bus: &PrivateBus) {
    let runtime = folder.join("xdg-run");
    for name in ["home", "xdg-run"] {
        private_folder(&folder.join(name));
    }
    command
        .env("HOME", folder.join("home"))
        .env("XDG_RUNTIME_DIR", runtime)
        .env("XDG_DATA_HOME", folder.join("home/.local/share"))
        .env("XDG_CONFIG_HOME", folder.join("home/.config"))
        .env("XDG_CACHE_HOME", folder.join("home/.cache"))
        .env("XDG_STATE_HOME", folder.join("home/.local/state"))
        .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
        .env("DBUS_SYSTEM_BUS_ADDRESS", bus.address())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("GNOME_KEYRING_CONTROL");
}

fn private_folder(path: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).expect("a private folder");
}
