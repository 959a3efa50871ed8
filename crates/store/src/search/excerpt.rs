//! The place of a text that a hit shows: on one line, without the marks of
//! Markdown and mail, the match in each second piece.

/// Stands around a match; can't stand in a text that is shown.
pub(super) const MARK: char = '\u{1}';

/// Letters of a text without spaces that are shown before the match, and in all.
const BEFORE: usize = 16;
const SHOWN: usize = 64;
/// Text that is looked through for a match; what comes later is not shown.
const LOOKED_THROUGH: usize = 20_000;

/// What SQLite's `snippet` cut out, its matches in [`MARK`]s.
pub(super) fn of_snippet(snippet: &str, markdown: bool) -> Vec<String> {
    pieces(&plain(snippet, markdown))
}

/// The place of the first of `words` that occurs, with all of them marked.
pub(super) fn around(text: &str, words: &[String], markdown: bool) -> Vec<String> {
    let end = text.char_indices().nth(LOOKED_THROUGH).map_or(text.len(), |(at, _)| at);
    let text: Vec<char> = plain(text.get(..end).unwrap_or_default(), markdown).chars().filter(|c| *c != MARK).collect();
    let folded: Vec<char> = text.iter().map(|c| fold(*c)).collect();
    let words: Vec<Vec<char>> = words.iter().map(|w| w.chars().map(fold).collect()).collect();
    let begins = |at: usize| {
        let here = folded.get(at..).unwrap_or_default();
        words.iter().filter(|w| !w.is_empty() && here.starts_with(w)).map(Vec::len).max()
    };
    let first = (0..text.len()).find(|at| begins(*at).is_some()).unwrap_or(0);
    let start = first.saturating_sub(BEFORE);
    let stop = text.len().min(start + SHOWN);
    let mut out = String::new();
    if start > 0 {
        out.push('…');
    }
    let mut at = start;
    while at < stop {
        let found = begins(at).unwrap_or(0);
        let piece = text.get(at..(at + found.max(1)).min(text.len())).unwrap_or_default();
        if found > 0 {
            out.push(MARK);
        }
        out.extend(piece);
        if found > 0 {
            out.push(MARK);
        }
        at += found.max(1);
    }
    if at < text.len() {
        out.push('…');
    }
    pieces(&out)
}

/// One letter for one letter, so that places stay the same.
fn fold(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

fn pieces(excerpt: &str) -> Vec<String> {
    let mut pieces: Vec<String> = excerpt.split(MARK).map(str::to_owned).collect();
    // A mark whose other half was in an address that is not shown.
    if pieces.len().is_multiple_of(2) {
        let rest = pieces.pop().unwrap_or_default();
        if let Some(last) = pieces.last_mut() {
            last.push_str(&rest);
        }
    }
    pieces
}

/// The text on one line, without what stands before quoted lines and, of
/// Markdown, without its signs and the addresses of its links.
fn plain(text: &str, markdown: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let line = if markdown { without_signs(line) } else { line.trim_start_matches(['>', ' ', '\t']).to_owned() };
        for word in line.split_whitespace() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.extend(word.chars().filter(|c| *c == MARK || !c.is_control()));
        }
    }
    out
}

/// A line of Markdown without its signs and the addresses of its links.
pub(crate) fn without_signs(line: &str) -> String {
    inline(block(line))
}

/// A line without the signs it begins with; nothing of rules, fences and the
/// lines under the head of a table.
fn block(line: &str) -> &str {
    let line = line.trim_start_matches(['>', ' ', '\t']);
    if line.starts_with("```") || line.starts_with("~~~") {
        return "";
    }
    if line.contains("--") && line.chars().all(|c| matches!(c, '-' | '|' | ':' | ' ')) {
        return "";
    }
    let title = line.trim_start_matches('#');
    if title.len() < line.len() && title.starts_with(' ') {
        return title;
    }
    line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).or_else(|| line.strip_prefix("+ ")).unwrap_or(line)
}

fn inline(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' | '`' | '|' => {
                if c == '|' {
                    out.push(' ');
                }
            }
            '~' if chars.peek() == Some(&'~') => {
                chars.next();
            }
            '!' if chars.peek() == Some(&'[') => {}
            '[' => {}
            ']' => {
                // The address of a link: up to its end, or that of the excerpt.
                if chars.next_if_eq(&'(').is_some() {
                    for c in chars.by_ref() {
                        match c {
                            ')' => break,
                            '…' => {
                                out.push(c);
                                break;
                            }
                            _ => {}
                        }
                    }
                }
            }
            '\\' if chars.peek().is_some_and(char::is_ascii_punctuation) => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markdown_is_read_not_shown() {
        for (text, want) in [
            ("**Ana:** does the `error` model fit?", "Ana: does the error model fit?"),
            ("# Title\n\n- one\n- two\n> said", "Title one two said"),
            ("see [the draft](https://a.example/b) and ![it](x)", "see the draft and it"),
            ("…ad [the \u{1}draft\u{1}](https://a.exam…", "…ad the \u{1}draft\u{1}…"),
            ("| a | b |\n|---|---|\n| c | d |", "a b c d"),
            ("```\none by one\n```\n\n---\nfoo_bar 2\\*3 ~~no~~", "one by one foo_bar 2*3 no"),
        ] {
            assert_eq!(plain(text, true), want, "{text}");
        }
        assert_eq!(plain("> On *Friday* [1]\n>> you said\n\nYes", false), "On *Friday* [1] you said Yes");
    }

    #[test]
    fn the_match_stands_in_each_second_piece() {
        let found =
            |text: &str, words: &[&str]| around(text, &words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>(), true);
        assert_eq!(found("次の**設計**を読む", &["設計"]), ["次の", "設計", "を読む"]);
        assert_eq!(found("次のAPI設計", &["api", "設計"]), ["次の", "API", "", "設計", ""]);
        assert_eq!(found("何もない", &["設計"]), ["何もない"]);
        let long = found(&format!("{}設計{}", "あ".repeat(100), "い".repeat(100)), &["設計"]);
        assert_eq!(long[0], format!("…{}", "あ".repeat(BEFORE)));
        assert!(long[2].ends_with("い…"), "{long:?}");
    }

    proptest! {
        #[test]
        fn pieces_are_odd_in_number(text in "[a設計*`\\[\\]()>#|\\\\~\u{1}\n …]{0,60}", markdown: bool) {
            prop_assert_eq!(of_snippet(&text, markdown).len() % 2, 1);
            prop_assert_eq!(around(&text, &["設".to_owned(), "a".to_owned()], markdown).len() % 2, 1);
        }
    }
}
