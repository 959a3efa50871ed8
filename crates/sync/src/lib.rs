//! The app's side of sync
