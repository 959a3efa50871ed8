//! What is asked of the person: secrets without echo, texts, or the same from
//! a pipe. Secrets never come from the command line, where every user of the
//! computer could read them.

use crate::stop::Stop;
use std::io::{self, IsTerminal, Read};

/// A typed text is at most so long, in bytes.
const LONGEST_TEXT: u64 = 8 << 20;
/// A secret is at most so long, in bytes.
const LONGEST_SECRET: u64 = 64 << 10;

/// A secret: prompted for without echo, or the first line of a pipe.
pub(crate) fn secret(prompt: &str) -> Result<String, Stop> {
    let secret = if io::stdin().is_terminal() {
        rpassword::prompt_password(format!("{prompt}: "))?
    } else {
        let piped = read_all(LONGEST_SECRET, "the secret")?;
        piped.lines().next().unwrap_or_default().to_owned()
    };
    if secret.is_empty() {
        return Err(Stop::usage(format!("no {} was given; type it, or pipe it in", prompt.to_lowercase())));
    }
    Ok(secret)
}

/// A new secret, asked for twice where it is typed.
pub(crate) fn new_secret(prompt: &str) -> Result<String, Stop> {
    let first = secret(prompt)?;
    if io::stdin().is_terminal() && rpassword::prompt_password("Once more: ")? != first {
        return Err(Stop::usage("the two are not the same; nothing was changed"));
    }
    Ok(first)
}

/// Several secrets one after the other: prompted for without echo, or the
/// lines of a pipe.
pub(crate) struct Secrets {
    piped: Option<std::collections::VecDeque<String>>,
}

impl Secrets {
    pub(crate) fn new() -> Result<Self, Stop> {
        if io::stdin().is_terminal() {
            return Ok(Self { piped: None });
        }
        let piped = read_all(LONGEST_SECRET, "what was piped in")?;
        Ok(Self { piped: Some(piped.lines().map(str::to_owned).collect()) })
    }

    /// The next one.
    pub(crate) fn next(&mut self, prompt: &str) -> Result<String, Stop> {
        let secret = match &mut self.piped {
            None => rpassword::prompt_password(format!("{prompt}: "))?,
            Some(lines) => lines.pop_front().unwrap_or_default(),
        };
        if secret.is_empty() {
            return Err(Stop::usage(format!("no {} was given; type it, or pipe it in", prompt.to_lowercase())));
        }
        Ok(secret)
    }

    /// The next one, where it can be asked for or was piped in.
    pub(crate) fn next_if_any(&mut self, prompt: &str) -> Result<Option<String>, Stop> {
        match &self.piped {
            Some(lines) if lines.is_empty() => Ok(None),
            _ => self.next(prompt).map(Some),
        }
    }

    /// The next one, asked for twice where it is typed.
    pub(crate) fn next_new(&mut self, prompt: &str) -> Result<String, Stop> {
        let first = self.next(prompt)?;
        if self.piped.is_none() && self.next("Once more")? != first {
            return Err(Stop::usage("the two are not the same; nothing was changed"));
        }
        Ok(first)
    }
}

/// The given text, or all of stdin.
pub(crate) fn text(given: Option<String>) -> Result<String, Stop> {
    let text = match given {
        Some(text) => text,
        None => {
            if io::stdin().is_terminal() {
                eprintln!("Write; end with Ctrl+D (Ctrl+Z on Windows) on an empty line, or leave with Ctrl+C.");
            }
            read_all(LONGEST_TEXT, "the text")?
        }
    };
    let text = text.trim_end();
    if text.trim().is_empty() {
        return Err(Stop::usage("there is no text; nothing was sent"));
    }
    Ok(text.to_owned())
}

fn read_all(limit: u64, what: &str) -> Result<String, Stop> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Stop::usage(format!("{what} is longer than {} KiB", limit >> 10)));
    }
    String::from_utf8(bytes).map_err(|_| Stop::usage(format!("{what} is not UTF-8")))
}
