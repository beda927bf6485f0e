//! Bootstrap intervals of tau-b.

use nshot_data::random::Key;
use serde::{Deserialize, Serialize};

use crate::correlation::Ordered;

/// An interval that covers 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end: the 2.5 % quantile.
    pub low: f64,
    /// The upper end: the 97.5 % quantile.
    pub high: f64,
}

/// Tau-b of every predictor with the truth, in each of `resamples` resamples: `[predictor][resample]`.
///
/// A resample draws as many architectures as there are, with replacement; all predictors see the same ones,
/// so that their differences can be taken resample by resample. Resample i uses the random stream
/// (seed, `bootstrap`, i). None where tau-b is undefined. All architectures take part, however many there are.
pub(crate) fn taus(
    predictors: &[&[f64]],
    truth: &[f64],
    seed: u64,
    resamples: usize,
) -> Vec<Vec<Option<f64>>> {
    let ordered: Vec<Option<Ordered>> = predictors.iter().map(|x| Ordered::new(x, truth)).collect();
    let mut taus: Vec<Vec<Option<f64>>> = predictors.iter().map(|_| Vec::with_capacity(resamples)).collect();
    let (key, mut counts, mut tree) = (Key::new(seed, "bootstrap"), vec![0_u32; truth.len()], Vec::new());
    for resample in 0..resamples {
        let mut stream = key.stream((resample as u64, 0));
        counts.fill(0);
        for _ in 0..truth.len() {
            counts[stream.below(truth.len() as u64) as usize] += 1;
        }
        for (ordered, taus) in ordered.iter().zip(&mut taus) {
            taus.push(ordered.as_ref().and_then(|ordered| ordered.kendall(&counts, &mut tree)));
        }
    }
    taus
}

/// The 95 % percentile interval of bootstrapped values. Undefined ones are left out; None where they are more
/// than a tenth, or there are none at all.
pub(crate) fn interval(values: impl Iterator<Item = Option<f64>>) -> Option<Interval> {
    let values: Vec<Option<f64>> = values.collect();
    let mut defined: Vec<f64> = values.iter().copied().flatten().collect();
    if defined.is_empty() || defined.len() * 10 < values.len() * 9 {
        return None;
    }
    defined.sort_by(f64::total_cmp);
    Some(Interval { low: quantile(&defined, 0.025), high: quantile(&defined, 0.975) })
}

/// A quantile of sorted values, at least one, interpolated linearly between neighbours.
fn quantile(sorted: &[f64], portion: f64) -> f64 {
    let position = portion * (sorted.len() - 1) as f64;
    let low = sorted[position.floor() as usize];
    let high = sorted[position.ceil() as usize];
    low + (high - low) * position.fract()
}

#[cfg(test)]
mod tests {
    use nshot_data::random::Stream;

    use super::*;
    use crate::correlation::kendall;

    #[test]
    fn a_resample_is_the_data_with_repeats() {
        let mut stream = Stream::new(5, "test", (0, 0));
        let x: Vec<f64> = (0..40).map(|_| stream.below(12) as f64).collect();
        let y: Vec<f64> = (0..40).map(|_| stream.below(9) as f64).collect();
        let mut stream = Key::new(3, "bootstrap").stream((1, 0));
        let drawn: Vec<usize> = (0..40).map(|_| stream.below(40) as usize).collect();
        let pick = |values: &[f64]| drawn.iter().map(|&index| values[index]).collect::<Vec<_>>();
        let expected = kendall(&pick(&x), &pick(&y));
        assert!(expected.is_some());
        assert_eq!(taus(&[&x], &y, 3, 2)[0][1], expected);
        // Further resamples and predictors do not move it.
        assert_eq!(taus(&[&y, &x], &y, 3, 5)[1][1], expected);
        assert_ne!(taus(&[&x], &y, 4, 2)[0][1], expected);
    }

    #[test]
    fn intervals_cover_the_middle() {
        let all = interval((0..=1000).rev().map(|value| Some(f64::from(value)))).unwrap();
        assert_eq!((all.low, all.high), (25.0, 975.0));
        let two = interval([Some(1.0), Some(2.0)].into_iter()).unwrap();
        assert!((two.low - 1.025).abs() < 1e-12 && (two.high - 1.975).abs() < 1e-12);
        assert_eq!(interval(std::iter::empty()), None);
        assert_eq!(interval([Some(1.0), None].into_iter()), None);
    }
}
