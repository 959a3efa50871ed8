//! The commands that need an engine: one started for the command, or a
//! daemon over its socket.

use crate::{Ran, World};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const MBOX: &str = "From kofi@example.org Mon Nov 23 10:00:00 2020\n\
From: Kofi Mensah <kofi@example.org>\nTo: ana@example.org\nSubject: Review the draft\n\
Message-ID: <1@example.org>\nDate: Mon, 23 Nov 2020 10:00:00 +0000\n\nPlease look at the zebra chapter.\n\n\
From mei@example.org Mon Nov 23 11:00:00 2020\n\
From: Mei \x1b]0;owned\x07Lin <mei@example.org>\nTo: ana@example.org\nSubject: Lunch\n\
Message-ID: <2@example.org>\nDate: Mon, 23 Nov 2020 11:00:00 +0000\n\nNoodles?\n\n";

/// A daemon; ended when dropped.
struct Daemon(Child);

impl Daemon {
    fn start(world: &World) -> Self {
        let child = world.command().arg("daemon").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut daemon = Self(child);
        let mut lines = BufReader::new(daemon.0.stderr.take().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().contains("running with the profile")).unwrap().unwrap();
        // Whoever has a pipe must empty it.
        std::thread::spawn(move || lines.for_each(drop));
        daemon
    }

    #[cfg(unix)]
    fn terminate(mut self) -> i32 {
        let kill = std::process::Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(Instant::now() < deadline, "the daemon does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ids(inbox: &Ran) -> Vec<String> {
    let rows = inbox.json()["rows"].as_array().unwrap().clone();
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

fn import(world: &World) {
    let mbox = world.file("mail.mbox", MBOX);
    let imported = world.run(&["--json", "import", "--mbox", &mbox]).ok();
    assert_eq!(imported.json(), json!({ "added": 2, "known": 0, "unreadable": 0 }));
}

/// The whole working day of an archive: the same with and without a daemon.
fn day(world: &World) {
    import(world);
    let found = world.run(&["--json", "search", "zebra"]).ok().json();
    let row = &found["hits"][0]["row"];
    assert_eq!(row["title"], "Review the draft");
    let id = row["id"].as_str().unwrap();
    let end = &id[id.len() - 8..];
    let shown = world.run(&["show", end]).ok().out;
    assert!(shown.contains("Please look at the zebra chapter."), "{shown}");

    // What is imported is over; it does not flood the inbox.
    assert_eq!(ids(&world.run(&["--json", "inbox"]).ok()), Vec::<String>::new());
    assert_eq!(ids(&world.run(&["--json", "inbox", "--view", "done"]).ok()).len(), 2);
    for hit in ["zebra", "noodles"] {
        let found = world.run(&["--json", "search", hit]).ok().json();
        world.run(&["reopen", found["hits"][0]["row"]["id"].as_str().unwrap()]).ok();
    }
    let before = world.run(&["--json", "inbox"]).ok();
    assert!(ids(&before).iter().any(|other| other == id), "{before:?}");
    assert!(world.run(&["done", end]).ok().out.contains("Review the draft"));
    assert!(!ids(&world.run(&["--json", "inbox"]).ok()).iter().any(|other| other == id));
    assert!(ids(&world.run(&["--json", "inbox", "--view", "done"]).ok()).iter().any(|other| other == id));
    world.run(&["undo"]).ok();
    assert_eq!(ids(&world.run(&["--json", "inbox"]).ok()), ids(&before));

    world.run(&["snooze", end, "3h"]).ok();
    assert_eq!(ids(&world.run(&["--json", "inbox", "--view", "later"]).ok()), [id]);
    let choices = world.run(&["--json", "snooze", end]).ok().json();
    assert!(choices.as_array().is_some_and(|choices| !choices.is_empty()), "{choices}");

    let text = world.run(&["inbox"]).ok().out;
    assert!(text.contains("Lunch") && !text.contains('\x1b') && !text.contains('\x07'), "{text:?}");
}

#[test]
fn a_damaged_database_is_told_in_words_until_it_was_seen() {
    let world = World::new();
    let sentence = "The database was damaged; a new one";
    assert!(!world.run(&["status"]).ok().out.contains(sentence));
    let data = world.path().join("profile/data");
    std::fs::write(data.join("meantime.db"), vec![0xa5; 70 * 4096]).unwrap();
    let ran = world.run(&["inbox"]).ok();
    assert!(ran.err.starts_with(&format!("meantime: {sentence}")) && !ran.err.contains("ERROR"), "{ran:?}");
    let aside = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path().display().to_string());
    let aside = aside.filter(|path| path.contains(".damaged-")).min().unwrap();
    assert!(ran.err.contains(&aside) && ran.err.contains("Add your accounts"), "{ran:?}");
    for args in [&["status"], &["status"]] {
        let ran = world.run(args).ok();
        assert!(ran.out.contains(sentence) && ran.err.is_empty(), "{ran:?}");
    }
    assert!(!world.run(&["status", "--seen"]).ok().out.contains(sentence));
    assert!(!world.run(&["status"]).ok().out.contains(sentence));
}

#[test]
fn what_is_no_mbox_is_not_imported() {
    let world = World::new();
    let text = world.file("diary.txt", "Dear diary,\n\nnothing new.\n");
    let folder = world.path().to_str().unwrap();
    for (path, why) in [(text.as_str(), "this is not an mbox"), (folder, "is a folder")] {
        let ran = world.run(&["import", "--mbox", path]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.err.contains(why), "{ran:?}");
    }
}

#[test]
fn what_an_account_can_not_have_is_a_usage_error() {
    let world = World::new();
    for wrong in [&["", "--imap", "localhost:1"][..], &["a@b.c", "--imap", "localhost:1", "--imap-certificate", "zz"]] {
        let ran = world.pipe(&[&["account", "add", "imap"], wrong].concat(), b"hunter2\n");
        assert_eq!(ran.code, 2, "{ran:?}");
    }
}

#[test]
fn a_day_without_a_running_engine() {
    day(&World::new());
}

#[cfg(unix)]
#[test]
fn a_day_with_a_daemon() {
    let world = World::new();
    let daemon = Daemon::start(&world);
    day(&world);
    let second = world.run(&["daemon"]);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.err.contains("another Meantime already runs"), "{second:?}");
    assert_eq!(daemon.terminate(), 0);
    let after = world.run(&["--json", "status"]).ok();
    assert_eq!(after.json()["counts"]["later"], 1, "what was done stays");
}

#[test]
fn commands_side_by_side_wait_for_each_other() {
    let world = World::new();
    import(&world);
    let commands: Vec<_> = (0..6)
        .map(|_| {
            world.command().args(["--json", "inbox"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for command in commands {
        let ended = command.wait_with_output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }
}

#[cfg(target_os = "linux")] // elsewhere the keyring can't be hidden from a process
#[test]
fn secrets_wait_for_the_person_where_there_is_no_keyring() {
    let world = World::new();
    let session = world.run(&["secrets", "session"]);
    assert!(session.code == 1 && session.err.contains("meantime daemon"), "{session:?}");
    let short = world.pipe(&["secrets", "file"], b"short\n");
    assert_eq!(short.code, 2, "{short:?}");
    let file = world.pipe(&["--json", "secrets", "file"], b"correct horse battery\n").ok();
    assert_eq!(file.json(), json!({ "kept": "file", "locked": false }));
    assert_eq!(world.run(&["--json", "secrets"]).ok().json(), json!({ "kept": "file", "locked": true }));
    let wrong = world.pipe(&["secrets", "file"], b"wrong horse battery\n");
    assert!(wrong.code != 0 && !wrong.err.contains("wrong horse"), "{wrong:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn who_chose_memory_is_not_asked_again_at_the_next_start() {
    let world = World::new();
    let daemon = Daemon::start(&world);
    let session = json!({ "kept": "session" });
    assert_eq!(world.run(&["--json", "secrets", "session"]).ok().json(), session);
    assert_eq!(daemon.terminate(), 0);
    let alone = world.run(&["--json", "secrets"]).ok().json();
    assert_eq!(alone["kept"], "undecided", "a command's memory is gone with it: {alone}");
    let _daemon = Daemon::start(&world);
    let deadline = Instant::now() + Duration::from_secs(20);
    while world.run(&["--json", "secrets"]).ok().json() != session {
        assert!(Instant::now() < deadline, "the choice is forgotten");
    }
}

#[test]
fn focus_lasts_from_one_command_to_the_next() {
    let world = World::new();
    let status = world.run(&["focus", "status"]).ok();
    assert!(status.out.starts_with("not focusing"), "{status:?}");
    assert!(status.err.contains("Meantime isn't running: nothing is held"), "{status:?}");
    let started = world.run(&["--json", "focus", "start", "--for", "50m"]).ok().json();
    assert!(started["block"]["until"].is_string(), "{started}");
    assert!(world.run(&["focus", "status"]).ok().out.starts_with("focusing until "));
    assert_eq!(world.run(&["--json", "focus", "toggle"]).ok().json()["block"], Value::Null);
}

#[test]
fn failures_have_their_exit_code_and_a_sentence() {
    let world = World::new();
    let missing = world.run(&["show", "0123abcd"]);
    assert_eq!((missing.code, missing.out.as_str()), (3, ""), "{missing:?}");
    assert!(missing.err.starts_with("meantime: "), "{missing:?}");
    let missing = world.run(&["--json", "done", "0123abcd"]);
    assert_eq!((missing.code, missing.json()["error"]["code"].as_str()), (3, Some("not_found")));
    let nothing = world.run(&["--json", "undo"]);
    assert_eq!((nothing.code, nothing.json()["error"]["code"].as_str()), (1, Some("not_possible")));
    assert_eq!(world.run(&["account", "check", "0123abcd"]).code, 3);
    assert_eq!(world.run(&["compose", "A thread", "--ask", "Nobody", "--text", "x"]).code, 3);
    assert_eq!(world.pipe(&["account", "add", "imap", "a@b.c", "--imap", "127.0.0.1:1"], b"").code, 2, "no password");
    for wrong in ["example.org/feed", "https://", "file:///etc/passwd"] {
        let feed = world.run(&["--json", "account", "add", "feed", wrong]);
        assert_eq!((feed.code, feed.json()["error"]["code"].as_str()), (2, Some("invalid")), "{wrong}");
    }
    let private = world.run(&["account", "add", "feed", "http://127.0.0.1:1/feed"]);
    assert!(private.code == 1 && private.err.contains("--private"), "{private:?}");
}

#[test]
fn hours_and_settings_come_back_as_they_were_set() {
    let world = World::new();
    let hours = json!({ "zone": "Asia/Taipei", "weekly": { "mon": [["09:00", "18:00"]], "fri": [["22:00", "02:00"]] },
        "time_off": [{ "from": "2026-12-24", "to": "2026-12-26", "label": "away" }] });
    let file = world.file("hours.json", hours.to_string());
    let set = world.run(&["hours", "set", &file]).ok().out;
    assert!(set.contains("Fri  22:00–02:00"), "{set}");
    assert_eq!(world.run(&["--json", "hours"]).ok().json(), hours);
    let wrong = world.file("wrong.json", r#"{"zone": "Asia/Taipeh", "weekly": {}}"#);
    let wrong = world.run(&["hours", "set", &wrong]);
    assert!(wrong.code == 2 && wrong.err.contains("Asia/Taipei"), "{wrong:?}");
    assert_eq!(world.run(&["--json", "hours"]).ok().json(), hours, "nothing half saved");

    world.run(&["settings", "set", "focus_minutes=25", "theme=dark"]).ok();
    assert_eq!(world.run(&["settings", "get", "focus_minutes"]).ok().out, "25\n");
    assert_eq!(world.run(&["--json", "settings"]).ok().json()["theme"], "dark");
}
