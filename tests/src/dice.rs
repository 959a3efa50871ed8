//! Dice that fall the same way for the same seed.

use std::env;

/// Dice of a seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Other seeds fall otherwise, also where they are neighbours.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0 to `sides` - 1.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % sides.max(1)
    }

    /// One of these; none of nothing.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(usize::try_from(self.roll(of.len() as u64)).unwrap_or(usize::MAX))
    }
}

/// The seeds to play: the one that `MEANTIME_SEED` names; else one that is
/// always played, and one that nobody played yet.
#[must_use]
pub fn seeds() -> Vec<u64> {
    let given = env::var("MEANTIME_SEED").ok().and_then(|seed| seed.parse().ok());
    given.map_or_else(|| vec![4242, u64::from(uuid::Uuid::new_v4().as_fields().0)], |seed| vec![seed])
}
