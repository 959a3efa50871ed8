//! IMAP and SMTP as a source: a mailbox's conversations, read and written
//! back.
//!
//! The inbox is followed message by message; the archive and the sent mail
//! are read forwards, so that done messages and own replies are in their
//! threads. Between calls nothing is kept but an open connection. It does not
//! store mail, decide urgency, or show anything.

mod act;
mod attachment;
mod config;
mod cursor;
mod folders;
mod guard;
mod hello;
pub mod identity;
pub mod import;
mod inspect;
pub mod mail;
mod pull;
mod raw;
mod read;
mod reply;
mod session;
mod smtp;
mod wire;

pub use config::{Fingerprint, MailServer, MailboxConfig, Security};
pub use inspect::inspect;
pub use pull::{BACKFILL_DAYS, BACKFILL_INBOX, BACKFILL_OTHER};
pub use read::FETCH_BYTES;
pub use session::SILENCE;
pub use wire::CONNECT_TIMEOUT;

use async_trait::async_trait;
use cursor::State;
use folders::Folders;
use meantime_source::{
    AccountInfo, ActOutcome, Attachment, Budget, Caps, Cursor, Now, Op, Page, Secret, Source, SourceError,
    SourceResult, What,
};
use session::Mailbox;
use std::time::Duration;
use tokio::sync::Mutex;

/// IDLE is issued again after this: well within the 29 minutes of RFC 2177,
/// and often enough to notice a connection that died silently.
pub const IDLE_AGAIN: Duration = Duration::from_secs(9 * 60);
/// How often a server without IDLE is asked.
pub const ASK_EVERY: Duration = Duration::from_secs(60);

/// One mailbox.
pub struct ImapSource {
    config: MailboxConfig,
    secret: Secret,
    now: Now,
    /// Kept between calls; taken out while in use, so that a call that is
    /// dropped half-way drops its connection too.
    open: Mutex<Option<(Mailbox, Folders)>>,
}

impl ImapSource {
    /// A mailbox; nothing is connected yet.
    #[must_use]
    pub fn new(config: MailboxConfig, secret: Secret, now: Now) -> Self {
        Self { config, secret, now, open: Mutex::new(None) }
    }

    /// The open connection if it still answers, else a new one.
    async fn connected(&self) -> SourceResult<(Mailbox, Folders)> {
        if let Some((mut mailbox, folders)) = self.open.lock().await.take()
            && mailbox.command("NOOP").await.is_ok()
        {
            return Ok((mailbox, folders));
        }
        let mut mailbox = Mailbox::open(&self.config, &self.secret).await?;
        let folders = folders::find(&mut mailbox).await?;
        Ok((mailbox, folders))
    }

    async fn keep(&self, mailbox: Mailbox, folders: Folders) {
        *self.open.lock().await = Some((mailbox, folders));
    }

    async fn write_back(&self, mailbox: &mut Mailbox, folders: &Folders, op: &Op) -> SourceResult<ActOutcome> {
        match &op.what {
            What::Read { messages } => act::mark(mailbox, folders, messages, true).await,
            What::Unread { messages } => act::mark(mailbox, folders, messages, false).await,
            What::Done { messages } => act::done(mailbox, folders, messages).await,
            What::NotDone { messages } => act::not_done(mailbox, folders, messages).await,
            What::Reply { to_message, to, cc, subject, text, files } => {
                let answer = reply::Reply { id: op.id, to_message, to, cc, subject, text, files };
                reply::reply(mailbox, folders, &self.config, &self.secret, &answer, (self.now)()).await
            }
        }
    }
}

#[async_trait]
impl Source for ImapSource {
    fn caps(&self) -> Caps {
        Caps { live: true, reply: self.config.smtp.is_some(), read: true, done: true }
    }

    fn identity(&self) -> String {
        format!("imap:{}@{}", self.config.user, self.config.imap.host.to_lowercase())
    }

    async fn check(&self) -> SourceResult<AccountInfo> {
        let mut mailbox = Mailbox::open(&self.config, &self.secret).await?;
        let folders = folders::find(&mut mailbox).await?;
        let inbox = mailbox.select("INBOX", false).await?;
        mailbox.close().await;
        if let Some(smtp) = &self.config.smtp {
            smtp::open(smtp, &self.config.user, &self.secret, &self.config.address).await?.close().await;
        }
        let archive = match &folders.archive {
            Some(name) => format!("done messages go to “{name}”"),
            None => "a mailbox “Archive” is made for done messages".to_owned(),
        };
        let sending = if self.config.smtp.is_some() { "" } else { "; nothing can be sent: no server for it is given" };
        Ok(AccountInfo {
            name: self.config.address.clone(),
            summary: format!("Signed in: {} messages in the inbox; {archive}{sending}.", inbox.exists),
        })
    }

    async fn pull(&self, cursor: Option<&Cursor>, budget: Budget) -> SourceResult<Page> {
        let state = cursor.map(State::read).transpose()?;
        let (mut mailbox, folders) = self.connected().await?;
        let page = pull::pull(&mut mailbox, &self.config, &folders, state, budget, (self.now)()).await?;
        self.keep(mailbox, folders).await;
        Ok(page)
    }

    async fn live(&self, cursor: &Cursor) -> SourceResult<()> {
        let state = State::read(cursor)?;
        // A connection of its own: the other one goes on pulling.
        let mut mailbox = Mailbox::open(&self.config, &self.secret).await?;
        loop {
            let told = mailbox.select("INBOX", false).await?;
            let known = &state.inbox;
            let news = told.uidvalidity != known.uidvalidity
                || told.uidnext.is_some_and(|uidnext| uidnext != known.uidnext)
                || known.exists.is_some_and(|exists| exists != told.exists)
                || (told.modseq.is_some() && known.modseq.is_some() && told.modseq != known.modseq);
            if news {
                mailbox.close().await;
                return Ok(());
            }
            if mailbox.can("IDLE") {
                let (still_open, woken) = mailbox.idle(IDLE_AGAIN).await?;
                mailbox = still_open;
                if woken {
                    mailbox.close().await;
                    return Ok(());
                }
            } else {
                tokio::time::sleep(ASK_EVERY).await;
            }
        }
    }

    async fn act(&self, op: &Op) -> SourceResult<ActOutcome> {
        let (mut mailbox, folders) = self.connected().await?;
        let outcome = self.write_back(&mut mailbox, &folders, op).await;
        // What the server answered in order leaves the connection in order; the
        // folders are looked up again where one may have been made.
        if matches!(outcome, Ok(_) | Err(SourceError::Permanent(_)))
            && folders.archive.is_some()
            && folders.sent.is_some()
        {
            self.keep(mailbox, folders).await;
        }
        outcome
    }

    async fn attachment(&self, message: &str, place: usize, listed: &Attachment) -> SourceResult<Option<Vec<u8>>> {
        let (mut mailbox, folders) = self.connected().await?;
        let found = attachment::fetch(&mut mailbox, &folders, message, place, listed).await?;
        self.keep(mailbox, folders).await;
        Ok(found)
    }
}
