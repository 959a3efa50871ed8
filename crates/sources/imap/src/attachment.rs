//! The bytes of what hangs on a mail, fetched when somebody wants them: the
//! whole mail is read again, wherever it is now, and the one part kept.

use crate::folders::Folders;
use crate::mail;
use crate::read::locate;
use crate::session::Mailbox;
use meantime_source::{Attachment, SourceError, SourceResult};
use std::collections::BTreeSet;

/// The file at this place of the mail's list; `None` where the mail is gone,
/// or has no such file.
pub async fn fetch(
    mailbox: &mut Mailbox,
    folders: &Folders,
    message: &str,
    place: usize,
    listed: &Attachment,
) -> SourceResult<Option<Vec<u8>>> {
    let wanted = BTreeSet::from([message.to_owned()]);
    for name in std::iter::once("INBOX").chain(folders.archive.as_deref()).chain(folders.sent.as_deref()) {
        mailbox.select(name, false).await?;
        let Some((uid, _)) = locate(mailbox, &wanted).await?.get(message).copied() else { continue };
        let size = mailbox.fetch(&uid.to_string(), "(UID RFC822.SIZE)").await?.remove(&uid).map_or(0, |one| one.size);
        if size > mail::MESSAGE_BYTES as u64 {
            return Err(SourceError::Permanent(format!(
                "The mail is larger than {} MiB. Save {} with your mail program.",
                mail::MESSAGE_BYTES >> 20,
                listed.name
            )));
        }
        let raw = mailbox.fetch(&uid.to_string(), "(UID BODY.PEEK[])").await?.remove(&uid).and_then(|one| one.raw);
        return Ok(raw.and_then(|raw| mail::attachment_bytes(&raw, place, listed)));
    }
    Ok(None)
}
