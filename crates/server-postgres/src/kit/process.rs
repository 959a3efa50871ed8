//! A server process that ends with its test.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start or end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running process; told to end, then made to, when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Ends it, and removes its folder, when this process is no more, however
    /// that came: it waits for the end of a pipe that nobody writes to.
    watch: Child,
}

/// A signal, by the name that `kill` has for it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signal {
    /// PostgreSQL: ends at once, in order.
    Int,
    /// Like a power cut; for everything it has started as well.
    Kill,
}

impl Process {
    /// Starts a program in its `folder`, with what it prints in the file
    /// `log` there. As root it runs as `user`, if one is given.
    pub(super) fn start(program: &Path, arguments: &[String], user: Option<&str>, folder: &Path) -> Self {
        let log = folder.join("log");
        let open = || File::options().create(true).append(true).open(&log).expect("a log file");
        let mut command = as_user(user, program);
        // A group of its own: what it started ends with it.
        command.args(arguments).current_dir(folder).process_group(0);
        let child = command.stdin(Stdio::null()).stdout(open()).stderr(open()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH, "watch", &child.id().to_string()]).arg(folder).process_group(0);
        let watch = watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh");
        Self { child, watch }
    }

    /// It ended by itself.
    pub(super) fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it in this way, and waits until it has.
    pub(super) fn end(&mut self, signal: Signal) {
        let _ = self.watch.kill();
        let _ = self.watch.wait();
        if !self.ended() {
            let (name, of) = match signal {
                Signal::Int => ("-INT", self.child.id().to_string()),
                Signal::Kill => ("-KILL", format!("-{}", self.child.id())),
            };
            let _ = Command::new("kill").args([name, "--", &of]).stderr(Stdio::null()).status();
        }
        let begin = Instant::now();
        while !self.ended() && begin.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Signal::Int);
    }
}

// Where nobody collects the dead they stay in the list of processes for ever.
// PostgreSQL's children have groups of their own; they end when they notice
// that their parent did, and may write until then.
const WATCH: &str = r#"cat > /dev/null
kill -s KILL -- "-$1"
for i in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 -- "-$1" || break; sleep 0.1; done
for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$2" && break; sleep 0.2; done"#;

/// A command that runs as `user` where this is root, and as this user elsewhere.
pub(super) fn as_user(user: Option<&str>, program: &Path) -> Command {
    let Some(user) = user.filter(|_| is_root()) else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", "--"]).arg(program);
    command
}

pub(super) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.trim_ascii() == b"0"
}

/// A port nobody listens on right now.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its number").port()
}

/// Waits until something is so; false when `gone` says that it won't be any
/// more, or it isn't in time.
pub(super) fn becomes(mut so: impl FnMut() -> bool, mut gone: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE && !gone() {
        if so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

pub(super) fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
