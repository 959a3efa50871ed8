//! Goals 5 and 6: search in 500,000 messages, and reading them in, beside
//! notmuch. Both get the same Maildir, round by round in turn; both are asked
//! the same words, question by question in turn.

use anyhow::{Context, Result, bail, ensure};
use meantime_platform::{Clock, SystemClock};
use meantime_store::{Opened, Store, search};
use meantime_tests::bench::corpus::Corpus;
use meantime_tests::bench::figures::{Samples, short};
use meantime_tests::bench::report::{Options, compile, machine, table, version};
use meantime_tests::programs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const HITS: u32 = 50;

fn main() -> Result<()> {
    let options = Options::from_args();
    let (messages, rounds, asked) = if options.quick { (5_000, 1, 5) } else { (500_000, 5, 40) };
    let corpus = Corpus::new();
    let folder = tempfile::Builder::new().prefix("mt-bench-").tempdir()?;
    let (mail, home) = (folder.path().join("mail"), folder.path().join("home"));
    let peer = Peer::new(&mail)?;

    let (mut ours, mut theirs) = (Indexing::default(), Indexing::default());
    for round in 0..rounds {
        let part = messages / rounds;
        let maildir = mail.join(format!("part{round}"));
        corpus.write_maildir(&maildir, round * part..(round + 1) * part)?;
        // By turns the first: whoever reads a file second finds it in memory.
        for turn in [round % 2, (round + 1) % 2] {
            match turn {
                0 => ours.add(part, import(&home, &maildir)?),
                _ => theirs.add(part, peer.index()?),
            }
        }
        println!("round {}: meantime {} s, notmuch {} s", round + 1, ours.last(), theirs.last());
    }

    let Opened { store, .. } = open(&home)?;
    let mut search = peer.search()?;
    let mut rows = vec![
        ["words", "hits", "meantime p50", "meantime p95", "notmuch p50", "notmuch p95", "ratio of p95"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let (mut all_ours, mut all_theirs) = (Samples::default(), Samples::default());
    for (name, words) in questions(&corpus) {
        let (mut ours, mut theirs, mut hits) = (Samples::default(), Samples::default(), 0);
        for _ in 0..asked {
            let started = Instant::now();
            let found = store.read(|r| search::search(r, &words.ours, None, HITS))?;
            let took = started.elapsed();
            let (peer_took, peer_found) = search.ask(&words.theirs)?;
            ensure!(found.len() == peer_found, "{name}: meantime found {}, notmuch {peer_found}", found.len());
            hits = found.len();
            for (samples, took) in [(&mut ours, took), (&mut theirs, peer_took)] {
                samples.add_time(took);
            }
            all_ours.add_time(took);
            all_theirs.add_time(peer_took);
        }
        rows.push(row(name, &hits.to_string(), &ours, &theirs));
    }
    rows.push(row("all of them", "", &all_ours, &all_theirs));

    let per_second = ours.rate() / theirs.rate();
    let ratio = all_ours.quantile(0.95) / all_theirs.quantile(0.95);
    let report = format!(
        "# Search, and reading mail in\n\nGoal 5: search {messages} messages, newest {HITS}: p95 at most 10 ms and at \
         most half of notmuch's. Goal 6: read them in with at least 10 times as many messages per CPU-second.\n\n\
         **Search: p95 {} ms, {} times notmuch's: {}. Reading in: {} times as many messages per CPU-second: {}.**\n\n\
         Workload: made-up mail of 20 to 140 words, word frequencies after Zipf, one Maildir; `meantime import \
         --maildir` against `notmuch new` in {rounds} rounds, each first by turns; then {asked} times each question, \
         by turns, `meantime_store::search` against libnotmuch from C, in processes that stay open (times in ms). \
         Meantime commits batches with the durability of its bulk writes (WAL, `synchronous=NORMAL`), notmuch with \
         its own default.\n\nMachine: {}. Versions: meantime {}, {}.\n\n## Search (ms)\n\n{}\n## Reading in\n\n{}",
        short(all_ours.quantile(0.95)),
        short(ratio),
        met(all_ours.quantile(0.95) <= 10.0 && ratio <= 0.5),
        short(per_second),
        met(per_second >= 10.0),
        machine(),
        env!("CARGO_PKG_VERSION"),
        version("notmuch", &["--version"]),
        table(&rows),
        table(&[
            ["", "messages/s", "messages per CPU-second", "CPU-seconds a round"].map(str::to_owned).to_vec(),
            ours.row("meantime import"),
            theirs.row("notmuch new"),
            vec!["ratio".into(), short(ours.wall_rate() / theirs.wall_rate()), short(per_second), String::new()],
        ]),
    );
    options.finish(&report)
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

fn row(name: &str, hits: &str, ours: &Samples, theirs: &Samples) -> Vec<String> {
    let (p95, peer_p95) = (ours.quantile(0.95), theirs.quantile(0.95));
    let figures = [ours.median(), p95, theirs.median(), peer_p95, p95 / peer_p95];
    [name.to_owned(), hits.to_owned()].into_iter().chain(figures.map(short)).collect()
}

/// The same question in both languages. Quoted: ours takes the last word for
/// a beginning otherwise.
struct Words {
    ours: String,
    theirs: String,
}

fn questions(corpus: &Corpus) -> Vec<(&'static str, Words)> {
    let words = |ranks: &[usize]| {
        let each = |quote: &str| {
            ranks.iter().map(|rank| format!("{quote}{}{quote}", corpus.word(*rank))).collect::<Vec<_>>().join(" ")
        };
        Words { ours: each("\""), theirs: each("") }
    };
    vec![
        ("the most common word", words(&[0])),
        ("a common word", words(&[20])),
        ("a usual word", words(&[500])),
        ("an uncommon word", words(&[5_000])),
        ("a rare word", words(&[50_000])),
        ("two common words", words(&[3, 11])),
        ("a common and a rare word", words(&[1, 30_000])),
        ("three usual words", words(&[100, 150, 200])),
    ]
}

/// Wall and CPU time of rounds.
#[derive(Default)]
struct Indexing {
    messages: f64,
    wall: Samples,
    cpu: Samples,
    totals: (f64, f64),
}

impl Indexing {
    fn add(&mut self, messages: u64, (wall, cpu): (f64, f64)) {
        self.messages += messages as f64;
        self.wall.add(wall);
        self.cpu.add(cpu);
        self.totals = (self.totals.0 + wall, self.totals.1 + cpu);
    }

    fn last(&self) -> String {
        short(self.totals.0)
    }

    fn wall_rate(&self) -> f64 {
        self.messages / self.totals.0
    }

    /// Messages per CPU-second.
    fn rate(&self) -> f64 {
        self.messages / self.totals.1
    }

    fn row(&self, name: &str) -> Vec<String> {
        vec![name.to_owned(), short(self.wall_rate()), short(self.rate()), self.cpu.told()]
    }
}

/// Runs a command; its wall and CPU seconds, with all it started.
fn timed(command: &str, env: &[(&str, &Path)]) -> Result<(f64, f64)> {
    let script = format!("TIMEFORMAT='%R %U %S'; time {command}");
    let done = Command::new("bash").args(["-c", &script]).envs(env.iter().copied()).output()?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if !done.status.success() {
        bail!("{command}: {said}");
    }
    let figures: Vec<f64> = said
        .lines()
        .last()
        .unwrap_or_default()
        .split(' ')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .context(said.clone())?;
    let [wall, user, system] = figures.as_slice() else { bail!("{command}: no times in {said}") };
    Ok((*wall, user + system))
}

fn import(home: &Path, maildir: &Path) -> Result<(f64, f64)> {
    let program = programs::ours(programs::CLI)?;
    let command = format!("'{}' import --maildir '{}' --json", program.display(), maildir.display());
    timed(&command, &[("MEANTIME_HOME", home)])
}

fn open(home: &Path) -> Result<Opened> {
    Ok(Store::open(&home.join("data/meantime.db"), SystemClock.now())?)
}

/// notmuch with a configuration of its own.
struct Peer<'a> {
    mail: &'a Path,
    config: std::path::PathBuf,
}

impl<'a> Peer<'a> {
    fn new(mail: &'a Path) -> Result<Self> {
        std::fs::create_dir_all(mail)?;
        let config = mail.with_file_name("notmuch-config");
        let text = format!("[database]\npath={}\n[new]\ntags=\n[maildir]\nsynchronize_flags=false\n", mail.display());
        std::fs::write(&config, text)?;
        Ok(Self { mail, config })
    }

    fn index(&self) -> Result<(f64, f64)> {
        timed("notmuch new --quiet", &[("NOTMUCH_CONFIG", &self.config)])
    }

    fn search(&self) -> Result<PeerSearch> {
        let program = compile("notmuch_search", "-lnotmuch")?;
        let mut child = Command::new(program).arg(self.mail).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let answers = BufReader::new(child.stdout.take().context("no answers")?);
        Ok(PeerSearch { child, answers })
    }
}

struct PeerSearch {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl PeerSearch {
    fn ask(&mut self, words: &str) -> Result<(Duration, usize)> {
        let questions = self.child.stdin.as_mut().context("notmuch takes no more questions")?;
        writeln!(questions, "{words}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let (took, hits) = answer.trim().split_once(' ').context("notmuch did not answer")?;
        Ok((Duration::from_nanos(took.parse()?), hits.parse()?))
    }
}

impl Drop for PeerSearch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
