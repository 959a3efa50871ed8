//! The engine put together with its adapters: what the desktop shell and the
//! command line both run.
