//! When a person works: the hours file.

use serde::{Deserialize, Serialize};

/// Placeholder until the helper's version lands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// IANA name.
    pub zone: String,
}
