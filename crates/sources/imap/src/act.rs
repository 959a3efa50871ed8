//! Writing back: read, unread, done, not done. Answers are [`crate::reply`]'s.
//!
//! Each starts with a look at where the messages are now, so that repeating
//! one is harmless; a message that is in neither inbox nor archive any more
//! has nothing to be changed.

use crate::folders::{self, Folders};
use crate::read::locate;
use crate::session::{Mailbox, quote, uid_set};
use meantime_source::{ActOutcome, SourceResult};
use std::collections::{BTreeMap, BTreeSet};

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
    let found = located(mailbox, &wanted).await?;
    if found.is_empty() {
        return Ok(ActOutcome::AlreadyApplied);
    }
    let archive = folders::archive(mailbox, folders).await?;
    relocate(mailbox, "INBOX", found, &archive).await?;
    Ok(ActOutcome::Applied)
}

/// Moves messages out of the archive back into the inbox.
pub async fn not_done(mailbox: &mut Mailbox, folders: &Folders, messages: &[String]) -> SourceResult<ActOutcome> {
    let mut wanted: BTreeSet<String> = messages.iter().cloned().collect();
    let Some(archive) = folders.archive.as_deref() else { return Ok(ActOutcome::AlreadyApplied) };
    // Where it is copied, being in both is half of the way.
    if mailbox.can("MOVE") {
        mailbox.select("INBOX", false).await?;
        let there = locate(mailbox, &wanted).await?;
        wanted.retain(|name| !there.contains_key(name));
        if wanted.is_empty() {
            return Ok(ActOutcome::AlreadyApplied);
        }
    }
    mailbox.select(archive, true).await?;
    let found = located(mailbox, &wanted).await?;
    if found.is_empty() {
        return Ok(ActOutcome::AlreadyApplied);
    }
    relocate(mailbox, archive, found, "INBOX").await?;
    Ok(ActOutcome::Applied)
}

/// MOVE where the server can (RFC 6851); else a copy, and the original is
/// deleted. A try that ended between the two has left a copy: that is the one
/// that counts then. `from` is open.
async fn relocate(mailbox: &mut Mailbox, from: &str, found: BTreeMap<String, u32>, to: &str) -> SourceResult<()> {
    let uids: Vec<u32> = found.values().copied().collect();
    if mailbox.can("MOVE") {
        return mailbox.command(&format!("UID MOVE {} {}", uid_set(uids), quote(to))).await;
    }
    let sizes = sizes(mailbox, &found).await?;
    mailbox.select(to, false).await?;
    let names: BTreeSet<String> = found.keys().cloned().collect();
    let there = located(mailbox, &names).await?;
    let there_sizes = self::sizes(mailbox, &there).await?;
    mailbox.select(from, true).await?;
    // The same name over another size is another message.
    let copied = |name: &String| there_sizes.get(name).is_some_and(|size| sizes.get(name) == Some(size));
    let missing = uid_set(found.iter().filter(|(name, _)| !copied(name)).map(|(_, uid)| *uid));
    if !missing.is_empty() {
        mailbox.command(&format!("UID COPY {missing} {}", quote(to))).await?;
    }
    remove(mailbox, &uids).await
}

/// The UIDs of these messages in the open mailbox.
async fn located(mailbox: &mut Mailbox, names: &BTreeSet<String>) -> SourceResult<BTreeMap<String, u32>> {
    Ok(locate(mailbox, names).await?.into_iter().map(|(name, (uid, _))| (name, uid)).collect())
}

/// Bytes of messages of the open mailbox, by their names.
async fn sizes(mailbox: &mut Mailbox, found: &BTreeMap<String, u32>) -> SourceResult<BTreeMap<String, u64>> {
    if found.is_empty() {
        return Ok(BTreeMap::new());
    }
    let told = mailbox.fetch(&uid_set(found.values().copied()), "(UID RFC822.SIZE)").await?;
    Ok(found.iter().filter_map(|(name, uid)| Some((name.clone(), told.get(uid)?.size))).collect())
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
