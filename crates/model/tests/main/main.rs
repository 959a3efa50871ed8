//! The rules over working time, checked from outside: examples with real
//! people and places, properties, and an oracle that steps minute by minute.

// The lints for data from outside; clippy sees tests only in the functions marked so.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod elsewhere;
mod examples;
mod holidays;
mod hours_file;
mod oracle;
mod properties;
mod random;
mod schema;
