//! What is logged, where and how.
//!
//! Lines are about this program; what libraries say is kept to warnings,
//! since at finer levels they show what is sent.

use crate::settings::{Format, Logging};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Logs to standard error from now on. `MEANTIME_LOG` says what instead of
/// the settings, in the words of `tracing_subscriber`.
pub fn start(logging: &Logging) {
    let ours = format!("warn,meantime_server={level},meantime_server_core={level}", level = logging.level.name());
    let ours =
        format!("{ours},meantime_server_sqlite={level},meantime_server_postgres={level}", level = logging.level.name());
    let filter = EnvFilter::try_from_env("MEANTIME_LOG").unwrap_or_else(|_| EnvFilter::new(ours));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Somebody else in this process may have begun already: that one goes on.
    let _ = match logging.format {
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
}
