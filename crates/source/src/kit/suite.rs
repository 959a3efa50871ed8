//! The conformance suite. In every test the local state ends equal to the
//! server's.

use super::{Harness, Local, Truth};
use crate::{ActOutcome, Budget, Op, Source, SourceError, What};
use chrono::TimeDelta;
use meantime_model::OpId;
use std::time::{Duration, Instant};

/// Enough that one request more in each of them shows.
const POLLS: usize = 10;
/// Small enough that a few messages are several pages.
const SMALL: Budget = Budget { changes: 3, bytes: 1 << 20 };

async fn seeded<H: Harness>(count: usize) -> H {
    let mut harness = H::start().await;
    for nth in 0..count {
        harness.arrive(&format!("seed {nth:03}")).await;
    }
    harness
}

async fn assert_same<H: Harness>(harness: &mut H, local: &Local) {
    let mut truth = harness.truth().await;
    truth.sort();
    assert_eq!(local.truth(), truth, "local state (left) and server (right)");
}

async fn caught_up<H: Harness>(harness: &H) -> (Box<dyn Source>, Local) {
    let source = harness.source();
    let mut local = Local::default();
    local.pull_all(&*source, Budget::default()).await.unwrap();
    (source, local)
}

/// Nothing there: an empty page that says so, and the first arrival alerts.
pub async fn empty_account<H: Harness>() {
    let mut harness = H::start().await;
    let (source, mut local) = caught_up(&harness).await;
    assert!(local.messages.is_empty());
    harness.arrive("the first").await;
    local.pull_all(&*source, Budget::default()).await.unwrap();
    assert_eq!(local.alerts, ["the first"]);
    assert_same(&mut harness, &local).await;
}

/// A backfill in several pages: nothing lost, nothing twice, newest first, no alert.
pub async fn several_pages<H: Harness>() {
    let mut harness = seeded::<H>(11).await;
    let source = harness.source();
    let mut local = Local::default();
    let first = source.pull(None, SMALL).await.unwrap();
    assert!(first.backfill && first.more && !first.changes.is_empty());
    local.take(first);
    assert!(local.messages.values().any(|(title, _)| title == "seed 010"), "the newest first");
    local.pull_all(&*source, SMALL).await.unwrap();
    assert!(local.pages >= 4, "{} pages", local.pages);
    assert!(local.alerts.is_empty(), "a backfill never alerts: {:?}", local.alerts);
    assert_same(&mut harness, &local).await;
}

/// The same cursor again brings the same, and nothing new alerts.
pub async fn same_pull_twice<H: Harness>() {
    let mut harness = seeded::<H>(5).await;
    let (source, mut local) = caught_up(&harness).await;
    let cursor = local.cursor.clone();
    harness.arrive("later").await;
    local.pull_all(&*source, SMALL).await.unwrap();
    local.cursor = cursor;
    local.pull_all(&*source, SMALL).await.unwrap();
    assert_eq!(local.alerts, ["later"]);
    let quiet = source.pull(local.cursor.as_ref(), Budget::default()).await.unwrap();
    assert!(quiet.changes.is_empty() && !quiet.more, "{quiet:?}");
    assert_same(&mut harness, &local).await;
}

/// Pulls that are dropped at any moment, page by page, lose nothing.
pub async fn dropped_half_way<H: Harness>() {
    let mut harness = seeded::<H>(8).await;
    let source = harness.source();
    let mut local = Local::default();
    for micros in [1, 300, 1_000, 3_000, 10_000, 20_000, 40_000, 80_000] {
        let pull = source.pull(local.cursor.as_ref(), SMALL);
        if let Ok(Ok(page)) = tokio::time::timeout(Duration::from_micros(micros), pull).await {
            local.take(page);
        }
    }
    // A new process: only the cursor is left.
    let source = harness.source();
    local.pull_all(&*source, SMALL).await.unwrap();
    assert_same(&mut harness, &local).await;
}

/// What comes while the backfill runs is news, and alerts once.
pub async fn changes_during_backfill<H: Harness>() {
    let mut harness = seeded::<H>(9).await;
    let source = harness.source();
    let mut local = Local::default();
    local.take(source.pull(None, SMALL).await.unwrap());
    harness.arrive("in between").await;
    harness.mark_read("seed 008").await;
    harness.delete("seed 000").await;
    local.pull_all(&*source, SMALL).await.unwrap();
    local.pull_all(&*source, SMALL).await.unwrap();
    assert_eq!(local.alerts, ["in between"]);
    assert_same(&mut harness, &local).await;
}

/// Several arrivals, over several pages: each alerts once.
pub async fn news_alert_once<H: Harness>() {
    let mut harness = seeded::<H>(2).await;
    let (source, mut local) = caught_up(&harness).await;
    for nth in 0..7 {
        harness.arrive(&format!("news {nth}")).await;
    }
    local.pull_all(&*source, SMALL).await.unwrap();
    local.pull_all(&*source, SMALL).await.unwrap();
    local.alerts.sort();
    let expected: Vec<String> = (0..7).map(|nth| format!("news {nth}")).collect();
    assert_eq!(local.alerts, expected);
    assert_same(&mut harness, &local).await;
}

/// What somebody does elsewhere arrives.
pub async fn remote_changes_arrive<H: Harness>() {
    let mut harness = seeded::<H>(6).await;
    let (source, mut local) = caught_up(&harness).await;
    harness.mark_read("seed 001").await;
    harness.archive("seed 002").await;
    harness.delete("seed 003").await;
    harness.mark_read("seed 004").await;
    harness.archive("seed 004").await;
    local.pull_all(&*source, Budget::default()).await.unwrap();
    assert!(local.alerts.is_empty(), "{:?}", local.alerts);
    assert_same(&mut harness, &local).await;
}

/// Actions change the server, and repeating one is harmless.
pub async fn actions_are_written_back<H: Harness>() {
    let mut harness = seeded::<H>(4).await;
    let (source, mut local) = caught_up(&harness).await;
    let caps = source.caps();
    let ids = |titles: &[&str]| titles.iter().map(|title| local.named(title)).collect::<Vec<_>>();
    let mut expected = local.truth();
    let mut expect = |titles: &[&str], change: &dyn Fn(&mut Truth)| {
        expected.iter_mut().filter(|one| titles.contains(&one.title.as_str())).for_each(change);
    };
    let mut ops = Vec::new();
    if caps.read {
        ops.push(What::Read { messages: ids(&["seed 000", "seed 001", "seed 003"]) });
        ops.push(What::Unread { messages: ids(&["seed 001"]) });
        expect(&["seed 000", "seed 003"], &|one| one.read = true);
    }
    if caps.done {
        ops.push(What::Done { messages: ids(&["seed 002", "seed 003"]) });
        ops.push(What::NotDone { messages: ids(&["seed 003"]) });
        expect(&["seed 002"], &|one| one.done = true);
    }
    for what in ops {
        let op = Op { id: OpId::new(), what };
        assert_eq!(source.act(&op).await.unwrap(), ActOutcome::Applied, "{op:?}");
        assert_eq!(source.act(&op).await.unwrap(), ActOutcome::AlreadyApplied, "again: {op:?}");
        // As after a crash: another process, the same op.
        assert_eq!(harness.source().act(&op).await.unwrap(), ActOutcome::AlreadyApplied, "once more: {op:?}");
    }
    expected.sort();
    let mut truth = harness.truth().await;
    truth.sort();
    assert_eq!(truth, expected);
    local.pull_all(&*source, Budget::default()).await.unwrap();
    assert!(local.alerts.is_empty(), "own changes don't alert: {:?}", local.alerts);
    assert_same(&mut harness, &local).await;
}

/// An action whose answer is lost at any moment was done or was not, and done
/// again it is done once.
pub async fn answers_are_lost<H: Harness>() {
    let mut harness = seeded::<H>(6).await;
    let (source, mut local) = caught_up(&harness).await;
    let caps = source.caps();
    let ids: Vec<String> = local.messages.keys().cloned().collect();
    let mut ops = Vec::new();
    if caps.read {
        ops.push(What::Read { messages: ids.clone() });
    }
    if caps.done {
        ops.push(What::Done { messages: ids.clone() });
        ops.push(What::NotDone { messages: ids });
    }
    for what in ops {
        let op = Op { id: OpId::new(), what };
        for micros in [300, 1_000, 3_000, 6_000, 10_000, 15_000, 25_000, 40_000] {
            let _ = tokio::time::timeout(Duration::from_micros(micros), source.act(&op)).await;
        }
        // What is left of the connection may fail once more.
        let outcome = match source.act(&op).await {
            Err(error) if error.is_transient() => harness.source().act(&op).await,
            outcome => outcome,
        };
        assert!(matches!(outcome, Ok(ActOutcome::Applied | ActOutcome::AlreadyApplied)), "{op:?}: {outcome:?}");
        let mut truth = harness.truth().await;
        truth.sort();
        let done = matches!(op.what, What::Done { .. });
        let expected = (0..6).map(|nth| Truth { title: format!("seed {nth:03}"), read: caps.read, done });
        assert_eq!(truth, expected.collect::<Vec<_>>(), "{op:?}");
    }
    local.pull_all(&*source, Budget::default()).await.unwrap();
    assert!(local.alerts.is_empty(), "own changes don't alert: {:?}", local.alerts);
    assert_same(&mut harness, &local).await;
}

/// A cursor that means nothing any more: read again, nobody alerted.
pub async fn cursor_invalid<H: Harness>() {
    let mut harness = seeded::<H>(5).await;
    let (source, mut local) = caught_up(&harness).await;
    if harness.invalidate_cursor().await {
        assert_eq!(source.pull(local.cursor.as_ref(), SMALL).await.unwrap_err(), SourceError::CursorInvalid);
    }
    local.cursor = Some(crate::Cursor(serde_json::json!({ "of": "somebody else" })));
    assert_eq!(source.pull(local.cursor.as_ref(), SMALL).await.unwrap_err(), SourceError::CursorInvalid);
    local.pull_all(&*source, SMALL).await.unwrap();
    assert!(local.alerts.is_empty(), "{:?}", local.alerts);
    assert_same(&mut harness, &local).await;
}

/// A refused secret is an auth error that names the next step, once, and soon.
pub async fn bad_secret<H: Harness>() {
    let harness = seeded::<H>(1).await;
    let Some(source) = harness.wrong_secret() else { return };
    for error in [source.check().await.unwrap_err(), source.pull(None, SMALL).await.unwrap_err()] {
        assert!(matches!(error, SourceError::Auth(_)), "{error:?}");
        assert!(!error.is_transient(), "it is not tried again by itself");
        assert!(error.to_string().contains("Enter it again"), "{error}");
    }
}

/// A secret that is refused from one page to the next is said at once; what
/// was read stays, and once it is good again reading goes on from there.
pub async fn secret_expires_between_pages<H: Harness>() {
    let mut harness = seeded::<H>(9).await;
    let source = harness.source();
    let mut local = Local::default();
    local.take(source.pull(None, SMALL).await.unwrap());
    if !harness.expire_secret().await {
        return;
    }
    let error = source.pull(local.cursor.as_ref(), SMALL).await.unwrap_err();
    assert!(matches!(error, SourceError::Auth(_)), "{error:?}");
    harness.renew_secret().await;
    local.pull_all(&*source, SMALL).await.unwrap();
    assert!(local.alerts.is_empty(), "{:?}", local.alerts);
    assert_same(&mut harness, &local).await;
}

/// A computer whose clock is a day off reads the same, and what is new there
/// alerts once.
pub async fn clock_off_by_a_day<H: Harness>() {
    for off in [TimeDelta::days(-1), TimeDelta::days(1)] {
        let mut harness = seeded::<H>(4).await;
        let source = harness.source_at(off);
        let mut local = Local::default();
        local.pull_all(&*source, SMALL).await.unwrap();
        assert!(local.alerts.is_empty(), "{off}: {:?}", local.alerts);
        harness.arrive("later").await;
        local.pull_all(&*source, SMALL).await.unwrap();
        local.pull_all(&*source, SMALL).await.unwrap();
        assert_eq!(local.alerts, ["later"], "{off}");
        assert_same(&mut harness, &local).await;
    }
}

/// To ask while nothing happened costs no more than is promised.
pub async fn unchanged_is_cheap<H: Harness>() {
    let harness = seeded::<H>(5).await;
    let (source, mut local) = caught_up(&harness).await;
    local.pull_all(&*source, SMALL).await.unwrap();
    let before = harness.requests();
    assert!(before > 0, "they are counted");
    for _ in 0..POLLS {
        local.pull_all(&*source, SMALL).await.unwrap();
    }
    let cost = harness.requests() - before;
    // A server may write the last one down after it answered.
    assert!(cost > 0 && cost <= POLLS * H::UNCHANGED + 1, "{POLLS} polls cost {cost} requests");
}

/// One item that can't be read says so, and does not hide the others.
pub async fn poison_among_good<H: Harness>() {
    let mut harness = seeded::<H>(3).await;
    harness.poison().await;
    harness.arrive("after it").await;
    let (_, local) = caught_up(&harness).await;
    let titles: Vec<&String> = local.messages.values().map(|(title, _)| title).collect();
    for good in ["seed 000", "seed 001", "seed 002", "after it"] {
        assert!(titles.iter().any(|title| *title == good), "{good} among {titles:?}");
    }
    assert_eq!(local.messages.len(), 5, "the poison is shown too: {titles:?}");
    let shown = |text: &String| !text.is_empty();
    assert!(titles.into_iter().all(shown), "everything has a title");
    let unreadable = local.messages.values().filter(|(_, message)| message.unreadable.is_some()).count();
    assert_eq!(unreadable, 1, "it says that it can't be read: {:?}", local.messages);
}

/// What is declared works; what is not is refused as unsupported.
pub async fn capabilities_are_true<H: Harness>() {
    let mut harness = seeded::<H>(1).await;
    let (source, local) = caught_up(&harness).await;
    let caps = source.caps();
    let messages = vec![local.named("seed 000")];
    for (declared, what) in
        [(caps.read, What::Read { messages: messages.clone() }), (caps.done, What::Done { messages: messages.clone() })]
    {
        let outcome = source.act(&Op { id: OpId::new(), what }).await.unwrap();
        assert_eq!(outcome == ActOutcome::Unsupported, !declared);
    }
    if caps.live {
        let (source, cursor) = (harness.source(), caught_up(&harness).await.1.cursor.unwrap());
        let waiting = tokio::spawn(async move { source.live(&cursor).await });
        harness.arrive("wake up").await;
        let woken = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        woken.expect("an arrival wakes within 30 s").unwrap().unwrap();
    }
}

/// No secret in what is printed or logged.
pub async fn secrets_stay_secret<H: Harness>() {
    let mut harness = seeded::<H>(1).await;
    let secrets = harness.secrets();
    let (source, local) = caught_up(&harness).await;
    let mut printed =
        vec![format!("{:?}", local.cursor), source.identity(), format!("{:?}", source.check().await.unwrap())];
    if let Some(wrong) = harness.wrong_secret() {
        printed.push(format!("{:?}", wrong.check().await.unwrap_err()));
    }
    harness.stop().await;
    printed.push(format!("{:?}", harness.source().check().await.unwrap_err()));
    for secret in secrets {
        assert!(!printed.iter().any(|text| text.contains(&secret)), "{secret} in {printed:?}");
    }
}

/// A server that is gone is a passing error in plain words, noticed soon.
pub async fn dead_server<H: Harness>() {
    let mut harness = seeded::<H>(1).await;
    let (source, local) = caught_up(&harness).await;
    harness.stop().await;
    let begin = Instant::now();
    let error = source.pull(local.cursor.as_ref(), SMALL).await.unwrap_err();
    assert!(matches!(error, SourceError::Transient(_)), "{error:?}");
    let words = error.to_string();
    assert!(["localhost", "127.0.0.1"].iter().any(|host| words.contains(host)), "it says who: {words}");
    // Whether it is tried again, only whoever runs the account knows.
    assert!(!words.contains("again"), "{words}");
    assert!(begin.elapsed() < Duration::from_secs(20), "took {:?}", begin.elapsed());
}
