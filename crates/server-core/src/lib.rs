//! The server's rules and its Storage trait
