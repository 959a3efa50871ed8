//! Notifications of macOS and Windows.
//!
//! What bites: macOS shows nothing for a program outside its bundle, and its
//! call sends the note and waits for the answer in one; Windows shows nothing
//! for an app whose AppUserModelID is not registered, and says nothing about
//! it. Neither takes a note back here; a note that is replaced is sent anew.

use super::{APP_ID, APP_NAME, Note, NoteEvent, Notifier, NotifyError, text};
use async_trait::async_trait;
use notify_rust::{Notification, NotificationResponse};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// Shows notes through the system.
pub struct DesktopNotifier {
    inner: Arc<Inner>,
    /// Why nothing can be shown, if that is known from the start.
    unable: Option<String>,
}

struct Inner {
    /// The newest note of each key: older ones of the same key tell nothing any more.
    newest: Mutex<HashMap<String, u64>>,
    events: broadcast::Sender<NoteEvent>,
}

impl DesktopNotifier {
    /// Makes the app known to the system.
    #[must_use]
    pub fn new() -> Self {
        let inner = Inner { newest: Mutex::default(), events: broadcast::channel(256).0 };
        Self { inner: Arc::new(inner), unable: os::register().err() }
    }
}

impl Default for DesktopNotifier {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Notifier for DesktopNotifier {
    async fn show(&self, note: Note) -> Result<Option<String>, NotifyError> {
        if let Some(why) = &self.unable {
            return Err(NotifyError(why.clone()));
        }
        let mut notification = Notification::new();
        notification.appname(APP_NAME).summary(&text::title(&note)).body(&text::body(&note, false));
        for (id, label) in &note.actions {
            notification.action(id, label);
        }
        os::finish(&mut notification, &note);
        let run = self.inner.begin(&note.key);
        let inner = self.inner.clone();
        let (shown, taken) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("notification".to_owned())
            .spawn(move || {
                let response = os::show_and_wait(&notification, shown);
                inner.end(note, run, response);
            })
            .map_err(|e| NotifyError(format!("notifications can't be shown: {e}")))?;
        let taken = taken.await.unwrap_or_else(|_| Err("the system did not take it".to_owned()));
        taken.map(|()| None).map_err(NotifyError)
    }

    async fn withdraw(&self, key: &str) {
        let known = self.inner.newest.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        if known.is_some() {
            let _ = self.inner.events.send(NoteEvent::Closed { key: key.to_owned() });
        }
    }

    fn events(&self) -> broadcast::Receiver<NoteEvent> {
        self.inner.events.subscribe()
    }
}

impl Inner {
    fn begin(&self, key: &str) -> u64 {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let run = newest.get(key).map_or(0, |run| run + 1);
        newest.insert(key.to_owned(), run);
        run
    }

    fn end(&self, note: Note, run: u64, response: NotificationResponse) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.get(&note.key) != Some(&run) {
            return;
        }
        newest.remove(&note.key);
        drop(newest);
        let key = note.key;
        match response {
            NotificationResponse::Default => drop(self.events.send(NoteEvent::Open { key: key.clone() })),
            NotificationResponse::Action(told) => {
                // macOS tells the label, Windows the id.
                let action = note.actions.into_iter().find(|(id, label)| *id == told || *label == told);
                if let Some((action, _)) = action {
                    let _ = self.events.send(NoteEvent::Act { key: key.clone(), action });
                }
            }
            NotificationResponse::Reply(_) | NotificationResponse::Closed(_) => {}
        }
        let _ = self.events.send(NoteEvent::Closed { key });
    }
}

type Taken = tokio::sync::oneshot::Sender<Result<(), String>>;

#[cfg(target_os = "macos")]
mod os {
    use super::*;
    use notify_rust::{CloseReason, NotificationHandle};

    pub fn register() -> Result<(), String> {
        let bundled = std::env::current_exe().is_ok_and(|path| path.to_string_lossy().contains(".app/Contents/MacOS/"));
        if !bundled {
            return Err("macOS shows notifications for an installed app only; start Meantime.app".to_owned());
        }
        notify_rust::set_application(APP_ID).map_err(|e| format!("macOS does not know the app: {e}"))
    }

    pub fn finish(_: &mut Notification, _: &Note) {}

    /// One call sends the note and waits for what becomes of it; it needs the
    /// main thread's run loop, which the window has.
    pub fn show_and_wait(notification: &Notification, taken: Taken) -> NotificationResponse {
        let _ = taken.send(Ok(()));
        let (sender, receiver) = std::sync::mpsc::channel();
        let handle = NotificationHandle::new(notification.clone());
        if let Err(error) = handle.wait_for_response(move |response: &NotificationResponse| {
            let _ = sender.send(response.clone());
        }) {
            tracing::warn!("a notification could not be shown: {error}");
        }
        receiver.try_recv().unwrap_or(NotificationResponse::Closed(CloseReason::Other(0)))
    }
}

#[cfg(windows)]
mod os {
    use super::*;
    use notify_rust::{CloseReason, Urgency};
    use std::os::windows::process::CommandExt;

    /// A child process without a console window.
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;

    pub fn register() -> Result<(), String> {
        let key = format!(r"HKCU\Software\Classes\AppUserModelId\{APP_ID}");
        let done = std::process::Command::new("reg")
            .args(["add", &key, "/v", "DisplayName", "/d", APP_NAME, "/f"])
            .creation_flags(CREATE_NO_WINDOW)
            .output();
        match done {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => {
                Err(format!("Windows does not take the app's name: {}", String::from_utf8_lossy(&output.stderr).trim()))
            }
            Err(error) => Err(format!("Windows does not take the app's name: {error}")),
        }
    }

    pub fn finish(notification: &mut Notification, note: &Note) {
        notification.app_id(APP_ID);
        notification.urgency(if note.urgent { Urgency::Critical } else { Urgency::Normal });
    }

    pub fn show_and_wait(notification: &Notification, taken: Taken) -> NotificationResponse {
        let (sender, receiver) = std::sync::mpsc::channel();
        match notification.show() {
            Ok(handle) => {
                let _ = taken.send(Ok(()));
                let _ = handle.wait_for_response(move |response: &NotificationResponse| {
                    let _ = sender.send(response.clone());
                });
            }
            Err(error) => drop(taken.send(Err(format!("Windows did not show it: {error}")))),
        }
        receiver.try_recv().unwrap_or(NotificationResponse::Closed(CloseReason::Other(0)))
    }
}
