//! Whole programs against real servers, on a real display.

#![allow(clippy::indexing_slicing)] // of JSON: what is missing reads as null

mod faults;
mod outage;
mod window;
mod working_day;
