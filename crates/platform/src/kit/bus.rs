//! A message bus of one's own.

use super::Process;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Below the bus's own folder.
const SERVICES: &str = "services";

/// A `dbus-daemon` that starts no services but those a test offers, so that
/// only what the test put there is there.
pub struct PrivateBus {
    address: String,
    services: PathBuf,
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
        let services = folder.path().join(SERVICES);
        std::fs::create_dir(&services).expect("a folder");
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:dir={}</listen><auth>EXTERNAL</auth><servicedir>{}</servicedir>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"#,
            folder.path().display(),
            services.display()
        );
        std::fs::write(&config, text).expect("the bus's configuration");
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args([
            "--nofork",
            "--nopidfile",
            "--print-address=1",
        ]);
        let (process, address) = Process::start_and_read(folder.path(), "dbus-daemon", &mut command);
        Self { address, services, _process: Some((process, folder)) }
    }

    /// The bus the environment names; somebody else ends it.
    pub(super) fn inherited() -> Self {
        let address = std::env::var("DBUS_SESSION_BUS_ADDRESS").expect("a session bus");
        let socket = address.split([',', ';']).find_map(|part| part.strip_prefix("unix:path=")).expect("a private bus");
        let services = Path::new(socket).parent().expect("its folder").join(SERVICES);
        Self { address, services, _process: None }
    }

    /// From now on whoever asks for the name has the program started for it.
    ///
    /// # Panics
    /// The bus is gone.
    pub async fn offer(&self, name: &str, program: &str) {
        let service = format!("[D-BUS Service]\nName={name}\nExec={program}\n");
        std::fs::write(self.services.join(format!("{name}.service")), service).expect("a service");
        let proxy = zbus::fdo::DBusProxy::new(&self.connect().await).await.expect("the bus");
        proxy.reload_config().await.expect("the bus answers");
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
