//! The best-scored architectures: how many of them are truly best, and how good the best of them is.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// The k best-scored architectures beside the k truly best, and beside k random ones.
///
/// Where values are tied at the cut, any choice among the tied is equally likely, and the figures are the
/// means over all choices: so no order of names or of lines moves them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Top {
    /// How many are taken.
    pub k: usize,
    /// k as a portion of all: 0.05 or 0.1, k being rounded up. None for k = 1.
    pub portion: Option<f64>,
    /// |k best-scored ∩ k truly best| / k, 0 to 1; random scores give k/n on average.
    pub precision: f64,
    /// The best trained accuracy among the k best-scored, in the truth's units.
    pub best: f64,
    /// The best trained accuracy to be expected among k architectures drawn uniformly without replacement.
    pub random_best: f64,
    /// The best trained accuracy of all.
    pub possible: f64,
}

/// The tops of 1, of 5 % and of 10 %. Empty for fewer than two rows, unequal lengths, and values that are not
/// finite.
pub(crate) fn tops(score: &[f64], truth: &[f64]) -> Vec<Top> {
    let finite = score.iter().chain(truth).all(|value| value.is_finite());
    if truth.len() < 2 || score.len() != truth.len() || !finite {
        return Vec::new();
    }
    [None, Some(0.05), Some(0.1)].map(|portion| top(score, truth, portion)).into()
}

fn top(score: &[f64], truth: &[f64], portion: Option<f64>) -> Top {
    let k = portion.map_or(1, |portion| (portion * truth.len() as f64).ceil() as usize);
    let (chosen, wanted) = (inclusion(score, k), inclusion(truth, k));
    let overlap: f64 = chosen.iter().zip(&wanted).map(|(a, b)| a * b).sum();
    let certain = chosen.iter().zip(truth).filter(|(chance, _)| **chance >= 1.0);
    let (certain_count, certain_best) =
        certain.fold((0, f64::NEG_INFINITY), |(count, best), (_, truth)| (count + 1, truth.max(best)));
    let tied = chosen.iter().zip(truth).filter(|(chance, _)| **chance > 0.0 && **chance < 1.0);
    let tied: Vec<f64> = tied.map(|(_, truth)| truth.max(certain_best)).collect();
    let best = expected_best(&tied, k - certain_count).unwrap_or(certain_best);
    let possible = truth.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let random_best = expected_best(truth, k).unwrap_or(possible);
    Top { k, portion, precision: overlap / k as f64, best, random_best, possible }
}

/// Each value's probability to be among the k largest, those tied at the cut being equally likely.
fn inclusion(values: &[f64], k: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let cut = sorted[k - 1];
    let above = values.iter().filter(|value| **value > cut).count();
    let tied = values.iter().filter(|value| value.partial_cmp(&&cut) == Some(Ordering::Equal)).count();
    let share = (k - above) as f64 / tied as f64;
    let chance = |value: &f64| if *value > cut { 1.0 } else { f64::from(u8::from(*value >= cut)) * share };
    values.iter().map(chance).collect()
}

/// The largest value to be expected among `k` of the values, drawn uniformly without replacement.
///
/// With the values sorted, the i-th of n is the largest drawn with probability C(i−1, k−1) / C(n, k). None for
/// a `k` of 0 or above the number of values.
///
/// ```
/// // Of three pairs, two hold the 9.
/// assert_eq!(nshot_table::expected_best(&[1.0, 9.0, 6.0], 2), Some(8.0));
/// ```
pub fn expected_best(values: &[f64], k: usize) -> Option<f64> {
    if k == 0 || k > values.len() {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut chance = k as f64 / sorted.len() as f64;
    let mut sum = 0.0;
    for below in (k - 1..sorted.len()).rev() {
        sum += chance * sorted[below];
        // From the one with `below` smaller ones to the next smaller.
        chance *= (below + 1 - k) as f64 / below.max(1) as f64;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use nshot_data::random::Stream;

    use super::*;

    /// All subsets of k indices.
    fn subsets(n: usize, k: usize) -> Vec<Vec<usize>> {
        let all = (0_u32..1 << n).filter(|bits| bits.count_ones() as usize == k);
        all.map(|bits| (0..n).filter(|index| bits >> index & 1 == 1).collect()).collect()
    }

    #[test]
    fn expected_best_is_the_mean_over_all_draws() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0];
        for k in 1..=7 {
            let draws = subsets(7, k);
            let best = |draw: &Vec<usize>| draw.iter().map(|&index| values[index]).fold(0.0, f64::max);
            let mean = draws.iter().map(best).sum::<f64>() / draws.len() as f64;
            assert!((expected_best(&values, k).unwrap() - mean).abs() < 1e-12, "k = {k}");
        }
        assert_eq!(expected_best(&values, 0), None);
        assert_eq!(expected_best(&values, 8), None);
        assert_eq!(expected_best(&[], 1), None);
    }

    #[test]
    fn a_perfect_score_finds_the_best() {
        let truth: Vec<f64> = (0..40).map(f64::from).collect();
        let tops = tops(&truth, &truth);
        assert_eq!(tops.iter().map(|top| top.k).collect::<Vec<_>>(), [1, 2, 4]);
        assert!(tops.iter().all(|top| top.precision >= 1.0 && top.best >= 39.0 && top.possible >= 39.0));
        assert!((tops[0].random_best - 19.5).abs() < 1e-12);
        let opposite: Vec<f64> = truth.iter().map(|value| -value).collect();
        let found = super::tops(&opposite, &truth);
        assert_eq!(
            found.iter().map(|top| (top.precision, top.best)).collect::<Vec<_>>(),
            [(0.0, 0.0), (0.0, 1.0), (0.0, 3.0)]
        );
    }

    /// Ties at the cut: the mean over every way to break them.
    #[test]
    fn ties_are_broken_every_way() {
        let mut stream = Stream::new(0, "ties", (0, 0));
        for _ in 0..200 {
            let mut draw = || (0..9).map(|_| stream.below(4) as f64).collect::<Vec<_>>();
            let (score, truth) = (draw(), draw());
            for k in 1..9 {
                let sets = |values: &[f64]| {
                    let sum = |set: &Vec<usize>| set.iter().map(|&index| values[index]).sum::<f64>();
                    let all = subsets(9, k);
                    let most = all.iter().map(sum).fold(0.0, f64::max);
                    all.into_iter().filter(|set| sum(set) >= most).collect::<Vec<_>>()
                };
                let (chosen, wanted) = (sets(&score), sets(&truth));
                let mut overlap = 0.0;
                let mut best = 0.0;
                for set in &chosen {
                    best += set.iter().map(|&index| truth[index]).fold(0.0, f64::max);
                    for other in &wanted {
                        overlap += set.iter().filter(|index| other.contains(index)).count() as f64;
                    }
                }
                let portion = (k as f64 - 0.5) / 9.0;
                let found = top(&score, &truth, Some(portion));
                assert_eq!(found.k, k);
                let precision = overlap / (chosen.len() * wanted.len() * k) as f64;
                assert!((found.precision - precision).abs() < 1e-12);
                assert!((found.best - best / chosen.len() as f64).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn undefined_tops_are_empty() {
        assert!(tops(&[1.0], &[1.0]).is_empty());
        assert!(tops(&[1.0, f64::NAN], &[1.0, 2.0]).is_empty());
        assert!(tops(&[1.0, 2.0], &[1.0, f64::INFINITY]).is_empty());
        // Everything tied.
        let found = tops(&[0.0; 20], &[7.0; 20]);
        assert!((found[2].precision - 0.1).abs() < 1e-12 && found[2].best >= 7.0);
    }
}
