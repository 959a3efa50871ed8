//! Streams by the thousand: one TLS connection each, on which a message to
//! all is waited for. Ours and the peers' differ in what is said on them.

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A server under load answers later, but it does.
const PATIENCE: Duration = Duration::from_secs(60);
const MOST: usize = 1 << 20;

/// A server that tells many at once.
#[async_trait]
pub trait Teller: Send + Sync {
    /// Opens a stream; it is subscribed when this returns.
    async fn open(&self, n: usize) -> Result<Box<dyn Listener>>;
    /// Tells all who listen.
    async fn tell(&mut self) -> Result<()>;
}

/// An open stream.
#[async_trait]
pub trait Listener: Send {
    /// Waits for the next message to all.
    async fn hear(&mut self) -> Result<()>;
}

/// A connection, and what was read of it and not yet used.
pub struct Wire<S = TlsStream<TcpStream>> {
    io: S,
    read: Vec<u8>,
}

/// Connects to a port of this machine.
///
/// # Errors
/// The system's.
pub async fn connect(port: u16) -> Result<Wire<TcpStream>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let io =
        tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await.context("no connection in a minute")??;
    io.set_nodelay(true)?;
    Ok(Wire { io, read: Vec::new() })
}

/// A port that is free right now.
///
/// # Errors
/// The system's.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Wire<TcpStream> {
    /// Goes on under TLS.
    ///
    /// # Errors
    /// The handshake's.
    pub async fn secure(self, tls: &Arc<ClientConfig>) -> Result<Wire> {
        let shaken = TlsConnector::from(Arc::clone(tls)).connect(ServerName::try_from("localhost")?, self.io);
        let io = tokio::time::timeout(PATIENCE, shaken).await.context("no TLS in a minute")??;
        Ok(Wire { io, read: Vec::new() })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Sends.
    ///
    /// # Errors
    /// The connection's.
    pub async fn say(&mut self, text: &str) -> Result<()> {
        self.io.write_all(text.as_bytes()).await?;
        Ok(self.io.flush().await?)
    }

    /// Reads until one of these words has come; answers which, and drops all
    /// up to it.
    ///
    /// # Errors
    /// The connection ended before.
    pub async fn until(&mut self, words: &[&str]) -> Result<usize> {
        let mut part = [0; 1024];
        loop {
            let found = |(n, word): (usize, &&str)| Some((position(&self.read, word.as_bytes())?, word.len(), n));
            // The first that came.
            if let Some((at, length, n)) = words.iter().enumerate().filter_map(found).min() {
                self.read.drain(..at + length);
                self.read.shrink_to(0);
                return Ok(n);
            }
            ensure!(self.read.len() < MOST, "an endless answer");
            let read = self.io.read(&mut part).await?;
            let said = || String::from_utf8_lossy(&self.read).into_owned();
            ensure!(read > 0, "the connection ended, waiting for {words:?}; before that: {}", said());
            self.read.extend_from_slice(part.get(..read).unwrap_or_default());
        }
    }

    /// The connection itself.
    pub fn into_inner(self) -> S {
        self.io
    }
}

fn position(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|part| part == word)
}
