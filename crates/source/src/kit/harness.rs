//! What a connector has to offer to be tested.

use crate::Source;
use async_trait::async_trait;
use chrono::TimeDelta;

/// One conversation at the server, as the server itself has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Truth {
    /// Its title, unique in a test.
    pub title: String,
    /// Seen there.
    pub read: bool,
    /// Archived there.
    pub done: bool,
}

/// A server with one account, and the means to change what is in it behind
/// the source's back.
#[async_trait]
pub trait Harness: Send + Sync + Sized {
    /// Starts a server with an empty account.
    async fn start() -> Self;

    /// An unchanged poll costs at most so many requests.
    const UNCHANGED: usize;

    /// The account, as the app would connect it, on a computer whose clock is
    /// off by so much.
    fn source_at(&self, off: TimeDelta) -> Box<dyn Source>;

    /// The same where the clock is right.
    fn source(&self) -> Box<dyn Source> {
        self.source_at(TimeDelta::zero())
    }

    /// The same with a secret the server refuses; `None` where there are no secrets.
    fn wrong_secret(&self) -> Option<Box<dyn Source>>;

    /// From now on the server refuses the account's secret, on connections that
    /// are open as well. False where there are no secrets.
    async fn expire_secret(&mut self) -> bool;

    /// It is good again.
    async fn renew_secret(&mut self);

    /// Requests the server had so far, or commands.
    fn requests(&self) -> usize;

    /// Words that must not turn up in errors or debug output.
    fn secrets(&self) -> Vec<String>;

    /// Something new with this title arrives.
    async fn arrive(&mut self, title: &str);

    /// Something arrives that can't be read properly.
    async fn poison(&mut self);

    /// Somebody marks it read elsewhere. False where there is no such thing.
    async fn mark_read(&mut self, title: &str) -> bool;

    /// Somebody archives it elsewhere. False where there is no such thing.
    async fn archive(&mut self, title: &str) -> bool;

    /// Somebody deletes it elsewhere. False where there is no such thing.
    async fn delete(&mut self, title: &str) -> bool;

    /// The server forgets what cursors mean. False where it never does.
    async fn invalidate_cursor(&mut self) -> bool;

    /// The server is gone.
    async fn stop(&mut self);

    /// What the server has.
    async fn truth(&mut self) -> Vec<Truth>;
}
