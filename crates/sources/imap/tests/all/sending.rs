//! Answers, through a real SMTP server.

use crate::conformance::{clock, config, mail};
use meantime_model::OpId;
use meantime_source::kit::Local;
use meantime_source::kit::dovecot::Dovecot;
use meantime_source::kit::smtp::{Protection, SmtpServer};
use meantime_source::{ActOutcome, Budget, FileToSend, Op, Person, Secret, Source, SourceError, What};
use meantime_source_imap::{ImapSource, MailServer, Security};

struct Office {
    dovecot: Dovecot,
    smtp: SmtpServer,
    protection: Protection,
}

impl Office {
    fn open(protection: Protection) -> Self {
        let dovecot = Dovecot::start();
        let smtp = SmtpServer::start(protection, &dovecot.user, &dovecot.password);
        dovecot.deliver(
            mail("plan", clock()()).replace("\r\n\r\n", "\r\nReferences: <root@x> <mid@x>\r\n\r\n").as_bytes(),
        );
        Self { dovecot, smtp, protection }
    }

    fn source(&self) -> ImapSource {
        let mut config = config(&self.dovecot);
        config.smtp = Some(MailServer {
            host: "localhost".into(),
            port: self.smtp.port,
            security: if self.protection == Protection::Plain { Security::Plain } else { Security::Starttls },
            certificate: Some(self.smtp.fingerprint.clone().try_into().unwrap()),
        });
        ImapSource::new(config, Secret::new(self.dovecot.password.clone()), clock())
    }

    fn sent(&self) -> Vec<(String, String)> {
        let stored = self.dovecot.stored().into_iter().filter(|one| one.mailbox == "Sent");
        stored.map(|one| (one.subject, one.flags)).collect()
    }
}

fn person(address: &str) -> Person {
    Person { name: "Kofi Ä.".into(), address: address.into() }
}

async fn reply(source: &ImapSource, to: &[&str]) -> Op {
    let mut local = Local::default();
    local.pull_all(source, Budget::default()).await.unwrap();
    Op {
        id: OpId::new(),
        what: What::Reply {
            to_message: local.named("plan"),
            to: to.iter().map(|to| person(to)).collect(),
            cc: vec![person("mei@example.net")],
            subject: "Re: plan".into(),
            text: "Grüße,\n.\nFrom Ana".into(),
            files: Vec::new(),
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_goes_out_once() {
    for protection in [Protection::Plain, Protection::Starttls] {
        let office = Office::open(protection);
        let source = office.source();
        assert!(source.caps().reply);
        source.check().await.unwrap();
        let op = reply(&source, &["kofi@example.net"]).await;
        assert_eq!(source.act(&op).await.unwrap(), ActOutcome::Applied);
        assert_eq!(source.act(&op).await.unwrap(), ActOutcome::AlreadyApplied);
        assert_eq!(office.source().act(&op).await.unwrap(), ActOutcome::AlreadyApplied);
        let received = office.smtp.received();
        assert_eq!(received.len(), 1);
        let raw = received[0].replace("\r\n", "\n");
        assert!(raw.contains("X-Envelope-To: kofi@example.net, mei@example.net\n"), "{raw}");
        assert!(raw.contains("In-Reply-To: <plan@example.net>\n"), "{raw}");
        assert!(raw.contains("References: <root@x>\n <mid@x>\n <plan@example.net>\n"), "{raw}");
        assert!(
            raw.contains(&format!("Message-ID: <{}@example.org>\n", meantime_source::op::reply_id(op.id))),
            "{raw}"
        );
        let shown = meantime_source_imap::mail::parse(raw.as_bytes(), raw.len() as u64);
        assert_eq!(shown.text, "Grüße,\n.\nFrom Ana");
        assert_eq!(shown.to[0].name, "Kofi Ä.");
        assert_eq!(office.sent(), [("Re: plan".to_owned(), "S".to_owned())]);
        // It comes back in its thread, as the person's own.
        let mut local = Local::default();
        local.pull_all(&source, Budget::default()).await.unwrap();
        let (_, own) = &local.messages[&local.named("Re: plan")];
        assert!(own.own && own.upstream.starts_with(&meantime_source::op::reply_id(op.id)), "{own:?}");
        assert!(local.alerts.is_empty());
        let answered = office.dovecot.stored().into_iter().find(|one| one.mailbox == "INBOX").unwrap();
        assert!(answered.flags.contains('R'), "{answered:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_with_a_reply_and_arrive_as_they_were() {
    let office = Office::open(Protection::Plain);
    let source = office.source();
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<u8> = (0..200_000_u32).map(|i| (i ^ (i >> 8)) as u8).collect();
    let file = |name: &str, media_type: &str, bytes: &[u8]| {
        let path = dir.path().join(name.len().to_string());
        std::fs::write(&path, bytes).unwrap();
        FileToSend { name: name.into(), media_type: media_type.into(), bytes: bytes.len() as u64, path }
    };
    let latin = b"Gr\xfc\xdfe\nlone line ends\r\n.\n";
    let mut op = reply(&source, &["kofi@example.net"]).await;
    let What::Reply { files, .. } = &mut op.what else { unreachable!() };
    *files = vec![
        file("Überblick „2“.pdf", "application/pdf", &all),
        file("latin.txt", "text/plain", latin),
        file("mail.eml", "message/rfc822", b"Subject: x\r\n\r\ny"),
        file("empty", "no type", b""),
    ];
    assert_eq!(source.act(&op).await.unwrap(), ActOutcome::Applied);
    // As the sent mail has it, and as one saves it from there.
    let mut local = Local::default();
    local.pull_all(&source, Budget::default()).await.unwrap();
    let name = local.named("Re: plan");
    let (_, own) = &local.messages[&name];
    assert_eq!(own.text, "Grüße,\n.\nFrom Ana");
    let names: Vec<_> = own.attachments.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["Überblick „2“.pdf", "latin.txt", "mail.eml", "empty"]);
    let sent: [&[u8]; 4] = [&all, latin, b"Subject: x\r\n\r\ny", b""];
    for (place, bytes) in sent.into_iter().enumerate() {
        let fetched = source.attachment(&name, place, &own.attachments[place]).await.unwrap().unwrap();
        assert!(fetched == bytes, "{} has {} bytes", names[place], fetched.len());
    }
    assert_eq!(source.attachment(&name, 9, &own.attachments[0]).await.unwrap().map(|b| b.len()), Some(all.len()));
    assert_eq!(source.attachment("<gone@example.net>#1", 0, &own.attachments[0]).await.unwrap(), None);
    // A copy that is gone: nothing is sent.
    let mut op = reply(&source, &["kofi@example.net"]).await;
    let What::Reply { files, .. } = &mut op.what else { unreachable!() };
    let path = dir.path().join("none");
    *files = vec![FileToSend { name: "gone.pdf".into(), media_type: "application/pdf".into(), bytes: 1, path }];
    let error = source.act(&op).await.unwrap_err();
    assert!(matches!(&error, SourceError::Permanent(words) if words.contains("gone.pdf")), "{error:?}");
    assert_eq!(office.smtp.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_recipient_leaves_nothing_behind() {
    let office = Office::open(Protection::Plain);
    let source = office.source();
    let op = reply(&source, &["kofi@example.net", "nobody@example.net"]).await;
    let error = source.act(&op).await.unwrap_err();
    assert!(matches!(&error, SourceError::Permanent(words) if words.contains("nobody@example.net")), "{error:?}");
    assert!(office.smtp.received().is_empty() && office.sent().is_empty(), "{:?}", office.sent());
    let op = reply(&source, &["not an address"]).await;
    assert!(matches!(source.act(&op).await, Err(SourceError::Permanent(_))));
    assert!(office.sent().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_is_tried_again() {
    let mut office = Office::open(Protection::Plain);
    let source = office.source();
    let op = reply(&source, &["kofi@example.net"]).await;
    let running = std::mem::replace(&mut office.smtp.port, 1);
    let down = office.source().act(&op).await.unwrap_err();
    // Whoever runs the account says when it is tried again.
    let words = "refuses the connection. Check the server and the port.";
    assert!(matches!(&down, SourceError::Transient(said) if said.ends_with(words)), "{down:?}");
    assert!(office.sent().is_empty());
    office.smtp.port = running;
    assert_eq!(office.source().act(&op).await.unwrap(), ActOutcome::Applied);
    assert_eq!(office.smtp.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_answer_is_lost_it_is_not_sent_again() {
    let office = Office::open(Protection::Plain);
    let source = office.source();
    let op = reply(&source, &["vanish@example.net"]).await;
    for _ in 0..3 {
        let error = source.act(&op).await.unwrap_err();
        assert!(matches!(&error, SourceError::Permanent(words) if words.contains("nobody can tell")), "{error:?}");
    }
    assert_eq!(office.smtp.received().len(), 1, "handed over once");
    assert_eq!(office.sent(), [("Re: plan".to_owned(), "DS".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_for_sending_is_said() {
    let office = Office::open(Protection::Starttls);
    let mut config = config(&office.dovecot);
    config.smtp = Some(MailServer {
        host: "localhost".into(),
        port: office.smtp.port,
        security: Security::Starttls,
        certificate: Some(office.smtp.fingerprint.clone().try_into().unwrap()),
    });
    config.user = "somebody".into();
    let source = ImapSource::new(config, Secret::new("wrong".into()), clock());
    assert!(matches!(source.check().await, Err(SourceError::Auth(_))));
}
