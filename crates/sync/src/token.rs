//! A device's token, and how it is replaced by the next one each day.
//!
//! The next token is kept before it is used: whatever is in the keyring is
//! good at any moment. The server takes the old one until the new one was
//! used, so that a reply that is lost, or an end between the two, costs
//! nothing.
//!
//! A server that was put back from a backup knows the token of that day, and
//! none that came later. So the ones before are kept as well, for as long as
//! backups are likely to be old; they are tried, the newest first, when the
//! present one is not known. Until the person signs in or joins again none is
//! thrown away for that: the wrong backup may be put back before the right one.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How long one token is used.
const LIFE: TimeDelta = TimeDelta::hours(24);
/// After a failure it is not tried again before that has passed: the server
/// hands out few an hour.
const AGAIN: TimeDelta = TimeDelta::hours(1);

/// A device's secret. `Debug` leaves it out.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// As [`meantime_protocol::http::JoinResponse::token`] has it.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// The secret itself, for the keyring and for the request's header.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where a device's token is kept.
#[async_trait]
pub trait TokenPlace: Send + Sync {
    /// Keeps the next token in place of the present one; it is there after a
    /// crash once this returns. `at` is when it was handed out.
    ///
    /// # Errors
    /// A sentence for people; the present token then goes on.
    async fn replace(&self, next: &Token, at: DateTime<Utc>) -> Result<(), String>;

    /// Those before the present one, the newest first; [`EARLIER`] are enough.
    /// They stay when the server knows none of them, or only an older one.
    ///
    /// # Errors
    /// A sentence for people.
    async fn earlier(&self) -> Result<Vec<Token>, String>;
}

/// So many tokens are kept beside the present one, each a day's.
pub const EARLIER: usize = 7;

/// When the present token is to be replaced, and where the next is kept.
pub(crate) struct Rotation {
    pub place: Arc<dyn TokenPlace>,
    due: Mutex<DateTime<Utc>>,
}

impl Rotation {
    pub fn new(place: Arc<dyn TokenPlace>, since: Option<DateTime<Utc>>) -> Self {
        let due = since.map_or(DateTime::UNIX_EPOCH, |since| since + LIFE);
        Self { place, due: Mutex::new(due) }
    }

    /// Whether it is time; then it counts as tried.
    pub async fn is_due(&self, now: DateTime<Utc>) -> bool {
        let mut due = self.due.lock().await;
        // A clock that was put back must not keep a token for years.
        let is = now >= *due || *due - now > LIFE;
        if is {
            *due = now + AGAIN;
        }
        is
    }

    /// It is time, whatever the clock says.
    pub async fn hurry(&self) {
        *self.due.lock().await = DateTime::UNIX_EPOCH;
    }

    pub async fn done(&self, now: DateTime<Utc>) {
        *self.due.lock().await = now + LIFE;
    }
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation").finish_non_exhaustive()
    }
}
