//! Random numbers that depend on nothing but a key and a position.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random numbers (the cipher `ChaCha8`), keyed by the component's key and a position such as the step.
///
/// The same key and position give the same numbers in every version of this crate, on every machine, in
/// whatever order steps are drawn: a resumed run draws what it would have drawn.
///
/// ```
/// let mut a = nshot_sdk::Random::new(7, 3);
/// let mut b = nshot_sdk::Random::new(7, 3);
/// assert_eq!(a.below(1000), b.below(1000));
/// ```
#[derive(Debug, Clone)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of a key at a position.
    pub fn new(key: u64, position: u64) -> Self {
        // Spelled out, since `seed_from_u64` may differ between versions of `rand_core`.
        let mut seed = *b"________nshot stream of a plugin";
        seed[..8].copy_from_slice(&key.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(seed);
        generator.set_stream(position);
        Self(generator)
    }

    /// A uniform number from 0 to `bound - 1`.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no number is below 0");
        // Rejection: what is left over above the last whole multiple would favour small numbers.
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let number = self.0.next_u64();
            if number < limit {
                return number % bound;
            }
        }
    }

    /// A uniform number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One element of a list, uniformly.
    ///
    /// # Panics
    /// If the list is empty.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// Puts a list into uniformly random order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn numbers_never_move() {
        let mut random = Random::new(42, 9);
        let drawn: Vec<u64> = (0..6).map(|_| random.below(100)).collect();
        assert_eq!(drawn, [77, 68, 61, 62, 3, 93]);
    }

    #[test]
    fn draws_are_uniform() {
        let mut counts = [0_u32; 5];
        for position in 0..10_000 {
            counts[Random::new(1, position).below(5) as usize] += 1;
        }
        // Five standard deviations of a binomial with n = 10,000, p = 0.2.
        assert!(counts.iter().all(|&n| n.abs_diff(2000) < 200), "{counts:?}");
    }

    #[test]
    fn a_shuffle_keeps_every_element() {
        let mut list: Vec<u32> = (0..50).collect();
        Random::new(3, 0).shuffle(&mut list);
        assert_ne!(list, (0..50).collect::<Vec<_>>());
        list.sort_unstable();
        assert_eq!(list, (0..50).collect::<Vec<_>>());
    }
}
