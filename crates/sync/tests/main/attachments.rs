//! Files to the real server over TLS and back, gone on with after a break.

use crate::real::start;
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Invite, Scope, Sha256};
use meantime_server::Running;
use meantime_sync::{HttpRemote, RemoteError, Token, TransferError};
use std::path::{Path, PathBuf};

async fn joined(server: &Running, name: &str) -> (HttpRemote, Scope) {
    let request = InviteRequest { valid_hours: 1, role: Role::Member };
    let invite: Invite = server.invite(&request).await.unwrap().parse().unwrap();
    let joined = HttpRemote::join(&invite, name, "laptop").await.unwrap();
    let remote = HttpRemote::new(&invite.host, invite.ca, &Token::new(joined.token)).unwrap();
    (remote, Scope::Team(joined.team))
}

fn file(folder: &Path, name: &str, length: usize) -> PathBuf {
    let bytes: Vec<u8> = (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect();
    std::fs::write(folder.join(name), bytes).unwrap();
    folder.join(name)
}

#[tokio::test]
async fn a_file_goes_up_and_comes_down() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir.path().join("server")).await;
    let ((ana, team), (ben, _)) = (joined(&server, "Ana").await, joined(&server, "Ben").await);
    for length in [0, 1, 5 << 20] {
        let own = file(dir.path(), "own", length);
        let (sha256, bytes) = HttpRemote::hash(&own).await.unwrap();
        assert_eq!(bytes, length as u64);
        ana.upload(team, sha256, bytes, &own).await.unwrap();
        ana.upload(team, sha256, bytes, &own).await.unwrap();
        let got = dir.path().join(format!("got-{length}"));
        ben.download(team, sha256, bytes, &got).await.unwrap();
        assert!(std::fs::read(&got).unwrap() == std::fs::read(&own).unwrap());
        assert!(!dir.path().join(format!("got-{length}.part")).exists());
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&got.metadata().unwrap().permissions()) & 0o777, 0o600);
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_transfer_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir.path().join("server")).await;
    let (ana, team) = joined(&server, "Ana").await;
    let own = file(dir.path(), "own", 5 << 20);
    let (sha256, bytes) = HttpRemote::hash(&own).await.unwrap();
    // The file ends too early: what came of it is kept, and gone on with.
    let all = std::fs::read(&own).unwrap();
    std::fs::write(&own, &all[..3 << 20]).unwrap();
    let broken = ana.upload(team, sha256, bytes, &own).await.unwrap_err();
    assert!(matches!(broken, TransferError::Remote(_)), "{broken}");
    std::fs::write(&own, &all).unwrap();
    ana.upload(team, sha256, bytes, &own).await.unwrap();

    let got = dir.path().join("got");
    let part = dir.path().join("got.part");
    // Of an earlier try some came; that it is gone on with shows in that it is not right.
    let mut some = all[..2 << 20].to_vec();
    some[0] ^= 1;
    std::fs::write(&part, &some).unwrap();
    assert_eq!(ana.download(team, sha256, bytes, &got).await, Err(TransferError::OtherBytes));
    assert!(!part.exists() && !got.exists());
    some[0] ^= 1;
    std::fs::write(&part, &some).unwrap();
    ana.download(team, sha256, bytes, &got).await.unwrap();
    assert!(std::fs::read(&got).unwrap() == all);
    // More than there can be is begun anew.
    std::fs::write(&part, vec![0; 6 << 20]).unwrap();
    ana.download(team, sha256, bytes, &got).await.unwrap();
    assert!(std::fs::read(&got).unwrap() == all);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_goes_wrong_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir.path().join("server")).await;
    let (ana, team) = joined(&server, "Ana").await;
    let own = file(dir.path(), "own", 1000);
    let (sha256, bytes) = HttpRemote::hash(&own).await.unwrap();
    let refused = |error: Result<(), TransferError>| match error {
        Err(TransferError::Remote(RemoteError::Refused(problem))) => problem.code,
        other => panic!("{other:?}"),
    };
    let got = dir.path().join("got");
    assert_eq!(refused(ana.download(team, sha256, bytes, &got).await), Code::NotFound);
    assert!(!got.exists());
    let other = Scope::Team(meantime_model::TeamId::new());
    assert_eq!(refused(ana.upload(other, sha256, bytes, &own).await), Code::NotFound);
    assert_eq!(refused(ana.upload(team, Sha256([7; 32]), bytes, &own).await), Code::Invalid);
    let large = file(dir.path(), "large", (25 << 20) + 1);
    let (of_large, bytes_of_large) = HttpRemote::hash(&large).await.unwrap();
    assert_eq!(refused(ana.upload(team, of_large, bytes_of_large, &large).await), Code::TooLarge);
    let none = dir.path().join("none");
    assert!(matches!(ana.upload(team, sha256, bytes, &none).await, Err(TransferError::File(_))));
    assert!(matches!(HttpRemote::hash(&none).await, Err(TransferError::File(_))));
    // Another length than the message says.
    ana.upload(team, sha256, bytes, &own).await.unwrap();
    assert_eq!(ana.download(team, sha256, bytes - 1, &got).await, Err(TransferError::OtherBytes));
    server.stop().await.unwrap();
}
