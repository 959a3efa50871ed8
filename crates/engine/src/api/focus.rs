//! Focus blocks.

use chrono::{DateTime, Utc};
use meantime_model::BlockId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Starts a block, or gives the running one a new end.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, TS)]
pub struct FocusStart {
    /// Minutes from now, 1 to 1440; none runs until it is stopped.
    pub minutes: Option<u32>,
    /// The minutes are added to the running block's end.
    #[serde(default)]
    pub extend: bool,
}

/// The running block, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FocusStatus {
    /// None: notifications come at once.
    pub block: Option<Block>,
    /// How long a block is when nothing is said, in minutes.
    pub usual_minutes: u32,
}

/// A running block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Block {
    /// Its id.
    pub id: BlockId,
    /// When it was started.
    pub since: DateTime<Utc>,
    /// When it ends; none runs until it is stopped.
    pub until: Option<DateTime<Utc>>,
    /// Items held so far.
    pub held: u32,
    /// Messages held so far, of which an item may have several.
    pub messages: u32,
}
