//! Goal 7: ten thousand idle TLS streams on one server, then messages to all,
//! beside ejabberd and nats-server.
//!
//! By turns each server is started afresh, gets the streams, rests, is told
//! messages, and ends. Memory is the difference that the streams make.

use anyhow::{Context, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use meantime_tests::bench::certificate::Certificate;
use meantime_tests::bench::ejabberd::Ejabberd;
use meantime_tests::bench::figures::{Samples, cpu_of_all, family, pss, short};
use meantime_tests::bench::live::Live;
use meantime_tests::bench::nats::Nats;
use meantime_tests::bench::report::{Options, machine, open_files, program, table, version};
use meantime_tests::bench::seat::Seat;
use meantime_tests::bench::wire::{Listener, Teller};
use meantime_tests::{Server, World};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Streams that are being opened at the same time.
const AT_ONCE: usize = 64;
/// After that long a message counts as lost.
const LOST: Duration = Duration::from_secs(60);
/// Between one message and the next.
const PAUSE: Duration = Duration::from_secs(1);

/// What is measured.
struct Plan {
    streams: usize,
    rounds: usize,
    rest: Duration,
    messages: usize,
}

const FULL: Plan = Plan { streams: 10_000, rounds: 2, rest: Duration::from_secs(16), messages: 5 };
const QUICK: Plan = Plan { streams: 200, rounds: 1, rest: Duration::from_secs(2), messages: 2 };

fn main() -> Result<()> {
    let options = Options::from_args();
    let plan = if options.quick { QUICK } else { FULL };
    let _ = rustls::crypto::ring::default_provider().install_default();
    open_files(plan.streams)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut bench = Bench::start(plan).await?;
        let mut sides = [Side::new(Who::Http2), Side::new(Who::Http1), Side::new(Who::Ejabberd), Side::new(Who::Nats)];
        for round in 1..=bench.plan.rounds {
            for side in &mut sides {
                bench.turn(side).await.with_context(|| side.who.name())?;
                let (each, p99) = (short(side.memory.median()), short(side.heard.quantile(0.99)));
                println!("round {round}: {}: {each} KB each, p99 {p99} ms", side.who.name());
            }
        }
        options.finish(&report(&bench, &sides))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Http2,
    Http1,
    Ejabberd,
    Nats,
}

impl Who {
    fn name(self) -> &'static str {
        match self {
            Self::Http2 => "meantime, HTTP/2 as the app",
            Self::Http1 => "meantime, HTTP/1.1",
            Self::Ejabberd => "ejabberd",
            Self::Nats => "nats-server",
        }
    }

    fn is_ours(self) -> bool {
        matches!(self, Self::Http2 | Self::Http1)
    }
}

/// One of those who are compared, and what was seen of it.
struct Side {
    who: Who,
    /// KB of the server for each stream.
    memory: Samples,
    /// CPU milliseconds of the server to open one.
    opening: Samples,
    /// Per cent of a core of the server while all are idle.
    idle: Samples,
    /// Milliseconds until one has heard, over all rounds.
    heard: Samples,
    /// Milliseconds until the last has heard, one a message.
    last: Samples,
}

impl Side {
    fn new(who: Who) -> Self {
        let (memory, opening, idle, heard, last) = Default::default();
        Self { who, memory, opening, idle, heard, last }
    }
}

struct Bench {
    plan: Plan,
    certificate: Certificate,
    /// Our server between its turns, and who joined it.
    team: Option<Server>,
    seats: Arc<Vec<Seat>>,
    written: u64,
    turns: usize,
    world: World,
}

impl Bench {
    async fn start(plan: Plan) -> Result<Self> {
        let world = World::new()?;
        let certificate = Certificate::make(world.path())?;
        let team = Server::team("Blue Team", &world.path().join("server"), &world.logs()).await?;
        // How fast streams may come is for storms: here they come at once.
        team.set("streams_per_second = 250", "streams_per_second = 1000000")?;
        let began = Instant::now();
        // One more, who writes.
        let seats = Arc::new(Seat::take(&team, plan.streams + 1).await?);
        println!("{} people joined in {} s", seats.len(), short(began.elapsed().as_secs_f64()));
        Ok(Self { plan, certificate, team: Some(team), seats, written: 0, turns: 0, world })
    }

    async fn turn(&mut self, side: &mut Side) -> Result<()> {
        self.turns += 1;
        let (folder, logs) = (self.world.folder(&format!("turn-{}", self.turns))?, self.world.logs());
        match side.who {
            Who::Ejabberd => {
                let mut server = Ejabberd::start(&folder, &logs, &self.certificate).await?;
                self.measure(side, server.pid(), &mut server).await
            }
            Who::Nats => {
                let mut server = Nats::start(&folder, &logs, &self.certificate).await?;
                self.measure(side, server.pid(), &mut server).await
            }
            Who::Http2 | Who::Http1 => {
                // A new process: one that had streams keeps memory for more.
                let server = self.team.take().context("our server is gone")?.crash_and_restart().await?;
                let data = self.world.path().join("server");
                let mut live = self.live(&data, side.who == Who::Http2).await?;
                self.measure(side, server.pid(), &mut live).await?;
                self.written = live.last();
                self.team = Some(server);
                Ok(())
            }
        }
    }

    async fn live(&self, data: &Path, http2: bool) -> Result<Live> {
        Live::new(Arc::clone(&self.seats), data, http2, self.written).await
    }

    async fn measure(&self, side: &mut Side, server: u32, teller: &mut dyn Teller) -> Result<()> {
        let streams = self.plan.streams;
        // At rest after its start.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (memory, cpu) = (pss(&family(server)), cpu_of_all(server));
        let listeners: Vec<Box<dyn Listener>> =
            stream::iter(0..streams).map(|n| teller.open(n)).buffer_unordered(AT_ONCE).try_collect().await?;
        side.opening.add((cpu_of_all(server) - cpu) * 1000.0 / streams as f64);

        let (heard, mut told) = mpsc::unbounded_channel();
        let tasks: Vec<_> =
            listeners.into_iter().map(|listener| tokio::spawn(listen(listener, heard.clone()))).collect();
        let (cpu, began) = (cpu_of_all(server), Instant::now());
        tokio::time::sleep(self.plan.rest).await;
        side.idle.add((cpu_of_all(server) - cpu) * 100.0 / began.elapsed().as_secs_f64());
        side.memory.add((pss(&family(server)) - memory) * 1024.0 / streams as f64);

        for _ in 0..self.plan.messages {
            let began = Instant::now();
            teller.tell().await?;
            let mut times = Vec::with_capacity(streams);
            for n in 0..streams {
                let next = tokio::time::timeout(LOST, told.recv()).await;
                let at = next.with_context(|| format!("only {n} of {streams} heard"))?.context("nobody listens")??;
                times.push(at - began);
            }
            side.last.add_time(times.iter().max().copied().unwrap_or_default());
            side.heard.add_times(times);
            tokio::time::sleep(PAUSE).await;
        }
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        Ok(())
    }
}

/// Tells when each message came, or why no more do.
async fn listen(mut listener: Box<dyn Listener>, heard: mpsc::UnboundedSender<Result<Instant>>) {
    loop {
        let come = listener.hear().await.map(|()| Instant::now());
        let ends = come.is_err();
        if heard.send(come).is_err() || ends {
            return;
        }
    }
}

fn report(bench: &Bench, sides: &[Side]) -> String {
    let plan = &bench.plan;
    let met = |is_met: bool| if is_met { "met" } else { "missed" };
    let head = [
        "",
        "KB of the server a stream",
        "heard, p50, ms",
        "p99, ms",
        "last of all, ms",
        "CPU to open one, ms",
        "CPU at rest, % of a core",
        "≤ 25 KB",
        "p99 ≤ 500 ms",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for side in sides {
        let p99 = side.heard.quantile(0.99);
        let only = |text: &str| if side.who.is_ours() { text.to_owned() } else { String::new() };
        rows.push(vec![
            side.who.name().to_owned(),
            side.memory.told(),
            short(side.heard.median()),
            short(p99),
            side.last.told(),
            side.opening.told(),
            side.idle.told(),
            only(met(side.memory.median() <= 25.0)),
            only(met(p99 <= 500.0)),
        ]);
    }
    let mut ratios =
        vec![["", "memory, peer ÷ ours", "p50, peer ÷ ours", "p99, peer ÷ ours"].map(str::to_owned).to_vec()];
    for ours in sides.iter().filter(|side| side.who.is_ours()) {
        for peer in sides.iter().filter(|side| !side.who.is_ours()) {
            let ratio = |of: fn(&Side) -> f64| format!("{}×", short(of(peer) / of(ours)));
            rows_of(
                &mut ratios,
                ours,
                peer,
                [
                    ratio(|side| side.memory.median()),
                    ratio(|side| side.heard.median()),
                    ratio(|side| side.heard.quantile(0.99)),
                ],
            );
        }
    }
    let nats = program("nats-server").to_string_lossy().into_owned();
    let ejabberd = version("dpkg-query", &["--show", "--showformat=ejabberd ${Version}", "ejabberd"]);
    format!(
        "# Idle streams\n\nGoal 7: {streams} idle TLS streams on one server cost at most 25 KB each, and a message to \
         all is heard by 99 of 100 within half a second.\n\n\
         Workload: {streams} streams, {rounds} rounds by turns, each on a server that was just started; {rest} s of \
         rest, then {messages} messages to all, one a second. Memory is the difference in PSS that the streams make, \
         with all processes of a server, without the system's own buffers; medians (least–most) of the rounds. Times \
         are over all that heard.\n\n\
         What is comparable and what is not:\n\n\
         - The same client program holds all streams, beside the server on the same {cores} cores: times have both in \
         them. TLS 1.3 with an ECDSA P-256 certificate and a whole handshake each, everywhere.\n\
         - Ours: {streams} people of one team, each with a token of their own. The clock runs from before the message \
         is sent to the server, which commits it to the disk (SQLite, `synchronous = FULL`) before it pokes. A poke says \
         that the feed moved; the app then pulls, which is not measured here but in [storm.md](storm.md). Our server \
         writes a comment on every stream each 15 seconds; that is its CPU at rest, together with looking whether \
         somebody was removed.\n\
         - ejabberd: clients without an account (SASL ANONYMOUS), present, no rosters, one `announce/online`; nothing \
         is kept on a disk. It carries the message itself.\n\
         - nats-server: one subject; no people, no rights, nothing is kept. It carries the message itself, and is the \
         floor of what a message to all can cost.\n\n\
         Machine: {machine}. Versions: meantime {ours}, {ejabberd}, {nats}.\n\n{rows}\n{ratios}",
        streams = plan.streams,
        rounds = plan.rounds,
        rest = plan.rest.as_secs(),
        messages = plan.messages,
        cores = std::thread::available_parallelism().map_or(0, usize::from),
        machine = machine(),
        ours = env!("CARGO_PKG_VERSION"),
        nats = version(&nats, &["--version"]),
        rows = table(&rows),
        ratios = table(&ratios),
    )
}

fn rows_of(rows: &mut Vec<Vec<String>>, ours: &Side, peer: &Side, ratios: [String; 3]) {
    let name = format!("{} ÷ {}", peer.who.name(), ours.who.name());
    rows.push(std::iter::once(name).chain(ratios).collect());
}
