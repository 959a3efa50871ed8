//! How long things may be, whatever they are.

use super::invalid;
use meantime_protocol::{Code, Fields, MAX_FIELDS_BYTES, Problem};
use serde_json::Value;

/// Longest name of a person, device or space, in characters.
const NAME: usize = 100;

/// How deep fields may nest. Far below what JSON readers give up at (often
/// 128), so that no record makes a page that somebody's app can't read.
const DEPTH: usize = 32;

/// A person's or device's name as it may be kept: trimmed, one line.
///
/// # Errors
/// When it is empty, too long or has control characters.
pub fn name_of_person(what: &str, name: &str) -> Result<String, Problem> {
    line(what, name, NAME)?;
    Ok(name.trim().to_owned())
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

/// Fields, given that they are few enough as JSON.
pub(super) fn size(fields: &Fields) -> Result<(), Problem> {
    let mut room = Room(MAX_FIELDS_BYTES);
    serde_json::to_writer(&mut room, fields)
        .map_err(|_| Problem::new(Code::TooLarge, format!("one record holds at most {} KiB", MAX_FIELDS_BYTES / 1024)))
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
