//! A bad connection to a good server: requests that get lost, answers that
//! get lost, and pushes that arrive when nobody expects them any more.

use crate::dice::Dice;
use async_trait::async_trait;
use meantime_protocol::http::{BootstrapPage, Me, PullPage, PushRequest, PushResponse};
use meantime_protocol::{Cursor, Scope};
use meantime_sync::{HttpRemote, OutgoingFile, Pokes, Remote, RemoteError, TransferError};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Of so many calls, one meets each kind of trouble.
const GOOD: u64 = 14;

pub(super) struct BadWire {
    remote: Arc<HttpRemote>,
    dice: Mutex<Dice>,
    plugged: AtomicBool,
}

impl BadWire {
    pub(super) fn new(remote: HttpRemote, seed: u64) -> Self {
        Self { remote: Arc::new(remote), dice: Mutex::new(Dice::new(seed)), plugged: AtomicBool::new(true) }
    }

    pub(super) fn plug(&self, plugged: bool) {
        self.plugged.store(plugged, Ordering::SeqCst);
    }

    fn roll(&self, sides: u64) -> u64 {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).roll(sides)
    }

    async fn through<T>(&self, call: impl Future<Output = Result<T, RemoteError>>) -> Result<T, RemoteError> {
        if !self.plugged.load(Ordering::SeqCst) {
            return Err(lost("the cable is out"));
        }
        match self.roll(GOOD) {
            0 => Err(lost("the request got lost")),
            1 => call.await.and_then(|_| Err(lost("the answer got lost"))),
            _ => call.await,
        }
    }
}

fn lost(why: &str) -> RemoteError {
    RemoteError::Offline(why.to_owned())
}

#[async_trait]
impl Remote for BadWire {
    async fn me(&self) -> Result<Me, RemoteError> {
        self.through(self.remote.me()).await
    }

    async fn push(&self, request: &PushRequest) -> Result<PushResponse, RemoteError> {
        if self.plugged.load(Ordering::SeqCst) && self.roll(GOOD) == 0 {
            // It lies around somewhere; the same is sent again, and more after
            // it, before this arrives.
            let (remote, request, wait) = (Arc::clone(&self.remote), request.clone(), self.roll(300));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                let _ = remote.push(&request).await;
            });
            return Err(lost("the request is late"));
        }
        self.through(self.remote.push(request)).await
    }

    async fn pull(&self, scope: Scope, cursor: Cursor) -> Result<PullPage, RemoteError> {
        self.through(self.remote.pull(scope, cursor)).await
    }

    async fn bootstrap(&self, scope: Scope, page: Option<&str>) -> Result<BootstrapPage, RemoteError> {
        self.through(self.remote.bootstrap(scope, page)).await
    }

    async fn send_file(&self, file: &OutgoingFile) -> Result<(), TransferError> {
        self.remote.send_file(file).await
    }

    async fn live(&self) -> Result<Pokes, RemoteError> {
        self.through(self.remote.live()).await
    }
}
