//! Files that go with what is written: copied in, taken off, checked before
//! they are sent, and swept when nothing names them any more.

use crate::api::*;
use crate::drafts::kept_thread;
use crate::engine::{Engine, blocking};
use crate::files::Files;
use crate::inbox::resolve;
use meantime_model::ItemId;
use meantime_protocol::Attachment;
use meantime_protocol::attachment::{MAX_ATTACHMENTS, file_name, is_media_type};
use meantime_store::{Read, account, draft, item, needed};
use std::path::Path;
use std::sync::Arc;

/// The largest file that goes with a team message: what a server takes unless
/// its owner chose otherwise.
const TEAM_BYTES: u64 = 25 << 20;
/// All files of one mail together: with their encoding about 25 MB, more than
/// which few mail servers take.
const MAIL_BYTES: u64 = 18 << 20;

impl Engine {
    pub(crate) async fn attach_files(self: &Arc<Self>, args: Attach) -> Result<Attached, Failure> {
        let of = args.item;
        let (item, most, kept) = self
            .read(move |db| {
                let item = of.as_deref().map(|id| resolve(db, id)).transpose()?;
                let most = if is_mail(db, item)? { MAIL_BYTES } else { TEAM_BYTES };
                Ok((item, most, draft::files(db, item)?.len()))
            })
            .await?;
        if args.files.is_empty() {
            return Err(Failure::new(FailureCode::Invalid, "files: name at least one"));
        }
        if kept + args.files.len() > MAX_ATTACHMENTS {
            return Err(too_many());
        }
        let turn = self.files.turn.lock().await;
        let (files, store, now) = (self.files.clone(), self.store.clone(), self.now());
        let attached = blocking(move || {
            let mut added = Vec::with_capacity(args.files.len());
            for file in &args.files {
                let path = Path::new(&file.path);
                if !path.is_absolute() {
                    return Err(Failure::new(FailureCode::Invalid, "path: give a whole path"));
                }
                added.push(files.take_in(path, file.name.as_deref(), most)?);
            }
            store.write(|tx| {
                let mut all = draft::files(tx, item)?;
                for file in &added {
                    all.retain(|known| known.sha256 != file.sha256);
                    all.push(file.clone());
                }
                fits(&all, is_mail(tx, item)?)?;
                draft::put_files(tx, item, &all, now)?;
                Ok(Attached { added: added.iter().map(shown).collect(), files: all.iter().map(shown).collect() })
            })
        })
        .await;
        drop(turn);
        match &attached {
            Ok(_) => self.tell(&item.map(Tag::Item).into_iter().collect::<Vec<_>>()),
            // Those before the one that failed.
            Err(_) => self.sweep_files().await,
        }
        attached
    }

    pub(crate) async fn detach_file(self: &Arc<Self>, args: Detach) -> Result<KeptDraft, Failure> {
        let (now, item) = (self.now(), args.item);
        let left = self
            .write(move |tx| {
                let mut files = draft::files(tx, item)?;
                files.retain(|file| file.sha256.to_string() != args.sha256);
                draft::put_files(tx, item, &files, now)?;
                kept(tx, item)
            })
            .await?;
        self.sweep_files().await;
        self.tell(&item.map(Tag::Item).into_iter().collect::<Vec<_>>());
        Ok(left)
    }

    pub(crate) async fn kept_draft(&self, args: DraftOf) -> Result<KeptDraft, Failure> {
        self.read(move |db| kept(db, args.item)).await
    }

    /// Removes copies that no draft and nothing in the outbox names.
    pub(crate) async fn sweep_files(&self) {
        // Somebody brings or sends files right now: the next time, then.
        let Ok(_turn) = self.files.turn.try_lock() else { return };
        let (files, store, now) = (self.files.clone(), self.store.clone(), self.now());
        let swept = blocking(move || {
            if files.is_empty() {
                return Ok(());
            }
            let needed = store.read(|db| Ok::<_, Failure>(needed::files(db)?))?;
            files.sweep(&needed, now).map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))
        });
        if let Err(failure) = swept.await {
            tracing::warn!(%failure, "copies of files could not be swept");
        }
    }
}

/// What is being typed there, and the files that are to go with it.
fn kept(db: &Read<'_>, item: Option<ItemId>) -> Result<KeptDraft, Failure> {
    let files = draft::files(db, item)?.iter().map(shown).collect();
    let thread = if item.is_none() { kept_thread(db)? } else { None };
    Ok(KeptDraft { text: draft::get(db, item)?.unwrap_or_default(), thread, files })
}

/// Files as they go with a message; refused where a copy is not there.
pub(crate) fn checked(files: &[AttachedFile], copies: &Files, mail: bool) -> Result<Vec<Attachment>, Failure> {
    let checked: Vec<Attachment> = files
        .iter()
        .map(|file| {
            let name = file_name(&file.name);
            let gone = || Failure::new(FailureCode::NotFound, format!("{name} is not there any more: attach it again"));
            let sha256 = file.sha256.parse().map_err(|_| gone())?;
            if !copies.has(&sha256, file.bytes) {
                return Err(gone());
            }
            let known = is_media_type(&file.media_type);
            let media_type = if known { file.media_type.clone() } else { "application/octet-stream".to_owned() };
            Ok(Attachment { sha256, name, media_type, bytes: file.bytes })
        })
        .collect::<Result<_, Failure>>()?;
    fits(&checked, mail)?;
    Ok(checked)
}

pub(crate) fn shown(file: &Attachment) -> AttachedFile {
    let Attachment { sha256, name, media_type, bytes } = file.clone();
    AttachedFile { sha256: sha256.to_string(), name, media_type, bytes }
}

fn fits(files: &[Attachment], mail: bool) -> Result<(), Failure> {
    if files.len() > MAX_ATTACHMENTS {
        return Err(too_many());
    }
    if mail && files.iter().map(|file| file.bytes).sum::<u64>() > MAIL_BYTES {
        let message = format!(
            "the files are larger than {} MiB together, the most that goes by mail: share a link instead",
            MAIL_BYTES >> 20
        );
        return Err(Failure::new(FailureCode::Invalid, message));
    }
    Ok(())
}

fn too_many() -> Failure {
    let message = format!("at most {MAX_ATTACHMENTS} files go with one message: pack some into one");
    Failure::new(FailureCode::Invalid, message)
}

fn is_mail(db: &Read<'_>, item: Option<ItemId>) -> Result<bool, Failure> {
    let Some(item) = item else { return Ok(false) };
    Ok(item::get(db, item)?.is_some_and(|item| item.kind == account::AccountKind::Imap))
}
