//! A connection that notices when it is dead, and when it is flooded.
//!
//! Every read has a deadline, and only so many bytes are taken before the
//! allowance is renewed: a server that goes silent or never stops sending
//! ends in an error instead of a hang or a full memory. It knows nothing of
//! the protocol spoken over it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// What a connection runs over.
pub trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug> Wire for T {}

/// How patient a [`Guarded`] connection is; shared, so that it may be changed
/// while somebody else owns the connection.
#[derive(Debug)]
pub struct Limits {
    silence_ms: AtomicU64,
    allowance: AtomicU64,
}

impl Limits {
    /// Errors after `silence` without a byte, or after `allowance` bytes.
    #[must_use]
    pub fn new(silence: Duration, allowance: u64) -> Arc<Self> {
        let limits = Self { silence_ms: AtomicU64::new(0), allowance: AtomicU64::new(allowance) };
        limits.set_silence(silence);
        Arc::new(limits)
    }

    /// From the next read on, errors after `silence` without a byte.
    pub fn set_silence(&self, silence: Duration) {
        self.silence_ms.store(u64::try_from(silence.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Takes `bytes` more from here on.
    pub fn renew(&self, bytes: u64) {
        self.allowance.store(bytes, Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms.load(Ordering::Relaxed))
    }
}

/// A connection under [`Limits`].
pub struct Guarded {
    wire: Box<dyn Wire>,
    limits: Arc<Limits>,
    reading: Deadline,
    writing: Deadline,
}

impl Guarded {
    /// Puts `wire` under `limits`.
    #[must_use]
    pub fn new(wire: Box<dyn Wire>, limits: Arc<Limits>) -> Self {
        Self { wire, limits, reading: Deadline::default(), writing: Deadline::default() }
    }

    /// The connection alone, say to speak TLS over it.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn Wire> {
        self.wire
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded")
    }
}

impl AsyncRead for Guarded {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.wire).poll_read(cx, buf) {
            Poll::Ready(result) => {
                this.reading.met();
                result?;
                let taken = (buf.filled().len() - before) as u64;
                let spent = this
                    .limits
                    .allowance
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(taken));
                if spent.is_err() {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the server sent more than was asked for",
                    )));
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => Poll::Ready(Err(ready!(this.reading.missed(cx, this.limits.silence())))),
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.wire).poll_write(cx, buf) {
            Poll::Ready(result) => {
                this.writing.met();
                Poll::Ready(result)
            }
            Poll::Pending => Poll::Ready(Err(ready!(this.writing.missed(cx, this.limits.silence())))),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_shutdown(cx)
    }
}

/// Runs while an operation is pending.
#[derive(Default)]
struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    fn met(&mut self) {
        self.0 = None;
    }

    /// Ready, with the error, once `patience` has passed since the operation
    /// was first pending.
    fn missed(&mut self, cx: &mut Context<'_>, patience: Duration) -> Poll<io::Error> {
        let sleep = self.0.get_or_insert_with(|| {
            let mut fresh = Box::pin(sleep(patience));
            fresh.as_mut().reset(Instant::now() + patience);
            fresh
        });
        ready!(sleep.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the server does not answer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn silence_is_noticed() {
        let (near, _far) = tokio::io::duplex(64);
        let mut guarded = Guarded::new(Box::new(near), Limits::new(Duration::from_millis(80), 1000));
        let begin = Instant::now();
        let error = guarded.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begin.elapsed() >= Duration::from_millis(80));
    }

    #[tokio::test]
    async fn a_flood_is_stopped() {
        let (near, mut far) = tokio::io::duplex(64);
        let limits = Limits::new(Duration::from_secs(60), 10);
        let mut guarded = Guarded::new(Box::new(near), Arc::clone(&limits));
        far.write_all(&[0; 20]).await.unwrap();
        let mut ten = [0; 10];
        guarded.read_exact(&mut ten).await.unwrap();
        assert_eq!(guarded.read_u8().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        limits.renew(100);
    }
}
