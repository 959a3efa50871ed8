//! The line between an app and its server, which the test can cut: at once, or
//! after so many bytes were sent.

use meantime_protocol::Invite;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Cable {
    up: watch::Sender<bool>,
    /// Bytes towards the server since it was last plugged in.
    sent: AtomicU64,
    cut_after: AtomicU64,
}

impl Cable {
    /// A cable to the server of this link, and the same link through it.
    pub async fn to(link: &str) -> (Arc<Self>, String) {
        let mut invite: Invite = link.parse().unwrap();
        let server = invite.host.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        invite.host = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (sent, cut_after) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let cable = Arc::new(Self { up: watch::channel(true).0, sent, cut_after });
        let served = cable.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if served.is_up()
                    && let Ok(far) = TcpStream::connect(&server).await
                {
                    tokio::spawn(served.clone().carry(near, far));
                }
            }
        });
        (cable, invite.to_string())
    }

    pub fn cut(&self) {
        self.up.send_replace(false);
    }

    /// Cuts itself once so many bytes more were sent.
    pub fn cut_after(&self, bytes: u64) {
        self.cut_after.store(self.sent() + bytes, Ordering::SeqCst);
    }

    pub fn plug_in(&self) {
        self.sent.store(0, Ordering::SeqCst);
        self.cut_after.store(u64::MAX, Ordering::SeqCst);
        self.up.send_replace(true);
    }

    pub fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    async fn carry(self: Arc<Self>, near: TcpStream, far: TcpStream) {
        let mut up = self.up.subscribe();
        let (mut from_app, mut to_app) = near.into_split();
        let (mut from_server, mut to_server) = far.into_split();
        let out = async {
            let mut chunk = vec![0; 16 << 10];
            while let Ok(n @ 1..) = from_app.read(&mut chunk).await {
                if to_server.write_all(&chunk[..n]).await.is_err() {
                    return;
                }
                let sent = self.sent.fetch_add(n as u64, Ordering::SeqCst) + n as u64;
                if sent > self.cut_after.load(Ordering::SeqCst) {
                    self.cut();
                }
            }
        };
        tokio::select! {
            _ = up.wait_for(|up| !up) => {}
            () = out => {}
            _ = tokio::io::copy(&mut from_server, &mut to_app) => {}
        }
    }
}
