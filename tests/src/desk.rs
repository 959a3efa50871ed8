//! A desktop of its own: a display, a session bus, a notification daemon, a
//! tray and a keyring, all of them real.

use crate::World;
use anyhow::Result;
use meantime_platform::kit::{Dunst, DunstNote, GnomeKeyring, PrivateBus, TrayHost, Xvfb};

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
