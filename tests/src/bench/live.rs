//! Streams of our server: `GET /v1/live`, over HTTP/2 as the app opens it, or
//! over HTTP/1.1 as any simple client would.

use super::certificate::trust;
use super::seat::{Seat, message};
use super::wire::{Listener, Teller, Wire, connect};
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use h2::RecvStream;
use http::Request;
use meantime_protocol::{VERSION, VERSION_HEADER};
use meantime_sync::HttpRemote;
use rustls::ClientConfig;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// The words of a poke.
const POKE: &str = "event: poke";

/// Our server, told by one of the team.
pub struct Live {
    seats: Arc<Vec<Seat>>,
    port: u16,
    tls: Arc<ClientConfig>,
    http2: bool,
    remote: HttpRemote,
    thread: Uuid,
    n: u64,
}

impl Live {
    /// With one stream for each seat but the first, who writes; `n` is the
    /// last number that one's changes had.
    ///
    /// # Errors
    /// The server's words.
    pub async fn new(seats: Arc<Vec<Seat>>, data: &Path, http2: bool, n: u64) -> Result<Self> {
        let writer = seats.first().context("nobody joined")?;
        let port = writer.host().rsplit_once(':').context("a host without a port")?.1.parse()?;
        let tls = trust(&data.join("ca.pem"), &[if http2 { b"h2" } else { b"http/1.1" }])?;
        let remote = writer.remote()?;
        let thread = writer.open_thread(&remote, n + 1, writer.team()).await?;
        Ok(Self { port, tls, http2, remote, thread, n: n + 1, seats })
    }

    /// The last number that the writer's changes had.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.n
    }
}

#[async_trait]
impl Teller for Live {
    async fn open(&self, n: usize) -> Result<Box<dyn Listener>> {
        let seat = self.seats.get(n + 1).context("fewer people than streams")?;
        let wire = connect(self.port).await?.secure(&self.tls).await?;
        let mut stream: Box<dyn Listener> = match self.http2 {
            true => Box::new(Http2::open(wire, seat).await?),
            false => Box::new(Http1::open(wire, seat).await?),
        };
        // The first says where everything stands.
        stream.hear().await?;
        Ok(stream)
    }

    async fn tell(&mut self) -> Result<()> {
        let writer = self.seats.first().context("nobody joined")?;
        self.n += 1;
        let words = "One message to everybody who is there.";
        writer.push(&self.remote, vec![message(self.n, writer.team(), self.thread, words)]).await
    }
}

struct Http1(Wire);

impl Http1 {
    async fn open(mut wire: Wire, seat: &Seat) -> Result<Self> {
        let (host, token) = (seat.host(), &seat.joined.token);
        wire.say(&format!(
            "GET /v1/live HTTP/1.1\r\nhost: {host}\r\n{VERSION_HEADER}: {VERSION}\r\nauthorization: Bearer {token}\r\n\
             accept: text/event-stream\r\n\r\n"
        ))
        .await?;
        ensure!(wire.until(&["HTTP/1.1 200", "\r\n\r\n"]).await? == 0, "the server refused a stream");
        Ok(Self(wire))
    }
}

#[async_trait]
impl Listener for Http1 {
    async fn hear(&mut self) -> Result<()> {
        self.0.until(&[POKE]).await.map(drop)
    }
}

struct Http2 {
    body: RecvStream,
    connection: JoinHandle<()>,
    _sender: h2::client::SendRequest<bytes::Bytes>,
}

impl Http2 {
    async fn open(wire: Wire, seat: &Seat) -> Result<Self> {
        let (mut sender, connection) = h2::client::handshake(wire.into_inner()).await?;
        let connection = tokio::spawn(async move { drop(connection.await) });
        let request = Request::get(format!("https://{}/v1/live", seat.host()))
            .header(VERSION_HEADER, VERSION)
            .header("authorization", format!("Bearer {}", seat.joined.token))
            .header("accept", "text/event-stream")
            .body(())?;
        let (answer, _) = sender.send_request(request, true)?;
        let answer = answer.await?;
        ensure!(answer.status().is_success(), "the server refused a stream: {}", answer.status());
        Ok(Self { body: answer.into_body(), connection, _sender: sender })
    }
}

#[async_trait]
impl Listener for Http2 {
    async fn hear(&mut self) -> Result<()> {
        loop {
            // One event is one frame: that is how the server writes them.
            let part = self.body.data().await.context("the server ended a stream")??;
            self.body.flow_control().release_capacity(part.len())?;
            if part.windows(POKE.len()).any(|words| words == POKE.as_bytes()) {
                return Ok(());
            }
        }
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
