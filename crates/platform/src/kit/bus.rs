//! A message bus of one's own.

use super::Process;
use std::process::Command;

/// A `dbus-daemon` that starts no services by itself, so that only what the
/// test put there is there.
pub struct PrivateBus {
    address: String,
    _process: Option<(Process, tempfile::TempDir)>,
}

impl PrivateBus {
    /// Starts one.
    ///
    /// # Panics
    /// `dbus-daemon` is missing.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("mt-bus-").tempdir().expect("a folder");
        let config = folder.path().join("bus.conf");
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:dir={}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"#,
            folder.path().display()
        );
        std::fs::write(&config, text).expect("the bus's configuration");
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args([
            "--nofork",
            "--nopidfile",
            "--print-address=1",
        ]);
        let (process, address) = Process::start_and_read(folder.path(), "dbus-daemon", &mut command);
        Self { address, _process: Some((process, folder)) }
    }

    /// The bus the environment names; somebody else ends it.
    pub(super) fn inherited() -> Self {
        let address = std::env::var("DBUS_SESSION_BUS_ADDRESS").expect("a session bus");
        Self { address, _process: None }
    }

    /// For `DBUS_SESSION_BUS_ADDRESS`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A new connection.
    ///
    /// # Panics
    /// The bus is gone.
    pub async fn connect(&self) -> zbus::Connection {
        self.builder().build().await.expect("the bus answers")
    }

    /// A connection that serves objects.
    ///
    /// # Panics
    /// The bus is gone.
    pub fn builder(&self) -> zbus::connection::Builder<'static> {
        zbus::connection::Builder::address(self.address.as_str()).expect("the bus's address")
    }

    /// Whether somebody owns the name.
    ///
    /// # Panics
    /// The bus is gone.
    pub async fn has(&self, name: &'static str) -> bool {
        let proxy = zbus::fdo::DBusProxy::new(&self.connect().await).await.expect("the bus");
        proxy.name_has_owner(name.try_into().expect("a bus name")).await.expect("the bus answers")
    }
}
