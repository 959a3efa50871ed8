//! What Meantime would show of a mail in a file.

use crate::mail;
use chrono::{DateTime, Utc};
use meantime_source::inspect::{InspectedMail, Inspection};
use meantime_source::text;

/// Reads a mail as the inbox would. Error codes: `empty`, `not_mail`.
#[must_use]
pub fn inspect(bytes: &[u8], now: DateTime<Utc>) -> Inspection {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Inspection::error("empty", "There is nothing in this file.");
    }
    let mail = mail::parse(bytes, bytes.len() as u64);
    let headerless = mail.name.is_none() && mail.from.is_empty() && mail.to.is_empty();
    if headerless {
        return Inspection::error("not_mail", "This is not a mail: it has no From, To, Date, Subject or Message-ID.");
    }
    Inspection::Mail(Box::new(InspectedMail {
        title: mail::title(mail.subject),
        from: mail.from,
        to: mail.to,
        cc: mail.cc,
        reply_to: mail.reply_to,
        date: mail.date.map(|date| text::clamp(date, now)),
        message_id: mail.message_id,
        text: mail.text,
        html: mail.html,
        attachments: mail.attachments,
        code: mail.unreadable.as_ref().map(|_| "unreadable".to_owned()),
        unreadable: mail.unreadable,
    }))
}
