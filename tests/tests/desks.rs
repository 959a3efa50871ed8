//! What the tests about people and their devices share: a server, a place for
//! secrets, and commands that are typed together with passwords.

use anyhow::{Context, Result, ensure};
use meantime_platform::kit::{GnomeKeyring, PrivateBus};
use meantime_tests::cli::Ran;
use meantime_tests::world::World;
use meantime_tests::{Cli, Person, Server};
use serde_json::Value;

/// A server for a new team, and a keyring for its devices. Nothing is shown:
/// nobody looks.
pub struct Office {
    pub server: Server,
    pub _safe: (GnomeKeyring, PrivateBus),
}

impl Office {
    pub async fn open(world: &mut World) -> Result<Self> {
        let bus = PrivateBus::start();
        let keyring = GnomeKeyring::start(&world.folder("keyring")?, &bus).await;
        world.set("DBUS_SESSION_BUS_ADDRESS", bus.address());
        world.set("DBUS_SYSTEM_BUS_ADDRESS", bus.address());
        // All that can be logged is: it is looked through for secrets.
        world.set("MEANTIME_LOG", "debug");
        let server = Server::team("Blue Team", &world.folder("server")?, &world.logs()).await?;
        Ok(Self { server, _safe: (keyring, bus) })
    }
}

/// A computer with a profile and an engine of its own, by its name.
pub async fn device(world: &mut World, name: &str) -> Result<Person> {
    world.set("HOSTNAME", name);
    Person::new(world, name).await
}

/// Types a command and then secrets; it prints none of them.
pub async fn typed(cli: &Cli, args: &[&str], secrets: &[&str]) -> Result<Ran> {
    let lines: String = secrets.iter().map(|secret| format!("{secret}\n")).collect();
    let ran = cli.run(args, &lines).await?;
    let told = secrets.iter().any(|secret| ran.out.contains(secret) || ran.err.contains(secret));
    ensure!(!told, "{args:?} printed a secret");
    Ok(ran)
}

/// The answer of a command that worked and prints JSON.
pub fn ok(ran: Ran) -> Result<Value> {
    ensure!(ran.code == 0, "{ran:?}");
    serde_json::from_str(&ran.out).with_context(|| format!("{ran:?}"))
}

/// It failed as it should: with this exit code, this code for programs where
/// it printed JSON, and these words for people.
pub fn failed(ran: &Ran, exit: i32, code: &str, words: &str) -> Result<()> {
    ensure!(ran.code == exit, "not {exit}: {ran:?}");
    if ran.out.is_empty() {
        let said = ran.err.lines().find_map(|line| line.strip_prefix("meantime: ").or(line.strip_prefix("error: ")));
        ensure!(said.is_some_and(|said| said.contains(words)), "no {words:?} in {ran:?}");
        return Ok(());
    }
    let told: Value = serde_json::from_str(&ran.out).with_context(|| format!("{ran:?}"))?;
    let message = told["error"]["message"].as_str().unwrap_or_default();
    ensure!(told["error"]["code"] == code && message.contains(words), "no {code:?}, {words:?} in {ran:?}");
    Ok(())
}
