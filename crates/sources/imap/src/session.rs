//! A signed-in IMAP connection: commands and their answers, and the plain
//! words for what goes wrong.
//!
//! Each command's status is looked at (async-imap's own helpers take a `NO`
//! to a search or fetch for an empty answer, which would read as "everything
//! was deleted"). What the commands are for is `pull`'s and `act`'s.

use crate::config::{MailServer, MailboxConfig, Security};
use crate::guard::{Guarded, Limits, Wire};
use crate::{hello, wire};
use async_imap::error::Error as ImapError;
use async_imap::imap_proto::{AttributeValue, MailboxDatum, Response, ResponseCode, Status, StatusAttribute};
use async_imap::{Authenticator, Client, Session};
use chrono::{DateTime, Utc};
use meantime_source::{Flags, Secret, SourceError, SourceResult};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// A server that sends nothing for this long while an answer is due is dead.
pub const SILENCE: Duration = Duration::from_secs(60);
/// Bytes of answers one command may bring.
const ALLOWANCE: u64 = 128 << 20;

/// A signed-in connection.
pub struct Mailbox {
    session: Session<Guarded>,
    limits: Arc<Limits>,
    capabilities: HashSet<String>,
    host: String,
}

/// What selecting a mailbox told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// UIDs mean nothing once this changes.
    pub uidvalidity: u32,
    /// Every message that comes later has at least this UID.
    pub uidnext: Option<u32>,
    /// Messages in it.
    pub exists: u32,
    /// Grows with each change of flags, where the server counts.
    pub modseq: Option<u64>,
}

/// What a fetch told of one message.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// `\Seen`, and `\Deleted` as done.
    pub flags: Flags,
    /// `\Draft`: being written or sent.
    pub draft: bool,
    /// When the server got it.
    pub received: Option<DateTime<Utc>>,
    /// Of the whole message, in bytes.
    pub size: u64,
    /// The beginning of the message, or of its header.
    pub raw: Option<Vec<u8>>,
}

impl Mailbox {
    /// Connects and signs in.
    pub async fn open(config: &MailboxConfig, secret: &Secret) -> SourceResult<Self> {
        let server = &config.imap;
        let limits = Limits::new(SILENCE, ALLOWANCE);
        let tcp: Box<dyn Wire> = Box::new(wire::connect(server).await?);
        let wire = if server.security == Security::Tls { wire::secure(server, tcp).await? } else { tcp };
        let mut wire = Guarded::new(wire, Arc::clone(&limits));
        limits.set_silence(hello::GREETING);
        hello::greeting(server, &mut wire).await?;
        limits.set_silence(SILENCE);
        if server.security == Security::Starttls {
            hello::ask(server, &mut wire, "STARTTLS").await?.ok_or_else(|| {
                SourceError::Permanent(format!(
                    "{}, port {}, offers no encryption (STARTTLS). Choose TLS and its port, 993 as a rule.",
                    server.host, server.port
                ))
            })?;
            wire = Guarded::new(wire::secure(server, wire.into_inner()).await?, Arc::clone(&limits));
        }
        let offered = hello::ask(server, &mut wire, "CAPABILITY").await?.unwrap_or_default();
        let offered: HashSet<String> = offered.split_whitespace().map(str::to_ascii_uppercase).collect();
        let client = Client::new(wire);
        let session = if offered.contains("AUTH=PLAIN") {
            client.authenticate("PLAIN", Plain { user: &config.user, secret }).await
        } else {
            client.login(&config.user, secret.reveal()).await
        }
        .map_err(|(error, _)| match error {
            ImapError::No(_) => refused(server, &config.user),
            // The command itself was not understood: a password with a line break, say.
            ImapError::Bad(_) | ImapError::Validate(_) => refused(server, &config.user),
            other => plain_words(&server.host, &other),
        })?;
        let mut mailbox = Self { session, limits, capabilities: offered, host: server.host.clone() };
        mailbox.learn_capabilities().await?;
        Ok(mailbox)
    }

    /// The server says it can do this, say `MOVE`.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    /// Opens a mailbox; for reading only where `write` is not set.
    pub async fn select(&mut self, name: &str, write: bool) -> SourceResult<Selected> {
        let verb = if write { "SELECT" } else { "EXAMINE" };
        let condstore = if self.can("CONDSTORE") { " (CONDSTORE)" } else { "" };
        let mut selected = Selected::default();
        self.ask(&format!("{verb} {}{condstore}", quote(name)), |answer| match answer {
            Response::MailboxData(MailboxDatum::Exists(count)) => selected.exists = *count,
            Response::Data { outcome, .. } => match &outcome.code {
                Some(ResponseCode::UidValidity(value)) => selected.uidvalidity = *value,
                Some(ResponseCode::UidNext(value)) => selected.uidnext = Some(*value),
                Some(ResponseCode::HighestModSeq(value)) => selected.modseq = Some(*value),
                _ => {}
            },
            _ => {}
        })
        .await?;
        Ok(selected)
    }

    /// What [`Self::select`] would tell of a mailbox that is not open.
    pub async fn status(&mut self, name: &str) -> SourceResult<Selected> {
        let mut selected = Selected::default();
        self.ask(&format!("STATUS {} (MESSAGES UIDNEXT UIDVALIDITY)", quote(name)), |answer| {
            let Response::MailboxData(MailboxDatum::Status { status, .. }) = answer else { return };
            for attribute in status {
                match attribute {
                    StatusAttribute::Messages(count) => selected.exists = *count,
                    StatusAttribute::UidNext(value) => selected.uidnext = Some(*value),
                    StatusAttribute::UidValidity(value) => selected.uidvalidity = *value,
                    _ => {}
                }
            }
        })
        .await?;
        Ok(selected)
    }

    /// The UIDs a search finds in the open mailbox.
    pub async fn search(&mut self, query: &str) -> SourceResult<BTreeSet<u32>> {
        let mut found = BTreeSet::new();
        self.ask(&format!("UID SEARCH {query}"), |answer| {
            if let Response::MailboxData(MailboxDatum::Search(uids)) = answer {
                found.extend(uids.iter().copied());
            }
        })
        .await?;
        Ok(found)
    }

    /// Fetches `items` of a UID set; a message that is gone is not in the answer.
    pub async fn fetch(&mut self, uids: &str, items: &str) -> SourceResult<BTreeMap<u32, Fetched>> {
        let mut found: BTreeMap<u32, Fetched> = BTreeMap::new();
        self.ask(&format!("UID FETCH {uids} {items}"), |answer| {
            let Response::Fetch(_, attributes) = answer else { return };
            let Some(uid) = attributes.iter().find_map(|attribute| match attribute {
                AttributeValue::Uid(uid) => Some(*uid),
                _ => None,
            }) else {
                return;
            };
            // A server may answer in pieces.
            let entry = found.entry(uid).or_default();
            for attribute in attributes {
                match attribute {
                    AttributeValue::Flags(flags) => {
                        let has = |name: &str| flags.iter().any(|flag| flag.eq_ignore_ascii_case(name));
                        entry.flags = Flags { read: has("\\Seen"), done: has("\\Deleted") };
                        entry.draft = has("\\Draft");
                    }
                    AttributeValue::InternalDate(date) => {
                        entry.received = DateTime::parse_from_str(date.trim(), "%d-%b-%Y %H:%M:%S %z")
                            .ok()
                            .map(|date| date.with_timezone(&Utc));
                    }
                    AttributeValue::Rfc822Size(size) => entry.size = u64::from(*size),
                    AttributeValue::BodySection { data: Some(data), .. } => entry.raw = Some(data.to_vec()),
                    _ => {}
                }
            }
        })
        .await?;
        Ok(found)
    }

    /// Adds a message to a mailbox.
    pub async fn append(&mut self, name: &str, flags: &str, raw: &[u8]) -> SourceResult<()> {
        self.limits.renew(ALLOWANCE);
        self.session.append(name, Some(flags), None, raw).await.map_err(|error| plain_words(&self.host, &error))
    }

    /// Runs a command; an error unless the server says `OK`.
    pub async fn command(&mut self, line: &str) -> SourceResult<()> {
        self.ask(line, |_| {}).await
    }

    /// Runs a command and hands over each untagged answer; an error unless
    /// the server says `OK`.
    pub async fn ask(&mut self, line: &str, mut each: impl FnMut(&Response<'_>) + Send) -> SourceResult<()> {
        self.limits.renew(ALLOWANCE);
        let tag = self.session.run_command(line).await.map_err(|error| plain_words(&self.host, &error))?;
        loop {
            let answer = self.session.read_response().await;
            let answer = answer.map_err(|error| plain_words(&self.host, &ImapError::Io(error)))?;
            let Some(answer) = answer else { return Err(plain_words(&self.host, &ImapError::ConnectionLost)) };
            if let Response::Done { tag: done, status, outcome } = answer.parsed()
                && *done == tag
            {
                return match status {
                    Status::Ok => Ok(()),
                    // Some servers end the connection's login this way.
                    Status::No if matches!(outcome.information.as_deref(), Some(text) if text.contains("AUTHENTICATIONFAILED")) => {
                        Err(SourceError::Auth(format!("{} asks to sign in again. Enter the password.", self.host)))
                    }
                    _ => Err(self.said_no(line, outcome.information.as_deref())),
                };
            }
            each(answer.parsed());
        }
    }

    /// Waits until the server tells something about the open mailbox, for
    /// `patience` at most.
    pub async fn idle(self, patience: Duration) -> SourceResult<(Self, bool)> {
        let Self { session, limits, capabilities, host } = self;
        limits.renew(ALLOWANCE);
        let words = |error: ImapError| plain_words(&host, &error);
        let mut idle = session.idle();
        idle.init().await.map_err(words)?;
        limits.set_silence(patience + SILENCE);
        let (news, stop) = idle.wait_with_timeout(patience);
        // The library restarts its timer with every "still here"; ours does not.
        let news = tokio::time::timeout(patience, news).await;
        drop(stop);
        limits.set_silence(SILENCE);
        use async_imap::extensions::idle::IdleResponse;
        let woken = match news {
            Ok(Ok(IdleResponse::NewData(_))) => true,
            Ok(Ok(IdleResponse::ManualInterrupt)) => return Err(words(ImapError::ConnectionLost)),
            Ok(Ok(IdleResponse::Timeout)) | Err(_) => false,
            Ok(Err(error)) => return Err(words(error)),
        };
        let session = idle.done().await.map_err(words)?;
        Ok((Self { session, limits, capabilities, host }, woken))
    }

    /// Says goodbye; whether the server answers does not matter.
    pub async fn close(mut self) {
        self.limits.set_silence(Duration::from_secs(2));
        let _ = self.session.logout().await;
    }

    async fn learn_capabilities(&mut self) -> SourceResult<()> {
        let mut learned = HashSet::new();
        self.ask("CAPABILITY", |answer| {
            if let Response::Capabilities(found) = answer {
                learned = found.iter().map(capability_name).collect();
            }
        })
        .await?;
        self.capabilities = learned;
        Ok(())
    }

    fn said_no(&self, line: &str, said: Option<&str>) -> SourceError {
        let verb = line.split(' ').take(if line.starts_with("UID ") { 2 } else { 1 }).collect::<Vec<_>>().join(" ");
        let said = meantime_source::text::one_line(said.unwrap_or("no reason"));
        SourceError::Protocol(format!("{} could not do “{verb}”: {said}.", self.host))
    }
}

/// A quoted IMAP string. Names with line breaks can't be said at all; what
/// breaks a line is left out.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A UID set, ranges folded: `1:3,7`.
#[must_use]
pub fn uid_set(uids: impl IntoIterator<Item = u32>) -> String {
    let sorted: BTreeSet<u32> = uids.into_iter().collect();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for uid in sorted {
        match ranges.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(uid) => *end = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    let parts: Vec<String> = ranges
        .into_iter()
        .map(|(start, end)| if start == end { start.to_string() } else { format!("{start}:{end}") })
        .collect();
    parts.join(",")
}

fn capability_name(capability: &async_imap::imap_proto::Capability<'_>) -> String {
    use async_imap::imap_proto::Capability;
    match capability {
        Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
        Capability::Auth(method) => format!("AUTH={}", method.to_ascii_uppercase()),
        Capability::Atom(atom) => atom.to_ascii_uppercase(),
    }
}

fn refused(server: &MailServer, user: &str) -> SourceError {
    SourceError::Auth(format!(
        "{} refuses the password for {user}. Enter it again; some providers ask for an app password, made in their \
         settings.",
        server.host
    ))
}

/// The library's errors carry what the server sent, passwords not excluded:
/// none of it is passed on.
pub(crate) fn plain_words(host: &str, error: &ImapError) -> SourceError {
    match error {
        ImapError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            SourceError::Transient(format!("{host} has not answered for {} s.", SILENCE.as_secs()))
        }
        ImapError::Io(error) if matches!(error.kind(), std::io::ErrorKind::Other | std::io::ErrorKind::InvalidData) => {
            SourceError::Protocol(format!("{host} sent what is not IMAP."))
        }
        ImapError::Io(_) | ImapError::ConnectionLost => {
            SourceError::Transient(format!("The connection to {host} broke off."))
        }
        _ => SourceError::Protocol(format!("{host} answered what was not asked.")),
    }
}

/// SASL PLAIN (RFC 4616): any character in the password, unlike `LOGIN`.
struct Plain<'a> {
    user: &'a str,
    secret: &'a Secret,
}

impl Authenticator for Plain<'_> {
    type Response = String;

    fn process(&mut self, _challenge: &[u8]) -> String {
        format!("\0{}\0{}", self.user, self.secret.reveal())
    }
}
