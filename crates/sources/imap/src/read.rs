//! Reading messages of the open mailbox: as many as the budget allows, each
//! readable or saying why it is not; and finding them by their names.
//!
//! Which ones are to be read is `pull`'s matter.

use crate::config::MailboxConfig;
use crate::identity::{NAMING_FIELDS, header_fields, message_id_of, message_name};
use crate::mail::{self, Place};
use crate::session::{Fetched, Mailbox, quote, uid_set};
use async_imap::imap_proto::{AttributeValue, Response, SectionPath};
use chrono::{DateTime, Utc};
use meantime_source::{Flags, Incoming, SourceError, SourceResult};
use std::collections::{BTreeMap, BTreeSet};

/// As much of one message as is fetched.
pub const FETCH_BYTES: u64 = 1 << 20;
/// Parts behind a cut whose headers are asked for, and bytes of each.
const PART_HEADS: u32 = 50;
const PART_HEAD_BYTES: u32 = 8 << 10;
/// Messages without an id that are looked through, the newest.
const NAMELESS: usize = 500;

const HEAD: &str = "(UID FLAGS INTERNALDATE RFC822.SIZE)";

/// The mailbox that is open.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// Its name on the wire.
    pub name: &'a str,
    /// Of its UIDs.
    pub uidvalidity: u32,
    /// What being in it says of a message.
    pub flags: Flags,
}

/// Reads from the open mailbox.
pub struct Reader<'a> {
    /// The connection.
    pub mailbox: &'a mut Mailbox,
    /// Whose mail it is.
    pub config: &'a MailboxConfig,
    /// What is open.
    pub open: Open<'a>,
    /// To download at most, about.
    pub bytes: u64,
    /// The time.
    pub now: DateTime<Utc>,
}

/// A message that was read.
pub struct Read {
    /// Where.
    pub uid: u32,
    /// What.
    pub incoming: Incoming,
}

/// What was read from the oldest on.
pub struct Upwards {
    /// The messages.
    pub messages: Vec<Read>,
    /// Everything up to this UID is dealt with.
    pub through: Option<u32>,
}

/// What was read from the newest on.
pub struct Downwards {
    /// The messages.
    pub messages: Vec<Read>,
    /// What did not fit, the newest last.
    pub left: Vec<u32>,
}

impl Reader<'_> {
    /// Reads messages of the open mailbox upwards, as far as the bytes go.
    pub async fn upwards(&mut self, uids: &[u32]) -> SourceResult<Upwards> {
        if uids.is_empty() {
            return Ok(Upwards { messages: Vec::new(), through: None });
        }
        let (heads, batch) = self.within_budget(uids).await?;
        let messages = self.bodies(&heads, &batch).await?;
        Ok(Upwards { messages, through: batch.last().copied() })
    }

    /// The same downwards; what did not fit is `left`, the newest last.
    pub async fn downwards(&mut self, uids: &[u32]) -> SourceResult<Downwards> {
        let downwards: Vec<u32> = uids.iter().rev().copied().collect();
        let (heads, batch) = self.within_budget(&downwards).await?;
        let messages = self.bodies(&heads, &batch).await?;
        let mut left: Vec<u32> = downwards.get(batch.len()..).unwrap_or_default().to_vec();
        left.reverse();
        Ok(Downwards { messages, left })
    }

    /// Heads of `uids`, and as many of them from the start as fit the bytes.
    async fn within_budget(&mut self, uids: &[u32]) -> SourceResult<(BTreeMap<u32, Fetched>, Vec<u32>)> {
        let heads = self.mailbox.fetch(&uid_set(uids.iter().copied()), HEAD).await?;
        let mut bytes = 0u64;
        let mut batch = Vec::new();
        for uid in uids {
            bytes += heads.get(uid).map_or(0, |head| head.size.min(FETCH_BYTES));
            if bytes > self.bytes && !batch.is_empty() {
                break;
            }
            batch.push(*uid);
        }
        Ok((heads, batch))
    }

    async fn bodies(&mut self, heads: &BTreeMap<u32, Fetched>, batch: &[u32]) -> SourceResult<Vec<Read>> {
        // What is gone by now has no head.
        let wanted: Vec<u32> =
            batch.iter().copied().filter(|uid| heads.get(uid).is_some_and(|head| !head.draft)).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let items = format!("(UID BODY.PEEK[]<0.{FETCH_BYTES}>)");
        let mut bodies = match self.mailbox.fetch(&uid_set(wanted.iter().copied()), &items).await {
            Ok(bodies) => bodies,
            // One message the server can't give must not hide the others.
            Err(SourceError::Protocol(_)) if wanted.len() > 1 => BTreeMap::new(),
            Err(SourceError::Protocol(_)) => {
                return Ok(wanted.iter().map(|uid| self.unreadable(*uid, heads)).collect());
            }
            Err(error) => return Err(error),
        };
        let mut read = Vec::with_capacity(wanted.len());
        for uid in wanted {
            let body = match bodies.remove(&uid).and_then(|fetched| fetched.raw) {
                Some(raw) => Some(raw),
                None => match self.mailbox.fetch(&uid.to_string(), &items).await {
                    Ok(mut one) => one.remove(&uid).and_then(|fetched| fetched.raw),
                    Err(SourceError::Protocol(_)) => None,
                    Err(error) => return Err(error),
                },
            };
            match body {
                Some(raw) => {
                    let mut mail = self.parsed(uid, &raw, heads);
                    if let Some(part) = mail.cut_in {
                        mail.list_rest(&self.part_heads(uid, part + 1).await?);
                    }
                    read.push(Read { uid, incoming: mail.into_incoming(self.place(uid, heads), self.now) });
                }
                None if self.mailbox.search(&format!("UID {uid}")).await?.contains(&uid) => {
                    read.push(self.unreadable(uid, heads));
                }
                None => {}
            }
        }
        Ok(read)
    }

    /// The MIME headers of a message's outermost parts from `first` on (1 is
    /// the one that comes first), as far as there are such parts; nothing
    /// where the server can't say.
    async fn part_heads(&mut self, uid: u32, first: u32) -> SourceResult<Vec<Vec<u8>>> {
        let wanted = first..first.saturating_add(PART_HEADS);
        let items: Vec<String> = wanted.map(|part| format!("BODY.PEEK[{part}.MIME]<0.{PART_HEAD_BYTES}>")).collect();
        let fetch = format!("UID FETCH {uid} (UID {})", items.join(" "));
        let mut heads = BTreeMap::new();
        let asked = self.mailbox.ask(&fetch, |answer| {
            let Response::Fetch(_, attributes) = answer else { return };
            for attribute in attributes {
                if let AttributeValue::BodySection {
                    section: Some(SectionPath::Part(path, _)), data: Some(data), ..
                } = attribute
                    && let [part] = path.as_slice()
                    && !data.trim_ascii().is_empty()
                {
                    heads.insert(*part, data.to_vec());
                }
            }
        });
        match asked.await {
            Ok(()) => Ok(heads.into_values().collect()),
            Err(SourceError::Protocol(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn parsed(&self, uid: u32, raw: &[u8], heads: &BTreeMap<u32, Fetched>) -> mail::Mail {
        let size = heads.get(&uid).map_or(raw.len() as u64, |head| head.size);
        // Servers are off by a few bytes; only a message longer than what was asked for is cut.
        let size = if (raw.len() as u64) < FETCH_BYTES { raw.len() as u64 } else { size };
        mail::parse(raw, size)
    }

    fn unreadable(&self, uid: u32, heads: &BTreeMap<u32, Fetched>) -> Read {
        let mail = mail::Mail {
            subject: "A mail that could not be read".to_owned(),
            unreadable: Some(
                "The mail server could not hand this mail out. Look at it in your mail program.".to_owned(),
            ),
            ..mail::Mail::default()
        };
        Read { uid, incoming: mail.into_incoming(self.place(uid, heads), self.now) }
    }

    fn place(&self, uid: u32, heads: &BTreeMap<u32, Fetched>) -> Place<'_> {
        let head = heads.get(&uid).cloned().unwrap_or_default();
        let open = self.open;
        Place {
            own: &self.config.address,
            mailbox: open.name,
            received: head.received.unwrap_or(self.now),
            fallback_name: format!("#{}-{uid}", open.uidvalidity),
            flags: Flags { read: head.flags.read || open.flags.read, done: head.flags.done || open.flags.done },
        }
    }
}
/// What to fetch to know a message's name.
pub fn naming_items() -> String {
    format!("(UID FLAGS BODY.PEEK[HEADER.FIELDS ({NAMING_FIELDS})])")
}

/// Finds messages in the open mailbox by their names: UID and flags. Those
/// marked as deleted don't count.
pub async fn locate(mailbox: &mut Mailbox, names: &BTreeSet<String>) -> SourceResult<BTreeMap<String, (u32, Flags)>> {
    let mut candidates = BTreeSet::new();
    let mut unnamed = false;
    for name in names {
        match message_id_of(name).and_then(searchable) {
            Some(id) => candidates.extend(mailbox.search(&format!("HEADER MESSAGE-ID {}", quote(id))).await?),
            None => unnamed = true,
        }
    }
    if unnamed {
        candidates.extend(mailbox.search("NOT HEADER MESSAGE-ID \"\"").await?.into_iter().rev().take(NAMELESS));
    }
    if candidates.is_empty() {
        return Ok(BTreeMap::new());
    }
    let fetched = mailbox.fetch(&uid_set(candidates), &naming_items()).await?;
    let mut found = BTreeMap::new();
    for (uid, one) in fetched {
        let name = one.raw.as_deref().map(header_fields).and_then(|fields| message_name(&fields));
        // Marked as deleted is as good as gone.
        if let Some(name) = name.filter(|name| names.contains(name) && !one.flags.done) {
            found.insert(name, (uid, one.flags));
        }
    }
    Ok(found)
}

/// The part of an id that every server can search for.
fn searchable(id: &str) -> Option<&str> {
    id.split(|c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\\'))
        .max_by_key(|part| part.len())
        .filter(|part| part.len() >= 4)
}
