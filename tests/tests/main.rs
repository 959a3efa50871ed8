//! Whole programs against real servers, on a real display.

mod working_day;
