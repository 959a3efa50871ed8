//! RSS, Atom and JSON feeds as a source
