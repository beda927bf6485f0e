//! The seeds of a sweep put together: mean and deviation, and differences paired by seed.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::bootstrap::Interval;
use crate::correlation::mean;
use crate::error::{Error, Result};

/// Mean and spread of one figure over seeds. Displays as `0.712 ± 0.031 (n = 3)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of values.
    pub n: usize,
    /// Their mean; None of nothing.
    pub mean: Option<f64>,
    /// Their sample standard deviation (n − 1); None for fewer than two.
    pub deviation: Option<f64>,
}

/// Differences of two methods, first less second, paired by seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Number of pairs, mean of the differences, and their sample standard deviation.
    pub difference: Summary,
    /// The 95 % interval of the mean difference by Student's t with n − 1 degrees of freedom, which takes the
    /// differences to be normally distributed. None for fewer than two pairs.
    pub interval: Option<Interval>,
    /// The seeds that both sides have, ascending.
    pub seeds: Vec<u64>,
}

/// Mean and sample standard deviation of one figure, given with its seeds.
pub fn summarise(values: &[(u64, f64)]) -> Summary {
    summary(&values.iter().map(|(_, value)| *value).collect::<Vec<_>>())
}

/// Differences, first less second, over the seeds that both have. A seed of one side alone is left out.
///
/// # Errors
/// A seed occurs twice on a side.
pub fn paired(first: &[(u64, f64)], second: &[(u64, f64)]) -> Result<Paired> {
    let (first, second) = (by_seed(first, "first")?, by_seed(second, "second")?);
    let pairs = first.iter().filter_map(|(seed, a)| second.get(seed).map(|b| (*seed, a - b)));
    let (seeds, differences): (Vec<u64>, Vec<f64>) = pairs.unzip();
    let difference = summary(&differences);
    let interval = difference.mean.zip(difference.deviation).and_then(|(mean, deviation)| {
        let n = seeds.len() as f64;
        let student = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
        let half = student.inverse_cdf(0.975) * deviation / n.sqrt();
        Some(Interval { low: mean - half, high: mean + half })
    });
    Ok(Paired { difference, interval, seeds })
}

fn by_seed(values: &[(u64, f64)], side: &'static str) -> Result<BTreeMap<u64, f64>> {
    let map: BTreeMap<u64, f64> = values.iter().copied().collect();
    if map.len() < values.len() {
        let count = |seed: u64| values.iter().filter(|(other, _)| *other == seed).count();
        let twice = map.keys().map(|&seed| (seed, count(seed))).find(|(_, count)| *count > 1);
        let (seed, count) = twice.unwrap_or_default();
        return Err(Error::Seed { seed, count, side });
    }
    Ok(map)
}

fn summary(values: &[f64]) -> Summary {
    let mean = mean(values);
    let deviation = mean.filter(|_| values.len() > 1).map(|mean| {
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / (values.len() - 1) as f64).sqrt()
    });
    Summary { n: values.len(), mean, deviation }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(3);
        match (self.mean, self.deviation) {
            (None, _) => write!(f, "no values"),
            (Some(mean), None) => write!(f, "{mean:.digits$} (n = {})", self.n),
            (Some(mean), Some(deviation)) => {
                write!(f, "{mean:.digits$} ± {deviation:.digits$} (n = {})", self.n)
            }
        }
    }
}

impl fmt::Display for Paired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(3);
        write!(f, "{:.digits$}", self.difference)?;
        match self.interval {
            Some(Interval { low, high }) => write!(f, ", 95 % interval {low:.digits$} to {high:.digits$}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_the_sample_deviation() {
        let found = summarise(&[(0, 1.0), (1, 2.0), (2, 6.0)]);
        assert_eq!((found.n, found.mean), (3, Some(3.0)));
        assert!((found.deviation.unwrap() - 7.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(found.to_string(), "3.000 ± 2.646 (n = 3)");
        assert_eq!(format!("{:.1}", summarise(&[(4, 2.0)])), "2.0 (n = 1)");
        assert_eq!(summarise(&[]).to_string(), "no values");
    }

    /// Against `scipy.stats.ttest_rel(...).confidence_interval(0.95)`.
    #[test]
    fn differences_are_paired_by_seed() {
        let first = [(2, 0.71), (0, 0.69), (1, 0.74), (9, 5.0)];
        let second = [(0, 0.66), (1, 0.70), (2, 0.69), (7, 5.0)];
        let found = paired(&first, &second).unwrap();
        assert_eq!(found.seeds, [0, 1, 2]);
        assert!((found.difference.mean.unwrap() - 0.03).abs() < 1e-12);
        let interval = found.interval.unwrap();
        assert!((interval.low - 0.005_158_622_882_496_664).abs() < 1e-9, "{interval:?}");
        assert!((interval.high - 0.054_841_377_117_503_31).abs() < 1e-9, "{interval:?}");
        // With two pairs: t is 12.7062.
        let two = paired(&[(0, 1.0), (1, 3.0)], &[(0, 0.0), (1, 0.0)]).unwrap().interval.unwrap();
        assert!((two.high - 2.0 - 12.706_204_736_174_694).abs() < 1e-8, "{two:?}");
        assert_eq!(paired(&first[..1], &second).unwrap().interval, None);
        assert_eq!(paired(&[], &second).unwrap().difference.n, 0);
    }

    #[test]
    fn a_doubled_seed_is_refused() {
        let error = paired(&[(0, 1.0)], &[(0, 1.0), (3, 1.0), (3, 2.0)]).unwrap_err();
        assert_eq!(error.to_string(), "seed 3 has 2 values among the second ones, expected one");
    }
}
