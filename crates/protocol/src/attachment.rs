//! Files that go with messages: how a message names them, and what their
//! calls say.
//!
//! An attachment is named by its scope and the SHA-256 of its bytes; what it
//! is called and what it is stands in the message. Bytes are nobody's business
//! here.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Most attachments of one message.
pub const MAX_ATTACHMENTS: usize = 20;
/// Longest file name, in bytes of UTF-8: what file systems take.
pub const MAX_FILE_NAME: usize = 255;
/// Longest media type, in bytes.
pub const MAX_MEDIA_TYPE: usize = 127;
/// Header of answers: how many bytes of this device's unfinished upload are there.
pub const UPLOAD_OFFSET: &str = "upload-offset";
/// Fewest bytes that are kept of a request that doesn't bring the end.
pub const LEAST_PIECE: u64 = 64 * 1024;

/// One entry of a message's `attachments`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Which bytes.
    pub sha256: Sha256,
    /// What the file is called: see [`is_file_name`].
    pub name: String,
    /// What its sender takes it for, as in `image/png`. A claim, never to be
    /// relied on.
    pub media_type: String,
    /// How many bytes.
    pub bytes: u64,
}

/// Answer to `PUT /v1/attachments/{scope}/{sha256}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Bytes that are there.
    pub offset: u64,
    /// All of them are, and their hash is right: messages may refer to it.
    pub complete: bool,
}

/// SHA-256 of some bytes; written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

/// Not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 is written as 64 hexadecimal digits, in lower case")]
pub struct NoSha256;

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256 {
    type Err = NoSha256;

    fn from_str(text: &str) -> Result<Self, NoSha256> {
        let digit = |c: &u8| match c {
            b'0'..=b'9' => Ok(c - b'0'),
            b'a'..=b'f' => Ok(c - b'a' + 10),
            _ => Err(NoSha256),
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(NoSha256);
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Whether a name is one line of 1 to [`MAX_FILE_NAME`] bytes that is a file's
/// name in its folder on every system: no part of a path, nothing that can't be
/// seen, nothing that turns the order of letters round.
#[must_use]
pub fn is_file_name(name: &str) -> bool {
    (1..=MAX_FILE_NAME).contains(&name.len())
        && name.trim() == name
        && !matches!(name, "." | "..")
        && !name.chars().any(is_unfit)
}

/// A file's own name as it may be sent: what may not stand in it becomes `_`,
/// and what is too long is cut before the last dot.
#[must_use]
pub fn file_name(own: &str) -> String {
    let fit: String = own.trim().chars().map(|c| if is_unfit(c) { '_' } else { c }).collect();
    let fit = if matches!(fit.as_str(), "" | "." | "..") { "file".to_owned() } else { fit };
    if fit.len() <= MAX_FILE_NAME {
        return fit;
    }
    let (stem, ending) = match fit.rsplit_once('.') {
        Some((stem, ending)) if ending.len() <= 16 => (stem, format!(".{ending}")),
        _ => (fit.as_str(), String::new()),
    };
    let cut = stem.floor_char_boundary((MAX_FILE_NAME - ending.len()).min(stem.len()));
    format!("{}{ending}", stem.split_at(cut).0.trim_end())
}

/// Whether a media type is `type/subtype`, without parameters.
#[must_use]
pub fn is_media_type(text: &str) -> bool {
    let token =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    text.len() <= MAX_MEDIA_TYPE && text.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub))
}

fn is_unfit(c: char) -> bool {
    // The last two: line and paragraph ends, and the marks that reorder text,
    // with which "cod.exe" is shown as "exe.doc".
    c.is_control()
        || matches!(c, '/' | '\\' | ':')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_written_one_way_only() {
        let text = "00ff1e".to_owned() + &"a7".repeat(29);
        assert_eq!(text.parse::<Sha256>().unwrap().to_string(), text);
        for wrong in ["", "0", &text[1..], &text.to_uppercase(), &format!("{text}00"), &text.replace('f', "g")] {
            assert_eq!(wrong.parse::<Sha256>(), Err(NoSha256), "{wrong}");
        }
        assert!(serde_json::from_str::<Sha256>("7").is_err());
    }

    #[test]
    fn file_names_are_harmless() {
        for good in ["a", "plan v2.pdf", ".profile", "Übersicht.ods", "…", &"x".repeat(255)] {
            assert!(is_file_name(good), "{good}");
            assert_eq!(file_name(good), good);
        }
        let long = format!("{}.tar", "ü".repeat(300));
        for bad in [
            "",
            ".",
            "..",
            " a",
            "a ",
            "a/b",
            "../a",
            "a\\b",
            "C:a",
            "a\nb",
            "a\0",
            "a\u{7f}",
            "cod\u{202e}exe.doc",
            "a\u{2028}b",
            &long,
        ] {
            assert!(!is_file_name(bad), "{bad:?}");
            assert!(is_file_name(&file_name(bad)), "{bad:?} -> {:?}", file_name(bad));
        }
        assert!(file_name(&long).ends_with("ü.tar"));
        assert_eq!(file_name("../../etc/passwd"), ".._.._etc_passwd");
    }

    #[test]
    fn media_types_are_two_words() {
        for good in ["image/png", "application/vnd.oasis.opendocument.text", "image/svg+xml"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in ["", "image", "/png", "image/", "a/b/c", "text/html; charset=utf-8", "a b/c", "ä/b", "a/\r\nb"] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
