//! A server process that ends with its test.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start or end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running process; told to end, then made to, when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a command; what it prints goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let open = || std::fs::File::options().create(true).append(true).open(log).expect("a log file");
        // A group of its own: what it started ends with it.
        command.process_group(0);
        let child = command.stdin(Stdio::null()).stdout(open()).stderr(open()).spawn();
        Self { child: child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}")) }
    }

    /// It ended by itself.
    pub fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it.
    pub fn stop(&mut self) {
        // Asked first: a server with children takes them along.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let begin = Instant::now();
        while !self.ended() && begin.elapsed() < Duration::from_secs(5) {
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
        self.stop();
    }
}

/// A port nobody listens on right now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its number").port()
}

/// Waits until somebody greets at a port; false where `gone` says that nobody
/// will, or nobody does in time.
pub fn greets(port: u16, mut gone: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if gone() {
            return false;
        }
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            if stream.read(&mut [0; 16]).is_ok_and(|read| read > 0) {
                // Said politely, so that the server's log stays clean.
                let _ = stream.write_all(b"x LOGOUT\r\n");
                return true;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
