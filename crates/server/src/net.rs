//! Connections: how many one address may have, and what becomes of a client
//! that takes nothing any more. Below TLS, so that it holds for whoever
//! connects.

use crate::metrics::Metrics;
use crate::settings::Limits;
use axum_server::accept::Accept;
use ipnet::IpNet;
use std::collections::HashMap;
use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready as ready_or};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// Lets connections in, and watches over those that are.
#[derive(Clone)]
pub struct Gate {
    most: usize,
    exempt: Arc<[IpAddr]>,
    /// For how many they ask is not seen here.
    proxies: Arc<[IpNet]>,
    stall: Duration,
    open: Open,
    metrics: Arc<Metrics>,
}

/// How many connections each address has; those without one are not in it.
type Open = Arc<Mutex<HashMap<IpAddr, usize>>>;

impl Gate {
    /// With those limits.
    #[must_use]
    pub fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            most: limits.connections_per_address,
            exempt: limits.exempt.iter().map(|ip| ip.to_canonical()).collect(),
            proxies: limits.trusted_proxies.as_slice().into(),
            stall: Duration::from_secs(limits.stall_seconds),
            open: Open::default(),
            metrics,
        }
    }

    fn admit(&self, ip: IpAddr) -> Option<Place> {
        let ip = ip.to_canonical();
        let exempt = self.exempt.contains(&ip) || self.proxies.iter().any(|network| network.contains(&ip));
        let counted = if exempt { None } else { Some(whose(ip)) };
        if let Some(ip) = counted {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let count = open.entry(ip).or_default();
            if *count >= self.most {
                return None;
            }
            *count += 1;
        }
        self.metrics.connections.inc();
        Some(Place { counted, open: Arc::clone(&self.open), metrics: Arc::clone(&self.metrics) })
    }
}

impl<S> Accept<TcpStream, S> for Gate {
    type Stream = Watched<TcpStream>;
    type Service = S;
    type Future = Ready<io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = || {
            let ip = stream.peer_addr()?.ip();
            let Some(place) = self.admit(ip) else {
                self.metrics.connections_refused.inc();
                return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "too many from one address"));
            };
            keep_alive(&stream, self.stall)?;
            Ok(place)
        };
        ready(admitted().map(|place| (Watched::new(stream, self.stall, place), service)))
    }
}

/// Who counts as one: an IPv6 host has a whole /64 to choose its address from.
#[must_use]
pub fn whose(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// Small answers go at once, and the system finds out who is gone without a word.
fn keep_alive(stream: &TcpStream, stall: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(stall).with_interval(stall))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(stall))?;
    Ok(())
}

/// One of the connections of an address, until it is dropped.
struct Place {
    counted: Option<IpAddr>,
    open: Open,
    metrics: Arc<Metrics>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.connections.dec();
        let Some(ip) = self.counted else { return };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                open.remove(&ip);
            }
        }
    }
}

/// A connection that fails when the other side takes nothing for too long.
pub struct Watched<T> {
    stream: T,
    stall: Duration,
    /// Is there while something waits to be taken.
    deadline: Option<Pin<Box<Sleep>>>,
    place: Place,
}

impl<T> Watched<T> {
    fn new(stream: T, stall: Duration, place: Place) -> Self {
        Self { stream, stall, deadline: None, place }
    }

    /// Counts the time while `wrote` says that nothing is taken.
    fn in_time<R>(&mut self, wrote: Poll<io::Result<R>>, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        if wrote.is_ready() {
            self.deadline = None;
            return wrote;
        }
        let stall = self.stall;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + stall)));
        ready_or!(deadline.as_mut().poll(context));
        self.place.metrics.connections_stalled.inc();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other side takes nothing")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(context, from);
        self.in_time(wrote, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, from);
        self.in_time(wrote, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    fn gate(most: usize) -> Gate {
        let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let limits = Limits { connections_per_address: most, stall_seconds: 1, trusted_proxies, ..Limits::default() };
        Gate::new(&limits, Arc::default())
    }

    #[test]
    fn an_address_has_so_many_and_gets_them_back() {
        let gate = gate(2);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = gate.admit(ip("192.0.2.1")).unwrap();
        let _second = gate.admit(ip("192.0.2.1")).unwrap();
        assert!(gate.admit(ip("192.0.2.1")).is_none());
        assert!(gate.admit(ip("::ffff:192.0.2.1")).is_none(), "the same, written otherwise");
        assert!(gate.admit(ip("192.0.2.2")).is_some());
        let _v6 = [gate.admit(ip("2001:db8::1")).unwrap(), gate.admit(ip("2001:db8::2")).unwrap()];
        assert!(gate.admit(ip("2001:db8::3")).is_none(), "one /64 is one");
        assert!(gate.admit(ip("2001:db8:0:1::1")).is_some());
        assert!((0..9).all(|_| gate.admit(ip("127.0.0.1")).is_some()), "exempt");
        assert!((0..9).all(|_| gate.admit(ip("10.1.2.3")).is_some()), "a proxy asks for many");
        drop(first);
        assert!(gate.admit(ip("192.0.2.1")).is_some());
        drop((_second, _v6));
        assert!(gate.open.lock().unwrap().is_empty(), "nothing is kept of who is gone");
        assert_eq!(gate.metrics.connections.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_dropped() {
        let gate = gate(1);
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut ours = Watched::new(ours, gate.stall, gate.admit("192.0.2.1".parse().unwrap()).unwrap());
        ours.write_all(&[0; 16]).await.unwrap();
        let began = Instant::now();
        let error = ours.write_all(&[0; 16]).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 1));
        // Slow is not gone.
        let mut taken = [0; 16];
        tokio::io::AsyncReadExt::read_exact(&mut theirs, &mut taken).await.unwrap();
        ours.write_all(&[0; 16]).await.unwrap();
        assert_eq!(gate.metrics.connections_stalled.get(), 1);
    }
}
