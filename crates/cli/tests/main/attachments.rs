//! Files with messages, as scripts send and save them.

use crate::World;
use crate::canned::{ITEM, Served, row};
use serde_json::{Value, json};

fn file(name: &str) -> Value {
    json!({ "name": name, "media_type": "application/pdf", "bytes": 48_211, "can_save": true })
}

fn message(id: &str, files: &[&str]) -> Value {
    json!({ "id": id, "author": "Mei", "address": "", "reply_to": [], "person": null, "zone": null, "city": "",
        "own": false, "at": "2031-01-06T09:00:00Z", "body": { "format": "text", "text": "See there." },
        "unreadable": null, "sending": null, "link": null,
        "attachments": files.iter().map(|name| file(name)).collect::<Vec<_>>() })
}

async fn conversation() -> Served {
    let open = json!({ "row": row("Plans", "Mei"), "place": "", "can_reply": true, "recipients": [], "redirected": [],
        "messages": [message("m1", &["plan.pdf", "evil\u{1b}[31m.pdf"]), message("m2", &[]), message("m3", &["last.pdf"])],
        "draft": null, "asked": [],
        "draft_files": [{ "sha256": "ab", "name": "mine.pdf", "media_type": "application/pdf", "bytes": 3 }] });
    let saved = json!({ "path": "/home/ana/Downloads/last.pdf", "name": "last.pdf", "folder": "Downloads" });
    let sent = json!({ "what": "Sent: Plans", "item": ITEM, "until": null, "sending": { "state": "pending" } });
    let mine = json!({ "sha256": "ab", "name": "a b.pdf", "media_type": "application/pdf", "bytes": 3 });
    let attached = json!({ "added": [mine], "files": [mine] });
    Served::new([
        ("open", open),
        ("save_attachment", saved),
        ("attach", attached),
        ("reply", sent.clone()),
        ("compose", sent),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_numbered_over_the_conversation_and_saved_by_number() {
    let served = conversation().await;
    let shown = served.run(&["show", ITEM]).ok().out;
    for line in ["+ 1: plan.pdf (application/pdf, 48 KB)", "+ 3: last.pdf", "+ mine.pdf (application/pdf, 3 bytes)"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(!shown.contains('\x1b'), "{shown:?}");
    let listed = served.run(&["attachment", "list", ITEM]).ok().out;
    assert!(listed.lines().count() == 3 && listed.contains("+ 3: last.pdf"), "{listed}");

    let saved = served.run(&["attachment", "save", ITEM, "3"]).ok().out;
    assert_eq!(saved, "Saved: /home/ana/Downloads/last.pdf\n");
    assert_eq!(served.asked("save_attachment"), json!({ "item": ITEM, "message": "m3", "index": 0, "to": null }));
    let there = served.run(&["--json", "attachment", "save", ITEM, "2", "--to", "here.pdf"]).ok().json();
    assert_eq!(there["name"], "last.pdf");
    let asked = served.asked("save_attachment");
    assert_eq!((&asked["message"], &asked["index"]), (&json!("m1"), &json!(1)));
    assert!(asked["to"].as_str().is_some_and(|to| to.ends_with("here.pdf") && to.len() > "here.pdf".len()), "{asked}");
    let none = served.run(&["attachment", "save", ITEM, "4"]);
    assert!(none.code == 3 && none.err.contains("there is no file 4"), "{none:?}");
    assert_eq!(served.run(&["attachment", "save", ITEM, "0"]).code, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_with_what_is_written() {
    let served = conversation().await;
    served.run(&["reply", ITEM, "--now", "--text", "Here.", "--attach", "a b.pdf", "--attach", "/tmp/c.pdf"]).ok();
    let asked = served.asked("attach");
    assert_eq!(asked["item"], ITEM);
    let paths: Vec<_> = asked["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert!(paths[0].ends_with("a b.pdf") && paths[0] != "a b.pdf" && paths[1] == "/tmp/c.pdf", "{paths:?}");
    assert_eq!(served.asked("reply")["files"][0]["sha256"], "ab");
    served.run(&["compose", "Plans", "--text", "Here.", "--attach", "a b.pdf"]).ok();
    assert_eq!(served.asked("attach")["item"], Value::Null);
    assert_eq!(served.asked("compose")["files"].as_array().unwrap().len(), 1);
}

#[test]
fn what_can_not_be_saved_is_said() {
    let world = World::new();
    let mbox = "From mei Mon Nov 23 10:00:00 2020\nFrom: Mei <mei@example.org>\nTo: ana@example.org\n\
        Subject: Zebra\nMessage-ID: <1@example.org>\nDate: Mon, 23 Nov 2020 10:00:00 +0000\n\
        Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b\nContent-Type: application/pdf\n\
        Content-Disposition: attachment; filename=plan.pdf\n\nx\n--b--\n\n";
    world.run(&["import", "--mbox", &world.file("mail.mbox", mbox)]).ok();
    let found = world.run(&["--json", "search", "zebra"]).ok().json();
    let id = found["hits"][0]["row"]["id"].as_str().unwrap();
    assert!(world.run(&["attachment", "list", id]).ok().out.contains("+ 1: plan.pdf"));
    let refused = world.run(&["attachment", "save", id, "1"]);
    assert!(refused.code == 1 && refused.err.contains("imported from"), "{refused:?}");
    let missing = world.run(&["compose", "Plans", "--text", "x", "--attach", "/nowhere/plan.pdf"]);
    assert!(missing.code == 3 && missing.err.contains("plan.pdf is not there"), "{missing:?}");
}

/// On a small disk of its own, which needs a kernel with user namespaces.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_nothing_is_lost() {
    let world = World::new();
    world.run(&["status"]).ok();
    let files = world.path().join("profile/data/files");
    std::fs::create_dir_all(&files).unwrap();
    let large = world.file("large.bin", vec![7; 3 << 20]);
    let small = world.file("small.bin", vec![7; 1000]);
    let script = "mount -t tmpfs -o size=1m,mode=700 small \"$0\" && \"$1\" compose Plans --text x --attach \"$2\"; \
        echo \"code $?\"; ls -A \"$0\" | wc -l; \"$1\" compose Plans --text x --attach \"$3\"; ls -A \"$0\" | wc -l";
    let ours = world.command();
    let mut on_small = std::process::Command::new("unshare");
    on_small.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(&files).arg(ours.get_program());
    on_small.args([&large, &small]).envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    on_small.env_remove("DBUS_SESSION_BUS_ADDRESS");
    let ran = on_small.output().unwrap();
    let (said, wrong) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
    assert!(wrong.contains("there is no room on this disk for large.bin: free some, then try again"), "{wrong}");
    // Nothing half is left; a file that has room is copied, and waits in the draft.
    assert_eq!(said, "code 1\n0\n1\n", "{wrong}");
    assert!(wrong.contains("you are in no team yet"), "{wrong}");
}
