//! What `docs/bench/sync.md` says.

use crate::side::{Plan, Program, Side};
use meantime_tests::bench::figures::short;
use meantime_tests::bench::report::{machine, table, version};
use meantime_tests::bench::synapse;

/// `postgres` is the version of the PostgreSQL below both.
pub fn report(plan: &Plan, postgres: &str, sides: &[Side]) -> String {
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
         {whole_messages} a round, because more would take hours here; what is compared is the time and the CPU time \
         of one. Pages of an archive are of 1,000 at most on both sides. atuin-server, another peer of goal 4, was not tried.\n\n\
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
        all = table(&all),
        idle_table = table(&idle),
        archive = table(&archive),
    )
}
