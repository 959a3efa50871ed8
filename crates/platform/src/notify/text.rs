//! Text as notification services take it.

use super::Note;

/// Longer lines are cut: no service shows more, and some fail.
const TITLE_CHARS: usize = 200;
const BODY_CHARS: usize = 1000;

/// The note's title: one line without control characters.
pub fn title(note: &Note) -> String {
    let line: String = note.title.split_whitespace().collect::<Vec<_>>().join(" ");
    cut(&visible(&line), TITLE_CHARS)
}

/// The note's body; `markup` if the service reads it as markup.
pub fn body(note: &Note, markup: bool) -> String {
    let text = cut(&visible(note.body.trim()), BODY_CHARS);
    if !markup {
        return text;
    }
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn visible(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(limit - 1).collect();
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(title: &str, body: &str) -> Note {
        Note { key: "k".into(), title: title.into(), body: body.into(), actions: Vec::new(), urgent: false }
    }

    #[test]
    fn markup_is_escaped_where_it_would_be_read() {
        let note = note("a\n b\u{7}", "1 < 2 & <b>bold</b>\nnext\u{0}");
        assert_eq!(title(&note), "a b");
        assert_eq!(body(&note, true), "1 &lt; 2 &amp; &lt;b&gt;bold&lt;/b&gt;\nnext");
        assert_eq!(body(&note, false), "1 < 2 & <b>bold</b>\nnext");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = note(&"ä".repeat(500), &"<".repeat(5000));
        assert_eq!(title(&long).chars().count(), TITLE_CHARS);
        assert!(title(&long).ends_with('…'));
        assert_eq!(body(&long, false).chars().count(), BODY_CHARS);
        assert!(body(&long, true).ends_with("&lt;…"), "an entity is never cut in two");
    }
}
