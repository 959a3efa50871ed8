//! Ids, items, people and schedules, and the pure rules over them: working
//! time, the due, what may interrupt, the digest.
//!
//! Nothing here does I/O, reads a clock, keeps a global or is async: an
//! instant that a rule needs is passed in. Value types derive serde; whole
//! entities cross a boundary as that boundary's own type.

pub mod backoff;
pub mod digest;
pub mod due;
pub mod focus;
pub mod group;
pub mod holidays;
pub mod id;
pub mod overlap;
pub mod schedule;
pub mod snooze;
pub mod urgency;
pub mod working;
pub mod zone;

pub use due::Window;
pub use id::{AccountId, BlockId, DeviceId, ItemId, OpId, PersonId, TeamId};
pub use schedule::Schedule;
pub use urgency::Urgency;
pub use working::Span;
pub use zone::Zone;
