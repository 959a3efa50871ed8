//! What a row shows of a message.

/// The first words of a text, in one line; quoted lines are left out.
pub(crate) fn start_of(text: &str) -> String {
    const CHARS: usize = 140;
    let mut out = String::new();
    let words = text.lines().filter(|l| !l.trim_start().starts_with('>')).flat_map(str::split_whitespace);
    for word in words {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().filter(|c| !c.is_control()).take(CHARS));
        if out.chars().count() > CHARS {
            return out.chars().take(CHARS).collect::<String>() + "…";
        }
    }
    out
}
