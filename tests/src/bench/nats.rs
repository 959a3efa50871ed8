//! nats-server with TLS, and subscribers of one subject.

use super::certificate::Certificate;
use super::wire::{Listener, Teller, Wire, connect, free_port};
use crate::process::Process;
use crate::wait::{Patience, wait_for};
use anyhow::{Context, Result};
use async_trait::async_trait;
use rustls::ClientConfig;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const PROGRAM: &str = "nats-server";

/// A running nats-server, and who publishes.
pub struct Nats {
    process: Process,
    port: u16,
    tls: Arc<ClientConfig>,
    publisher: Wire,
}

impl Nats {
    /// Starts one.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start(folder: &Path, logs: &Path, certificate: &Certificate) -> Result<Self> {
        let (port, config) = (free_port()?, folder.join("nats.conf"));
        let (public, key) = (certificate.certificate.display(), certificate.key.display());
        let text = format!("listen: 127.0.0.1:{port}\ntls {{ cert_file: \"{public}\", key_file: \"{key}\" }}\n");
        fs::write(&config, text)?;
        let mut command = Command::new(super::report::program(PROGRAM));
        command.arg("-c").arg(&config);
        let mut process = Process::start(PROGRAM, command, logs)?;
        let tls = certificate.trust(&[])?;
        let publisher = wait_for(PROGRAM, Patience::LONG, async || {
            process.must_run()?;
            join(port, &tls, "").await.map(Some)
        })
        .await?;
        Ok(Self { process, port, tls, publisher })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

#[async_trait]
impl Teller for Nats {
    async fn open(&self, _n: usize) -> Result<Box<dyn Listener>> {
        Ok(Box::new(Subscriber(join(self.port, &self.tls, "SUB all 1\r\n").await?)))
    }

    async fn tell(&mut self) -> Result<()> {
        let words = "One message to everybody who is there.";
        self.publisher.say(&format!("PUB all {}\r\n{words}\r\n", words.len())).await
    }
}

struct Subscriber(Wire);

#[async_trait]
impl Listener for Subscriber {
    async fn hear(&mut self) -> Result<()> {
        while self.0.until(&["MSG all 1", "PING\r\n"]).await? == 1 {
            self.0.say("PONG\r\n").await?;
        }
        Ok(())
    }
}

/// The server speaks first, without TLS; all else is under it.
async fn join(port: u16, tls: &Arc<ClientConfig>, subscribe: &str) -> Result<Wire> {
    let mut plain = connect(port).await?;
    plain.until(&["\r\n"]).await.context("nats-server said nothing")?;
    let mut wire = plain.secure(tls).await?;
    wire.say(&format!("CONNECT {{\"verbose\":false,\"pedantic\":false,\"tls_required\":true}}\r\n{subscribe}PING\r\n"))
        .await?;
    wire.until(&["PONG\r\n"]).await?;
    Ok(wire)
}
