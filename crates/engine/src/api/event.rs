//! What the engine tells whoever listens.

use meantime_model::ItemId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Something happened. The engine decides what it makes stale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// What carries one of these tags is to be fetched again.
    Changed {
        /// What is stale.
        tags: Vec<Tag>,
    },
    /// Show this (a notification was clicked, a link was opened).
    Show {
        /// What to show.
        what: Target,
    },
}

/// A part of what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(tag = "tag", content = "id", rename_all = "snake_case")]
pub enum Tag {
    /// The lists and their counts.
    Inbox,
    /// One conversation.
    Item(ItemId),
    /// People, their hours and focus.
    Team,
    /// The running block.
    Focus,
    /// Accounts and their state.
    Accounts,
    /// Settings and hours.
    Settings,
    /// Connection, refusals, who I am.
    Status,
}

/// Something the window can show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "target", rename_all = "snake_case")]
pub enum Target {
    /// The inbox.
    Inbox,
    /// One conversation.
    Item {
        /// Which.
        id: ItemId,
    },
    /// The question whether to join this team.
    Join {
        /// The invite link.
        link: String,
    },
}
