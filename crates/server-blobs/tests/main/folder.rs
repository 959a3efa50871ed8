//! What only a folder has: files that somebody else could look at.

use crate::cases::{bytes, far_ahead, long_ago, upload};
use futures::TryStreamExt as _;
use meantime_model::TeamId;
use meantime_server_blobs::{Begun, Blob, Blobs, Finished, PIECE};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub async fn fresh() -> (Blobs, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Blobs::folder(dir.path()).unwrap(), dir)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Blobs::folder(&dir.path().join("none")).is_err());
}

#[tokio::test]
async fn everything_of_a_team_begins_with_its_id() {
    let (blobs, dir) = fresh().await;
    let all = bytes(10);
    let upload = upload(TeamId::new(), &all);
    blobs.append(&upload, &mut Begun::default(), all.slice(..5)).await.unwrap();
    assert!(files(dir.path())[0].starts_with(dir.path().join(upload.team.to_string())));
    assert!(matches!(blobs.finish(&upload, Begun::default(), all).await.unwrap(), Finished::Whole(_)));
    let files = files(dir.path());
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].starts_with(dir.path().join(upload.team.to_string()).join("whole")));
}

/// What `object_store` leaves when its process is killed while it writes.
#[tokio::test]
async fn what_is_half_written_is_not_there() {
    let (blobs, dir) = fresh().await;
    let all = bytes(PIECE + 10);
    let upload = upload(TeamId::new(), &all);
    let mut begun = Begun::default();
    blobs.append(&upload, &mut begun, all.slice(..PIECE)).await.unwrap();
    let Finished::Whole(blob) = blobs.finish(&upload, begun, all.slice(PIECE..)).await.unwrap() else { panic!() };
    let whole = files(dir.path()).remove(0);
    let half = |name: &str| whole.with_file_name(name);
    let own = whole.file_name().unwrap().to_str().unwrap().to_owned();
    std::fs::write(half(&format!("{own}#1")), b"half").unwrap();
    std::fs::write(half("0192f0c1-2345-7890-abcd-0123456789ab#12"), b"half").unwrap();
    let listed: Vec<_> = blobs.list(upload.team).try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|stored| stored.blob).collect::<Vec<_>>(), [blob]);
    assert_eq!(blobs.sweep_half_written(long_ago()).await.unwrap(), 0);
    assert_eq!(files(dir.path()).len(), 3);
    assert_eq!(blobs.sweep_half_written(far_ahead()).await.unwrap(), 2);
    assert_eq!(files(dir.path()), [whole]);
}

#[test]
fn only_a_key_is_a_key() {
    let id = "0192f0c1-2345-7890-abcd-0123456789ab";
    let key = |team: &str, kind: &str| format!("{team}/{kind}/{id}/{id}");
    assert!(Blob::of_key(&key(id, "whole")).is_some());
    let upper = id.to_uppercase();
    let others = [key(id, "unfinished"), key(&upper, "whole"), key("..", "whole"), format!("/{}", key(id, "whole"))];
    for other in others.iter().map(String::as_str).chain(["", "a/b", "../../etc/passwd"]) {
        assert_eq!(Blob::of_key(other), None, "{other}");
    }
}
