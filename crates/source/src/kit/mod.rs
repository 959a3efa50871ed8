//! What tests of sources share: one conformance suite that every connector
//! passes unchanged, and real servers on temporary folders and free ports.
//!
//! Only built with the feature `kit`; nothing of it is in the app. It may
//! panic: that is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(unix)]
pub mod dovecot;
mod harness;
pub mod local;
#[cfg(unix)]
pub mod smtp;
pub mod suite;

pub use harness::{Harness, Truth};
pub use local::Local;

/// Makes one test of each part of the suite for a [`Harness`].
#[macro_export]
macro_rules! conformance {
    ($harness:ty) => {
        $crate::conformance!($harness:
            empty_account, several_pages, same_pull_twice, dropped_half_way, changes_during_backfill,
            news_alert_once, remote_changes_arrive, actions_are_written_back, cursor_invalid,
            bad_secret, poison_among_good, capabilities_are_true, secrets_stay_secret, dead_server,
            answers_are_lost, secret_expires_between_pages, clock_off_by_a_day, unchanged_is_cheap
        );
    };
    ($harness:ty: $($name:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $crate::kit::suite::$name::<$harness>().await;
        }
    )*};
}
