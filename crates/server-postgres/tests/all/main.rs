//! PostgreSQL: the suite, what keeps teams apart, and what happens when the
//! database or a server process dies. All on real servers.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod killing;
mod load;
mod opening;
mod outage;
mod plans;
mod processes;
mod security;
mod tools;

use meantime_server_postgres::Postgres;

fn fresh() -> (Postgres, ()) {
    let opened = async { tools::opened().await.0 };
    (tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(opened)), ())
}

meantime_server_core::suite!(fresh);
