//! Bytes → mail. Whatever the bytes are, something readable comes out: what
//! can't be understood is said in `unreadable`, never thrown.
//!
//! It knows MIME (through `mail-parser`) and nothing of mailboxes, flags or
//! the account; [`Mail::into_incoming`] puts those on.

use crate::identity::{self, conversation_name, field, header_fields, message_name};
use crate::raw::{PARTS, closed, decode_unlabelled, too_deep};
use crate::reply::RECIPIENTS;
use chrono::{DateTime, Utc};
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Address, Encoding, MessageParser, MessagePart, MimeHeaders, PartType};
use meantime_model::Urgency;
use meantime_source::{Attachment, Flags, Incoming, Item, Message, Person, html, text};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// More of a message is not looked at.
pub const MESSAGE_BYTES: usize = 50 << 20;
/// People shown of one header.
const PEOPLE: usize = 1_000;

/// A mail as it can be shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mail {
    /// Of this message: survives moves. `None` where no header names it.
    pub name: Option<String>,
    /// Of the thread it belongs to.
    pub conversation: String,
    /// Without angle brackets.
    pub message_id: Option<String>,
    /// One line; empty where there is none.
    pub subject: String,
    /// Who wrote it.
    pub from: Vec<Person>,
    /// Whom it is addressed to.
    pub to: Vec<Person>,
    /// Who else got it.
    pub cc: Vec<Person>,
    /// Whom an answer goes to instead of its author.
    pub reply_to: Vec<Person>,
    /// As the sender dates it; unchecked.
    pub date: Option<DateTime<Utc>>,
    /// Sent to many: a list, a newsletter, an automatic answer.
    pub bulk: bool,
    /// Marked as urgent by who sent it.
    pub urgent: bool,
    /// Plain text.
    pub text: String,
    /// Sanitised.
    pub html: Option<String>,
    /// What hangs on it.
    pub attachments: Vec<Attachment>,
    /// Why it is not (fully) readable.
    pub unreadable: Option<String>,
    /// It was cut in this one of its outermost parts (1 is the first).
    pub cut_in: Option<u32>,
}

/// Whose mailbox a mail is in, and where.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The account's own address.
    pub own: &'a str,
    /// The mailbox, as shown.
    pub mailbox: &'a str,
    /// When the server got it; dates are not later than this.
    pub received: DateTime<Utc>,
    /// The message's name where its headers give none.
    pub fallback_name: String,
    /// Read, done.
    pub flags: Flags,
}

/// Reads a mail. `size` is that of the whole message where `raw` is only its
/// beginning.
#[must_use]
pub fn parse(raw: &[u8], size: u64) -> Mail {
    let raw = raw.get(..MESSAGE_BYTES).unwrap_or(raw);
    let raw = decode_unlabelled(raw);
    let fields = header_fields(&raw);
    let name = message_name(&fields);
    let mut mail = Mail {
        conversation: conversation_name(&fields, name.as_deref().unwrap_or_default()),
        message_id: field(&fields, "message-id").and_then(|raw| identity::message_ids(raw).into_iter().next()),
        bulk: is_bulk(&fields),
        urgent: is_urgent(&fields),
        name,
        ..Mail::default()
    };
    let written = field(&fields, "date").and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    if let Some(why) = too_deep(&raw) {
        return salvage(mail, &fields, &raw, why);
    }
    let missing = size.saturating_sub(raw.len() as u64);
    let raw = closed(raw);
    // mail-parser computes offsets that can underflow on hostile input.
    let (last_part, outermost) = match catch_unwind(AssertUnwindSafe(|| read_into(&mut mail, &raw))) {
        Ok(Some(seen)) => seen,
        Ok(None) => return salvage(mail, &fields, &raw, "This is not a mail: it has no headers."),
        Err(_) => return salvage(mail, &fields, &raw, "This mail is malformed; what could be made out is shown."),
    };
    // The one reads forms the other does not.
    mail.date = mail.date.or(written.map(|date| date.with_timezone(&Utc)));
    if missing > 0 {
        mail.cut_in = outermost;
        // The last part was cut. An attachment is listed with about its size; a text says so.
        match mail.attachments.last_mut() {
            Some(last) => last.bytes += missing.saturating_mul(last.bytes) / last_part.max(1),
            None => mail.unreadable = Some("This mail is very long; only its beginning is shown.".to_owned()),
        }
    }
    let shown = !mail.text.is_empty() || mail.html.is_some() || !mail.attachments.is_empty();
    if mail.name.is_none() && mail.unreadable.is_none() && !shown {
        mail.unreadable = Some("This mail can't be read: it has neither a header nor a text.".to_owned());
    }
    mail
}

impl Mail {
    /// Lists what hangs on it behind the cut, by the headers of the parts
    /// there. Their sizes are not known, and that of the one that was cut is
    /// not either then.
    pub fn list_rest(&mut self, heads: &[Vec<u8>]) {
        let rest: Vec<Attachment> = heads.iter().filter_map(|head| listed(head)).collect();
        if let Some(cut) = self.attachments.last_mut().filter(|_| !rest.is_empty()) {
            cut.bytes = 0;
        }
        self.attachments.extend(rest);
    }

    /// The mail as a source hands it out.
    #[must_use]
    pub fn into_incoming(self, place: Place<'_>, now: DateTime<Utc>) -> Incoming {
        let author = self.from.into_iter().next().unwrap_or_default();
        let own = same_address(&author.address, place.own);
        let addressed = !own && !self.bulk && self.to.iter().any(|person| same_address(&person.address, place.own));
        let latest = place.received.min(now);
        let upstream = self.name.unwrap_or(place.fallback_name);
        let conversation = if self.conversation.is_empty() { upstream.clone() } else { self.conversation };
        Incoming {
            item: Item {
                upstream: conversation,
                title: title(self.subject),
                urgency: (self.urgent && addressed).then_some(Urgency::Red),
                addressed,
                place: text::one_line(place.mailbox),
            },
            message: Message {
                upstream,
                author,
                to: self.to,
                cc: self.cc,
                reply_to: self.reply_to,
                own,
                at: self.date.map_or(latest, |date| text::clamp(date, latest)),
                text: self.text,
                html: self.html,
                attachments: self.attachments,
                flags: place.flags,
                unreadable: self.unreadable,
                link: None,
            },
        }
    }
}

/// The line shown for a subject.
#[must_use]
pub fn title(subject: String) -> String {
    if subject.is_empty() { "(no subject)".to_owned() } else { subject }
}

/// The same mailbox: case and a `+tag` don't count.
#[must_use]
pub fn same_address(one: &str, other: &str) -> bool {
    fn plain(address: &str) -> String {
        let lower = address.trim().to_lowercase();
        match lower.rsplit_once('@') {
            Some((local, domain)) => format!("{}@{domain}", local.split('+').next().unwrap_or(local)),
            None => lower,
        }
    }
    !one.is_empty() && plain(one) == plain(other)
}

/// Parses; gives the encoded length of the last attachment, and how many
/// outermost parts there are where there are parts.
fn read_into(mail: &mut Mail, raw: &[u8]) -> Option<(u64, Option<u32>)> {
    let parsed = MessageParser::default().parse(raw)?;
    fill(mail, &parsed);
    let last = parsed.attachments().last();
    let length = last.map_or(0, |part| u64::from(part.raw_end_offset().saturating_sub(part.raw_body_offset())));
    let outermost = match parsed.parts.first().map(|root| &root.body) {
        Some(PartType::Multipart(parts)) => u32::try_from(parts.len()).ok(),
        _ => None,
    };
    Some((length, outermost))
}

fn fill(mail: &mut Mail, parsed: &mail_parser::Message<'_>) {
    mail.subject = text::one_line(parsed.subject().unwrap_or_default());
    mail.from = people(parsed.from().or_else(|| parsed.sender()));
    mail.to = people(parsed.to());
    mail.cc = people(parsed.cc());
    mail.reply_to = answers_go_to(people(parsed.reply_to()), &mail.from);
    mail.date =
        parsed.date().filter(|date| date.is_valid()).and_then(|date| DateTime::from_timestamp(date.to_timestamp(), 0));
    let mut shown = String::new();
    for part in parsed.text_body.iter().filter_map(|id| parsed.part(*id)) {
        let part = match &part.body {
            PartType::Html(markup) => html::to_text(markup),
            PartType::Text(plain) => text::plain(plain),
            _ => continue,
        };
        if !shown.is_empty() {
            shown.push_str("\n\n");
        }
        shown.push_str(&part);
        if shown.len() > text::TEXT_BYTES {
            break;
        }
    }
    mail.text = text::plain(&shown);
    let mut markup = String::new();
    for part in parsed.html_body.iter().filter_map(|id| parsed.part(*id)) {
        if let PartType::Html(part) = &part.body
            && markup.len() <= html::HTML_BYTES
        {
            markup.push_str(part);
        }
    }
    if !markup.is_empty() {
        mail.html = Some(html::sanitise(&markup).html).filter(|clean| !clean.trim().is_empty());
    }
    mail.attachments = parsed.attachments().take(PARTS).map(attachment).collect();
    // Only what the person would have read counts; a broken attachment is still listed.
    let body_broken = parsed
        .text_body
        .iter()
        .chain(&parsed.html_body)
        .filter_map(|id| parsed.part(*id))
        .any(|part| part.is_encoding_problem);
    if body_broken && mail.text.is_empty() && mail.html.is_none() && !parsed.parts.is_empty() && parsed.parts.len() > 1
    {
        mail.unreadable = Some("The text of this mail is damaged.".to_owned());
    }
}

fn attachment(part: &MessagePart<'_>) -> Attachment {
    let media_type = part.content_type().map_or_else(
        || if part.is_message() { "message/rfc822".to_owned() } else { "application/octet-stream".to_owned() },
        |kind| text::one_line(&format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream"))).to_lowercase(),
    );
    let subject = || part.message().and_then(|message| message.subject()).map(|subject| format!("{subject}.eml"));
    let name = part.attachment_name().map(str::to_owned).or_else(subject).unwrap_or_default();
    Attachment { name: text::file_name(&name, "attachment"), media_type, bytes: part.contents().len() as u64 }
}

/// The bytes of what is listed at this place of a whole mail. Of a long mail
/// the end was listed by its headers alone, so the place may be another: what
/// is called so and is of that type counts then, if there is one such.
#[must_use]
pub fn attachment_bytes(raw: &[u8], place: usize, listed: &Attachment) -> Option<Vec<u8>> {
    if too_deep(raw).is_some() {
        return None;
    }
    let read = || {
        let parsed = MessageParser::default().parse(raw)?;
        let is = |part: &&MessagePart<'_>| {
            let one = attachment(part);
            (one.name.as_str(), one.media_type.as_str()) == (listed.name.as_str(), listed.media_type.as_str())
        };
        let part = parsed.attachments().take(PARTS).nth(place).filter(is).or_else(|| {
            let mut alike = parsed.attachments().take(PARTS).filter(is);
            alike.next().filter(|_| alike.next().is_none())
        })?;
        Some(decoded(part, raw).unwrap_or_else(|| part.contents().to_vec()))
    };
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

/// A text part as it was sent: the parser would make UTF-8 of it.
fn decoded(part: &MessagePart<'_>, raw: &[u8]) -> Option<Vec<u8>> {
    if !matches!(part.body, PartType::Text(_) | PartType::Html(_)) {
        return None;
    }
    let sent = raw.get(usize::try_from(part.raw_body_offset()).ok()?..usize::try_from(part.raw_end_offset()).ok()?)?;
    match part.encoding {
        Encoding::None => Some(sent.to_vec()),
        Encoding::QuotedPrintable => quoted_printable_decode(sent),
        Encoding::Base64 => base64_decode(sent),
    }
}

/// What a part is listed as, by its headers alone; text without a name and
/// what holds other parts is not.
fn listed(head: &[u8]) -> Option<Attachment> {
    let head = [head.trim_ascii(), b"\r\n\r\n"].concat();
    let read = || {
        let parsed = MessageParser::default().parse(&head)?;
        let part = parsed.parts.first()?;
        let kind = part.content_type().map(|kind| kind.ctype().to_lowercase()).unwrap_or_default();
        let body = matches!(kind.as_str(), "" | "text") && part.attachment_name().is_none();
        (!body && kind != "multipart").then(|| Attachment { bytes: 0, ..attachment(part) })
    };
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

fn people(address: Option<&Address<'_>>) -> Vec<Person> {
    address.map_or_else(Vec::new, |address| {
        address
            .iter()
            .take(PEOPLE)
            .map(|one| Person {
                name: text::one_line(one.name().unwrap_or_default()),
                address: text::one_line(one.address().unwrap_or_default()),
            })
            .filter(|person| !person.name.is_empty() || !person.address.is_empty())
            .collect()
    })
}

/// Whom the author asks to answer (RFC 5322, 3.6.2), as far as a mail can go
/// there; nobody where that is the author and no one else.
fn answers_go_to(asked: Vec<Person>, from: &[Person]) -> Vec<Person> {
    let mut reachable: Vec<Person> = Vec::new();
    for one in asked.into_iter().filter(|one| one.address.parse::<lettre::Address>().is_ok()) {
        if reachable.len() < RECIPIENTS && !reachable.iter().any(|other| same_letters(other, &one)) {
            reachable.push(one);
        }
    }
    match (reachable.as_slice(), from.first()) {
        ([one], Some(author)) if same_letters(one, author) => Vec::new(),
        _ => reachable,
    }
}

fn same_letters(one: &Person, other: &Person) -> bool {
    one.address.eq_ignore_ascii_case(&other.address)
}

/// What the header fields and the raw text alone give.
fn salvage(mut mail: Mail, fields: &[(String, String)], raw: &[u8], why: &str) -> Mail {
    mail.subject = text::one_line(field(fields, "subject").unwrap_or_default());
    let person = |raw: &str| {
        let (name, rest) = raw.split_once('<').unwrap_or(("", raw));
        let address = text::one_line(rest.split('>').next().unwrap_or_default());
        Person { name: text::one_line(name.trim().trim_matches('"')), address }
    };
    mail.from = field(fields, "from").map(person).into_iter().collect();
    mail.reply_to = answers_go_to(field(fields, "reply-to").map(person).into_iter().collect(), &mail.from);
    mail.text = text::plain(&String::from_utf8_lossy(raw.get(..64 << 10).unwrap_or(raw)));
    mail.unreadable = Some(why.to_owned());
    mail
}

/// RFC 2156 (`Importance`, `Priority`), and what mail programs write besides:
/// of five, 1 is the highest.
fn is_urgent(fields: &[(String, String)]) -> bool {
    let is =
        |name: &str, wanted: &str| field(fields, name).is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted));
    let highest = field(fields, "x-priority").is_some_and(|value| value.trim().starts_with(['1', '2']));
    is("importance", "high") || is("priority", "urgent") || highest
}

/// RFC 2919, 2369, 3834 and the habits of those who follow none.
fn is_bulk(fields: &[(String, String)]) -> bool {
    let is = |name: &str, values: &[&str]| {
        field(fields, name).is_some_and(|value| values.iter().any(|wanted| value.trim().eq_ignore_ascii_case(wanted)))
    };
    let listed = ["list-id", "list-unsubscribe", "list-post"].iter().any(|name| field(fields, name).is_some());
    let automatic = field(fields, "auto-submitted").is_some_and(|value| !value.trim().eq_ignore_ascii_case("no"));
    let from = field(fields, "from").unwrap_or_default().to_lowercase();
    let local =
        from.rsplit('<').next().unwrap_or_default().split('@').next().unwrap_or_default().replace(['-', '_', '.'], "");
    let nobody = ["noreply", "donotreply", "mailerdaemon", "newsletter"].iter().any(|name| local.starts_with(name));
    listed || automatic || nobody || is("precedence", &["bulk", "list", "junk"])
}
