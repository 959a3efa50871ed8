//! The sample team: a real server on this machine, filled through its
//! ordinary API, to try Meantime with.

use crate::api::{Failure, FailureCode, Join, Joined};
use crate::engine::Engine;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Making keys, five people and a dozen threads takes a second or two.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running sample server. It ends when its standard input closes, so also
/// when this process is killed.
pub(crate) struct SampleServer {
    child: Child,
}

/// The line the server prints once it can be reached.
#[derive(Deserialize)]
struct Ready {
    invite: String,
}

impl SampleServer {
    /// Starts it on the data of `dir`, and gives a fresh invite.
    async fn start(dir: &Path) -> Result<(Self, String), Failure> {
        let program = server_program()?;
        let mut child = Command::new(&program)
            .arg("demo")
            .arg("--data")
            .arg(dir)
            .arg("--watch-parent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| failed(format!("{} could not be started: {e}", program.display())))?;
        let out = child.stdout.take().ok_or_else(|| failed("the sample team's server has no output".to_owned()))?;
        let mut lines = BufReader::new(out).lines();
        let line = tokio::time::timeout(START_LIMIT, lines.next_line())
            .await
            .map_err(|_| failed("the sample team's server did not start within a minute".to_owned()))?
            .ok()
            .flatten()
            .ok_or_else(|| failed("the sample team's server ended before it could be reached".to_owned()))?;
        let ready: Ready = serde_json::from_str(&line)
            .map_err(|e| failed(format!("the sample team's server said something unexpected: {e}")))?;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok((Self { child }, ready.invite))
    }

    /// Asks it to end, and sees that it does.
    pub(crate) async fn stop(mut self) {
        drop(self.child.stdin.take());
        if tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

impl Engine {
    /// Starts the sample team's server and joins it.
    pub(crate) async fn start_sample_team(self: &Arc<Self>) -> Result<Joined, Failure> {
        let _one = self.joining.lock().await;
        // Before a second server on the same data takes the first one's place.
        self.in_no_team().await?;
        let (server, link) = SampleServer::start(&self.sample_dir).await?;
        self.live().sample = Some(server);
        let joined = self.join_alone(Join { link, name: "Ana Sousa".to_owned() }, true).await;
        if joined.is_err() {
            let server = self.live().sample.take();
            if let Some(server) = server {
                server.stop().await;
            }
        }
        joined
    }

    /// The server of a sample team that was joined earlier.
    pub(crate) async fn resume_sample(&self) -> Result<(), Failure> {
        let (server, _unused_invite) = SampleServer::start(&self.sample_dir).await?;
        self.live().sample = Some(server);
        Ok(())
    }
}

/// `meantime-server`, which is installed beside this program.
fn server_program() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let name = format!("meantime-server{}", std::env::consts::EXE_SUFFIX);
    let beside = own.parent().map(|dir| dir.join(&name));
    match beside {
        Some(path) if path.is_file() => Ok(path),
        _ => Err(failed(format!("{name} is not installed beside {}", own.display()))),
    }
}

fn failed(message: String) -> Failure {
    Failure::new(FailureCode::NotPossible, format!("the sample team could not be started: {message}"))
}
