//! What is wrong with a settings file, in words, with the line.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, counted from 1, if it is at one place.
    pub line: Option<usize>,
    /// What.
    pub message: String,
}

/// Everything that is wrong with a file.
#[derive(Debug)]
pub struct Faults {
    /// The file.
    pub file: PathBuf,
    /// At least one.
    pub faults: Vec<Fault>,
}

impl Fault {
    /// Of the file as a whole.
    #[must_use]
    pub fn general(message: String) -> Self {
        Self { line: None, message }
    }

    /// At a setting: the line where it is set, else where its section begins.
    pub(super) fn at(text: &str, section: &str, key: &str, message: String) -> Self {
        Self { line: line_of(text, section, key), message }
    }

    pub(super) fn of_toml(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map(|span| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count());
        Self { line, message: error.message().replace('\n', " ") }
    }
}

fn line_of(text: &str, section: &str, key: &str) -> Option<usize> {
    let (mut inside, mut begins) = (String::new(), None);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            inside = name.trim().to_owned();
            if inside == section {
                begins = Some(number + 1);
            }
        } else if inside == section && line.split('=').next().is_some_and(|name| name.trim() == key) {
            return Some(number + 1);
        }
    }
    begins
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults.as_slice() {
            [one] => write!(f, "{}: {one}", self.file.display()),
            many => {
                write!(f, "{} has {} faults:", self.file.display(), many.len())?;
                many.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
        }
    }
}

impl std::error::Error for Faults {}
