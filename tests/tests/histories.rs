//! Random histories: a team on several devices with wrong clocks and bad
//! connections, whose apps and whose server are killed at any moment. At the
//! end all show what the server has; what a device acknowledged is there once,
//! and what was refused is visible once.
//!
//! `MEANTIME_SEED` throws the same dice again. What happens at the same time
//! in several processes is not in the dice, so what they found may need some
//! tries to be found again.

use anyhow::{Context, Result, ensure};
use meantime_model::ItemId;
use meantime_protocol::{Cursor, Kind, Record, Scope};
use meantime_server_postgres::kit::PostgresServer;
use meantime_sync::Remote as _;
use meantime_tests::Server;
use meantime_tests::device::{Device, Mark, Order, Seen};
use meantime_tests::dice::{Dice, seeds};
use meantime_tests::server::StoppedServer;
use meantime_tests::wait::{Patience, wait_for};
use meantime_tests::world::{World, play};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use uuid::Uuid;

const STEPS: u64 = 90;
/// The first devices are one person's.
const ANAS: usize = 3;
/// Devices, and by how many hours their clocks are wrong.
const SKEWS: [i64; 4] = [0, -24, 24, 24];

#[test]
fn all_devices_converge_on_sqlite() {
    for seed in seeds() {
        play(async |world| played(world, seed, &[]).await);
    }
}

#[test]
fn all_devices_converge_on_postgres() {
    if !PostgresServer::is_installed() {
        eprintln!("PostgreSQL is not installed: this was not tried");
        return;
    }
    for seed in seeds() {
        let database = PostgresServer::shared().database();
        play(async |world| {
            let file = world.path().join("url");
            fs::write(&file, database.url)?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
            played(world, seed, &["--postgres-url-file", file.to_str().context("a path")?]).await
        });
    }
}

async fn played(world: &World, seed: u64, init: &[&str]) -> Result<()> {
    println!("MEANTIME_SEED={seed}");
    let history = History::begin(world, seed, init).await?;
    history.play().await.with_context(|| format!("MEANTIME_SEED={seed}"))
}

struct History {
    dice: Dice,
    devices: Vec<Device>,
    server: Option<Server>,
    stopped: Option<StoppedServer>,
    /// Where the team's feed stood before all this.
    start: Cursor,
    said: Vec<Said>,
    poisons: Vec<Poison>,
}

/// A message that somebody wrote.
struct Said {
    device: usize,
    thread: ItemId,
    message: Uuid,
    text: String,
    /// Whether it was to be sent later.
    later: bool,
    /// The device acknowledged it; else it was killed over it.
    sure: bool,
    deleted: bool,
}

/// What nobody may do, and somebody tried.
struct Poison {
    device: usize,
    text: String,
}

/// The server's rows as one device may see them, tombstones among them.
type Rows = BTreeMap<(Scope, String, Uuid), Record>;

impl History {
    async fn begin(world: &World, seed: u64, init: &[&str]) -> Result<Self> {
        let server = Server::team_with("Blue Team", &world.folder("server")?, &world.logs(), init).await?;
        let mut devices: Vec<Device> = Vec::new();
        for (n, skew) in SKEWS.into_iter().enumerate() {
            let link = match devices.first() {
                Some(first) if n < ANAS => first.remote()?.device_link().await?.link,
                _ => server.invite()?,
            };
            let (folder, seed) = (world.folder(&format!("device-{n}"))?, seed.wrapping_add(n as u64 + 1));
            devices.push(Device::join(&link, if n < ANAS { "Ana" } else { "Kofi" }, skew, seed, &folder).await?);
        }
        Ok(Self {
            dice: Dice::new(seed),
            start: stands(&devices[0]).await?,
            devices,
            server: Some(server),
            stopped: None,
            said: Vec::new(),
            poisons: Vec::new(),
        })
    }

    async fn play(mut self) -> Result<()> {
        for step in 0..STEPS {
            self.step(step).await.with_context(|| format!("step {step}"))?;
            // Long enough for some of what was begun to happen meanwhile.
            tokio::time::sleep(Duration::from_millis(self.dice.roll(60))).await;
        }
        if let Some(stopped) = self.stopped.take() {
            self.server = Some(stopped.start().await?);
        }
        for device in &mut self.devices {
            if !device.runs() {
                device.start().await?;
            }
            device.obey(&Order::Cable(true)).await?;
        }
        let (rows, seen) = wait_for("all to agree", Patience::LONG, async || self.agree().await.map(Some)).await?;
        self.each_is_there_once(&rows, &seen)
    }

    async fn step(&mut self, step: u64) -> Result<()> {
        let n = usize::try_from(self.dice.roll(SKEWS.len() as u64))?;
        if !self.devices[n].runs() {
            return self.devices[n].start().await;
        }
        let shown: Vec<Uuid> = self.devices[n].look().await?.shown.into_keys().collect();
        let Some(thread) = self.dice.pick(&shown).copied().map(ItemId) else { return self.ask(n, step).await };
        match self.dice.roll(20) {
            0..=5 => {
                let order = self.say(n, thread, step);
                self.devices[n].obey(&order).await?;
                self.said.last_mut().context("nothing was said")?.sure = true;
            }
            6 => {
                // Killed over it: it may have got to it, or not.
                let (order, after) = (self.say(n, thread, step), Duration::from_micros(self.dice.roll(20_000)));
                self.devices[n].die_over(&order, after).await?;
            }
            7 => self.devices[n].kill().await?,
            8 => self.ask(n, step).await?,
            9..=12 => {
                let marks = [Mark::Read, Mark::Done, Mark::Back, Mark::Snoozed(7), Mark::Muted(step.is_multiple_of(2))];
                let mark = *self.dice.pick(&marks).context("no mark")?;
                self.devices[n].obey(&Order::Mark { thread, mark }).await?;
            }
            13 => {
                let text = format!("Poison {step}");
                self.devices[n].obey(&Order::Poison { text: text.clone() }).await?;
                self.poisons.push(Poison { device: n, text });
            }
            14 => {
                let own = |said: &&mut Said| said.device == n && said.sure && !said.later && !said.deleted;
                let Some(said) = self.said.iter_mut().find(own) else { return Ok(()) };
                said.deleted = true;
                let order = Order::Delete { thread: said.thread, message: said.message };
                self.devices[n].obey(&order).await?;
            }
            15..=16 => {
                let plugged = self.dice.roll(2) == 0;
                self.devices[n].obey(&Order::Cable(plugged)).await?;
            }
            _ => match (self.server.take(), self.stopped.take()) {
                // With whatever it is doing.
                (Some(server), _) => self.stopped = Some(server.stop()),
                (None, stopped) => self.server = Some(stopped.context("no server")?.start().await?),
            },
        }
        Ok(())
    }

    async fn ask(&mut self, n: usize, step: u64) -> Result<()> {
        let asked = vec![self.devices[0].joined().person, self.devices[ANAS].joined().person];
        let order = Order::Ask { thread: ItemId::new(), title: format!("Thread {step}"), asked };
        self.devices[n].obey(&order).await
    }

    /// Notes that it was said, for now as what is not sure.
    fn say(&mut self, device: usize, thread: ItemId, step: u64) -> Order {
        let (message, text) = (Uuid::now_v7(), format!("Word {step}"));
        // By this device's clock: for one that is a day behind that is long ago.
        let in_seconds = [None, None, None, Some(1), Some(3600)];
        let in_seconds = self.dice.pick(&in_seconds).copied().flatten();
        let later = in_seconds.is_some();
        self.said.push(Said { device, thread, message, text: text.clone(), later, sure: false, deleted: false });
        Order::Say { thread, message, text, in_seconds }
    }

    /// What the server has and what is to be seen on each device; fails while
    /// they differ.
    async fn agree(&mut self) -> Result<(Vec<Rows>, Vec<Seen>)> {
        let (mut rows, mut seen) = (Vec::new(), Vec::new());
        for (n, device) in self.devices.iter_mut().enumerate() {
            let (theirs, ours) = (rows_of(device).await?, device.look().await?);
            ensure!(ours.waiting == 0, "on device {n} {} changes wait", ours.waiting);
            let there: Vec<&Record> = theirs.values().filter(|row| !row.deleted).collect();
            let mut here: Vec<&Record> = ours.records.iter().collect();
            here.sort_by_key(|row| key(row));
            ensure!(here == there, "device {n} has {here:#?}\nand the server {there:#?}");
            rows.push(theirs);
            seen.push(ours);
        }
        for other in &seen[1..ANAS] {
            ensure!(other.shown == seen[0].shown, "{:#?}\nis shown, and {:#?}", seen[0].shown, other.shown);
        }
        let stands = stands(&self.devices[0]).await?;
        let counted = self.start.seq + changes(&rows);
        ensure!(stands.epoch == self.start.epoch, "a crash is no restore");
        ensure!(stands.seq == counted, "the feed stands at {}, and {counted} changes are there", stands.seq);
        Ok((rows, seen))
    }

    fn each_is_there_once(&self, rows: &[Rows], seen: &[Seen]) -> Result<()> {
        let mut refused = vec![0; seen.len()];
        for said in &self.said {
            let Said { device, text, .. } = said;
            let feed = Scope::Team(self.devices[*device].joined().team);
            let there = rows[*device].get(&(feed, Kind::MESSAGE.to_string(), said.message));
            let away = seen[*device].refused.iter().filter(|words| *words == text).count();
            // A moment that is long past was meant by a wrong clock: it is not
            // sent at once, which nobody could take back.
            let meant = !(said.later && SKEWS[*device] < 0);
            ensure!(if meant { away == 0 } else { there.is_none() }, "{text}: refused {away} times, {there:?}");
            let times = usize::from(there.is_some()) + away;
            ensure!(times == 1 || times == 0 && !said.sure, "{text} is there {times} times");
            if let Some(row) = there {
                ensure!(row.deleted == said.deleted, "{text}: {row:?}");
                ensure!(row.deleted || row.fields["text"] == **text, "{text}: {row:?}");
            }
            refused[*device] += away;
        }
        for Poison { device, text } in &self.poisons {
            let away = seen[*device].refused.iter().filter(|words| *words == text).count();
            ensure!(away == 1, "{text} is to be seen {away} times");
            refused[*device] += 1;
        }
        for (n, seen) in seen.iter().enumerate() {
            ensure!(seen.refused.len() == refused[n], "something else was refused: {:?}", seen.refused);
        }
        let messages = rows.iter().flat_map(Rows::values).filter(|row| row.kind == Kind::MESSAGE);
        for row in messages {
            ensure!(self.said.iter().any(|said| said.message == row.id), "nobody wrote {row:?}");
        }
        Ok(())
    }
}

/// How many changes made the team's feed what it is: one that was made twice,
/// or that left no trace, would show.
fn changes(rows: &[Rows]) -> u64 {
    let all: BTreeMap<_, &Record> = rows.iter().flatten().filter(|(key, _)| matches!(key.0, Scope::Team(_))).collect();
    let of = |row: &&Record| match (row.kind == Kind::THREAD, row.kind == Kind::MESSAGE) {
        (true, _) => 1,
        // What was to be sent later has another place once it has appeared.
        (_, true) => 1 + u64::from(row.deleted || row.visible_from.is_some_and(|at| at <= row.updated_at)),
        // People were there before.
        _ => 0,
    };
    all.values().map(of).sum()
}

async fn stands(device: &Device) -> Result<Cursor> {
    let me = device.remote()?.me().await?;
    me.scopes.get(&Scope::Team(me.team)).copied().context("no feed of the team")
}

async fn rows_of(device: &Device) -> Result<Rows> {
    let remote = device.remote()?;
    let mut rows = Rows::new();
    for (scope, mut cursor) in remote.me().await?.scopes {
        cursor.seq = 0;
        loop {
            let page = remote.pull(scope, cursor).await?;
            rows.extend(page.rows.into_iter().map(|row| (key(&row), row)));
            cursor = page.next;
            if !page.more {
                break;
            }
        }
    }
    Ok(rows)
}

fn key(row: &Record) -> (Scope, String, Uuid) {
    (row.scope, row.kind.to_string(), row.id)
}
