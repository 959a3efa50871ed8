//! The server over HTTPS.

mod attachments;
mod rows;

use crate::pin::{OtherKey, PinnedCa};
use crate::sse::Parser;
use crate::token::{Rotation, Token, TokenPlace};
use crate::{OutgoingFile, Pokes, Remote, RemoteError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use meantime_protocol::http::{BootstrapPage, JoinRequest, JoinResponse, Me, PullPage, PushRequest, PushResponse};
use meantime_protocol::people::TokenResponse;
use meantime_protocol::{Cursor, Invite, MAX_PAGE, Problem, Scope, VERSION, VERSION_HEADER};
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use attachments::TransferError;

const CONNECT: Duration = Duration::from_secs(10);
const CALL: Duration = Duration::from_secs(60);
/// The server sends a comment every 15 s; three missed are a dead connection.
const SILENCE: Duration = Duration::from_secs(45);
/// Longest answer read, unpacked.
const MAX_ANSWER: usize = 64 << 20;
/// Rows asked for when a page of the usual size was over [`MAX_ANSWER`]:
/// that many of the largest records still fit.
const SMALL_PAGE: usize = 100;

/// A team server over HTTPS. Follows no redirect, speaks no plain HTTP.
#[derive(Debug)]
pub struct HttpRemote {
    client: Client,
    host: String,
    /// None for somebody who has no device yet.
    token: Mutex<Option<HeaderValue>>,
    /// The newest one, while one from before it is in use or tried.
    newest: Mutex<Option<HeaderValue>>,
    rotation: Option<Rotation>,
}

impl HttpRemote {
    /// For a device that joined. `host` is `host:port`, `ca` the pin of the
    /// invite; without one the system's certificates are trusted.
    ///
    /// # Errors
    /// [`RemoteError::Protocol`] when the token can't stand in a header or
    /// TLS can't be set up.
    pub fn new(host: &str, ca: Option<[u8; 32]>, token: &Token) -> Result<Self, RemoteError> {
        let token = Mutex::new(Some(header(token)?));
        Ok(Self { token, ..Self::nobody(client(ca)?, host) })
    }

    /// The token is replaced each day by one that `place` keeps. `since`: when
    /// the present one was handed out; none: it is not known.
    #[must_use]
    pub fn keeping(self, place: Arc<dyn TokenPlace>, since: Option<DateTime<Utc>>) -> Self {
        Self { rotation: Some(Rotation::new(place, since)), ..self }
    }

    /// Turns an invite into a person and a device.
    ///
    /// # Errors
    /// [`RemoteError::Refused`] with [`meantime_protocol::Code::InviteInvalid`]
    /// for an invite that is unknown, used or lapsed; else as any call.
    pub async fn join(invite: &Invite, name: &str, device_name: &str) -> Result<JoinResponse, RemoteError> {
        let remote = Self::nobody(client(invite.ca)?, &invite.host);
        let request =
            JoinRequest { secret: invite.secret.clone(), name: name.to_owned(), device_name: device_name.to_owned() };
        remote.call(remote.post("join").json(&request)).await
    }

    pub(crate) fn nobody(client: Client, host: &str) -> Self {
        Self { client, host: host.to_owned(), token: Mutex::new(None), newest: Mutex::new(None), rotation: None }
    }

    /// Whether the server knows a token this device had before: then that is
    /// used, and replaced as soon as can be. All are kept, and the newest is
    /// what the next connection begins with: another backup may be put back in
    /// place of this one, and whoever shows a server one that it replaced ends
    /// the device.
    async fn goes_back(&self) -> Result<bool, RemoteError> {
        let Some(rotation) = &self.rotation else { return Ok(false) };
        let unkept = |message: String| RemoteError::Protocol(format!("this device's token: {message}"));
        let earlier = rotation.place.earlier().await.map_err(unkept)?;
        *self.newest() = self.authorization();
        for token in earlier {
            self.authorize(Some(header(&token)?));
            match self.me().await {
                Ok(_) => {
                    tracing::info!("the server was put back; it knows the token this device had then");
                    rotation.hurry().await;
                    return Ok(true);
                }
                Err(RemoteError::Unauthorized) => {}
                Err(e) => {
                    self.begin_with_the_newest();
                    return Err(e);
                }
            }
        }
        self.begin_with_the_newest();
        Ok(false)
    }

    fn begin_with_the_newest(&self) {
        if let Some(newest) = self.newest().take() {
            self.authorize(Some(newest));
        }
    }

    fn newest(&self) -> MutexGuard<'_, Option<HeaderValue>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn authorization(&self) -> Option<HeaderValue> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn authorize(&self, token: Option<HeaderValue>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    pub(crate) fn get(&self, call: &str) -> RequestBuilder {
        self.request(Method::GET, call)
    }

    pub(crate) fn post(&self, call: &str) -> RequestBuilder {
        self.request(Method::POST, call)
    }

    pub(crate) fn put(&self, call: &str) -> RequestBuilder {
        self.request(Method::PUT, call)
    }

    pub(crate) fn delete(&self, call: &str) -> RequestBuilder {
        self.request(Method::DELETE, call)
    }

    fn request(&self, method: Method, call: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("https://{}/v1/{call}", self.host));
        match self.authorization() {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        }
    }

    /// A call that is answered with a body.
    pub(crate) async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, RemoteError> {
        let body = self.body(self.answer(request).await?).await?;
        serde_json::from_slice(&body).map_err(|e| RemoteError::Protocol(e.to_string()))
    }

    /// A call that is answered without one.
    pub(crate) async fn done(&self, request: RequestBuilder) -> Result<(), RemoteError> {
        self.answer(request).await.map(drop)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Response, RemoteError> {
        refused(request.timeout(CALL).send().await.map_err(|e| self.failed(&e))?).await
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
    async fn renew(&self, now: DateTime<Utc>) -> Result<(), RemoteError> {
        let Some(rotation) = &self.rotation else { return Ok(()) };
        if !rotation.is_due(now).await {
            return Ok(());
        }
        let next = Token::new(self.call::<TokenResponse>(self.post("token")).await?.token);
        let value = header(&next)?;
        match rotation.place.replace(&next, now).await {
            Ok(()) => {
                self.authorize(Some(value));
                *self.newest() = None;
                rotation.done(now).await;
            }
            // The one in use is good until the next one is used.
            Err(message) => tracing::warn!(%message, "this device's next token could not be kept"),
        }
        Ok(())
    }

    async fn me(&self) -> Result<Me, RemoteError> {
        self.call(self.get("me")).await
    }

    async fn time(&self) -> Result<Option<DateTime<Utc>>, RemoteError> {
        let answer = self.answer(self.get("me")).await?;
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        Ok(date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()).map(|date| date.to_utc()))
    }

    async fn push(&self, request: &PushRequest) -> Result<PushResponse, RemoteError> {
        self.call(self.post("push").json(request)).await
    }

    async fn pull(&self, scope: Scope, cursor: Cursor) -> Result<PullPage, RemoteError> {
        let ask = |limit: usize| {
            let query = [("scope", scope.to_string()), ("cursor", cursor.to_string()), ("limit", limit.to_string())];
            self.page(scope, self.get("pull").query(&query))
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
            self.page(scope, self.get("bootstrap").query(&query))
        };
        match ask(MAX_PAGE).await {
            Err(e) if e == too_long() => ask(SMALL_PAGE).await,
            answer => answer,
        }
    }

    async fn send_file(&self, file: &OutgoingFile) -> Result<(), TransferError> {
        self.upload(file.scope, file.sha256, file.bytes, &file.path).await
    }

    async fn live(&self) -> Result<Pokes, RemoteError> {
        self.begin_with_the_newest();
        match self.listen().await {
            // The first call of a connection.
            Err(RemoteError::Unauthorized) if self.goes_back().await? => self.listen().await,
            answer => answer,
        }
    }
}

impl HttpRemote {
    async fn listen(&self) -> Result<Pokes, RemoteError> {
        let request = self.get("live").header("accept", "text/event-stream").send();
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

fn header(token: &Token) -> Result<HeaderValue, RemoteError> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal()))
        .map_err(|_| RemoteError::Protocol("the token is damaged".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn client(ca: Option<[u8; 32]>) -> Result<Client, RemoteError> {
    let mut headers = HeaderMap::new();
    headers.insert(VERSION_HEADER, HeaderValue::from(VERSION));
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
            "its certificate is not valid yet, or this computer's clock is wrong"
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
