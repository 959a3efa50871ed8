//! The invite link: where a team is, whose key to trust, and a one-use secret.
//!
//! `meantime://join#v=1&host=HOST:PORT&ca=PIN&secret=SECRET&team=NAME`, or the
//! same fragment behind `https://HOST:PORT/join`. Everything stands in the
//! fragment, which a browser does not send and a server does not log.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::str::FromStr;

/// Longest link accepted, in bytes.
pub const MAX_LINK: usize = 1024;

/// An invite, parsed. `Debug` leaves the secret out.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// `host:port` of the server.
    pub host: String,
    /// SHA-256 of the server CA's SubjectPublicKeyInfo; `None` for a server
    /// whose certificate the system already trusts.
    pub ca: Option<[u8; 32]>,
    /// The one-use secret: 128 bits, base64url.
    pub secret: String,
    /// The team's name, to be shown before joining; not to be relied on.
    pub team: String,
}

/// Why a link is not an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadInvite {
    /// Not `meantime://join#…` or `https://…/join#…`.
    #[error("this is not an invite link")]
    NotAnInvite,
    /// A part is missing, twice or not of its form.
    #[error("the invite link is damaged: {0}")]
    Damaged(&'static str),
    /// Made for a newer version of the app.
    #[error("the invite link was made by a newer version; update Meantime first")]
    Newer,
}

impl FromStr for Invite {
    type Err = BadInvite;

    fn from_str(link: &str) -> Result<Self, BadInvite> {
        let link = link.trim();
        if link.len() > MAX_LINK || link.chars().any(char::is_control) {
            return Err(BadInvite::NotAnInvite);
        }
        let (place, fragment) = link.split_once('#').ok_or(BadInvite::NotAnInvite)?;
        let place = place.trim_end_matches('/');
        let web = place.strip_prefix("https://").and_then(|rest| rest.strip_suffix("/join"));
        if place != "meantime://join" && web.is_none() {
            return Err(BadInvite::NotAnInvite);
        }
        let mut parts = Parts::default();
        for (key, value) in url::form_urlencoded::parse(fragment.as_bytes()) {
            parts.take(&key, value.into_owned())?;
        }
        parts.finish()
    }
}

#[derive(Default)]
struct Parts {
    version: Option<String>,
    host: Option<String>,
    ca: Option<String>,
    secret: Option<String>,
    team: Option<String>,
}

impl Parts {
    fn take(&mut self, key: &str, value: String) -> Result<(), BadInvite> {
        let slot = match key {
            "v" => &mut self.version,
            "host" => &mut self.host,
            "ca" => &mut self.ca,
            "secret" => &mut self.secret,
            "team" => &mut self.team,
            _ => return Ok(()),
        };
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(BadInvite::Damaged("a part stands in it twice")),
        }
    }

    fn finish(self) -> Result<Invite, BadInvite> {
        match self.version.as_deref() {
            Some("1") => {}
            Some(v) if v.parse::<u32>().is_ok_and(|v| v > 1) => return Err(BadInvite::Newer),
            _ => return Err(BadInvite::Damaged("its version is missing")),
        }
        let host = self.host.ok_or(BadInvite::Damaged("the server's address is missing"))?;
        if !is_authority(&host) {
            return Err(BadInvite::Damaged("the server's address is not host:port"));
        }
        let ca = match self.ca {
            None => None,
            Some(text) => {
                let bytes = URL_SAFE_NO_PAD.decode(text).ok();
                let pin = bytes.and_then(|b| <[u8; 32]>::try_from(b).ok());
                Some(pin.ok_or(BadInvite::Damaged("the server's key is not a SHA-256"))?)
            }
        };
        let secret = self.secret.ok_or(BadInvite::Damaged("its secret is missing"))?;
        if !URL_SAFE_NO_PAD.decode(&secret).is_ok_and(|b| b.len() == 16) {
            return Err(BadInvite::Damaged("its secret is not 128 bits"));
        }
        Ok(Invite { host, ca, secret, team: self.team.unwrap_or_default() })
    }
}

/// `host:port` and nothing that could smuggle in a path, a user or a query.
fn is_authority(text: &str) -> bool {
    let Ok(url) = url::Url::parse(&format!("https://{text}/")) else { return false };
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'));
    plain
        && url.host().is_some()
        && url.path() == "/"
        && text.rsplit(':').next().is_some_and(|p| p.parse::<u16>().is_ok())
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fragment = url::form_urlencoded::Serializer::new(String::new());
        fragment.append_pair("v", "1").append_pair("host", &self.host);
        if let Some(ca) = &self.ca {
            fragment.append_pair("ca", &URL_SAFE_NO_PAD.encode(ca));
        }
        fragment.append_pair("secret", &self.secret).append_pair("team", &self.team);
        write!(f, "meantime://join#{}", fragment.finish())
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invite").field("host", &self.host).field("team", &self.team).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn invite() -> Invite {
        Invite {
            host: "127.0.0.1:8443".into(),
            ca: Some([7; 32]),
            secret: URL_SAFE_NO_PAD.encode([1; 16]),
            team: "Blue & Söhne".into(),
        }
    }

    #[test]
    fn comes_back_from_its_text() {
        assert_eq!(invite().to_string().parse(), Ok(invite()));
        let web = invite().to_string().replace("meantime://join", "https://team.example:443/join");
        assert_eq!(web.parse(), Ok(invite()));
    }

    #[test]
    fn says_what_is_wrong() {
        let link = invite().to_string();
        for (from, to, want) in [
            ("v=1", "v=2", BadInvite::Newer),
            ("v=1", "v=x", BadInvite::Damaged("its version is missing")),
            ("127.0.0.1%3A8443", "a%2Fb%3A1", BadInvite::Damaged("the server's address is not host:port")),
            ("127.0.0.1%3A8443", "u%40h%3A1", BadInvite::Damaged("the server's address is not host:port")),
            ("team=", "v=1&team=", BadInvite::Damaged("a part stands in it twice")),
            ("meantime://join", "meantime://join.evil", BadInvite::NotAnInvite),
        ] {
            assert_eq!(link.replace(from, to).parse::<Invite>(), Err(want), "{from} -> {to}");
        }
    }

    #[test]
    fn debug_keeps_the_secret() {
        assert!(!format!("{:?}", invite()).contains(&invite().secret));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}", tail in ".{0,100}") {
            let _ = text.parse::<Invite>();
            let _ = format!("meantime://join#{tail}").parse::<Invite>();
        }
    }
}
