//! What is logged, where and how.
//!
//! Lines are about this program; what libraries say is kept to warnings,
//! since at finer levels they show what is sent.

use crate::settings::{Format, Logging};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Logs to standard error from now on. `MEANTIME_LOG` says what instead of
/// the settings, in the words of `tracing_subscriber`; of a library only what
/// it is named for.
pub fn start(logging: &Logging) {
    let said = std::env::var("MEANTIME_LOG").ok().filter(|said| !said.trim().is_empty());
    let said = said.and_then(|said| EnvFilter::try_new(filter(&said)).ok());
    let filter = said.unwrap_or_else(|| EnvFilter::new(filter(logging.level.name())));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Somebody else in this process may have begun already: that one goes on.
    let _ = match logging.format {
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// What is asked for, where a level that stands by itself is this program's:
/// libraries are kept to warnings unless they are named, or less is asked for.
fn filter(said: &str) -> String {
    let directives = said.split(',').filter(|directive| !directive.trim().is_empty());
    let ours = directives.map(|directive| match directive.trim().parse::<LevelFilter>() {
        Ok(level) if level > LevelFilter::WARN => format!("meantime={level}"),
        _ => directive.to_owned(),
    });
    std::iter::once("warn".to_owned()).chain(ours).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_kept_to_warnings_unless_they_are_named() {
        for (said, filters) in [
            ("info", "warn,meantime=info"),
            ("TRACE", "warn,meantime=trace"),
            ("off", "warn,off"),
            ("meantime_server=debug", "warn,meantime_server=debug"),
            ("debug,,hyper=trace", "warn,meantime=debug,hyper=trace"),
        ] {
            assert_eq!(filter(said), filters);
            assert!(EnvFilter::try_new(filters).is_ok(), "{filters}");
        }
    }
}
