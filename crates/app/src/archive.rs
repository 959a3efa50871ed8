//! Mail from files as changes of an account.

use meantime_engine::MailArchive;
use meantime_engine::api::MailFormat;
use meantime_source::{Change, Flags, Now, SourceError};
use meantime_source_imap::import::{Archived, ImportError, maildir, mbox};
use meantime_source_imap::mail::{self, Mail, Place};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// The messages of an archive. One that can't be read is an item that says so.
pub(crate) fn read(path: &Path, format: MailFormat, now: Now) -> Result<MailArchive, SourceError> {
    let place = path.file_name().map_or_else(|| "Archive".to_owned(), |name| name.to_string_lossy().into_owned());
    let cannot = |e: std::io::Error| SourceError::Permanent(format!("{} can't be read: {e}", path.display()));
    let messages: Box<dyn Iterator<Item = Result<Archived, ImportError>> + Send> = match format {
        MailFormat::Mbox if path.is_dir() => {
            return Err(SourceError::Permanent(format!("{} is a folder, and an mbox is a file", path.display())));
        }
        MailFormat::Mbox => Box::new(mbox(BufReader::new(File::open(path).map_err(cannot)?))),
        MailFormat::Maildir => Box::new(maildir(path).map_err(cannot)?),
    };
    Ok(Box::new(messages.enumerate().map(move |(n, message)| change(message, n, &place, &now))))
}

/// An archive is for finding, not for answering: its mail is read and done.
const FLAGS: Flags = Flags { read: true, done: true };

fn change(message: Result<Archived, ImportError>, n: usize, mailbox: &str, now: &Now) -> Result<Change, SourceError> {
    let mail = match message {
        Ok(archived) => mail::parse(&archived.raw, archived.raw.len() as u64),
        Err(error @ ImportError::TooLong { .. }) => Mail { unreadable: Some(error.to_string()), ..Mail::default() },
        Err(error @ (ImportError::Read { .. } | ImportError::NotMbox)) => {
            return Err(SourceError::Permanent(error.to_string()));
        }
    };
    let now = now();
    let place = Place { own: "", mailbox, received: now, fallback_name: format!("{mailbox}/{n}"), flags: FLAGS };
    Ok(Change::Message(Box::new(mail.into_incoming(place, now))))
}
