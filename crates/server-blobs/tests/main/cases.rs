//! What any store has to do.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use meantime_model::{DeviceId, TeamId};
use meantime_protocol::Sha256;
use meantime_server_blobs::{Begun, Blob, Blobs, Copied, Finished, PIECE, Upload};
use sha2::Digest as _;
use uuid::Uuid;

/// Bytes that are not the same anywhere.
pub fn bytes(length: usize) -> Bytes {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

pub fn upload(team: TeamId, bytes: &[u8]) -> Upload {
    let sha256 = Sha256(sha2::Sha256::digest(bytes).into());
    Upload { team, device: DeviceId::new(), id: Uuid::now_v7(), sha256 }
}

pub fn long_ago() -> DateTime<Utc> {
    "2000-01-01T00:00:00Z".parse().unwrap()
}

pub fn far_ahead() -> DateTime<Utc> {
    "3000-01-01T00:00:00Z".parse().unwrap()
}

async fn whole(blobs: &Blobs, upload: &Upload, bytes: Bytes) -> Blob {
    match blobs.finish(upload, Begun::default(), bytes).await.unwrap() {
        Finished::Whole(blob) => blob,
        other => panic!("{other:?}"),
    }
}

async fn read(blobs: &Blobs, blob: &Blob, part: std::ops::Range<u64>) -> Option<Vec<u8>> {
    let stream = blobs.read(blob, part).await.unwrap()?;
    let chunks: Vec<Bytes> = stream.try_collect().await.unwrap();
    Some(chunks.concat())
}

async fn list(blobs: &Blobs, team: TeamId) -> Vec<Blob> {
    let all: Vec<_> = blobs.list(team).try_collect().await.unwrap();
    all.into_iter().map(|stored| stored.blob).collect()
}

pub async fn pieces_make_a_whole(blobs: Blobs) {
    // More than one part of an S3 multipart upload, and a rest.
    let all = bytes(3 * PIECE + 12_345);
    let upload = upload(TeamId::new(), &all);
    for n in 0..3 {
        // Each by somebody who knows nothing but the store.
        let mut begun = blobs.begun(&upload).await.unwrap();
        assert_eq!(begun.offset, (n * PIECE) as u64);
        blobs.append(&upload, &mut begun, all.slice(n * PIECE..(n + 1) * PIECE)).await.unwrap();
        assert_eq!(begun.offset, ((n + 1) * PIECE) as u64);
    }
    assert_eq!(list(&blobs, upload.team).await, [], "it is not there before it is whole");
    let begun = blobs.begun(&upload).await.unwrap();
    let Finished::Whole(blob) = blobs.finish(&upload, begun, all.slice(3 * PIECE..)).await.unwrap() else { panic!() };
    assert_eq!((blob.team, blob.id), (upload.team, upload.id));
    assert_eq!(blobs.begun(&upload).await.unwrap().offset, 0, "the pieces are gone");
    assert_eq!(unfinished(&blobs, upload.team, upload.device).await, 0);
    let length = all.len() as u64;
    assert_eq!(blobs.bytes(&blob).await.unwrap(), Some(length));
    assert!(read(&blobs, &blob, 0..length).await.unwrap() == all);
    let around = (PIECE as u64 - 10)..(PIECE as u64 + 10);
    assert_eq!(read(&blobs, &blob, around).await.unwrap(), all[PIECE - 10..PIECE + 10]);
    assert_eq!(read(&blobs, &blob, length - 1..length).await.unwrap(), all[all.len() - 1..]);
    assert_eq!(read(&blobs, &blob, 7..7).await.unwrap(), [0u8; 0]);
    blobs.remove(&blob).await.unwrap();
    blobs.remove(&blob).await.unwrap();
    assert_eq!(blobs.bytes(&blob).await.unwrap(), None);
    assert_eq!(read(&blobs, &blob, 0..1).await, None);
    assert_eq!(read(&blobs, &blob, 0..0).await, None);
}

pub async fn one_piece_is_enough(blobs: Blobs) {
    let all = bytes(1000);
    let upload = upload(TeamId::new(), &all);
    let blob = whole(&blobs, &upload, all.clone()).await;
    assert_eq!(read(&blobs, &blob, 0..1000).await.unwrap(), all);
    assert_eq!(list(&blobs, upload.team).await, [blob]);
}

pub async fn nothing_is_something(blobs: Blobs) {
    let upload = upload(TeamId::new(), b"");
    let blob = whole(&blobs, &upload, Bytes::new()).await;
    assert_eq!(blobs.bytes(&blob).await.unwrap(), Some(0));
    assert_eq!(read(&blobs, &blob, 0..0).await.unwrap(), [0u8; 0]);
}

pub async fn other_bytes_leave_nothing(blobs: Blobs) {
    let all = bytes(PIECE + 10);
    let upload = upload(TeamId::new(), &all);
    let one = blobs.finish(&upload, Begun::default(), bytes(10)).await.unwrap();
    assert_eq!(one, Finished::OtherHash(Sha256(sha2::Sha256::digest(bytes(10)).into())));
    let mut begun = blobs.begun(&upload).await.unwrap();
    blobs.append(&upload, &mut begun, all.slice(..PIECE)).await.unwrap();
    let end = Bytes::from_static(b"other, ten");
    assert!(matches!(blobs.finish(&upload, begun, end).await.unwrap(), Finished::OtherHash(_)));
    assert_eq!(list(&blobs, upload.team).await, []);
    assert_eq!(blobs.begun(&upload).await.unwrap().offset, 0, "it begins anew");
    assert_eq!(blobs.remove_team(upload.team).await.unwrap(), 0);
}

pub async fn a_piece_that_does_not_fit_is_none(blobs: Blobs) {
    let all = bytes(1000);
    let upload = upload(TeamId::new(), &all);
    let mut begun = Begun::default();
    blobs.append(&upload, &mut begun, all.slice(..500)).await.unwrap();
    blobs.append(&upload, &mut begun, all.slice(500..900)).await.unwrap();
    // Somebody who did not know of them writes over the first.
    blobs.append(&upload, &mut Begun::default(), all.slice(..300)).await.unwrap();
    let mut begun = blobs.begun(&upload).await.unwrap();
    assert_eq!(begun.offset, 300, "the second does not begin where this ends");
    blobs.append(&upload, &mut begun, all.slice(300..500)).await.unwrap();
    let begun = blobs.begun(&upload).await.unwrap();
    assert_eq!(begun.offset, 900, "and now it does");
    assert!(matches!(blobs.finish(&upload, begun, all.slice(900..)).await.unwrap(), Finished::Whole(_)));
}

pub async fn two_make_the_same(blobs: Blobs) {
    let all = bytes(1000);
    let one = upload(TeamId::new(), &all);
    let other = Upload { device: DeviceId::new(), ..one };
    let (a, b) = tokio::join!(whole(&blobs, &one, all.clone()), whole(&blobs, &other, all.clone()));
    assert_ne!(a, b, "each has its own bytes, so that one can be removed");
    blobs.remove(&a).await.unwrap();
    assert_eq!(read(&blobs, &b, 0..1000).await.unwrap(), all);
}

pub async fn teams_and_devices_are_apart(blobs: Blobs) {
    let all = bytes(100);
    let one = upload(TeamId::new(), &all);
    let other = Upload { team: TeamId::new(), ..one };
    let device = Upload { device: DeviceId::new(), ..one };
    let blob = whole(&blobs, &one, all.clone()).await;
    assert_eq!(list(&blobs, other.team).await, []);
    let there = Blob { team: other.team, ..blob };
    assert_eq!(blobs.bytes(&there).await.unwrap(), None);
    blobs.append(&one, &mut Begun::default(), all.slice(..50)).await.unwrap();
    assert_eq!(blobs.begun(&other).await.unwrap().offset, 0);
    assert_eq!(blobs.begun(&device).await.unwrap().offset, 0);
    assert_eq!(unfinished(&blobs, one.team, one.device).await, 1);
    assert_eq!(unfinished(&blobs, one.team, device.device).await, 0);
}

async fn unfinished(blobs: &Blobs, team: TeamId, device: DeviceId) -> usize {
    blobs.unfinished(team).await.unwrap().into_keys().filter(|(of, _)| *of == device).count()
}

pub async fn what_does_not_go_on_is_forgotten(blobs: Blobs) {
    let all = bytes(100);
    let one = upload(TeamId::new(), &all);
    let other = Upload { id: Uuid::now_v7(), ..one };
    let kept = whole(&blobs, &one, all.clone()).await;
    for upload in [&one, &other] {
        let mut begun = Begun::default();
        blobs.append(upload, &mut begun, all.slice(..10)).await.unwrap();
        blobs.append(upload, &mut begun, all.slice(10..20)).await.unwrap();
    }
    assert_eq!(unfinished(&blobs, one.team, one.device).await, 2);
    assert_eq!(blobs.unfinished(one.team).await.unwrap().get(&(one.device, one.id)), Some(&20), "so many bytes");
    assert_eq!(blobs.sweep_unfinished(one.team, long_ago()).await.unwrap(), 0);
    assert_eq!(blobs.begun(&one).await.unwrap().offset, 20);
    blobs.abandon(&one).await.unwrap();
    assert_eq!(unfinished(&blobs, one.team, one.device).await, 1);
    assert_eq!(blobs.sweep_unfinished(TeamId::new(), far_ahead()).await.unwrap(), 0);
    assert_eq!(blobs.sweep_unfinished(one.team, far_ahead()).await.unwrap(), 1);
    assert_eq!(unfinished(&blobs, one.team, one.device).await, 0);
    assert_eq!(list(&blobs, one.team).await, [kept]);
}

pub async fn a_team_is_forgotten(blobs: Blobs) {
    let all = bytes(100);
    let one = upload(TeamId::new(), &all);
    let other = Upload { team: TeamId::new(), ..one };
    whole(&blobs, &one, all.clone()).await;
    let stays = whole(&blobs, &other, all.clone()).await;
    blobs.append(&one, &mut Begun::default(), all).await.unwrap();
    assert_eq!(blobs.remove_team(one.team).await.unwrap(), 2);
    assert_eq!(list(&blobs, one.team).await, []);
    assert_eq!(blobs.begun(&one).await.unwrap().offset, 0);
    assert_eq!(list(&blobs, other.team).await, [stays]);
}

pub async fn it_answers(blobs: Blobs) {
    blobs.answers().await.unwrap();
}

pub async fn it_is_copied_there_and_back(blobs: Blobs) {
    let dir = tempfile::tempdir().unwrap();
    let other = Blobs::folder(dir.path()).unwrap();
    let team = TeamId::new();
    let mut kept = Vec::new();
    for length in [0, 1000, 3 * PIECE + 5] {
        let all = bytes(length);
        let upload = upload(team, &all);
        let blob = whole(&blobs, &upload, all.clone()).await;
        assert_eq!(blobs.digest(&blob).await.unwrap(), Some((length as u64, upload.sha256)));
        assert_eq!(Blob::of_key(&blob.key()), Some(blob));
        let length = length as u64;
        assert_eq!(blobs.copy_to(&other, &blob, length + 1).await.unwrap(), Copied::Missing);
        assert_eq!(blobs.copy_to(&other, &blob, length).await.unwrap(), Copied::New);
        assert_eq!(blobs.copy_to(&other, &blob, length).await.unwrap(), Copied::Before);
        kept.push((blob, all));
    }
    let all: Vec<_> = other.list_all().try_collect().await.unwrap();
    assert_eq!(all.len(), 3);
    for (blob, all) in &kept {
        let length = all.len() as u64;
        blobs.remove(blob).await.unwrap();
        assert_eq!(blobs.digest(blob).await.unwrap(), None);
        assert_eq!(blobs.copy_to(&other, blob, length).await.unwrap(), Copied::Missing);
        assert_eq!(other.copy_to(&blobs, blob, length).await.unwrap(), Copied::New);
        assert_eq!(read(&blobs, blob, 0..length).await.unwrap(), *all);
        other.remove(blob).await.unwrap();
        assert_eq!(blobs.bytes(blob).await.unwrap(), Some(length), "each removes its own");
    }
    // One that has another length is no copy, and is replaced.
    let (blob, all) = &kept[1];
    let path = dir.path().join(blob.key());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"cut").unwrap();
    assert_eq!(blobs.copy_to(&other, blob, 1000).await.unwrap(), Copied::New);
    assert_eq!(read(&other, blob, 0..1000).await.unwrap(), *all);
}
