//! Writing back: read, unread, done, not done. Answers are [`crate::reply`]'s.
//!
//! Each starts with a look at where the messages are now, so that repeating
//! one is harmless; a message that is in neither inbox nor archive any more
//! has nothing to be changed.

use crate::folders::{self, Folders};
use crate::read::locate;
use crate::session::{Mailbox, quote, uid_set};
use meantime_source::{ActOutcome, SourceResult};
use std::collections::BTreeSet;

/// Sets or takes away `\Seen`, wherever the messages are.
pub async fn mark(
    mailbox: &mut Mailbox,
    folders: &Folders,
    messages: &[String],
    read: bool,
) -> SourceResult<ActOutcome> {
    let mut wanted: BTreeSet<String> = messages.iter().cloned().collect();
    let mut outcome = ActOutcome::AlreadyApplied;
    for place in std::iter::once("INBOX").chain(folders.archive.as_deref()) {
        if wanted.is_empty() {
            break;
        }
        mailbox.select(place, true).await?;
        let found = locate(mailbox, &wanted).await?;
        let change: BTreeSet<u32> =
            found.values().filter(|(_, flags)| flags.read != read).map(|(uid, _)| *uid).collect();
        if !change.is_empty() {
            let sign = if read { '+' } else { '-' };
            mailbox.command(&format!("UID STORE {} {sign}FLAGS.SILENT (\\Seen)", uid_set(change))).await?;
            outcome = ActOutcome::Applied;
        }
        wanted.retain(|name| !found.contains_key(name));
    }
    Ok(outcome)
}

/// Moves messages out of the inbox into the archive.
pub async fn done(mailbox: &mut Mailbox, folders: &Folders, messages: &[String]) -> SourceResult<ActOutcome> {
    let wanted: BTreeSet<String> = messages.iter().cloned().collect();
    mailbox.select("INBOX", true).await?;
    let uids: Vec<u32> = locate(mailbox, &wanted).await?.values().map(|(uid, _)| *uid).collect();
    if uids.is_empty() {
        return Ok(ActOutcome::AlreadyApplied);
    }
    let archive = folders::archive(mailbox, folders).await?;
    relocate(mailbox, &uids, &archive).await?;
    Ok(ActOutcome::Applied)
}

/// Moves messages out of the archive back into the inbox.
pub async fn not_done(mailbox: &mut Mailbox, folders: &Folders, messages: &[String]) -> SourceResult<ActOutcome> {
    let mut wanted: BTreeSet<String> = messages.iter().cloned().collect();
    let Some(archive) = folders.archive.as_deref() else { return Ok(ActOutcome::AlreadyApplied) };
    mailbox.select("INBOX", false).await?;
    let there = locate(mailbox, &wanted).await?;
    wanted.retain(|name| !there.contains_key(name));
    if wanted.is_empty() {
        return Ok(ActOutcome::AlreadyApplied);
    }
    mailbox.select(archive, true).await?;
    let uids: Vec<u32> = locate(mailbox, &wanted).await?.values().map(|(uid, _)| *uid).collect();
    if uids.is_empty() {
        return Ok(ActOutcome::AlreadyApplied);
    }
    relocate(mailbox, &uids, "INBOX").await?;
    Ok(ActOutcome::Applied)
}

/// MOVE where the server can (RFC 6851); else a copy, and the original is
/// deleted.
async fn relocate(mailbox: &mut Mailbox, uids: &[u32], to: &str) -> SourceResult<()> {
    let set = uid_set(uids.iter().copied());
    if mailbox.can("MOVE") {
        mailbox.command(&format!("UID MOVE {set} {}", quote(to))).await?;
        return Ok(());
    }
    mailbox.command(&format!("UID COPY {set} {}", quote(to))).await?;
    remove(mailbox, uids).await
}

/// Deletes messages of the open mailbox, and no others: where the server
/// can't be told which (RFC 4315) and somebody else's are marked as deleted
/// too, they stay behind, marked.
pub async fn remove(mailbox: &mut Mailbox, uids: &[u32]) -> SourceResult<()> {
    let set = uid_set(uids.iter().copied());
    mailbox.command(&format!("UID STORE {set} +FLAGS.SILENT (\\Deleted)")).await?;
    if mailbox.can("UIDPLUS") {
        return mailbox.command(&format!("UID EXPUNGE {set}")).await;
    }
    if mailbox.search("DELETED").await?.iter().all(|uid| uids.contains(uid)) {
        mailbox.command("EXPUNGE").await?;
    }
    Ok(())
}
