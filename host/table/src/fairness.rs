//! Whether a supernet is fair to small and to large subnets.
//!
//! The literature has measures of these names; the definitions here are nshot's own. In them *score* is what the
//! supernet gives (accuracy, or minus the mean negative log-likelihood), *truth* the trained accuracy, and
//! *complexity* a cost of the subnet.

use serde::{Deserialize, Serialize};

use crate::correlation::{average_ranks, kendall, mean, spearman};

/// Closer to 1 than this, a correlation with the truth leaves nothing to correlate.
const NOTHING_LEFT: f64 = 1e-12;

/// Measures of unfairness of one score. All but the first two are 0 for a supernet that ranks as the truth does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// Tau-b of score and complexity.
    pub score_complexity: Option<f64>,
    /// Tau-b of truth and complexity.
    pub truth_complexity: Option<f64>,
    /// Complexity bias: tau-b(score, complexity) − tau-b(truth, complexity), −2 to 2. Positive: the supernet
    /// prefers large subnets more than the truth does; negative: it prefers small ones. Scores of no information
    /// have −tau-b(truth, complexity): read it beside the score's own tau-b.
    pub complexity_bias: Option<f64>,
    /// Complexity-convergence correlation: Spearman's partial correlation of score and complexity with the truth
    /// held fixed, (ρsc − ρst·ρct) / √((1 − ρst²)(1 − ρct²)), −1 to 1. The part of the score's rank that the
    /// truth's rank does not explain is how far a subnet's training has come compared with its peers. Positive:
    /// large subnets have come further; negative: small ones have. Noise in the scores alone gives 0. None also
    /// where the truth explains a rank wholly.
    pub complexity_convergence: Option<f64>,
    /// Mean signed rank error by quartile of complexity, smallest first, −1 to 1: the mean of (score's rank −
    /// truth's rank) / (n − 1), ranks ascending. Positive: these subnets are overrated. Weighted with the
    /// quartiles' sizes they sum to 0. None for an empty quartile.
    pub rank_error: [Option<f64>; 4],
}

impl Fairness {
    /// All of them; `quartile` holds each subnet's quartile, 0 to 3.
    pub(crate) fn new(score: &[f64], truth: &[f64], complexity: &[f64], quartile: &[usize]) -> Self {
        let (with_score, with_truth) = (kendall(score, complexity), kendall(truth, complexity));
        Self {
            score_complexity: with_score,
            truth_complexity: with_truth,
            complexity_bias: with_score.zip(with_truth).map(|(score, truth)| score - truth),
            complexity_convergence: partial(score, complexity, truth),
            rank_error: rank_error(score, truth, quartile),
        }
    }
}

/// Spearman's correlation of x and y with z held fixed.
fn partial(x: &[f64], y: &[f64], z: &[f64]) -> Option<f64> {
    let (xy, xz, yz) = (spearman(x, y)?, spearman(x, z)?, spearman(y, z)?);
    let (left_x, left_y) = (1.0 - xz * xz, 1.0 - yz * yz);
    let defined = left_x > NOTHING_LEFT && left_y > NOTHING_LEFT;
    defined.then(|| ((xy - xz * yz) / (left_x * left_y).sqrt()).clamp(-1.0, 1.0))
}

fn rank_error(score: &[f64], truth: &[f64], quartile: &[usize]) -> [Option<f64>; 4] {
    let (Some(score), Some(truth)) = (average_ranks(score), average_ranks(truth)) else {
        return [None; 4];
    };
    let scale = truth.len().saturating_sub(1) as f64;
    let errors: Vec<f64> = score.iter().zip(&truth).map(|(score, truth)| (score - truth) / scale).collect();
    [0, 1, 2, 3].map(|wanted| {
        let of = errors.iter().zip(quartile).filter(|(_, quartile)| **quartile == wanted);
        mean(&of.map(|(error, _)| *error).collect::<Vec<_>>()).filter(|error| error.is_finite())
    })
}

/// Each value's quartile, 0 to 3, smallest first. Equal values share one, so the sizes may differ.
pub(crate) fn quartiles(values: &[f64]) -> Vec<usize> {
    let n = values.len() as f64;
    let ranks = average_ranks(values).unwrap_or_default();
    ranks.iter().map(|rank| ((4.0 * (rank - 0.5) / n) as usize).min(3)).collect()
}

#[cfg(test)]
mod tests {
    use nshot_data::random::Stream;

    use super::*;

    /// Truth that grows with complexity, and scores that also see complexity `extra` times, and noise.
    fn fairness(extra: f64, noise: f64) -> Fairness {
        let mut stream = Stream::new(2, "fairness", (0, 0));
        let complexity: Vec<f64> = (0..2000).map(|_| stream.f64()).collect();
        let truth: Vec<f64> = complexity.iter().map(|complexity| complexity + stream.f64()).collect();
        let both = truth.iter().zip(&complexity);
        let score: Vec<f64> =
            both.map(|(truth, complexity)| truth + extra * complexity + noise * stream.f64()).collect();
        Fairness::new(&score, &truth, &complexity, &quartiles(&complexity))
    }

    #[test]
    fn the_sign_says_who_is_preferred() {
        let (small, large) = (fairness(-1.0, 0.2), fairness(1.0, 0.2));
        assert!(small.complexity_bias.unwrap() < -0.3 && large.complexity_bias.unwrap() > 0.1);
        assert!(small.complexity_convergence.unwrap() < -0.5 && large.complexity_convergence.unwrap() > 0.5);
        assert!(small.rank_error[0].unwrap() > 0.1 && small.rank_error[3].unwrap() < -0.1);
        assert!(large.rank_error[0].unwrap() < -0.03 && large.rank_error[3].unwrap() > 0.03);
        assert!(large.rank_error.iter().flatten().sum::<f64>().abs() < 1e-12);
    }

    #[test]
    fn noise_alone_does_not_look_like_uneven_convergence() {
        let noisy = fairness(0.0, 1.0);
        assert!(noisy.complexity_convergence.unwrap().abs() < 0.05, "{noisy:?}");
        let fair = fairness(0.0, 0.0);
        assert_eq!(fair.complexity_bias, Some(0.0));
        assert_eq!(fair.rank_error, [Some(0.0); 4]);
        assert_eq!(fair.complexity_convergence, None);
    }

    /// The partial correlation is that of what a straight line through the ranks leaves.
    #[test]
    fn convergence_is_a_correlation_of_residuals() {
        let mut stream = Stream::new(4, "residuals", (0, 0));
        let mut draw = || (0..50).map(|_| stream.below(30) as f64).collect::<Vec<_>>();
        let (score, complexity, truth) = (draw(), draw(), draw());
        let z = average_ranks(&truth).unwrap();
        let residuals = |values: &[f64]| -> Vec<f64> {
            let y = average_ranks(values).unwrap();
            let centre = 25.5;
            let products = |a: &[f64], b: &[f64]| -> f64 {
                a.iter().zip(b).map(|(a, b)| (a - centre) * (b - centre)).sum()
            };
            let slope = products(&z, &y) / products(&z, &z);
            y.iter().zip(&z).map(|(y, z)| y - centre - slope * (z - centre)).collect()
        };
        let (a, b) = (residuals(&score), residuals(&complexity));
        let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let expected = product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt();
        assert!((partial(&score, &complexity, &truth).unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn quartiles_keep_equal_values_together() {
        assert_eq!(quartiles(&[8.0, 1.0, 2.0, 7.0, 3.0, 4.0, 5.0, 6.0]), [3, 0, 0, 3, 1, 1, 2, 2]);
        assert_eq!(quartiles(&[5.0, 5.0, 5.0, 5.0, 9.0]), [1, 1, 1, 1, 3]);
        assert_eq!(quartiles(&[1.0]), [2]);
        assert!(quartiles(&[]).is_empty());
    }
}
