//! What is particular to mailboxes: trust, threads, moves, what lies in them
//! already.

use crate::conformance::{clock, config, mail, source};
use chrono::TimeDelta;
use meantime_model::OpId;
use meantime_source::kit::Local;
use meantime_source::kit::dovecot::Dovecot;
use meantime_source::{ActOutcome, Budget, Op, Person, Secret, Source, SourceError, What};
use meantime_source_imap::{ImapSource, MailServer, Security};

fn connect(dovecot: &Dovecot, change: impl FnOnce(&mut MailServer)) -> ImapSource {
    let mut config = config(dovecot);
    change(&mut config.imap);
    ImapSource::new(config, Secret::new(dovecot.password.clone()), clock())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_of_protection_works() {
    let dovecot = Dovecot::start();
    for (security, port) in [
        (Security::Tls, dovecot.imaps_port),
        (Security::Starttls, dovecot.imap_port),
        (Security::Plain, dovecot.imap_port),
    ] {
        let source = connect(&dovecot, |imap| {
            imap.security = security;
            imap.port = port;
        });
        let info = source.check().await.unwrap();
        assert_eq!(info.name, "ana@example.org");
        assert!(info.summary.contains("Archive"), "{}", info.summary);
    }
    // The wrong way round is said, not waited for.
    let source = connect(&dovecot, |imap| imap.port = dovecot.imap_port);
    let error = source.check().await.unwrap_err();
    assert!(error.to_string().contains("STARTTLS"), "{error:?}");
    let source = connect(&dovecot, |imap| {
        imap.security = Security::Plain;
        imap.host = "192.0.2.1".into();
    });
    let error = source.check().await.unwrap_err();
    assert!(matches!(&error, SourceError::Permanent(text) if text.contains("without encryption")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_not_trusted_stops_everything() {
    let mut dovecot = Dovecot::start();
    let unknown = connect(&dovecot, |imap| imap.certificate = None).check().await.unwrap_err();
    assert!(matches!(&unknown, SourceError::Certificate(text) if text.contains("fingerprint")), "{unknown:?}");

    let pinned = source(&dovecot);
    pinned.check().await.unwrap();
    let before = dovecot.fingerprint.clone();
    dovecot.renew_certificate();
    let error = pinned.pull(None, Budget::default()).await.unwrap_err();
    let SourceError::Certificate(words) = &error else { panic!("{error:?}") };
    for fingerprint in [&before, &dovecot.fingerprint] {
        assert!(words.contains(&format!("{}:{}", &fingerprint[0..2], &fingerprint[2..4])), "{words}");
    }
    assert!(!words.to_lowercase().contains("accept") && !words.contains("anyway"), "{words}");
    assert!(!error.is_transient());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_password_is_asked_for_once() {
    let mut dovecot = Dovecot::start();
    let source = source(&dovecot);
    source.pull(None, Budget::default()).await.unwrap();
    dovecot.set_password("another one");
    dovecot.restart();
    assert!(matches!(source.pull(None, Budget::default()).await, Err(SourceError::Auth(_))));
    let again = ImapSource::new(config(&dovecot), Secret::new("another one".into()), clock());
    again.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_keeps_its_name_wherever_it_is() {
    let dovecot = Dovecot::start();
    let now = clock()();
    dovecot.deliver(mail("moving", now - TimeDelta::hours(1)).as_bytes());
    dovecot.deliver(b"From: a@example.net\r\nDate: Mon, 2 Feb 2026 10:00:00 +0000\r\nSubject: nameless\r\n\r\nx\r\n");
    let source = source(&dovecot);
    let mut local = Local::default();
    local.pull_all(&source, Budget::default()).await.unwrap();
    let names = vec![local.named("moving"), local.named("nameless")];
    for (what, mailbox) in [
        (What::Done { messages: names.clone() }, "Archive"),
        (What::NotDone { messages: names.clone() }, "INBOX"),
        (What::Done { messages: names.clone() }, "Archive"),
    ] {
        let op = Op { id: OpId::new(), what };
        assert_eq!(source.act(&op).await.unwrap(), ActOutcome::Applied);
        local.pull_all(&source, Budget::default()).await.unwrap();
        assert!(dovecot.stored().iter().all(|one| one.mailbox == mailbox), "{:?}", dovecot.stored());
        assert_eq!(local.messages.len(), 2);
        assert_eq!(vec![local.named("moving"), local.named("nameless")], names);
        assert!(local.messages.values().all(|(_, message)| message.flags.done == (mailbox == "Archive")));
    }
    assert!(local.alerts.is_empty(), "{:?}", local.alerts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_and_addressing() {
    let dovecot = Dovecot::start();
    let send = |id: &str, more: &str| {
        let raw =
            format!("From: Kofi <kofi@example.net>\r\nSubject: {id}\r\nMessage-ID: <{id}@x>\r\n{more}\r\nhello\r\n");
        dovecot.deliver(raw.as_bytes());
    };
    send("root", "To: Ana <ANA@example.org>\r\n");
    send("reply", "To: ana+work@example.org\r\nReferences: <root@x>\r\nIn-Reply-To: <root@x>\r\n");
    send("later", "Cc: ana@example.org\r\nReferences: <root@x> <reply@x>\r\n");
    send("circle-a", "To: b@x\r\nReferences: <circle-b@x>\r\n");
    send("circle-b", "To: b@x\r\nReferences: <circle-a@x>\r\n");
    send("list", "To: l@x.org\r\nReply-To: The List <l@x.org>\r\nList-Id: <l.x>\r\n");
    send("own", "From: x\r\n");
    dovecot.deliver_to("Sent", b"From: ana@example.org\r\nTo: k@x\r\nSubject: mine\r\nMessage-ID: <mine@x>\r\nReferences: <root@x>\r\n\r\nyes\r\n");
    let source = source(&dovecot);
    let mut incoming = Vec::new();
    let mut cursor = None;
    loop {
        let page = source.pull(cursor.as_ref(), Budget::default()).await.unwrap();
        for change in page.changes {
            let meantime_source::Change::Message(message) = change else { panic!("{change:?}") };
            incoming.push(*message);
        }
        cursor = Some(page.next);
        if !page.more {
            break;
        }
    }
    let of = |title: &str| incoming.iter().find(|one| one.item.title == title).unwrap();
    for in_thread in ["root", "reply", "later", "mine"] {
        assert_eq!(of(in_thread).item.upstream, "root@x");
    }
    assert_ne!(of("circle-a").item.upstream, of("circle-a").message.upstream);
    let addressed: Vec<bool> =
        ["root", "reply", "later", "list"].iter().map(|title| of(title).item.addressed).collect();
    assert_eq!(addressed, [true, true, false, false]);
    assert!(of("mine").message.own && of("mine").message.flags.done && !of("root").message.own);
    let to = Person { name: "The List".into(), address: "l@x.org".into() };
    assert_eq!((&of("list").message.reply_to, &of("root").message.reply_to), (&vec![to], &Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_mail_is_fetched_in_part() {
    let dovecot = Dovecot::start();
    let attachment = format!("{}\r\n", "QUJD".repeat(19)).repeat(54_000);
    let raw = format!(
        "From: a@x\r\nSubject: heavy\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n--b\r\nContent-Type: application/pdf; name=plan.pdf\r\n\
         Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n{attachment}--b--\r\n"
    );
    dovecot.deliver(raw.as_bytes());
    dovecot
        .deliver(format!("From: a@x\r\nSubject: endless\r\n\r\n{}", "words and words\r\n".repeat(200_000)).as_bytes());
    let part = |head: &str, body: &str| format!("--b\r\n{head}\r\n\r\n{body}\r\n");
    let many = [
        part("Content-Type: text/plain", "Three files."),
        part("Content-Type: application/zip; name=first.zip\r\nContent-Transfer-Encoding: base64", &attachment),
        part("Content-Type: image/png\r\nContent-Disposition: attachment; filename*=utf-8''Pl%C3%A4ne.png", "x"),
        part("Content-Type: multipart/alternative; boundary=c", "--c\r\n\r\nx\r\n--c--"),
        part("Content-Type: message/rfc822", "From: a@x\r\nSubject: inner\r\n\r\nx"),
        part("Content-Type: text/plain", "-- the list's footer"),
        part("Content-Type: text/csv; name=\"../../data.csv\"", "1,2"),
    ];
    dovecot.deliver(
        format!(
            "From: a@x\r\nSubject: many\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
            many.concat()
        )
        .as_bytes(),
    );
    let mut local = Local::default();
    local.pull_all(&source(&dovecot), Budget::default()).await.unwrap();
    let (_, listed) = &local.messages[&local.named("many")];
    assert_eq!((listed.text.as_str(), &listed.unreadable), ("Three files.", &None));
    let files: Vec<_> = listed.attachments.iter().map(|file| (file.name.as_str(), file.bytes)).collect();
    assert_eq!(files, [("first.zip", 0), ("Pläne.png", 0), ("attachment", 0), ("data.csv", 0)]);
    assert_eq!(listed.attachments[2].media_type, "message/rfc822");
    let (_, heavy) = &local.messages[&local.named("heavy")];
    assert_eq!(heavy.text, "See the file.");
    assert_eq!(heavy.unreadable, None);
    let file = &heavy.attachments[0];
    assert_eq!((file.name.as_str(), file.media_type.as_str()), ("plan.pdf", "application/pdf"));
    // An estimate: 54,000 lines of 57 bytes.
    assert!((3_000_000..3_200_000).contains(&file.bytes), "{}", file.bytes);
    let (_, endless) = &local.messages[&local.named("endless")];
    assert!(endless.unreadable.as_ref().is_some_and(|why| why.contains("beginning")));
    assert!(endless.text.starts_with("words and words"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_mail_stays_where_it_is_and_new_mail_wakes() {
    let dovecot = Dovecot::start();
    dovecot.deliver(mail("recent", clock()() - TimeDelta::days(2)).as_bytes());
    dovecot.doveadm(&["mailbox", "status"], &["messages", "INBOX"]);
    let source = source(&dovecot);
    let mut local = Local::default();
    local.pull_all(&source, Budget::default()).await.unwrap();
    // Nothing is waiting: it really listens.
    let cursor = local.cursor.clone().unwrap();
    let quiet = tokio::time::timeout(std::time::Duration::from_secs(2), source.live(&cursor)).await;
    assert!(quiet.is_err(), "woke up without a reason: {quiet:?}");
    // Something came before it listened: it wakes at once.
    dovecot.deliver(mail("missed", clock()()).as_bytes());
    source.live(&cursor).await.unwrap();
    // The clock of a sender that runs ahead does not.
    dovecot.deliver(mail("tomorrow", clock()() + TimeDelta::days(30)).as_bytes());
    local.pull_all(&source, Budget::default()).await.unwrap();
    assert!(local.messages.values().all(|(_, message)| message.at <= clock()()));
}

/// async-imap writes the sign-in, password and all, to `log::trace!`.
#[test]
fn the_trace_level_that_would_show_the_password_is_not_built() {
    assert!(log::STATIC_MAX_LEVEL <= log::LevelFilter::Debug);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_try_that_ended_between_copy_and_delete_doubles_nothing() {
    let dovecot = Dovecot::start_with("protocol imap {\n  imap_capability = IMAP4rev1 UIDPLUS AUTH=PLAIN\n}\n");
    let now = clock()();
    for title in ["copied", "another"] {
        dovecot.deliver(mail(title, now - TimeDelta::hours(1)).as_bytes());
    }
    let source = source(&dovecot);
    let mut local = Local::default();
    local.pull_all(&source, Budget::default()).await.unwrap();
    let op = |messages| Op { id: OpId::new(), what: messages };
    let names = vec![local.named("copied"), local.named("another")];
    // What COPY leaves when the app is killed before the next command.
    dovecot.doveadm(&["copy"], &["Archive", "mailbox", "INBOX", "subject", "copied"]);
    // Somebody else's mail of the same name is not taken for the copy.
    let other = format!("{}More.\r\n", mail("another", now - TimeDelta::hours(1)));
    dovecot.deliver_to("Archive", other.as_bytes());
    let where_is = |title: &str| {
        let stored = dovecot.stored().into_iter().filter(|one| one.subject == title);
        stored.map(|one| one.mailbox).collect::<Vec<_>>()
    };
    let done = op(What::Done { messages: names.clone() });
    assert_eq!(source.act(&done).await.unwrap(), ActOutcome::Applied);
    assert_eq!((where_is("copied"), where_is("another")), (vec!["Archive".into()], vec!["Archive".to_owned(); 2]));
    // The same on the way back.
    dovecot.doveadm(&["copy"], &["INBOX", "mailbox", "Archive", "subject", "copied"]);
    let back = op(What::NotDone { messages: vec![names[0].clone()] });
    assert_eq!(source.act(&back).await.unwrap(), ActOutcome::Applied);
    assert_eq!(where_is("copied"), ["INBOX"]);
    assert_eq!(source.act(&back).await.unwrap(), ActOutcome::AlreadyApplied);
}
