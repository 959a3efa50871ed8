//! The real server, over HTTPS.

use crate::tls::{self, Pin};
use crate::{Pokes, Remote, RemoteError, RemoteResult};
use async_trait::async_trait;
use meantime_model::DeviceId;
use meantime_protocol::http::{
    BootstrapPage, BootstrapQuery, JoinRequest, JoinResponse, Me, Op, PullPage, PullQuery, PushRequest, PushResponse,
};
use meantime_protocol::{Cursor, Invite, Problem, Scope, VERSION, VERSION_HEADER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error as _;
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for a whole answer; the live stream has none.
const ANSWER: Duration = Duration::from_secs(60);
/// Longest answer read, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// Where a server is, and who we are there.
#[derive(Clone)]
pub struct Credentials {
    /// `host:port`.
    pub host: String,
    /// The CA key to trust; none trusts what the system trusts.
    pub pin: Option<Pin>,
    /// This device.
    pub device: DeviceId,
    /// The device's secret.
    pub token: String,
}

/// A team server over HTTPS.
pub struct HttpRemote {
    client: Client,
    credentials: Credentials,
}

impl HttpRemote {
    /// Connects when it is first called.
    ///
    /// # Errors
    /// This system has no usable TLS.
    pub fn new(credentials: Credentials) -> RemoteResult<Self> {
        Ok(Self { client: client(credentials.pin)?, credentials })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        request(&self.client, method, &self.credentials.host, path).bearer_auth(&self.credentials.token)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> RemoteResult<T> {
        answer(self.request(Method::GET, path).query(query).timeout(ANSWER)).await
    }
}

/// Turns an invite into a person and a device.
///
/// # Errors
/// The invite is used up or lapsed, the server is not reached or not the one
/// the invite names.
pub async fn join(invite: &Invite, name: &str, device_name: &str) -> RemoteResult<JoinResponse> {
    let client = client(invite.ca.map(Pin))?;
    let body =
        JoinRequest { secret: invite.secret.clone(), name: name.to_owned(), device_name: device_name.to_owned() };
    answer(request(&client, Method::POST, &invite.host, "/v1/join").json(&body).timeout(ANSWER)).await
}

#[async_trait]
impl Remote for HttpRemote {
    async fn me(&self) -> RemoteResult<Me> {
        self.get("/v1/me", &()).await
    }

    async fn push(&self, ops: Vec<Op>) -> RemoteResult<PushResponse> {
        let body = PushRequest { device: self.credentials.device, ops };
        answer(self.request(Method::POST, "/v1/push").json(&body).timeout(ANSWER)).await
    }

    async fn pull(&self, scope: Scope, cursor: Cursor) -> RemoteResult<PullPage> {
        self.get("/v1/pull", &PullQuery { scope, cursor, limit: None }).await
    }

    async fn bootstrap(&self, scope: Scope, page: Option<String>) -> RemoteResult<BootstrapPage> {
        self.get("/v1/bootstrap", &BootstrapQuery { scope, page, limit: None }).await
    }

    async fn live(&self) -> RemoteResult<Pokes> {
        let sent = tokio::time::timeout(ANSWER, self.request(Method::GET, "/v1/live").send()).await;
        let response = sent.map_err(|_| offline(&self.credentials.host))?.map_err(failed)?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        Ok(Pokes::new(response))
    }
}

fn client(pin: Option<Pin>) -> RemoteResult<Client> {
    let no_tls = |e: String| RemoteError::Protocol(format!("TLS can't be set up: {e}"));
    let builder = Client::builder().https_only(true).no_proxy().connect_timeout(CONNECT).redirect(no_redirects());
    let builder = match pin {
        Some(pin) => builder.tls_backend_preconfigured(tls::pinned(pin).map_err(|e| no_tls(e.to_string()))?),
        None => builder,
    };
    builder.build().map_err(|e| no_tls(e.to_string()))
}

/// A token goes to the server it was given out by, and nowhere else.
fn no_redirects() -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::none()
}

fn request(client: &Client, method: Method, host: &str, path: &str) -> RequestBuilder {
    client.request(method, format!("https://{host}{path}")).header(VERSION_HEADER, VERSION)
}

async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> RemoteResult<T> {
    let response = request.send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    let body = body(response).await?;
    serde_json::from_slice(&body).map_err(|e| RemoteError::Protocol(e.to_string()))
}

async fn body(mut response: Response) -> RemoteResult<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(RemoteError::Protocol(format!("an answer of more than {} MiB", MAX_ANSWER >> 20)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn refusal(response: Response) -> RemoteError {
    let status = response.status();
    let body = body(response).await.unwrap_or_default();
    match (serde_json::from_slice::<Problem>(&body), status) {
        (Ok(problem), _) => RemoteError::of(problem),
        (Err(_), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
            RemoteError::Busy(Duration::from_secs(5))
        }
        (Err(_), status) if status.is_server_error() => {
            RemoteError::Offline(format!("the team server has a problem ({status}); trying again by itself"))
        }
        (Err(_), status) => RemoteError::Protocol(status.to_string()),
    }
}

fn offline(host: &str) -> RemoteError {
    RemoteError::Offline(format!("the team server {host} does not answer; everything is kept here and sent later"))
}

/// A failed call in plain words; the certificate is told from the rest by the
/// TLS error at the bottom of the chain.
fn failed(error: reqwest::Error) -> RemoteError {
    let mut source = error.source();
    while let Some(cause) = source {
        // An io::Error hides what it wraps from `source`.
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = cause
            .downcast_ref::<rustls::Error>()
            .or_else(|| inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()));
        if let Some(rustls::Error::InvalidCertificate(why)) = tls {
            return RemoteError::Certificate(format!(
                "the team server is not the one you joined: its certificate is not from the key in your invite ({why:?}). \
                 Nothing was sent. Ask whoever runs it before you do anything else"
            ));
        }
        source = cause.source();
    }
    if error.is_decode() || error.is_builder() {
        return RemoteError::Protocol(error.without_url().to_string());
    }
    offline(error.url().map_or("", |url| url.authority()))
}
