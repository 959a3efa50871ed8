//! A program that a test started, and that does not outlive it.

use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running program with all that it started. Dropping it kills the whole
/// group at once; what it printed stays in two files.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program in a process group of its own. What it prints goes to
    /// `logs/NAME.out` and `logs/NAME.err`.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(name: &str, mut command: Command, logs: &Path) -> Result<Self> {
        let log = free_name(logs, name);
        let out = File::create(log.with_extension("out"))?;
        let err = File::create(log.with_extension("err"))?;
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| format!("can't start {program}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
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
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}): {}", self.name, self.complaint()),
        }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Asks it to end, as a person's `Ctrl-C` or a service manager would.
    pub fn terminate(&self) {
        signal("TERM", &self.pid().to_string());
    }

    fn complaint(&self) -> String {
        let text = read(&self.log.with_extension("err")) + &read(&self.log.with_extension("out"));
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(10)).copied().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        signal("KILL", &format!("-{}", self.pid()));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `kill -9`, for one process.
pub fn kill_9(pid: u32) {
    signal("KILL", &pid.to_string());
}

/// All processes below one, with the path of what each runs.
#[must_use]
pub fn below(pid: u32) -> Vec<(u32, PathBuf)> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    let mut open = vec![pid];
    while let Some(parent) = open.pop() {
        for child in children_of(parent) {
            let program = fs::read_link(format!("/proc/{child}/exe")).unwrap_or_default();
            found.push((child, program));
            open.push(child);
        }
    }
    found
}

fn children_of(parent: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    tasks
        .flat_map(|task| {
            let pids = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
        })
        .collect()
}

fn signal(name: &str, whom: &str) {
    // The shell's own `kill`: a small machine may have no other.
    let kill = format!("kill -{name} {whom}");
    let _ = Command::new("sh").args(["-c", &kill]).stdout(Stdio::null()).stderr(Stdio::null()).status();
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
