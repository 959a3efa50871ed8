//! Pokes between server processes over NATS.
//!
//! Everything goes over one subject, and a poke that is lost does no harm, so
//! plain publish and subscribe will do: nothing is kept by NATS. While it
//! can't be reached the counters are polled as if it weren't there; the log
//! says so, and says when it is back.

mod settings;

pub use settings::{NatsError, Settings};

use async_nats::connection::State;
use async_nats::{Client, Event, Subscriber};
use async_trait::async_trait;
use futures::StreamExt as _;
use meantime_server_core::pokes::{Heard, Moved, Pokes};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Notify, mpsc};

/// Pokes that wait to be sent; further ones are lost.
const WAITING: usize = 4096;
/// How much less often the counters are looked at while NATS can be reached.
/// It may be out of the reach of another process.
const SAFETY: u32 = 10;

/// The connection. Comes back by itself when NATS does; closed when dropped.
pub struct Nats {
    link: Arc<Link>,
    outgoing: mpsc::Sender<Moved>,
    incoming: Mutex<Subscriber>,
    poll: Duration,
}

/// What the connection's events tell.
#[derive(Default)]
struct Link {
    up: AtomicBool,
    /// The log says already that it is not.
    said: AtomicBool,
    /// Pokes may have been missed.
    unsure: Notify,
}

impl Nats {
    /// Connects, and goes on trying for as long as it takes: when this
    /// returns NATS need not be there yet.
    ///
    /// # Errors
    /// When the settings make no sense.
    pub async fn connect(settings: &Settings) -> Result<Self, NatsError> {
        let link = Arc::new(Link::default());
        let told = Arc::clone(&link);
        let options = settings.options()?.event_callback(move |event| {
            told.heard(&event);
            std::future::ready(())
        });
        let client = options.connect(settings.servers()?).await.map_err(|e| NatsError(e.to_string()))?;
        let subject = settings.subject()?;
        let incoming = client.subscribe(subject.clone()).await.map_err(|e| NatsError(e.to_string()))?;
        let (outgoing, waiting) = mpsc::channel(WAITING);
        tokio::spawn(send(client, subject, waiting));
        Ok(Self { link, outgoing, incoming: Mutex::new(incoming), poll: settings.poll })
    }

    /// NATS can be reached from here.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link.up.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Pokes for Nats {
    fn publish(&self, moved: Moved) {
        // Lost when the queue is full: the others' next look finds it.
        let _lost = self.outgoing.try_send(moved);
    }

    async fn heard(&self) -> Heard {
        let mut incoming = self.incoming.lock().await;
        loop {
            tokio::select! {
                () = self.link.unsure.notified() => return Heard::Unsure,
                message = incoming.next() => match message {
                    Some(message) => match serde_json::from_slice(&message.payload) {
                        Ok(moved) => return Heard::Moved(moved),
                        Err(error) => tracing::debug!(%error, "a poke that is none"),
                    },
                    // The connection is closed for good; polling goes on.
                    None => std::future::pending().await,
                }
            }
        }
    }

    fn look_every(&self) -> Option<Duration> {
        Some(if self.is_up() { self.poll * SAFETY } else { self.poll })
    }
}

impl Link {
    fn heard(&self, event: &Event) {
        match event {
            Event::Connected => {
                self.up.store(true, Ordering::Relaxed);
                self.said.store(false, Ordering::Relaxed);
                tracing::info!("NATS carries pokes between server processes");
            }
            Event::Disconnected | Event::Closed => {
                self.up.store(false, Ordering::Relaxed);
                if !self.said.swap(true, Ordering::Relaxed) {
                    tracing::warn!("NATS is gone; counters are polled until it is back");
                }
            }
            // Each failed try is one; the first tells enough.
            Event::ClientError(error) if !self.up.load(Ordering::Relaxed) => {
                if !self.said.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "NATS can't be used; counters are polled until it can");
                }
            }
            Event::ClientError(error) => tracing::warn!(%error, "NATS"),
            Event::ServerError(error) => tracing::warn!(%error, "NATS refuses something"),
            Event::SlowConsumer(_) => {}
            Event::LameDuckMode | Event::Draining => return,
        }
        self.unsure.notify_one();
    }
}

/// Sends what waits while NATS is there; what comes meanwhile is dropped, not
/// kept for later, when it is no news any more.
async fn send(client: Client, subject: String, mut waiting: mpsc::Receiver<Moved>) {
    while let Some(moved) = waiting.recv().await {
        if client.connection_state() != State::Connected {
            continue;
        }
        if let Ok(payload) = serde_json::to_vec(&moved)
            && let Err(error) = client.publish(subject.clone(), payload.into()).await
        {
            tracing::debug!(%error, "a poke could not be sent");
        }
    }
}
