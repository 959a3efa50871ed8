//! The least a store does with pages: enough to compare it with the server.

use super::Truth;
use crate::{Budget, Change, Cursor, Message, Page, Source, SourceError, SourceResult};
use std::collections::BTreeMap;

/// What was received.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// Where the next pull begins.
    pub cursor: Option<Cursor>,
    /// Messages with the titles of their conversations, by their names.
    pub messages: BTreeMap<String, (String, Message)>,
    /// Titles of what was new outside of a backfill, each time.
    pub alerts: Vec<String>,
    /// Pages taken.
    pub pages: usize,
}

impl Local {
    /// Commits a page.
    pub fn take(&mut self, page: Page) {
        self.pages += 1;
        for change in page.changes {
            match change {
                Change::Message(incoming) => {
                    let (title, message) = (incoming.item.title, incoming.message);
                    let known = self.messages.insert(message.upstream.clone(), (title.clone(), message.clone()));
                    if known.is_none() && !page.backfill && !message.flags.read && !message.own {
                        self.alerts.push(title);
                    }
                }
                Change::Flags { message, flags } => {
                    if let Some((_, known)) = self.messages.get_mut(&message) {
                        known.flags = flags;
                    }
                }
                Change::Gone { message } => {
                    self.messages.remove(&message);
                }
            }
        }
        self.cursor = Some(page.next);
    }

    /// Pulls until there is no more, starting again where the cursor means
    /// nothing any more, as the runner does.
    pub async fn pull_all(&mut self, source: &dyn Source, budget: Budget) -> SourceResult<()> {
        for _ in 0..10_000 {
            match source.pull(self.cursor.as_ref(), budget).await {
                Ok(page) => {
                    let more = page.more;
                    self.take(page);
                    if !more {
                        return Ok(());
                    }
                }
                Err(SourceError::CursorInvalid) if self.cursor.is_some() => self.cursor = None,
                Err(error) => return Err(error),
            }
        }
        panic!("a pull that never ends");
    }

    /// The name of the message in the conversation with this title.
    pub fn named(&self, title: &str) -> String {
        let found = self.messages.iter().find(|(_, (known, _))| known == title);
        found.unwrap_or_else(|| panic!("no “{title}” among {:?}", self.truth())).0.clone()
    }

    /// To be compared with the server's.
    pub fn truth(&self) -> Vec<Truth> {
        let mut truth: Vec<Truth> = self
            .messages
            .values()
            .map(|(title, message)| Truth { title: title.clone(), read: message.flags.read, done: message.flags.done })
            .collect();
        truth.sort();
        truth
    }
}
