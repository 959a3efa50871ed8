//! Which addresses may be asked: those on the public internet, and a private
//! host only when the person allowed that very host.
//!
//! A feed's address, or a redirect of it, could otherwise make the app ask
//! the router or a service on this computer. A name is looked up once, and
//! the connection goes to what was found.

use meantime_source::{SourceError, SourceResult};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::{Host, Url};

/// Looks names up, and leaves out addresses that may not be asked.
pub struct Gate {
    /// The one host that may be private, in lower case.
    pub private_host: Option<String>,
}

/// No address of a host may be asked.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not on the public internet")]
pub struct NotPublic(pub String);

impl Resolve for Gate {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_lowercase();
        let allowed = self.private_host.as_deref() == Some(&host);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let usable: Vec<SocketAddr> =
                found.iter().copied().filter(|address| allowed || is_global(address.ip())).collect();
            if usable.is_empty() && !found.is_empty() {
                return Err(NotPublic(host).into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

/// Reads an address that a person entered.
pub fn entered(text: &str) -> SourceResult<Url> {
    let wrong = "This is not a web address. It starts with https:// as a rule.";
    let url = Url::parse(text.trim()).map_err(|_| SourceError::Invalid(wrong.to_owned()))?;
    match unfit(&url) {
        Some(why) => Err(SourceError::Invalid(why)),
        None => Ok(url),
    }
}

/// Checks the parts of an address that no lookup sees: the scheme, a numeric
/// host, a login.
pub fn check(url: &Url, private_host: Option<&str>) -> SourceResult<()> {
    if let Some(why) = unfit(url) {
        return Err(SourceError::Permanent(why));
    }
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(_)) | None => None,
    };
    if ip.is_some_and(|ip| !is_global(ip)) && private_host != url.host_str() {
        return Err(not_public(url.host_str().unwrap_or_default()));
    }
    Ok(())
}

/// Why nothing at this address can be a feed.
fn unfit(url: &Url) -> Option<String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Some(format!("“{}:” is not an address of a feed; http or https is.", url.scheme()));
    }
    url.host().is_none().then(|| "This address names no host. Check the spelling.".to_owned())
}

/// As the window names the choice when a feed is added.
pub const PRIVATE: &str = "It lies in my own network";

/// What a person is told about a private host.
pub fn not_public(host: &str) -> SourceError {
    SourceError::Permanent(format!(
        "{host} is not on the public internet. If it is yours, add the feed with “{PRIVATE}” (`--private` on the \
         command line)."
    ))
}

/// Reachable by everybody: neither private, local, reserved nor a way to
/// those in disguise (IANA special-purpose registries).
#[must_use]
pub fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_global_v4(ip),
        IpAddr::V6(ip) => is_global_v6(ip),
    }
}

fn is_global_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special
}

fn is_global_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = |high: u16, low: u16| {
        let ([w, x], [y, z]) = (high.to_be_bytes(), low.to_be_bytes());
        is_global_v4(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) => v4(g, h),
        (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        (0x2002, high, low, _, _, _) => v4(high, low),
        (0x2001, 0..=0x1ff | 0xdb8, _, _, _, _) | (0x3fff, 0..=0xfff, _, _, _, _) => false,
        // Only 2000::/3 is handed out.
        _ => (0x2000..=0x3fff).contains(&a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_global() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "172.31.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fc00::1",
            "fe80::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "ff02::1",
            "::127.0.0.1",
            "fec0::1",
            "192.0.2.1",
        ] {
            assert!(!is_global(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"] {
            assert!(is_global(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_private_host_is_refused_in_the_words_of_the_choice() {
        let window = include_str!("../../../../ui/src/settings/AddFeed.svelte");
        assert!(window.contains(PRIVATE), "the window says it in other words");
        let refused = check(&Url::parse("http://10.0.0.1/feed").unwrap(), None).unwrap_err();
        assert!(refused.to_string().contains(PRIVATE), "{refused}");
    }

    #[test]
    fn what_is_no_address_is_told_from_what_may_not_be_asked() {
        for wrong in
            ["", "example.org/feed", "https://", "https://exa mple.org/", "file:///etc/passwd", "javascript:alert(1)"]
        {
            assert!(matches!(entered(wrong), Err(SourceError::Invalid(_))), "{wrong}");
        }
        assert!(entered(" https://example.org/feed ").is_ok());
        let hop = Url::parse("gopher://example.org/").unwrap();
        assert!(matches!(check(&hop, None), Err(SourceError::Permanent(_))), "nobody entered that");
    }

    #[test]
    fn numbers_and_schemes_are_checked_without_a_lookup() {
        let check = |url: &str, host| check(&Url::parse(url).unwrap(), host);
        assert!(check("http://127.0.0.1:8080/feed", None).is_err());
        assert!(check("http://0x7f.1/feed", None).is_err(), "other spellings of the same");
        assert!(check("http://[::1]/", None).is_err());
        assert!(check("file:///etc/passwd", None).is_err());
        assert!(check("http://127.0.0.1/", Some("127.0.0.1")).is_ok());
        assert!(check("http://127.0.0.2/", Some("127.0.0.1")).is_err());
        assert!(check("https://example.org/feed", None).is_ok());
    }
}
