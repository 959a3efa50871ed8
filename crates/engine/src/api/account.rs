//! Accounts, joining a team, secrets.

use super::*;
use chrono::{DateTime, Utc};
use meantime_model::{AccountId, PersonId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One configured login, with its state.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What kind of place it is.
    pub kind: SourceKind,
    /// As shown, say `ana@example.org`.
    pub name: String,
    /// How it goes.
    pub state: AccountState,
    /// The last time it was read without an error.
    pub checked_at: Option<DateTime<Utc>>,
    /// Changes that wait to be written back.
    pub pending: u32,
}

/// How an account goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AccountState {
    /// Never read yet.
    New,
    /// The first reading goes on.
    Reading {
        /// Messages so far.
        messages: u32,
    },
    /// All is well.
    Fine,
    /// It will be tried again by itself.
    Retrying {
        /// What happened, in plain words.
        message: String,
        /// Since when it goes so, as far as that is known: then it was still
        /// fine.
        since: DateTime<Utc>,
        /// When it is tried again, where that is known.
        again: Option<DateTime<Utc>>,
    },
    /// It waits for the person.
    NeedsYou {
        /// A new password is asked for.
        password: bool,
        /// What happened and what to do, in plain words.
        message: String,
    },
}

/// An account, by its id.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct AccountRef {
    /// Which.
    pub id: AccountId,
}

/// An account to be removed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub struct RemoveAccount {
    /// Which.
    pub id: AccountId,
    /// Also when something is lost with it ([`Unsent`]).
    #[serde(default)]
    pub lose_unsent: bool,
}

/// What of an account is nowhere else and would be lost with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Unsent {
    /// What was typed and has not arrived.
    pub texts: Vec<UnsentText>,
    /// Other changes that have not arrived: done, read, working hours, …
    pub changes: u32,
}

/// Something typed that has not arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct UnsentText {
    /// Its conversation, or what it was to do.
    pub title: String,
    /// How far it came.
    pub state: UnsentState,
    /// The words.
    pub text: String,
}

/// How far a text came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum UnsentState {
    /// Being typed.
    Draft,
    /// On its way.
    Waiting,
    /// Refused; the text was kept.
    Refused,
}

/// What is needed to add an account.
#[derive(Clone, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum NewAccount {
    /// A mailbox, and how it sends.
    Imap(NewMailbox),
    /// A feed.
    Feed {
        /// Of the feed, or of a page that names one.
        url: String,
        /// The person allowed an address that is not on the public internet.
        #[serde(default)]
        private: bool,
    },
}

/// A mailbox, and how it sends.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct NewMailbox {
    /// The person's own address.
    pub address: String,
    /// As recipients see it; may be empty.
    pub display_name: String,
    /// Sign-in name at both servers.
    pub user: String,
    /// Goes to the keyring and nowhere else.
    pub password: String,
    /// Where mail is read.
    pub imap: MailServer,
    /// Where mail is sent; none: read only.
    pub smtp: Option<MailServer>,
}

/// One mail server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct MailServer {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// SHA-256 of the one certificate to trust, hexadecimal, for a server of
    /// one's own; none trusts what the system trusts.
    #[serde(default)]
    pub certificate: Option<String>,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS, required.
    StartTls,
    /// None; allowed for this machine's own addresses only.
    Plain,
}

/// A new password for an account.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct SignIn {
    /// Which account.
    pub id: AccountId,
    /// Goes to the keyring and nowhere else.
    pub password: String,
}

/// Mail to be read from files.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ImportMail {
    /// A file or folder of this machine.
    pub path: String,
    /// What is there.
    pub format: MailFormat,
}

/// How mail lies on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum MailFormat {
    /// One file, messages behind `From ` lines (mboxrd).
    Mbox,
    /// A folder with `cur` and `new`.
    Maildir,
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Imported {
    /// Messages new to the store.
    pub added: u32,
    /// Messages that were there already.
    pub known: u32,
    /// Messages that could not be read; each is visible as an item that says why.
    pub unreadable: u32,
}

/// A link as it was given.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct InviteLink {
    /// `meantime://join#…` or the same as https.
    pub link: String,
}

/// What a link invites to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct InvitePreview {
    /// The team's name, as the link says it.
    pub team: String,
    /// The server's address.
    pub host: String,
    /// The server has its own certificate authority, whose key the link pins.
    pub pinned: bool,
}

/// Joining a team.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct Join {
    /// The invite link.
    pub link: String,
    /// My name, as teammates will see it.
    pub name: String,
}

/// Joined.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Joined {
    /// Me.
    pub person: PersonId,
    /// The team's name.
    pub team: String,
}

/// Where secrets are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kept", rename_all = "snake_case")]
pub enum SecretsState {
    /// In the system's keyring.
    Keyring,
    /// Nowhere yet: the person has to choose.
    Undecided {
        /// Why the keyring can't be used.
        message: String,
    },
    /// In memory, gone when Meantime ends.
    Session,
    /// In a file, encrypted with a passphrase.
    File {
        /// The passphrase has not been given since the start.
        locked: bool,
    },
}

/// Where to keep secrets without a keyring.
#[derive(Clone, Serialize, Deserialize, TS)]
#[serde(tag = "keep", rename_all = "snake_case")]
pub enum ChooseSecrets {
    /// Look for the keyring again.
    Keyring,
    /// In memory.
    Session,
    /// In a file; also unlocks an existing one.
    File {
        /// Encrypts it; at least 12 characters.
        passphrase: String,
    },
}
