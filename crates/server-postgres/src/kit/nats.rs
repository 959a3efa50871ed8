//! A real nats-server on a free port of 127.0.0.1. It keeps nothing, and runs
//! as whoever runs the test.

use meantime_kit::{Process, Signal, becomes, free_port, listens};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Who may connect: one user with a password.
const USER: &str = "meantime";
const PASSWORD: &str = "poke";

/// A running server.
#[derive(Debug)]
pub struct NatsServer {
    port: u16,
    process: Option<Process>,
    folder: TempDir,
}

impl NatsServer {
    /// nats-server is installed.
    pub fn is_installed() -> bool {
        program().is_some()
    }

    /// Starts one.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("meantime-nats-").tempdir().expect("a temporary folder");
        let mut server = Self { port: 0, process: None, folder };
        server.launch();
        server
    }

    /// How to reach it.
    pub fn url(&self) -> String {
        format!("nats://{USER}:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// Ends it without a word to anybody.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.end(Signal::Kill);
        }
    }

    /// Starts it again on the same port.
    pub fn restart(&mut self) {
        self.kill();
        self.launch();
    }

    fn launch(&mut self) {
        let program = program().expect("nats-server; `cargo xtask setup` installs it");
        for _ in 0..if self.port == 0 { 5 } else { 1 } {
            let port = if self.port == 0 { free_port().expect("a free port") } else { self.port };
            let config = self.folder.path().join("nats.conf");
            let text =
                format!("listen: 127.0.0.1:{port}\nauthorization {{ user: {USER}, password: \"{PASSWORD}\" }}\n");
            fs::write(&config, text).expect("the configuration");
            let (log, mut command) = (self.folder.path().join("log"), Command::new(&program));
            command.arg("-c").arg(&config);
            let process = Process::start_in(command, &log, &log, Some(self.folder.path()));
            let mut process = process.expect("nats-server");
            if becomes(|| listens(port), || !matches!(process.ended(), Ok(None))) {
                (self.port, self.process) = (port, Some(process.asked(Signal::Int)));
                return;
            }
        }
        panic!(
            "nats-server does not start:\n{}",
            fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
        );
    }
}

fn program() -> Option<PathBuf> {
    // Debian has it where only root's path looks.
    let usual = Path::new("/usr/sbin/nats-server").to_owned();
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let everywhere = std::env::split_paths(&folders).map(|folder| folder.join("nats-server"));
    everywhere.chain([usual]).find(|path| path.exists())
}
