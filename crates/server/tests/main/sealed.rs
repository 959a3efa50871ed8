//! What authenticators share with the server: nowhere as it is, of use with
//! the right key alone, and put back with a backup.

#![cfg(unix)]

use crate::binary::{Process, command, init};
use crate::operator::run;
use crate::world::{Client, Someone};
use meantime_protocol::Problem;
use meantime_protocol::http::JoinResponse;
use meantime_protocol::people::TotpResponse;
use meantime_server::SystemClock;
use meantime_server_core::Clock as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use totp_rs::{Algorithm, Secret, TOTP};

const PASSWORD: &str = "correct horse battery";

/// The code of some seconds from now.
fn code(secret: &str, ahead: u64) -> String {
    let raw = Secret::Encoded(secret.to_owned()).to_bytes().unwrap();
    let totp = TOTP::new(Algorithm::SHA1, 6, 0, 30, raw).unwrap();
    totp.generate(SystemClock.now().timestamp().unsigned_abs() + ahead)
}

async fn with_authenticator(ana: &Someone) -> String {
    let set = json!({"login": "ana", "password": PASSWORD});
    ana.call(Method::PUT, "/v1/account").json(&set).send().await.unwrap().error_for_status().unwrap();
    let begin = ana.call(Method::POST, "/v1/account/totp").json(&json!({"password": PASSWORD}));
    let begun: TotpResponse = begin.send().await.unwrap().json().await.unwrap();
    let shown = ana.call(Method::PUT, "/v1/account/totp").json(&json!({"code": code(&begun.secret, 0)}));
    shown.send().await.unwrap().error_for_status().unwrap();
    begun.secret
}

async fn sign_in(client: &Client, secret: &str) -> reqwest::Response {
    let request = json!({"login": "ana", "password": PASSWORD, "totp": code(secret, 30), "device_name": "phone"});
    client.call(Method::POST, "/v1/sign-in").json(&request).send().await.unwrap()
}

/// Every file in a folder, and in those within it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn said(name: &str, data: &Path) -> (bool, String) {
    let output = command(name, data).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[tokio::test]
async fn an_authenticators_secret_is_of_use_with_its_key_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    let owner = init(&data);
    let key_file = data.join("seal.key");
    assert_eq!(fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = fs::read_to_string(&key_file).unwrap();
    let mut process = Process::serve(&data);
    let ana = process.client(&data).join(&owner, "Ana").await;
    let secret = with_authenticator(&ana).await;
    let (good, made) = said("backup", &data);
    assert!(good, "{made}");
    let made: Value = serde_json::from_str(&made).unwrap();
    let backup = Path::new(made["backup"].as_str().unwrap());

    // As bytes and as it is typed in: in no file of the server's, nor of the backup.
    let raw = Secret::Encoded(secret.clone()).to_bytes().unwrap();
    let all = files(&data);
    for needed in [data.join("server.db"), data.join("server.db-wal"), backup.join("server.db")] {
        assert!(all.contains(&needed), "{all:?}");
    }
    for path in all {
        let bytes = fs::read(&path).unwrap();
        let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(!has(&raw) && !has(secret.as_bytes()), "{}", path.display());
    }
    let joined = sign_in(&process.client(&data), &secret).await;
    assert_eq!(joined.json::<JoinResponse>().await.unwrap().person, ana.joined.person);
    let (good, checked) = said("check", &data);
    assert!(good && checked.contains("ok: the authenticators: 1, all sealed"), "{checked}");
    process.terminate();
    process.ends(Duration::from_secs(10)).await;

    // Another key, or none: nothing starts, nothing is made in its place.
    for (put, words) in [(Some("A".repeat(43) + "=\n"), "is not the key"), (None, "is missing")] {
        match &put {
            Some(other) => fs::write(&key_file, other).unwrap(),
            None => fs::remove_file(&key_file).unwrap(),
        }
        let (good, served) = said("serve", &data);
        assert!(!good && served.contains(words) && served.contains("from a backup"), "{served}");
        let (good, checked) = said("check", &data);
        let fault = checked.lines().find(|line| line.starts_with("FAULT: the authenticators")).unwrap();
        assert!(!good && fault.contains(words) && fault.contains("user reset-password"), "{checked}");
        assert!(checked.contains(&ana.joined.person.to_string()), "{checked}");
        assert_eq!(fs::read_to_string(&key_file).ok(), put, "left as it was");
    }

    // The drill brings both back; the code that was used since is good there.
    let restored = command("restore", &data).arg("--from").arg(backup).output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(fs::read_to_string(&key_file).unwrap(), key);
    let process = Process::serve(&data);
    assert_eq!(sign_in(&process.client(&data), &secret).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_key_that_is_lost_for_good_can_be_done_without() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    let owner = init(&data);
    let mut process = Process::serve(&data);
    let ana = process.client(&data).join(&owner, "Ana").await;
    let secret = with_authenticator(&ana).await;
    process.terminate();
    process.ends(Duration::from_secs(10)).await;
    fs::remove_file(data.join("seal.key")).unwrap();
    run(&data, &["user", "reset-password", "Ana"]);
    let process = Process::serve(&data);
    let ana = Someone::again(process.client(&data), ana.joined);
    let again = with_authenticator(&ana).await;
    assert_ne!(again, secret);
    assert_eq!(sign_in(&process.client(&data), &again).await.status(), StatusCode::OK);
    let refused = sign_in(&process.client(&data), &secret).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{}", refused.json::<Problem>().await.unwrap());
}
