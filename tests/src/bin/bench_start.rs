//! Goal 8: start to painted inbox with 100,000 threads, and memory after a
//! minute, beside an empty WebKitGTK window; memory with the window closed.
//!
//! Both are started in turn on the same display. *Painted* is the moment after
//! which no pixel changes any more.

use anyhow::{Context, Result, ensure};
use meantime_platform::kit::{Behaviour, GnomeKeyring, NotificationDaemon, PrivateBus, TrayHost};
use meantime_tests::bench::corpus::Corpus;
use meantime_tests::bench::figures::{Samples, cpu, pss, short};
use meantime_tests::bench::report::{Options, compile, machine, table, version};
use meantime_tests::bench::screen::Screen;
use meantime_tests::process::{Process, below};
use meantime_tests::{Cli, World, programs};
use std::process::Command;
use std::time::{Duration, Instant};

/// After this long hidden, the app gives its window's memory back.
const WINDOW_GOES_AFTER: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let options = Options::from_args();
    let (threads, starts, rest) = if options.quick { (1_000, 2, 5) } else { (100_000, 10, 60) };
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
        let floor =
            Program { name: "empty", path: compile("empty_window", "$(pkg-config --cflags --libs webkit2gtk-4.1)")? };
        let app = Program { name: "meantime", path: programs::ours(programs::DESKTOP)? };

        let (mut ours, mut theirs) = (Figures::default(), Figures::default());
        for n in 0..=starts {
            for (program, figures) in [(&floor, &mut theirs), (&app, &mut ours)] {
                let (process, painted) = program.start(&world, &screen)?;
                // The first start of each fills caches and is not counted.
                if n > 0 {
                    figures.painted.add_time(painted);
                    figures.cpu.add(cpu(&family(&process)));
                }
            }
        }
        let rest = Duration::from_secs(rest);
        for (program, figures) in [(&floor, &mut theirs), (&app, &mut ours)] {
            let (process, _) = program.start(&world, &screen)?;
            tokio::time::sleep(rest).await;
            figures.memory = pss(&family(&process));
        }
        let closed = if options.quick { None } else { Some(window_closed(&app, &world, &screen).await?) };
        options.finish(&report(threads, starts, &ours, &theirs, closed))
    })
}

/// Reads made-up mail in, one conversation each.
async fn fill(world: &World, threads: u64) -> Result<()> {
    let (corpus, maildir) = (Corpus::new(), world.path().join("mail"));
    // Three of four messages open a conversation.
    corpus.write_maildir(&maildir, 0..threads * 4 / 3)?;
    let path = maildir.to_string_lossy();
    let mut cli = Cli::new(world.profile("home"))?;
    cli.patience = Duration::from_secs(3600);
    cli.json(&["import", "--maildir", &path]).await?;
    Ok(())
}

#[derive(Default)]
struct Figures {
    painted: Samples,
    cpu: Samples,
    memory: f64,
}

struct Program {
    name: &'static str,
    path: std::path::PathBuf,
}

impl Program {
    fn start(&self, world: &World, screen: &Screen) -> Result<(Process, Duration)> {
        let mut command = Command::new(&self.path);
        command.envs(world.profile("home"));
        let started = Instant::now();
        let mut process = Process::start(self.name, command, &world.logs())?;
        let painted = screen.painted(started).with_context(|| self.name.to_owned())?;
        process.must_run()?;
        Ok((process, painted))
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

fn report(threads: u64, starts: u64, ours: &Figures, theirs: &Figures, closed: Option<f64>) -> String {
    let (time, memory) = (ours.painted.median() / theirs.painted.median(), ours.memory / theirs.memory);
    let met = |is_met: bool| if is_met { "met" } else { "missed" };
    let closed_told = closed.map_or("not measured".to_owned(), |mb| format!("{} MB: {}", short(mb), met(mb <= 60.0)));
    format!(
        "# Start and memory\n\nGoal 8: start to painted inbox with {threads} threads in at most 1.25 times the time of \
         an empty WebKitGTK window, with at most 1.5 times its memory after a minute; at most 60 MB with the window \
         closed.\n\n**Start: {} times: {}. Memory: {} times: {}. Window closed: {closed_told}.**\n\n\
         Workload: made-up mail read in with `meantime import`, then {starts} starts of each by turns on one Xvfb \
         display after one that is not counted; *painted* is the last change of a pixel before three seconds of \
         quiet. Memory is PSS, all processes.\n\nMachine: {}. Versions: meantime {}, WebKitGTK {}.\n\n{}",
        short(time),
        met(time <= 1.25),
        short(memory),
        met(memory <= 1.5),
        machine(),
        env!("CARGO_PKG_VERSION"),
        version("pkg-config", &["--modversion", "webkit2gtk-4.1"]),
        table(&[
            ["", "painted after, ms", "CPU until then, s", "memory after a minute, MB"].map(str::to_owned).to_vec(),
            vec!["meantime".into(), ours.painted.told(), ours.cpu.told(), short(ours.memory)],
            vec!["an empty window".into(), theirs.painted.told(), theirs.cpu.told(), short(theirs.memory)],
            vec!["ratio".into(), short(time), short(ours.cpu.median() / theirs.cpu.median()), short(memory)],
        ]),
    )
}
