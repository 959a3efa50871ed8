//! Attachments over real TLS: sent in pieces, cut and gone on with, read in
//! parts, by those who may.

use crate::binary::Process;
use crate::world::{Client, Someone, World, eventually};
use bytes::Bytes;
use chrono::TimeDelta;
use futures::{StreamExt as _, stream};
use meantime_protocol::attachment::{LEAST_PIECE, Upload};
use meantime_protocol::http::{JoinResponse, Op, PushOutcome};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Kind, Problem, Scope, Sha256};
use meantime_server_core::TeamScope;
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::Digest as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

const MIB: usize = 1 << 20;

/// Bytes that are not the same anywhere, nor in another test.
pub fn bytes(seed: u8, length: usize) -> Bytes {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8 ^ seed).collect()
}

pub fn hash(bytes: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(bytes).into())
}

fn at(who: &Someone, method: Method, scope: Scope, sha256: Sha256) -> RequestBuilder {
    who.call(method, &format!("/v1/attachments/{scope}/{sha256}"))
}

/// Sends from a byte on to the end.
async fn send(who: &Someone, scope: Scope, sha256: Sha256, from: usize, all: &Bytes) -> Response {
    let range = format!("bytes {from}-{}/{}", all.len() - 1, all.len());
    at(who, Method::PUT, scope, sha256).header("content-range", range).body(all.slice(from..)).send().await.unwrap()
}

pub async fn sent(who: &Someone, scope: Scope, all: &Bytes) -> Sha256 {
    let sha256 = hash(all);
    let answer = at(who, Method::PUT, scope, sha256).body(all.clone()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let length = all.len() as u64;
    assert_eq!(answer.json::<Upload>().await.unwrap(), Upload { offset: length, complete: true });
    sha256
}

/// How far an upload is; none once it is whole.
async fn offset(who: &Someone, scope: Scope, sha256: Sha256) -> Option<u64> {
    let answer = at(who, Method::HEAD, scope, sha256).send().await.unwrap();
    match answer.status() {
        StatusCode::OK => None,
        StatusCode::NOT_FOUND => Some(answer.headers()["upload-offset"].to_str().unwrap().parse().unwrap()),
        other => panic!("{other}"),
    }
}

pub async fn read(who: &Someone, scope: Scope, sha256: Sha256) -> Bytes {
    let answer = at(who, Method::GET, scope, sha256).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.bytes().await.unwrap()
}

async fn refused(answer: Response) -> (u16, Code) {
    let status = answer.status().as_u16();
    let problem: Problem = answer.json().await.unwrap();
    assert!(!problem.message.is_empty());
    (status, problem.code)
}

/// A body that breaks off after some bytes; the connection with it.
fn cut(all: &Bytes, after: usize) -> Body {
    let some: Vec<_> = all.slice(..after).chunks(64 * 1024).map(Bytes::copy_from_slice).map(Ok).collect();
    // The break is told once the bytes are on their way, not in their place.
    let broken = stream::once(async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Err(std::io::Error::other("cut"))
    });
    Body::wrap_stream(stream::iter(some).chain(broken))
}

async fn cut_off(who: &Someone, scope: Scope, all: &Bytes, after: usize) {
    let range = format!("bytes 0-{}/{}", all.len() - 1, all.len());
    let request = at(who, Method::PUT, scope, hash(all)).header("content-range", range).body(cut(all, after));
    assert!(request.send().await.is_err(), "it broke");
}

pub fn with(who: &Someone, scope: Scope, thread: Uuid, sha256: Sha256, bytes: usize) -> Op {
    let entry = json!({"sha256": sha256, "name": "plan.html", "media_type": "text/html", "bytes": bytes});
    let fields = json!({"thread": thread, "text": "See there", "attachments": [entry]});
    Op { scope, ..who.change(Kind::MESSAGE, Uuid::now_v7(), fields) }
}

async fn circle(who: &Someone, members: &[&Someone]) -> Scope {
    let id = Uuid::now_v7();
    let members: Vec<_> = members.iter().map(|member| member.joined.person).collect();
    let op = Op { scope: Scope::Private(id), ..who.change(Kind::SPACE, id, json!({ "members": members })) };
    assert!(matches!(who.push(vec![op]).await[0].outcome, PushOutcome::Applied { .. }));
    Scope::Private(id)
}

/// Somebody of another team on the same server.
pub async fn stranger(world: &World, name: &str) -> Someone {
    let core = world.running.core();
    let team = core.found("Red Team").await.unwrap();
    let request = meantime_protocol::http::InviteRequest { valid_hours: 1, role: Role::Owner };
    let secret = core.invite(TeamScope::operator(team), &request).await.unwrap().secret.reveal();
    let join = json!({"secret": secret, "name": name, "device_name": "x"});
    let client = world.client();
    let answer = client.call(Method::POST, "/v1/join").json(&join).send().await.unwrap();
    Someone::again(client, answer.json::<JoinResponse>().await.unwrap())
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn one_sends_and_the_other_reads() {
    let world = World::new().await;
    let (ana, ben) = (world.someone("Ana", Role::Owner).await, world.someone("Ben", Role::Member).await);
    let team = ana.team();
    let all = bytes(1, 5 * MIB + 1234);
    let thread = ana.thread("Plans").await;
    let op = with(&ana, team, thread, hash(&all), all.len());
    let outcome = ana.push(vec![op]).await.remove(0).outcome;
    assert!(matches!(outcome, PushOutcome::Rejected { problem } if problem.code == Code::Invalid), "not there yet");
    let sha256 = sent(&ana, team, &all).await;
    let outcome = ana.push(vec![with(&ana, team, thread, sha256, all.len())]).await.remove(0).outcome;
    assert!(matches!(outcome, PushOutcome::Applied { .. }));
    let message = ben.all().await.into_iter().find(|row| row.kind == Kind::MESSAGE).unwrap();
    assert_eq!(message.fields["attachments"][0]["sha256"], json!(sha256));

    assert!(read(&ben, team, sha256).await == all);
    let head = at(&ben, Method::HEAD, team, sha256).send().await.unwrap();
    assert_eq!((head.status(), head.headers()["content-length"].to_str().unwrap()), (StatusCode::OK, "5244114"));
    let got = at(&ben, Method::GET, team, sha256).send().await.unwrap();
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-disposition", "attachment"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'"),
        ("accept-ranges", "bytes"),
        ("content-length", "5244114"),
        ("etag", &format!("\"{sha256}\"")),
    ] {
        assert_eq!(got.headers()[name], value, "{name}");
    }
    drop(got);
    for (range, status, part) in [
        ("bytes=0-99", 206, 0..100),
        ("bytes=2097150-2097153", 206, 2_097_150..2_097_154),
        ("bytes=5244113-", 206, 5_244_113..5_244_114),
        ("bytes=-34", 206, 5_244_080..5_244_114),
        ("bytes=0-", 200, 0..5_244_114),
        ("bytes=0-1,3-4", 200, 0..5_244_114),
    ] {
        let answer = at(&ben, Method::GET, team, sha256).header("range", range).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{range}");
        if status == 206 {
            let said = format!("bytes {}-{}/5244114", part.start, part.end - 1);
            assert_eq!(answer.headers()["content-range"], said.as_str());
        }
        assert!(answer.bytes().await.unwrap() == all[part], "{range}");
    }
    let outside = at(&ben, Method::GET, team, sha256).header("range", "bytes=5244114-").send().await.unwrap();
    assert_eq!(outside.headers()["content-range"], "bytes */5244114");
    assert_eq!(refused(outside).await, (416, Code::Invalid));
    // Again is as good, and keeps no second copy.
    sent(&ben, team, &all).await;
    assert_eq!(files(&world.data.file("attachments")).len(), 1);
    // Nothing is something too.
    let none = sent(&ana, team, &Bytes::new()).await;
    assert_eq!(read(&ben, team, none).await.len(), 0);
}

#[tokio::test]
async fn a_cut_upload_goes_on_where_it_was() {
    let world = World::new().await;
    let (ana, ben) = (world.someone("Ana", Role::Owner).await, world.someone("Ben", Role::Member).await);
    let team = ana.team();
    let all = bytes(2, 5 * MIB);
    let sha256 = hash(&all);
    assert_eq!(offset(&ana, team, sha256).await, Some(0));
    cut_off(&ana, team, &all, 3 * MIB).await;
    // What came is kept, all of it, a moment after the connection broke.
    eventually("the bytes that came", async || offset(&ana, team, sha256).await == Some(3 << 20)).await;
    assert_eq!(offset(&ben, team, sha256).await, Some(0), "each device has its own");
    assert_eq!(refused(at(&ben, Method::GET, team, sha256).send().await.unwrap()).await, (404, Code::NotFound));

    // From somewhere else it does not go on, and the place is said.
    let wrong = send(&ana, team, sha256, 2 * MIB, &all).await;
    assert_eq!(wrong.headers()["upload-offset"], "3145728");
    assert_eq!(refused(wrong).await, (409, Code::Conflict));
    // A restart forgets nothing.
    let world = world.restarted().await;
    let again = |who: Someone| Someone::again(world.client(), who.joined);
    let (ana, ben) = (again(ana), again(ben));
    assert_eq!(offset(&ana, team, sha256).await, Some(3 << 20));
    // A piece that is not the last, then the last.
    let range = format!("bytes {}-{}/{}", 3 * MIB, 4 * MIB - 1, all.len());
    let piece = at(&ana, Method::PUT, team, sha256).header("content-range", range).body(all.slice(3 * MIB..4 * MIB));
    let piece = piece.send().await.unwrap();
    assert_eq!(piece.json::<Upload>().await.unwrap(), Upload { offset: 4 << 20, complete: false });
    let last = send(&ana, team, sha256, 4 * MIB, &all).await;
    assert_eq!(last.json::<Upload>().await.unwrap(), Upload { offset: 5 << 20, complete: true });
    assert_eq!(offset(&ben, team, sha256).await, None);
    assert!(read(&ben, team, sha256).await == all);
    assert_eq!(files(&world.data.file("attachments")).len(), 1, "no piece is left");
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_not_kept() {
    let world = World::tuned(&[("largest_mib = 25", "largest_mib = 1"), ("unfinished = 8", "unfinished = 2")]).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let team = ana.team();
    let all = bytes(3, MIB);
    let sha256 = hash(b"something else");
    assert_eq!(refused(send(&ana, team, sha256, 0, &all).await).await, (422, Code::Invalid));
    assert_eq!(offset(&ana, team, sha256).await, Some(0));
    assert_eq!(refused(at(&ana, Method::GET, team, sha256).send().await.unwrap()).await, (404, Code::NotFound));
    assert!(files(&world.data.file("attachments")).is_empty());
    // In pieces too: the first is kept, and gone once the hash turns out wrong.
    let range = |from: usize, to: usize, total: usize| format!("bytes {from}-{to}/{total}");
    let put = |range: String, body: Bytes| {
        at(&ana, Method::PUT, team, sha256).header("content-range", range).body(body).send()
    };
    let first = put(range(0, MIB / 2 - 1, MIB), all.slice(..MIB / 2)).await.unwrap();
    assert_eq!(first.json::<Upload>().await.unwrap(), Upload { offset: (MIB / 2) as u64, complete: false });
    let last = put(range(MIB / 2, MIB - 1, MIB), all.slice(MIB / 2..)).await.unwrap();
    assert_eq!(last.headers()["upload-offset"], "0");
    assert_eq!(refused(last).await, (422, Code::Invalid));
    assert!(files(&world.data.file("attachments")).is_empty());

    for (range, body, answer) in [
        (range(0, 9, MIB + 1), all.slice(..10), (413, Code::TooLarge)),
        (range(0, 9, MIB), all.slice(..10), (422, Code::Invalid)),
        (range(0, 9, MIB), all.slice(..11), (400, Code::BadRequest)),
        (range(5, 14, MIB), all.slice(..10), (409, Code::Conflict)),
        ("bytes 9-0/10".to_owned(), Bytes::new(), (400, Code::BadRequest)),
        ("everything".to_owned(), all.clone(), (400, Code::BadRequest)),
    ] {
        let said = format!("{range} with {}", body.len());
        assert_eq!(refused(put(range, body).await.unwrap()).await, answer, "{said}");
    }
    let whole = at(&ana, Method::PUT, team, sha256).body(bytes(3, MIB + 1)).send().await.unwrap();
    assert_eq!(refused(whole).await, (413, Code::TooLarge));
    let endless = Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>(all.clone())]));
    let endless = at(&ana, Method::PUT, team, sha256).body(endless).send().await.unwrap();
    assert_eq!(refused(endless).await, (400, Code::BadRequest));
    for path in ["team:x/y", "team:x", "nothing/at/all", &format!("{team}/{}", "0".repeat(63))] {
        let answer = ana.call(Method::GET, &format!("/v1/attachments/{path}")).send().await.unwrap();
        assert_eq!(refused(answer).await, (404, Code::NotFound), "{path}");
    }
    // So many unfinished ones, and no more until one is given up.
    let begin = async |seed: u8| {
        let all = bytes(seed, MIB);
        let range = range(0, LEAST_PIECE as usize - 1, MIB);
        let put = at(&ana, Method::PUT, team, hash(&all)).header("content-range", range);
        put.body(all.slice(..LEAST_PIECE as usize)).send().await.unwrap()
    };
    assert_eq!(begin(10).await.status(), StatusCode::OK);
    assert_eq!(begin(11).await.status(), StatusCode::OK);
    assert_eq!(refused(begin(12).await).await, (409, Code::LimitReached));
    let given_up = at(&ana, Method::DELETE, team, hash(&bytes(10, MIB))).send().await.unwrap();
    assert_eq!(given_up.status(), StatusCode::NO_CONTENT);
    assert_eq!(begin(12).await.status(), StatusCode::OK);
    assert!(ana.client.alive().await);
}

/// Unfinished uploads are in their team's room, are begun one after the other,
/// and go with their device.
#[tokio::test]
async fn what_is_unfinished_counts() {
    let lines = [("largest_mib = 25", "largest_mib = 1024"), ("team_gib = 10", "team_gib = 1")];
    let world = World::tuned(&[lines[0], lines[1], ("unfinished = 8", "unfinished = 2")]).await;
    let (ana, ben) = (world.someone("Ana", Role::Owner).await, world.someone("Ben", Role::Member).await);
    let team = ana.team();
    let piece = bytes(20, MIB);
    let begin = async |who: &Someone, n: u8, total: usize| {
        let range = format!("bytes 0-{}/{total}", piece.len() - 1);
        let put = at(who, Method::PUT, team, hash(&[n])).header("content-range", range);
        put.body(piece.clone()).send().await.unwrap()
    };
    // Many at once are as many as one after the other.
    let at_once = futures::future::join_all((0..8).map(|n| begin(&ben, n, 2 * MIB))).await;
    let begun = at_once.iter().filter(|answer| answer.status() == StatusCode::OK).count();
    assert!((1..=2).contains(&begun), "{begun}");
    assert_eq!(files(&world.data.file("attachments")).len(), begun);
    // Of 1 GiB all but what is begun is left.
    assert_eq!(refused(begin(&ana, 100, 1024 * MIB).await).await, (409, Code::LimitReached));
    assert_eq!(begin(&ana, 101, (1024 - begun) * MIB).await.status(), StatusCode::OK);
    let device = ben.joined.device;
    let ended = ben.call(Method::DELETE, &format!("/v1/devices/{device}")).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    eventually("an ended device's to go", async || files(&world.data.file("attachments")).len() == 1).await;
}

/// A file that is on its way takes a place until it is there.
#[tokio::test(flavor = "multi_thread")]
async fn files_on_their_way_are_limited() {
    let world =
        World::tuned(&[("requests = 1024", "requests = 36"), ("listen = \"\"", "listen = \"127.0.0.1:0\"")]).await;
    let (ana, ben) = (world.someone("Ana", Role::Owner).await, world.someone("Ben", Role::Member).await);
    let kofi = world.someone("Kofi", Role::Member).await;
    let all = bytes(22, 20 * MIB);
    let sha256 = sent(&ana, ana.team(), &all).await;
    // Each over a connection of its own: one that is not read holds up what
    // shares it.
    let ask = async |who: &Someone| {
        let call = world.client().call(Method::GET, &format!("/v1/attachments/{}/{sha256}", who.team()));
        call.bearer_auth(&who.joined.token).send().await.unwrap()
    };
    let mut slow = Vec::new();
    for _ in 0..16 {
        let answer = ask(&ana).await;
        assert_eq!(answer.status(), StatusCode::OK);
        slow.push(answer);
    }
    let away = ask(&ana).await;
    assert!(away.headers().contains_key("retry-after"));
    assert_eq!(refused(away).await, (503, Code::Busy), "one person's");
    let others = [ask(&ben).await, ask(&ben).await];
    assert_eq!(refused(ask(&kofi).await).await, (503, Code::Busy), "half of what may be worked on");
    assert_eq!(world.number("meantime_shed_total{limit=\"downloads\"}").await, 2.0);
    assert_eq!(kofi.call(Method::GET, "/v1/me").send().await.unwrap().status(), StatusCode::OK);
    // One that is through, or given up, makes room.
    assert!(slow.pop().unwrap().bytes().await.unwrap() == all);
    eventually("room", async || ask(&kofi).await.status() == StatusCode::OK).await;
    drop((slow, others));
    eventually("room", async || ask(&ana).await.status() == StatusCode::OK).await;
}

#[tokio::test]
async fn nobody_else_knows_of_any() {
    let world = World::new().await;
    let (ana, ben) = (world.someone("Ana", Role::Owner).await, world.someone("Ben", Role::Member).await);
    let guest = world.someone("Gus", Role::Guest).await;
    let mallory = stranger(&world, "Mallory").await;
    let all = bytes(4, 1000);
    let private = circle(&ana, &[&ana]).await;
    let in_team = sent(&ana, ana.team(), &all).await;
    let in_circle = sent(&ana, private, &all).await;
    assert_eq!(in_team, in_circle, "the same bytes");
    // There or not, with every method: the same answer, whatever its body is.
    let alike = async |who: &Someone, there: Scope, nowhere: Scope| {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            let mut answers = Vec::new();
            for (scope, sha256) in [(there, in_team), (there, hash(b"none")), (nowhere, in_team)] {
                let answer = at(who, method.clone(), scope, sha256).body(all.clone()).send().await.unwrap();
                let status = answer.status();
                let offset = answer.headers().get("upload-offset").cloned();
                assert!(status == StatusCode::NOT_FOUND || status == StatusCode::GONE, "{method} {status}");
                answers.push((status, offset, answer.bytes().await.unwrap()));
            }
            answers.dedup();
            assert_eq!(answers.len(), 1, "{method} {answers:?}");
        }
    };
    let no_circle = Scope::Private(Uuid::now_v7());
    let no_team = Scope::Team(meantime_model::TeamId::new());
    alike(&ben, private, no_circle).await;
    alike(&guest, ana.team(), no_team).await;
    alike(&guest, private, no_circle).await;
    alike(&mallory, ana.team(), no_team).await;
    alike(&mallory, private, no_circle).await;
    alike(&ben, Scope::User(ana.joined.person), Scope::User(meantime_model::PersonId::new())).await;
    // Nor is it told in one's own that others have the same bytes.
    assert_eq!(offset(&mallory, mallory.team(), in_team).await, Some(0));
    let stranger = world.client().call(Method::GET, &format!("/v1/attachments/{}/{in_team}", ana.team()));
    assert_eq!(refused(stranger.send().await.unwrap()).await, (401, Code::Unauthorized));
    // Of the circle's outsiders nothing was kept.
    assert_eq!(files(&world.data.file("attachments")).len(), 2);
    assert!(read(&ana, private, in_circle).await == all);
}

#[tokio::test]
async fn many_send_the_same_at_once() {
    let world = World::new().await;
    let ana = world.someone("Ana", Role::Owner).await;
    let team = ana.team();
    let all = bytes(5, 3 * MIB);
    let mut others = Vec::new();
    for n in 0..4 {
        others.push(world.someone(&format!("Other {n}"), Role::Member).await);
    }
    let sends = others.iter().map(|who| sent(who, team, &all));
    futures::future::join_all(sends).await;
    assert_eq!(files(&world.data.file("attachments")).len(), 1, "one of them stays");
    assert!(read(&ana, team, hash(&all)).await == all);
    let core = world.running.core();
    assert_eq!(core.attached_bytes(TeamScope::operator(ana.joined.team)).await, Ok(3 << 20));
    // One device twice at once: the newer goes on, the older ends.
    let all = bytes(6, 3 * MIB);
    let stuck = stream::iter([Ok::<_, std::io::Error>(all.slice(..MIB))]).chain(stream::pending());
    let range = format!("bytes 0-{}/{}", all.len() - 1, all.len());
    let older = at(&ana, Method::PUT, team, hash(&all)).header("content-range", range).body(Body::wrap_stream(stuck));
    let older = tokio::spawn(older.send());
    eventually("what the older has sent", async || offset(&ana, team, hash(&all)).await == Some(1 << 20)).await;
    assert_eq!(send(&ana, team, hash(&all), MIB, &all).await.status(), StatusCode::OK);
    assert_eq!(refused(older.await.unwrap().unwrap()).await, (503, Code::Busy));
}

#[tokio::test]
async fn what_is_old_is_swept() {
    let world = World::new().await;
    let ana = world.someone("Ana", Role::Owner).await;
    let team = ana.team();
    let thread = ana.thread("Plans").await;
    let (kept, loose, begun) = (bytes(7, 1000), bytes(8, 1000), bytes(9, MIB));
    sent(&ana, team, &kept).await;
    sent(&ana, team, &loose).await;
    let op = with(&ana, team, thread, hash(&kept), kept.len());
    assert!(matches!(ana.push(vec![op]).await[0].outcome, PushOutcome::Applied { .. }));
    let range = format!("bytes 0-{}/{MIB}", MIB / 2 - 1);
    let put = at(&ana, Method::PUT, team, hash(&begun)).header("content-range", range).body(begun.slice(..MIB / 2));
    assert_eq!(put.send().await.unwrap().status(), StatusCode::OK);
    let folder = world.data.file("attachments");
    assert_eq!(files(&folder).len(), 3);
    // A day later the upload is forgotten, a week later what nothing refers to.
    world.clock.pass(TimeDelta::hours(25));
    let world = world.restarted().await;
    eventually("the upload to be forgotten", async || files(&folder).len() == 2).await;
    world.clock.pass(TimeDelta::days(7));
    let world = world.restarted().await;
    eventually("what is loose to go", async || files(&folder).len() == 1).await;
    let ana = Someone::again(world.client(), ana.joined);
    assert!(read(&ana, team, hash(&kept)).await == kept);
    assert_eq!(offset(&ana, team, hash(&loose)).await, Some(0));
    // Bytes that are lost are said to be missing, and can be brought again.
    let core = world.running.core();
    let blobs = meantime_server_blobs::Blobs::folder(&folder).unwrap();
    let missing = async || {
        let found = meantime_server::attachments::look(&blobs, core, ana.joined.team, true).await.unwrap();
        found.wrong.iter().map(|wrong| wrong.kept.sha256).collect::<Vec<_>>()
    };
    assert_eq!(missing().await, []);
    std::fs::remove_file(&files(&folder)[0]).unwrap();
    assert_eq!(missing().await, [hash(&kept)]);
    assert_eq!(refused(at(&ana, Method::GET, team, hash(&kept)).send().await.unwrap()).await, (404, Code::NotFound));
    sent(&ana, team, &kept).await;
    assert_eq!(missing().await, []);
    assert!(read(&ana, team, hash(&kept)).await == kept);
}

/// Whatever the operator's shell or service manager says.
#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_what_the_server_keeps() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let link = crate::binary::init(&data);
    let serve = crate::binary::command("serve", &data);
    let mut open = std::process::Command::new("sh");
    open.args(["-c", "umask 000 && exec \"$0\" \"$@\""]).arg(serve.get_program()).args(serve.get_args());
    open.args(["--listen", "127.0.0.1:0"]);
    let server = Process::start(open);
    let ana = server.client(&data).join(&link, "Ana").await;
    sent(&ana, ana.team(), &bytes(14, 3 * MIB)).await;
    let (begun, part) = (bytes(15, MIB), format!("bytes 0-{}/{MIB}", MIB / 2 - 1));
    let put = at(&ana, Method::PUT, ana.team(), hash(&begun)).header("content-range", part);
    assert_eq!(put.body(begun.slice(..MIB / 2)).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(files(&data.join("attachments")).len(), 2);
    let mut folders = vec![data];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
            folders.extend(path.is_dir().then_some(path));
        }
    }
}

/// On a small disk of its own, which needs user namespaces; some systems (such
/// as Ubuntu since 24.04) keep them from everybody but root.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_said_and_survived() {
    use std::io::Write as _;
    let asked = std::process::Command::new("unshare").args(["--map-root-user", "--mount", "true"]).output().unwrap();
    if !asked.status.success() {
        let why = String::from_utf8_lossy(&asked.stderr);
        // Not by `eprintln!`, which nobody hears of a test that passes.
        writeln!(std::io::stderr(), "skipped: a full disk of the server's: no user namespaces ({})", why.trim())
            .unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let link = crate::binary::init(&data);
    let folder = data.join("attachments");
    std::fs::create_dir(&folder).unwrap();
    let mut small = std::process::Command::new("unshare");
    let on_small = "mount -t tmpfs -o size=6m,mode=700 small \"$0\" && exec \"$@\"";
    small.args(["--map-root-user", "--mount", "sh", "-c", on_small]).arg(&folder);
    let serve = crate::binary::command("serve", &data);
    small.arg(serve.get_program()).args(serve.get_args()).args(["--listen", "127.0.0.1:0"]);
    let server = Process::start(small);
    let ana = server.client(&data).join(&link, "Ana").await;
    // The pieces have room, the whole beside them has not.
    let all = bytes(11, 5 * MIB);
    assert_eq!(refused(send(&ana, ana.team(), hash(&all), 0, &all).await).await, (507, Code::StorageFull));
    assert!(ana.client.alive().await);
    assert_eq!(at(&ana, Method::GET, ana.team(), hash(&all)).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    // What came is kept. Nor is there room for the pieces of another.
    assert_eq!(offset(&ana, ana.team(), hash(&all)).await, Some(4 << 20));
    let other = bytes(12, 5 * MIB);
    assert_eq!(refused(send(&ana, ana.team(), hash(&other), 0, &other).await).await, (507, Code::StorageFull));
    for given_up in [&all, &other] {
        let answer = at(&ana, Method::DELETE, ana.team(), hash(given_up)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    let small = bytes(13, 2 * MIB + 7);
    let sha256 = sent(&ana, ana.team(), &small).await;
    assert!(read(&ana, ana.team(), sha256).await == small);
}

#[tokio::test]
async fn killed_in_the_middle_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let link = crate::binary::init(&data);
    let server = Process::serve(&data);
    let ana = server.client(&data).join(&link, "Ana").await;
    let all = bytes(10, 6 * MIB);
    let sha256 = hash(&all);
    let stuck = stream::iter([Ok::<_, std::io::Error>(all.slice(..5 * MIB))]).chain(stream::pending());
    let range = format!("bytes 0-{}/{}", all.len() - 1, all.len());
    let put = at(&ana, Method::PUT, ana.team(), sha256).header("content-range", range).body(Body::wrap_stream(stuck));
    let under_way = tokio::spawn(put.send());
    let folder = data.join("attachments");
    // What is being written has a number behind a `#`.
    let pieces = || files(&folder).iter().filter(|path| !path.to_string_lossy().contains('#')).count();
    eventually("two pieces", async || pieces() == 2).await;
    // Dropped: killed, without a word.
    drop(server);
    assert!(under_way.await.unwrap().is_err());
    let server = Process::serve(&data);
    let ana = Someone::again(server.client(&data), ana.joined);
    let there = offset(&ana, ana.team(), sha256).await.unwrap();
    assert_eq!(there, 4 << 20, "the pieces that were written");
    assert_eq!(at(&ana, Method::GET, ana.team(), sha256).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let last = send(&ana, ana.team(), sha256, there as usize, &all).await;
    assert_eq!(last.json::<Value>().await.unwrap(), json!({"offset": all.len(), "complete": true}));
    assert!(read(&ana, ana.team(), sha256).await == all);
    let client: &Client = &ana.client;
    assert!(client.alive().await);
}
