//! The same short day at the real server, again and again: each time another
//! step is the one that goes wrong, until there is no further step. A step is
//! a call of the store or of the server.

use crate::real::{App, eventually, start};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::ItemId;
use meantime_protocol::http::{
    BootstrapPage, InviteRequest, JoinResponse, Me, OpResult, PullPage, PushRequest, PushResponse,
};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Cursor, Invite, Record, Scope};
use meantime_store::{outbox, record};
use meantime_sync::{
    Feed, HttpRemote, Log, LogError, Outgoing, OutgoingFile, Pokes, Remote, RemoteError, State, TransferError,
};
use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// What goes wrong at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The server did it; its answer never comes.
    AnswerLost,
    /// `kill -9` before the step.
    EndsBefore,
    /// `kill -9` after it.
    EndsAfter,
}

/// Counts the steps, and makes one of them go wrong.
struct Steps {
    trouble: Trouble,
    at: usize,
    done: AtomicUsize,
    ended: Notify,
}

impl Steps {
    fn new(trouble: Trouble, at: usize) -> Arc<Self> {
        Arc::new(Self { trouble, at, done: AtomicUsize::new(0), ended: Notify::new() })
    }

    /// A call of the store: it has no answer that could be lost.
    async fn kept<T>(&self, call: impl Future<Output = T>) -> T {
        if self.trouble == Trouble::AnswerLost { call.await } else { self.step(call).await.0 }
    }

    /// A call of the server.
    async fn answered<T>(&self, call: impl Future<Output = Result<T, RemoteError>>) -> Result<T, RemoteError> {
        match self.step(call).await {
            (_, true) => Err(RemoteError::Offline("the test lost the answer".into())),
            (answer, false) => answer,
        }
    }

    /// The second part: its answer is lost.
    async fn step<T>(&self, call: impl Future<Output = T>) -> (T, bool) {
        let now = self.done.fetch_add(1, Ordering::SeqCst) == self.at;
        if now && self.trouble == Trouble::EndsBefore {
            self.end().await;
        }
        let answer = call.await;
        if now && self.trouble == Trouble::EndsAfter {
            self.end().await;
        }
        (answer, now && self.trouble == Trouble::AnswerLost)
    }

    async fn end(&self) {
        self.ended.notify_one();
        pending::<()>().await;
    }

    /// Waits until it holds; an app that ends meanwhile is started again.
    async fn until(&self, what: &str, app: &mut App, holds: impl Fn(&App) -> bool) {
        let ends = tokio::select! {
            () = eventually(what, || holds(app)) => false,
            () = self.ended.notified() => true,
        };
        if ends {
            app.die();
            app.begin();
            eventually(what, || holds(app)).await;
        }
    }

    /// Every step there was went well.
    fn passed(&self) -> bool {
        self.done.load(Ordering::SeqCst) <= self.at
    }
}

/// One of the two sides, with its calls counted.
struct Watched<T: ?Sized> {
    steps: Arc<Steps>,
    side: Arc<T>,
}

#[async_trait]
impl Log for Watched<dyn Log> {
    async fn feeds(&self) -> Result<Vec<Feed>, LogError> {
        self.steps.kept(self.side.feeds()).await
    }
    async fn follow(&self, scope: Scope) -> Result<(), LogError> {
        self.steps.kept(self.side.follow(scope)).await
    }
    async fn forget(&self, scope: Scope) -> Result<(), LogError> {
        self.steps.kept(self.side.forget(scope)).await
    }
    async fn apply_page(&self, scope: Scope, page: &PullPage) -> Result<(), LogError> {
        self.steps.kept(self.side.apply_page(scope, page)).await
    }
    async fn apply_bootstrap(&self, scope: Scope, page: &BootstrapPage) -> Result<(), LogError> {
        self.steps.kept(self.side.apply_bootstrap(scope, page)).await
    }
    async fn begin_anew(&self, scope: Scope, lost_epoch: bool) -> Result<(), LogError> {
        self.steps.kept(self.side.begin_anew(scope, lost_epoch)).await
    }
    async fn outgoing(&self) -> Result<Outgoing, LogError> {
        self.steps.kept(self.side.outgoing()).await
    }
    async fn settle(&self, results: &[OpResult]) -> Result<(), LogError> {
        self.steps.kept(self.side.settle(results)).await
    }
}

#[async_trait]
impl Remote for Watched<dyn Remote> {
    async fn me(&self) -> Result<Me, RemoteError> {
        self.steps.answered(self.side.me()).await
    }
    async fn push(&self, request: &PushRequest) -> Result<PushResponse, RemoteError> {
        self.steps.answered(self.side.push(request)).await
    }
    async fn pull(&self, scope: Scope, cursor: Cursor) -> Result<PullPage, RemoteError> {
        self.steps.answered(self.side.pull(scope, cursor)).await
    }
    async fn bootstrap(&self, scope: Scope, page: Option<&str>) -> Result<BootstrapPage, RemoteError> {
        self.steps.answered(self.side.bootstrap(scope, page)).await
    }
    async fn renew(&self, now: DateTime<Utc>) -> Result<(), RemoteError> {
        self.side.renew(now).await
    }
    async fn send_file(&self, file: &OutgoingFile) -> Result<(), TransferError> {
        self.side.send_file(file).await
    }
    async fn live(&self) -> Result<Pokes, RemoteError> {
        self.steps.answered(self.side.live()).await
    }
}

/// A team with more than fits one page; Ana has joined and never looked.
struct Before {
    folder: tempfile::TempDir,
    invites: [Invite; 2],
    ana: JoinResponse,
    kofi: JoinResponse,
    /// Where the team's feed stands.
    seq: u64,
    thread: ItemId,
}

impl Before {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = start(&folder.path().join("server")).await;
        let request = InviteRequest { valid_hours: 1, role: Role::Member };
        let mut invites = Vec::new();
        for _ in 0..2 {
            invites.push(server.invite(&request).await.unwrap().parse::<Invite>().unwrap());
        }
        let invites: [Invite; 2] = invites.try_into().unwrap();
        let ana = HttpRemote::join(&invites[0], "Ana", "laptop").await.unwrap();
        let kofi = HttpRemote::join(&invites[1], "Kofi", "laptop").await.unwrap();
        let mut writer = App::installed(&invites[1], kofi.clone(), TimeDelta::zero());
        let thread = writer.ask("Which day?", &[ana.person]);
        for n in 0..250 {
            writer.say(thread, &format!("an old word {n}"));
        }
        writer.begin();
        eventually("the past is written", || writer.waiting() == 0).await;
        let seq = server_rows(&writer).await.1;
        writer.die();
        server.stop().await.unwrap();
        Self { folder, invites, ana, kofi, seq, thread }
    }

    /// A day in a copy of all that. True if it had as many steps.
    async fn day(&self, trouble: Trouble, at: usize) -> bool {
        let folder = tempfile::tempdir().unwrap();
        copy(&self.folder.path().join("server"), &folder.path().join("server"));
        let server = start(&folder.path().join("server")).await;
        let mut ana = App::installed(&self.invites[0], self.ana.clone(), TimeDelta::zero());
        let mut kofi = App::installed(&self.invites[1], self.kofi.clone(), TimeDelta::zero());

        // Written before there is a connection: what is refused comes first.
        ana.poison();
        let asked = ana.ask("And the room?", &[self.kofi.person]);
        ana.say(asked, "The blue one?");
        kofi.begin();
        eventually("Kofi is there", || *kofi.handle.state().borrow() == State::Live).await;

        let steps = Steps::new(trouble, at);
        let (log_steps, remote_steps) = (Arc::clone(&steps), Arc::clone(&steps));
        ana.begin_through(|log, remote| {
            (Arc::new(Watched { steps: log_steps, side: log }), Arc::new(Watched { steps: remote_steps, side: remote }))
        });
        let reached = |phase, ana: &App| match phase {
            0 => ana.waiting() == 0 && kofi.item(asked).is_some() && ana.texts(self.thread).len() == 251,
            1 => ana.texts(asked).len() == 3,
            _ => ana.waiting() == 0 && kofi.texts(asked).len() == 4,
        };
        for phase in 0..3 {
            steps.until("the day goes on", &mut ana, |ana| reached(phase, ana)).await;
            match phase {
                0 => kofi.say(asked, "Which room?"),
                1 => ana.say(asked, "The blue one."),
                _ => {}
            }
        }

        // Exactly once: everybody has the server's rows, and the feed moved by
        // as many changes as were made (a thread and four messages).
        let (rows, seq) = server_rows(&kofi).await;
        assert_eq!(seq, self.seq + 5, "each change took effect once");
        // The end may also come now: what Ana sent is out before she has pulled it.
        steps.until("Ana has the server's rows", &mut ana, |ana| rows_of(ana) == rows).await;
        eventually("Kofi has the server's rows", || rows_of(&kofi) == rows).await;
        for app in [&ana, &kofi] {
            assert_eq!(app.texts(asked), ["And the room?", "The blue one?", "Which room?", "The blue one."]);
        }
        let refused = ana.store.read(outbox::refused).unwrap();
        assert_eq!(refused.iter().map(|entry| entry.op.what.as_str()).collect::<Vec<_>>(), ["Poison"]);
        server.stop().await.unwrap();
        !steps.passed()
    }

    async fn days(&self, trouble: Trouble, least: usize) {
        let mut at = 0;
        while self.day(trouble, at).await {
            at += 1;
        }
        println!("{trouble:?} at each of {at} steps");
        assert!(at >= least, "only {at} steps");
    }
}

type Rows = BTreeMap<(String, uuid::Uuid), Record>;

fn by_name(rows: Vec<Record>) -> Rows {
    rows.into_iter().map(|row| ((row.kind.to_string(), row.id), row)).collect()
}

fn rows_of(app: &App) -> Rows {
    by_name(app.store.read(|r| record::of_scope(r, app.feed())).unwrap())
}

/// All rows of the team's feed as the server has them, and where it stands.
async fn server_rows(app: &App) -> (Rows, u64) {
    let remote = app.remote();
    let mut page = remote.bootstrap(app.feed(), None).await.unwrap();
    let seq = page.start.seq;
    let mut rows = std::mem::take(&mut page.rows);
    while let Some(next) = page.next_page.take() {
        page = remote.bootstrap(app.feed(), Some(&next)).await.unwrap();
        rows.append(&mut page.rows);
    }
    (by_name(rows), seq)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &to);
        } else {
            std::fs::copy(file.path(), to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_may_be_lost() {
    Before::new().await.days(Trouble::AnswerLost, 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_app_may_be_killed_before_and_after_every_step() {
    let before = Before::new().await;
    before.days(Trouble::EndsBefore, 20).await;
    before.days(Trouble::EndsAfter, 20).await;
}
