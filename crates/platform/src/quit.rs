//! Being asked to end, by a signal or by Ctrl+C.

use std::io;

/// Waits until this process is asked to end: Ctrl+C, and on Unix SIGTERM and
/// SIGHUP as well. From the first call on these end the process no more by
/// themselves.
///
/// # Errors
/// The system can't tell.
pub async fn asked_to_quit() -> io::Result<()> {
    os::asked_to_quit().await
}

#[cfg(unix)]
mod os {
    use std::io;
    use tokio::signal::unix::{SignalKind, signal};

    pub(super) async fn asked_to_quit() -> io::Result<()> {
        let mut term = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = term.recv() => {}
            _ = hangup.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    }
}

#[cfg(windows)]
mod os {
    use std::io;
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};

    pub(super) async fn asked_to_quit() -> io::Result<()> {
        let (mut c, mut on_break, mut close, mut shutdown) =
            (ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?);
        tokio::select! {
            _ = c.recv() => {}
            _ = on_break.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
        }
        Ok(())
    }
}
