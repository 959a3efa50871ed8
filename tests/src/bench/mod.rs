//! What the benchmarks share: a made-up archive of mail, apps and the peers
//! of the team server, figures, a report.
//!
//! A benchmark is no test: it fails when it can't measure, never for being slow.

pub mod app;
pub mod certificate;
pub mod corpus;
pub mod ejabberd;
pub mod figures;
pub mod live;
pub mod nats;
pub mod plain;
pub mod report;
pub mod screen;
pub mod seat;
pub mod synapse;
pub mod wire;
