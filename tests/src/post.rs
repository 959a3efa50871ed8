//! Ana's mailbox: a real IMAP server, and a real SMTP server that takes what
//! she sends.

use crate::Cli;
use crate::wait::{Patience, wait_for};
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use meantime_platform::{Clock, SystemClock};
use meantime_source::kit::dovecot::{Dovecot, Stored};
use meantime_source::kit::smtp::{Protection, SmtpServer};
use serde_json::Value;

/// Both servers, with one account.
pub struct Post {
    /// Where mail is read.
    pub imap: Dovecot,
    /// Where it is sent.
    pub smtp: SmtpServer,
}

/// A mail to be delivered.
pub struct Mail<'a> {
    /// Names it; also part of its Message-ID.
    pub subject: &'a str,
    /// Address.
    pub from: &'a str,
    /// Address.
    pub to: &'a str,
    /// The subject of a mail it answers.
    pub answers: Option<&'a str>,
}

impl Post {
    /// Starts both.
    ///
    /// # Panics
    /// One of them is missing or does not start.
    #[must_use]
    pub fn start() -> Self {
        let imap = Dovecot::start();
        let smtp = SmtpServer::start(Protection::Starttls, &imap.user, &imap.password);
        Self { imap, smtp }
    }

    /// Mail arrives in the inbox.
    pub fn deliver(&self, mail: &Mail<'_>) {
        self.imap.deliver(mail.text(SystemClock.now()).as_bytes());
    }

    /// Somebody adds the account by command line, the password from a pipe.
    ///
    /// # Errors
    /// It was refused: the command's own words.
    pub async fn add_to(&self, cli: &Cli) -> Result<Value> {
        let imap = format!("localhost:{}", self.imap.imaps_port);
        let smtp = format!("localhost:{}", self.smtp.port);
        let account = ["account", "add", "imap", &self.imap.user, "--name", "Ana Sousa"];
        let reads = ["--imap", &imap, "--imap-certificate", &self.imap.fingerprint];
        let sends = ["--smtp", &smtp, "--smtp-security", "starttls", "--smtp-certificate", &self.smtp.fingerprint];
        cli.json_with_input(&[&account[..], &reads, &sends].concat(), &self.imap.password).await
    }

    /// Waits until a mail with these words was sent.
    ///
    /// # Errors
    /// It was not.
    pub async fn sent(&self, words: &str) -> Result<()> {
        wait_for("the mail to be sent", Patience::LONG, async || {
            Ok(self.smtp.received().iter().any(|mail| mail.contains(words)).then_some(()))
        })
        .await
    }

    /// Where a mail lies and how it is marked, as the server has it.
    ///
    /// # Errors
    /// There is none of this subject.
    pub fn stored(&self, subject: &str) -> Result<Stored> {
        let mut stored = self.imap.stored().into_iter();
        stored.find(|mail| mail.subject == subject).with_context(|| format!("no mail \"{subject}\" in the mailbox"))
    }
}

impl Mail<'_> {
    fn text(&self, now: DateTime<Utc>) -> String {
        let answers = self.answers.map(|subject| format!("In-Reply-To: {}\r\n", id(subject))).unwrap_or_default();
        format!(
            "From: {}\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: {}\r\n{answers}MIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\nThis is about: {}.\r\n",
            self.from,
            self.to,
            self.subject,
            now.to_rfc2822(),
            id(self.subject),
            self.subject,
        )
    }
}

fn id(subject: &str) -> String {
    let name: String = subject.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("<{name}@example.net>")
}
