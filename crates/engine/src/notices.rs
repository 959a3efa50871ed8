//! Shows what was decided to be shown. A notice is a row, written in the
//! transaction that decided it; here it is handed to the operating system and
//! marked. What people do with a notification comes back here too, late,
//! twice or never.

use crate::api::{Action, Failure, Tag, Target, Triage};
use crate::engine::Engine;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::{BlockId, ItemId};
use meantime_platform::{Note, NoteEvent};
use meantime_store::Tx;
use meantime_store::notice::{self, Notice};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How long to wait before trying again where notifications can't be shown.
const RETRY: Duration = Duration::from_secs(30);
const LATER: &str = "later";
const DONE: &str = "done";
/// What became of a notice that can't be shown.
const GIVEN_UP: &str = "given up";
/// The kind of a notice about the profile itself, not about a message.
const PROBLEM: &str = "problem";

/// A notice that failed so often while others were shown is given up: what it
/// tells of stands in the list.
const STRIKES: u32 = 5;

/// Shows what has not been shown, until the engine stops.
pub(crate) async fn show_pending(engine: Arc<Engine>) {
    let mut strikes = HashMap::new();
    loop {
        let pause = match engine.show_all(&mut strikes).await {
            Ok(()) => Duration::MAX,
            Err(message) => {
                engine.set_notifications(Some(message));
                RETRY
            }
        };
        tokio::select! {
            () = engine.stop.cancelled() => return,
            () = engine.notices.notified() => {}
            () = tokio::time::sleep(pause.min(Duration::from_secs(3600))) => {}
        }
    }
}

/// Hears what people do with notifications, until the engine stops.
pub(crate) async fn hear(engine: Arc<Engine>) {
    let mut events = engine.notifier.events();
    engine.adopt_shown().await;
    loop {
        let event = tokio::select! {
            () = engine.stop.cancelled() => return,
            event = events.recv() => event,
        };
        match event {
            Ok(NoteEvent::Open { key }) => engine.open_notice(&key).await,
            Ok(NoteEvent::Act { key, action }) => engine.act_on_notice(&key, &action).await,
            Ok(NoteEvent::Closed { key }) => {
                engine.close_notice(&key, None).await;
            }
            Ok(NoteEvent::DaemonRestarted) => engine.show_again().await,
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

impl Engine {
    /// Tells the person of something that went wrong with this profile itself.
    ///
    /// # Errors
    /// The database failed.
    pub async fn report_problem(&self, title: &str, text: String) -> Result<(), Failure> {
        let (now, title) = (self.now(), title.to_owned());
        self.write(move |tx| push_problem(tx, &title, text, now)).await?;
        self.notices.notify_one();
        Ok(())
    }

    /// Shows each that was not shown. One that can't be keeps none behind it
    /// waiting; `strikes` counts how often that was so of each.
    async fn show_all(&self, strikes: &mut HashMap<i64, u32>) -> Result<(), String> {
        let _alone = self.showing.lock().await;
        let rows = self.read(|db| Ok(notice::unshown(db)?)).await.map_err(|e| e.message)?;
        let (mut shown, mut failed) = (false, Vec::new());
        for row in &rows {
            match self.show_one(row).await {
                Ok(()) => shown = true,
                Err(message) => failed.push((row, message)),
            }
        }
        let mut left = None;
        for (row, message) in failed {
            let strikes = strikes.entry(row.id).or_default();
            // Where nothing can be shown, it is not the notice's fault.
            *strikes += u32::from(shown);
            if *strikes < STRIKES {
                left.get_or_insert(message);
                continue;
            }
            tracing::error!(key = %row.key, %message, "a notification is given up");
            let (id, now) = (row.id, self.now());
            let closed = self.write(move |tx| Ok(notice::close(tx, id, now, Some(GIVEN_UP))?));
            closed.await.map_err(|e| e.message)?;
        }
        left.map_or(Ok(()), Err)
    }

    async fn show_one(&self, row: &Notice) -> Result<(), String> {
        let content = self.settings_now().await.notification_content;
        let place = self.notifier.show(note(row, content)).await.map_err(|e| e.0)?;
        self.set_notifications(None);
        let (id, now) = (row.id, self.now());
        let noted = self.write(move |tx| Ok(notice::set_shown(tx, id, now, place.as_deref())?));
        noted.await.map_err(|e| e.message)
    }

    /// What an earlier run showed may still be on the screen.
    async fn adopt_shown(&self) {
        for row in self.read(|db| Ok(notice::open(db)?)).await.unwrap_or_default() {
            if let Some(place) = row.place {
                self.notifier.adopt(&row.key, &place).await;
            }
        }
    }

    fn set_notifications(&self, problem: Option<String>) {
        let changed = std::mem::replace(&mut self.live().notifications, problem.clone()) != problem;
        if changed {
            self.tell(&[Tag::Status]);
        }
    }

    /// What the daemon showed is lost with it: what nobody reacted to is shown once more.
    async fn show_again(&self) {
        let _alone = self.showing.lock().await;
        for row in self.read(|db| Ok(notice::open(db)?)).await.unwrap_or_default() {
            if let Err(message) = self.show_one(&row).await {
                self.set_notifications(Some(message));
            }
        }
    }

    async fn open_notice(self: &Arc<Self>, key: &str) {
        let Some(row) = self.notice(key).await else { return };
        self.close_notice(key, Some("open")).await;
        self.show(match row.item {
            Some(id) => Target::Item { id },
            None => Target::Inbox,
        });
    }

    async fn act_on_notice(self: &Arc<Self>, key: &str, action: &str) {
        let Some(row) = self.notice(key).await else { return };
        let todo = match action {
            DONE => Action::Done,
            LATER => Action::Snooze { until: self.now() + TimeDelta::hours(1) },
            _ => return self.open_notice(key).await,
        };
        if !self.close_notice(key, Some(action)).await {
            return;
        }
        let ids = match row.item {
            Some(item) => vec![item.to_string()],
            None => self.handed_over(&row).await,
        };
        if let Err(error) = self.triage_items(Triage { ids, action: todo }).await {
            tracing::warn!(%error, "a notification's button could not be obeyed");
        }
    }

    async fn handed_over(&self, digest: &Notice) -> Vec<String> {
        let Some(block) = Body::of(digest).block else { return Vec::new() };
        let items =
            self.read(move |db| Ok(meantime_store::focus::items_handed_over(db, block)?)).await.unwrap_or_default();
        items.into_iter().map(|id| id.to_string()).collect()
    }

    /// False if it was closed before: late and double clicks do nothing.
    async fn close_notice(&self, key: &str, acted: Option<&str>) -> bool {
        let Some(row) = self.notice(key).await else { return false };
        let (now, acted) = (self.now(), acted.map(str::to_owned));
        self.write(move |tx| Ok(notice::close(tx, row.id, now, acted.as_deref())?)).await.unwrap_or(false)
    }

    async fn notice(&self, key: &str) -> Option<Notice> {
        let key = key.to_owned();
        self.read(move |db| Ok(notice::by_key(db, &key)?)).await.ok().flatten()
    }

    /// The items were looked at or triaged: their notifications are pointless now.
    pub(crate) async fn withdraw_notices(&self, items: Vec<ItemId>) {
        let now = self.now();
        let closed = self.write(move |tx| {
            let mut keys = Vec::new();
            for item in items {
                keys.extend(notice::close_of_item(tx, item, now)?);
            }
            Ok(keys)
        });
        for key in closed.await.unwrap_or_default() {
            self.notifier.withdraw(&key).await;
        }
    }
}

/// Something that went wrong with this profile itself is to be shown.
pub(crate) fn push_problem(tx: &Tx<'_>, title: &str, text: String, now: DateTime<Utc>) -> Result<(), Failure> {
    let body = serde_json::to_value(Body { text, urgent: true, block: None }).unwrap_or_default();
    let key = format!("{PROBLEM}:{}", now.timestamp_millis());
    notice::push(tx, &notice::NewNotice { key: &key, kind: PROBLEM, item: None, title, body: &body, at: now })?;
    Ok(())
}

/// What a notice says beside its title, as its row keeps it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Body {
    /// A few lines.
    pub(crate) text: String,
    /// Stays until it is answered.
    #[serde(default)]
    pub(crate) urgent: bool,
    /// It is the digest of that block.
    #[serde(default)]
    pub(crate) block: Option<BlockId>,
}

impl Body {
    fn of(row: &Notice) -> Self {
        serde_json::from_value(row.body.clone()).unwrap_or_default()
    }
}

fn note(row: &Notice, content: bool) -> Note {
    let body = Body::of(row);
    if row.kind == PROBLEM {
        let (key, title) = (row.key.clone(), row.title.clone());
        return Note { key, title, body: body.text, actions: Vec::new(), urgent: body.urgent };
    }
    let action = |id: &str, label: &str| (id.to_owned(), label.to_owned());
    let (title, actions) = match body.block {
        Some(_) => (row.title.clone(), vec![action("open", "Open"), action(LATER, "Snooze all 1 h")]),
        None if content => (row.title.clone(), vec![action(DONE, "Done"), action(LATER, "In 1 hour")]),
        None => ("A new message".to_owned(), vec![action(DONE, "Done"), action(LATER, "In 1 hour")]),
    };
    let text = if content { body.text } else { String::new() };
    Note { key: row.key.clone(), title, body: text, actions, urgent: body.urgent }
}
