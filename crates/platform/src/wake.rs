//! Sleep and wake of the computer.
