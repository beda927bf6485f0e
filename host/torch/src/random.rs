//! Counter-based random numbers: each stream depends on its key alone, never on what was drawn before, so
//! neither threads nor resuming nor the order of declarations move them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// The stream of numbers that belongs to a purpose, a seed and an item.
#[derive(Debug)]
pub(crate) struct Stream {
    generator: ChaCha8Rng,
    /// Box–Muller makes two normal numbers at a time.
    spare: Option<f64>,
}

impl Stream {
    pub(crate) fn new(purpose: &str, seed: u64, item: &str) -> Stream {
        Stream { generator: ChaCha8Rng::from_seed(key(purpose, &[seed], item)), spare: None }
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.generator.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Standard normal (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        // In (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }
}

/// A seed for libtorch's own generator, not negative.
pub(crate) fn torch_seed(purpose: &str, numbers: &[u64], item: &str) -> i64 {
    let key = key(purpose, numbers, item);
    let mut first = [0; 8];
    first.copy_from_slice(&key[..8]);
    (u64::from_le_bytes(first) >> 1) as i64
}

fn key(purpose: &str, numbers: &[u64], item: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(purpose.as_bytes());
    hash.update([0]);
    for number in numbers {
        hash.update(number.to_le_bytes());
    }
    hash.update(item.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_item() {
        let draw = |item| {
            let mut stream = Stream::new("test", 7, item);
            (0..4).map(|_| stream.uniform()).collect::<Vec<_>>()
        };
        assert_eq!(draw("a"), draw("a"));
        assert_ne!(draw("a"), draw("b"));
    }

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let mut stream = Stream::new("test", 1, "normal");
        let values: Vec<f64> = (0..20_000).map(|_| stream.normal()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
