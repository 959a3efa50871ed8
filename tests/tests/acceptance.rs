//! The main job, from end to end.

use anyhow::ensure;
use meantime_tests::day::{self, Silence};
use meantime_tests::world::play;

/// Each clause is a step of [`day::play`], which fails unless it held.
#[test]
fn a_working_day() {
    play(async |world| day::play(world, &mut Silence).await);
}

/// It is taken only once all that it is to show is on the screen.
#[test]
fn the_picture_of_the_readme() {
    play(async |world| {
        let file = world.path().join("picture.png");
        day::screenshot(world, &file).await?;
        // A PNG's head: its signature, then the first chunk's length and name, width and height.
        let picture = std::fs::read(&file)?;
        let size = picture.get(16..24);
        ensure!(picture.starts_with(b"\x89PNG") && size == Some(&[0, 0, 5, 0, 0, 0, 3, 0x20][..]), "not 1280 by 800");
        Ok(())
    });
}
