//! What is logged: enough to find a request, and nothing that is anybody's.

use crate::binary::{Process, command, init};
use crate::live::Stream;
use meantime_protocol::{Invite, Kind};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;

#[cfg(unix)]
#[tokio::test]
async fn no_secret_and_no_word_of_anybody_is_logged() {
    nothing_of_anybodys_is_logged(None).await;
}

/// Nor what libraries would say about what is sent.
#[cfg(unix)]
#[tokio::test]
async fn nor_is_one_when_everything_is_asked_for() {
    let logged = nothing_of_anybodys_is_logged(Some("trace")).await;
    for line in logged.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (target, level) = (line["target"].as_str().unwrap(), line["level"].as_str().unwrap());
        assert!(target.starts_with("meantime") || matches!(level, "WARN" | "ERROR"), "{line}");
    }
}

/// A run of a server and all that it logged.
#[cfg(unix)]
async fn nothing_of_anybodys_is_logged(asked: Option<&str>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    let owner = init(&data);
    let settings = data.join("server.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let text = text.replace("format = \"text\"", "format = \"json\"").replace("level = \"info\"", "level = \"trace\"");
    fs::write(&settings, text).unwrap();
    let log = dir.path().join("log");
    let mut serve: Command = command("serve", &data);
    serve.args(["--listen", "127.0.0.1:0"]).env_remove("MEANTIME_LOG");
    serve.envs(asked.map(|asked| ("MEANTIME_LOG", asked)));
    let mut process = Process::logging(serve, fs::File::create(&log).unwrap());
    let client = process.client(&data);

    let ana = client.join(&owner, "Anastasia Quillfeather").await;
    let thread = ana.thread("Parsnip festival").await;
    ana.push(vec![ana.message(thread, "the marmalade is in the cellar")]).await;
    let refused = ana.change(Kind::AGREEMENT, uuid::Uuid::now_v7(), json!({"team": "wobbly umbrella"}));
    ana.push(vec![refused]).await;
    let link = command("invite", &data).output().unwrap();
    let link = String::from_utf8(link.stdout).unwrap().trim().to_owned();
    let kofi = client.join(&link, "Kofi Thistlewood").await;
    let again = client.try_join(&link, "Mallory Grimsby").await;
    assert!(again.is_err());
    let mut live = Stream::open(&kofi).await;
    live.next().await.unwrap();
    kofi.all().await;
    let guess = "Z3Vlc3NlZC10b2tlbi1vZi1tYWxsb3J5";
    let strange = client.call(Method::GET, "/v1/me").bearer_auth(guess).send().await.unwrap();
    assert_eq!(strange.status().as_u16(), 401);
    let broken = "{\"device\": \"crooked lighthouse\"}";
    ana.call(Method::POST, "/v1/push").body(broken).send().await.unwrap();
    let query = client.call(Method::GET, "/v1/pull?scope=velvet-hammer&cursor=copper-kettle").send().await.unwrap();
    assert!(!query.status().is_success());
    let id = query.headers()["x-request-id"].to_str().unwrap().to_owned();
    drop(live);
    process.terminate();
    process.ends(Duration::from_secs(10)).await;

    let logged = fs::read_to_string(&log).unwrap();
    for line in logged.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
    assert!(logged.contains(&id), "the request that a client asks about is found:\n{logged}");
    assert!(logged.contains("/v1/push") && logged.contains("serving") && logged.contains("ended"));
    let secret = |link: &str| link.parse::<Invite>().unwrap().secret;
    let (first, second) = (secret(&owner), secret(&link));
    let said = [
        "Quillfeather",
        "Thistlewood",
        "Grimsby",
        "Parsnip",
        "marmalade",
        "umbrella",
        "crooked",
        "velvet",
        "copper",
        "BEGIN",
        guess,
        &ana.joined.token,
        &kofi.joined.token,
        &first,
        &second,
    ];
    for word in said {
        assert!(!logged.contains(word), "{word} was logged:\n{logged}");
    }
    logged
}
