//! The attachments of a backup: which there are, one line of JSON each, and
//! their bytes, in the store that all backups of a folder share.

use super::list::ATTACHED;
use crate::attachments::blob;
use crate::data;
use anyhow::{Context as _, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use meantime_protocol::Sha256;
use meantime_server_blobs::{Blob, Blobs, Copied};
use meantime_server_core::rules::Kept;
use meantime_server_core::{Core, Shared, Storage as _, TeamScope};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

/// Records read, and bytes copied, at once.
const PAGE: usize = 200;
const AT_ONCE: usize = 8;
/// A line is shorter than that, or none of ours.
const LONGEST_LINE: u64 = 1024;

/// What became of the attachments of a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attached {
    /// Copied now.
    pub copied: u64,
    /// There already.
    pub before: u64,
    /// Not to be had: their bytes are missing, or (in a restore) not what they were.
    pub missing: u64,
}

/// An attachment of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    key: String,
    bytes: u64,
    sha256: Sha256,
}

impl Attached {
    fn count(&mut self, copied: Copied) {
        match copied {
            Copied::New => self.copied += 1,
            Copied::Before => self.before += 1,
            Copied::Missing => self.missing += 1,
        }
    }
}

/// Brings the bytes of everything that is noted into a store, and writes down
/// what is in it.
pub(super) async fn bring(core: &Core<Shared>, blobs: &Blobs, list: &Path, store: &Path) -> anyhow::Result<Attached> {
    data::make(store)?;
    let store = Blobs::folder(store)?;
    let mut out = BufWriter::new(data::private(list, true).with_context(|| format!("{}", list.display()))?);
    let mut attached = Attached::default();
    for team in core.storage().teams().await? {
        let mut after = None;
        loop {
            let page = core.attachments(TeamScope::operator(team.id), after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            let copies = page.iter().map(|listed| one(blobs, &store, blob(team.id, &listed.kept), &listed.kept));
            let mut copies = stream::iter(copies.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
            while let Some((copied, line)) = copies.try_next().await? {
                attached.count(copied);
                if copied == Copied::Missing {
                    tracing::warn!(key = line.key, "an attachment is not in the backup: its bytes are missing");
                    continue;
                }
                serde_json::to_writer(&mut out, &line)?;
                out.write_all(b"\n")?;
            }
        }
    }
    out.into_inner().map_err(|e| e.into_error())?.sync_all()?;
    Ok(attached)
}

/// Puts the attachments of a backup where its server looks for them. Nothing
/// that is there is touched, so doing it for nothing does no harm. What is
/// missing or not as it was is counted, and logged.
pub(super) async fn put_back(from: &Path, to: &Blobs) -> anyhow::Result<Attached> {
    // Beside the backup, or in it where somebody carried both away together.
    let beside = from.parent().unwrap_or(Path::new("")).join(super::STORE);
    let inside = from.join(super::STORE);
    let store = [inside, beside].into_iter().find(|folder| folder.is_dir());
    let store = store.map(|folder| Blobs::folder(&folder)).transpose()?;
    let store = store.as_ref();
    let mut attached = Attached::default();
    let each = |line: anyhow::Result<Line>| async move {
        let line = line?;
        anyhow::Ok((back(store, to, &line).await?, line))
    };
    let mut lines = stream::iter(lines(&from.join(ATTACHED))?).map(each).buffer_unordered(AT_ONCE);
    while let Some((copied, line)) = lines.try_next().await? {
        attached.count(copied);
        if copied == Copied::Missing {
            tracing::warn!(key = line.key, "an attachment of the backup is missing or not as it was");
        }
    }
    Ok(attached)
}

/// Removes from a store what none of these backups has.
pub(super) async fn prune(store: &Path, backups: &[&Path]) -> anyhow::Result<()> {
    if !store.is_dir() {
        return Ok(());
    }
    let mut wanted = HashSet::new();
    for backup in backups.iter().filter(|backup| backup.join(ATTACHED).exists()) {
        for line in lines(&backup.join(ATTACHED))? {
            wanted.insert(line?.blob()?);
        }
    }
    let store = Blobs::folder(store)?;
    let mut all = store.list_all();
    while let Some(stored) = all.try_next().await? {
        if !wanted.contains(&stored.blob) {
            store.remove(&stored.blob).await?;
        }
    }
    Ok(())
}

impl Line {
    fn blob(&self) -> anyhow::Result<Blob> {
        Blob::of_key(&self.key).with_context(|| format!("{:?} is no attachment's key", self.key))
    }
}

async fn one(from: &Blobs, to: &Blobs, blob: Blob, kept: &Kept) -> anyhow::Result<(Copied, Line)> {
    let copied = from.copy_to(to, &blob, kept.bytes).await?;
    Ok((copied, Line { key: blob.key(), bytes: kept.bytes, sha256: kept.sha256 }))
}

async fn back(store: Option<&Blobs>, to: &Blobs, line: &Line) -> anyhow::Result<Copied> {
    let blob = line.blob()?;
    if to.bytes(&blob).await? == Some(line.bytes) {
        return Ok(Copied::Before);
    }
    let Some(store) = store else { return Ok(Copied::Missing) };
    if store.digest(&blob).await? != Some((line.bytes, line.sha256)) {
        return Ok(Copied::Missing);
    }
    Ok(store.copy_to(to, &blob, line.bytes).await?)
}

fn lines(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Line>> + use<>> {
    let unread = || format!("{} can't be read", path.display());
    let mut file = BufReader::new(File::open(path).with_context(unread)?);
    let mut next = move || -> anyhow::Result<Option<Line>> {
        let mut line = Vec::new();
        let read = std::io::Read::take(&mut file, LONGEST_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            bail!("the list of attachments has a line that is none");
        }
        Ok(Some(serde_json::from_slice(&line).context("the list of attachments is not of its form")?))
    };
    Ok(std::iter::from_fn(move || next().transpose()).fuse())
}
