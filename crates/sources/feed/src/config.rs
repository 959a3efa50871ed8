//! What a person enters to follow a feed.

use serde::{Deserialize, Serialize};

/// A feed and what is allowed to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedConfig {
    /// Its address, http or https.
    pub url: String,
    /// How it is shown; the feed's own title where it is empty.
    #[serde(default)]
    pub name: String,
    /// The person allowed this host although it is not on the public internet.
    #[serde(default)]
    pub allow_private: bool,
}
