//! A real keyring.

use super::{PrivateBus, Process, eventually, private_environment};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A running gnome-keyring with an unlocked login keyring.
pub struct GnomeKeyring {
    _process: Process,
}

impl GnomeKeyring {
    /// Starts it; its files lie below `folder`, so a second start in the same
    /// folder has the same secrets.
    ///
    /// # Panics
    /// gnome-keyring is missing or does not start.
    pub async fn start(folder: &Path, bus: &PrivateBus) -> Self {
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--unlock", "--foreground", "--components=secrets"]).stdin(Stdio::piped());
        private_environment(&mut command, folder, bus);
        let mut process = Process::start(folder, "gnome-keyring", &mut command);
        let mut stdin = process.child().stdin.take().expect("its input");
        stdin.write_all(b"test").expect("the keyring takes a password");
        drop(stdin);
        eventually("gnome-keyring owns its name", async || bus.has("org.freedesktop.secrets").await.then_some(()))
            .await;
        Self { _process: process }
    }
}
