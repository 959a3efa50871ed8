//! Notifications of the desktop, by the specification of freedesktop.org.
//!
//! What bites: GNOME takes a note away when the connection that sent it
//! closes, so each note's handle is kept until the note is gone; buttons and
//! markup are there only if the service says so; a service that is started
//! again has forgotten everything. A process that is killed after a note is on
//! the screen and before its number is known to anybody leaves one behind that
//! the next process shows again: services that go by tags (dunst, mako, Xfce)
//! replace it by that, others show a second one.

mod service;

use self::service::{ServiceProxy, silent, within};
use super::{APP_ID, APP_NAME, Note, NoteEvent, Notifier, NotifyError, text};
use async_trait::async_trait;
use futures::StreamExt;
use notify_rust::{Hint, Notification, NotificationHandle, NotificationResponse, Timeout, Urgency};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::task::{AbortHandle, JoinHandle};
use zbus::fdo::DBusProxy;

/// A service that takes longer is treated as absent.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the desktop may take to start its service on the first use.
const START_WITHIN: Duration = Duration::from_secs(10);
/// Connections of replaced notes that are kept: see [`State::retired`].
const RETIRED: usize = 8;

/// Shows notes through the desktop's notification service.
pub struct DesktopNotifier {
    inner: Arc<Inner>,
    watch: JoinHandle<()>,
}

struct Inner {
    state: Mutex<State>,
    /// One at a time: two notes of one key must not both be new.
    showing: tokio::sync::Mutex<()>,
    events: broadcast::Sender<NoteEvent>,
}

#[derive(Default)]
struct State {
    /// Our own connection, once there is one.
    bus: Option<zbus::Connection>,
    caps: Option<Caps>,
    shown: HashMap<String, Shown>,
    /// GNOME groups an app's notes below the first connection and drops them
    /// all with it. So connections of replaced notes live on while any is shown.
    retired: Vec<Arc<NotificationHandle>>,
    /// Something was lost with the service, or could not be shown.
    lost: bool,
}

#[derive(Clone, Copy)]
struct Caps {
    actions: bool,
    markup: bool,
    body: bool,
}

struct Shown {
    id: u32,
    /// The connection name of the service that shows it.
    service: String,
    /// Its own connection, unless another process showed it.
    sent: Option<Sent>,
}

struct Sent {
    handle: Arc<NotificationHandle>,
    wait: AbortHandle,
}

impl Shown {
    /// Its own connection is not listened to any more.
    fn forget(&self) {
        if let Some(sent) = &self.sent {
            sent.wait.abort();
        }
    }

    /// Takes it off the screen.
    async fn close(self, bus: Option<zbus::Connection>) {
        let closed = async {
            match (self.sent, bus) {
                (Some(sent), _) => sent.handle.close_async().await,
                (None, Some(bus)) => {
                    let closed = async { ServiceProxy::new(&bus).await?.close_notification(self.id).await };
                    if let Err(error) = closed.await {
                        tracing::debug!("a notification could not be closed: {error}");
                    }
                }
                (None, None) => {}
            }
        };
        let _ = tokio::time::timeout(ANSWER_WITHIN, closed).await;
    }
}

impl DesktopNotifier {
    /// Begins to listen to the session bus. Must be called within a tokio
    /// runtime. Works without a bus as well: then nothing can be shown, and
    /// each `show` says so.
    #[must_use]
    pub fn new() -> Self {
        let inner = Arc::new(Inner {
            state: Mutex::default(),
            showing: tokio::sync::Mutex::default(),
            events: broadcast::channel(256).0,
        });
        let watch = tokio::spawn(watch(Arc::downgrade(&inner)));
        Self { inner, watch }
    }
}

impl Default for DesktopNotifier {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for DesktopNotifier {
    fn drop(&mut self) {
        self.watch.abort();
        for (_, shown) in self.inner.state().shown.drain() {
            shown.forget();
        }
    }
}

#[async_trait]
impl Notifier for DesktopNotifier {
    async fn show(&self, note: Note) -> Result<Option<String>, NotifyError> {
        let _one = self.inner.showing.lock().await;
        let shown = self.inner.show(&note).await;
        if let Err(error) = &shown {
            tracing::warn!("a notification could not be shown: {error}");
            self.inner.state().lost = true;
        }
        shown.map(Some)
    }

    async fn adopt(&self, key: &str, place: &str) {
        let _one = self.inner.showing.lock().await;
        if let Err(error) = within(ANSWER_WITHIN, self.inner.adopt(key, place)).await {
            tracing::debug!("what an earlier run showed is left as it is: {error}");
        }
    }

    async fn withdraw(&self, key: &str) {
        let Some(shown) = self.inner.take(key) else { return };
        shown.forget();
        let bus = self.inner.state().bus.clone();
        shown.close(bus).await;
        self.inner.tell(NoteEvent::Closed { key: key.to_owned() });
    }

    fn events(&self) -> broadcast::Receiver<NoteEvent> {
        self.inner.events.subscribe()
    }
}

impl Inner {
    async fn show(self: &Arc<Self>, note: &Note) -> Result<String, NotifyError> {
        let bus = within(ANSWER_WITHIN, self.bus()).await?;
        let caps = within(START_WITHIN, self.caps(&bus)).await?;
        let before = self.state().shown.get(&note.key).map(|shown| shown.id);
        let handle = tokio::time::timeout(ANSWER_WITHIN, notification(note, caps, before).show_async())
            .await
            .map_err(|_| silent())?
            .map_err(|error| NotifyError(format!("the desktop's notification service refused: {error}")))?;
        let (session, service) = within(ANSWER_WITHIN, service::owner(&bus)).await?;
        let place = format!("{session} {service} {}", handle.id());
        self.keep(&note.key, Arc::new(handle), service);
        Ok(place)
    }

    /// A number means something to the service that gave it and to no other,
    /// and a service's name is used again in another session.
    async fn adopt(&self, key: &str, place: &str) -> zbus::Result<()> {
        let mut words = place.split(' ');
        let (Some(session), Some(owner), Some(Ok(id))) =
            (words.next(), words.next(), words.next().map(str::parse::<u32>))
        else {
            return Ok(());
        };
        if service::owner(&self.bus().await?).await? == (session.to_owned(), owner.to_owned()) {
            let shown = || Shown { id, service: owner.to_owned(), sent: None };
            self.state().shown.entry(key.to_owned()).or_insert_with(shown);
        }
        Ok(())
    }

    /// Keeps the note's connection, and waits for what becomes of it.
    fn keep(self: &Arc<Self>, key: &str, handle: Arc<NotificationHandle>, service: String) {
        let wait = tokio::spawn(wait(Arc::downgrade(self), handle.clone())).abort_handle();
        let mut state = self.state();
        let shown = Shown { id: handle.id(), service, sent: Some(Sent { handle, wait }) };
        let Some(before) = state.shown.insert(key.to_owned(), shown) else { return };
        before.forget();
        if let Some(sent) = before.sent {
            if state.retired.len() >= RETIRED {
                state.retired.remove(0);
            }
            state.retired.push(sent.handle);
        }
    }

    fn take(&self, key: &str) -> Option<Shown> {
        let mut state = self.state();
        let shown = state.shown.remove(key);
        if state.shown.is_empty() {
            state.retired.clear();
        }
        shown
    }

    /// The first thing that becomes of a note; after it the note is gone
    /// everywhere, so that a service that keeps a clicked one has it closed.
    fn became(&self, id: u32, response: NotificationResponse) {
        let key = self.state().shown.iter().find(|(_, shown)| shown.id == id).map(|(key, _)| key.clone());
        let Some((key, shown)) = key.and_then(|key| self.take(&key).map(|shown| (key, shown))) else { return };
        let clicked = match response {
            NotificationResponse::Default => Some(NoteEvent::Open { key: key.clone() }),
            NotificationResponse::Action(action) => Some(NoteEvent::Act { key: key.clone(), action }),
            NotificationResponse::Closed(_) | NotificationResponse::Reply(_) => None,
        };
        let bus = self.state().bus.clone().filter(|_| clicked.is_some());
        if let Some(event) = clicked {
            self.tell(event);
        }
        self.tell(NoteEvent::Closed { key });
        shown.forget();
        if bus.is_some() {
            tokio::spawn(shown.close(bus));
        }
    }

    async fn bus(&self) -> zbus::Result<zbus::Connection> {
        if let Some(bus) = self.state().bus.clone() {
            return Ok(bus);
        }
        let bus = zbus::Connection::session().await?;
        self.state().bus = Some(bus.clone());
        Ok(bus)
    }

    /// Asked once for each run of the service; the first question starts it.
    async fn caps(&self, bus: &zbus::Connection) -> zbus::Result<Caps> {
        if let Some(caps) = self.state().caps {
            return Ok(caps);
        }
        let told = ServiceProxy::new(bus).await?.get_capabilities().await?;
        let has = |cap: &str| told.iter().any(|told| told == cap);
        let caps = Caps { actions: has("actions"), markup: has("body-markup"), body: has("body") };
        self.state().caps = Some(caps);
        Ok(caps)
    }

    /// The service's name went to another process, or to none.
    fn owner_changed(&self, new: Option<&str>) {
        let mut state = self.state();
        state.caps = None;
        let before = state.shown.len();
        state.shown.retain(|_, shown| {
            let there = Some(shown.service.as_str()) == new;
            if !there {
                shown.forget();
            }
            there
        });
        if state.shown.is_empty() {
            state.retired.clear();
        }
        state.lost |= state.shown.len() < before;
        if new.is_some() && std::mem::take(&mut state.lost) {
            drop(state);
            self.tell(NoteEvent::DaemonRestarted);
        }
    }

    fn tell(&self, event: NoteEvent) {
        // Nobody listening is fine: the engine asks again when it starts.
        let _ = self.events.send(event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn notification(note: &Note, caps: Caps, replaces: Option<u32>) -> Notification {
    let mut notification = Notification::new();
    let (mut title, body) = (text::title(note), text::body(note, caps.markup));
    if caps.body {
        notification.body(&body);
    } else if !body.is_empty() {
        title = format!("{title}: {}", text::body(note, false).replace('\n', ", "));
    }
    notification
        .appname(APP_NAME)
        .summary(&title)
        .icon(APP_ID)
        .hint(Hint::DesktopEntry(APP_ID.to_owned()))
        .hint(Hint::Custom("x-dunst-stack-tag".to_owned(), note.key.clone()))
        .hint(Hint::Custom("x-canonical-private-synchronous".to_owned(), note.key.clone()))
        .urgency(if note.urgent { Urgency::Critical } else { Urgency::Normal })
        .timeout(if note.urgent { Timeout::Never } else { Timeout::Default })
        // Always: without it a click does nothing, or only closes the note.
        .action("default", "Open");
    if caps.actions {
        for (id, label) in &note.actions {
            notification.action(id, label);
        }
    }
    if let Some(id) = replaces {
        notification.id(id);
    }
    notification.finalize()
}

/// Waits on the note's own connection: some services tell only the sender.
async fn wait(inner: Weak<Inner>, handle: Arc<NotificationHandle>) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    handle
        .wait_for_action_async(move |response: &NotificationResponse| {
            let _ = sender.send(response.clone());
        })
        .await;
    if let (Ok(response), Some(inner)) = (receiver.await, inner.upgrade()) {
        inner.became(handle.id(), response);
    }
}

/// Watches the service, for as long as the bus lives.
async fn watch(inner: Weak<Inner>) {
    let watched = async {
        let bus = match inner.upgrade() {
            Some(inner) => inner.bus().await?,
            None => return Ok(()),
        };
        let mut changes =
            DBusProxy::new(&bus).await?.receive_name_owner_changed_with_args(&[(0, service::NAME)]).await?;
        let rule = zbus::MatchRule::builder().msg_type(zbus::message::Type::Signal).interface(service::NAME)?.build();
        let mut signals = zbus::MessageStream::for_match_rule(rule, &bus, None).await?;
        loop {
            tokio::select! {
                Some(change) = changes.next() => {
                    let (Some(inner), Ok(args)) = (inner.upgrade(), change.args()) else { break };
                    inner.owner_changed(args.new_owner.as_ref().map(|owner| owner.as_str()));
                }
                Some(Ok(signal)) = signals.next() => {
                    let Some(inner) = inner.upgrade() else { break };
                    if let Some((id, response)) = response(&signal) {
                        // A note that is being shown is kept first.
                        drop(inner.showing.lock().await);
                        inner.became(id, response);
                    }
                }
                else => break,
            }
        }
        zbus::Result::Ok(())
    };
    if let Err(error) = watched.await {
        tracing::warn!("the session bus can't be watched for notifications: {error}");
    }
}

/// What most services tell everybody: heard even if it comes before [`wait`] listens.
fn response(signal: &zbus::Message) -> Option<(u32, NotificationResponse)> {
    let header = signal.header();
    match header.member()?.as_str() {
        "ActionInvoked" => {
            let (id, action): (u32, String) = signal.body().deserialize().ok()?;
            let default = action == "default";
            Some((id, if default { NotificationResponse::Default } else { NotificationResponse::Action(action) }))
        }
        "NotificationClosed" => {
            let (id, reason): (u32, u32) = signal.body().deserialize().ok()?;
            Some((id, NotificationResponse::Closed(reason.into())))
        }
        _ => None,
    }
}
