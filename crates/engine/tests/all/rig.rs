//! An engine in a folder of its own, and the world around it.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_engine::api::*;
use meantime_engine::{Adapters, Configured, Engine, MailArchive, Setup};
use meantime_platform::notify::MemoryNotifier;
use meantime_platform::secrets::{Choice, Safe};
use meantime_platform::{Clock, Dirs, Secrets as _, Wakes};
use meantime_source::change::Incoming;
use meantime_source::{
    AccountInfo, ActOutcome, Attachment, Budget, Caps, Change, Cursor, Flags, Item, Message, Op, Page, Person, Secret,
    Source, SourceError, SourceResult, What,
};
use meantime_store::Store;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// A clock that only the test moves. It begins on a Tuesday, at work.
pub struct HandClock {
    wall: Mutex<DateTime<Utc>>,
    steady: Mutex<Duration>,
}

impl HandClock {
    fn pass(&self, time: TimeDelta) {
        *self.wall.lock().unwrap() += time;
        *self.steady.lock().unwrap() += time.to_std().unwrap();
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        *self.wall.lock().unwrap()
    }
    fn steady(&self) -> Duration {
        *self.steady.lock().unwrap()
    }
    fn zone(&self) -> String {
        "Europe/Lisbon".to_owned()
    }
}

/// A mailbox whose server is the test.
#[derive(Default)]
pub struct Mailbox {
    pages: Mutex<Vec<Page>>,
    pub acts: Mutex<Vec<Op>>,
    /// What the next calls fail with.
    pub pull_fails: Mutex<Option<SourceError>>,
    pub act_fails: Mutex<Option<SourceError>>,
    /// What the server that sends fails with.
    pub sending_fails: Mutex<Option<SourceError>>,
    /// How often it was asked to send.
    pub sendings: Mutex<u32>,
    /// How slow the server is to take something.
    pub act_takes: Mutex<Duration>,
    /// Images, by their addresses.
    pub web: Mutex<HashMap<String, Vec<u8>>>,
    /// With which password it was read, each time.
    pub pulls: Mutex<Vec<String>>,
    /// What hangs on its messages, by message and place.
    pub files: Mutex<HashMap<(String, usize), Vec<u8>>>,
    /// What went out with answers.
    pub sent_files: Mutex<Vec<Vec<u8>>>,
    news: Notify,
}

impl Mailbox {
    pub fn deliver(&self, page: Page) {
        self.pages.lock().unwrap().push(page);
        self.news.notify_one();
    }

    pub fn acted(&self) -> Vec<String> {
        let acts = self.acts.lock().unwrap();
        acts.iter().map(|op| serde_json::to_value(&op.what).unwrap()["what"].as_str().unwrap().to_owned()).collect()
    }
}

struct FakeSource(Arc<Mailbox>, Option<Secret>);

#[async_trait]
impl Source for FakeSource {
    fn caps(&self) -> Caps {
        Caps { live: true, reply: true, read: true, done: true }
    }
    fn identity(&self) -> String {
        "imap:ana@example.org".to_owned()
    }
    async fn check(&self) -> SourceResult<AccountInfo> {
        Ok(AccountInfo { name: "ana@example.org".to_owned(), summary: String::new() })
    }
    async fn pull(&self, _: Option<&Cursor>, _: Budget) -> SourceResult<Page> {
        let password = self.1.as_ref().map_or("", Secret::reveal).to_owned();
        self.0.pulls.lock().unwrap().push(password);
        if let Some(error) = self.0.pull_fails.lock().unwrap().clone() {
            return Err(error);
        }
        let mut pages = self.0.pages.lock().unwrap();
        if pages.is_empty() { Ok(page(Vec::new(), false)) } else { Ok(pages.remove(0)) }
    }
    async fn live(&self, _: &Cursor) -> SourceResult<()> {
        // Two that came at once are one notice.
        while self.0.pages.lock().unwrap().is_empty() {
            self.0.news.notified().await;
        }
        Ok(())
    }
    async fn act(&self, op: &Op) -> SourceResult<ActOutcome> {
        if matches!(op.what, What::Reply { .. }) {
            *self.0.sendings.lock().unwrap() += 1;
            if let Some(error) = self.0.sending_fails.lock().unwrap().clone() {
                return Err(error);
            }
        }
        if let Some(error) = self.0.act_fails.lock().unwrap().clone() {
            return Err(error);
        }
        let takes = *self.0.act_takes.lock().unwrap();
        tokio::time::sleep(takes).await;
        if let What::Reply { files, .. } = &op.what {
            let sent = files.iter().map(|file| std::fs::read(&file.path).unwrap());
            self.0.sent_files.lock().unwrap().extend(sent);
        }
        self.0.acts.lock().unwrap().push(op.clone());
        Ok(ActOutcome::Applied)
    }
    async fn attachment(&self, message: &str, place: usize, _: &Attachment) -> SourceResult<Option<Vec<u8>>> {
        Ok(self.0.files.lock().unwrap().get(&(message.to_owned(), place)).cloned())
    }
}

struct OneMailbox(Arc<Mailbox>);

#[async_trait]
impl Adapters for OneMailbox {
    fn open(&self, _: SourceKind, _: &Value, secret: Option<Secret>) -> Result<Arc<dyn Source>, SourceError> {
        Ok(Arc::new(FakeSource(self.0.clone(), secret)))
    }
    async fn configure(&self, _: NewAccount) -> Result<Configured, SourceError> {
        Ok(Configured {
            kind: SourceKind::Imap,
            config: json!({ "smtp": {} }),
            secret: Some(Secret::new("hunter2".into())),
        })
    }
    async fn image(&self, address: &str, most: usize) -> Result<Vec<u8>, SourceError> {
        let found = self.0.web.lock().unwrap().get(address).cloned();
        found.filter(|bytes| bytes.len() <= most).ok_or_else(|| SourceError::Transient("nothing there".into()))
    }
    fn read_mail(&self, _: &Path, _: MailFormat) -> Result<MailArchive, SourceError> {
        Ok(Box::new(std::iter::empty()))
    }
}

pub struct Rig {
    pub engine: Arc<Engine>,
    pub notifier: Arc<MemoryNotifier>,
    pub mailbox: Arc<Mailbox>,
    clock: Arc<HandClock>,
    safe: Arc<Safe>,
    home: tempfile::TempDir,
}

impl Rig {
    /// An engine with one mailbox, whose first (empty) reading is through.
    pub async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let dirs = Dirs::within(home.path()).unwrap();
        dirs.create().unwrap();
        let safe = Safe::open(&dirs).await;
        safe.choose(Choice::Session).await.unwrap();
        let wall = Mutex::new("2026-06-09T09:00:00Z".parse().unwrap());
        let clock = Arc::new(HandClock { wall, steady: Mutex::new(Duration::from_secs(900)) });
        let (notifier, mailbox) = (Arc::new(MemoryNotifier::default()), Arc::new(Mailbox::default()));
        let engine = start(home.path(), &clock, &notifier, &mailbox, &safe).await;
        let rig = Self { engine, notifier, mailbox, clock, safe, home };
        let new = NewAccount::Feed { url: String::new(), private: false };
        rig.engine.add_account(new).await.unwrap();
        rig.until("the first reading is through", || async {
            rig.engine.accounts(Nothing {}).await.unwrap()[0].state == AccountState::Fine
        })
        .await;
        rig
    }

    /// The process dies and is started again, `after` later, with the computer.
    pub async fn crash(self, after: TimeDelta) -> Self {
        let Self { engine, notifier, mailbox, clock, safe, home } = self;
        // Stopping commits nothing: what a killed process leaves is the same.
        engine.stop().await;
        drop(engine);
        clock.pass(after);
        *clock.steady.lock().unwrap() = Duration::from_secs(1);
        let engine = start(home.path(), &clock, &notifier, &mailbox, &safe).await;
        Self { engine, notifier, mailbox, clock, safe, home }
    }

    /// The same after the computer was started anew: nothing is in memory.
    pub async fn boot(mut self) -> Self {
        self.engine.stop().await;
        self.safe = Safe::open(&Dirs::within(self.home.path()).unwrap()).await;
        self.crash(TimeDelta::zero()).await
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// An account's secret, as it lies in the keyring.
    pub async fn token(&self, account: meantime_model::AccountId) -> Option<String> {
        self.safe.get(&format!("account/{account}")).await.unwrap()
    }

    /// It is in the keyring no more.
    pub async fn forget(&self, account: meantime_model::AccountId) {
        self.safe.delete(&format!("account/{account}")).await.unwrap();
    }

    /// Something in the person's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// What lies in one of its folders, by name.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Time passes, while the computer is awake or asleep.
    pub fn pass(&self, time: TimeDelta) {
        self.clock.pass(time);
    }

    /// Somebody sets the computer's clock by so much.
    pub fn set_clock(&self, by: TimeDelta) {
        *self.clock.wall.lock().unwrap() += by;
    }

    pub async fn rows(&self) -> Vec<Row> {
        let query = InboxQuery { view: View::Inbox, offset: 0, limit: 100 };
        self.engine.inbox(query).await.unwrap().rows
    }

    pub async fn titles(&self, view: View) -> Vec<String> {
        let page = self.engine.inbox(InboxQuery { view, offset: 0, limit: 100 }).await.unwrap();
        page.rows.into_iter().map(|row| row.title).collect()
    }

    /// Delivers mails and waits until they are in the list.
    pub async fn receive(&self, mails: Vec<Change>) {
        let wanted = self.rows().await.len() + mails.len();
        self.mailbox.deliver(page(mails, false));
        self.until("the mail is in the list", || async { self.rows().await.len() == wanted }).await;
    }

    pub async fn until<F: Future<Output = bool>>(&self, what: &str, mut holds: impl FnMut() -> F) {
        let end = tokio::time::Instant::now() + Duration::from_secs(20);
        while !holds().await {
            assert!(tokio::time::Instant::now() < end, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn shown(&self) -> Vec<String> {
        self.notifier.history().into_iter().map(|note| note.title).collect()
    }
}

async fn start(
    home: &Path,
    clock: &Arc<HandClock>,
    notifier: &Arc<MemoryNotifier>,
    mailbox: &Arc<Mailbox>,
    safe: &Arc<Safe>,
) -> Arc<Engine> {
    let store = Store::open(&home.join("meantime.db"), clock.now()).unwrap().store;
    Engine::start(Setup {
        store,
        clock: clock.clone(),
        notifier: notifier.clone(),
        safe: safe.clone(),
        adapters: Arc::new(OneMailbox(mailbox.clone())),
        wakes: Wakes::watch(clock.clone()),
        sample_dir: home.join("sample"),
        files_dir: home.join("files"),
        downloads: Some(home.join("Downloads")),
        background: true,
    })
    .await
    .unwrap()
}

pub fn page(changes: Vec<Change>, backfill: bool) -> Page {
    Page { changes, next: Cursor(json!(1)), more: false, backfill, poll_after: None, trouble: None }
}

/// A mail from somebody; `addressed` ones are yellow, others green.
pub fn mail(title: &str, from: &str, addressed: bool, at: DateTime<Utc>) -> Change {
    let person = Person { name: String::new(), address: from.to_owned() };
    Change::Message(Box::new(Incoming {
        item: Item {
            upstream: format!("<{title}>"),
            title: title.to_owned(),
            urgency: None,
            addressed,
            place: "INBOX".to_owned(),
        },
        message: Message {
            upstream: format!("<{title}@{}>", at.timestamp()),
            author: person,
            to: vec![Person { name: "Ana".into(), address: "ana@example.org".into() }],
            cc: Vec::new(),
            reply_to: Vec::new(),
            own: false,
            at,
            text: format!("About {title}."),
            html: None,
            attachments: Vec::new(),
            flags: Flags::default(),
            unreadable: None,
            link: None,
        },
    }))
}

/// The same, urgent.
pub fn red(title: &str, from: &str, at: DateTime<Utc>) -> Change {
    let Change::Message(mut incoming) = mail(title, from, true, at) else { unreachable!() };
    incoming.item.urgency = Some(meantime_model::Urgency::Red);
    Change::Message(incoming)
}
