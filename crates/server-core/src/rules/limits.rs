//! How long things may be, whatever they are.

use super::invalid;
use crate::row::values;
use meantime_protocol::{Code, Fields, MAX_FIELDS_BYTES, MAX_VALUES, Problem};
use serde_json::Value;

/// Longest name of a person, device or space, in characters.
const NAME: usize = 100;

/// How deep fields may nest. Far below what JSON readers give up at (often
/// 128), so that no record makes a page that somebody's app can't read.
const DEPTH: usize = 32;

/// A person's, device's or team's name as it may be kept: trimmed, one line,
/// nothing in it that can't be seen.
///
/// # Errors
/// When it is empty, too long, has control characters, or such that are not
/// seen or turn the direction of text: with those, somebody could look like
/// somebody else.
pub fn name_of_person(what: &str, name: &str) -> Result<String, Problem> {
    line(what, name, NAME)?;
    if has_unseen(name) {
        return Err(invalid(format!("{what} has characters in it that can't be seen")));
    }
    Ok(name.trim().to_owned())
}

/// Whether characters stand in a name that can't be seen, or that turn the
/// direction of text. The two joiners are let be between letters that are not
/// ASCII: some scripts are written with them, and emoji are.
fn has_unseen(name: &str) -> bool {
    let letters: Vec<char> = name.chars().collect();
    let joins = |c: Option<&char>| c.is_some_and(|c| !c.is_ascii() && !is_joiner(*c) && !is_unseen(*c));
    letters.iter().enumerate().any(|(i, c)| {
        let before = i.checked_sub(1).and_then(|before| letters.get(before));
        is_unseen(*c) || (is_joiner(*c) && !(joins(before) && joins(letters.get(i + 1))))
    })
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// One line of text that says something.
pub(super) fn line(what: &str, text: &str, longest: usize) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return Err(invalid(format!("{what} is empty")));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(format!("{what} must be one line")));
    }
    if text.chars().count() > longest {
        return Err(invalid(format!("{what} is longer than {longest} characters")));
    }
    Ok(())
}

pub(super) fn name(what: &str, text: Option<&String>) -> Result<(), Problem> {
    text.map_or(Ok(()), |text| line(what, text, NAME))
}

/// Fields, given that they are few enough: as JSON, and as values, each of
/// which takes its place in memory however short it is written.
pub(super) fn size(fields: &Fields) -> Result<(), Problem> {
    let mut room = Room(MAX_FIELDS_BYTES);
    serde_json::to_writer(&mut room, fields).map_err(|_| {
        Problem::new(Code::TooLarge, format!("one record holds at most {} KiB", MAX_FIELDS_BYTES / 1024))
    })?;
    if values(fields) > MAX_VALUES {
        return Err(too_many_values());
    }
    Ok(())
}

/// The refusal of fields with more than [`MAX_VALUES`].
#[must_use]
pub fn too_many_values() -> Problem {
    Problem::new(Code::TooLarge, format!("one record holds at most {MAX_VALUES} values"))
}

/// A record's fields after a change.
pub(super) fn object(value: Value) -> Result<Fields, Problem> {
    let Value::Object(fields) = value else { return Err(invalid("a record's fields are a JSON object")) };
    size(&fields)?;
    if fields.values().any(|value| !nests_within(value, DEPTH - 1)) {
        return Err(invalid(format!("fields nest at most {DEPTH} deep")));
    }
    Ok(fields)
}

fn nests_within(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(values) => depth > 0 && values.iter().all(|value| nests_within(value, depth - 1)),
        Value::Object(fields) => depth > 0 && fields.values().all(|value| nests_within(value, depth - 1)),
        _ => true,
    }
}

/// Counts bytes, and refuses the first one too many.
struct Room(usize);

impl std::io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
