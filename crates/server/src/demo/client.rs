//! A small client of the HTTP API, as the sample people use it.

use anyhow::{Context as _, bail};
use meantime_model::OpId;
use meantime_protocol::http::{
    BootstrapPage, InviteRequest, InviteResponse, JoinRequest, JoinResponse, Op, PushOutcome, PushRequest, PushResponse,
};
use meantime_protocol::{Fields, Invite, Kind, Record, Scope, VERSION, VERSION_HEADER};
use reqwest::{Certificate, Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

/// A connection to one server. Cloning it is cheap.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// For the server that listens at `address`, trusting only its CA.
    pub fn new(address: std::net::SocketAddr, ca_pem: &[u8]) -> anyhow::Result<Self> {
        // Another part of the process may have chosen the provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().tls_certs_only([Certificate::from_pem(ca_pem)?]).no_proxy();
        Ok(Self { http: builder.build()?, base: format!("https://{address}") })
    }

    pub async fn join(&self, link: &str, name: &str) -> anyhow::Result<JoinResponse> {
        let invite: Invite = link.parse()?;
        let device_name = "sample".to_owned();
        let request = JoinRequest { secret: invite.secret, name: name.to_owned(), device_name };
        read(self.call(Method::POST, "/v1/join", None).json(&request)).await
    }

    pub async fn invite(&self, who: &JoinResponse, request: &InviteRequest) -> anyhow::Result<String> {
        let call = self.call(Method::POST, "/v1/invites", Some(who)).json(request);
        Ok(read::<InviteResponse>(call).await?.link)
    }

    /// Pushes, and fails if anything is refused.
    pub async fn push(&self, who: &JoinResponse, ops: Vec<Op>) -> anyhow::Result<()> {
        let request = PushRequest { device: who.device, ops };
        let answer: PushResponse = read(self.call(Method::POST, "/v1/push", Some(who)).json(&request)).await?;
        for result in answer.results {
            if let PushOutcome::Rejected { problem } = result.outcome {
                bail!("a change of the sample team was refused: {problem}");
            }
        }
        Ok(())
    }

    /// Every current record of the team.
    pub async fn everything(&self, who: &JoinResponse) -> anyhow::Result<Vec<Record>> {
        let (scope, mut page) = (Scope::Team(who.team).to_string(), None);
        let mut rows = Vec::new();
        loop {
            let mut query = vec![("scope", scope.clone())];
            query.extend(page.map(|page| ("page", page)));
            let call = self.call(Method::GET, "/v1/bootstrap", Some(who)).query(&query);
            let next: BootstrapPage = read(call).await?;
            rows.extend(next.rows);
            page = next.next_page;
            if page.is_none() {
                return Ok(rows);
            }
        }
    }

    /// The open stream of pokes.
    pub async fn live(&self, who: &JoinResponse) -> anyhow::Result<Response> {
        Ok(self.call(Method::GET, "/v1/live", Some(who)).send().await?.error_for_status()?)
    }

    fn call(&self, method: Method, path: &str, who: Option<&JoinResponse>) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base)).header(VERSION_HEADER, VERSION);
        match who {
            Some(who) => request.bearer_auth(&who.token),
            None => request,
        }
    }
}

/// One change of the sample team's feed.
pub(super) fn op(who: &JoinResponse, n: u64, kind: Kind, id: Uuid, fields: &impl Serialize) -> anyhow::Result<Op> {
    let Value::Object(fields) = serde_json::to_value(fields)? else { bail!("fields are an object") };
    Ok(Op {
        n,
        op_id: OpId::new(),
        scope: Scope::Team(who.team),
        kind,
        id,
        fields: Fields::from_iter(fields),
        base_seq: None,
        deleted: false,
        visible_from: None,
    })
}

async fn read<T: DeserializeOwned>(call: RequestBuilder) -> anyhow::Result<T> {
    let answer = call.send().await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    if !status.is_success() {
        bail!("the sample team's server answered {status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body).context("the sample team's server answered something unexpected")
}
