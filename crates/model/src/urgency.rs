//! How soon an answer is wanted.

use serde::{Deserialize, Serialize};

/// Urgency, the most urgent first, so that `Ord` sorts a list as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    /// Urgent: names people, may break through a focus block.
    Red,
    /// Standard.
    Yellow,
    /// For information.
    Green,
}
