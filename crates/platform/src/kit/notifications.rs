//! A notification daemon that shows nothing and behaves as it is told.

use super::PrivateBus;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use zbus::zvariant::OwnedValue;

const PATH: &str = "/org/freedesktop/Notifications";
const NAME: &str = "org.freedesktop.Notifications";

/// What it received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The number it gave.
    pub id: u32,
    /// The number of the note it was to replace, 0 for none.
    pub replaces: u32,
    /// Title.
    pub summary: String,
    /// Text.
    pub body: String,
    /// Ids and labels in turn.
    pub actions: Vec<String>,
    /// The connection it came over.
    pub sender: String,
}

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// What `GetCapabilities` tells.
    pub caps: Vec<&'static str>,
    /// It never answers `Notify`.
    pub hangs: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { caps: vec!["actions", "body", "body-markup"], hangs: false }
    }
}

/// Owns the name of the notification service; gives it back when dropped.
pub struct NotificationDaemon {
    bus: zbus::Connection,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    received: Vec<Received>,
    closed: Vec<u32>,
    next: u32,
}

struct Service {
    shared: Arc<Mutex<Shared>>,
    behaviour: Behaviour,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    fn get_capabilities(&self) -> Vec<String> {
        self.behaviour.caps.iter().map(|&cap| cap.to_owned()).collect()
    }

    fn get_server_information(&self) -> (&str, &str, &str, &str) {
        ("kit", "Meantime", "1", "1.2")
    }

    #[allow(clippy::too_many_arguments)] // as the specification has it
    async fn notify(
        &self,
        #[zbus(header)] header: zbus::message::Header<'_>,
        _app: String,
        replaces: u32,
        _icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _timeout: i32,
    ) -> u32 {
        if self.behaviour.hangs {
            std::future::pending::<()>().await;
        }
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        let mut shared = self.shared.lock().expect("the daemon's state");
        shared.next += 1;
        let id = if replaces == 0 { shared.next } else { replaces };
        shared.received.push(Received { id, replaces, summary, body, actions, sender });
        id
    }

    async fn close_notification(&self, #[zbus(connection)] bus: &zbus::Connection, id: u32) {
        self.shared.lock().expect("the daemon's state").closed.push(id);
        signal(bus, "NotificationClosed", &(id, 3_u32)).await;
    }
}

impl NotificationDaemon {
    /// Starts one.
    ///
    /// # Panics
    /// Another daemon owns the name.
    pub async fn start(bus: &PrivateBus, behaviour: Behaviour) -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let service = Service { shared: shared.clone(), behaviour };
        let builder = bus.builder().serve_at(PATH, service).expect("its path").name(NAME).expect("its name");
        Self { bus: builder.build().await.expect("the name is free"), shared }
    }

    /// Everything received, the oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.lock().expect("the daemon's state").received.clone()
    }

    /// The numbers it was asked to close.
    #[must_use]
    pub fn closed(&self) -> Vec<u32> {
        self.shared.lock().expect("the daemon's state").closed.clone()
    }

    /// The person clicks: `default` is the note itself.
    pub async fn act(&self, id: u32, action: &str) {
        signal(&self.bus, "ActionInvoked", &(id, action)).await;
    }

    /// The note goes: 1 expired, 2 dismissed, 3 closed by the app.
    pub async fn dismiss(&self, id: u32, reason: u32) {
        signal(&self.bus, "NotificationClosed", &(id, reason)).await;
    }

    /// Ends as a crash would.
    pub async fn stop(self) {
        let _ = self.bus.close().await;
    }
}

async fn signal<B: serde::Serialize + zbus::zvariant::DynamicType>(bus: &zbus::Connection, name: &str, body: &B) {
    bus.emit_signal(None::<&str>, PATH, NAME, name, body).await.expect("the bus takes a signal");
}
