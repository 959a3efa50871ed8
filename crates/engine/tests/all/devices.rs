//! Several devices of one person, signing in, circles: engines at the real
//! server, over TLS.

use crate::rig::Rig;
use chrono::TimeDelta;
use meantime_engine::api::*;
use meantime_model::{PersonId, Urgency};
use meantime_protocol::http::InviteRequest;
use meantime_protocol::kinds;
use meantime_server::data::Config;
use meantime_server::{DataDir, Options, Running, SystemClock, serve};
use meantime_server_core::{Clock as _, Core};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

const PASSWORD: &str = "correct horse battery";

pub async fn start(folder: &Path) -> Running {
    let data = DataDir::new(folder);
    let storage = data.create(&Config { hosts: Vec::new(), port: 0 }).unwrap();
    Core::new(storage, Arc::new(SystemClock)).found("Blue Team").await.unwrap();
    resume(folder).await
}

/// A server on the data of one before, on the same port.
pub async fn resume(folder: &Path) -> Running {
    let data = DataDir::new(folder);
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    serve::start(Options { data, listen, clock: Arc::new(SystemClock) }).await.unwrap()
}

async fn join(server: &Running, name: &str, role: kinds::Role) -> (Rig, PersonId) {
    let link = server.invite(&InviteRequest { valid_hours: 1, role }).await.unwrap();
    let rig = Rig::new().await;
    let joined = rig.engine.join(Join { link, name: name.to_owned() }).await.unwrap();
    live(&rig).await;
    (rig, joined.person)
}

pub async fn live(rig: &Rig) {
    rig.until("connected", || async { status(rig).await.connection == Connection::Live }).await;
}

pub async fn status(rig: &Rig) -> Status {
    rig.engine.status(Nothing {}).await.unwrap()
}

async fn settings(rig: &Rig) -> Settings {
    rig.engine.settings(Nothing {}).await.unwrap()
}

pub async fn row(rig: &Rig, view: View, title: &str) -> Option<Row> {
    let page = rig.engine.inbox(InboxQuery { view, offset: 0, limit: 100 }).await.unwrap();
    page.rows.into_iter().find(|row| row.title == title)
}

pub async fn ask(rig: &Rig, title: &str, asked: Vec<PersonId>, private: bool) -> String {
    let thread = Compose {
        title: title.to_owned(),
        text: format!("{title}?"),
        urgency: Urgency::Yellow,
        asked,
        space: None,
        private,
        deliver: Deliver::Now,
        files: Vec::new(),
    };
    let id = rig.engine.compose(thread).await.unwrap().item.unwrap();
    // The seconds in which it can be taken back.
    rig.pass(TimeDelta::seconds(11));
    rig.engine.check_account(AccountRef { id: team(rig).await }).await.unwrap();
    id.to_string()
}

pub async fn team(rig: &Rig) -> meantime_model::AccountId {
    let accounts = rig.engine.accounts(Nothing {}).await.unwrap();
    accounts.into_iter().find(|account| account.kind == SourceKind::Team).unwrap().id
}

async fn act(rig: &Rig, id: &str, action: Action) {
    rig.engine.triage(Triage { ids: vec![id.to_owned()], action }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_devices_of_one_person_share_what_is_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("server")).await;
    let (laptop, ana) = join(&server, "Ana", kinds::Role::Member).await;
    let (kofi, _) = join(&server, "Kofi", kinds::Role::Member).await;
    let mut hours = laptop.engine.hours(Nothing {}).await.unwrap();
    hours.schedule = serde_json::from_value(serde_json::json!({
        "zone": "Asia/Tokyo", "weekly": { "mon": [["07:00", "11:00"]] }
    }))
    .unwrap();
    laptop.engine.set_hours(hours.clone()).await.unwrap();
    let mut chosen = settings(&laptop).await;
    (chosen.focus_minutes, chosen.theme) = (25, Theme::Dark);
    laptop.engine.set_settings(chosen.clone()).await.unwrap();
    laptop.until("all is sent", || async { status(&laptop).await.counts.pending == 0 }).await;

    let link = laptop.engine.device_link(Nothing {}).await.unwrap().link;
    let desk = Rig::new().await;
    let joined = desk.engine.join(Join { link, name: "Whoever".to_owned() }).await.unwrap();
    assert_eq!(joined.person, ana, "the same person");
    live(&desk).await;
    let zone = |rig: &Rig| {
        let engine = rig.engine.clone();
        async move { engine.hours(Nothing {}).await.unwrap().schedule.zone().name().to_owned() }
    };
    desk.until("the hours follow", || async { zone(&desk).await == "Asia/Tokyo" }).await;
    desk.until("the settings follow", || async { settings(&desk).await.focus_minutes == 25 }).await;
    assert_eq!(settings(&desk).await.theme, Theme::System, "the look is each device's own");
    let names: Vec<String> =
        desk.engine.team(TeamQuery { day: None }).await.unwrap().people.into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["Ana", "Kofi"], "one person, by the name they have");
    assert_eq!(zone(&laptop).await, "Asia/Tokyo", "a new device proposes nothing over it");
    let mut more = settings(&desk).await;
    more.may_interrupt_addresses = vec!["boss@example.org".to_owned()];
    desk.engine.set_settings(more).await.unwrap();
    laptop.until("and back", || async { !settings(&laptop).await.may_interrupt_addresses.is_empty() }).await;
    let back = settings(&laptop).await;
    assert_eq!((back.focus_minutes, back.theme), (25, Theme::Dark));

    let until = laptop.now() + TimeDelta::hours(30);
    for (title, action, view) in [
        ("Read it", Action::Read, View::Inbox),
        ("Done with it", Action::Done, View::Done),
        ("Put it off", Action::Snooze { until }, View::Later),
    ] {
        let id = ask(&kofi, title, vec![ana], false).await;
        for rig in [&laptop, &desk] {
            rig.until("it arrives", || async { row(rig, View::Inbox, title).await.is_some_and(|row| row.unread) })
                .await;
        }
        act(&laptop, &id, action).await;
        desk.until("the other device follows", || async {
            row(&desk, view, title).await.is_some_and(|row| view == View::Later || !row.unread)
        })
        .await;
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_was_ended_signs_in_again_and_keeps_every_word() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("server")).await;
    let (laptop, ana) = join(&server, "Ana", kinds::Role::Member).await;
    let info = laptop.engine.sign_in_info(Nothing {}).await.unwrap();
    assert_eq!((info.login, info.totp), (None, false));
    let set = SetPassword { login: "ana".to_owned(), password: PASSWORD.to_owned(), current: None };
    let info = laptop.engine.set_password(set).await.unwrap();
    assert_eq!(info.login.as_deref(), Some("ana"));
    let begun = laptop.engine.totp_begin(WithPassword { password: PASSWORD.to_owned() }).await.unwrap();
    assert!(begun.uri.starts_with("otpauth://totp/") && begun.uri.contains(&begun.secret));
    let wrong = laptop.engine.totp_confirm(TotpCode { code: "000 000".to_owned() }).await.unwrap_err();
    assert_eq!(wrong.code, FailureCode::Auth);

    let way = |password: &str| SignInToTeam {
        server: info.server.clone(),
        login: "Ana".to_owned(),
        password: password.to_owned(),
        code: None,
    };
    let desk = Rig::new().await;
    assert_eq!(desk.engine.sign_in(way("wrong password")).await.unwrap_err().code, FailureCode::Auth);
    let host = info.server.split('#').next().unwrap().to_owned();
    let nowhere = desk.engine.sign_in(SignInToTeam { server: String::new(), ..way(PASSWORD) }).await.unwrap_err();
    assert_eq!(nowhere.code, FailureCode::Invalid, "it was in no team before");
    let unpinned = desk.engine.sign_in(SignInToTeam { server: host, ..way(PASSWORD) }).await.unwrap_err();
    assert_eq!(unpinned.code, FailureCode::Certificate, "a server of one's own is known by its key alone");
    assert_eq!(desk.engine.sign_in(way(PASSWORD)).await.unwrap().person, ana);
    live(&desk).await;

    let devices = laptop.engine.devices(Nothing {}).await.unwrap();
    assert_eq!(devices.iter().map(|device| device.this).collect::<Vec<_>>(), [true, false]);
    laptop.engine.end_device(DeviceRef { id: devices[1].id }).await.unwrap();
    desk.until("it is said", || async {
        matches!(status(&desk).await.connection, Connection::Refused { message, signed_out: true } if message.contains("Sign in again"))
    })
    .await;
    ask(&desk, "Written meanwhile", Vec::new(), false).await;
    let elsewhere = SignInToTeam { server: "127.0.0.1:1".to_owned(), ..way(PASSWORD) };
    assert_eq!(desk.engine.sign_in(elsewhere).await.unwrap_err().code, FailureCode::NotPossible);
    let again = SignInToTeam { server: String::new(), ..way(PASSWORD) };
    assert_eq!(desk.engine.sign_in(again).await.unwrap().person, ana, "it knows its server, and the key still holds");
    live(&desk).await;
    laptop
        .until("the words arrive", || async {
            row(&laptop, View::Inbox, "Written meanwhile").await.is_some()
                || !laptop
                    .engine
                    .search(SearchQuery { words: "meanwhile".to_owned(), before: None, limit: 9 })
                    .await
                    .unwrap()
                    .hits
                    .is_empty()
        })
        .await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_replaced_each_day_and_the_old_one_is_no_loss() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("server")).await;
    let (rig, _) = join(&server, "Ana", kinds::Role::Member).await;
    let first = rig.token(team(&rig).await).await;
    let again = || async {
        rig.engine.check_account(AccountRef { id: team(&rig).await }).await.unwrap();
        rig.token(team(&rig).await).await
    };
    assert_eq!(again().await, first, "not before its day is over");
    rig.pass(TimeDelta::hours(25));
    rig.until("it was replaced", || async { again().await != first }).await;
    let second = rig.token(team(&rig).await).await;
    let rig = rig.crash(TimeDelta::hours(1)).await;
    live(&rig).await;
    assert_eq!(rig.token(team(&rig).await).await, second, "and not again after a start");
    ask(&rig, "Sent with it", Vec::new(), false).await;
    rig.until("sent", || async { status(&rig).await.counts.pending == 0 }).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_delivered_later_can_be_taken_back_until_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("server")).await;
    let (ana, _) = join(&server, "Ana", kinds::Role::Member).await;
    let (kofi, kofi_id) = join(&server, "Kofi", kinds::Role::Member).await;
    ana.until("he is known", || async { ana.engine.members(Nothing {}).await.unwrap().members.len() == 2 }).await;
    let at = SystemClock.now() + TimeDelta::days(1);
    let later = Compose {
        title: "Tomorrow".to_owned(),
        text: "In the morning.".to_owned(),
        urgency: Urgency::Yellow,
        asked: vec![kofi_id],
        space: None,
        private: false,
        deliver: Deliver::At { at },
        files: Vec::new(),
    };
    let send = async || {
        ana.engine.compose(later.clone()).await.unwrap();
        ana.pass(TimeDelta::seconds(11));
        ana.engine.check_account(AccountRef { id: team(&ana).await }).await.unwrap();
        ana.until("the server has it", || async { status(&ana).await.counts.pending == 0 }).await;
    };
    send().await;
    let undone = ana.engine.undo(Nothing {}).await.unwrap();
    assert_eq!(undone.said, "Not sent, the text is yours again: Tomorrow");
    assert_eq!(ana.engine.draft(DraftOf { item: None }).await.unwrap().text, "In the morning.");
    ana.until("the server knows", || async { status(&ana).await.counts.pending == 0 }).await;
    assert_eq!(status(&ana).await.refusals, 0);
    let words = || SearchQuery { words: "morning".to_owned(), before: None, limit: 9 };
    ana.until("nothing is left of it", || async { ana.engine.search(words()).await.unwrap().hits.is_empty() }).await;

    send().await;
    ana.set_clock(at - ana.now() - TimeDelta::seconds(30));
    let late = ana.engine.undo(Nothing {}).await.unwrap_err();
    assert_eq!(late.message, "too late to undo “Sent: Tomorrow”", "it may appear before it is deleted");
    assert!(kofi.engine.search(words()).await.unwrap().hits.is_empty());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_private_is_read_and_answered_by_those_asked_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("server")).await;
    let (ana, _) = join(&server, "Ana", kinds::Role::Owner).await;
    let (kofi, kofi_id) = join(&server, "Kofi", kinds::Role::Member).await;
    let (mei, mei_id) = join(&server, "Mei", kinds::Role::Member).await;
    ana.until("everybody is known", || async { ana.engine.members(Nothing {}).await.unwrap().members.len() == 3 })
        .await;

    let id = ask(&ana, "Between us", vec![kofi_id], true).await;
    kofi.until("it arrives", || async { row(&kofi, View::Inbox, "Between us").await.is_some_and(|row| row.private) })
        .await;
    let open = kofi.engine.open(ItemRef { id: id.clone() }).await.unwrap();
    assert_eq!(open.recipients.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["Ana"]);
    let reply = Reply {
        item: id.clone(),
        text: "Only you read this.".to_owned(),
        done: false,
        deliver: Deliver::Now,
        files: Vec::new(),
        message: None,
        to: None,
    };
    let some = Reply { to: Some(vec!["ana@example.org".to_owned()]), ..reply.clone() };
    assert_eq!(kofi.engine.reply(some).await.unwrap_err().code, FailureCode::Invalid, "a thread is for all in it");
    kofi.engine.reply(reply).await.unwrap();
    kofi.pass(TimeDelta::seconds(11));
    kofi.engine.check_account(AccountRef { id: team(&kofi).await }).await.unwrap();
    ana.until("the answer comes", || async {
        ana.engine.open(ItemRef { id: id.clone() }).await.unwrap().messages.len() == 2
    })
    .await;
    // A second one goes to the same circle, one for everybody does not.
    ask(&ana, "Again between us", vec![kofi_id], true).await;
    ask(&ana, "For everybody", vec![mei_id], false).await;
    mei.until("what is for her arrives", || async { row(&mei, View::Inbox, "For everybody").await.is_some() }).await;
    kofi.until("and what is for him", || async { row(&kofi, View::Inbox, "Again between us").await.is_some() }).await;
    let words = SearchQuery { words: "between".to_owned(), before: None, limit: 9 };
    assert!(mei.engine.search(words).await.unwrap().hits.is_empty());
    assert!(ana.engine.refusals(Nothing {}).await.unwrap().is_empty());

    // Owners decide; who is removed is signed out, and comes back by a link.
    let refused = kofi.engine.remove_member(MemberRef { person: mei_id }).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::Refused);
    ana.engine.set_role(SetRole { person: kofi_id, role: Role::Admin }).await.unwrap();
    kofi.until("he may decide", || async { !kofi.engine.members(Nothing {}).await.unwrap().may_give.is_empty() }).await;
    kofi.engine.remove_member(MemberRef { person: mei_id }).await.unwrap();
    mei.until("she is signed out", || async {
        matches!(status(&mei).await.connection, Connection::Refused { signed_out: true, .. })
    })
    .await;
    ana.until("she is gone from the day", || async {
        ana.engine.team(TeamQuery { day: None }).await.unwrap().people.len() == 2
    })
    .await;
    let link = kofi.engine.member_link(MemberRef { person: mei_id }).await.unwrap().link;
    let back = mei.engine.join(Join { link, name: "Mei".to_owned() }).await.unwrap();
    assert_eq!(back.person, mei_id);
    live(&mei).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_is_followed_once_its_token_is_unlocked() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await;
    let (rig, _) = join(&server, "Ana", kinds::Role::Member).await;
    let unlock = async |rig: &Rig| {
        let file = ChooseSecrets::File { passphrase: PASSWORD.to_owned() };
        rig.engine.choose_secrets(file).await.unwrap()
    };
    unlock(&rig).await;
    let rig = rig.boot().await;
    let locked = async || matches!(status(&rig).await.connection, Connection::Refused { signed_out: false, .. });
    rig.until("it says why not", locked).await;
    let team = AccountRef { id: team(&rig).await };
    rig.engine.check_account(team).await.unwrap();
    assert_eq!(unlock(&rig).await, SecretsState::File { locked: false });
    live(&rig).await;
    server.stop().await.unwrap();
}
