//! The server over HTTPS.

use crate::pin::{OtherKey, PinnedCa};
use crate::sse::Parser;
use crate::{Pokes, Remote, RemoteError};
use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use meantime_protocol::http::{
    BootstrapPage, InviteRequest, InviteResponse, JoinRequest, JoinResponse, Me, PullPage, PushRequest, PushResponse,
};
use meantime_protocol::{Cursor, Invite, MAX_PAGE, Problem, Scope, VERSION, VERSION_HEADER};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(10);
const CALL: Duration = Duration::from_secs(60);
/// The server sends a comment every 15 s; three missed are a dead connection.
const SILENCE: Duration = Duration::from_secs(45);
/// Longest answer read, unpacked.
const MAX_ANSWER: usize = 64 << 20;
/// Rows asked for when a page of the usual size was over [`MAX_ANSWER`]:
/// that many of the largest records still fit.
const SMALL_PAGE: usize = 100;

/// A device's secret. `Debug` leaves it out.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// As [`JoinResponse::token`] has it.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A team server over HTTPS. Follows no redirect, speaks no plain HTTP.
#[derive(Debug)]
pub struct HttpRemote {
    client: Client,
    host: String,
}

impl HttpRemote {
    /// For a device that joined. `host` is `host:port`, `ca` the pin of the
    /// invite; without one the system's certificates are trusted.
    ///
    /// # Errors
    /// [`RemoteError::Protocol`] when the token can't stand in a header or
    /// TLS can't be set up.
    pub fn new(host: &str, ca: Option<[u8; 32]>, token: &Token) -> Result<Self, RemoteError> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.0))
            .map_err(|_| RemoteError::Protocol("the token is damaged".into()))?;
        value.set_sensitive(true);
        Ok(Self { client: client(ca, Some(value))?, host: host.to_owned() })
    }

    /// Turns an invite into a person and a device.
    ///
    /// # Errors
    /// [`RemoteError::Refused`] with [`meantime_protocol::Code::InviteInvalid`]
    /// for an invite that is unknown, used or lapsed; else as any call.
    pub async fn join(invite: &Invite, name: &str, device_name: &str) -> Result<JoinResponse, RemoteError> {
        let remote = Self { client: client(invite.ca, None)?, host: invite.host.clone() };
        let request =
            JoinRequest { secret: invite.secret.clone(), name: name.to_owned(), device_name: device_name.to_owned() };
        remote.call(remote.client.post(remote.url("join")).json(&request)).await
    }

    /// Makes an invite link (owners and admins).
    ///
    /// # Errors
    /// As any call.
    pub async fn invite(&self, request: &InviteRequest) -> Result<InviteResponse, RemoteError> {
        self.call(self.client.post(self.url("invites")).json(request)).await
    }

    fn url(&self, call: &str) -> String {
        format!("https://{}/v1/{call}", self.host)
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, RemoteError> {
        let answer = request.timeout(CALL).send().await.map_err(|e| self.failed(&e))?;
        let answer = refused(answer).await?;
        let body = self.body(answer).await?;
        serde_json::from_slice(&body).map_err(|e| RemoteError::Protocol(e.to_string()))
    }

    async fn body(&self, answer: Response) -> Result<Vec<u8>, RemoteError> {
        let mut body = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|e| self.failed(&e))?;
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// What a failed exchange means, in plain words.
    fn failed(&self, error: &reqwest::Error) -> RemoteError {
        let host = &self.host;
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        let mut why = if error.is_timeout() { "it did not answer in time" } else { "the connection failed" }.to_owned();
        while let Some(e) = cause {
            if let Some(rustls::Error::InvalidCertificate(reason)) = e.downcast_ref() {
                return RemoteError::Certificate(certificate_words(host, reason));
            }
            // The source of an I/O error is its content's source: the content
            // itself has to be asked for.
            let io = e.downcast_ref::<std::io::Error>();
            why = io.and_then(io_words).unwrap_or(why);
            cause = match io.and_then(std::io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => e.source(),
            };
        }
        if error.is_decode() {
            return RemoteError::Protocol(error.to_string());
        }
        RemoteError::Offline(format!("{host} can't be reached: {why}"))
    }
}

#[async_trait]
impl Remote for HttpRemote {
    async fn me(&self) -> Result<Me, RemoteError> {
        self.call(self.client.get(self.url("me"))).await
    }

    async fn push(&self, request: &PushRequest) -> Result<PushResponse, RemoteError> {
        self.call(self.client.post(self.url("push")).json(request)).await
    }

    async fn pull(&self, scope: Scope, cursor: Cursor) -> Result<PullPage, RemoteError> {
        let ask = |limit: usize| {
            let query = [("scope", scope.to_string()), ("cursor", cursor.to_string()), ("limit", limit.to_string())];
            self.call(self.client.get(self.url("pull")).query(&query))
        };
        match ask(MAX_PAGE).await {
            Err(e) if e == too_long() => ask(SMALL_PAGE).await,
            answer => answer,
        }
    }

    async fn bootstrap(&self, scope: Scope, page: Option<&str>) -> Result<BootstrapPage, RemoteError> {
        let ask = |limit: usize| {
            let mut query = vec![("scope", scope.to_string()), ("limit", limit.to_string())];
            query.extend(page.map(|page| ("page", page.to_owned())));
            self.call(self.client.get(self.url("bootstrap")).query(&query))
        };
        match ask(MAX_PAGE).await {
            Err(e) if e == too_long() => ask(SMALL_PAGE).await,
            answer => answer,
        }
    }

    async fn live(&self) -> Result<Pokes, RemoteError> {
        let request = self.client.get(self.url("live")).header("accept", "text/event-stream").send();
        let silent = || RemoteError::Offline(format!("{} has gone silent", self.host));
        let answer =
            tokio::time::timeout(SILENCE, request).await.map_err(|_| silent())?.map_err(|e| self.failed(&e))?;
        let answer = refused(answer).await?;
        let state = (answer.bytes_stream().boxed(), Parser::default(), VecDeque::new(), self.host.clone());
        let pokes = stream::try_unfold(state, |(mut bytes, mut parser, mut ready, host)| async move {
            loop {
                if let Some(poke) = ready.pop_front() {
                    return Ok(Some((poke, (bytes, parser, ready, host))));
                }
                let lost = |what: &str| RemoteError::Offline(format!("{host} {what}"));
                match tokio::time::timeout(SILENCE, bytes.next()).await {
                    Err(_) => return Err(lost("has gone silent")),
                    Ok(None) => return Ok(None),
                    Ok(Some(Err(_))) => return Err(lost("broke the connection")),
                    Ok(Some(Ok(chunk))) => ready.extend(parser.take(&chunk)?),
                }
            }
        });
        Ok(pokes.boxed())
    }
}

fn client(ca: Option<[u8; 32]>, token: Option<HeaderValue>) -> Result<Client, RemoteError> {
    let mut headers = HeaderMap::new();
    headers.insert(VERSION_HEADER, HeaderValue::from(VERSION));
    headers.extend(token.map(|token| (AUTHORIZATION, token)));
    let builder = Client::builder()
        .default_headers(headers)
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .tcp_keepalive(Duration::from_secs(30))
        .user_agent(concat!("Meantime/", env!("CARGO_PKG_VERSION")));
    let failed = |e: &dyn fmt::Display| RemoteError::Protocol(format!("TLS can't be set up: {e}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = match ca {
        Some(pin) => {
            let mut tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .map_err(|e| failed(&e))?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(PinnedCa::new(pin, provider)))
                .with_no_client_auth();
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            builder.tls_backend_preconfigured(tls)
        }
        None => {
            // An error means that one is installed already, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
            builder
        }
    };
    builder.build().map_err(|e| failed(&e))
}

/// The answer, unless it says that the request was refused.
async fn refused(answer: Response) -> Result<Response, RemoteError> {
    const MAX_PROBLEM: usize = 64 << 10;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let seconds = answer.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
    let mut body = Vec::new();
    let mut chunks = answer.bytes_stream();
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(CONNECT, chunks.next()).await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_PROBLEM {
            break;
        }
    }
    let problem = serde_json::from_slice::<Problem>(&body).ok();
    Err(RemoteError::from_answer(status.as_u16(), problem, seconds))
}

fn too_long() -> RemoteError {
    RemoteError::Protocol("an answer over 64 MiB".into())
}

fn certificate_words(host: &str, reason: &rustls::CertificateError) -> String {
    use rustls::CertificateError as E;
    let other_key = matches!(reason, E::Other(other) if other.0.is::<OtherKey>());
    let why = match reason {
        _ if other_key => "its key is not the one your invite names",
        E::Expired | E::ExpiredContext { .. } => "its certificate has expired",
        E::NotValidYet | E::NotValidYetContext { .. } => {
            "its certificate is not valid yet; is this computer's clock right?"
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => "its certificate is for another name",
        E::UnknownIssuer => "its certificate was not issued by an authority that is trusted",
        _ => "its certificate is not valid",
    };
    format!("{host} may not be your team's server: {why}. Nothing was sent; ask whoever runs it.")
}

fn io_words(error: &std::io::Error) -> Option<String> {
    use std::io::ErrorKind as K;
    let words = match error.kind() {
        K::ConnectionRefused => "nothing answers there",
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof => "the connection broke",
        K::TimedOut => "it did not answer in time",
        K::NetworkUnreachable | K::HostUnreachable | K::NetworkDown => "there is no way to it from here",
        K::AddrNotAvailable | K::NotFound => "the name is not known",
        _ => return None,
    };
    Some(words.to_owned())
}
