//! The binary: its commands, how it ends, and what is left after it was killed.

use crate::live::Stream;
use crate::world::{Client, Someone, eventually};
use meantime_protocol::http::{InviteResponse, Op, PushOutcome};
use meantime_protocol::{Cursor, Invite, Kind};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub fn command(name: &str, data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meantime-server"));
    command.arg(name).arg("--data").arg(data);
    command
}

/// A server process; killed when dropped.
pub struct Process {
    pub child: Child,
    /// What it said when it was ready.
    pub ready: Value,
    _out: BufReader<ChildStdout>,
}

impl Process {
    pub fn start(command: Command) -> Self {
        Self::logging(command, Stdio::null())
    }

    pub fn logging(mut command: Command, log: impl Into<Stdio>) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        Self { child, ready, _out: out }
    }

    pub fn serve(data: &Path) -> Self {
        let mut serve = command("serve", data);
        serve.args(["--listen", "127.0.0.1:0"]);
        Self::start(serve)
    }

    pub fn client(&self, data: &Path) -> Client {
        Client::of(self.ready["listening"].as_str().unwrap(), data)
    }

    /// Ends within the time, and says that all is well.
    pub async fn ends(&mut self, within: Duration) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(began.elapsed() < within, "it did not end within {within:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[cfg(unix)]
    pub fn terminate(&self) {
        let done = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn output(mut command: Command) -> Output {
    command.output().unwrap()
}

/// Makes a server and gives its owner's link.
pub fn init(data: &Path) -> String {
    let mut init = command("init", data);
    init.args(["--team", "Blue Team", "--host", "127.0.0.1", "--monitoring", "127.0.0.1:0"]);
    let made = output(init);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_server_is_made_served_and_joined() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    let owner = init(&data);
    let invite: Invite = owner.parse().unwrap();
    assert_eq!((invite.host.as_str(), invite.team.as_str()), ("127.0.0.1:8443", "Blue Team"));
    let mut again = command("init", &data);
    again.args(["--team", "Another"]);
    let refused = output(again);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("already"));

    let process = Process::serve(&data);
    let client = process.client(&data);
    let ana = client.join(&owner, "Ana").await;
    assert_eq!(ana.joined.team_name, "Blue Team");
    let link = output(command("invite", &data));
    let link = String::from_utf8(link.stdout).unwrap().trim().to_owned();
    assert_eq!(link.parse::<Invite>().unwrap().host, process.ready["listening"].as_str().unwrap());
    client.join(&link, "Kofi").await;
    let second = output({
        let mut second = command("serve", &data);
        second.args(["--listen", "127.0.0.1:0"]);
        second
    });
    assert!(String::from_utf8_lossy(&second.stderr).contains("another meantime-server"));
    let nothing = output(command("invite", &dir.path().join("nothing")));
    assert!(!nothing.status.success() && !dir.path().join("nothing").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn it_ends_in_time_with_open_streams() {
    let dir = tempfile::tempdir().unwrap();
    let owner = init(dir.path());
    let settings = dir.path().join("server.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace("streams_per_second = 250", "streams_per_second = 10000")).unwrap();
    let mut process = Process::serve(dir.path());
    let ana = process.client(dir.path()).join(&owner, "Ana").await;
    let mut people = Vec::new();
    for i in 0..125 {
        let invite = ana.call(Method::POST, "/v1/invites").json(&json!({"valid_hours": 1, "role": "member"}));
        let invite: InviteResponse = invite.send().await.unwrap().json().await.unwrap();
        people.push(process.client(dir.path()).join(&invite.link, &format!("Person {i}")).await);
    }
    let mut streams = Vec::new();
    // Devices and connections of their own, eight streams on each.
    for someone in &people {
        for _ in 0..8 {
            let mut live = Stream::open(someone).await;
            live.next().await.unwrap();
            streams.push(live);
        }
    }
    assert_eq!(streams.len(), 1000);
    process.terminate();
    process.ends(Duration::from_secs(5)).await;
    for mut live in streams {
        assert!(live.next().await.is_none());
    }
    // And comes back where it was.
    let last = process.ready["listening"].clone();
    assert_eq!(Process::serve(dir.path()).ready["listening"], last);
}

/// Which writer tried which ops.
type Tried = Arc<Mutex<Vec<(usize, Vec<Op>)>>>;

#[tokio::test]
async fn killed_at_any_moment_it_keeps_what_it_said() {
    let dir = tempfile::tempdir().unwrap();
    let owner = init(dir.path());
    let mut process = Process::serve(dir.path());
    let ana = process.client(dir.path()).join(&owner, "Ana").await;
    let thread = ana.thread("Killed").await;
    let mut people = Vec::new();
    for i in 0..4 {
        let link = String::from_utf8(output(command("invite", dir.path())).stdout).unwrap();
        people.push(Arc::new(process.client(dir.path()).join(link.trim(), &format!("Writer {i}")).await));
    }
    // Everything anybody tried, and what they were told.
    let tried: Tried = Arc::default();
    let told: Arc<Mutex<HashSet<uuid::Uuid>>> = Arc::default();
    let writers: Vec<_> = people
        .iter()
        .enumerate()
        .map(|(i, who)| {
            let (who, tried, told) = (Arc::clone(who), Arc::clone(&tried), Arc::clone(&told));
            tokio::spawn(async move {
                loop {
                    let ops: Vec<Op> = (0..3).map(|m| who.message(thread, &format!("{m}"))).collect();
                    tried.lock().unwrap().push((i, ops.clone()));
                    let Ok(results) = who.try_push(ops.clone()).await else { return };
                    assert!(results.iter().all(|r| matches!(r.outcome, PushOutcome::Applied { .. })));
                    told.lock().unwrap().extend(ops.iter().map(|op| op.id));
                }
            })
        })
        .collect();
    eventually("enough pushes", async || told.lock().unwrap().len() > 60).await;
    process.child.kill().unwrap();
    for writer in writers {
        writer.await.unwrap();
    }
    drop(process);

    let process = Process::serve(dir.path());
    let ana = Someone::again(process.client(dir.path()), ana.joined.clone());
    let check = async || {
        let rows = ana.all().await;
        let seqs: Vec<u64> = rows.iter().map(|row| row.seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "gap-free");
        rows.iter().filter(|row| row.kind == Kind::MESSAGE).map(|row| row.id).collect::<Vec<_>>()
    };
    let kept: HashSet<_> = check().await.into_iter().collect();
    assert!(told.lock().unwrap().is_subset(&kept), "what was acknowledged is there");
    // The writers send everything again, as their outboxes would.
    let tried = std::mem::take(&mut *tried.lock().unwrap());
    let mut all = HashSet::new();
    for (i, ops) in tried {
        all.extend(ops.iter().map(|op| op.id));
        let who = Someone::again(process.client(dir.path()), people[i].joined.clone());
        for result in who.push(ops).await {
            assert!(!matches!(result.outcome, PushOutcome::Rejected { .. }), "{result:?}");
        }
    }
    let messages = check().await;
    assert_eq!(messages.len(), all.len(), "each once");
    assert_eq!(messages.into_iter().collect::<HashSet<_>>(), all);
    let epoch = ana.bootstrap().await.start.epoch;
    ana.pull(Cursor { epoch, seq: 1 }, 1).await.expect("a crash is no restore: cursors hold");
}
