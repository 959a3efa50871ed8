//! Bytes → text: the feed's encoding, by its byte order mark, what HTTP says,
//! what the XML declaration says, in this order (RFC 7303), with doubt where
//! the bytes say otherwise.
//!
//! The parser gets UTF-8 alone: it panics on some UTF-16.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Decodes a document; what can't be decoded becomes U+FFFD. Characters that
/// XML does not allow, and the XML declaration, are taken out.
#[must_use]
pub fn decode(bytes: &[u8], content_type: Option<&str>) -> String {
    let (text, _) = encoding(bytes, content_type).decode_with_bom_removal(bytes);
    let allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let text: String = text.chars().filter(|&c| allowed(c) && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect();
    match text.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
        Some((_, rest)) => rest.trim_start().to_owned(),
        None => text.trim_start().to_owned(),
    }
}

/// Whether this is damaged UTF-16. A byte that was lost or added makes other
/// letters of all that follows, `<` being U+3C00 then.
#[must_use]
pub fn is_damaged_utf16(bytes: &[u8], content_type: Option<&str>) -> bool {
    let encoding = encoding(bytes, content_type);
    let (text, wrong) = encoding.decode_with_bom_removal(bytes);
    (encoding == UTF_16LE || encoding == UTF_16BE) && (wrong || text.contains('\u{3c00}'))
}

fn encoding(bytes: &[u8], content_type: Option<&str>) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    match bytes {
        [b'<' | b'{', 0, _, ..] => return UTF_16LE,
        [0, b'<' | b'{', _, ..] => return UTF_16BE,
        _ => {}
    }
    let declared = from_declaration(bytes);
    // Latin-1 that happens to be UTF-8 is next to unheard of; servers that
    // label UTF-8 as Latin-1 are not.
    if !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok() && declared.is_none_or(|declared| declared == UTF_8) {
        return UTF_8;
    }
    match content_type.and_then(from_content_type).or(declared) {
        // What is in 16 bits would have been seen above.
        Some(encoding) if encoding != UTF_16LE && encoding != UTF_16BE => encoding,
        _ if std::str::from_utf8(bytes).is_ok() => UTF_8,
        Some(_) | None if valid_start(bytes) => UTF_8,
        _ => WINDOWS_1252,
    }
}

/// UTF-8 with few mistakes is UTF-8 that was cut or patched.
fn valid_start(bytes: &[u8]) -> bool {
    let high = bytes.iter().filter(|byte| **byte >= 0x80).count();
    let wrong = String::from_utf8_lossy(bytes).matches('\u{fffd}').count();
    wrong * 10 < high
}

fn from_content_type(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("charset") {
            return None;
        }
        Encoding::for_label(value.trim().trim_matches(['"', '\'']).as_bytes())
    })
}

fn from_declaration(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(bytes.get(..256).unwrap_or(bytes));
    let declaration = head.split_once("<?xml")?.1.split("?>").next()?;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    Encoding::for_label(value.split(quote).nth(1)?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_found() {
        let latin = b"<?xml version='1.0' encoding='iso-8859-1'?><a>caf\xe9</a>";
        assert_eq!(decode(latin, None), "<a>café</a>");
        assert_eq!(decode(b"<a>caf\xe9</a>", Some("text/xml; charset=\"ISO-8859-1\"")), "<a>café</a>");
        assert_eq!(decode(b"<a>caf\xe9</a>", Some("text/xml; charset=nonsense")), "<a>café</a>");
        assert_eq!(decode("<a>café</a>".as_bytes(), Some("text/xml; charset=iso-8859-1")), "<a>café</a>");
        assert_eq!(decode(b"\xef\xbb\xbf<a>caf\xc3\xa9</a>", None), "<a>café</a>");
        let wide: Vec<u8> = "<a>café</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&wide, None), "<a>café</a>");
        let big: Vec<u8> = "\u{feff}<a>café</a>".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&big, Some("text/xml; charset=utf-8")), "<a>café</a>");
        let kanji = encoding_rs::SHIFT_JIS.encode("<a>日本</a>").0.into_owned();
        assert_eq!(decode(&kanji, Some("text/xml; charset=shift_jis")), "<a>日本</a>");
        assert_eq!(decode(b"\x00\x0b<a>\x08x</a>", None), "<a>x</a>");
    }
}
