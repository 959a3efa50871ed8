//! Mail from files, into an account of its own. Nothing of it alerts.

use crate::adapters::MailArchive;
use crate::api::{Failure, FailureCode, Imported, MailFormat};
use crate::engine::{Engine, blocking};
use crate::intake::stored_change;
use meantime_model::focus::MayInterrupt;
use meantime_source::Change;
use meantime_store::{account, ingest, search};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Messages of one transaction. The index merges what each left behind, so
/// few large ones are cheaper; a large one lets others wait to write.
const BATCH: usize = 500;

/// The account mail from a file goes into.
pub(crate) struct Archive {
    pub(crate) row: account::Account,
    /// It is not in the store yet.
    pub(crate) new: bool,
}

impl Engine {
    pub(crate) async fn import_into(
        self: &Arc<Self>,
        into: Archive,
        path: PathBuf,
        format: MailFormat,
    ) -> Result<Imported, Failure> {
        let engine = self.clone();
        blocking(move || engine.import_blocking(into, &path, format)).await
    }

    fn import_blocking(&self, mut into: Archive, path: &Path, format: MailFormat) -> Result<Imported, Failure> {
        let mut imported = Imported { added: 0, known: 0, unreadable: 0 };
        let mut archive = self.adapters.read_mail(path, format)?;
        self.store.write_bulk(search::put_off_beginnings)?;
        let done = self.read_archive(&mut into, &mut archive, path, &mut imported);
        self.store.write_bulk(search::take_up_beginnings)?;
        done.map(|()| imported)
    }

    fn read_archive(
        &self,
        into: &mut Archive,
        archive: &mut MailArchive,
        path: &Path,
        imported: &mut Imported,
    ) -> Result<(), Failure> {
        loop {
            let mut changes = Vec::with_capacity(BATCH);
            for change in archive.by_ref().take(BATCH) {
                let change = change?;
                if let Change::Message(incoming) = &change {
                    imported.unreadable += u32::from(incoming.message.unreadable.is_some());
                }
                changes.push(change);
            }
            if changes.is_empty() {
                return Ok(());
            }
            let (now, nobody) = (self.now(), MayInterrupt::default());
            let read = u32::try_from(changes.len()).unwrap_or(u32::MAX);
            let page = ingest::Page {
                changes: changes.into_iter().map(|change| stored_change(change, &nobody, now)).collect(),
                cursor: serde_json::json!({ "path": path.to_string_lossy() }),
                backfill: true,
                backfilled: true,
            };
            let done = self.store.write_bulk(|tx| {
                if into.new {
                    account::put(tx, &into.row)?;
                }
                let done = ingest::ingest(tx, into.row.id, &page, now)?;
                crate::dues::settle(tx, self.computer_zone())?;
                Ok::<_, Failure>(done)
            })?;
            into.new = false;
            let added = u32::try_from(done.fresh.len()).unwrap_or(u32::MAX);
            imported.added += added;
            imported.known += read.saturating_sub(added);
            if self.stop.is_cancelled() {
                return Err(Failure::new(
                    FailureCode::NotPossible,
                    "the import was interrupted; run it again to go on",
                ));
            }
        }
    }
}
