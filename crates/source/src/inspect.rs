//! What Meantime would show of a file, for bug reports: the one shape that
//! `meantime inspect mail|feed FILE… --json` prints per file.
//!
//! It holds results; reading files is the CLI's, parsing the connectors'.

use crate::{Attachment, Person};
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

/// The outcome for one file: `{"ok": true, "kind": …}` or
/// `{"ok": false, "error": {"code", "message"}}`.
#[derive(Clone, Debug, PartialEq)]
pub enum Inspection {
    /// A mail.
    Mail(Box<InspectedMail>),
    /// A feed.
    Feed(Box<InspectedFeed>),
    /// Nothing that can be shown.
    Error(InspectError),
}

/// What is shown of a mail.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InspectedMail {
    /// One line; "(no subject)" where there is none.
    pub title: String,
    /// Who wrote it.
    pub from: Vec<Person>,
    /// Whom it is addressed to.
    pub to: Vec<Person>,
    /// Who else got it.
    pub cc: Vec<Person>,
    /// Whom an answer goes to instead of who wrote it; empty as a rule.
    pub reply_to: Vec<Person>,
    /// As the sender dates it, not in the future; `null` without a usable date.
    pub date: Option<DateTime<Utc>>,
    /// Without angle brackets.
    pub message_id: Option<String>,
    /// Plain text; from the HTML where there is no text part.
    pub text: String,
    /// Sanitised.
    pub html: Option<String>,
    /// What hangs on it.
    pub attachments: Vec<Attachment>,
    /// It could not be read fully: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// The same for programs: `unreadable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// What is shown of a feed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InspectedFeed {
    /// The feed's own title.
    pub title: String,
    /// The site it belongs to.
    pub link: Option<String>,
    /// Its entries, in the feed's order.
    pub items: Vec<InspectedItem>,
}

/// What is shown of a feed's entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InspectedItem {
    /// One line.
    pub title: String,
    /// Where it can be opened.
    pub link: Option<String>,
    /// Its identity in this feed.
    pub id: String,
    /// As the feed dates it, not in the future; `null` without a usable date.
    pub date: Option<DateTime<Utc>>,
    /// Who wrote it.
    pub people: Vec<Person>,
    /// Plain text.
    pub text: String,
    /// Sanitised.
    pub html: Option<String>,
    /// Recordings and the like.
    pub attachments: Vec<Attachment>,
    /// Nothing of it could be read: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// Why nothing can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InspectError {
    /// A word for programs: `empty`, `too_large`, `not_mail`, `not_feed`, `unreadable`.
    pub code: String,
    /// For people, with the next step where there is one.
    pub message: String,
}

impl Inspection {
    /// An error outcome.
    #[must_use]
    pub fn error(code: &str, message: impl Into<String>) -> Self {
        Self::Error(InspectError { code: code.to_owned(), message: message.into() })
    }

    /// Something can be shown.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        !matches!(self, Self::Error(_))
    }
}

impl Serialize for Inspection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a, T> {
            ok: bool,
            kind: &'a str,
            #[serde(flatten)]
            what: &'a T,
        }
        #[derive(Serialize)]
        struct Failed<'a> {
            ok: bool,
            error: &'a InspectError,
        }
        match self {
            Self::Mail(mail) => Shown { ok: true, kind: "mail", what: &**mail }.serialize(serializer),
            Self::Feed(feed) => Shown { ok: true, kind: "feed", what: &**feed }.serialize(serializer),
            Self::Error(error) => Failed { ok: false, error }.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_the_promised_one() {
        let feed = InspectedFeed { title: "T".into(), link: None, items: Vec::new() };
        assert_eq!(
            serde_json::to_string(&Inspection::Feed(Box::new(feed))).unwrap(),
            r#"{"ok":true,"kind":"feed","title":"T","link":null,"items":[]}"#
        );
        assert_eq!(
            serde_json::to_string(&Inspection::error("empty", "There is nothing in it.")).unwrap(),
            r#"{"ok":false,"error":{"code":"empty","message":"There is nothing in it."}}"#
        );
    }
}
