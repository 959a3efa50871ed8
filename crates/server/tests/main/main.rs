//! The server over real TLS: in this process, and as the binary.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod acme;
mod attachments;
mod backups;
mod binary;
mod calls;
mod certificates;
mod demo;
mod disk;
mod handbook;
mod limits;
mod live;
mod logs;
mod mistakes;
mod monitoring;
mod operator;
mod people;
mod postgres;
mod robustness;
mod schemathesis;
mod sealed;
mod shapes;
mod tenants;
mod tls;
mod world;
