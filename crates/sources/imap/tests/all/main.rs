//! The mailbox source against real servers, and its parser against hostile
//! bytes. Everything is started by the tests themselves.

mod conformance;
mod corpus;
mod mailbox;
mod sending;
