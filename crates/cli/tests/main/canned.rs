//! Against an engine with canned replies: what is asked of it, how its
//! answers look, how its failures end.

// long: each command once, against the same canned engine

use crate::{Ran, World};
use meantime_engine::api::{Caller, Event, Failure, FailureCode};
use meantime_engine::socket::{Host, listen};
use meantime_platform::{Dirs, Lock};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

const ANA: &str = "0190a000-0000-7000-8000-00000000a0a0";
const MEI: &str = "0190a000-0000-7000-8000-00000000e1e1";
pub(crate) const ITEM: &str = "0190a000-0000-7000-8000-0000deadbeef";
const EVIL: &str = "x\u{1b}]0;owned\u{7}\u{9b}31m\r\ny\u{202e}z";

/// Answers with what it was given, and remembers what it was asked.
#[derive(Default)]
struct Canned {
    replies: Mutex<HashMap<&'static str, Result<Value, Failure>>>,
    asked: Mutex<Vec<(String, Value)>>,
}

#[async_trait::async_trait]
impl Caller for Canned {
    async fn call(&self, name: &str, args: Value) -> Result<Value, Failure> {
        self.asked.lock().unwrap().push((name.to_owned(), args));
        let unknown = || Err(Failure::new(FailureCode::Invalid, format!("no canned reply to {name}")));
        self.replies.lock().unwrap().get(name).cloned().unwrap_or_else(unknown)
    }
}

impl Host for Canned {
    fn events(&self) -> broadcast::Receiver<Event> {
        broadcast::Sender::new(1).subscribe()
    }
}

pub(crate) struct Served {
    world: World,
    canned: Arc<Canned>,
    _lock: Lock,
}

impl Served {
    pub(crate) async fn new(replies: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        let world = World::new();
        let dirs = Dirs::within(&world.path().join("profile")).unwrap();
        dirs.create().unwrap();
        let lock = Lock::take(&dirs).unwrap().unwrap();
        let canned = Arc::new(Canned::default());
        let listener = listen(&dirs).await.unwrap();
        tokio::spawn(listener.serve(Arc::clone(&canned) as Arc<dyn Host>, CancellationToken::new()));
        let served = Self { world, canned, _lock: lock };
        served.reply("status", Ok(status()));
        replies.into_iter().for_each(|(name, reply)| served.reply(name, Ok(reply)));
        served
    }

    pub(crate) fn reply(&self, name: &'static str, reply: Result<Value, Failure>) {
        self.canned.replies.lock().unwrap().insert(name, reply);
    }

    /// What the last run asked for by this name.
    pub(crate) fn asked(&self, name: &str) -> Value {
        let asked = self.canned.asked.lock().unwrap();
        asked.iter().rev().find(|(asked, _)| asked == name).unwrap_or_else(|| panic!("{name}: {asked:?}")).1.clone()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.world.run(args)
    }
}

fn status() -> Value {
    json!({
        "version": "0.1.0", "first_run": false,
        "me": { "id": ANA, "name": "Ana", "city": "Lisbon", "team": "Field Notes" },
        "zone": "Europe/Lisbon", "other_zone": null,
        "state": { "state": "works", "until": "2031-01-06T18:00:00Z" },
        "focus": { "block": null, "usual_minutes": 50 },
        "counts": { "inbox": 34, "waiting": 3, "later": 5, "pending": 1 },
        "connection": { "state": "live" }, "refusals": 2, "broken_accounts": 0,
        "secrets": { "kept": "keyring" }, "notifications": null,
    })
}

pub(crate) fn row(title: &str, people: &str) -> Value {
    json!({
        "id": ITEM, "group": "due_later", "title": title, "urgency": "yellow", "source": "team", "private": false,
        "people": people, "note": "", "why": null, "due": "2031-01-07T11:00:00Z", "at": "2021-01-06T09:00:00Z",
        "unread": true, "held": false, "snoozed_until": null, "muted": false, "done": false, "unreadable": null,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_aligned_and_name_their_groups() {
    let mut second = row("Budget", "Kofi");
    second["urgency"] = json!("red");
    second["due"] = json!("2021-01-07T11:00:00Z");
    second["group"] = json!("due_today");
    let mut third = row("A newsletter", "News");
    third["group"] = json!("for_information");
    third["due"] = Value::Null;
    third["unreadable"] = json!("the mail is damaged");
    let page = json!({
        "total": 40, "offset": 0,
        "groups": [{ "group": "due_today", "count": 1, "held": null }, { "group": "due_later", "count": 38, "held": null },
            { "group": "for_information", "count": 1, "held": null }],
        "rows": [second, row("审查草稿", "Mei Lin"), third],
    });
    let served = Served::new([("inbox", page.clone())]).await;
    let text = served.run(&["inbox", "--limit", "3"]).ok().out;
    assert_eq!(
        text,
        "Due today (1)\n\
        \x20 ▲ urgent    deadbeef  Budget                                              Kofi     team  overdue since 7 Jan 2021 11:00\n\
        \n\
        Due later (38)\n\
        \x20 ● standard  deadbeef  审查草稿                                            Mei Lin  team  due 7 Jan 2031 11:00\n\
        \n\
        For information (1)\n\
        \x20 ● standard  deadbeef  A newsletter (could not read: the mail is damaged)  News     team  6 Jan 2021 09:00\n\
        \n\
        1 to 3 of 40; --limit and --offset show others\n"
    );
    assert_eq!(served.asked("inbox"), json!({ "view": "inbox", "offset": 0, "limit": 3 }));
    assert_eq!(served.run(&["--json", "inbox", "--view", "later"]).ok().json(), page);
    assert_eq!(served.asked("inbox")["view"], "later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_says_what_needs_attention() {
    let served = Served::new([]).await;
    assert_eq!(
        served.run(&["status"]).ok().out,
        "Ana, Field Notes · Europe/Lisbon · works until 6 Jan 2031 18:00\n\
        not focusing: notifications come at once\n\
        inbox 34 · waiting 3 · later 5\n\
        1 change is on its way\n\
        team server: up to date\n\
        ! 2 changes were refused: see `meantime refusals`\n\
        Meantime 0.1.0\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_wrote_can_not_drive_the_terminal() {
    let mut evil = row(EVIL, EVIL);
    evil["why"] = json!(EVIL);
    let person = json!({ "id": MEI, "name": EVIL, "you": false, "title": EVIL, "city": EVIL, "zone": EVIL,
        "state": { "state": "unknown" },
        "bands": [{ "span": { "start": "2031-01-06T09:00:00Z", "end": "2031-01-06T18:00:00Z" }, "kind": "away", "label": EVIL }] });
    let message = json!({ "id": "1", "author": EVIL, "address": EVIL, "reply_to": [{ "name": EVIL, "address": EVIL }], "person": null, "zone": null, "city": EVIL, "own": false,
        "at": "2031-01-06T09:00:00Z", "body": { "format": "text", "text": EVIL }, "unreadable": EVIL, "sending": null,
        "attachments": [{ "name": EVIL, "media_type": EVIL, "bytes": 1 }], "link": EVIL });
    let day = json!({ "start": "2031-01-06T00:00:00Z", "end": "2031-01-07T00:00:00Z" });
    let account = json!({ "id": ANA, "kind": "imap", "name": EVIL, "checked_at": null, "pending": 0,
        "state": { "state": "needs_you", "password": false, "message": EVIL } });
    let mut status = status();
    status["notifications"] = json!(EVIL);
    status["me"]["name"] = json!(EVIL);
    let served = Served::new([
        ("status", status),
        ("inbox", json!({ "total": 1, "offset": 0, "groups": [], "rows": [evil] })),
        ("search", json!({ "hits": [{ "row": evil, "at": "2031-01-06T09:00:00Z", "author": EVIL, "excerpt": [EVIL, EVIL] }], "next": null })),
        ("open", json!({ "row": evil, "place": EVIL, "messages": [message], "can_reply": true, "recipients": [], "redirected": [], "draft": EVIL,
            "asked": [{ "person": MEI, "name": EVIL, "answered": false, "due": null, "zone": null, "city": EVIL }] })),
        ("team", json!({ "team": EVIL, "zone": EVIL, "day": day, "now": "2031-01-06T09:00:00Z", "people": [person], "notes": [EVIL] })),
        ("accounts", json!([account])),
        ("refusals", json!([{ "id": 1, "item": null, "what": EVIL, "text": EVIL, "message": EVIL, "present": EVIL }])),
        ("undo", json!({ "what": EVIL, "said": EVIL, "item": null })),
        ("snooze_choices", json!([{ "label": EVIL, "until": "2031-01-06T09:00:00Z" }])),
    ])
    .await;
    for args in [
        &["status"][..],
        &["inbox"],
        &["search", "x"],
        &["show", "deadbeef"],
        &["team"],
        &["account", "list"],
        &["refusals"],
        &["undo"],
        &["snooze", "deadbeef"],
    ] {
        let ran = served.run(args).ok();
        assert!(ran.out.contains("owned"), "{args:?}: {ran:?}");
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.out.contains(acts) && !ran.err.contains(acts), "{args:?}: {ran:?}");
    }
    served.reply("undo", Err(Failure::new(FailureCode::Refused, EVIL)));
    assert!(!served.run(&["undo"]).err.contains('\u{1b}'));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_has_its_exit_code() {
    let served = Served::new([]).await;
    for (code, exit, name) in [
        (FailureCode::Invalid, 2, "invalid"),
        (FailureCode::NotFound, 3, "not_found"),
        (FailureCode::NotPossible, 1, "not_possible"),
        (FailureCode::Auth, 4, "auth"),
        (FailureCode::Certificate, 4, "certificate"),
        (FailureCode::Offline, 5, "offline"),
        (FailureCode::Refused, 1, "refused"),
        (FailureCode::NoSecrets, 4, "no_secrets"),
        (FailureCode::Internal, 1, "internal"),
    ] {
        served.reply("undo", Err(Failure::new(code, "It went wrong; do this.")));
        let ran = served.run(&["undo"]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (exit, "", "meantime: It went wrong; do this.\n"));
        let ran = served.run(&["undo", "--json"]);
        let told = json!({ "error": { "code": name, "message": "It went wrong; do this." } });
        assert_eq!((ran.code, ran.json(), ran.err.as_str()), (exit, told, ""));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_ask_for_what_was_typed() {
    let undoable = json!({ "what": "Done: Budget", "item": ITEM, "until": null });
    let team = json!({ "team": "T", "zone": "UTC", "now": "2031-01-06T09:00:00Z", "notes": [],
        "day": { "start": "2031-01-06T00:00:00Z", "end": "2031-01-07T00:00:00Z" },
        "people": [{ "id": MEI, "name": "Mei Lin", "you": false, "title": "", "city": "", "zone": null,
            "state": { "state": "unknown" }, "bands": [] }] });
    let focus = json!({ "block": null, "usual_minutes": 50 });
    let served = Served::new([
        ("triage", undoable.clone()),
        ("open", open("team", &[])),
        ("reply", undoable.clone()),
        ("compose", undoable),
        ("team", team),
        ("focus_start", focus),
        ("search", json!({ "hits": [], "next": null })),
    ])
    .await;
    assert_eq!(served.run(&["done", "deadbeef", "12345678"]).ok().out, "Done: Budget\n");
    assert_eq!(served.asked("triage"), json!({ "ids": ["deadbeef", "12345678"], "action": { "do": "done" } }));
    for (args, action) in [
        (&["snooze", "deadbeef", "next", "monday"][..], json!({ "do": "snooze_for", "words": "next monday" })),
        (
            &["snooze", "deadbeef", "--until", "2031-01-06T09:00:00+01:00"],
            json!({ "do": "snooze", "until": "2031-01-06T08:00:00Z" }),
        ),
        (
            &["snooze", "deadbeef", "--until", "2031-01-06 09:00"],
            json!({ "do": "snooze_for", "words": "2031-01-06 09:00" }),
        ),
        (&["urgency", "red", "deadbeef"], json!({ "do": "urgency", "urgency": "red" })),
        (&["unmute", "deadbeef"], json!({ "do": "unmute" })),
        (&["reopen", "deadbeef"], json!({ "do": "not_done" })),
    ] {
        served.run(args).ok();
        assert_eq!(served.asked("triage")["action"], action, "{args:?}");
    }
    served.world.pipe(&["reply", "deadbeef", "--done", "--when-they-start"], "Grüße,\nAna\n".as_bytes()).ok();
    let reply = json!({ "item": "deadbeef", "text": "Grüße,\nAna", "done": true, "deliver": { "when": "when_they_start" }, "files": [] });
    assert_eq!(served.asked("reply"), reply);
    served.run(&["compose", "Budget", "--text", "Please look", "--urgency", "red", "--ask", "mei"]).ok();
    let compose = json!({ "title": "Budget", "text": "Please look", "urgency": "red", "asked": [MEI], "space": null, "private": false,
        "deliver": { "when": "now" }, "files": [] });
    assert_eq!(served.asked("compose"), compose);
    for (args, when) in [(&[][..], "when_they_start"), (&["--now"], "now"), (&["--at", "2031-01-06T09:00:00Z"], "at")] {
        served.run(&[&["compose", "Budget", "--text", "Please look"], args].concat()).ok();
        assert_eq!(served.asked("compose")["deliver"]["when"], when, "{args:?}");
    }
    assert_eq!(served.run(&["compose", "Budget", "--text", "x", "--now", "--when-they-start"]).code, 2);
    served.run(&["focus", "start", "--for", "1h30m"]).ok();
    assert_eq!(served.asked("focus_start"), json!({ "minutes": 90, "extend": false }));
    served.run(&["search", "zebra", "two words"]).ok();
    assert_eq!(served.asked("search")["words"], "zebra \"two words\"");
    for when in ["when_they_start", "now"] {
        let open = json!({ "row": row("Budget", "Mei"), "place": "", "messages": [], "can_reply": true, "recipients": [],
            "deliver": { "when": when }, "redirected": [], "draft": null, "draft_files": [], "asked": [] });
        served.reply("open", Ok(open));
        served.run(&["reply", "deadbeef", "--text", "Yes."]).ok();
        assert_eq!(served.asked("reply")["deliver"]["when"], when);
    }
    let empty = served.world.pipe(&["reply", "deadbeef"], b" \n");
    assert!(empty.code == 2 && empty.err.contains("nothing was sent"), "{empty:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_come_from_a_pipe() {
    let account = |state: Value| json!({ "id": ANA, "kind": "imap", "name": "ana@example.org", "checked_at": null, "pending": 0, "state": state });
    let fine = account(json!({ "state": "fine" }));
    let served = Served::new([
        ("add_account", fine.clone()),
        ("accounts", json!([fine])),
        (
            "sign_in_account",
            account(json!({ "state": "needs_you", "password": true, "message": "The password was refused." })),
        ),
        ("join", json!({ "person": ANA, "team": "Field Notes" })),
    ])
    .await;
    let add = [
        "account",
        "add",
        "imap",
        "ana@example.org",
        "--imap",
        "mail.example.org",
        "--smtp",
        "[::1]:2525",
        "--smtp-security",
        "plain",
    ];
    served.world.pipe(&add, b"s3cret pass\r\nmore").ok();
    let asked = served.asked("add_account");
    assert_eq!(
        (&asked["kind"], &asked["password"], &asked["user"]),
        (&json!("imap"), &json!("s3cret pass"), &json!("ana@example.org"))
    );
    assert_eq!(
        asked["imap"],
        json!({ "host": "mail.example.org", "port": 993, "security": "tls", "certificate": null })
    );
    assert_eq!(asked["smtp"], json!({ "host": "::1", "port": 2525, "security": "plain", "certificate": null }));

    let again = served.world.pipe(&["account", "sign-in", "ana@example.org"], b"wrong\n");
    assert_eq!(again.code, 4, "it still waits for the person: {again:?}");
    assert!(again.out.contains("The password was refused. (`meantime account sign-in 0000a0a0`)"), "{again:?}");
    assert_eq!(served.asked("sign_in_account"), json!({ "id": ANA, "password": "wrong" }));

    let joined = served.world.pipe(&["join", "--name", "Ana"], b"meantime://join#secret\n").ok();
    assert_eq!(joined.out, "Joined Field Notes.\n");
    assert_eq!(served.asked("join"), json!({ "link": "meantime://join#secret", "name": "Ana" }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authenticator_is_told_by_key_and_link_where_no_picture_can_be_drawn() {
    let begun = json!({ "secret": format!("JBSW{EVIL}"), "uri": "otpauth://totp/Team:ana", "picture": ["#.", "##"] });
    let served = Served::new([("totp_begin", begun.clone())]).await;
    let begin = ["account", "authenticator", "begin"];
    let told = served.world.pipe(&begin, b"pass word\n").ok().out;
    let wanted = [
        "Enter this key into your authenticator: JBSW",
        "As a link: otpauth://totp/Team:ana",
        "Then run `meantime account authenticator confirm`",
    ];
    assert!(told.lines().zip(wanted).all(|(line, wanted)| line.starts_with(wanted)), "{told}");
    assert!(told.lines().count() == 3 && !told.contains('\u{1b}'), "{told:?}");
    assert_eq!(served.asked("totp_begin"), json!({ "password": "pass word" }));
    let told = served.world.pipe(&[&begin[..], &["--json"]].concat(), b"pass word\n").ok();
    assert_eq!(told.json(), begun);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_asked_for_only_where_one_is_needed() {
    let served = Served::new([("sign_in", json!({ "person": ANA, "team": "Field Notes" }))]).await;
    let way = ["sign-in", "--server", "team.example.org:8787", "--login", "ana"];
    let signed_in = |code: Value| json!({ "server": "team.example.org:8787", "login": "ana", "password": "pass word", "code": code });
    let ran = served.world.pipe(&way, b"pass word\n123456\n").ok();
    assert_eq!((ran.out.as_str(), served.asked("sign_in")), ("Signed in to Field Notes.\n", signed_in(Value::Null)));
    served.reply("sign_in", Err(Failure::new(FailureCode::CodeNeeded, "the code is needed as well")));
    let ran = served.world.pipe(&way, b"pass word\n");
    assert!(ran.code == 4 && ran.err.contains("the code is needed as well"), "{ran:?}");
    assert_eq!(served.world.pipe(&way, b"pass word\n123 456\n").code, 4);
    assert_eq!(served.asked("sign_in"), signed_in(json!("123 456")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_is_said_only_of_what_is_sent() {
    let now = meantime_platform::Clock::now(&meantime_platform::SystemClock);
    let until = (now + chrono::TimeDelta::seconds(9)).to_rfc3339();
    let written = |sending: Value| json!({ "what": "Sent: Budget", "item": ITEM, "until": until, "sending": sending });
    let served = Served::new([("open", open("team", &[]))]).await;
    for (sending, said) in [
        (json!({ "state": "pending" }), "Queued: Budget. It goes out in "),
        (
            json!({ "state": "scheduled", "at": "2031-01-07T09:00:00Z" }),
            "Queued: Budget. It is delivered 7 Jan 2031 09:00.",
        ),
        (Value::Null, "Sent: Budget\n"),
    ] {
        served.reply("reply", Ok(written(sending.clone())));
        let told = served.run(&["reply", "deadbeef", "--now", "--text", "Yes."]).ok().out;
        assert!(told.starts_with(said), "{told}");
        let json = served.run(&["--json", "reply", "deadbeef", "--now", "--text", "Yes."]).ok().json();
        assert_eq!(json["sending"], sending);
    }
}

/// A conversation with those an answer can go to; the second and all behind
/// it got a copy.
fn open(source: &str, people: &[&str]) -> Value {
    let mut row = row("Budget", "Pat");
    row["source"] = json!(source);
    let recipient = |(place, name): (usize, &&str)| {
        json!({ "person": null, "name": name, "address": format!("{name}@example.org"), "zone": null, "city": "",
            "state": { "state": "unknown" }, "held": null, "due": null, "starts": null, "copied": place > 0 })
    };
    let recipients: Vec<_> = people.iter().enumerate().map(recipient).collect();
    json!({ "row": row, "place": "", "asked": [], "messages": [], "can_reply": true, "recipients": recipients,
        "redirected": [], "draft": null, "draft_files": [] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_goes_to_its_author_unless_all_are_meant_and_says_to_whom() {
    let people = ["Pat", "Sara", "Tom", EVIL];
    let served = Served::new([("open", open("imap", &people))]).await;
    for (count, whom) in [(1, "Pat"), (2, "Pat and Sara"), (4, "Pat and 3 others")] {
        let to: Vec<_> = people[..count].iter().map(|name| json!({ "name": name, "address": "a@b.c" })).collect();
        let mut written = json!({ "what": "Sent: Budget", "item": ITEM, "until": null, "sending": null, "to": to });
        served.reply("reply", Ok(written.clone()));
        let told = served.run(&["reply", "deadbeef", "--text", "Yes."]).ok().out;
        assert_eq!(told, format!("Sent to {whom}: Budget\n"));
        assert_eq!(served.asked("reply").get("to"), None, "who wrote it is for the engine to say");
        assert_eq!(served.run(&["--json", "reply", "deadbeef", "--text", "Yes."]).ok().json()["to"], json!(to));
        written["sending"] = json!({ "state": "pending" });
        served.reply("reply", Ok(written));
        let told = served.run(&["reply", "deadbeef", "--text", "Yes."]).ok().out;
        assert!(told.starts_with(&format!("Queued for {whom}: Budget. ")), "{told}");
    }
    served.run(&["reply", "deadbeef", "--all", "--text", "Yes."]).ok();
    let all: Vec<_> = people.iter().map(|name| format!("{name}@example.org")).collect();
    assert_eq!(served.asked("reply")["to"], json!(all));

    served.reply("open", Ok(open("team", &["Pat", "Sara"])));
    served.run(&["reply", "deadbeef", "--all", "--text", "Yes."]).ok();
    assert_eq!(served.asked("reply").get("to"), None, "a thread is for all in it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_reached_is_in_the_status() {
    let mut down = status();
    down["unreachable"] =
        json!([{ "name": "ana@example.org", "since": "2021-01-06T09:00:00Z", "message": "mail.example.org is down." }]);
    let served = Served::new([("status", down)]).await;
    let line = "ana@example.org: not reached since 6 Jan 2021 09:00 (mail.example.org is down)\n";
    assert!(served.run(&["status"]).ok().out.contains(line));
    assert_eq!(served.run(&["--json", "status"]).ok().json()["unreachable"][0]["name"], "ana@example.org");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn want_of_a_place_for_passwords_names_the_next_step() {
    let served = Served::new([]).await;
    served.reply("add_account", Err(Failure::new(FailureCode::NoSecrets, "this computer runs no keyring")));
    let add = ["account", "add", "feed", "https://example.org/feed"];
    for (state, step) in [
        (json!({ "kept": "undecided", "message": "x" }), "keyring. Choose where to keep them: `meantime secrets k"),
        (json!({ "kept": "file", "locked": true }), "keyring. Unlock it: `meantime secrets file`"),
    ] {
        served.reply("secrets", Ok(state));
        let ran = served.run(&add);
        assert!(ran.code == 4 && ran.err.contains(step), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_goes_with_unsent_words_only_by_force() {
    let account = json!({ "id": ANA, "kind": "imap", "name": "ana@example.org", "checked_at": null, "pending": 1,
        "state": { "state": "fine" } });
    let served = Served::new([("accounts", json!([account]))]).await;
    let would_be =
        "ana@example.org was not removed. With it would be lost one text that was never sent: “Budget” (draft).";
    served.reply("remove_account", Err(Failure::new(FailureCode::NotPossible, would_be)));
    let ran = served.run(&["account", "remove", "ana@example.org"]);
    assert!(ran.code == 1 && ran.err.contains("“Budget” (draft)") && ran.err.contains("--force"), "{ran:?}");
    assert_eq!(served.asked("remove_account"), json!({ "id": ANA, "lose_unsent": false }));

    let lost = json!({ "texts": [{ "title": "Budget", "state": "draft", "text": format!("Dear Mei,\n{EVIL}") }], "changes": 2 });
    served.reply("remove_account", Ok(lost.clone()));
    let ran = served.run(&["account", "remove", "ana@example.org", "--force"]).ok();
    assert!(
        ran.out.starts_with(
            "Removed ana@example.org.\n2 changes were never written back.\n\nBudget (a draft):\nDear Mei,\n"
        )
    );
    assert!(!ran.out.contains('\u{1b}'), "{ran:?}");
    assert_eq!(served.asked("remove_account"), json!({ "id": ANA, "lose_unsent": true }));
    assert_eq!(served.run(&["--json", "account", "remove", "ana@example.org", "--force"]).ok().json(), lost);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_interrupt_is_said_by_name_or_address() {
    let person = |id: &str, name: &str| {
        json!({ "id": id, "name": name, "you": false, "title": "", "city": "", "zone": null,
            "state": { "state": "unknown" }, "bands": [] })
    };
    let team = json!({ "team": "T", "zone": "UTC", "now": "2031-01-06T09:00:00Z", "notes": [],
        "day": { "start": "2031-01-06T00:00:00Z", "end": "2031-01-07T00:00:00Z" },
        "people": [person(MEI, "Mei Lin"), person(ANA, "Meike Adler")] });
    let settings = json!({ "may_interrupt_addresses": ["kofi@example.org"] });
    let served = Served::new([("team", team), ("settings", settings), ("set_settings", json!({}))]).await;
    let set = |who: &str| served.run(&["settings", "set", &format!("may_interrupt={who}")]);
    set("Mei Lin, tom@example.org, KOFI@example.org").ok();
    let asked = served.asked("set_settings");
    assert_eq!(asked["may_interrupt"], json!([MEI]));
    assert_eq!(asked["may_interrupt_addresses"], json!(["kofi@example.org", "tom@example.org"]));
    set(&format!(r#"["{ANA}","mei l"]"#)).ok();
    assert_eq!(served.asked("set_settings")["may_interrupt"], json!([ANA, MEI]));
    // Whoever left the team has no other name than the id.
    let people = json!({ "may_interrupt": [MEI, ITEM] });
    served.reply("settings", Ok(people.clone()));
    let named = format!(r#"["Mei Lin","{ITEM}"]"#);
    assert_eq!(served.run(&["settings", "get", "may_interrupt"]).ok().out, format!("{named}\n"));
    for args in [&["settings"][..], &["settings", "set", "focus_minutes=25"]] {
        let ran = served.run(args).ok();
        assert!(ran.out.contains(&format!("may_interrupt={named}\n")), "{ran:?}");
    }
    assert_eq!(served.asked("set_settings")["may_interrupt"], people["may_interrupt"]);
    assert_eq!(served.run(&["--json", "settings"]).ok().json()["may_interrupt"], people["may_interrupt"]);
    set("").ok();
    assert_eq!(served.asked("set_settings")["may_interrupt"], json!([]));
    let ambiguous = set("mei");
    assert!(ambiguous.code == 2 && ambiguous.err.contains("Mei Lin or Meike Adler"), "{ambiguous:?}");
    assert_eq!(set("Bob").code, 3);
}
