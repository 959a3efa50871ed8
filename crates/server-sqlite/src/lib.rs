//! The server's SQLite backend
