//! Whole-system tests: real processes, real servers, a real window
