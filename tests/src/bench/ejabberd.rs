//! ejabberd with TLS from the first byte, and XMPP clients without an account
//! (SASL ANONYMOUS), bound and present.

use super::certificate::Certificate;
use super::wire::{Listener, Teller, Wire, connect, free_port};
use crate::process::Process;
use crate::wait::{Patience, wait_for};
use anyhow::{Result, ensure};
use async_trait::async_trait;
use rustls::ClientConfig;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const STREAM: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>";
const FEATURES: &str = "</stream:features>";

/// A running ejabberd, and who announces.
pub struct Ejabberd {
    process: Process,
    port: u16,
    tls: Arc<ClientConfig>,
    announcer: Wire,
}

impl Ejabberd {
    /// Starts one, without its control script, which wants a user and folders
    /// of its own.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start(folder: &Path, logs: &Path, certificate: &Certificate) -> Result<Self> {
        let (port, config) = (free_port()?, folder.join("ejabberd.yml"));
        let all = json!({"allow": "all"});
        let settings = json!({
            "hosts": ["localhost"],
            "loglevel": "error",
            "certfiles": [certificate.both],
            "auth_method": ["anonymous"],
            "anonymous_protocol": "sasl_anon",
            "allow_multiple_connections": true,
            "access_rules": {"c2s": all, "announce": all},
            "listen": [{"port": port, "ip": "127.0.0.1", "module": "ejabberd_c2s", "tls": true, "access": "c2s",
                "backlog": 4096}],
            "modules": {"mod_adhoc": {}, "mod_announce": {"access": "announce"}},
        });
        // JSON is YAML.
        fs::write(&config, settings.to_string())?;
        let mut command = Command::new("erl");
        command.args(["-noinput", "+K", "true", "+P", "250000", "-mnesia", "dir"]);
        command.arg(format!("\"{}\"", folder.join("mnesia").display())).args(["-s", "ejabberd"]);
        command.env("EJABBERD_CONFIG_PATH", &config).env("EJABBERD_LOG_PATH", logs.join("ejabberd.log"));
        command
            .env("ERL_LIBS", "/usr/lib/x86_64-linux-gnu")
            .env("ERL_MAX_PORTS", "32000")
            .env("HOME", folder)
            .current_dir(folder);
        let mut process = Process::start("ejabberd", command, logs)?;
        let tls = certificate.trust(&[])?;
        let announcer = wait_for("ejabberd", Patience::LONG, async || {
            process.must_run()?;
            join(port, &tls).await.map(Some)
        })
        .await?;
        Ok(Self { process, port, tls, announcer })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

#[async_trait]
impl Teller for Ejabberd {
    async fn open(&self, _n: usize) -> Result<Box<dyn Listener>> {
        Ok(Box::new(Present(join(self.port, &self.tls).await?)))
    }

    async fn tell(&mut self) -> Result<()> {
        let words = "One message to everybody who is there.";
        let message = format!("<message to='localhost/announce/online'><body>{words}</body></message>");
        self.announcer.say(&message).await
    }
}

struct Present(Wire);

#[async_trait]
impl Listener for Present {
    async fn hear(&mut self) -> Result<()> {
        self.0.until(&["</message>"]).await.map(drop)
    }
}

async fn join(port: u16, tls: &Arc<ClientConfig>) -> Result<Wire> {
    let mut wire = connect(port).await?.secure(tls).await?;
    wire.say(STREAM).await?;
    wire.until(&[FEATURES]).await?;
    wire.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>").await?;
    ensure!(wire.until(&["<success", "<failure"]).await? == 0, "ejabberd let nobody in");
    wire.say(STREAM).await?;
    wire.until(&[FEATURES]).await?;
    wire.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>").await?;
    wire.until(&["</iq>"]).await?;
    wire.say("<presence/>").await?;
    wire.until(&["<presence"]).await?;
    Ok(wire)
}
