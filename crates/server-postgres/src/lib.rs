//! The server's data in PostgreSQL 15 or newer.
