//! An answer, sent once.
//!
//! The mail's Message-ID is made of the op's id, and a copy marked `\Draft`
//! lies in the sent mail *before* the sending begins; the mark is taken off
//! afterwards. So a later try sees what became of an earlier one: no copy,
//! nothing was sent; an unmarked copy, it was; a marked one, nobody knows,
//! and it is not sent a second time but said.

use crate::act::remove;
use crate::config::MailboxConfig;
use crate::folders::{self, Folders};
use crate::identity::{field, header_fields, message_id_of, message_ids};
use crate::read::locate;
use crate::session::{Mailbox, quote, uid_set};
use crate::smtp::{self, Delivery};
use chrono::{DateTime, Utc};
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox as Sender, MultiPart, SinglePart};
use lettre::{Address, Message};
use meantime_model::OpId;
use meantime_source::op::reply_id;
use meantime_source::{ActOutcome, FileToSend, Person, Secret, SourceError, SourceResult};
use std::collections::BTreeSet;

/// At most so many recipients.
pub const RECIPIENTS: usize = 100;
/// References carried on, the root and the latest.
const REFERENCES: usize = 30;

/// What to answer, and whom.
pub struct Reply<'a> {
    /// Of the op: the same through every retry.
    pub id: OpId,
    /// The name of the message that is answered.
    pub to_message: &'a str,
    /// Those it goes to.
    pub to: &'a [Person],
    /// Those it goes to as well.
    pub cc: &'a [Person],
    /// The subject line.
    pub subject: &'a str,
    /// Plain text.
    pub text: &'a str,
    /// Files that go with it.
    pub files: &'a [FileToSend],
}

/// Sends it, or finds that it was sent.
pub async fn reply(
    mailbox: &mut Mailbox,
    folders: &Folders,
    config: &MailboxConfig,
    secret: &Secret,
    reply: &Reply<'_>,
    now: DateTime<Utc>,
) -> SourceResult<ActOutcome> {
    let Some(smtp) = &config.smtp else { return Ok(ActOutcome::Unsupported) };
    let id = message_id(config, reply.id);
    let sent = folders::sent(mailbox, folders).await?;
    mailbox.select(&sent, true).await?;
    match copy(mailbox, &id).await? {
        Some((_, false)) => return Ok(ActOutcome::AlreadyApplied),
        Some((_, true)) => return Err(unknown(&config.address)),
        None => {}
    }
    let references = references(mailbox, folders, reply.to_message).await?;
    let mail = compose(config, reply, &id, &references, now).await?;
    // Signing in first: what fails here has left no trace.
    let connection = smtp::open(smtp, &config.user, secret, &config.address).await?;
    mailbox.append(&sent, "(\\Seen \\Draft)", &mail.formatted()).await?;
    let delivery = connection.deliver(&mail).await;
    mailbox.select(&sent, true).await?;
    let copies = copy(mailbox, &id).await?;
    match delivery {
        Delivery::Sent => {
            if let Some((uid, _)) = copies {
                // Sent is sent, whether the mark comes off or not.
                let _ = mailbox.command(&format!("UID STORE {uid} -FLAGS.SILENT (\\Draft)")).await;
            }
            answered(mailbox, reply.to_message).await;
            Ok(ActOutcome::Applied)
        }
        Delivery::NotSent(error) => {
            if let Some((uid, _)) = copies {
                remove(mailbox, &[uid]).await?;
            }
            Err(error)
        }
        Delivery::Unknown => Err(unknown(&config.address)),
    }
}

/// The reply's Message-ID, without angle brackets.
pub fn message_id(config: &MailboxConfig, id: OpId) -> String {
    let domain = config.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    format!("{}@{domain}", reply_id(id))
}

fn unknown(address: &str) -> SourceError {
    SourceError::Permanent(format!(
        "The connection broke while this reply was being sent, and nobody can tell whether it went out. It is not sent \
         a second time by itself. A copy is in the sent mail of {address}; ask, or write it again."
    ))
}

/// A copy of the reply in the open mailbox: its UID, and whether it is marked.
async fn copy(mailbox: &mut Mailbox, id: &str) -> SourceResult<Option<(u32, bool)>> {
    let found = mailbox.search(&format!("UNDELETED HEADER MESSAGE-ID {}", quote(id))).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let copies = mailbox.fetch(&uid_set(found), "(UID FLAGS)").await?;
    // One that is known to be sent outweighs the others.
    Ok(copies.into_iter().map(|(uid, one)| (uid, one.draft)).min_by_key(|(_, draft)| *draft))
}

/// The thread so far (RFC 5322, 3.6.4): the references of the message that is
/// answered, and its own id.
async fn references(mailbox: &mut Mailbox, folders: &Folders, to_message: &str) -> SourceResult<Vec<String>> {
    let wanted = BTreeSet::from([to_message.to_owned()]);
    let mut ids = Vec::new();
    for place in std::iter::once("INBOX").chain(folders.archive.as_deref()).chain(folders.sent.as_deref()) {
        mailbox.select(place, false).await?;
        let Some((uid, _)) = locate(mailbox, &wanted).await?.get(to_message).copied() else { continue };
        let items = "(UID BODY.PEEK[HEADER.FIELDS (REFERENCES IN-REPLY-TO)])";
        if let Some(raw) = mailbox.fetch(&uid.to_string(), items).await?.remove(&uid).and_then(|one| one.raw) {
            let fields = header_fields(&raw);
            let before = field(&fields, "references").or_else(|| field(&fields, "in-reply-to"));
            ids = before.map(message_ids).unwrap_or_default();
        }
        break;
    }
    if ids.len() > REFERENCES {
        ids.drain(1..ids.len() - REFERENCES + 1);
    }
    ids.extend(message_id_of(to_message).map(str::to_owned));
    // What is not ASCII can't be said in this header.
    ids.retain(|id| id.chars().all(|c| c.is_ascii_graphic()));
    ids.dedup();
    Ok(ids)
}

/// Marks the message as answered, as mail programs do; nothing depends on it.
async fn answered(mailbox: &mut Mailbox, to_message: &str) {
    let wanted = BTreeSet::from([to_message.to_owned()]);
    if mailbox.select("INBOX", true).await.is_ok()
        && let Ok(found) = locate(mailbox, &wanted).await
        && let Some((uid, _)) = found.get(to_message)
    {
        let _ = mailbox.command(&format!("UID STORE {uid} +FLAGS.SILENT (\\Answered)")).await;
    }
}

async fn compose(
    config: &MailboxConfig,
    reply: &Reply<'_>,
    id: &str,
    references: &[String],
    now: DateTime<Utc>,
) -> SourceResult<Message> {
    if reply.to.is_empty() && reply.cc.is_empty() {
        return Err(SourceError::Permanent("This reply goes to nobody. Add a recipient.".to_owned()));
    }
    if reply.to.len() + reply.cc.len() > RECIPIENTS {
        return Err(SourceError::Permanent(format!(
            "This reply goes to more than {RECIPIENTS} people. Take some off."
        )));
    }
    let own = Person { name: config.name.clone(), address: config.address.clone() };
    let mut mail = Message::builder()
        .from(person(&own)?)
        .date(now.into())
        .message_id(Some(format!("<{id}>")))
        .subject(meantime_source::text::one_line(reply.subject));
    for to in reply.to {
        mail = mail.to(person(to)?);
    }
    for cc in reply.cc {
        mail = mail.cc(person(cc)?);
    }
    if let Some(last) = references.last() {
        mail = mail.in_reply_to(format!("<{last}>"));
        let chain: Vec<String> = references.iter().map(|id| format!("<{id}>")).collect();
        // Folded by hand: lettre would encode what it can't break.
        mail = mail.raw_header(HeaderValue::dangerous_new_pre_encoded(
            HeaderName::new_from_ascii_str("References"),
            chain.join(" "),
            chain.join("\r\n "),
        ));
    }
    let encoding = if reply.text.is_ascii() && reply.text.lines().all(|line| line.len() < 900) {
        ContentTransferEncoding::SevenBit
    } else {
        ContentTransferEncoding::QuotedPrintable
    };
    let text = reply.text.replace("\r\n", "\n").replace('\n', "\r\n");
    let made = if reply.files.is_empty() {
        mail.header(ContentType::TEXT_PLAIN).header(encoding).body(text)
    } else {
        let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).header(encoding).body(text);
        let mut parts = MultiPart::mixed().singlepart(text);
        for file in reply.files {
            parts = parts.singlepart(part(file).await?);
        }
        mail.multipart(parts)
    };
    made.map_err(|error| SourceError::Permanent(format!("This reply can't be made into a mail: {error}.")))
}

/// A file as a part of the mail, in base64 whatever it is: its bytes arrive as
/// they are here.
async fn part(file: &FileToSend) -> SourceResult<SinglePart> {
    let bytes = tokio::fs::read(&file.path).await.map_err(|error| {
        SourceError::Permanent(format!("The copy of {} on this computer can't be read ({error}).", file.name))
    })?;
    // A mail inside of a mail may not be in base64.
    let holds_parts = ["message/", "multipart/"].iter().any(|kind| file.media_type.starts_with(kind));
    let kind = if holds_parts { "application/octet-stream" } else { file.media_type.as_str() };
    let kind = ContentType::parse(kind).or_else(|_| ContentType::parse("application/octet-stream"));
    let kind = kind.map_err(|error| SourceError::Permanent(format!("{} can't be sent: {error}.", file.name)))?;
    let body = Body::new_with_encoding(bytes, ContentTransferEncoding::Base64)
        .map_err(|_| SourceError::Permanent(format!("{} can't be encoded for a mail.", file.name)))?;
    Ok(Attachment::new(file.name.clone()).body(body, kind))
}

fn person(person: &Person) -> SourceResult<Sender> {
    let address: Address = person.address.trim().parse().map_err(|_| {
        SourceError::Permanent(format!("“{}” is not a mail address. Correct it, then send again.", person.address))
    })?;
    Ok(Sender::new(Some(person.name.clone()).filter(|name| !name.trim().is_empty()), address))
}
