//! The engine behind the window: started here, or reached in another process
//! that owns the profile. Calls wait while it starts; the first one after a
//! start that failed begins another.

use crate::{autostart, tray, window};
use meantime_app::{Engine, Options, Role, Running, Started};
use meantime_engine::api::{Caller, Event, Failure, FailureCode, FocusStart, FocusStatus, Nothing, Settings, Tag};
use meantime_platform::Dirs;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tauri::{AppHandle, Emitter};
use tokio::sync::{broadcast, watch};

/// The name of our events in the window.
pub const EVENT: &str = "meantime";

/// After a start that failed, another is made by itself so much later.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// Before taking over from a process that ended, or turned this one away.
const BREATH: Duration = Duration::from_secs(1);

/// Reaches the engine. Cheap to clone.
#[derive(Clone)]
pub struct Backend {
    state: watch::Sender<State>,
    /// Ours, to be stopped at the end.
    running: Arc<Mutex<Option<Running>>>,
}

#[derive(Clone)]
enum State {
    Starting,
    Ready(Arc<dyn Caller>),
    Failed(Failure),
}

impl Backend {
    /// Nothing runs yet.
    pub fn new() -> Self {
        Self { state: watch::channel(State::Starting).0, running: Arc::default() }
    }

    /// Starts the engine, or connects to the one that runs, and passes its
    /// events on. When the other process ends, this one takes over.
    pub async fn run(self, app: AppHandle, dirs: Dirs) {
        loop {
            match self.start(&dirs).await {
                Ok(events) => {
                    everything_changed(&app);
                    pass_on(&app, events).await;
                    if self.ours().is_some() {
                        return;
                    }
                    tracing::info!("the other process ended; starting here");
                    self.state.send_replace(State::Starting);
                    tokio::time::sleep(BREATH).await;
                }
                Err(failure) => {
                    tracing::error!("the engine did not start: {failure}");
                    self.state.send_replace(State::Failed(failure));
                    let mut state = self.state.subscribe();
                    let asked = state.wait_for(|state| matches!(state, State::Starting));
                    let _ = tokio::time::timeout(AGAIN_AFTER, asked).await;
                    self.state.send_replace(State::Starting);
                }
            }
        }
    }

    async fn start(&self, dirs: &Dirs) -> Result<broadcast::Receiver<Event>, Failure> {
        let failed = |error: anyhow::Error| Failure::new(FailureCode::Internal, format!("{error:#}"));
        let options = Options { dirs: dirs.clone(), role: Role::Desktop };
        match meantime_app::start(options).await.map_err(failed)? {
            Started::Running(running) => {
                let (engine, events) = (running.engine.clone(), running.engine.events());
                *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
                self.state.send_replace(State::Ready(Arc::new(engine)));
                Ok(events)
            }
            Started::Elsewhere(connection) => {
                let events = connection.events().await?;
                tracing::info!("another process owns this profile; this one shows it");
                self.state.send_replace(State::Ready(Arc::new(connection)));
                Ok(events)
            }
        }
    }

    /// The engine, if it runs in this process.
    pub fn ours(&self) -> Option<Arc<Engine>> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(|running| Arc::clone(&running.engine))
    }

    /// One command.
    pub async fn call(&self, name: &str, args: Value) -> Result<Value, Failure> {
        // Whoever asks after a start that failed wants another.
        self.state.send_if_modified(|state| {
            let failed = matches!(state, State::Failed(_));
            if failed {
                *state = State::Starting;
            }
            failed
        });
        let mut state = self.state.subscribe();
        let ready = state.wait_for(|state| !matches!(state, State::Starting)).await.map(|state| state.clone());
        match ready {
            Ok(State::Ready(engine)) => engine.call(name, args).await,
            Ok(State::Failed(failure)) => Err(failure),
            Ok(State::Starting) | Err(_) => Err(Failure::new(FailureCode::Internal, "Meantime is ending")),
        }
    }

    /// The running block, if any.
    pub async fn focus(&self) -> Result<FocusStatus, Failure> {
        self.typed("focus_status", &Nothing {}).await
    }

    /// Starts a block; `None` runs until it is stopped.
    pub async fn focus_start(&self, minutes: Option<u32>) -> Result<FocusStatus, Failure> {
        self.typed("focus_start", &FocusStart { minutes, extend: false }).await
    }

    /// Ends the block.
    pub async fn focus_stop(&self) -> Result<FocusStatus, Failure> {
        self.typed("focus_stop", &Nothing {}).await
    }

    /// Starts a block of the usual length, or ends the running one.
    pub async fn focus_toggle(&self) -> Result<FocusStatus, Failure> {
        self.typed("focus_toggle", &Nothing {}).await
    }

    /// The settings of this device.
    pub async fn settings(&self) -> Result<Settings, Failure> {
        self.typed("settings", &Nothing {}).await
    }

    /// Ends our own engine, if we have one.
    pub async fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(running) = running {
            running.stop().await;
        }
    }

    async fn typed<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        args: &impl serde::Serialize,
    ) -> Result<T, Failure> {
        let internal = |e: serde_json::Error| Failure::new(FailureCode::Internal, e.to_string());
        let reply = self.call(name, serde_json::to_value(args).map_err(internal)?).await?;
        serde_json::from_value(reply).map_err(internal)
    }
}

/// Until the engine ends.
async fn pass_on(app: &AppHandle, mut events: broadcast::Receiver<Event>) {
    loop {
        match events.recv().await {
            Ok(Event::Show { what }) => window::show_target(app, what).await,
            Ok(event) => {
                if let Event::Changed { tags } = &event {
                    if tags.contains(&Tag::Focus) {
                        tray::refresh(app);
                    }
                    if tags.contains(&Tag::Settings) {
                        autostart::follow(app);
                    }
                }
                emit(app, &event);
            }
            Err(broadcast::error::RecvError::Lagged(_)) => everything_changed(app),
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// Some events were missed: everything is to be fetched again.
fn everything_changed(app: &AppHandle) {
    tray::refresh(app);
    let tags = vec![Tag::Inbox, Tag::Team, Tag::Focus, Tag::Accounts, Tag::Settings, Tag::Status];
    emit(app, &Event::Changed { tags });
}

/// To the window, if there is one; whether it listened.
pub fn emit(app: &AppHandle, event: &Event) -> bool {
    let heard = std::cell::Cell::new(false);
    let told = app.emit_filter(EVENT, event, |_| {
        heard.set(true);
        true
    });
    if let Err(error) = told {
        tracing::warn!("the window was not told: {error}");
    }
    heard.get()
}
