//! Links out of the window: what may be opened, and what a person is shown
//! before it is.

use meantime_engine::api::{Failure, FailureCode};
use serde::Serialize;
use url::Url;

/// Longer links are not opened.
const LIMIT: usize = 8192;

/// A link as it would be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The whole link, in the one way every program reads it.
    pub url: String,
    /// Where it leads: a host (in ASCII, so that look-alike letters show), or
    /// the mail address.
    pub to: String,
    /// It opens the mail program.
    pub mail: bool,
}

impl Link {
    /// Only the web and mail; nothing that carries a password.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = |why: &str| Err(Failure::new(FailureCode::Invalid, why.to_owned()));
        if text.len() > LIMIT {
            return refuse("this link is too long to be opened");
        }
        let Ok(url) = Url::parse(text.trim()) else {
            return refuse("this is no link that can be opened");
        };
        match url.scheme() {
            "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
                refuse("this link hides its real address behind a name; it is not opened")
            }
            "http" | "https" => match url.host_str() {
                Some(host) => Ok(Self { to: host.to_owned(), mail: false, url: url.into() }),
                None => refuse("this link leads nowhere"),
            },
            "mailto" if !url.path().is_empty() => Ok(Self { to: url.path().to_owned(), mail: true, url: url.into() }),
            _ => refuse("only links to the web and mail addresses are opened"),
        }
    }

    /// Hands it to the system's browser or mail program.
    pub fn open(&self) -> Result<(), Failure> {
        open::that_detached(&self.url).map_err(|error| {
            tracing::warn!("a link could not be opened: {error}");
            Failure::new(FailureCode::NotPossible, "no program for this link was found; copy it instead")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_and_mail_are_opened() {
        let link = Link::parse(" HTTPS://Example.org/a?b=1#c ").unwrap();
        assert_eq!((link.to.as_str(), link.url.as_str()), ("example.org", "https://example.org/a?b=1#c"));
        assert_eq!(Link::parse("http://пример.example").unwrap().to, "xn--e1afmkfd.example");
        assert_eq!(Link::parse("mailto:ana@example.org?subject=Hi").unwrap().to, "ana@example.org");
    }

    #[test]
    fn nothing_else_is() {
        let long = format!("https://example.org/{}", "a".repeat(LIMIT));
        for text in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "smb://host/share",
            "ms-msdt:/id",
            "meantime://join#x",
            "--help",
            "/bin/sh",
            "https://",
            "mailto:",
            "https://bank.example@evil.example/",
            "",
            &long,
        ] {
            assert!(Link::parse(text).is_err(), "{text}");
        }
    }
}
