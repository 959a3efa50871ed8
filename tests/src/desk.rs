//! A desktop of its own: a display, a session bus, a notification daemon, a
//! tray and a keyring, all of them real.

use crate::World;
use crate::wait::{Patience, wait_for};
use anyhow::Result;
use meantime_platform::kit::{Dunst, DunstNote, GnomeKeyring, PrivateBus, TrayHost, Xvfb};
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// A running desktop. Ends when dropped.
pub struct Desk {
    /// The display.
    pub screen: Xvfb,
    /// The notification daemon.
    pub dunst: Dunst,
    /// The panel with its tray.
    pub tray: TrayHost,
    told: usize,
    _keyring: GnomeKeyring,
    _bus: PrivateBus,
}

impl Desk {
    /// Starts all of it in a world, for what is started there afterwards.
    ///
    /// # Errors
    /// The disk.
    ///
    /// # Panics
    /// A part does not start.
    pub async fn start(world: &mut World) -> Result<Self> {
        let bus = PrivateBus::start();
        let screen = Xvfb::start("1280x800");
        let dunst = Dunst::start(&world.folder("dunst")?, &bus, &screen).await;
        let tray = TrayHost::start(&bus).await;
        let keyring = GnomeKeyring::start(&world.folder("keyring")?, &bus).await;
        world.set("DISPLAY", screen.display());
        world.set("DBUS_SESSION_BUS_ADDRESS", bus.address());
        world.set("DBUS_SYSTEM_BUS_ADDRESS", bus.address());
        world.set("GDK_BACKEND", "x11");
        // Nobody reads this screen aloud, and the bus starts no services.
        world.set("NO_AT_BRIDGE", "1");
        world.set("GSETTINGS_BACKEND", "memory");
        Ok(Self { screen, dunst, tray, told: 0, _keyring: keyring, _bus: bus })
    }

    /// Puts what is on the screen into a PNG file, once it has come to rest:
    /// what a window shows is on the screen a little later than in its page.
    ///
    /// # Errors
    /// The disk.
    pub async fn picture(&self, file: &Path) -> Result<()> {
        let frame = file.with_extension("ppm");
        let mut before = Vec::new();
        wait_for("a screen at rest", Patience::LONG, async || {
            self.screen.screenshot(&frame);
            let now = fs::read(&frame)?;
            let rests = is_painted(&now) && now == before;
            before = now;
            Ok(rests.then_some(()))
        })
        .await?;
        fs::remove_file(&frame)?;
        self.screen.screenshot(file);
        Ok(())
    }

    /// Closes what is on the screen and tells every note there has been since
    /// the last call, oldest first.
    pub fn notes(&mut self) -> Vec<DunstNote> {
        self.dunst.close_all();
        let mut notes = self.dunst.history();
        notes.reverse();
        let new = notes.split_off(self.told.min(notes.len()));
        self.told += new.len();
        new
    }
}

/// A window has letters on it, and their edges have many colours. Looks at the
/// upper left, where no notification lies over the window. The file's head
/// shifts all pixels a little, which changes nothing here.
fn is_painted(ppm: &[u8]) -> bool {
    const BYTES: usize = 3;
    const WIDTH: usize = 1280;
    const LOOKED_AT: usize = 480;
    const COLOURS: usize = 40;
    let rows = ppm.chunks_exact(WIDTH * BYTES).take(LOOKED_AT);
    let pixels = rows.flat_map(|row| row.chunks_exact(BYTES).take(LOOKED_AT));
    pixels.collect::<HashSet<_>>().len() >= COLOURS
}
