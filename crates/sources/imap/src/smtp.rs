//! Handing one mail to the server that sends it.
//!
//! The connection is opened by [`crate::wire`] (the same trust and deadlines
//! as for reading), the protocol is lettre's. What matters to the caller is
//! told apart: sent, not sent, or nobody knows.

use crate::config::{MailServer, Security};
use crate::guard::{Guarded, Limits, Wire};
use crate::session::SILENCE;
use crate::wire;
use lettre::Message;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use meantime_source::{Secret, SourceError, SourceResult};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// A server answers a mail within this, checks for spam included (RFC 5321,
/// 4.5.3.2.6 gives it ten minutes).
const VERDICT: Duration = Duration::from_secs(600);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Bytes of answers.
const ALLOWANCE: u64 = 1 << 20;

/// What became of a mail.
#[derive(Debug)]
pub enum Delivery {
    /// The server took it.
    Sent,
    /// It did not, for sure.
    NotSent(SourceError),
    /// It was handed over, and no answer came.
    Unknown,
}

/// A connection that is signed in and ready.
pub struct Sending {
    connection: AsyncSmtpConnection,
    limits: Arc<Limits>,
    host: String,
}

/// Connects and signs in.
pub async fn open(server: &MailServer, user: &str, secret: &Secret, address: &str) -> SourceResult<Sending> {
    let limits = Limits::new(SILENCE, ALLOWANCE);
    let tcp: Box<dyn Wire> = Box::new(wire::connect(server).await?);
    let hello = ClientId::Domain(address.rsplit_once('@').map_or("localhost", |(_, domain)| domain).to_owned());
    let (wire, greeting) = match server.security {
        Security::Tls => (wire::secure(server, tcp).await?, None),
        Security::Plain => (tcp, None),
        Security::Starttls => (start_tls(server, tcp, &limits, &hello).await?, Some(GREETING)),
    };
    let stream = Stream { wire: Guarded::new(wire, Arc::clone(&limits)), greeting: greeting.unwrap_or_default() };
    let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello)
        .await
        .map_err(|error| words(server, &error))?;
    if connection.server_info().get_auth_mechanism(MECHANISMS).is_some() {
        let credentials = Credentials::new(user.to_owned(), secret.reveal().to_owned());
        connection.auth(MECHANISMS, &credentials).await.map_err(|error| match error.status() {
            Some(code) if (500..600).contains(&u16::from(code)) => SourceError::Auth(format!(
                "{} refuses the password for {user}. Enter it again; some providers ask for an app password, made in \
                 their settings.",
                server.host
            )),
            _ => words(server, &error),
        })?;
    } else if server.security != Security::Plain {
        return Err(SourceError::Permanent(format!(
            "{}, port {}, offers no way to sign in with a password. Check the port: 465 and 587 are the usual ones.",
            server.host, server.port
        )));
    }
    Ok(Sending { connection, limits, host: server.host.clone() })
}

impl Sending {
    /// Says goodbye; whether the server answers does not matter.
    pub async fn close(mut self) {
        self.limits.set_silence(GOODBYE);
        let _ = self.connection.quit().await;
    }

    /// Hands the mail over.
    pub async fn deliver(mut self, mail: &Message) -> Delivery {
        let raw = mail.formatted();
        let envelope = mail.envelope();
        let mut options = Vec::new();
        if !raw.is_ascii() && self.connection.server_info().supports_feature(Extension::EightBitMime) {
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if let Err(error) = self.connection.command(Mail::new(envelope.from().cloned(), options)).await {
            return self.refused(None, &error).await;
        }
        for to in envelope.to() {
            if let Err(error) = self.connection.command(Rcpt::new(to.clone(), Vec::new())).await {
                return self.refused(Some(to.to_string()), &error).await;
            }
        }
        if let Err(error) = self.connection.command(Data).await {
            return self.refused(None, &error).await;
        }
        self.limits.set_silence(VERDICT);
        let verdict = self.connection.message(&raw).await;
        self.limits.set_silence(GOODBYE);
        match verdict {
            Ok(_) => {
                let _ = self.connection.quit().await;
                Delivery::Sent
            }
            // An answer is an answer: it was not taken.
            Err(error) if error.status().is_some() => self.refused(None, &error).await,
            Err(_) => Delivery::Unknown,
        }
    }

    async fn refused(mut self, recipient: Option<String>, error: &lettre::transport::smtp::Error) -> Delivery {
        self.limits.set_silence(GOODBYE);
        self.connection.abort().await;
        let host = &self.host;
        let Some(code) = error.status() else {
            return Delivery::NotSent(SourceError::Transient(format!(
                "The connection to {host} broke off before the reply was sent."
            )));
        };
        let what = recipient.map_or_else(|| "this reply".to_owned(), |recipient| format!("{recipient} as a recipient"));
        let said = meantime_source::text::one_line(&error.to_string());
        Delivery::NotSent(if u16::from(code) >= 500 {
            SourceError::Permanent(format!("{host} does not take {what} ({said}). Nothing was sent to anybody."))
        } else {
            SourceError::Transient(format!("{host} does not take {what} right now ({said})."))
        })
    }
}

const MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

/// After STARTTLS the server does not greet again, but lettre waits for it.
const GREETING: &[u8] = b"220 ready\r\n";

/// The plain part of STARTTLS (RFC 3207), byte by byte, so that nothing sent
/// before the handshake can slip in behind it.
async fn start_tls(
    server: &MailServer,
    tcp: Box<dyn Wire>,
    limits: &Arc<Limits>,
    hello: &ClientId,
) -> SourceResult<Box<dyn Wire>> {
    let mut plain = Guarded::new(tcp, Arc::clone(limits));
    let broke = |_: io::Error| SourceError::Transient(format!("The connection to {} broke off.", server.host));
    let mut code = answer(&mut plain).await.map_err(broke)?;
    for command in [format!("EHLO {hello}\r\n"), "STARTTLS\r\n".to_owned()] {
        if !code.starts_with('2') {
            break;
        }
        plain.write_all(command.as_bytes()).await.map_err(broke)?;
        plain.flush().await.map_err(broke)?;
        code = answer(&mut plain).await.map_err(broke)?;
    }
    if !code.starts_with("220") {
        return Err(SourceError::Permanent(format!(
            "{}, port {}, offers no encryption (STARTTLS). Choose TLS and its port, 465 as a rule.",
            server.host, server.port
        )));
    }
    wire::secure(server, plain.into_inner()).await
}

/// The last line of an answer; the others have a dash behind the code.
async fn answer(wire: &mut Guarded) -> io::Result<String> {
    for _ in 0..100 {
        let line = wire::line(wire).await?;
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn words(server: &MailServer, error: &lettre::transport::smtp::Error) -> SourceError {
    let (host, port) = (&server.host, server.port);
    match error.status() {
        Some(code) => SourceError::Transient(format!("{host} does not send mail right now ({code}).")),
        None if error.is_response() => SourceError::Permanent(format!(
            "What answers at {host}, port {port}, does not send mail (SMTP). Check the port and the encryption."
        )),
        None => SourceError::Transient(format!("The connection to {host}, port {port}, broke off.")),
    }
}

/// A connection as lettre wants it, with a greeting put in front.
#[derive(Debug)]
struct Stream {
    wire: Guarded,
    greeting: &'static [u8],
}

impl AsyncTokioStream for Stream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.greeting.is_empty() {
            return Pin::new(&mut this.wire).poll_read(cx, buf);
        }
        let (now, later) = this.greeting.split_at(this.greeting.len().min(buf.remaining()));
        buf.put_slice(now);
        this.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().wire).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_shutdown(cx)
    }
}
