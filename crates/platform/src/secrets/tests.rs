//! Against a real gnome-keyring, and without any, each test on a bus of its own.

use super::*;
use crate::Dirs;
use crate::kit::{GnomeKeyring, PrivateBus, Stage, alone};
use std::time::Duration;

fn dirs(stage: &Stage) -> Dirs {
    let dirs = Dirs::within(&stage.folder.join("profile")).unwrap();
    dirs.create().unwrap();
    dirs
}

async fn set(safe: &Safe, name: &str, secret: &str) {
    safe.set(name, secret).await.unwrap();
}

async fn get(safe: &Safe, name: &str) -> Option<String> {
    safe.get(name).await.unwrap()
}

#[test]
fn the_keyring_keeps_a_key_and_the_file_the_rest() {
    alone("secrets::tests::the_keyring_keeps_a_key_and_the_file_the_rest", |stage| async move {
        let dirs = dirs(&stage);
        let keyring = GnomeKeyring::start(&stage.folder, &stage.bus).await;
        let safe = Safe::open(&dirs).await;
        assert_eq!(safe.kept().await, Kept::Keyring);
        assert_eq!(get(&safe, "imap/1").await, None);
        let long = "x".repeat(10_000);
        set(&safe, "imap/1", &long).await;
        set(&safe, "smtp/1", "hunter2").await;
        safe.delete("smtp/1").await.unwrap();
        safe.delete("never there").await.unwrap();

        let file = std::fs::read_to_string(dirs.data.join("secrets.json")).unwrap();
        // Shorter ones stand in what is random, now and then.
        assert!(!file.contains("imap/1") && !file.contains(&long[..20]));
        // The keyring is started again under a running app, and a second start finds everything.
        drop(keyring);
        let _keyring = GnomeKeyring::start(&stage.folder, &stage.bus).await;
        set(&safe, "team", "token").await;
        let again = Safe::open(&dirs).await;
        assert_eq!(again.kept().await, Kept::Keyring);
        assert_eq!(get(&again, "imap/1").await, Some(long));
        assert_eq!(get(&again, "smtp/1").await, None);
        assert_eq!(get(&again, "team").await, Some("token".into()));
    });
}

#[test]
fn a_keyring_that_lost_its_key_is_not_an_empty_one() {
    alone("secrets::tests::a_keyring_that_lost_its_key_is_not_an_empty_one", |stage| async move {
        let dirs = dirs(&stage);
        let keyring = GnomeKeyring::start(&stage.folder, &stage.bus).await;
        let safe = Safe::open(&dirs).await;
        set(&safe, "imap/1", "hunter2").await;
        drop((safe, keyring));

        let fresh = stage.folder.join("fresh");
        std::fs::create_dir(&fresh).unwrap();
        let other = GnomeKeyring::start(&fresh, &stage.bus).await;
        let safe = Safe::open(&dirs).await;
        let Kept::Undecided(why) = safe.kept().await else { panic!("{:?}", safe.kept().await) };
        assert!(why.contains("no longer has the key"), "{why}");
        assert!(matches!(safe.get("imap/1").await, Err(SecretsError::Unavailable(_))), "never `there is none`");
        assert!(matches!(safe.set("imap/1", "x").await, Err(SecretsError::Unavailable(_))));
        drop((safe, other));

        // The old keyring comes back: nothing was touched.
        let _keyring = GnomeKeyring::start(&stage.folder, &stage.bus).await;
        let safe = Safe::open(&dirs).await;
        assert_eq!(get(&safe, "imap/1").await, Some("hunter2".into()));
    });
}

#[test]
fn beginning_anew_is_the_persons_decision() {
    alone("secrets::tests::beginning_anew_is_the_persons_decision", |stage| async move {
        let dirs = dirs(&stage);
        let old = stage.folder.join("old");
        std::fs::create_dir(&old).unwrap();
        let keyring = GnomeKeyring::start(&old, &stage.bus).await;
        let safe = Safe::open(&dirs).await;
        set(&safe, "imap/1", "hunter2").await;
        drop(safe);
        let file = std::fs::read(dirs.data.join("secrets.json")).unwrap();
        drop(keyring);
        let _fresh = GnomeKeyring::start(&stage.folder, &stage.bus).await;
        let safe = Safe::open(&dirs).await;
        assert!(matches!(safe.kept().await, Kept::Undecided(_)));
        safe.choose(Choice::Keyring).await.unwrap();
        assert_eq!(safe.kept().await, Kept::Keyring);
        assert_eq!(get(&safe, "imap/1").await, None);
        assert_eq!(std::fs::read(dirs.data.join("secrets.old.json")).unwrap(), file, "the old file is put aside");
    });
}

#[test]
fn without_a_keyring_the_person_chooses() {
    alone("secrets::tests::without_a_keyring_the_person_chooses", |stage| async move {
        let dirs = dirs(&stage);
        let safe = Safe::open(&dirs).await;
        let Kept::Undecided(why) = safe.kept().await else { panic!("{:?}", safe.kept().await) };
        assert!(why.contains("no keyring"), "{why}");
        assert!(safe.set("imap/1", "hunter2").await.is_err());
        assert!(safe.choose(Choice::Keyring).await.is_err());

        safe.choose(Choice::Session).await.unwrap();
        set(&safe, "imap/1", "hunter2").await;
        assert!(!dirs.data.join("secrets.json").exists(), "nothing on the disk");

        // What is known is taken along into a file, and from there into a keyring.
        safe.choose(Choice::File { passphrase: "correct horse".into() }).await.unwrap();
        assert_eq!(safe.kept().await, Kept::File { locked: false });
        let safe = Safe::open(&dirs).await;
        assert_eq!(safe.kept().await, Kept::File { locked: true });
        assert!(matches!(safe.get("imap/1").await, Err(SecretsError::Unavailable(_))));
        let wrong = safe.choose(Choice::File { passphrase: "battery staple".into() }).await;
        assert_eq!(wrong, Err(SecretsError::WrongPassphrase));
        // For the moment without it; the file is opened and completed later.
        safe.choose(Choice::Session).await.unwrap();
        set(&safe, "smtp/1", "s3cret").await;
        safe.choose(Choice::File { passphrase: "correct horse".into() }).await.unwrap();
        assert_eq!(get(&safe, "imap/1").await, Some("hunter2".into()));
        assert_eq!(get(&safe, "smtp/1").await, Some("s3cret".into()));

        let _keyring = GnomeKeyring::start(&stage.folder, &stage.bus).await;
        safe.choose(Choice::Keyring).await.unwrap();
        let safe = Safe::open(&dirs).await;
        assert_eq!(safe.kept().await, Kept::Keyring);
        assert_eq!(get(&safe, "imap/1").await, Some("hunter2".into()));
    });
}

#[test]
fn a_damaged_file_is_said_and_kept() {
    alone("secrets::tests::a_damaged_file_is_said_and_kept", |stage| async move {
        let dirs = dirs(&stage);
        std::fs::write(dirs.data.join("secrets.json"), "{\"format\":1").unwrap();
        let safe = Safe::open(&dirs).await;
        let Kept::Undecided(why) = safe.kept().await else { panic!() };
        assert!(why.contains("damaged"), "{why}");
        safe.choose(Choice::File { passphrase: "correct horse".into() }).await.unwrap();
        set(&safe, "a", "b").await;
        assert_eq!(std::fs::read_to_string(dirs.data.join("secrets.old.json")).unwrap(), "{\"format\":1");
    });
}

/// Owns the keyring's name and never answers.
async fn deaf(bus: &PrivateBus) -> zbus::Connection {
    struct Deaf;
    #[zbus::interface(name = "org.freedesktop.Secret.Service")]
    impl Deaf {
        async fn open_session(&self, _algorithm: String, _input: zbus::zvariant::OwnedValue) {
            std::future::pending::<()>().await;
        }
    }
    let builder = bus.builder().serve_at("/org/freedesktop/secrets", Deaf).unwrap();
    builder.name("org.freedesktop.secrets").unwrap().build().await.unwrap()
}

#[test]
fn a_keyring_that_hangs_is_given_up_and_asked_again() {
    alone("secrets::tests::a_keyring_that_hangs_is_given_up_and_asked_again", |stage| async move {
        let deaf = deaf(&stage.bus).await;
        let keyring = keyring::Keyring::with_limit(Duration::from_millis(500));
        for _ in 0..2 {
            let Err(SecretsError::Unavailable(why)) = keyring.get("a").await else { panic!() };
            assert!(why.contains("does not answer"), "{why}");
        }
        deaf.close().await.unwrap();
        let _keyring = GnomeKeyring::start(&stage.folder, &stage.bus).await;
        let keyring = keyring::Keyring::with_limit(crate::kit::PATIENCE);
        keyring.probe("p").await.unwrap();
        assert_eq!(keyring.get("a").await, Ok(None));
    });
}

#[test]
fn a_keyring_that_does_not_start_is_given_up_soon_and_in_plain_words() {
    alone("secrets::tests::a_keyring_that_does_not_start_is_given_up_soon_and_in_plain_words", |stage| async move {
        stage.bus.offer("org.freedesktop.secrets", "/bin/sleep 40").await;
        let keyring = keyring::Keyring::with_limit(Duration::from_secs(30));
        let began = std::time::Instant::now();
        let Err(SecretsError::Unavailable(why)) = keyring.get("a").await else { panic!() };
        assert!(why.contains("does not start") && !why.contains("freedesktop"), "{why}");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    });
}

#[test]
fn a_keyring_that_takes_its_time_is_waited_for_beside_the_rest() {
    alone("secrets::tests::a_keyring_that_takes_its_time_is_waited_for_beside_the_rest", |stage| async move {
        let dirs = dirs(&stage);
        let deaf = deaf(&stage.bus).await;
        let keyring = keyring::Keyring::with_limit(Duration::from_secs(2));
        let safe = Safe::with(&dirs, keyring, Duration::from_millis(50)).await;
        let mut changes = safe.changes();
        let Kept::Undecided(why) = safe.kept().await else { panic!() };
        assert!(why.contains("unlock"), "{why}");
        // A read waits for the answer instead of failing at once.
        let Err(SecretsError::Unavailable(why)) = safe.get("a").await else { panic!() };
        assert!(why.contains("does not answer"), "{why}");
        changes.changed().await.unwrap();
        deaf.close().await.unwrap();
        let _keyring = GnomeKeyring::start(&stage.folder, &stage.bus).await;
        safe.choose(Choice::Keyring).await.unwrap();
        assert_eq!(safe.kept().await, Kept::Keyring);
    });
}
