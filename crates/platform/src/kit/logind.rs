//! A logind that says what it is told.

use super::PrivateBus;

/// Tells about sleep and wake on a bus that plays the system's.
pub struct Logind {
    bus: zbus::Connection,
}

impl Logind {
    /// Owns logind's name.
    ///
    /// # Panics
    /// Somebody else does.
    pub async fn start(bus: &PrivateBus) -> Self {
        let builder = bus.builder().name("org.freedesktop.login1").expect("the name");
        Self { bus: builder.build().await.expect("logind's name is free") }
    }

    /// `true`: the computer is about to sleep; `false`: it woke up.
    ///
    /// # Panics
    /// The bus is gone.
    pub async fn prepare_for_sleep(&self, start: bool) {
        let (path, interface) = ("/org/freedesktop/login1", "org.freedesktop.login1.Manager");
        let sent = self.bus.emit_signal(None::<&str>, path, interface, "PrepareForSleep", &start);
        sent.await.expect("the bus takes a signal");
    }
}
