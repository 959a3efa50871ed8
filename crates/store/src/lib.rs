//! The app's SQLite database
