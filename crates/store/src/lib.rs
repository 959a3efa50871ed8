//! The app's SQLite database: one file per table (migration, row, reads,
//! writes), full-text search, the outbox, and the team's records shown as
//! items and messages.
//!
//! It decides nothing that needs a clock, hours or rules: instants are passed
//! in, the due is computed by the engine ([`item::stale_due`],
//! [`item::set_due`]), and so is what may interrupt. It speaks to no network
//! and holds no secret. SQL is written nowhere else.
//!
//! # How to use it
//!
//! ```no_run
//! # use meantime_store::{Store, StoreError, item, list};
//! # fn f(now: chrono::DateTime<chrono::Utc>, day_end: chrono::DateTime<chrono::Utc>,
//! #      id: meantime_model::ItemId) -> Result<(), StoreError> {
//! let opened = Store::open("meantime.db".as_ref(), now)?; // opened.recovered: tell the person
//! let store = opened.store; // Clone + Send + Sync; calls block: use spawn_blocking
//! let page = store.read(|r| list::inbox(r, day_end, 0, 50))?;
//! store.write(|tx| item::set_done(tx, id, Some(now)))?; // on disk once it returns
//! # Ok(()) }
//! ```
//!
//! [`Store::write`] is for what nobody else has a copy of, [`Store::write_bulk`]
//! for pages of a source or feed. Functions that read take [`Read`], those
//! that write [`Tx`], which derefs to `Read`. Closures may fail with any error
//! that is `From<StoreError>`.
//!
//! | what | where |
//! |---|---|
//! | accounts, cursors | [`account`] |
//! | one item, triage, snooze wake-up, due | [`item`] |
//! | inbox groups, waiting, later, done, counts | [`list`] |
//! | messages of an item, own mail on its way | [`message`] |
//! | the few words of a message that a row shows | [`note`] |
//! | search | [`search::search`] |
//! | a source's page in, what is new | [`ingest::ingest`] |
//! | team: pages in, ops out, records with pending changes | [`team`] |
//! | feeds and their cursors | [`scope`] |
//! | outbox (source ops, refusals, undo window) | [`outbox`] |
//! | focus blocks and what they hold | [`focus`] |
//! | notifications, exactly once | [`notice`] |
//! | undo, drafts, settings | [`undo`], [`draft`], [`setting`] |
//! | what would be lost with an account | [`unsent`] |
//! | which copies of files are still needed | [`needed`] |
//!
//! **Triage of a team thread** is a change of its mark: [`team::push`] one
//! with `done_at`/`read_at` = [`message::seen_until`] (the server's time, so
//! that a wrong clock here hides nothing) and the item follows. For an item of
//! another source call the `item::set_*` functions and, where there is a team,
//! push the mark as well so that the other devices follow.
//!
//! **A thread or reply** is one or two [`team::push`]es ([`outbox::NewOp`]
//! with `not_before` = the end of the undo window); the rows appear at once,
//! their [`message::Message::sending`] says how they go. Undo is
//! [`outbox::withdraw`] + [`team::replay`].

pub mod account;
pub mod draft;
pub mod focus;
pub mod ingest;
pub mod item;
pub mod list;
pub mod message;
pub mod needed;
pub mod note;
pub mod notice;
pub mod outbox;
pub mod record;
pub mod scope;
pub mod search;
pub mod setting;
pub mod team;
pub mod undo;
pub mod unsent;

mod error;
mod open;
mod schema;
mod sql;
mod store;

pub use account::AccountKind;
pub use error::{Result, StoreError};
pub use open::{Opened, Recovered};
pub use store::{Read, Store, Tx};
