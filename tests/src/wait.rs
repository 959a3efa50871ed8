//! Waiting for something to become true.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How long to wait before giving up. Generous: these machines are shared, and
/// a test that waits long only does so when it is about to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub Duration);

impl Patience {
    /// For what happens within one program.
    pub const SHORT: Self = Self(Duration::from_secs(20));
    /// For what starts a program or crosses several.
    pub const LONG: Self = Self(Duration::from_secs(90));
}

/// Asks again and again until there is an answer. An error of `look` is taken
/// for *not yet*; the last one is told when patience ends.
///
/// # Errors
/// There was no answer in time: what was waited for, and the last error.
pub async fn wait_for<T>(
    what: &str,
    patience: Patience,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        let last = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if started.elapsed() > patience.0 {
            let seconds = patience.0.as_secs();
            match last {
                Some(error) => return Err(error.context(format!("waited {seconds} s for {what}"))),
                None => bail!("waited {seconds} s for {what}"),
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_millis(300));
    }
}
