//! One step: a program with a log, a time limit and a sign of life.
//!
//! What a program prints goes to its log alone; the last lines are shown when
//! it failed.

use crate::paths;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SIGN_OF_LIFE: Duration = Duration::from_secs(60);
const SHOWN_LINES: usize = 80;

/// How a step ended.
pub struct Ended {
    /// Its title.
    pub title: String,
    /// Why it failed, in a few words.
    pub failure: Option<String>,
    /// All it printed.
    pub log: PathBuf,
}

impl Ended {
    /// All it printed, as text.
    pub fn text(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The end of what it printed, to be shown.
    pub fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines.len().saturating_sub(SHOWN_LINES);
        lines.iter().skip(shown).fold(String::new(), |all, line| all + "  | " + line + "\n")
    }

    /// Fails with the end of the log, for commands that stop at the first failure.
    pub fn or_stop(self) -> Result<()> {
        match &self.failure {
            None => Ok(()),
            Some(why) => {
                eprint!("{}", self.tail());
                anyhow::bail!("{}: {why}; all of it: {}", self.title, self.log.display())
            }
        }
    }
}

/// Runs a program to its end, or to the limit, and says so in one line.
pub fn run(title: &str, mut command: Command, limit: Duration) -> Result<Ended> {
    fs::create_dir_all(paths::logs()).context("can't make the folder for logs")?;
    let name: String = title.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let log = paths::logs().join(format!("{name}.log"));
    let file = File::create(&log).with_context(|| format!("can't write {}", log.display()))?;
    let program = command.get_program().to_string_lossy().into_owned();
    let started = Instant::now();
    let mut line = Line::new(title, &log);
    let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn();
    let failure = match child {
        Err(error) => Some(format!("can't start {program}: {error}")),
        Ok(mut child) => wait(&mut child, started, limit, &mut line)?,
    };
    line.end(failure.as_deref(), started.elapsed());
    Ok(Ended { title: title.to_owned(), failure, log })
}

/// Minutes, as a limit.
pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

fn wait(child: &mut Child, started: Instant, limit: Duration, line: &mut Line) -> Result<Option<String>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((!status.success()).then(|| match status.code() {
                Some(code) => format!("exit code {code}"),
                None => "ended by a signal".to_owned(),
            }));
        }
        if started.elapsed() > limit {
            kill_tree(child);
            return Ok(Some(format!("did not end within {} minutes and was killed", limit.as_secs() / 60)));
        }
        line.tick(started.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Kills a program and all that it started.
fn kill_tree(child: &mut Child) {
    let mut kill = if cfg!(windows) {
        let mut kill = Command::new("taskkill");
        kill.args(["/T", "/F", "/PID", &child.id().to_string()]);
        kill
    } else {
        let doomed = below(child.id()).iter().fold("kill -KILL".to_owned(), |all, pid| format!("{all} {pid}"));
        // Before they go on: what a killed parent leaves behind belongs to nobody.
        let _ = child.kill();
        let mut kill = Command::new("sh");
        kill.args(["-c", &doomed]);
        kill
    };
    let _ = kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let _ = child.kill();
    let _ = child.wait();
}

/// All processes below one, by what every Unix's `ps` tells.
fn below(pid: u32) -> Vec<u32> {
    let listed = Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid="]).stdin(Stdio::null()).output();
    let listed = listed.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let pairs: Vec<(u32, u32)> = listed
        .lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        })
        .collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(pairs.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// The one line a step has on the screen.
struct Line<'a> {
    title: &'a str,
    log: &'a Path,
    live: bool,
    said: Duration,
}

impl<'a> Line<'a> {
    fn new(title: &'a str, log: &'a Path) -> Self {
        let line = Self { title, log, live: std::io::stdout().is_terminal(), said: Duration::ZERO };
        line.put(&format!("{title} …"), false);
        line
    }

    fn tick(&mut self, elapsed: Duration) {
        let pause = if self.live { Duration::from_secs(1) } else { SIGN_OF_LIFE };
        if elapsed < self.said + pause {
            return;
        }
        self.said = elapsed;
        let text = format!("{} … {} {}", self.title, clock(elapsed), last_line(self.log));
        self.put(&text, !self.live);
    }

    fn end(&self, failure: Option<&str>, elapsed: Duration) {
        let text = match failure {
            None => format!("{:<34} ok    {}", self.title, clock(elapsed)),
            Some(why) => format!("{:<34} FAILED {} ({why})", self.title, clock(elapsed)),
        };
        self.put(&text, true);
    }

    /// On a terminal the line is written over the one before.
    fn put(&self, text: &str, newline: bool) {
        let mut out = std::io::stdout().lock();
        let end = if newline { "\n" } else { "" };
        let _ = match self.live {
            true => write!(out, "\r\x1b[K{}{end}", text.chars().take(110).collect::<String>()),
            false if newline => writeln!(out, "{text}"),
            false => Ok(()),
        };
        let _ = out.flush();
    }
}

fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    if seconds < 10 {
        return format!("{:.1} s", elapsed.as_secs_f32());
    }
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {:02} s", seconds / 60, seconds % 60) }
}

fn last_line(log: &Path) -> String {
    let mut end = Vec::new();
    if let Ok(mut file) = File::open(log) {
        let length = file.metadata().map(|m| m.len()).unwrap_or_default();
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(400)));
        let _ = file.read_to_end(&mut end);
    }
    let text = String::from_utf8_lossy(&end);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().chars().take(70).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_takes_too_long_ends_with_all_it_started() {
        let mut shell = Command::new("sh");
        // A grandchild whose end is the end of this pipe.
        shell.args(["-c", "sh -c 'sleep 600; :' & wait"]).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let mut pipe = child.stdout.take().unwrap();
        let started = Instant::now();
        while below(child.id()).len() < 2 {
            assert!(started.elapsed() < minutes(1), "the shell started nothing");
            std::thread::sleep(Duration::from_millis(10));
        }
        kill_tree(&mut child);
        assert_eq!(pipe.read_to_end(&mut Vec::new()).unwrap(), 0);
        assert!(started.elapsed() < minutes(5), "it ended by itself");
    }
}
