//! What the benchmarks share: a made-up archive of mail, figures, a report.
//!
//! A benchmark is no test: it fails when it can't measure, never for being slow.

pub mod corpus;
pub mod figures;
pub mod report;
pub mod screen;
