//! A notifier for tests: it shows nothing and remembers everything.

use super::{Note, NoteEvent, Notifier, NotifyError};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Remembers what was shown. The test plays the person.
#[derive(Debug)]
pub struct MemoryNotifier {
    state: Mutex<State>,
    events: broadcast::Sender<NoteEvent>,
}

#[derive(Debug, Default)]
struct State {
    shown: BTreeMap<String, Note>,
    history: Vec<Note>,
    failing: Option<String>,
    refused: Vec<String>,
}

impl Default for MemoryNotifier {
    fn default() -> Self {
        Self { state: Mutex::default(), events: broadcast::channel(256).0 }
    }
}

impl MemoryNotifier {
    /// What is on the screen now, by key.
    #[must_use]
    pub fn shown(&self) -> Vec<Note> {
        self.state().shown.values().cloned().collect()
    }

    /// Every note that was ever taken, replacements included, the oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<Note> {
        self.state().history.clone()
    }

    /// From now on `show` fails with this sentence; `None` ends that.
    pub fn fail(&self, why: Option<&str>) {
        self.state().failing = why.map(str::to_owned);
    }

    /// From now on notes of this title alone can't be shown.
    pub fn refuse(&self, title: &str) {
        self.state().refused.push(title.to_owned());
    }

    /// The person, or the system, does something.
    pub fn emit(&self, event: NoteEvent) {
        match &event {
            NoteEvent::Closed { key } => drop(self.state().shown.remove(key)),
            NoteEvent::DaemonRestarted => self.state().shown.clear(),
            NoteEvent::Open { .. } | NoteEvent::Act { .. } => {}
        }
        let _ = self.events.send(event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Notifier for MemoryNotifier {
    async fn show(&self, note: Note) -> Result<Option<String>, NotifyError> {
        let mut state = self.state();
        if let Some(why) = &state.failing {
            return Err(NotifyError(why.clone()));
        }
        if state.refused.contains(&note.title) {
            return Err(NotifyError("this one can't be shown".to_owned()));
        }
        state.history.push(note.clone());
        state.shown.insert(note.key.clone(), note);
        Ok(None)
    }

    async fn withdraw(&self, key: &str) {
        if self.state().shown.remove(key).is_some() {
            let _ = self.events.send(NoteEvent::Closed { key: key.to_owned() });
        }
    }

    fn events(&self) -> broadcast::Receiver<NoteEvent> {
        self.events.subscribe()
    }
}
