//! One conversation, and writing in it.

use super::*;
use chrono::{DateTime, Utc};
use meantime_model::{ItemId, PersonId, Urgency};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One conversation.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Conversation {
    /// As the list shows it.
    pub row: Row,
    /// The space, mailbox or feed it belongs to.
    pub place: String,
    /// Who is asked, and when each one's answer is due.
    pub asked: Vec<Asked>,
    /// Oldest first.
    pub messages: Vec<MessageView>,
    /// It can be answered here.
    pub can_reply: bool,
    /// Whom a reply can go to, as the composer shows them.
    pub recipients: Vec<Recipient>,
    /// By mail: the message that is answered, by its id: the newest that is not
    /// mine.
    #[serde(default)]
    pub answers: Option<String>,
    /// When an answer is delivered unless something else is said: at once by
    /// mail, and in a thread that is urgent, whoever answered it by now.
    #[serde(default)]
    pub deliver: Deliver,
    /// Mail addresses that get a reply instead of who wrote, because they
    /// asked for it; empty as a rule.
    pub redirected: Vec<String>,
    /// What was being typed.
    pub draft: Option<String>,
    /// Files that are to go with it.
    #[serde(default)]
    pub draft_files: Vec<AttachedFile>,
    /// And whom it is to go to, and when.
    #[serde(default)]
    pub draft_answer: AnswerDraft,
    /// Where that answers another message than [`answers`](Self::answers).
    #[serde(default)]
    pub draft_answers: Option<Answered>,
}

/// An earlier message that is being answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Answered {
    /// Its id.
    pub message: String,
    /// Whom the answer can go to.
    pub recipients: Vec<Recipient>,
    /// As [`Conversation::redirected`].
    pub redirected: Vec<String>,
}

/// Somebody whose answer is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Asked {
    /// Who.
    pub person: PersonId,
    /// Their name, `you` for myself.
    pub name: String,
    /// Has answered.
    pub answered: bool,
    /// When their answer is due; none if they keep no hours.
    pub due: Option<DateTime<Utc>>,
    /// Their zone.
    pub zone: Option<String>,
    /// Where they are, in their own words; empty where it is not known.
    pub city: String,
}

/// One message.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct MessageView {
    /// Unique within the conversation.
    pub id: String,
    /// As shown.
    pub author: String,
    /// Mail address, where there is one.
    pub address: String,
    /// Where its author wants answers; empty where that is the author.
    pub reply_to: Vec<Contact>,
    /// The teammate, where it is one: colour and zone go by them.
    pub person: Option<PersonId>,
    /// The author's zone, where it is known.
    pub zone: Option<String>,
    /// Where the author is, in their own words; empty where it is not known.
    pub city: String,
    /// I wrote it.
    pub own: bool,
    /// When.
    pub at: DateTime<Utc>,
    /// The body.
    pub body: Body,
    /// What hangs on it.
    pub attachments: Vec<AttachmentView>,
    /// It could not be read (fully): why.
    pub unreadable: Option<String>,
    /// On its way, or refused.
    pub sending: Option<Sending>,
    /// Where it can be opened in a browser.
    pub link: Option<String>,
}

/// Somebody outside of the team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Contact {
    /// As shown; may be empty.
    pub name: String,
    /// Mail address.
    pub address: String,
}

/// A message's body.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "format", rename_all = "lowercase")]
pub enum Body {
    /// Plain text; lines that begin with `>` are quotes.
    Text {
        /// As written.
        text: String,
    },
    /// Our own Markdown, rendered to a small safe subset of HTML.
    Rich {
        /// Safe to insert.
        html: String,
        /// As written.
        text: String,
    },
    /// Somebody else's HTML, sanitised. Only ever shown in a sandboxed frame.
    Foreign {
        /// Sanitised; remote images are named in `data-src` and not loaded.
        html: String,
        /// The same as plain text.
        text: String,
        /// How many remote images were held back.
        remote_images: u32,
    },
}

/// What hangs on a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AttachmentView {
    /// File name.
    pub name: String,
    /// Media type as declared.
    pub media_type: String,
    /// Size in bytes; 0 where it is not known.
    pub bytes: u64,
    /// It can be had: [`SaveAttachment`].
    #[serde(default)]
    pub can_save: bool,
}

/// A message of mine that has not arrived yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Sending {
    /// Waits for the connection, or for the seconds in which it can be undone.
    Pending,
    /// Held by the server until then.
    Scheduled {
        /// When it is delivered.
        at: DateTime<Utc>,
    },
    /// Refused; it is in the list of refusals.
    Refused {
        /// Why.
        message: String,
    },
}

/// Where something is being typed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct DraftOf {
    /// The conversation; none for a new thread.
    pub item: Option<ItemId>,
}

/// What is being typed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct Draft {
    /// The conversation; none for a new thread.
    pub item: Option<ItemId>,
    /// Markdown or plain text; empty drops the draft.
    pub text: String,
    /// What else a new thread is to be; none leaves that as it is.
    #[serde(default)]
    pub thread: Option<ThreadDraft>,
    /// What else an answer is to be; none leaves that as it is.
    #[serde(default)]
    pub answer: Option<AnswerDraft>,
}

/// What an answer is to be, apart from its text. [`Reply`] has the words; none
/// stands for what is usual in its conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct AnswerDraft {
    /// By mail: the message that is answered.
    pub message: Option<String>,
    /// By mail: the addresses it goes to.
    pub to: Option<Vec<String>>,
    /// In a team thread: when it is delivered.
    pub deliver: Option<Deliver>,
}

/// What a new thread is to be, apart from its text; [`Compose`] has the words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct ThreadDraft {
    /// One line.
    pub title: String,
    /// How soon an answer is wanted.
    pub urgency: Urgency,
    /// Whose answer is wanted.
    pub asked: Vec<PersonId>,
    /// The room it belongs to; may be empty.
    pub space: String,
    /// For those who are asked alone.
    pub private: bool,
    /// When it is delivered.
    pub deliver: Deliver,
}

impl Default for ThreadDraft {
    fn default() -> Self {
        Self {
            title: String::new(),
            urgency: Urgency::Yellow,
            asked: Vec::new(),
            space: String::new(),
            private: false,
            deliver: Deliver::WhenTheyStart,
        }
    }
}

/// What was being typed, and the files that are to go with it.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct KeptDraft {
    /// Markdown or plain text; empty if there is none.
    pub text: String,
    /// What else a new thread is to be; none for an answer, or if nothing was
    /// chosen.
    pub thread: Option<ThreadDraft>,
    /// The files, in their order.
    pub files: Vec<AttachedFile>,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Reply {
    /// The conversation; ends of ids are allowed as in [`ItemRef`].
    pub item: String,
    /// Markdown in a team thread, plain text in mail.
    pub text: String,
    /// Marks the conversation done as well.
    pub done: bool,
    /// When it is delivered; team threads only.
    pub deliver: Deliver,
    /// Files that go with it, as [`Attached`] named them.
    #[serde(default)]
    pub files: Vec<AttachedFile>,
    /// By mail: the message that is answered, by its id. None: the newest that
    /// is not mine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub message: Option<String>,
    /// By mail: the addresses it goes to, out of [`Conversation::recipients`].
    /// None: to who wrote, and to none of those who are `copied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub to: Option<Vec<String>>,
}

/// A new team thread.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Compose {
    /// One line.
    pub title: String,
    /// Markdown.
    pub text: String,
    /// How soon an answer is wanted; red must ask somebody by name.
    pub urgency: Urgency,
    /// Whose answer is wanted; nobody for an update.
    pub asked: Vec<PersonId>,
    /// The room it belongs to, by name.
    pub space: Option<String>,
    /// For those who are asked alone: nobody else in the team reads it.
    #[serde(default)]
    pub private: bool,
    /// When it is delivered.
    pub deliver: Deliver,
    /// Files that go with it, as [`Attached`] named them.
    #[serde(default)]
    pub files: Vec<AttachedFile>,
}

/// When something is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "when", rename_all = "snake_case")]
pub enum Deliver {
    /// At once.
    #[default]
    Now,
    /// When the next of those recipients starts who don't work now; at once if
    /// all of them work or the rest is away for longer than a night.
    WhenTheyStart,
    /// At an instant.
    At {
        /// In the future.
        at: DateTime<Utc>,
    },
}

/// Who a new thread would go to.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RecipientsQuery {
    /// Who; nobody asks for everybody.
    pub people: Vec<PersonId>,
    /// Decides the reply window.
    pub urgency: Urgency,
    /// When it would be delivered: dues count from then.
    #[serde(default)]
    pub deliver: Deliver,
}

/// Somebody who will get what is being written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Recipient {
    /// The teammate; none for a mail address.
    pub person: Option<PersonId>,
    /// As shown.
    pub name: String,
    /// Their mail address; empty for a teammate.
    pub address: String,
    /// Their zone, where it is known.
    pub zone: Option<String>,
    /// Where they are, in their own words; empty where it is not known.
    pub city: String,
    /// What they do now.
    pub state: PersonState,
    /// Whether a notification would be held, were it sent now: why.
    pub held: Option<String>,
    /// When the answer that is asked of them is due; none if none is.
    pub due: Option<DateTime<Utc>>,
    /// When they start to work next, if they don't now.
    pub starts: Option<DateTime<Utc>>,
    /// By mail: they got it beside me, and get an answer only if it is for all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(optional, as = "Option<bool>")]
    pub copied: bool,
}

/// Something refused: nothing a person typed is ever dropped.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Refusal {
    /// For [`SettleRefusal`].
    pub id: i64,
    /// The conversation, where there is one.
    pub item: Option<ItemId>,
    /// What was to be done, in a few words.
    pub what: String,
    /// What was typed.
    pub text: String,
    /// Why it was refused.
    pub message: String,
    /// What stands there now, where somebody changed the same meanwhile.
    /// Trying again then puts mine in its place.
    pub present: Option<String>,
}

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct SettleRefusal {
    /// Which.
    pub id: i64,
    /// Try it again; else let it go.
    pub retry: bool,
}
