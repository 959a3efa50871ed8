//! Chinese, Japanese and Korean text, which is written without spaces: a run
//! of it is indexed as its overlapping pairs of letters, so that any piece of
//! it can be found.
//!
//! A run ends with its last letter alone: then each letter begins a word of
//! the index, and one letter is found by its beginning. It knows nothing of
//! languages or dictionaries: 京都 is found in 東京都 as well.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;

/// Letters of scripts without spaces between words.
pub(super) fn is_cjk(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{11ff}' | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{318f}' | '\u{31a0}'..='\u{31bf}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3134f}')
        && c.is_alphanumeric()
}

/// Whether there is such a letter. Costs next to nothing for other text.
pub(super) fn any(text: &str) -> bool {
    !text.is_ascii() && text.chars().any(is_cjk)
}

/// The words to index a text by: pairs for such runs, the rest as it is.
pub(super) fn to_index(text: &str) -> String {
    split(text, false)
}

/// The same for words that are looked for, as a phrase. True if the last of
/// them is one letter of such a script, so that it stands for a beginning.
pub(super) fn to_find(text: &str) -> (String, bool) {
    let words = split(text, true);
    let last = words.split_whitespace().rfind(|word| word.contains(char::is_alphanumeric)).unwrap_or_default();
    let alone = last.chars().count() == 1 && last.contains(is_cjk);
    (words, alone)
}

/// `open`: what follows the last run is not known, and its last letter stands
/// in the pair before.
fn split(text: &str, open: bool) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(start) = rest.find(is_cjk) {
        let (before, from) = rest.split_at(start);
        let (run, after) = from.split_at(from.find(|c| !is_cjk(c)).unwrap_or(from.len()));
        out.push_str(before);
        let open = open && !after.contains(char::is_alphanumeric);
        let mut letters = run.chars().peekable();
        let mut first = true;
        while let Some(letter) = letters.next() {
            let next = letters.peek();
            if next.is_none() && open && !first {
                break;
            }
            out.push(' ');
            out.push(letter);
            out.extend(next);
            first = false;
        }
        out.push(' ');
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Gives a connection the two functions that the triggers call.
pub(crate) fn register(conn: &Connection) -> rusqlite::Result<()> {
    // Innocuous: a schema may call them though it is not trusted.
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    conn.create_scalar_function("has_cjk", -1, flags, |context| {
        for i in 0..context.len() {
            if any(text(context, i)) {
                return Ok(true);
            }
        }
        Ok(false)
    })?;
    conn.create_scalar_function("cjk_words", 1, flags, |context| Ok(to_index(text(context, 0))))
}

fn text<'a>(context: &'a Context<'_>, i: usize) -> &'a str {
    match context.get_raw(i) {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        text.split_whitespace().collect()
    }

    #[test]
    fn runs_become_pairs_and_the_rest_stays() {
        for (text, want) in [
            ("", ""),
            ("plain words", "plain words"),
            ("設計する", "設計 計す する る"),
            ("犬", "犬"),
            ("使用API的", "使用 用 API 的"),
            ("東京, 大阪", "東京 京 , 大阪 阪"),
            ("한국어로", "한국 국어 어로 로"),
            ("カメラ・レンズ", "カメ メラ ラ ・ レン ンズ ズ"),
        ] {
            assert_eq!(words(&to_index(text)), words(want), "{text}");
        }
    }

    #[test]
    fn what_is_looked_for_leaves_its_end_open() {
        for (text, want) in [
            ("設計", ("設計", false)),
            ("設計す", ("設計 計す", false)),
            ("犬", ("犬", true)),
            ("使用API的", ("使用 用 API 的", true)),
            ("使用API", ("使用 用 API", false)),
            ("設計。", ("設計 。", false)),
            ("犬。", ("犬 。", true)),
            ("API設計", ("API 設計", false)),
        ] {
            let (found, alone) = to_find(text);
            assert_eq!((words(&found), alone), (words(want.0), want.1), "{text}");
        }
    }
}
