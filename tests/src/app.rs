//! The real app with its real window.

use crate::process::{self, Process};
use crate::programs;
use crate::wait::{Patience, wait_for};
use crate::webdriver::Browser;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

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

    /// Waits until the window shows something.
    ///
    /// # Errors
    /// It does not appear.
    pub async fn wait_for(&self, css: &str) -> Result<()> {
        wait_for(&format!("{css} in the window"), Patience::LONG, async || {
            Ok((!self.window.texts(css).await?.is_empty()).then_some(()))
        })
        .await
    }

    /// Waits until the list shows a row of this title.
    ///
    /// # Errors
    /// It does not appear.
    pub async fn wait_for_row(&self, title: &str) -> Result<()> {
        wait_for(&format!("\"{title}\" in the list"), Patience::LONG, async || {
            Ok(self.titles("").await?.iter().any(|shown| shown == title).then_some(()))
        })
        .await
    }

    /// Moves to a row with `j` and `k`, as a person does.
    ///
    /// # Errors
    /// It is not there.
    pub async fn go_to(&self, title: &str) -> Result<()> {
        for key in ["k", "j", "k"] {
            let mut at = self.selected().await?;
            while at.as_deref() != Some(title) {
                self.window.press(&[key]).await?;
                let Some(next) = self.moved_from(&at).await? else { break };
                at = next;
            }
            if at.as_deref() == Some(title) {
                return Ok(());
            }
        }
        let (at, shown) = (self.selected().await?, self.titles("").await?);
        bail!("\"{title}\" can't be reached by keys from {at:?}; the list shows {shown:?}")
    }

    /// The title of the selected row.
    async fn selected(&self) -> Result<Option<String>> {
        Ok(self.titles("[aria-selected=true]").await?.pop())
    }

    /// What is selected after a key; `None` at the end of the list, where it
    /// moves nothing. A busy window draws late, so it gets the time of several
    /// frames.
    async fn moved_from(&self, before: &Option<String>) -> Result<Option<Option<String>>> {
        const LOOKS: usize = 20;
        for _ in 0..LOOKS {
            let at = self.selected().await?;
            if at != *before {
                return Ok(Some(at));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(None)
    }

    /// The titles of the rows on the screen that also fit a selector.
    async fn titles(&self, and: &str) -> Result<Vec<String>> {
        let titles = self.window.texts(&format!("[data-testid=row]{and} [data-testid=row-title]")).await?;
        Ok(titles.into_iter().map(|title| title.trim_start_matches("Unread:").trim().to_owned()).collect())
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

    /// Ends the app as the end of a session does.
    ///
    /// # Errors
    /// It did not run, or goes on all the same.
    pub async fn end(&self) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid()?)?).context("that is no process")?;
        kill_process(pid, Signal::TERM)?;
        wait_for("the end of the app", Patience::SHORT, async || Ok(self.pid().is_err().then_some(()))).await
    }

    /// Kills the app as nothing can prepare for.
    ///
    /// # Errors
    /// It did not run, or goes on all the same.
    pub async fn kill_9(&self) -> Result<()> {
        process::kill_9(self.pid()?);
        wait_for("the end of a killed app", Patience::SHORT, async || Ok(self.pid().is_err().then_some(()))).await
    }
}

/// A port nothing listens on right now.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
