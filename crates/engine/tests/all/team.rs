//! Joining a team, once and again, at a server that the test holds in its hands.

use crate::rig::Rig;
use meantime_engine::api::*;
use meantime_model::{DeviceId, PersonId, TeamId, Urgency};
use meantime_protocol::Invite;
use meantime_protocol::http::JoinResponse;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData as _};
use rustls_pki_types::PrivateKeyDer;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use uuid::Uuid;

const ANA: PersonId = PersonId(Uuid::from_u128(0xa));
const TEAM: TeamId = TeamId(Uuid::from_u128(1));

/// A team server that lets people join, and is busy for everything else.
struct Server {
    invite: Invite,
    state: Arc<Mutex<State>>,
    tls: Arc<Mutex<TlsAcceptor>>,
}

struct State {
    /// Whom the next invite makes.
    person: PersonId,
    team: TeamId,
    joins: u32,
    /// The device that is known.
    device: Option<DeviceId>,
    /// How slow it is to let somebody in.
    takes: Duration,
}

impl Server {
    async fn start() -> Self {
        let (pin, acceptor) = Self::certificate();
        let tls = Arc::new(Mutex::new(acceptor));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let state =
            Arc::new(Mutex::new(State { person: ANA, team: TEAM, joins: 0, device: None, takes: Duration::ZERO }));
        let (known_by, served) = (Arc::clone(&tls), Arc::clone(&state));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, state) = (known_by.lock().unwrap().clone(), Arc::clone(&served));
                tokio::spawn(async move {
                    if let Ok(tls) = acceptor.accept(tcp).await {
                        answer(tls, &state).await;
                    }
                });
            }
        });
        let secret = "AAAAAAAAAAAAAAAAAAAAAA".to_owned();
        Self { invite: Invite { host, ca: Some(pin), secret, team: "Blue Team".to_owned() }, state, tls }
    }

    /// From now on it is known by another key, which its invites name.
    fn takes_another_key(&mut self) {
        let (pin, acceptor) = Self::certificate();
        self.invite.ca = Some(pin);
        *self.tls.lock().unwrap() = acceptor;
    }

    /// A key of its own authority, and what is served under it.
    fn certificate() -> ([u8; 32], TlsAcceptor) {
        let (ca_key, leaf_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Meantime test CA");
        let ca = params.self_signed(&ca_key).unwrap().der().clone();
        let pin = Sha256::digest(ca_key.subject_public_key_info()).into();
        let leaf = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&leaf_key, &Issuer::new(params, ca_key)).unwrap();
        let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone(), ca], PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap())
            .unwrap();
        (pin, TlsAcceptor::from(Arc::new(tls)))
    }

    fn join(&self) -> Join {
        Join { link: self.invite.to_string(), name: "Ana".to_owned() }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn joins(&self) -> u32 {
        self.state.lock().unwrap().joins
    }
}

async fn answer(mut tls: TlsStream<TcpStream>, state: &Mutex<State>) {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match tls.read_buf(&mut request).await {
            Ok(read) if read > 0 => {}
            _ => return,
        }
    }
    let (status, body) = match String::from_utf8_lossy(&request).split(' ').nth(1).unwrap_or_default() {
        "/v1/join" => {
            let takes = state.lock().unwrap().takes;
            tokio::time::sleep(takes).await;
            let mut state = state.lock().unwrap();
            let device = DeviceId::new();
            (state.device, state.joins) = (Some(device), state.joins + 1);
            let team_name = "Blue Team".to_owned();
            let joined =
                JoinResponse { person: state.person, team: state.team, team_name, device, token: "token".into() };
            ("200 OK", serde_json::to_value(joined).unwrap())
        }
        "/v1/me" => {
            let state = state.lock().unwrap();
            match state.device {
                Some(device) => {
                    ("200 OK", json!({ "person": state.person, "team": state.team, "device": device, "scopes": {} }))
                }
                None => ("401 Unauthorized", json!({ "code": "unauthorized", "message": "who are you?" })),
            }
        }
        _ => ("503 Service Unavailable", json!({ "code": "busy", "message": "later" })),
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = tls.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = tls.shutdown().await;
}

async fn team(rig: &Rig) -> Account {
    let mut accounts = rig.engine.accounts(Nothing {}).await.unwrap();
    accounts.retain(|account| account.kind == SourceKind::Team);
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    accounts.remove(0)
}

async fn write(rig: &Rig, title: &str) {
    let thread = Compose {
        title: title.to_owned(),
        text: "Precious words.".to_owned(),
        urgency: Urgency::Yellow,
        asked: Vec::new(),
        space: None,
        private: false,
        deliver: Deliver::Now,
        files: Vec::new(),
    };
    rig.engine.compose(thread).await.unwrap();
}

async fn found(rig: &Rig, words: &str) -> usize {
    let query = SearchQuery { words: words.to_owned(), before: None, limit: 10 };
    rig.engine.search(query).await.unwrap().hits.len()
}

#[tokio::test]
async fn of_two_joins_at_once_one_is_made() {
    let (rig, server) = (Rig::new().await, Server::start().await);
    server.set(|state| state.takes = Duration::from_millis(300));
    let (one, two) = tokio::join!(rig.engine.join(server.join()), rig.engine.join(server.join()));
    let (joined, failure) = match (one, two) {
        (Ok(joined), Err(failure)) | (Err(failure), Ok(joined)) => (joined, failure),
        other => panic!("{other:?}"),
    };
    assert_eq!((joined.person, failure.code), (ANA, FailureCode::NotPossible));
    assert_eq!(server.joins(), 1, "the other invite is not used up");
    team(&rig).await;
}

#[tokio::test]
async fn whoever_is_signed_out_joins_again_and_keeps_everything() {
    for again_as in [ANA, PersonId::new()] {
        let (rig, server) = (Rig::new().await, Server::start().await);
        rig.engine.join(server.join()).await.unwrap();
        write(&rig, "Budget").await;
        let (before, unsent) = (team(&rig).await.id, rig.engine.unsent(AccountRef { id: team(&rig).await.id }).await);
        let failure = rig.engine.join(server.join()).await.unwrap_err();
        assert_eq!((failure.code, server.joins()), (FailureCode::NotPossible, 1), "it is in that team already");

        server.set(|state| (state.device, state.person) = (None, again_as));
        let joined = rig.engine.join(server.join()).await.unwrap();
        assert_eq!((joined.person, server.joins()), (again_as, 2));
        assert_eq!(team(&rig).await.id, before, "the same account");
        assert_eq!(found(&rig, "Budget").await, 1);
        let kept = rig.engine.unsent(AccountRef { id: before }).await.unwrap();
        assert_eq!(kept.texts, unsent.unwrap().texts, "what waits goes out with the new sign-in");
        assert_eq!(rig.engine.join(server.join()).await.unwrap_err().code, FailureCode::NotPossible);
    }
}

#[tokio::test]
async fn a_server_with_another_key_is_joined_again_by_a_link_that_names_it() {
    let (rig, mut server) = (Rig::new().await, Server::start().await);
    let first = server.join();
    rig.engine.join(server.join()).await.unwrap();
    write(&rig, "Budget").await;
    let (before, token) = (team(&rig).await, rig.token(team(&rig).await.id).await);
    server.takes_another_key();
    rig.until("it is not trusted", || async {
        matches!(team(&rig).await.state, AccountState::NeedsYou { message, .. } if message.contains("its key is not"))
    })
    .await;
    assert_eq!(rig.engine.join(first).await.unwrap_err().code, FailureCode::Certificate, "the old link is no proof");
    assert_eq!((server.joins(), rig.token(before.id).await), (1, token));

    // Somebody gives them a link of the server as it is now: same team, same account.
    let other = Server::start().await;
    other.set(|state| state.team = TeamId::new());
    assert_eq!(rig.engine.join(other.join()).await.unwrap_err().code, FailureCode::NotPossible, "another team's");
    assert_eq!(rig.engine.join(server.join()).await.unwrap().person, ANA);
    assert_eq!((team(&rig).await.id, server.joins(), found(&rig, "Budget").await), (before.id, 2, 1));
    rig.until("it is trusted", || async {
        !matches!(team(&rig).await.state, AccountState::NeedsYou { .. } | AccountState::New)
    })
    .await;
    let again = rig.engine.join(server.join()).await.unwrap_err();
    assert_eq!(again.code, FailureCode::NotPossible, "now it is in that team");
}

#[tokio::test]
async fn a_thread_taken_back_is_all_there_to_be_written_again() {
    let (rig, server) = (Rig::new().await, Server::start().await);
    rig.engine.join(server.join()).await.unwrap();
    let deliver = Deliver::At { at: rig.now() + chrono::TimeDelta::days(1) };
    let thread = ThreadDraft {
        title: "Budget".into(),
        space: "Plans".into(),
        urgency: Urgency::Green,
        deliver,
        ..ThreadDraft::default()
    };
    let send = || Compose {
        title: thread.title.clone(),
        text: "How much?".to_owned(),
        urgency: thread.urgency,
        asked: Vec::new(),
        space: Some(thread.space.clone()),
        private: false,
        deliver,
        files: Vec::new(),
    };
    let kept = async || rig.engine.draft(DraftOf { item: None }).await.unwrap();
    rig.engine
        .save_draft(Draft { item: None, text: "How much?".into(), thread: Some(thread.clone()), ..Default::default() })
        .await
        .unwrap();
    rig.engine.compose(send()).await.unwrap();
    assert_eq!((kept().await.text.as_str(), kept().await.thread), ("", None), "it is sent");
    // The server takes nothing: it has not gone out.
    rig.pass(chrono::TimeDelta::hours(1));
    rig.engine.undo(Nothing {}).await.unwrap();
    assert_eq!((kept().await.text.as_str(), kept().await.thread), ("How much?", Some(thread.clone())));

    rig.engine.compose(send()).await.unwrap();
    let next = ThreadDraft { title: "Where?".into(), ..ThreadDraft::default() };
    rig.engine
        .save_draft(Draft { item: None, text: "Here".into(), thread: Some(next.clone()), ..Default::default() })
        .await
        .unwrap();
    rig.engine.undo(Nothing {}).await.unwrap();
    let both = kept().await;
    assert_eq!(
        (both.text.as_str(), both.thread),
        ("Budget\n\nHow much?\n\nHere", Some(next)),
        "nor does the next one suffer"
    );
}

#[tokio::test]
async fn another_team_is_not_joined_over_the_first() {
    let (rig, first, other) = (Rig::new().await, Server::start().await, Server::start().await);
    rig.engine.join(first.join()).await.unwrap();
    first.set(|state| state.device = None);
    let mut link = other.invite.clone();
    link.team = "Red Team".to_owned();
    let join = Join { link: link.to_string(), name: "Ana".to_owned() };
    assert_eq!(rig.engine.join(join).await.unwrap_err().code, FailureCode::NotPossible);
    assert_eq!(other.joins(), 0, "its invite is not used up");

    first.set(|state| state.team = TeamId::new());
    write(&rig, "Budget").await;
    let before = team(&rig).await;
    assert_eq!(rig.engine.join(first.join()).await.unwrap_err().code, FailureCode::NotPossible);
    assert_eq!(team(&rig).await.id, before.id);
    assert_eq!(found(&rig, "Budget").await, 1);
}
