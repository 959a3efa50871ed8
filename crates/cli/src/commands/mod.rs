//! One file per group of commands: what it takes, what it asks the engine.
//! How the answers look is in [`crate::show`].

pub(crate) mod account;
pub(crate) mod attachment;
pub(crate) mod daemon;
pub(crate) mod device;
pub(crate) mod due;
pub(crate) mod focus;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod member;
pub(crate) mod overlap;
pub(crate) mod profile;
pub(crate) mod secrets;
pub(crate) mod team;
pub(crate) mod triage;
pub(crate) mod write;

use crate::reach::Reached;
use crate::show::{Out, Times};
use crate::stop::Stop;
use meantime_engine::api::Nothing;
use meantime_platform::{Clock, SystemClock};

/// How times are told: in the zone the engine says. As JSON none is told.
async fn times(engine: &Reached, out: &Out) -> Result<Times, Stop> {
    let zone = if out.json { String::new() } else { engine.status(Nothing {}).await?.zone };
    Ok(Times::new(&zone, SystemClock.now()))
}
