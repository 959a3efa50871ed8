//! Goal 12: the server is killed and started again while ten thousand apps
//! listen and fifty people keep writing.
//!
//! The apps are our own syncer, with its own waits, over our own HTTP client,
//! each with connections of its own; only what they store is left out.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use meantime_protocol::http::{Op, PushOutcome, PushRequest};
use meantime_protocol::{Cursor, Kind, Scope};
use meantime_sync::{Feed, HttpRemote, Remote as _, RemoteError};
use meantime_tests::bench::app::App;
use meantime_tests::bench::figures::{Samples, cpu_of_all, short};
use meantime_tests::bench::report::{Options, machine, open_files, table};
use meantime_tests::bench::seat::{Seat, message, op};
use meantime_tests::{Server, World};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What is measured.
struct Plan {
    apps: usize,
    writers: usize,
    outages: usize,
    /// Between one change of a writer and the next.
    pause: Duration,
    /// How long the server is gone.
    gone: Duration,
}

const FULL: Plan =
    Plan { apps: 10_000, writers: 50, outages: 2, pause: Duration::from_millis(500), gone: Duration::from_secs(3) };
const QUICK: Plan = Plan { apps: 200, writers: 5, outages: 1, ..FULL };

/// Apps that come up at the same time, before anything is measured.
const AT_ONCE: usize = 64;
/// A writer tries again after this long.
const AGAIN: Duration = Duration::from_millis(100);
/// So long the writers write on before and after.
const CALM: Duration = Duration::from_secs(5);
/// After so long the apps count as lost.
const LOST: Duration = Duration::from_secs(600);

fn main() -> Result<()> {
    let options = Options::from_args();
    let plan = if options.quick { QUICK } else { FULL };
    let _ = rustls::crypto::ring::default_provider().install_default();
    open_files(plan.apps + 1_000)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut storm = Storm::start(plan).await?;
        let mut seen = Vec::new();
        for n in 1..=storm.plan.outages {
            let outage = storm.outage().await?;
            println!("outage {n}: all were back after {} s", short(outage.back.as_secs_f64()));
            seen.push(outage);
        }
        options.finish(&report(&storm.plan, &seen))
    })
}

/// The team, its apps, and those who write.
struct Storm {
    plan: Plan,
    server: Option<Server>,
    /// Writes to everybody.
    teller: Seat,
    thread: Uuid,
    /// How often.
    told: u64,
    apps: Vec<App>,
    writers: Vec<Writer>,
    circle: Scope,
    circle_thread: Uuid,
    /// Holds the server's folder.
    _world: World,
}

/// What was seen of one outage; times from the moment the server accepts
/// connections again.
struct Outage {
    /// Until the first app had the message that was sent at once.
    first: Duration,
    /// Until half of them had.
    half: Duration,
    /// Until all had.
    back: Duration,
    /// Server CPU seconds until then.
    cpu: f64,
    /// From a writer's first try to the server's yes, in ms: when all was calm,
    /// when the server was not there at the first try, and when the apps came back.
    calm: Samples,
    without: Samples,
    during: Samples,
    /// From a message to the moment all apps had read it, once all were back.
    to_all: Duration,
}

/// Somebody who writes, one change after the other, whatever happens.
struct Writer {
    seat: Seat,
    n: u64,
}

/// One change: its first try, and when the server said yes.
struct Written {
    from: Instant,
    until: Instant,
}

impl Storm {
    async fn start(plan: Plan) -> Result<Self> {
        let world = World::new()?;
        let server = Server::team("Blue Team", &world.path().join("server"), &world.logs()).await?;
        let mut seats = Seat::take(&server, 1 + plan.writers + plan.apps).await?;
        let crowd = seats.split_off(1 + plan.writers);
        let mut few = seats.into_iter();
        let teller = few.next().context("nobody joined")?;
        let writers: Vec<Writer> = few.map(|seat| Writer { seat, n: 0 }).collect();
        let remote = teller.remote()?;
        let thread = teller.open_thread(&remote, 1, teller.team()).await?;
        // Those who write are a circle of their own: with their every word to
        // all ten thousand, this would measure that instead.
        let circle = Uuid::now_v7();
        let members: Vec<_> =
            writers.iter().map(|writer| &writer.seat).chain([&teller]).map(|s| s.joined.person).collect();
        let space = json!({"title": "Those who write", "members": members});
        let circle_scope = Scope::Private(circle);
        teller.push(&remote, vec![op(2, circle_scope, Kind::SPACE, circle, space)]).await?;
        let circle_thread = teller.open_thread(&remote, 3, circle_scope).await?;

        // They were there before: each begins where the feeds stand now.
        let began = Instant::now();
        let feeds = remote.me().await?.scopes;
        let apps: Vec<App> = stream::iter(crowd)
            .map(|seat| App::light(&seat, known(&seat, &feeds)))
            .map(async |app| {
                let app = app?;
                app.live().await?;
                Ok::<_, anyhow::Error>(app)
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        println!("{} apps are up after {} s", apps.len(), short(began.elapsed().as_secs_f64()));
        let told = 0;
        Ok(Self {
            plan,
            server: Some(server),
            teller,
            thread,
            told,
            apps,
            writers,
            circle: circle_scope,
            circle_thread,
            _world: world,
        })
    }

    async fn outage(&mut self) -> Result<Outage> {
        let stop = Arc::new(AtomicBool::new(false));
        let writing: Vec<_> = std::mem::take(&mut self.writers)
            .into_iter()
            .map(|writer| {
                tokio::spawn(writer.write(self.circle, self.circle_thread, self.plan.pause, Arc::clone(&stop)))
            })
            .collect();
        tokio::time::sleep(CALM).await;

        let stopped = self.server.take().context("the server is gone")?.stop();
        let gone = Instant::now();
        tokio::time::sleep(self.plan.gone).await;
        let server = stopped.start().await?;
        let there = Instant::now();
        let cpu = cpu_of_all(server.pid());
        self.told += 1;
        self.tell().await?;
        let reached = self.all_have(there).await?;
        let back = there + reached.quantile_time(1.0);
        let cpu = cpu_of_all(server.pid()) - cpu;
        for app in &self.apps {
            tokio::time::timeout(LOST, app.live()).await.context("an app did not come back")??;
        }
        tokio::time::sleep(CALM).await;

        self.told += 1;
        let began = Instant::now();
        self.tell().await?;
        let to_all = self.all_have(began).await?.quantile_time(1.0);

        stop.store(true, Ordering::Relaxed);
        let (mut calm, mut without, mut during) = <(Samples, Samples, Samples)>::default();
        for ended in try_join_all(writing).await? {
            let (writer, written) = ended?;
            for one in written {
                let times = match one.from {
                    from if from >= gone && from < there => &mut without,
                    // Under way when it was killed: tried again until it was there.
                    from if from < gone && one.until > there => &mut without,
                    from if from >= there && from < back => &mut during,
                    _ => &mut calm,
                };
                times.add_time(one.until - one.from);
            }
            self.writers.push(writer);
        }
        self.nothing_lost().await?;
        self.server = Some(server);
        let (first, half) = (reached.quantile_time(0.0), reached.quantile_time(0.5));
        Ok(Outage { first, half, back: back - there, cpu, calm, without, during, to_all })
    }

    /// One message to the whole team, tried until the server has it.
    async fn tell(&self) -> Result<()> {
        let remote = self.teller.remote()?;
        let words = format!("Message {} to everybody", self.told);
        let op = message(3 + self.told, self.teller.team(), self.thread, &words);
        insist(&self.teller, &remote, op).await
    }

    /// How long after `from` each app had read all messages to the team.
    async fn all_have(&self, from: Instant) -> Result<Samples> {
        let times = Mutex::new(Vec::with_capacity(self.apps.len()));
        let each = self.apps.iter().map(async |app| {
            app.until(|now| now.messages >= self.told).await?;
            times.lock().unwrap_or_else(PoisonError::into_inner).push(from.elapsed());
            Ok::<_, anyhow::Error>(())
        });
        let all = tokio::time::timeout(LOST, try_join_all(each)).await;
        let times = times.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.with_context(|| format!("only {} of {} apps came back", times.len(), self.apps.len()))??;
        let mut samples = Samples::default();
        samples.add_times(times);
        Ok(samples)
    }

    /// Every message to the team is in every app, once; every change that the
    /// server said yes to is in the circle's feed, once.
    async fn nothing_lost(&self) -> Result<()> {
        for app in &self.apps {
            let has = app.progress().messages;
            ensure!(has == self.told, "an app has {has} of {} messages", self.told);
        }
        let written: u64 = self.writers.iter().map(|writer| writer.n).sum();
        let remote = self.teller.remote()?;
        let epoch = remote.me().await?.scopes.get(&self.circle).context("the circle's feed")?.epoch;
        let (mut cursor, mut found) = (Cursor { epoch, seq: 0 }, 0);
        loop {
            let page = remote.pull(self.circle, cursor).await?;
            found += page.rows.iter().filter(|row| row.kind == Kind::MESSAGE).count() as u64;
            cursor = page.next;
            if !page.more {
                break;
            }
        }
        ensure!(found == written, "{written} messages were written, {found} are there");
        Ok(())
    }
}

/// The team's feed and one's own, at their ends.
fn known(seat: &Seat, feeds: &BTreeMap<Scope, Cursor>) -> Vec<Feed> {
    let team = feeds.get(&seat.team()).copied();
    let own = team.map(|team| Cursor { epoch: team.epoch, seq: 0 });
    let own_scope = Scope::User(seat.joined.person);
    let feed = |scope, cursor| Feed { scope, cursor, page: None, was: None, lost: false };
    vec![feed(seat.team(), team), feed(own_scope, own)]
}

impl Writer {
    async fn write(
        mut self,
        circle: Scope,
        thread: Uuid,
        pause: Duration,
        stop: Arc<AtomicBool>,
    ) -> Result<(Self, Vec<Written>)> {
        let remote = self.seat.remote()?;
        let mut written = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            self.n += 1;
            let op = message(self.n, circle, thread, "A word among those who write");
            let from = Instant::now();
            insist(&self.seat, &remote, op).await?;
            written.push(Written { from, until: Instant::now() });
            tokio::time::sleep(pause).await;
        }
        Ok((self, written))
    }
}

/// Sends one change, again and again until the server has it.
async fn insist(seat: &Seat, remote: &HttpRemote, op: Op) -> Result<()> {
    let request = PushRequest { device: seat.joined.device, ops: vec![op] };
    loop {
        let answer = match remote.push(&request).await {
            Err(RemoteError::Offline(_) | RemoteError::Busy { .. }) => {
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            answer => answer?,
        };
        for result in answer.results {
            if let PushOutcome::Rejected { problem } = result.outcome {
                anyhow::bail!("a change was refused: {problem}");
            }
        }
        return Ok(());
    }
}

fn report(plan: &Plan, seen: &[Outage]) -> String {
    let met = |is_met: bool| if is_met { "met" } else { "missed" };
    let seconds = |of: fn(&Outage) -> f64| {
        let mut samples = Samples::default();
        seen.iter().for_each(|outage| samples.add(of(outage)));
        samples
    };
    let back = seconds(|outage| outage.back.as_secs_f64());
    let p99 = seconds(|outage| outage.during.quantile(0.99));
    let head = [
        "outage",
        "first back, s",
        "half back, s",
        "all back, s",
        "server CPU until then, s",
        "a message to all, then, s",
        "writers when calm, p50 / p99, ms",
        "writers while they came back, p50 / p99, ms",
        "begun without a server, longest, ms",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (n, outage) in seen.iter().enumerate() {
        let both = |samples: &Samples| {
            format!("{} / {} ({})", short(samples.median()), short(samples.quantile(0.99)), samples.count())
        };
        rows.push(vec![
            (n + 1).to_string(),
            short(outage.first.as_secs_f64()),
            short(outage.half.as_secs_f64()),
            short(outage.back.as_secs_f64()),
            short(outage.cpu),
            short(outage.to_all.as_secs_f64()),
            both(&outage.calm),
            both(&outage.during),
            short(outage.without.quantile(1.0)),
        ]);
    }
    let (worst, slowest) = (back.quantile(1.0), p99.quantile(1.0));
    format!(
        "# Coming back after an outage\n\nGoal 12: {apps} apps come back within 120 s of a restart, nothing is lost, and \
         99 of 100 changes of the others take at most 2 s.\n\n\
         **All back after {} s at worst: {}. Nothing lost: met (the benchmark ends otherwise). p99 of the others: {} ms \
         at worst: {}.**\n\n\
         Workload: one team; {apps} apps listen, {writers} people write {rate} changes a second in a circle of their \
         own. The server is killed (SIGKILL) and started again {gone} s later, {outages} times. At once somebody sends \
         a message to the team: an app is back when it has read it. Afterwards all are told once more.\n\n\
         What this is and what it isn't:\n\n\
         - Each app is the app's own syncer and HTTP client, with connections, TLS handshakes (whole ones, TLS 1.3) and \
         waits of its own: up to 5 s after a stream that ended well, 1, 2, 4 … s, drawn from the upper half, after a \
         failure. What it stores is left out: there are no ten thousand disks here. The apps are in one process beside \
         the server, on the same {cores} cores, so the times have both in them.\n\
         - The writers are impatient: they try again after {again} ms, without the syncer's waits, under the same \
         number, so that nothing is taken twice. Changes whose first try found no server are listed apart: they wait \
         for it. Numbers in parentheses are how many.\n\
         - Every app's messages are counted in the end, and the circle's feed is read from its beginning and counted \
         against what the writers were told was taken.\n\
         - No peer: none of them has apps that come back by themselves.\n\n\
         Machine: {machine}. Versions: meantime {ours}, SQLite with `synchronous = FULL`.\n\n{table}",
        short(worst),
        met(worst <= 120.0),
        short(slowest),
        met(slowest <= 2000.0),
        apps = plan.apps,
        writers = plan.writers,
        rate = short(plan.writers as f64 / plan.pause.as_secs_f64()),
        gone = plan.gone.as_secs(),
        outages = plan.outages,
        cores = std::thread::available_parallelism().map_or(0, usize::from),
        again = AGAIN.as_millis(),
        machine = machine(),
        ours = env!("CARGO_PKG_VERSION"),
        table = table(&rows),
    )
}
