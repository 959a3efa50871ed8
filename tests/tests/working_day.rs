//! The main job, from end to end.

use meantime_tests::day::{self, Silence};
use meantime_tests::world::play;

/// Each clause is a step of [`day::play`], which fails unless it held.
#[test]
fn a_working_day() {
    play(async |world| day::play(world, &mut Silence).await);
}
