//! Images that a message would load from outside.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The remote images of a message, to be fetched now. Whoever sent it may
/// learn that it was opened.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct LoadImages {
    /// The conversation; ends of ids are allowed as in [`super::ItemRef`].
    pub item: String,
    /// The message: [`super::MessageView::id`].
    pub message: String,
}

/// What was fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RemoteImages {
    /// The images, in no order.
    pub images: Vec<RemoteImage>,
    /// How many could not be had, or are not to be shown: not found, too
    /// large, no image, an address that is asked by nobody.
    pub missing: u32,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RemoteImage {
    /// As the message names it, in `data-src`.
    pub address: String,
    /// Its bytes as a `data:` address.
    pub data: String,
}
