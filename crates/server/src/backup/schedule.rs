//! Backups that the running server makes by itself.

use super::{Source, backups, make_one, prune};
use crate::data::DataDir;
use crate::http::App;
use crate::settings::{Settings, StorageKind};
use chrono::TimeDelta;
use std::sync::Arc;
use std::time::Duration;

/// Longest sleep between two looks at the clock.
const NAP: Duration = Duration::from_secs(5);
/// A failed one is tried again after this.
const AGAIN: TimeDelta = TimeDelta::minutes(10);

/// The work of making backups while the server runs, if the settings want
/// them. On PostgreSQL none are made: a dump that nobody asked for can be as
/// large as the database, and each of many processes would make one. When the
/// last was made is told in any case, whoever made it.
pub fn scheduled(data: &DataDir, settings: &Settings, app: &Arc<App>) -> impl Future<Output = ()> + Send + 'static {
    let every = i64::try_from(settings.backup.every_hours).ok().map(TimeDelta::hours).filter(|every| !every.is_zero());
    let every = every.filter(|_| settings.storage.kind == StorageKind::Sqlite);
    if settings.storage.kind == StorageKind::Postgres {
        tracing::info!("on PostgreSQL no backups are made by themselves: let a timer call `meantime-server backup`");
    }
    let (data, settings, app) = (data.clone(), settings.clone(), Arc::clone(app));
    async move {
        let (folder, keep) = (&settings.backup.folder, settings.backup.keep);
        let mut not_before = None;
        loop {
            let now = app.core.now();
            // One of the future was made by a clock that was wrong, or it is now.
            let past = backups(folder).ok().into_iter().flatten().map(|(at, _)| at).filter(|at| *at <= now);
            let last = past.max();
            app.metrics.backup_at.set(last.map_or(0, |at| at.timestamp()));
            let fresh = every.is_none_or(|every| last.is_some_and(|at| now - at < every));
            if !fresh && not_before.is_none_or(|at| at <= now) {
                let attachments = settings.attachments.in_a_folder().then_some(&app.attachments.blobs);
                let source = Source { data: &data, settings: &settings, core: &app.core, attachments };
                let work = async {
                    let made = make_one(source, folder, now).await?;
                    prune(folder, keep, now).await?;
                    anyhow::Ok(made)
                };
                // What is half made when the server ends is removed by the next one.
                let made = tokio::select! {
                    made = work => made,
                    () = app.stop.cancelled() => return,
                };
                match made {
                    Ok(made) => {
                        app.metrics.backup_at.set(now.timestamp());
                        let missing = made.attachments.map_or(0, |attached| attached.missing);
                        tracing::info!(backup = %made.path.display(), missing, "a backup was made");
                    }
                    Err(error) => {
                        not_before = Some(now + AGAIN);
                        app.metrics.backups_failed.inc();
                        tracing::error!("no backup was made: {error:#}");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(NAP) => {}
                () = app.stop.cancelled() => return,
            }
        }
    }
}
