//! Streams, and what the server does by itself.

use crate::world::{Someone, World, eventually};
use chrono::TimeDelta;
use futures::StreamExt as _;
use meantime_protocol::http::{Op, Poke, PushOutcome};
use meantime_protocol::kinds::Role;
use meantime_server_core::Clock as _;
use meantime_server_core::limits::STREAMS_PER_DEVICE;
use reqwest::{Method, Response, StatusCode};
use std::time::{Duration, Instant};

crate::world::on_both! {
    a_stream_tells_what_moved,
    what_is_due_appears_by_itself_and_after_a_restart,
    one_device_does_not_take_all_streams,
    open_streams_do_not_keep_the_server,
    a_client_that_never_reads_keeps_nobody,
}

/// Reads events as they come.
pub struct Stream {
    answer: futures::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

impl Stream {
    pub async fn open(who: &Someone) -> Self {
        let answer: Response = who.call(Method::GET, "/v1/live").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer: answer.bytes_stream().boxed(), text: String::new() }
    }

    /// The next poke; `None` once the stream has ended.
    pub async fn next(&mut self) -> Option<Poke> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.strip_prefix("event: poke\ndata: ").map(str::to_owned);
                self.text = rest.to_owned();
                match data {
                    Some(data) => return Some(serde_json::from_str(&data).unwrap()),
                    None => continue,
                }
            }
            let next = tokio::time::timeout(Duration::from_secs(30), self.answer.next()).await.unwrap()?;
            self.text += std::str::from_utf8(&next.ok()?).unwrap();
        }
    }

    async fn reaches(&mut self, who: &Someone, seq: u64) {
        while self.next().await.unwrap().scopes.get(&who.team()).is_none_or(|upto| *upto < seq) {}
    }
}

async fn a_stream_tells_what_moved(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let kofi = world.someone("Kofi", Role::Member).await;
    let mut live = Stream::open(&ana).await;
    assert_eq!(live.next().await.unwrap().scopes[&ana.team()], 3);
    kofi.thread("News").await;
    live.reaches(&ana, 4).await;
}

async fn what_is_due_appears_by_itself_and_after_a_restart(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let kofi = world.someone("Kofi", Role::Member).await;
    let thread = kofi.thread("Later").await;
    let start = ana.bootstrap().await.start;
    let mut live = Stream::open(&ana).await;
    // Soon enough that the server must not wait for its next round.
    let soon = Some(world.clock.now() + TimeDelta::milliseconds(1500));
    let first = Op { visible_from: soon, ..kofi.message(thread, "in a moment") };
    let tomorrow = Some(world.clock.now() + TimeDelta::days(1));
    let second = Op { visible_from: tomorrow, ..kofi.message(thread, "tomorrow") };
    let ids = (first.id, second.id);
    kofi.push(vec![first, second]).await;
    live.reaches(&ana, start.seq + 3).await;
    let page = ana.pull(start, 10).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [ids.0]);
    assert!(page.rows[0].updated_at >= page.rows[0].visible_from.unwrap());

    world.clock.pass(TimeDelta::days(1));
    let world = world.restarted().await;
    let ana = Someone::again(world.client(), ana.joined.clone());
    eventually("tomorrow's message", async || !ana.pull(page.next, 10).await.unwrap().rows.is_empty()).await;
    let rows = ana.pull(page.next, 10).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| (row.id, row.seq)).collect::<Vec<_>>(), [(ids.1, start.seq + 4)]);
}

async fn one_device_does_not_take_all_streams(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let mut streams = Vec::new();
    for _ in 0..=STREAMS_PER_DEVICE {
        let mut live = Stream::open(&ana).await;
        live.next().await.unwrap();
        streams.push(live);
    }
    assert!(streams[0].next().await.is_none(), "the oldest has ended");
    ana.thread("News").await;
    for live in &mut streams[1..] {
        assert!(live.next().await.is_some());
    }
}

async fn open_streams_do_not_keep_the_server(world: World) {
    let mut people = Vec::new();
    for i in 0..10 {
        people.push(world.someone(&format!("Person {i}"), Role::Owner).await);
    }
    let mut streams = Vec::new();
    for someone in people.iter().cycle().take(50) {
        let mut live = Stream::open(someone).await;
        live.next().await.unwrap();
        streams.push(live);
    }
    let began = Instant::now();
    world.running.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for mut live in streams {
        assert!(live.next().await.is_none());
    }
}

async fn a_client_that_never_reads_keeps_nobody(world: World) {
    let ana = world.someone("Ana", Role::Owner).await;
    let _unread = ana.call(Method::GET, "/v1/live").send().await.unwrap();
    let thread = ana.thread("Busy").await;
    for _ in 0..20 {
        let results = ana.push((0..50).map(|i| ana.message(thread, &format!("{i}"))).collect()).await;
        assert!(results.iter().all(|result| matches!(result.outcome, PushOutcome::Applied { .. })));
    }
    let began = Instant::now();
    world.running.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
