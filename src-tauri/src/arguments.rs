//! What the program was started with. A second start hands its arguments to
//! the first one over the bus, so anybody on it may have written them.

use std::fmt;

/// More is nobody's invite link.
const LINK_LIMIT: usize = 2048;
/// More arguments than this are not ours.
const COUNT_LIMIT: usize = 16;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// No window at the start (autostart).
    pub hidden: bool,
    /// Print the version and end.
    pub version: bool,
    /// A link to join a team; acts only after the person confirmed it.
    pub join: Option<JoinLink>,
}

/// `meantime://join#…`, not looked into further. Its secret never shows in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinLink(String);

impl Launch {
    /// Reads the arguments, without the program's name. What is unknown is
    /// left out, and never repeated in the log.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Self {
        let mut launch = Self::default();
        for argument in arguments.take(COUNT_LIMIT) {
            match argument.as_str() {
                "--hidden" => launch.hidden = true,
                "--version" | "-V" => launch.version = true,
                other => match JoinLink::parse(other) {
                    Some(link) => launch.join = Some(link),
                    None => tracing::warn!("an unknown argument of {} characters was left out", other.len()),
                },
            }
        }
        launch
    }
}

impl JoinLink {
    fn parse(text: &str) -> Option<Self> {
        let secret = text.strip_prefix("meantime://join#").or_else(|| text.strip_prefix("meantime://join/#"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%&=:+/@!$'()*,;?".contains(c);
        (!secret.is_empty() && text.len() <= LINK_LIMIT && secret.chars().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The whole link, with its secret.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Debug for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("meantime://join#…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Launch {
        Launch::parse(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn known_arguments_are_taken() {
        let link = "meantime://join#v=1&host=team.example%3A8443&ca=ab12&code=xY_-9";
        let launch = parse(&["--hidden", link]);
        assert!(launch.hidden && !launch.version);
        assert!(!format!("{launch:?}").contains("xY_-9"), "{launch:?}");
        assert_eq!(launch.join.unwrap().into_text(), link);
    }

    #[test]
    fn whatever_else_comes_is_left_out() {
        let long = format!("meantime://join#{}", "a".repeat(LINK_LIMIT));
        let strange = [
            "",
            "--HIDDEN",
            "meantime://join",
            "meantime://join#",
            "meantime://join?code=1",
            "meantime://join#a b",
            "meantime://join#a\nb",
            "meantime://join#\u{202e}x",
            "meantime://joined#x",
            "https://example.org",
            "file:///etc/passwd",
            "--load=/tmp/x.so",
            &long,
        ];
        assert_eq!(parse(&strange), Launch::default());
        let many: Vec<&str> = std::iter::repeat_n("x", 100).chain(["--hidden"]).collect();
        assert_eq!(parse(&many), Launch::default());
    }
}
