//! The real app with its real window.

use crate::process::{self, Process};
use crate::programs;
use crate::wait::{Patience, wait_for};
use crate::webdriver::Browser;
use anyhow::{Context, Result};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running app. Dropping it kills it with its window.
pub struct App {
    /// Its window.
    pub window: Browser,
    driver: Process,
    program: PathBuf,
}

impl App {
    /// Starts it with the environment of a profile, and waits for its window.
    ///
    /// # Errors
    /// Something is not built or installed, or no window appears.
    pub async fn start(env: &[(String, PathBuf)], logs: &Path) -> Result<Self> {
        let program = programs::ours(programs::DESKTOP)?;
        let (port, native_port) = (free_port()?, free_port()?);
        let mut command = Command::new(programs::tauri_driver()?);
        command.args(["--port", &port.to_string(), "--native-port", &native_port.to_string()]);
        command.envs(env.iter().map(|(name, value)| (name, value)));
        let mut driver = Process::start("app", command, logs)?;
        for port in [port, native_port] {
            wait_for("the WebDriver programs", Patience::SHORT, async || {
                driver.must_run()?;
                Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop))
            })
            .await?;
        }
        let window = Browser::open(port, &program, &[]).await.context("the app opened no window")?;
        Ok(Self { window, driver, program })
    }

    /// The app's own process id.
    ///
    /// # Errors
    /// It does not run.
    pub fn pid(&self) -> Result<u32> {
        let below = process::below(self.driver.pid());
        let found = below.into_iter().find(|(_, program)| *program == self.program);
        Ok(found.context("the app does not run")?.0)
    }

    /// Kills the app as nothing can prepare for, then what watched it.
    ///
    /// # Errors
    /// It did not run.
    pub fn kill_9(self) -> Result<()> {
        process::kill_9(self.pid()?);
        Ok(())
    }
}

/// A port nothing listens on right now.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
