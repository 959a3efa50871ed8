//! The suite that every source passes, on Dovecot; once more on a Dovecot
//! that offers nothing but the basics.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_source::kit::dovecot::Dovecot;
use meantime_source::kit::{Harness, Truth};
use meantime_source::{Now, Secret, Source};
use meantime_source_imap::{ImapSource, MailServer, MailboxConfig, Security};
use std::sync::Arc;

/// The tests' clock; Dovecot goes by the machine's.
#[allow(clippy::disallowed_methods)]
pub(crate) fn clock() -> Now {
    Arc::new(Utc::now)
}

pub(crate) fn config(dovecot: &Dovecot) -> MailboxConfig {
    MailboxConfig {
        address: dovecot.user.clone(),
        name: "Ana".into(),
        user: dovecot.user.clone(),
        imap: MailServer {
            host: "localhost".into(),
            port: dovecot.imaps_port,
            security: Security::Tls,
            certificate: Some(dovecot.fingerprint.clone().try_into().unwrap()),
        },
        smtp: None,
    }
}

pub(crate) fn source(dovecot: &Dovecot) -> ImapSource {
    ImapSource::new(config(dovecot), Secret::new(dovecot.password.clone()), clock())
}

pub(crate) fn mail(subject: &str, at: DateTime<Utc>) -> String {
    let id = subject.replace(' ', "-");
    format!(
        "From: Kofi <kofi@example.net>\r\nTo: ana@example.org\r\nSubject: {subject}\r\nDate: {}\r\n\
         Message-ID: <{id}@example.net>\r\n\r\nThis is {subject}.\r\n",
        at.to_rfc2822()
    )
}

struct Rich(Common);
struct Poor(Common);

struct Common {
    dovecot: Dovecot,
    arrived: i64,
}

impl Common {
    fn new(extra: &str) -> Self {
        Self { dovecot: Dovecot::start_with(extra), arrived: 0 }
    }

    fn arrive(&mut self, title: &str) {
        self.arrived += 1;
        let at = clock()() - TimeDelta::hours(10) + TimeDelta::minutes(self.arrived);
        self.dovecot.deliver(mail(title, at).as_bytes());
        // A server numbers mail when it looks, in the order of the file names:
        // as with real deliveries, it looks after each.
        self.dovecot.doveadm(&["mailbox", "status"], &["messages", "INBOX"]);
    }

    fn truth(&self) -> Vec<Truth> {
        let stored = self.dovecot.stored().into_iter().filter(|one| one.mailbox != "Sent");
        stored
            .map(|one| Truth { title: one.subject, read: one.flags.contains('S'), done: one.mailbox == "Archive" })
            .collect()
    }
}

macro_rules! harness {
    ($name:ident, $extra:expr) => {
        #[async_trait]
        impl Harness for $name {
            async fn start() -> Self {
                Self(Common::new($extra))
            }
            const UNCHANGED: usize = 4;

            fn source_at(&self, off: TimeDelta) -> Box<dyn Source> {
                let now: Now = Arc::new(move || clock()() + off);
                let secret = Secret::new(self.0.dovecot.password.clone());
                Box::new(ImapSource::new(config(&self.0.dovecot), secret, now))
            }
            async fn expire_secret(&mut self) -> bool {
                let good = self.0.dovecot.password.clone();
                self.0.dovecot.set_password("another");
                self.0.dovecot.restart();
                self.0.dovecot.password = good;
                true
            }
            async fn renew_secret(&mut self) {
                let good = self.0.dovecot.password.clone();
                self.0.dovecot.set_password(&good);
                self.0.dovecot.restart();
            }
            fn requests(&self) -> usize {
                self.0.dovecot.commands()
            }
            fn wrong_secret(&self) -> Option<Box<dyn Source>> {
                let secret = Secret::new("Tr0ub4dor&3 wrong".into());
                Some(Box::new(ImapSource::new(config(&self.0.dovecot), secret, clock())))
            }
            fn secrets(&self) -> Vec<String> {
                vec!["pferd".into(), "Tr0ub4dor".into()]
            }
            async fn arrive(&mut self, title: &str) {
                self.0.arrive(title);
            }
            async fn poison(&mut self) {
                self.0.dovecot.deliver(b"\x00\xff\xfe no header at all\r\n\x80\x81");
            }
            async fn mark_read(&mut self, title: &str) -> bool {
                self.0.dovecot.doveadm(&["flags", "add"], &["\\Seen", "mailbox", "INBOX", "subject", title]);
                true
            }
            async fn archive(&mut self, title: &str) -> bool {
                self.0.dovecot.doveadm(&["move"], &["Archive", "mailbox", "INBOX", "subject", title]);
                true
            }
            async fn delete(&mut self, title: &str) -> bool {
                self.0.dovecot.doveadm(&["expunge"], &["mailbox", "INBOX", "subject", title]);
                true
            }
            async fn invalidate_cursor(&mut self) -> bool {
                self.0.dovecot.change_uidvalidity();
                true
            }
            async fn stop(&mut self) {
                self.0.dovecot.stop();
            }
            async fn truth(&mut self) -> Vec<Truth> {
                self.0.truth()
            }
        }
    };
}

harness!(Rich, "");
harness!(Poor, "protocol imap {\n  imap_capability = IMAP4rev1 AUTH=PLAIN\n}\n");

mod rich {
    use super::Rich;
    meantime_source::conformance!(Rich);
}

mod poor {
    use super::Poor;
    meantime_source::conformance!(Poor: several_pages, changes_during_backfill, news_alert_once, remote_changes_arrive,
        actions_are_written_back, answers_are_lost, cursor_invalid);
}
