//! Text from outside, made fit to be shown: one-line titles, plain bodies,
//! file names, dates.
//!
//! It takes away what deceives or breaks a line (control characters, bidi
//! overrides, invisible joints) and what is too long. It does not translate,
//! guess charsets or know mail; HTML is [`crate::html`]'s.

use chrono::{DateTime, TimeDelta, Utc};

/// A title has at most this many characters.
pub const TITLE_CHARS: usize = 500;
/// A body text has at most this many bytes.
pub const TEXT_BYTES: usize = 1 << 20;
/// A file name has at most this many bytes.
pub const FILE_NAME_BYTES: usize = 255;

/// One line: white space and control characters become single spaces, bidi
/// overrides and zero-width characters go, at most [`TITLE_CHARS`] characters.
#[must_use]
pub fn one_line(raw: &str) -> String {
    let mut line = String::with_capacity(raw.len().min(TITLE_CHARS));
    let mut chars = 0;
    let mut gap = false;
    for c in raw.chars() {
        if c.is_whitespace() || c.is_control() {
            gap = !line.is_empty();
            continue;
        }
        if is_deceptive(c) {
            continue;
        }
        let wanted = 1 + usize::from(gap);
        if chars + wanted > TITLE_CHARS {
            // The last place is the ellipsis' own.
            line.pop();
            line.push('…');
            break;
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(c);
        chars += wanted;
    }
    line
}

/// Lines of text: line ends become `\n`, other control characters and bidi
/// overrides go, at most two empty lines in a row, at most [`TEXT_BYTES`].
#[must_use]
pub fn plain(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len().min(TEXT_BYTES));
    let mut newlines = 0;
    for line in raw.split('\n') {
        let line = line.trim_end();
        if line.is_empty() {
            newlines += 1;
            continue;
        }
        if !text.is_empty() {
            for _ in 0..newlines.min(3) {
                text.push('\n');
            }
        }
        newlines = 1;
        text.extend(line.chars().filter(|&c| (c == '\t' || !c.is_control()) && !is_deceptive(c)));
        if text.len() > TEXT_BYTES {
            text.truncate(floor_boundary(&text, TEXT_BYTES));
            text.push('…');
            break;
        }
    }
    text
}

/// A file name without a path or anything that deceives; `fallback` where
/// nothing is left of it.
#[must_use]
pub fn file_name(raw: &str, fallback: &str) -> String {
    let last = raw.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name = one_line(last);
    name.retain(|c| !matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|'));
    let name = name.trim_matches(['.', ' ']);
    let name = name.get(..floor_boundary(name, FILE_NAME_BYTES)).unwrap_or_default();
    if name.is_empty() { fallback.to_owned() } else { name.to_owned() }
}

/// A date from outside: none in the future (mails from tomorrow would stay on
/// top for ever), none before 1970.
#[must_use]
pub fn clamp(at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    // A sender's clock that is a little fast is not worth a lie.
    if at > now + TimeDelta::minutes(2) { now } else { at.max(DateTime::UNIX_EPOCH).min(now) }
}

/// The greatest char boundary of `text` that is not above `at`.
#[must_use]
pub fn floor_boundary(text: &str, at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    (0..=at).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

/// Turns the reading order, or is not seen at all: what a forged sender or
/// file name hides behind.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_title_is_one_honest_line() {
        assert_eq!(one_line("  Re:\r\n\tplan \u{202e}gpj.exe\0 "), "Re: plan gpj.exe");
        assert!(one_line(&"x ".repeat(2000)).chars().count() <= TITLE_CHARS);
        assert!(one_line(&"é".repeat(501)).ends_with('…'));
        assert_eq!(one_line(&"é".repeat(500)).chars().count(), 500);
    }

    #[test]
    fn a_body_keeps_its_lines() {
        assert_eq!(plain("a\r\n\r\n\r\n\r\n\r\nb\u{7}\tc\n\n"), "a\n\n\nb\tc");
    }

    #[test]
    fn a_file_name_has_no_path() {
        assert_eq!(file_name("../../etc/passwd", "file"), "passwd");
        assert_eq!(file_name("C:\\tmp\\a:b?.txt", "file"), "ab.txt");
        assert_eq!(file_name("..", "file"), "file");
        assert!(file_name(&"ä".repeat(400), "file").len() <= FILE_NAME_BYTES);
    }

    #[test]
    fn dates_from_the_future_are_now() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        assert_eq!(clamp(now + TimeDelta::days(400), now), now);
        assert_eq!(clamp(now - TimeDelta::days(4), now), now - TimeDelta::days(4));
        assert_eq!(clamp(DateTime::<Utc>::MIN_UTC, now), DateTime::UNIX_EPOCH);
    }

    proptest! {
        #[test]
        fn any_text_is_bounded_and_clean(raw in any::<String>()) {
            let line = one_line(&raw);
            prop_assert!(line.chars().count() <= TITLE_CHARS);
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert!(!plain(&raw).chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            prop_assert!(file_name(&raw, "f").len() <= FILE_NAME_BYTES);
        }
    }
}
