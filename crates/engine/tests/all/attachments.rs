//! Files with messages: out through every trouble, in by request, and never
//! more than what was sent. Team messages at the real server, over TLS.

use crate::cable::Cable;
use crate::devices::{live, resume, row, start, status, team};
use crate::rig::{Rig, mail};
use chrono::TimeDelta;
use meantime_engine::api::*;
use meantime_model::Urgency;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds;
use meantime_server::Running;
use meantime_source::{Change, What};
use std::path::{Path, PathBuf};

const MIB: usize = 1 << 20;
const NOTHING: [&str; 0] = [];

/// Bytes that are not the same anywhere.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

async fn link(server: &Running) -> String {
    server.invite(&InviteRequest { valid_hours: 1, role: kinds::Role::Member }).await.unwrap()
}

async fn join(link: String, name: &str) -> Rig {
    let rig = Rig::new().await;
    rig.engine.join(Join { link, name: name.to_owned() }).await.unwrap();
    live(&rig).await;
    rig
}

async fn attach(rig: &Rig, item: Option<&str>, name: &str, bytes: &[u8]) -> Vec<AttachedFile> {
    let path = rig.path(name);
    std::fs::write(&path, bytes).unwrap();
    let file = FileToAttach { path: path.to_str().unwrap().to_owned(), name: None };
    let attached = rig.engine.attach(Attach { item: item.map(str::to_owned), files: vec![file] }).await.unwrap();
    // What happens to it afterwards does not matter.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(attached.added[0].name, name);
    attached.files
}

fn thread(title: &str, files: Vec<AttachedFile>) -> Compose {
    Compose {
        title: title.to_owned(),
        text: "See there.".to_owned(),
        urgency: Urgency::Green,
        asked: Vec::new(),
        space: None,
        private: false,
        deliver: Deliver::Now,
        files,
    }
}

fn reply(item: &str, text: &str, files: Vec<AttachedFile>) -> Reply {
    Reply {
        item: item.to_owned(),
        text: text.to_owned(),
        done: false,
        deliver: Deliver::Now,
        files,
        message: None,
        to: None,
    }
}

/// The seconds are over in which it could be taken back.
async fn now_it_goes(rig: &Rig) {
    rig.pass(TimeDelta::seconds(11));
    rig.engine.check_account(AccountRef { id: team(rig).await }).await.unwrap();
}

async fn open(rig: &Rig, id: &str) -> Conversation {
    rig.engine.open(ItemRef { id: id.to_owned() }).await.unwrap()
}

/// Waits until a thread with so many messages is there.
async fn arrived(rig: &Rig, title: &str, messages: usize) -> Conversation {
    rig.until("it arrives", || async {
        match row(rig, View::Inbox, title).await {
            Some(row) => open(rig, &row.id.to_string()).await.messages.len() == messages,
            None => false,
        }
    })
    .await;
    open(rig, &row(rig, View::Inbox, title).await.unwrap().id.to_string()).await
}

fn wanted(talk: &Conversation, message: usize, index: u32) -> SaveAttachment {
    let (item, message) = (talk.row.id.to_string(), talk.messages[message].id.clone());
    SaveAttachment { item, message, index, to: None }
}

fn whole_files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_offline_arrives_with_its_files_on_every_device() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("server")).await;
    let (cable, through) = Cable::to(&link(&server).await).await;
    let (ana, kofi) = (join(through, "Ana").await, join(link(&server).await, "Kofi").await);
    cable.cut();
    let (plan, numbers) = (bytes(300_000), b"1,2".to_vec());
    let draft = attach(&ana, None, "plan.pdf", &plan).await;
    assert_eq!(draft.iter().map(|file| file.bytes).collect::<Vec<_>>(), [300_000]);
    let all = attach(&ana, None, "numbers.csv", &numbers).await;
    assert_eq!(all.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["plan.pdf", "numbers.csv"]);
    ana.engine.compose(thread("Plans", all)).await.unwrap();
    assert_eq!(ana.engine.draft(DraftOf { item: None }).await.unwrap().files, []);
    let ana = ana.crash(TimeDelta::seconds(11)).await;
    assert_eq!(ana.names("files").len(), 2, "they are as durable as the message");
    assert!(status(&ana).await.counts.pending > 0);

    cable.plug_in();
    ana.engine.check_account(AccountRef { id: team(&ana).await }).await.unwrap();
    let talk = arrived(&kofi, "Plans", 1).await;
    let listed = talk.messages[0].attachments.iter();
    let listed: Vec<_> = listed.map(|f| (f.name.as_str(), f.media_type.as_str(), f.bytes, f.can_save)).collect();
    assert_eq!(listed, [("plan.pdf", "application/pdf", 300_000, true), ("numbers.csv", "text/csv", 3, true)]);
    assert_eq!(kofi.names("files"), NOTHING, "nothing is fetched that nobody asked for");
    ana.until("its copies are swept", || async { ana.names("files").is_empty() }).await;

    let saved = kofi.engine.save_attachment(wanted(&talk, 0, 0)).await.unwrap();
    assert_eq!((saved.name.as_str(), saved.folder.as_str()), ("plan.pdf", "Downloads"));
    assert!(std::fs::read(&saved.path).unwrap() == plan);
    let again = kofi.engine.save_attachment(wanted(&talk, 0, 0)).await.unwrap();
    assert_eq!(again.name, "plan (2).pdf");
    let to = Some(kofi.path("mine.csv").to_str().unwrap().to_owned());
    let chosen = kofi.engine.save_attachment(SaveAttachment { to, ..wanted(&talk, 0, 1) }).await.unwrap();
    assert_eq!(std::fs::read(chosen.path).unwrap(), numbers);
    assert_eq!(kofi.names("Downloads"), ["plan (2).pdf", "plan.pdf"]);
    assert_eq!(kofi.names("files"), NOTHING, "nothing is left behind");
    let none = kofi.engine.save_attachment(wanted(&talk, 0, 2)).await.unwrap_err();
    assert_eq!(none.code, FailureCode::NotFound);

    // The person's other device, and an answer with a file from there.
    let desk = join(ana.engine.device_link(Nothing {}).await.unwrap().link, "Whoever").await;
    let id = talk.row.id.to_string();
    desk.until("the thread is there", || async { desk.engine.open(ItemRef { id: id.clone() }).await.is_ok() }).await;
    let files = attach(&desk, Some(&id), ".bashrc", b"rm -rf ~").await;
    desk.engine.reply(reply(&id, "And this.", files)).await.unwrap();
    now_it_goes(&desk).await;
    let talk = arrived(&kofi, "Plans", 2).await;
    let saved = kofi.engine.save_attachment(wanted(&talk, 1, 0)).await.unwrap();
    assert_eq!(saved.name, "bashrc", "nothing hidden");
    let own = desk.engine.save_attachment(wanted(&open(&desk, &id).await, 0, 0)).await.unwrap();
    assert!(std::fs::read(own.path).unwrap() == plan);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_cut_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("server")).await;
    let (cable, through) = Cable::to(&link(&server).await).await;
    let (ana, kofi) = (join(through, "Ana").await, join(link(&server).await, "Kofi").await);
    let film = bytes(8 * MIB);
    let files = attach(&ana, None, "film.webm", &film).await;
    cable.cut_after(5 * MIB as u64);
    ana.engine.compose(thread("A film", files)).await.unwrap();
    now_it_goes(&ana).await;
    ana.until("the line is cut", || async { !cable.is_up() }).await;
    // And the app is killed.
    let ana = ana.crash(TimeDelta::seconds(1)).await;
    assert!(row(&kofi, View::Inbox, "A film").await.is_none(), "not before its file");
    cable.plug_in();
    ana.engine.check_account(AccountRef { id: team(&ana).await }).await.unwrap();
    let talk = arrived(&kofi, "A film", 1).await;
    assert!(cable.sent() < 5 * MIB as u64, "{} bytes for the rest", cable.sent());
    let saved = kofi.engine.save_attachment(wanted(&talk, 0, 0)).await.unwrap();
    assert!(std::fs::read(saved.path).unwrap() == film);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_file_refuses_its_message_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("server");
    start(&data).await.stop().await.unwrap();
    let largest = |mib: u32| {
        let settings = std::fs::read_to_string(data.join("server.toml")).unwrap();
        let line = settings.lines().find(|line| line.contains("largest_mib = ")).unwrap();
        std::fs::write(data.join("server.toml"), settings.replace(line, &format!("largest_mib = {mib}"))).unwrap();
    };
    largest(1);
    let server = resume(&data).await;
    let (ana, kofi) = (join(link(&server).await, "Ana").await, join(link(&server).await, "Kofi").await);
    let talk = ana.engine.compose(thread("Begun", Vec::new())).await.unwrap().item.unwrap().to_string();
    let files = attach(&ana, Some(&talk), "large.zip", &bytes(2 * MIB)).await;
    ana.engine.reply(reply(&talk, "Too much.", files)).await.unwrap();
    ana.engine.reply(reply(&talk, "A word behind it.", Vec::new())).await.unwrap();
    let files = attach(&ana, None, "larger.zip", &bytes(3 * MIB)).await;
    ana.engine.compose(thread("Too much as well", files)).await.unwrap();
    ana.engine.compose(thread("Behind that", Vec::new())).await.unwrap();
    now_it_goes(&ana).await;
    let begun = arrived(&kofi, "Begun", 2).await;
    let refused = |m: &MessageView| matches!(&m.body, Body::Rich { text, .. } if text == "Too much.");
    assert!(!begun.messages.iter().any(refused), "the first and the one behind it");
    arrived(&kofi, "Behind that", 1).await;
    ana.until("it is refused", || async { status(&ana).await.refusals == 3 }).await;
    assert!(row(&kofi, View::Inbox, "Too much as well").await.is_none(), "nobody sees a thread without its words");
    let refusals = ana.engine.refusals(Nothing {}).await.unwrap();
    let refusal = refusals.iter().find(|refusal| refusal.text == "Too much.").unwrap();
    assert!(refusal.message.contains("large.zip") && refusal.message.contains("1 MiB"), "{refusal:?}");
    let own = open(&ana, &talk).await;
    let place = own.messages.iter().position(refused).unwrap();
    let sending = &own.messages[place].sending;
    assert!(matches!(sending, Some(Sending::Refused { message }) if message.contains("large.zip")), "{sending:?}");
    assert_eq!(ana.names("files").len(), 2, "text and file are kept");
    let saved = ana.engine.save_attachment(wanted(&own, place, 0)).await.unwrap();
    assert_eq!(std::fs::metadata(saved.path).unwrap().len(), 2 * MIB as u64, "it is still mine");
    // The owner lets more through; and what is let go leaves nothing.
    server.stop().await.unwrap();
    largest(2);
    let server = resume(&data).await;
    ana.engine.settle_refusal(SettleRefusal { id: refusal.id, retry: true }).await.unwrap();
    now_it_goes(&ana).await;
    arrived(&kofi, "Begun", 3).await;
    for refusal in ana.engine.refusals(Nothing {}).await.unwrap() {
        ana.engine.settle_refusal(SettleRefusal { id: refusal.id, retry: false }).await.unwrap();
    }
    ana.until("swept", || async { ana.names("files").is_empty() }).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bytes_than_the_message_names_are_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("server");
    let server = start(&data).await;
    let (ana, kofi) = (join(link(&server).await, "Ana").await, join(link(&server).await, "Kofi").await);
    let files = attach(&ana, None, "plan.pdf", &bytes(100_000)).await;
    ana.engine.compose(thread("Plans", files)).await.unwrap();
    now_it_goes(&ana).await;
    let talk = arrived(&kofi, "Plans", 1).await;
    let kept = whole_files(&data.join("attachments"));
    let [kept] = kept.as_slice() else { panic!("{kept:?}") };
    let mut forged = std::fs::read(kept).unwrap();
    forged[50_000] ^= 1;
    std::fs::write(kept, &forged).unwrap();
    let failure = kofi.engine.save_attachment(wanted(&talk, 0, 0)).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Refused, "{failure}");
    assert!(failure.message.contains("plan.pdf") && failure.message.contains("thrown away"), "{failure}");
    assert_eq!((kofi.names("Downloads"), kofi.names("files")), (Vec::new(), Vec::new()));
    std::fs::remove_file(kept).unwrap();
    let gone = kofi.engine.save_attachment(wanted(&talk, 0, 0)).await.unwrap_err();
    assert_eq!(gone.code, FailureCode::NotFound, "{gone}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_draft_keeps_its_files_until_they_are_taken_off() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("Contract", "mei@example.org", true, rig.now())]).await;
    let id = rig.rows().await[0].id;
    let kept = attach(&rig, Some(&id.to_string()), "a.txt", b"a").await;
    attach(&rig, Some(&id.to_string()), "b.txt", b"b").await;
    let rig = rig.crash(TimeDelta::zero()).await;
    let talk = open(&rig, &id.to_string()).await;
    assert_eq!((talk.draft_files.len(), talk.draft), (2, None));
    let left = rig.engine.detach(Detach { item: Some(id), sha256: kept[0].sha256.clone() }).await.unwrap();
    assert_eq!(left.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["b.txt"]);
    assert_eq!(rig.names("files"), [left.files[0].sha256.clone()], "its copy is gone with it");
    // The text comes and goes; the file stays.
    for text in ["half a sent", ""] {
        rig.engine.save_draft(Draft { item: Some(id), text: text.to_owned(), ..Default::default() }).await.unwrap();
        assert_eq!(open(&rig, &id.to_string()).await.draft_files, left.files);
    }
    // What was swept can't be sent.
    let failure = rig.engine.reply(reply(&id.to_string(), "Here.", kept)).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::NotFound);
    assert!(failure.message.contains("a.txt is not there any more"), "{failure}");
}

#[tokio::test]
async fn an_answer_by_mail_takes_its_files_along() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("Contract", "mei@example.org", true, rig.now())]).await;
    let id = rig.rows().await[0].id.to_string();
    let files = attach(&rig, Some(&id), "signed.pdf", b"signed").await;
    rig.engine.reply(reply(&id, "Here it is.", files.clone())).await.unwrap();
    let talk = open(&rig, &id).await;
    assert_eq!(talk.messages[1].attachments[0].name, "signed.pdf", "it is shown at once");
    // Taken back, both are in the composer again.
    rig.engine.undo(Nothing {}).await.unwrap();
    let talk = open(&rig, &id).await;
    assert_eq!((talk.draft.as_deref(), &talk.draft_files), (Some("Here it is."), &files));
    rig.engine.reply(reply(&id, "Here it is.", files)).await.unwrap();
    let rig = rig.crash(TimeDelta::seconds(11)).await;
    rig.until("it is sent", || async { rig.mailbox.acted().contains(&"reply".to_owned()) }).await;
    assert_eq!(*rig.mailbox.sent_files.lock().unwrap(), [b"signed".to_vec()]);
    let named = rig.mailbox.acts.lock().unwrap().iter().any(|op| match &op.what {
        What::Reply { files, .. } => files[0].name == "signed.pdf" && files[0].media_type == "application/pdf",
        _ => false,
    });
    assert!(named);
    rig.until("its copy is swept", || async { rig.names("files").is_empty() }).await;
}

#[tokio::test]
async fn what_hangs_on_a_mail_is_fetched_when_it_is_asked_for() {
    let rig = Rig::new().await;
    let Change::Message(mut incoming) = mail("Contract", "mei@example.org", true, rig.now()) else { unreachable!() };
    let media_type = "application/pdf".to_owned();
    let listed = |name: &str| {
        let (name, media_type) = (name.to_owned(), media_type.clone());
        meantime_source::Attachment { name, media_type, bytes: 3 }
    };
    incoming.message.attachments = vec![listed("CON.pdf"), listed("gone.pdf")];
    let upstream = incoming.message.upstream.clone();
    rig.mailbox.files.lock().unwrap().insert((upstream, 0), b"pdf".to_vec());
    rig.receive(vec![Change::Message(incoming)]).await;
    let talk = open(&rig, &rig.rows().await[0].id.to_string()).await;
    assert!(talk.messages[0].attachments.iter().all(|file| file.can_save));
    let saved = rig.engine.save_attachment(wanted(&talk, 0, 0)).await.unwrap();
    assert_eq!((saved.name.as_str(), std::fs::read(&saved.path).unwrap()), ("_CON.pdf", b"pdf".to_vec()));
    let gone = rig.engine.save_attachment(wanted(&talk, 0, 1)).await.unwrap_err();
    assert_eq!(gone.code, FailureCode::NotFound);
    assert!(gone.message.contains("gone.pdf"), "{gone}");
    assert_eq!(rig.names("Downloads"), ["_CON.pdf"]);
}

#[tokio::test]
async fn what_can_not_be_attached_is_said_at_once() {
    let rig = Rig::new().await;
    rig.receive(vec![mail("Contract", "mei@example.org", true, rig.now())]).await;
    let id = rig.rows().await[0].id.to_string();
    let path = |name: &str| FileToAttach { path: rig.path(name).to_str().unwrap().to_owned(), name: None };
    let large = std::fs::File::create(rig.path("large.iso")).unwrap();
    large.set_len((25 << 20) + 1).unwrap();
    std::fs::write(rig.path("small.txt"), "x").unwrap();
    for (files, words) in [
        (vec![path("large.iso")], "larger than 25 MiB"),
        (vec![path("small.txt"), path("none.txt")], "none.txt is not there"),
        (vec![path("small.txt"); 21], "at most 20 files"),
        (vec![FileToAttach { path: "small.txt".to_owned(), name: None }], "whole path"),
        (Vec::new(), "at least one"),
    ] {
        let failure = rig.engine.attach(Attach { item: None, files }).await.unwrap_err();
        assert!(failure.message.contains(words), "{failure}");
    }
    let mail = Attach { item: Some(id), files: vec![path("large.iso")] };
    assert!(rig.engine.attach(mail).await.unwrap_err().message.contains("18 MiB"));
    assert_eq!(rig.names("files"), NOTHING, "nothing is left of what failed");
    assert_eq!(rig.engine.draft(DraftOf { item: None }).await.unwrap().files, []);
}
