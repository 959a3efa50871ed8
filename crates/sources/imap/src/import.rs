//! Mail archives on disk: mbox files (mboxrd) and maildirs, one raw message
//! at a time.
//!
//! An mbox is streamed: memory is bounded by one message, not by the file. A
//! message that can't be read is an error of its own; the next one follows.
//! Parsing is [`crate::mail`]'s.

use crate::mail::MESSAGE_BYTES;
use meantime_source::Flags;
use std::fs;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

/// Bytes before the first separator at most; behind more there is none.
const PREAMBLE: u64 = 1 << 20;

/// One message of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// As it was received.
    pub raw: Vec<u8>,
    /// Read, done; by the maildir's flags or the mbox's `Status` header.
    pub flags: Flags,
}

/// Why one message of an archive was left out.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is longer than Meantime reads.
    #[error("the message at {place} is longer than {} MiB and was left out", MESSAGE_BYTES >> 20)]
    TooLong {
        /// Which: a byte offset or a path.
        place: String,
    },
    /// Nothing in it begins a message.
    #[error("this is not an mbox: it has no line that begins with “From ”")]
    NotMbox,
    /// The file can't be read.
    #[error("{place} can't be read: {source}")]
    Read {
        /// Which: a byte offset or a path.
        place: String,
        /// What the system says.
        source: io::Error,
    },
}

/// The messages of an mbox. Lines `>From `, `>>From ` … lose one `>` (mboxrd).
/// An empty file is one without messages, as programs leave them.
pub fn mbox<R: BufRead>(reader: R) -> Mbox<R> {
    Mbox { reader, offset: 0, started: false, ended: false }
}

/// Iterates over an mbox; see [`mbox`].
#[derive(Debug)]
pub struct Mbox<R> {
    reader: R,
    offset: u64,
    /// The separator of the next message has been read.
    started: bool,
    ended: bool,
}

impl<R: BufRead> Iterator for Mbox<R> {
    type Item = Result<Archived, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            if let Some(found) = self.read_one() {
                return Some(found);
            }
        }
        None
    }
}

impl<R: BufRead> Mbox<R> {
    /// What stands up to the next separator; `None` where that is nothing.
    fn read_one(&mut self) -> Option<Result<Archived, ImportError>> {
        let start = self.offset;
        let mut raw: Vec<u8> = Vec::new();
        let mut too_long = false;
        let mut line_start = true;
        let mut blank_before = true;
        loop {
            let mut line = Vec::new();
            // A line without an end is read in pieces.
            let read = match (&mut self.reader).take(1 << 20).read_until(b'\n', &mut line) {
                Ok(read) => read,
                Err(source) => {
                    self.ended = true;
                    return Some(Err(ImportError::Read { place: format!("byte {}", self.offset), source }));
                }
            };
            self.offset += read as u64;
            if read == 0 {
                self.ended = true;
                break;
            }
            if line_start && (blank_before || !self.started) && line.starts_with(b"From ") {
                if self.started {
                    break;
                }
                self.started = true;
                blank_before = false;
                continue;
            }
            if !self.started && self.offset > PREAMBLE {
                break;
            }
            // Whatever stands before the first separator is no message.
            if self.started {
                let quoted = line_start && line.iter().find(|byte| **byte != b'>') == Some(&b'F');
                let line = if quoted && is_quoted_from(&line) { line.get(1..).unwrap_or_default() } else { &line };
                too_long |= raw.len() + line.len() > MESSAGE_BYTES;
                if !too_long {
                    raw.extend_from_slice(line);
                }
            }
            blank_before = line_start && matches!(line.as_slice(), b"\n" | b"\r\n");
            line_start = line.ends_with(b"\n");
        }
        if too_long {
            return Some(Err(ImportError::TooLong { place: format!("byte {start}") }));
        }
        if !self.started {
            self.ended = true;
            return (self.offset > 0).then_some(Err(ImportError::NotMbox));
        }
        if raw.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        // The empty line before the next separator is the mbox's, not the mail's.
        if raw.ends_with(b"\n\n") || raw.ends_with(b"\n\r\n") {
            raw.truncate(raw.len() - if raw.ends_with(b"\r\n") { 2 } else { 1 });
        }
        let fields = crate::identity::header_fields(&raw);
        let read = crate::identity::field(&fields, "status").is_some_and(|status| status.contains('R'));
        Some(Ok(Archived { raw, flags: Flags { read, done: false } }))
    }
}

fn is_quoted_from(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    quotes > 0 && line.get(quotes..).is_some_and(|rest| rest.starts_with(b"From "))
}

/// The messages of a maildir (`new` and `cur`), by file name, without those
/// flagged as deleted or drafts.
///
/// # Errors
/// When neither `new` nor `cur` can be listed.
pub fn maildir(folder: &Path) -> io::Result<impl Iterator<Item = Result<Archived, ImportError>> + use<>> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut found = false;
    for part in ["new", "cur"] {
        match fs::read_dir(folder.join(part)) {
            Ok(entries) => {
                found = true;
                files.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    if !found {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{} is not a maildir: it has neither “new” nor “cur”", folder.display()),
        ));
    }
    files.retain(|file| !file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    files.sort();
    Ok(files.into_iter().filter_map(|file| {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let flags = name.rsplit_once(":2,").map(|(_, flags)| flags.to_owned()).unwrap_or_default();
        if flags.contains(['T', 'D']) {
            return None;
        }
        Some(read_bounded(&file).map(|raw| Archived { raw, flags: Flags { read: flags.contains('S'), done: false } }))
    }))
}

fn read_bounded(file: &Path) -> Result<Vec<u8>, ImportError> {
    let place = || file.display().to_string();
    let mut raw = Vec::new();
    fs::File::open(file)
        .and_then(|open| open.take(MESSAGE_BYTES as u64 + 1).read_to_end(&mut raw))
        .map_err(|source| ImportError::Read { place: place(), source })?;
    if raw.len() > MESSAGE_BYTES { Err(ImportError::TooLong { place: place() }) } else { Ok(raw) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        mbox(text.as_bytes()).map(|one| String::from_utf8(one.unwrap().raw).unwrap()).collect()
    }

    #[test]
    fn an_mbox_is_cut_at_its_separators() {
        let found = all(
            "junk\nFrom a@b Mon\nSubject: 1\n\nFrom here it goes\n>From quoted\n>>From twice\n\nFrom c@d Tue\nSubject: 2\n\nx\n",
        );
        // "From here" follows an empty line inside of a mail: mboxrd writers quote that.
        assert_eq!(found.first().unwrap(), "Subject: 1\n");
        assert_eq!(found.last().unwrap(), "Subject: 2\n\nx\n");
        let found = all("From a\nSubject: 1\n\n>From quoted\n>>From twice\nFrom inside\n\nFrom b\n\nFrom c\nS: 3\n");
        assert_eq!(found, ["Subject: 1\n\nFrom quoted\n>From twice\nFrom inside\n", "S: 3\n"]);
        assert!(all("").is_empty());
    }

    #[test]
    fn what_is_no_mbox_is_refused_and_not_read_through() {
        let refused = |found: Option<Result<Archived, ImportError>>| {
            assert!(matches!(found, Some(Err(ImportError::NotMbox))), "{found:?}");
        };
        for text in ["Dear diary,\n\nFromage.\n", "\n", "> From a\n"] {
            refused(mbox(text.as_bytes()).next());
        }
        let mut endless = mbox(io::BufReader::new(io::repeat(b'x')));
        refused(endless.next());
        assert!(endless.next().is_none());
    }

    #[test]
    fn however_many_separators_follow_each_other() {
        let text = format!("{}From z\nSubject: last\n", "From a\n\n".repeat(200_000));
        assert_eq!(all(&text), ["Subject: last\n"]);
    }

    #[test]
    fn a_message_that_is_too_long_is_left_out_alone() {
        let huge = "x".repeat(MESSAGE_BYTES + 10);
        let text = format!("From a\nA: 1\n\n{huge}\n\nFrom b\nB: 2\n\nok\n");
        let found: Vec<_> = mbox(text.as_bytes()).collect();
        assert!(matches!(found.first().unwrap(), Err(ImportError::TooLong { .. })));
        assert_eq!(found.get(1).unwrap().as_ref().unwrap().raw, b"B: 2\n\nok\n");
    }

    #[test]
    fn a_maildir_gives_flags() {
        let folder = tempfile::tempdir().unwrap();
        for part in ["new", "cur", "tmp"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        fs::write(folder.path().join("new/1.x"), "A: 1\n\n").unwrap();
        fs::write(folder.path().join("cur/2.x:2,S"), "B: 2\n\n").unwrap();
        fs::write(folder.path().join("cur/3.x:2,ST"), "deleted").unwrap();
        fs::create_dir(folder.path().join("cur/4.x")).unwrap();
        let found: Vec<_> = maildir(folder.path()).unwrap().collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found.iter().filter(|one| one.is_err()).count(), 1, "a folder is no message");
        assert_eq!(found.iter().flatten().filter(|one| one.flags.read).count(), 1);
        assert!(maildir(&folder.path().join("new")).is_err());
    }
}
