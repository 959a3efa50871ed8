//! The real program on a display, a bus and a tray of its own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // a fixture that fails is a failing test

use meantime_engine::api::{Client, FocusStatus, Nothing};
use meantime_engine::socket;
use meantime_platform::kit::{PrivateBus, Process, TrayHost, TrayItem, Xvfb, eventually, private_environment};
use meantime_platform::{Dirs, Lock};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Everything around the program, and the program.
struct Desk {
    folder: tempfile::TempDir,
    bus: PrivateBus,
    screen: Xvfb,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("mt-d-").tempdir().unwrap();
        Self { folder, bus: PrivateBus::start(), screen: Xvfb::start("1300x860") }
    }

    fn dirs(&self) -> Dirs {
        Dirs::within(&self.folder.path().join("m")).unwrap()
    }

    fn start(&self, name: &str, arguments: &[&str]) -> Process {
        let program = Path::new(env!("CARGO_BIN_EXE_meantime-desktop"));
        Process::start(self.folder.path(), name, &mut self.command(program, arguments))
    }

    /// `meantime`, which lies beside the program.
    fn cli(&self, arguments: &[&str]) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_meantime-desktop")).with_file_name("meantime");
        assert!(program.is_file(), "cargo build --package meantime-cli");
        self.command(&program, arguments)
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        private_environment(&mut command, self.folder.path(), &self.bus);
        command
            .args(arguments)
            .env("DISPLAY", self.screen.display())
            .env("MEANTIME_HOME", self.folder.path().join("m"));
        command
    }

    /// A window takes part in what happens only once its page runs: closed
    /// before that, the window library does not hear of it.
    async fn window_is_up(&self) {
        eventually("the window", async || (self.windows() == 1).then_some(())).await;
        eventually("its page", async || self.log().contains("the window is up").then_some(())).await;
    }

    fn windows(&self) -> usize {
        self.screen.windows().iter().filter(|title| title.starts_with("Meantime")).count()
    }

    async fn focus(&self) -> FocusStatus {
        let dirs = self.dirs();
        let connect = async || socket::connect(&dirs).await.ok().flatten();
        let connection = eventually("the engine answers", connect).await;
        Client(connection).focus_status(Nothing {}).await.unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dirs().cache.join("desktop.log")).unwrap_or_default()
    }
}

async fn ended(process: &mut Process) -> i32 {
    let status = eventually("the program ends", async || process.child().try_wait().unwrap()).await;
    status.code().unwrap_or(-1)
}

async fn line(item: &TrayItem) -> String {
    item.menu().await.first().map(|entry| entry.label.clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tray_starts_and_ends_focus() {
    let desk = Desk::new();
    // The panel comes late: the window is there without it.
    let mut app = desk.start("app", &[]);
    eventually("the window", async || (desk.windows() == 1).then_some(())).await;
    let tray = TrayHost::start(&desk.bus).await;
    let item = tray.item().await;
    assert_eq!(line(&item).await, "Not focusing");
    let idle = item.icon().await;
    let enabled = async |label: &str| item.menu().await.into_iter().find(|entry| entry.label == label).unwrap().enabled;
    assert!(!enabled("End focus").await);

    item.click("Focus for 25").await;
    eventually("the minutes", async || line(&item).await.starts_with("25 min left").then_some(())).await;
    assert!(enabled("End focus").await);
    assert!(item.tooltip().await.contains("25 min of focus left"), "{}", item.tooltip().await);
    assert_ne!(item.icon().await, idle);
    let block = desk.focus().await.block.unwrap();
    assert_eq!((block.until.unwrap() - block.since).num_minutes(), 25);

    item.click("End focus").await;
    eventually("no block", async || desk.focus().await.block.is_none().then_some(())).await;
    item.activate().await;
    eventually("a click toggles", async || desk.focus().await.block.is_some().then_some(())).await;
    eventually("the picture", async || (item.icon().await != idle).then_some(())).await;

    // The panel crashes and comes back: so does the icon.
    tray.stop().await;
    let tray = TrayHost::start(&desk.bus).await;
    let item = tray.item().await;
    eventually("the minutes again", async || line(&item).await.contains("min left").then_some(())).await;
    item.click("Quit").await;
    assert_eq!(ended(&mut app).await, 0, "{}", desk.log());
    assert!(desk.log().contains("Meantime ends"), "{}", desk.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_shows_the_first() {
    let desk = Desk::new();
    let tray = TrayHost::start(&desk.bus).await;
    let mut app = desk.start("app", &["--hidden"]);
    let item = tray.item().await;
    desk.focus().await;
    assert_eq!(desk.windows(), 0, "started hidden");

    let link = "meantime://join#host=team.example&code=topsecret";
    let mut second = desk.start("second", &[link]);
    assert_eq!(ended(&mut second).await, 0);
    desk.window_is_up().await;
    assert!(!desk.log().contains("topsecret") && desk.log().contains("meantime://join#…"), "{}", desk.log());

    // With a tray, closing hides; the app goes on and comes back.
    desk.screen.close("Meantime");
    eventually("no window", async || (desk.windows() == 0).then_some(())).await;
    item.click("Show Meantime").await;
    eventually("the window again", async || (desk.windows() == 1).then_some(())).await;
    assert!(app.child().try_wait().unwrap().is_none());
    drop(tray);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_running_daemon_it_shows_that_one_and_takes_over_from_it() {
    let desk = Desk::new();
    let mut daemon = Process::start(desk.folder.path(), "daemon", &mut desk.cli(&["daemon"]));
    desk.focus().await;
    let tray = TrayHost::start(&desk.bus).await;
    let mut app = desk.start("app", &["--hidden"]);
    let item = tray.item().await;
    eventually("the tray", async || (line(&item).await == "Not focusing").then_some(())).await;

    // What happens in the daemon is seen here, and what is clicked here is done there.
    assert!(desk.cli(&["focus", "start", "--for", "25m"]).output().unwrap().status.success());
    eventually("the daemon's block", async || line(&item).await.starts_with("25 min left").then_some(())).await;
    item.click("End focus").await;
    eventually("its end", async || desk.focus().await.block.is_none().then_some(())).await;
    item.click("Focus for 50").await;
    let block = eventually("a block again", async || desk.focus().await.block).await;

    daemon.kill();
    // Now the app answers, with what the daemon had written down.
    assert_eq!(desk.focus().await.block.unwrap().id, block.id);
    eventually("the minutes", async || line(&item).await.contains("min left").then_some(())).await;
    item.click("End focus").await;
    eventually("the end of the block", async || desk.focus().await.block.is_none().then_some(())).await;
    item.click("Quit").await;
    assert_eq!(ended(&mut app).await, 0, "{}", desk.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_tray_closing_ends_it() {
    let desk = Desk::new();
    let place = desk.dirs().data.join("window.json");
    // Once where it made the file, once where an older one did.
    for _ in 0..2 {
        let mut app = desk.start("app", &[]);
        desk.window_is_up().await;
        desk.focus().await;
        desk.screen.close("Meantime");
        assert_eq!(ended(&mut app).await, 0, "{}", desk.log());
        let remembered: serde_json::Value = serde_json::from_slice(&std::fs::read(&place).unwrap()).unwrap();
        assert!(remembered["main"]["width"].as_u64() > Some(0), "{remembered}");
        assert_eq!(place.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&place, Permissions::from_mode(0o644)).unwrap();
        std::fs::remove_file(desk.dirs().cache.join("desktop.log")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_failed_is_made_again() {
    let desk = Desk::new();
    let tray = TrayHost::start(&desk.bus).await;
    desk.dirs().create().unwrap();
    // A long import, say, that answers nobody.
    let owned = Lock::take(&desk.dirs()).unwrap().unwrap();
    let _app = desk.start("app", &["--hidden"]);
    let item = tray.item().await;
    eventually("it gives up", async || desk.log().contains("the engine did not start").then_some(())).await;
    item.click("Focus for 25").await;
    eventually("it says so in a window", async || (desk.windows() == 1).then_some(())).await;

    drop(owned);
    item.click("Focus for 25").await;
    eventually("the minutes", async || line(&item).await.starts_with("25 min left").then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_display_it_says_so() {
    let desk = Desk::new();
    for display in ["", ":4095"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meantime-desktop"));
        private_environment(&mut command, desk.folder.path(), &desk.bus);
        command.env("MEANTIME_HOME", desk.folder.path().join("m")).env("DISPLAY", display);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("without a display, use `meantime`") && !said.contains("panicked"), "{said}");
    }
}
