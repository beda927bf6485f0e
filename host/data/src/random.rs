//! Counter-based random numbers: what a stream gives depends on its seed, purpose and counters alone, so
//! neither the number of workers nor stopping and resuming moves a number.
//!
//! The bits come from `ChaCha8`, whose output is specified. What is made of the bits (integers below a
//! bound, floats, orders) is written out here, since general libraries change their sampling
//! algorithms between versions, and a run must give the same numbers under every version of nshot.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// The family of all streams of one seed and purpose; [`Key::stream`] picks one by its counters.
///
/// A purpose is a short constant name such as `augmentation`: streams of different purposes are
/// independent even where seed and counters agree.
#[derive(Clone, Debug)]
pub struct Key {
    prefix: Sha256,
}

impl Key {
    /// The family of `seed` and `purpose`.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mut prefix = Sha256::new();
        prefix.update(b"nshot random stream 1\0");
        prefix.update(seed.to_le_bytes());
        prefix.update((purpose.len() as u64).to_le_bytes());
        prefix.update(purpose.as_bytes());
        Self { prefix }
    }

    /// The stream at `counters`, for example (epoch, image) or (step, path).
    ///
    /// The generator's 32-byte key is the SHA-256 of seed, purpose and counters, each in a fixed
    /// width (little endian), the purpose after its length.
    pub fn stream(&self, counters: (u64, u64)) -> Stream {
        let mut hash = self.prefix.clone();
        hash.update(counters.0.to_le_bytes());
        hash.update(counters.1.to_le_bytes());
        Stream { generator: ChaCha8Rng::from_seed(hash.finalize().into()) }
    }
}

/// A stream of random numbers, the same on every machine and in every version.
///
/// ```
/// use nshot_data::random::Stream;
/// let mut first = Stream::new(7, "example", (3, 0));
/// let mut again = Stream::new(7, "example", (3, 0));
/// assert_eq!(first.below(1000), again.below(1000));
/// ```
#[derive(Clone, Debug)]
pub struct Stream {
    generator: ChaCha8Rng,
}

impl Stream {
    /// The stream of `seed`, `purpose` and `counters`; see [`Key`] for drawing many of one purpose.
    pub fn new(seed: u64, purpose: &str, counters: (u64, u64)) -> Self {
        Key::new(seed, purpose).stream(counters)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A uniform integer in `0..bound`, without bias; 0 where `bound` is 0.
    ///
    /// Multiply and reject: Lemire, *Fast Random Integer Generation in an Interval*, 2019.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let rejected = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.bits()) * u128::from(bound);
            if product as u64 >= rejected {
                return (product >> 64) as u64;
            }
        }
    }

    /// A uniform float in `[0, 1)`: the upper 53 bits over 2^53.
    pub fn f64(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True or false with equal probability: the uppermost of 64 bits.
    pub fn bool(&mut self) -> bool {
        self.bits() >> 63 == 1
    }

    /// Puts `items` into a uniformly drawn order (Fisher and Yates, from the end).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }

    /// A uniformly drawn order of `0..count`.
    pub fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        self.shuffle(&mut order);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Worked out by another implementation, from the definitions of SHA-256, ChaCha8 and this module.
    const FROZEN_BITS: [u64; 3] =
        [13_649_166_061_562_830_843, 199_877_090_110_786_500, 10_350_933_574_461_564_626];
    const FROZEN_ORDER: [usize; 8] = [3, 0, 5, 1, 6, 4, 7, 2];
    const FROZEN_BELOW: [u64; 6] = [32, 51, 59, 41, 81, 82];
    const FROZEN_FLOAT: f64 = 0.422_985_292_378_438_2;

    /// The values are part of what makes runs repeatable: they must never change.
    #[test]
    fn values_are_frozen() {
        let mut stream = Stream::new(42, "test", (1, 2));
        let bits: Vec<u64> = (0..3).map(|_| stream.bits()).collect();
        assert_eq!(bits, FROZEN_BITS);
        let mut stream = Stream::new(0, "order", (0, 0));
        assert_eq!(stream.permutation(8), FROZEN_ORDER);
        assert_eq!((0..6).map(|_| stream.below(100)).collect::<Vec<_>>(), FROZEN_BELOW);
        assert_eq!(stream.f64().to_bits(), FROZEN_FLOAT.to_bits());
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_counters() {
        let firsts = [
            Stream::new(0, "a", (0, 0)).bits(),
            Stream::new(1, "a", (0, 0)).bits(),
            Stream::new(0, "b", (0, 0)).bits(),
            Stream::new(0, "a", (1, 0)).bits(),
            Stream::new(0, "a", (0, 1)).bits(),
        ];
        for (index, first) in firsts.iter().enumerate() {
            assert!(!firsts[..index].contains(first));
        }
    }

    #[test]
    fn numbers_are_uniform() {
        let mut stream = Stream::new(3, "uniform", (0, 0));
        let mut counts = [0_u32; 7];
        let (mut sum, mut heads) = (0.0, 0_u32);
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
            let value = stream.f64();
            assert!((0.0..1.0).contains(&value));
            sum += value;
            heads += u32::from(stream.bool());
        }
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 500), "{counts:?}");
        assert!((sum / 70_000.0 - 0.5).abs() < 0.01);
        assert!(heads.abs_diff(35_000) < 800);
        assert_eq!(stream.below(1), 0);
        assert_eq!(stream.below(0), 0);
    }
}
