//! Whole programs against real servers, on a real display.

#![allow(clippy::indexing_slicing)] // of JSON, where what is missing reads as null; out of range is a failed test

mod acceptance;
mod attachments;
mod desks;
mod devices;
mod faults;
mod histories;
mod members;
mod outage;
mod screens;
mod window;
