//! A program with all that it started.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to start.
const STARTING: Duration = Duration::from_secs(30);
/// How long one that was asked to end may take.
const ENDING: Duration = Duration::from_secs(10);

/// A running program, in a process group of its own, so that what it starts
/// ends with it. It ends when this is dropped, and also when the test's own
/// process is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Kills the group once nobody holds the other end of its standard input.
    watch: Child,
    /// How it is asked to end.
    polite: Option<Signal>,
}

/// A way of telling a program something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// As `Ctrl-C`.
    Int,
    /// As a service manager does.
    Term,
    /// As a power cut: for everything that it has started as well.
    Kill,
}

impl Process {
    /// Starts a program; what it prints is added to these two files, which may
    /// be the same. Dropping it kills it.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(command: Command, out: &Path, err: &Path) -> io::Result<Self> {
        Self::start_in(command, out, err, None)
    }

    /// The same; when the test's process is killed, this folder goes too.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start_in(mut command: Command, out: &Path, err: &Path, folder: Option<&Path>) -> io::Result<Self> {
        let open = |path| File::options().create(true).append(true).open(path);
        let child = command.stdin(Stdio::null()).stdout(open(out)?).stderr(open(err)?).process_group(0).spawn()?;
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH, "watch", &child.id().to_string()]).args(folder).process_group(0);
        let watch = watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { child, watch, polite: None })
    }

    /// It is asked to end by this, and killed only if it doesn't.
    #[must_use]
    pub fn asked(mut self, by: Signal) -> Self {
        self.polite = Some(by);
        self
    }

    /// Its process id, and that of its group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Tells it something.
    pub fn tell(&self, signal: Signal) {
        match signal {
            Signal::Int => send("INT", &self.pid().to_string()),
            Signal::Term => send("TERM", &self.pid().to_string()),
            Signal::Kill => send("KILL", &format!("-{}", self.pid())),
        }
    }

    /// Ends it in this way, and waits until it and its group have.
    pub fn end(&mut self, signal: Signal) {
        let _ = self.watch.kill();
        let _ = self.watch.wait();
        if matches!(self.ended(), Ok(None)) {
            self.tell(signal);
            let begin = Instant::now();
            while matches!(self.ended(), Ok(None)) && begin.elapsed() < ENDING {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.tell(Signal::Kill);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(self.polite.unwrap_or(Signal::Kill));
    }
}

// Where nobody collects the dead they stay in the list of processes for ever.
// Some children have groups of their own (PostgreSQL's do); they end when they
// notice that their parent did, and may write into its folder until then.
const WATCH: &str = r#"cat > /dev/null
kill -s KILL -- "-$1"
[ -n "$2" ] || exit 0
for i in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 -- "-$1" || break; sleep 0.1; done
for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$2" && break; sleep 0.2; done"#;

/// Waits until something is so; false when `gone` says that it won't be any
/// more, or it isn't in time.
pub fn becomes(mut so: impl FnMut() -> bool, mut gone: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < STARTING && !gone() {
        if so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// `kill -9`, for one process.
pub fn kill_9(pid: u32) {
    send("KILL", &pid.to_string());
}

/// All processes below one, with the path of what each runs (Linux).
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

fn send(name: &str, whom: &str) {
    // The shell's own `kill`: a small machine may have no other.
    let kill = format!("kill -s {name} -- {whom}");
    let _ = Command::new("sh").args(["-c", &kill]).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, folder: &Path) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start(command, &folder.join("out"), &folder.join("out")).unwrap()
    }

    fn said(folder: &Path, what: &str) -> bool {
        becomes(|| fs::read_to_string(folder.join("out")).unwrap_or_default().contains(what), || false)
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("meantime-kit-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn what_it_started_ends_with_it() {
        let folder = folder("family");
        let process = sh("sleep 1000 & echo child $!; wait", &folder);
        assert!(said(&folder, "child"));
        let text = fs::read_to_string(folder.join("out")).unwrap();
        let child: u32 = text.trim().rsplit(' ').next().unwrap().parse().unwrap();
        #[cfg(target_os = "linux")]
        assert!(below(process.pid()).iter().any(|(pid, _)| *pid == child));
        drop(process);
        let there = || {
            let look = Command::new("sh").args(["-c", &format!("kill -s 0 {child}")]).stderr(Stdio::null()).status();
            look.unwrap().success()
                && fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|s| !s.contains(") Z"))
        };
        assert!(becomes(|| !there(), || false), "{child} lives on");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn one_that_is_asked_may_end_in_order() {
        let folder = folder("asked");
        let process = sh("trap 'echo in order; exit 0' TERM; echo ready; while :; do sleep 0.05; done", &folder);
        assert!(said(&folder, "ready"));
        drop(process.asked(Signal::Term));
        assert!(said(&folder, "in order"));
        let mut process = sh("exit 7", &folder);
        assert!(becomes(|| matches!(process.ended(), Ok(Some(_))), || false));
        assert_eq!(process.ended().unwrap().unwrap().code(), Some(7));
        fs::remove_dir_all(folder).unwrap();
    }
}
