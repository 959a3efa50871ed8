//! A program that a test started, and what it printed.

use anyhow::{Context, Result, bail};
use meantime_kit::Signal;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

pub use meantime_kit::{below, kill_9};

/// A running program with all that it started. Dropping it kills the whole
/// group at once; what it printed stays in two files.
pub struct Process {
    name: String,
    inner: meantime_kit::Process,
    log: PathBuf,
}

impl Process {
    /// Starts a program in a process group of its own. What it prints goes to
    /// `logs/NAME.out` and `logs/NAME.err`.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(name: &str, command: Command, logs: &Path) -> Result<Self> {
        let log = free_name(logs, name);
        let (out, err) = (log.with_extension("out"), log.with_extension("err"));
        // Here at once, so that the name is taken.
        File::create(&out)?;
        let program = command.get_program().to_string_lossy().into_owned();
        let inner = meantime_kit::Process::start(command, &out, &err);
        let inner = inner.with_context(|| format!("can't start {program}"))?;
        Ok(Self { name: name.to_owned(), inner, log })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.inner.pid()
    }

    /// What it printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        read(&self.log.with_extension("out"))
    }

    /// Fails if it has ended, with what it said.
    ///
    /// # Errors
    /// It has ended.
    pub fn must_run(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}): {}", self.name, self.complaint()),
        }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.inner.ended()?)
    }

    /// Asks it to end, as a person's `Ctrl-C` or a service manager would.
    pub fn terminate(&self) {
        self.inner.tell(Signal::Term);
    }

    fn complaint(&self) -> String {
        let text = read(&self.log.with_extension("err")) + &read(&self.log.with_extension("out"));
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(10)).copied().collect::<Vec<_>>().join("\n")
    }
}

fn free_name(logs: &Path, name: &str) -> PathBuf {
    let mut log = logs.join(name);
    let mut n = 2;
    while log.with_extension("out").exists() {
        log = logs.join(format!("{name}-{n}"));
        n += 1;
    }
    log
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
