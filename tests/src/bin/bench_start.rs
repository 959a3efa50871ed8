//! Goal 8: start to painted inbox with 100,000 threads, and memory after a
//! minute, beside an empty WebKitGTK window; memory with the window closed.
//!
//! All are started in turn on the same display. *Painted* is the moment after
//! which no pixel changes any more. Chromium stands in for a shell of Electron's
//! kind, with nothing in it yet; Thunderbird has no account and no mail.

use anyhow::{Context, Result, ensure};
use meantime_platform::kit::{Behaviour, GnomeKeyring, NotificationDaemon, PrivateBus, TrayHost};
use meantime_platform::{Clock as _, SystemClock};
use meantime_store::Store;
use meantime_store::account::{self, AccountKind};
use meantime_store::ingest::{Change, Page, ingest};
use meantime_tests::bench::corpus::Corpus;
use meantime_tests::bench::figures::{Samples, cpu, pss, short};
use meantime_tests::bench::report::{Options, compile, machine, table, version};
use meantime_tests::bench::screen::Screen;
use meantime_tests::process::{Process, below};
use meantime_tests::{Cli, World, programs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// After this long hidden, the app gives its window's memory back.
const WINDOW_GOES_AFTER: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let options = Options::from_args();
    let (threads, starts, rests, rest) = if options.quick { (1_000, 2, 1, 5) } else { (100_000, 10, 2, 60) };
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut world = World::new()?;
        let bus = PrivateBus::start();
        let _notifications = NotificationDaemon::start(&bus, Behaviour::default()).await;
        let _tray = TrayHost::start(&bus).await;
        let _keyring = GnomeKeyring::start(&world.folder("keyring")?, &bus).await;
        let screen = Screen::start(&world.folder("screen")?).await?;
        world.set("DISPLAY", screen.display());
        world.set("DBUS_SESSION_BUS_ADDRESS", bus.address());
        world.set("NO_AT_BRIDGE", "1");

        fill(&world, threads).await?;
        let mut programs = programs(&world)?;
        for n in 0..=starts {
            for program in &mut programs {
                let (process, painted) = program.start(&world, &screen)?;
                // The first start of each fills caches and is not counted.
                if n > 0 {
                    program.painted.add_time(painted);
                    program.cpu.add(cpu(&family(&process)));
                }
            }
        }
        let rest = Duration::from_secs(rest);
        for _ in 0..rests {
            for program in &mut programs {
                let (process, _) = program.start(&world, &screen)?;
                tokio::time::sleep(rest).await;
                program.memory.add(pss(&family(&process)));
            }
        }
        let [app, floor, others @ ..] = programs.as_slice() else { unreachable!("two are always there") };
        let closed = if options.quick { None } else { Some(window_closed(app, &world, &screen).await?) };
        options.finish(&report(threads, (starts, rests), app, floor, others, closed))
    })
}

/// Fills the list with made-up mail that waits to be read.
async fn fill(world: &World, threads: u64) -> Result<()> {
    let (corpus, maildir) = (Corpus::new(), world.path().join("mail"));
    // Three of four messages open a conversation.
    corpus.write_maildir(&maildir, 0..threads * 4 / 3)?;
    let path = maildir.to_string_lossy();
    let mut cli = Cli::new(world.profile("home"))?;
    cli.patience = Duration::from_secs(3600);
    cli.json(&["import", "--maildir", &path]).await?;
    let listed = put_back(&world.path().join("home/data/meantime.db"))?;
    ensure!(listed == threads, "{listed} of {threads} threads are in the list");
    Ok(())
}

/// Mail from files is read and done; as if somebody took it out of the archive
/// again, it is neither. Answers how many conversations are in the list then.
fn put_back(database: &Path) -> Result<u64> {
    let tables = rusqlite::Connection::open(database)?;
    let upstream: Vec<String> =
        tables.prepare("SELECT upstream FROM message")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let now = SystemClock.now();
    let store = Store::open(database, now)?.store;
    let archive = store.read(account::all)?.into_iter().find(|one| one.kind == AccountKind::Archive);
    let archive = archive.context("nothing was imported")?.id;
    for some in upstream.chunks(1000) {
        let open = |message: &String| Change::Flags { message: message.clone(), read: false, done: false };
        let changes = some.iter().map(open).collect();
        let page = Page { changes, cursor: serde_json::Value::Null, backfill: true, backfilled: true };
        store.write_bulk(|tx| ingest(tx, archive, &page, now))?;
    }
    let listed: u32 =
        tables.query_row("SELECT count(*) FROM item WHERE done = 0 AND unread = 1", [], |row| row.get(0))?;
    Ok(listed.into())
}

/// One that is started, and what was seen of it.
struct Program {
    name: &'static str,
    version: String,
    path: PathBuf,
    arguments: Vec<String>,
    painted: Samples,
    cpu: Samples,
    memory: Samples,
}

/// Meantime, the floor, and what else people run all day.
fn programs(world: &World) -> Result<Vec<Program>> {
    let webkit = "$(pkg-config --cflags --libs webkit2gtk-4.1)";
    let webkit_version = format!("WebKitGTK {}", version("pkg-config", &["--modversion", "webkit2gtk-4.1"]));
    let in_folder = |name: &str| Ok::<_, anyhow::Error>(world.folder(name)?.to_string_lossy().into_owned());
    // Root may not use its sandbox; all the others run without one as well.
    let chromium = [
        "--no-sandbox",
        "--no-first-run",
        "--password-store=basic",
        "--window-size=1280,800",
        "--app=data:text/html,<body style='background:steelblue'></body>",
    ];
    let chromium = chromium.into_iter().map(str::to_owned);
    let thunderbird = ["--no-remote".to_owned(), "--profile".to_owned(), in_folder("thunderbird")?];
    let version_of = |program| version(program, &["--version"]);
    Ok(vec![
        Program::new("meantime", env!("CARGO_PKG_VERSION").into(), programs::ours(programs::DESKTOP)?, vec![]),
        Program::new("an empty window", webkit_version, compile("empty_window", webkit)?, vec![]),
        Program::new(
            "Chromium, an empty page as an app",
            version_of("chromium"),
            "chromium".into(),
            chromium.chain([format!("--user-data-dir={}", in_folder("chromium")?)]).collect(),
        ),
        Program::new("Thunderbird, no account", version_of("thunderbird"), "thunderbird".into(), thunderbird.into()),
    ])
}

impl Program {
    fn new(name: &'static str, version: String, path: PathBuf, arguments: Vec<String>) -> Self {
        let (painted, cpu, memory) = Default::default();
        Self { name, version, path, arguments, painted, cpu, memory }
    }

    fn start(&self, world: &World, screen: &Screen) -> Result<(Process, Duration)> {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).envs(world.profile("home"));
        let started = Instant::now();
        let mut process = Process::start(self.name, command, &world.logs())?;
        let painted = screen.painted(started).with_context(|| self.name.to_owned())?;
        process.must_run()?;
        Ok((process, painted))
    }

    /// Its row beside the floor's figures.
    fn row(&self, floor: &Self) -> Vec<String> {
        let times = |ours: f64, theirs: f64| format!("{}×", short(ours / theirs));
        vec![
            self.name.to_owned(),
            self.painted.told(),
            times(self.painted.median(), floor.painted.median()),
            self.cpu.told(),
            self.memory.told(),
            times(self.memory.median(), floor.memory.median()),
        ]
    }
}

fn family(process: &Process) -> Vec<u32> {
    let children = below(process.pid()).into_iter().map(|(pid, _)| pid);
    std::iter::once(process.pid()).chain(children).collect()
}

/// Memory once the window is closed and what it needed was given back.
async fn window_closed(app: &Program, world: &World, screen: &Screen) -> Result<f64> {
    let closer = compile("close_window", "-lX11")?;
    let (process, _) = app.start(world, screen)?;
    let done = Command::new(closer).envs(world.env().iter().map(|(name, value)| (name, value))).status()?;
    ensure!(done.success(), "there was no window to close");
    tokio::time::sleep(WINDOW_GOES_AFTER * 2).await;
    Ok(pss(&family(&process)))
}

fn report(
    threads: u64,
    (starts, rests): (u64, u64),
    app: &Program,
    floor: &Program,
    others: &[Program],
    closed: Option<f64>,
) -> String {
    let (time, memory) = (app.painted.median() / floor.painted.median(), app.memory.median() / floor.memory.median());
    let met = |is_met: bool| if is_met { "met" } else { "missed" };
    let closed_told = closed.map_or("not measured".to_owned(), |mb| format!("{} MB: {}", short(mb), met(mb <= 60.0)));
    let all = || [app, floor].into_iter().chain(others);
    let head = ["", "painted after, ms", "", "CPU until then, s", "memory after a minute, MB", ""].map(str::to_owned);
    let rows: Vec<Vec<String>> = std::iter::once(head.to_vec()).chain(all().map(|one| one.row(floor))).collect();
    format!(
        "# Start and memory\n\nGoal 8: start to painted inbox with {threads} threads in at most 1.25 times the time of \
         an empty WebKitGTK window, with at most 1.5 times its memory after a minute; at most 60 MB with the window \
         closed.\n\n**Start: {} times: {}. Memory: {} times: {}. Window closed: {closed_told}.**\n\n\
         Workload: made-up mail, all of it unread and in the list, then {starts} starts of each by turns on one Xvfb \
         display after one that is not counted; *painted* is the last change of a pixel before three seconds of \
         quiet. Memory is PSS, all processes, {rests} times by turns. Chromium and Thunderbird show nothing: what they'd need for 100,000 \
         threads comes on top.\n\nMachine: {}. Versions: {}.\n\n{}",
        short(time),
        met(time <= 1.25),
        short(memory),
        met(memory <= 1.5),
        machine(),
        all().map(|one| format!("{} ({})", one.name, one.version)).collect::<Vec<_>>().join(", "),
        table(&rows),
    )
}
