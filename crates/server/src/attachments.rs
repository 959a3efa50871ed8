//! The store of attachments as the settings name it, its upkeep, and what
//! whoever runs the server does with it.

mod look;

pub use look::{Found, How, Wrong, look};

use crate::data::make;
use crate::http::{App, Claims};
use crate::settings::{self, AttachmentsKind};
use anyhow::{Context as _, bail};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use meantime_model::{DeviceId, PersonId, TeamId};
use meantime_server_blobs::{Blob, Blobs, S3};
use meantime_server_core::rules::{Kept, attachment_key};
use meantime_server_core::{Core, Storage, TeamScope};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often what is old is looked for.
const SWEEP: Duration = Duration::from_secs(6 * 3600);
/// Bytes looked up at once.
const AT_ONCE: usize = 200;
/// A folder's half written files are nobody's after this.
const HALF_WRITTEN: TimeDelta = TimeDelta::days(1);

/// Attachments of a running server.
pub struct Attachments {
    /// Their bytes.
    pub blobs: Blobs,
    /// How many.
    pub limits: Limits,
    /// Who is sending some.
    pub claims: Claims,
}

/// How many bytes, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one.
    pub largest: u64,
    /// Bytes of a team's together.
    pub team: u64,
    /// Unfinished uploads of a device.
    pub unfinished: usize,
    /// An upload that doesn't go on is forgotten then.
    pub stale: TimeDelta,
    /// What no message refers to is removed then.
    pub idle: TimeDelta,
}

impl Attachments {
    /// Opens the store that the settings name; makes the folder if it is one.
    ///
    /// # Errors
    /// When the folder can't be made or the key of the store can't be read.
    /// An S3 store that doesn't answer is found out later: see [`Blobs::answers`].
    pub fn open(settings: &settings::Attachments) -> anyhow::Result<Self> {
        let blobs = match settings.kind {
            AttachmentsKind::Folder => {
                make(&settings.folder)?;
                Blobs::folder(&settings.folder)?
            }
            AttachmentsKind::S3 => Blobs::s3(&s3(settings)?)?,
        };
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let limits = Limits {
            largest: settings.largest_mib << 20,
            team: settings.team_gib << 30,
            unfinished: settings.unfinished,
            stale: TimeDelta::hours(whole(settings.unfinished_hours)),
            idle: TimeDelta::days(whole(settings.unreferenced_days)),
        };
        Ok(Self { blobs, limits, claims: Claims::default() })
    }

    /// Forgets, of one team, uploads that don't go on, attachments that no
    /// message refers to, and bytes that belong to no attachment.
    ///
    /// # Errors
    /// When the storage or the store fails; the rest is for the next time.
    pub async fn sweep(&self, core: &Core<impl Storage>, team: TeamId) -> anyhow::Result<()> {
        let (scope, now) = (TeamScope::operator(team), core.now());
        let uploads = self.blobs.sweep_unfinished(team, now - self.limits.stale).await?;
        self.forget_ended(core, team).await?;
        let unreferenced = core.sweep_attachments(scope, self.limits.idle).await?;
        for kept in &unreferenced {
            self.blobs.remove(&blob(team, kept)).await?;
        }
        // Only what is old: what has just become whole is noted a moment later,
        // and a database that was put back for a try knows nothing of the newest.
        let unknown = self.sweep_unknown(core, scope, now - self.limits.idle).await?;
        if uploads + unknown + unreferenced.len() as u64 > 0 {
            tracing::info!(%team, uploads, unreferenced = unreferenced.len(), unknown, "attachments were swept");
        }
        Ok(())
    }

    /// Forgets the unfinished uploads of devices that were ended: nobody goes on
    /// with them.
    ///
    /// # Errors
    /// When the storage or the store fails; the rest is for the next time.
    pub async fn forget_ended(&self, core: &Core<impl Storage>, team: TeamId) -> anyhow::Result<()> {
        let devices: HashSet<DeviceId> =
            self.blobs.unfinished(team).await?.into_keys().map(|(device, _)| device).collect();
        for device in devices {
            if core.storage().standing(TeamScope::operator(team), device).await?.is_none() {
                self.blobs.abandon_all(team, device).await?;
            }
        }
        Ok(())
    }

    /// Forgets what one person brought, at once, but for what others' messages
    /// refer to; how many. For when everything of theirs shall go: their
    /// messages first.
    ///
    /// # Errors
    /// When the storage or the store fails.
    pub async fn forget_of(&self, core: &Core<impl Storage>, team: TeamId, by: PersonId) -> anyhow::Result<usize> {
        let gone = core.forget_attachments_of(TeamScope::operator(team), by).await?;
        for kept in &gone {
            self.blobs.remove(&blob(team, kept)).await?;
        }
        Ok(gone.len())
    }

    async fn sweep_unknown(
        &self,
        core: &Core<impl Storage>,
        team: TeamScope,
        before: DateTime<Utc>,
    ) -> anyhow::Result<u64> {
        let old = self.blobs.list(team.id()).try_filter(|stored| std::future::ready(stored.at < before));
        let mut chunks = old.map_ok(|stored| stored.blob).try_chunks(AT_ONCE).boxed();
        let mut removed = 0;
        while let Some(blobs) = chunks.try_next().await.map_err(|e| e.1)? {
            let tags: Vec<_> = blobs.iter().map(|blob| (blob.id, blob.tag)).collect();
            let known = core.are_attached(team, &tags).await?;
            for (blob, _) in blobs.iter().zip(known).filter(|(_, known)| !known) {
                self.blobs.remove(blob).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Where the bytes of an attachment are.
#[must_use]
pub fn blob(team: TeamId, kept: &Kept) -> Blob {
    Blob { team, id: attachment_key(team, kept.scope, kept.sha256).id, tag: kept.tag }
}

/// The work of sweeping while the server runs.
pub(crate) async fn upkeep(app: Arc<App>) {
    let mut turn = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            _ = turn.tick() => {}
            () = app.stop.cancelled() => return,
        }
        let swept = async {
            app.attachments.blobs.sweep_half_written(app.core.now() - HALF_WRITTEN).await?;
            for team in app.core.storage().teams().await? {
                app.attachments.sweep(&app.core, team.id).await?;
            }
            anyhow::Ok(())
        };
        tokio::select! {
            result = swept => if let Err(error) = result {
                tracing::error!("attachments could not be swept; it is tried again later: {error:#}");
            },
            () = app.stop.cancelled() => return,
        }
    }
}

fn s3(settings: &settings::Attachments) -> anyhow::Result<S3> {
    let settings::Attachments { endpoint, region, bucket, key_file, ca, .. } = settings;
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("{} can't be read", path.display()));
    let Some(path) = key_file else { bail!("attachments.key_file is not set") };
    let text = String::from_utf8(read(path)?).with_context(|| format!("{} is no text", path.display()))?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (Some(key_id), Some(key), None) = (lines.next(), lines.next(), lines.next()) else {
        bail!("{} has two lines: the key's id, and its secret", path.display());
    };
    Ok(S3 {
        endpoint: endpoint.clone(),
        region: region.clone(),
        bucket: bucket.clone(),
        key_id: key_id.to_owned(),
        key: key.to_owned(),
        ca: ca.as_deref().map(read).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn the_store_is_the_one_of_the_settings() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a").join("b");
        let settings = settings::Attachments { folder: folder.clone(), largest_mib: 3, ..Default::default() };
        let opened = Attachments::open(&settings).unwrap();
        assert_eq!((opened.limits.largest, opened.limits.team), (3 << 20, 10 << 30));
        opened.blobs.answers().await.unwrap();
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&folder.metadata().unwrap().permissions()) & 0o777, 0o700);

        let key = dir.path().join("key");
        let settings = settings::Attachments {
            kind: AttachmentsKind::S3,
            endpoint: "https://s3.example.org".to_owned(),
            bucket: "attachments".to_owned(),
            key_file: Some(key.clone()),
            ..Default::default()
        };
        for (text, words) in [(None, "can't be read"), (Some("id\n"), "two lines"), (Some("a\nb\nc\n"), "two lines")] {
            if let Some(text) = text {
                fs::write(&key, text).unwrap();
            }
            let error = format!("{:#}", Attachments::open(&settings).err().unwrap());
            assert!(error.contains(words), "{error}");
        }
        fs::write(&key, "id\n\n the secret \r\n").unwrap();
        let read = s3(&settings).unwrap();
        assert_eq!((read.key_id.as_str(), read.key.as_str()), ("id", "the secret"));
        Attachments::open(&settings).unwrap();
    }
}
