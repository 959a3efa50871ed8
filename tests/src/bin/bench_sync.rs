//! Goals 1, 3 and 4: a team's messages to every app, one message at idle, and
//! an archive to a fresh app, beside Synapse; each on SQLite and PostgreSQL.
//!
//! Every measurement is made of all sides by turns, round by round. CPU time
//! is the servers' alone (with PostgreSQL, where there is one): all clients
//! are in this process.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use meantime_server_postgres::kit::PostgresServer;
use meantime_sync::Remote as _;
use meantime_tests::bench::app::App;
use meantime_tests::bench::certificate::Certificate;
use meantime_tests::bench::corpus::Corpus;
use meantime_tests::bench::figures::{Samples, cpu_of_all, short};
use meantime_tests::bench::plain::Plain;
use meantime_tests::bench::report::{Options, machine, table, version};
use meantime_tests::bench::seat::{Seat, message};
use meantime_tests::bench::synapse::{self, Follower, Person, Room, Synapse};
use meantime_tests::{Server, World};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

/// What is measured.
struct Plan {
    people: usize,
    messages: u64,
    rounds: usize,
    idle: usize,
    archive: u64,
    fresh: usize,
    /// Fifty whole apps on one machine take minutes for more.
    whole_messages: u64,
    /// A peer that takes a minute for a thousand messages gets fewer; what is
    /// compared is what one costs.
    peer_messages: u64,
    peer_archive: u64,
}

const FULL: Plan = Plan {
    people: 50,
    messages: 10_000,
    rounds: 2,
    idle: 60,
    archive: 100_000,
    fresh: 2,
    whole_messages: 1_000,
    peer_messages: 500,
    peer_archive: 2_000,
};
const QUICK: Plan = Plan {
    people: 8,
    messages: 160,
    rounds: 1,
    idle: 10,
    archive: 2_000,
    fresh: 1,
    whole_messages: 160,
    peer_messages: 80,
    peer_archive: 100,
};

fn main() -> Result<()> {
    let options = Options::from_args();
    let plan = if options.quick { QUICK } else { FULL };
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut bench = Bench::start(plan).await?;
        let mut sides = sides();
        for n in 0..bench.plan.idle {
            for side in &mut sides {
                let took = bench.one(side).await.with_context(|| side.name)?;
                // The first warms up.
                if n > 0 {
                    side.idle.add_time(took);
                }
            }
        }
        bench.pairs.clear();
        for round in 1..=bench.plan.rounds {
            for side in &mut sides {
                let spent = bench.all(side).await.with_context(|| side.name)?;
                let Spent { messages, wall, cpu } = &spent;
                println!("round {round}: {}: {messages} in {} s, {} s of CPU", side.name, short(*wall), short(*cpu));
                side.all.add(&spent);
            }
        }
        for side in sides.iter_mut().filter(|side| !side.at_once) {
            bench.archive(side).await.with_context(|| side.name)?;
        }
        options.finish(&report(&bench, &sides))
    })
}

/// Which server, and which clients.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    /// Our server and whole apps.
    Whole,
    /// Our server and lean clients.
    Lean,
    /// Synapse and lean clients.
    Synapse,
}

/// One of those who are compared, and what was seen of it.
struct Side {
    name: &'static str,
    program: Program,
    on_postgres: bool,
    /// Everybody's messages wait in the outbox when it begins.
    at_once: bool,
    idle: Samples,
    all: Measured,
    archive: Measured,
}

/// Wall and server CPU time, in seconds, for so many messages.
struct Spent {
    messages: u64,
    wall: f64,
    cpu: f64,
}

#[derive(Default)]
struct Measured {
    messages: u64,
    wall: Samples,
    cpu: Samples,
}

impl Measured {
    fn add(&mut self, spent: &Spent) {
        self.messages = spent.messages;
        self.wall.add(spent.wall);
        self.cpu.add(spent.cpu);
    }

    /// Messages a second.
    fn rate(&self) -> f64 {
        self.messages as f64 / self.wall.median()
    }

    /// Server CPU time of one message, in milliseconds. A clock tick is 10 ms.
    fn cost(&self) -> f64 {
        self.cpu.median().max(0.01) * 1000.0 / self.messages as f64
    }
}

fn sides() -> Vec<Side> {
    let side = |name, program, on_postgres, at_once| {
        let (all, archive) = Default::default();
        Side { name, program, on_postgres, at_once, idle: Samples::default(), all, archive }
    };
    vec![
        side("meantime, whole apps, SQLite", Program::Whole, false, false),
        side("Synapse, SQLite", Program::Synapse, false, false),
        side("meantime, lean clients, SQLite", Program::Lean, false, false),
        side("meantime, whole apps, PostgreSQL", Program::Whole, true, false),
        side("Synapse, PostgreSQL", Program::Synapse, true, false),
        side("meantime, lean clients, PostgreSQL", Program::Lean, true, false),
        side("meantime, whole apps that were offline, SQLite", Program::Whole, false, true),
    ]
}

/// Everything that runs during the whole benchmark.
struct Bench {
    plan: Plan,
    texts: Vec<String>,
    certificate: Certificate,
    synapse: [Peer; 2],
    postgres: PostgresServer,
    pairs: Vec<(&'static str, Pair)>,
    servers: u32,
    world: World,
    /// Client databases of the workloads with many apps: in memory, since
    /// fifty people have fifty disks.
    memory: TempDir,
}

/// A Synapse with its people, and the PostgreSQL below it.
struct Peer {
    synapse: Synapse,
    people: Vec<Person>,
    postgres: Option<PostgresServer>,
}

/// Two people at rest.
enum Pair {
    Ours { _server: Server, from: Box<App>, to: Box<App>, thread: Uuid },
    Synapse { room: Room, to: Follower, sent: u64 },
}

/// A team of ours, with one person more to open the thread.
struct Team {
    server: Server,
    seats: Vec<Seat>,
    thread: Uuid,
    /// Where the feed stands.
    seq: u64,
}

impl Bench {
    async fn start(plan: Plan) -> Result<Self> {
        let world = World::new()?;
        let certificate = Certificate::make(world.path())?;
        let corpus = Corpus::new();
        let texts = (0..1000).map(|n| text_of_200_bytes(&corpus, n)).collect();
        let memory = tempfile::Builder::new().prefix("mt-bench-").tempdir_in("/dev/shm")?;
        let synapse = [
            Peer::start(&world, "synapse-sqlite", &certificate, None, plan.people).await?,
            Peer::start(&world, "synapse-postgres", &certificate, Some(PostgresServer::start()), plan.people).await?,
        ];
        let postgres = PostgresServer::start();
        Ok(Self { plan, texts, certificate, synapse, postgres, pairs: Vec::new(), servers: 0, world, memory })
    }

    fn text(&self, n: usize) -> &str {
        self.texts.get(n % self.texts.len().max(1)).map_or("", String::as_str)
    }

    async fn team(&mut self, side: &Side, people: usize) -> Result<Team> {
        self.servers += 1;
        let data = self.world.path().join(format!("server-{}", self.servers));
        let url = self.world.path().join(format!("url-{}", self.servers));
        let mut more = Vec::new();
        if side.on_postgres {
            let name = format!("ours_{}", self.servers);
            self.postgres.sql("postgres", &format!("CREATE DATABASE {name} OWNER meantime"));
            std::fs::write(&url, self.postgres.url("meantime", &name))?;
            std::fs::set_permissions(&url, std::fs::Permissions::from_mode(0o600))?;
            more = vec!["--postgres-url-file", url.to_str().context("a path")?];
        }
        let server = Server::team_with("Blue Team", &data, &self.world.logs(), &more).await?;
        let mut seats = Seat::take(&server, people + 1).await?;
        let opener = seats.pop().context("nobody joined")?;
        let remote = opener.remote()?;
        let thread = opener.open_thread(&remote, 1, opener.team()).await?;
        let seq = remote.me().await?.scopes.get(&opener.team()).context("no team feed")?.seq;
        Ok(Team { server, seats, thread, seq })
    }

    /// CPU time of a side's server so far.
    fn cpu(&self, side: &Side, server: Option<&Server>) -> f64 {
        let database = |postgres: &PostgresServer| {
            let pid = postgres.sql("postgres", "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)");
            pid.parse().map_or(f64::NAN, cpu_of_all)
        };
        match server {
            Some(server) if side.on_postgres => cpu_of_all(server.pid()) + database(&self.postgres),
            Some(server) => cpu_of_all(server.pid()),
            None => {
                let [on_sqlite, on_postgres] = &self.synapse;
                let peer = if side.on_postgres { on_postgres } else { on_sqlite };
                cpu_of_all(peer.synapse.pid()) + peer.postgres.as_ref().map_or(0.0, database)
            }
        }
    }

    /// Goal 3: one message between two people at rest.
    async fn one(&mut self, side: &Side) -> Result<Duration> {
        if !self.pairs.iter().any(|(name, _)| *name == side.name) {
            let pair = self.pair(side).await?;
            self.pairs.push((side.name, pair));
        }
        let words = self.text(self.pairs.len()).to_owned();
        let pair = self.pairs.iter_mut().find(|(name, _)| *name == side.name).context("no pair")?;
        // At rest: nothing of the one before is still under way.
        tokio::time::sleep(Duration::from_millis(30)).await;
        let began = Instant::now();
        match &mut pair.1 {
            Pair::Ours { from, to, thread, .. } => {
                let before = to.progress().messages;
                from.send(*thread, &words).await?;
                to.until(|now| now.messages > before).await?;
            }
            Pair::Synapse { room, to, sent } => {
                *sent += 1;
                let person = room.people.first().context("an empty room")?;
                room.send(person, *sent, &words).await?;
                to.until(*sent).await?;
            }
        }
        Ok(began.elapsed())
    }

    async fn pair(&mut self, side: &Side) -> Result<Pair> {
        let folder = self.world.folder(&format!("pair-{}", self.pairs.len()))?;
        if side.program == Program::Synapse {
            let people = self.peer(side).people.get(..2).context("too few people")?.to_vec();
            let room = Room::of(&people).await?;
            let reader = room.people.last().context("an empty room")?;
            let to = Follower::start(&room, reader, &folder).await?;
            return Ok(Pair::Synapse { room, to, sent: 0 });
        }
        let team = self.team(side, 2).await?;
        let mut apps = Vec::new();
        for (n, seat) in team.seats.iter().enumerate() {
            let app = side.app(seat, &folder.join(n.to_string()))?;
            app.until(|now| now.seq >= team.seq).await?;
            app.live().await?;
            apps.push(Box::new(app));
        }
        let (to, from) = (apps.pop().context("no app")?, apps.pop().context("no app")?);
        Ok(Pair::Ours { _server: team.server, from, to, thread: team.thread })
    }

    fn peer(&mut self, side: &Side) -> &mut Peer {
        let [on_sqlite, on_postgres] = &mut self.synapse;
        if side.on_postgres { on_postgres } else { on_sqlite }
    }

    /// Goal 1: everybody writes, one message after the other, until everybody
    /// has them all.
    async fn all(&mut self, side: &Side) -> Result<Spent> {
        let folder = self.memory.path().join(format!("apps-{}", Uuid::now_v7()));
        let spent = match side.program {
            Program::Synapse => self.all_of_synapse(side, &folder).await,
            Program::Whole | Program::Lean => self.all_of_ours(side, &folder).await,
        };
        std::fs::remove_dir_all(&folder)?;
        spent
    }

    async fn all_of_ours(&mut self, side: &Side, folder: &Path) -> Result<Spent> {
        let team = self.team(side, self.plan.people).await?;
        let all = if side.program == Program::Whole { self.plan.whole_messages } else { self.plan.messages };
        let each = all / self.plan.people as u64;
        let total = each * self.plan.people as u64;
        let mut apps = Vec::new();
        for (n, seat) in team.seats.iter().enumerate() {
            apps.push(side.app(seat, &folder.join(n.to_string()))?);
        }
        for app in &apps {
            app.until(|now| now.seq >= team.seq).await?;
            app.live().await?;
        }
        let (cpu, began) = (self.cpu(side, Some(&team.server)), Instant::now());
        let write = async |n: usize, app: &App| {
            for m in 0..each {
                let text = self.text(n * 31 + usize::try_from(m).unwrap_or_default());
                app.send(team.thread, text).await?;
                if !side.at_once {
                    app.until(|now| now.taken > m).await?;
                }
            }
            app.until(|now| now.seq >= team.seq + total && now.taken >= each).await
        };
        try_join_all(apps.iter().enumerate().map(|(n, app)| write(n, app))).await?;
        let wall = began.elapsed().as_secs_f64();
        let spent = Spent { messages: total, wall, cpu: self.cpu(side, Some(&team.server)) - cpu };
        for app in [apps.first(), apps.last()].into_iter().flatten() {
            ensure!(app.count()? == total, "an app has {} of {total} messages", app.count()?);
        }
        Ok(spent)
    }

    async fn all_of_synapse(&mut self, side: &Side, folder: &Path) -> Result<Spent> {
        let people = self.peer(side).people.clone();
        let room = Room::of(&people).await?;
        let each = self.plan.peer_messages / people.len() as u64;
        let total = each * people.len() as u64;
        let mut followers = Vec::new();
        for (n, person) in people.iter().enumerate() {
            followers.push(Follower::start(&room, person, &folder.join(n.to_string())).await?);
        }
        let (cpu, began) = (self.cpu(side, None), Instant::now());
        let write = async |n: usize, person: &Person, follower: &Follower| {
            for m in 0..each {
                let text = self.text(n * 31 + usize::try_from(m).unwrap_or_default());
                room.send(person, m, text).await?;
            }
            follower.until(total).await
        };
        let pairs = people.iter().zip(&followers).enumerate();
        try_join_all(pairs.map(|(n, (person, follower))| write(n, person, follower))).await?;
        let wall = began.elapsed().as_secs_f64();
        let spent = Spent { messages: total, wall, cpu: self.cpu(side, None) - cpu };
        for follower in [followers.first(), followers.last()].into_iter().flatten() {
            ensure!(follower.count()? == total, "a client has {} of {total} messages", follower.count()?);
        }
        Ok(spent)
    }

    /// Goal 4: everything there is, to somebody who just came.
    async fn archive(&mut self, side: &mut Side) -> Result<()> {
        if side.program == Program::Synapse {
            return self.archive_of_synapse(side).await;
        }
        let team = self.team(side, self.plan.fresh + 1).await?;
        let (writer, fresh) = team.seats.split_first().context("nobody joined")?;
        let remote = writer.remote()?;
        let mut n = 0;
        while n < self.plan.archive {
            let part = (n..self.plan.archive.min(n + 500))
                .map(|n| message(n + 1, writer.team(), team.thread, self.text(usize::try_from(n).unwrap_or_default())));
            writer.push(&remote, part.collect()).await?;
            n += 500;
        }
        for (n, seat) in fresh.iter().enumerate() {
            let folder = self.memory.path().join(format!("fresh-{n}"));
            let (cpu, began) = (self.cpu(side, Some(&team.server)), Instant::now());
            let app = side.app(seat, &folder)?;
            app.until(|now| now.through).await?;
            let (wall, messages) = (began.elapsed().as_secs_f64(), self.plan.archive);
            side.archive.add(&Spent { messages, wall, cpu: self.cpu(side, Some(&team.server)) - cpu });
            ensure!(app.count()? == messages, "an app has {} of {messages} messages", app.count()?);
            drop(app);
            std::fs::remove_dir_all(&folder)?;
        }
        Ok(())
    }

    async fn archive_of_synapse(&mut self, side: &mut Side) -> Result<()> {
        let (count, folder) = (self.plan.peer_archive, self.memory.path().join("fresh"));
        let (certificate, people) = (self.certificate.clone(), self.peer(side).people.clone());
        let room = Room::of(&people).await?;
        let write = async |first: usize, person: &Person| {
            for n in (first..usize::try_from(count)?).step_by(people.len()) {
                room.send(person, n as u64, self.text(n)).await?;
            }
            Ok::<_, anyhow::Error>(())
        };
        try_join_all(people.iter().enumerate().map(|(first, person)| write(first, person))).await?;
        for _ in 0..self.plan.fresh {
            let newcomer = self.peer(side).synapse.register(1, &certificate).await?.pop().context("nobody came")?;
            room.join(&newcomer).await?;
            std::fs::create_dir_all(&folder)?;
            let plain = Plain::create(&folder.join("fresh.db"))?;
            let (cpu, began) = (self.cpu(side, None), Instant::now());
            let messages = room.history(&newcomer, &plain).await?;
            let wall = began.elapsed().as_secs_f64();
            side.archive.add(&Spent { messages, wall, cpu: self.cpu(side, None) - cpu });
            ensure!(messages == count, "the room's archive has {messages} of {count} messages");
            drop(plain);
            std::fs::remove_dir_all(&folder)?;
        }
        Ok(())
    }
}

impl Peer {
    async fn start(
        world: &World,
        name: &str,
        certificate: &Certificate,
        postgres: Option<PostgresServer>,
        people: usize,
    ) -> Result<Self> {
        let folder: PathBuf = world.folder(name)?;
        let mut synapse = Synapse::start(&folder, &world.logs(), certificate, postgres.as_ref()).await?;
        let people = synapse.register(people, certificate).await?;
        Ok(Self { synapse, people, postgres })
    }
}

impl Side {
    fn app(&self, seat: &Seat, folder: &Path) -> Result<App> {
        if self.program == Program::Lean { App::lean(seat, folder) } else { App::whole(seat, folder) }
    }
}

fn text_of_200_bytes(corpus: &Corpus, n: usize) -> String {
    let mut text = String::new();
    let mut at = n;
    while text.len() < 200 {
        at = (at * 7919 + 104_729) % 20_011;
        text += corpus.word(at % 5_000);
        text.push(' ');
    }
    text.truncate(200); // the words are ASCII
    text
}

fn report(bench: &Bench, sides: &[Side]) -> String {
    let plan = &bench.plan;
    let met = |is_met: bool| if is_met { "met" } else { "missed" };
    let peer = |side: &Side| sides.iter().find(|s| s.program == Program::Synapse && s.on_postgres == side.on_postgres);
    let times = |ours: f64, theirs: Option<f64>| theirs.map_or(f64::NAN, |theirs| theirs / ours);
    let head = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();

    let (mut all, mut idle, mut archive) = (
        vec![head(&[
            "",
            "messages",
            "until all have all, s",
            "messages/s",
            "server CPU, s",
            "of it for a message, ms",
            "wall a message, Synapse ÷ ours",
            "CPU a message, Synapse ÷ ours",
            "≥ 20×",
        ])],
        vec![head(&["", "p50, ms", "p95, ms", "p50, Synapse ÷ ours", "≤ 15 ms"])],
        vec![head(&[
            "",
            "records",
            "s",
            "records/s",
            "records per server CPU-second",
            "records/s, ours ÷ Synapse",
            "≥ 10×",
        ])],
    );
    for side in sides {
        let ours = side.program != Program::Synapse;
        let theirs = peer(side);
        let wall = theirs.map_or(f64::NAN, |theirs| side.all.rate() / theirs.all.rate());
        let cpu = times(side.all.cost(), theirs.map(|s| s.all.cost()));
        let only = |text: String| if ours { text } else { String::new() };
        all.push(vec![
            side.name.to_owned(),
            side.all.messages.to_string(),
            side.all.wall.told(),
            short(side.all.rate()),
            side.all.cpu.told(),
            short(side.all.cost()),
            only(format!("{}×", short(wall))),
            only(format!("{}×", short(cpu))),
            only(met(wall >= 20.0 && cpu >= 20.0).to_owned()),
        ]);
        if side.at_once {
            continue;
        }
        let p50 = side.idle.median();
        idle.push(vec![
            side.name.to_owned(),
            short(p50),
            short(side.idle.quantile(0.95)),
            only(format!("{}×", short(times(p50, theirs.map(|s| s.idle.median()))))),
            only(met(p50 <= 15.0).to_owned()),
        ]);
        let ratio = side.archive.rate() / theirs.map_or(f64::NAN, |theirs| theirs.archive.rate());
        archive.push(vec![
            side.name.to_owned(),
            side.archive.messages.to_string(),
            side.archive.wall.told(),
            short(side.archive.rate()),
            short(1000.0 / side.archive.cost()),
            only(format!("{}×", short(ratio))),
            only(met(ratio >= 10.0).to_owned()),
        ]);
    }
    let python = synapse::programs().map(|folder| folder.join("python").to_string_lossy().into_owned());
    let told = "from importlib.metadata import version; print('Synapse', version('matrix-synapse'))";
    format!(
        "# Sync\n\nGoal 1: {people} people, one team, {messages} messages of 200 bytes, until every app has all of \
         them, at least 20 times as fast as Synapse and with a twentieth of its CPU time. Goal 3: one message at idle, \
         durable on the server and in the other app's database, in at most 15 ms (median). Goal 4: 100,000 records to \
         a fresh app, at least 10 times as many a second as from Synapse's `/messages`.\n\n\
         Workload: each person writes a message, waits until the server has it, writes the next; {rounds} rounds, all \
         sides by turns, each round in a new team or room. At idle: {idle} messages between two people, by turns. \
         Fresh app: {fresh} times each. Times are medians (least–most).\n\n\
         What is comparable and what is not:\n\n\
         - Both servers serve TLS themselves (TLS 1.3, ECDSA P-256), both commit durably: SQLite with WAL and \
         `synchronous = FULL` (Synapse's own setting and ours), PostgreSQL with `fsync` and `synchronous_commit` on. \
         CPU is that of the server's processes, with PostgreSQL's where there is one; the clients of both are in one \
         process beside them, on the same {cores} cores, so the wall times have the clients in them.\n\
         - *Whole apps* are our syncer over the app's own database: outbox, threads, unread marks, full-text index. \
         *Lean clients* are our syncer over a table of messages, written as the clients of Synapse write theirs. \
         Those keep one HTTP connection each, long-poll `/sync` with a filter for this room's messages alone, and have \
         no outbox. So *lean clients* compare the servers, *whole apps* what people get: fifty of them on one machine \
         do fifty machines' indexing. The databases of the many are in memory for both (fifty people have fifty \
         disks); at idle all are on the disk.\n\
         - Our poke says that a feed moved; the app pulls, and gets what came meanwhile in one page. Synapse's sync \
         batches likewise. Our server commits what arrives at the same time together; nobody waits for others to come. \
         *That were offline*: all messages wait in the outboxes and go 200 in a push, which Matrix has no call for.\n\
         - At idle our time begins before the message is on the sender's own disk (two commits there, one on the \
         server); Synapse's begins with the request.\n\
         - Synapse does more with a message (a signed event in a graph for federation, state, push rules). Its \
         limits, presence, statistics and user directory are off, its caches twice the default.\n\
         - Synapse gets fewer messages, {peer_messages} a round and an archive of {peer_archive}, and whole apps \
         {whole_messages} a round, because more would take hours here; what is compared is the time and the CPU time of one. Pages of an archive are of 1,000 at most on \
         both sides. atuin-server, another peer of goal 4, was not tried.\n\n\
         Machine: {machine}. Versions: meantime {ours}, {synapse}, PostgreSQL {postgres}.\n\n\
         ## Every message to every app (goal 1)\n\n{all}\n## One message at idle (goal 3)\n\n{idle_table}\n\
         ## An archive to a fresh app (goal 4)\n\n{archive}",
        people = plan.people,
        messages = plan.messages,
        rounds = plan.rounds,
        idle = plan.idle,
        fresh = plan.fresh,
        whole_messages = plan.whole_messages,
        peer_messages = plan.peer_messages,
        peer_archive = plan.peer_archive,
        cores = std::thread::available_parallelism().map_or(0, usize::from),
        machine = machine(),
        ours = env!("CARGO_PKG_VERSION"),
        synapse = python.map(|python| version(&python, &["-c", told])).unwrap_or_default(),
        postgres = bench.postgres.sql("postgres", "SHOW server_version"),
        all = table(&all),
        idle_table = table(&idle),
        archive = table(&archive),
    )
}
