//! The engine as a whole, over a real database, with a clock, a notifier and
//! a mailbox that the test holds in its hands.

mod focus;
mod inbox;
mod rig;
mod typescript;
mod writing;
