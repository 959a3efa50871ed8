//! Foreign text made harmless, and its width on a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// One line without anything a terminal would act on; each white space is one space.
pub(crate) fn clean(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_whitespace() {
            line.extend(harmless(c));
        } else if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// The same for text of several lines.
pub(crate) fn clean_lines(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line: String = line.replace('\t', "    ").chars().filter_map(harmless).collect();
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n").trim_matches('\n').to_owned()
}

/// Columns of a text.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// The beginning of a text that fits, with `…` where it was cut.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        fitted.push(c);
    }
    // Together, letters may be wider than each alone.
    while columns(&fitted) >= width.max(1) && fitted.pop().is_some() {}
    if width > 0 {
        fitted.push('…');
    }
    fitted
}

/// Lines of whole words that fit, but for a word that is wider itself.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Control characters become visible; what turns the direction of writing
/// around or hides between letters is dropped.
fn harmless(c: char) -> Option<char> {
    match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => None,
        '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => None,
        c if c.is_control() => Some('\u{fffd}'),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_acts_on_gets_through() {
        let evil = "a\x1b]0;owned\x07b\x1b[2J\u{9b}31mc\r\nd\u{202e}e\0\x7f";
        for cleaned in [clean(evil), clean_lines(evil)] {
            assert!(!cleaned.chars().any(|c| c.is_control() && c != '\n'), "{cleaned:?}");
            assert!(!cleaned.contains('\u{202e}'));
        }
        assert_eq!(clean("  Two\r\n lines\tand more "), "Two lines and more");
        assert_eq!(clean_lines("\n\na\tb  \r\n\n c\n\n"), "a    b\n\n c");
        assert_eq!(clean("你好, Grüße \u{1f980}"), "你好, Grüße \u{1f980}");
    }

    #[test]
    fn wide_letters_take_two_columns() {
        assert_eq!(columns("你好"), 4);
        assert_eq!(fit("你好吗", 5), "你好…");
        assert_eq!(fit("你好吗", 6), "你好吗");
        assert_eq!(fit("abc", 1), "…");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(fit("❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}", 5), "❤\u{fe0f}❤\u{fe0f}…");
        assert_eq!(columns(&fit("❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}", 4)), 4);
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        assert_eq!(wrap("one two 你好 three", 7), ["one two", "你好", "three"]);
        assert_eq!(
            (wrap("", 7), wrap("onetwothree four", 3)),
            (vec![String::new()], vec!["onetwothree".into(), "four".into()])
        );
    }
}
