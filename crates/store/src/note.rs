//! What a row and a notification show of a message.

use crate::search::excerpt;

/// The first words of a text that are its author's own, on one line, of
/// Markdown without its signs.
#[must_use]
pub fn start_of(text: &str, markdown: bool) -> String {
    const CHARS: usize = 140;
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('>') && line.trim_end() != "--") {
        let line = if markdown || is_table(line) { excerpt::without_signs(line) } else { line.to_owned() };
        for word in line.split_whitespace() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.extend(word.chars().filter(|c| !c.is_control()).take(CHARS));
            if out.chars().count() > CHARS {
                return out.chars().take(CHARS).collect::<String>() + "…";
            }
        }
    }
    out
}

/// A line of a table as people draw them in plain text too.
fn is_table(line: &str) -> bool {
    let line = line.trim();
    line.len() > 2 && line.starts_with('|') && line.ends_with('|')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_the_authors_first_words() {
        assert_eq!(
            start_of("> old\n\nYes: the cursor\ncarries | an *epoch*.\n--\n", false),
            "Yes: the cursor carries | an *epoch*."
        );
        assert_eq!(start_of("## Title\n- **bold**, [a link](https://a.example)", true), "Title bold, a link");
        let table = "Short:\n\n| area | found |\n|---|:--|\n| keys | 6 |\n\n```\nx";
        assert_eq!(start_of(table, true), "Short: area found keys 6 x", "no sign of the table is shown");
        assert_eq!(start_of("| area | found |\n|---|---|\n| a*b | 6 |\na | b", false), "area found ab 6 a | b");
        let long = start_of(&"wörter ".repeat(100), false);
        assert!(long.chars().count() == 141 && long.ends_with('…'), "{long}");
    }
}
