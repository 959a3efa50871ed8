//! From which address somebody asks: that of the connection, or, where a proxy
//! that the settings trust made it, the one that the proxy names.
//!
//! What a header says is worth as much as who wrote it. Each proxy adds whom
//! *it* was asked by at the end, so it is read from there, for as long as the
//! one who wrote it is trusted; what stands further on came from a stranger.

use super::App;
use crate::settings::{Limits, ProxyHeader};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Nobody has more proxies in a row.
const MOST_PROXIES: usize = 16;

/// Where the request came from, if the listener knows.
pub(super) struct Address(pub Option<IpAddr>);

impl FromRequestParts<Arc<App>> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let from = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(from.map(|ConnectInfo(peer)| app.proxies.asker(peer.ip(), &parts.headers))))
    }
}

/// Who is believed whom they ask for.
#[derive(Debug)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    header: ProxyHeader,
}

impl Proxies {
    /// As the settings say.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { trusted: limits.trusted_proxies.clone(), header: limits.proxy_header }
    }

    /// The nearest address that is not a trusted proxy's, or the farthest that
    /// is known.
    #[must_use]
    pub fn asker(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut known = peer.to_canonical();
        let name = match self.header {
            ProxyHeader::XForwardedFor => "x-forwarded-for",
            ProxyHeader::Forwarded => "forwarded",
        };
        // Several headers of a name are one list (RFC 9110, 5.3). What is no
        // text of ours is one entry that nobody can read.
        let lines = headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default());
        let lines: Vec<&str> = lines.collect();
        for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')).take(MOST_PROXIES) {
            if !self.trusts(known) {
                break;
            }
            let Some(asker) = self.read(entry.trim()) else { break };
            known = asker;
        }
        known
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&ip))
    }

    fn read(&self, entry: &str) -> Option<IpAddr> {
        match self.header {
            ProxyHeader::XForwardedFor => address(entry),
            ProxyHeader::Forwarded => {
                let mut pairs = entry.split(';').filter_map(|pair| pair.split_once('='));
                let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
                address(node.trim())
            }
        }
    }
}

/// An address, with or without a port, quotation marks and brackets; `None`
/// for names that proxies make up (`unknown`, `_hidden`).
fn address(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::from);
    let with_port = || text.parse::<SocketAddr>().ok().map(|at| at.ip());
    let ip = text.parse().ok().or_else(bracketed).or_else(with_port)?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn proxies(header: ProxyHeader) -> Proxies {
        let trusted_proxies = ["10.0.0.0/8", "2001:db8::/32"].map(|network| network.parse().unwrap()).to_vec();
        Proxies::new(&Limits { trusted_proxies, proxy_header: header, ..Limits::default() })
    }

    fn asker(header: ProxyHeader, peer: &str, lines: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        // The other one is always there, and never believed.
        for (name, text) in [("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6")] {
            headers.append(name, HeaderValue::from_static(text));
        }
        let name = if header == ProxyHeader::Forwarded { "forwarded" } else { "x-forwarded-for" };
        headers.remove(name);
        for line in lines {
            headers.append(name, HeaderValue::from_bytes(line).unwrap());
        }
        proxies(header).asker(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let asks = |peer, lines: &[&str]| {
            let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            asker(ProxyHeader::XForwardedFor, peer, &lines)
        };
        // Nobody in between: whatever a stranger says of themselves is nothing.
        assert_eq!(asks("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(asks("192.0.2.1", &["10.0.0.1"]), "192.0.2.1");
        assert_eq!(asks("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(asks("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(asks("::ffff:10.0.0.1", &["::ffff:203.0.113.9"]), "203.0.113.9", "the same, written otherwise");
        // What the stranger sent along stands before what the proxy added.
        assert_eq!(asks("10.0.0.1", &["127.0.0.1, 10.9.9.9, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(asks("10.0.0.1", &["1.1.1.1", "2.2.2.2, 203.0.113.9"]), "203.0.113.9", "several are one list");
        // Two proxies in a row.
        assert_eq!(asks("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(asks("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3", "none but trusted ones");
        assert_eq!(asks("2001:db8::1", &["2001:db9::7, [2001:db8::2]:443"]), "2001:db9::7");
        assert_eq!(asks("10.0.0.1", &["203.0.113.9:4711"]), "203.0.113.9");
    }

    #[test]
    fn what_cannot_be_read_ends_it() {
        let long = "10.0.0.7, ".repeat(50_000) + "10.0.0.2";
        let lines: [(&[u8], &str); 9] = [
            (b"", "10.0.0.1"),
            (b" , ", "10.0.0.1"),
            (b"unknown", "10.0.0.1"),
            (b"203.0.113.9, not-an-address", "10.0.0.1"),
            (b"203.0.113.9, 10.0.0.2 OR 1=1", "10.0.0.1"),
            (b"203.0.113.9, 010.0.0.2", "10.0.0.1"),
            (b"203.0.113.9,\xff\xfe", "10.0.0.1"),
            (b"1.1.1.1, evil, 10.0.0.2", "10.0.0.2"),
            (long.as_bytes(), "10.0.0.7"),
        ];
        for (line, expected) in lines {
            let said = String::from_utf8_lossy(line.get(..40).unwrap_or(line)).into_owned();
            assert_eq!(asker(ProxyHeader::XForwardedFor, "10.0.0.1", &[line]), expected, "{said}");
        }
    }

    #[test]
    fn the_standard_header_is_read_as_well() {
        for (line, expected) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("for=1.1.1.1, For=\"203.0.113.9:4711\";proto=https;by=10.0.0.1", "203.0.113.9"),
            ("by=10.0.0.9; for=\"[2001:db9:cafe::17]:4711\"", "2001:db9:cafe::17"),
            ("for=\"[2001:db9:cafe::17]\"", "2001:db9:cafe::17"),
            // A quotation mark left open by a stranger does not swallow what the proxy added.
            ("for=\"1.1.1.1, for=203.0.113.9", "203.0.113.9"),
            ("for=1.1.1.1, for=_hidden", "10.0.0.1"),
            ("for=1.1.1.1, for=unknown", "10.0.0.1"),
            ("203.0.113.9", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
        ] {
            assert_eq!(asker(ProxyHeader::Forwarded, "10.0.0.1", &[line.as_bytes()]), expected, "{line}");
        }
        assert_eq!(asker(ProxyHeader::Forwarded, "192.0.2.1", &[b"for=203.0.113.9"]), "192.0.2.1");
    }

    #[test]
    fn nobody_is_trusted_unless_said_so() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("203.0.113.9"));
        let none = Proxies::new(&Limits::default());
        assert_eq!(none.asker([127, 0, 0, 1].into(), &headers).to_string(), "127.0.0.1");
    }
}
