//! Goals 1, 3 and 4: a team's messages to every app, one message at idle, and
//! an archive to a fresh app, beside Synapse; each on SQLite and PostgreSQL.
//!
//! Every measurement is made of all sides by turns, round by round. CPU time
//! is the servers' alone (with PostgreSQL, where there is one): all clients
//! are in this process.

mod report;
mod side;

use crate::side::{FULL, Plan, Program, QUICK, Side, Spent, sides};
use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use meantime_server_postgres::kit::PostgresServer;
use meantime_sync::Remote as _;
use meantime_tests::bench::app::App;
use meantime_tests::bench::certificate::Certificate;
use meantime_tests::bench::corpus::Corpus;
use meantime_tests::bench::figures::{cpu_of_all, short};
use meantime_tests::bench::plain::Plain;
use meantime_tests::bench::report::Options;
use meantime_tests::bench::seat::{Seat, message};
use meantime_tests::bench::synapse::{Follower, Person, Room, Synapse};
use meantime_tests::{Server, World};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

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
        let postgres = bench.postgres.sql("postgres", "SHOW server_version");
        options.finish(&report::report(&bench.plan, &postgres, &sides))
    })
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
