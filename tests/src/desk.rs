//! A desktop of its own: a display, a session bus, a notification daemon, a
//! tray and a keyring, all of them real.

use crate::World;
use anyhow::Result;
use meantime_platform::kit::{Dunst, DunstNote, GnomeKeyring, PrivateBus, TrayHost, Xvfb};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// More than the head of a PPM file, in whole pixels.
const HEAD: usize = 300;

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
        const TRIES: usize = 20;
        let frame = file.with_extension("ppm");
        let mut before = Vec::new();
        for _ in 0..TRIES {
            self.screen.screenshot(&frame);
            let now = fs::read(&frame)?;
            let pixels = now.get(HEAD..).unwrap_or_default();
            let painted = pixels.chunks_exact(3).any(|pixel| Some(pixel) != pixels.get(..3));
            if painted && now == before {
                break;
            }
            before = now;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
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
