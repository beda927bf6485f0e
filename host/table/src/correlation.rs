//! Rank correlations: Kendall's tau-b and Spearman's rho, both with ties.
//!
//! Written out here, since the crates that offer tau-b cannot weight their observations: a bootstrap resample
//! is the same data with other weights, and needs no sorting of its own.

/// Kendall's tau-b of paired values, −1 to 1: concordant less discordant pairs, over the geometric mean of the
/// pairs that are not tied in `x` and those that are not tied in `y`. O(n log n) time.
///
/// None where it is undefined: fewer than two pairs, unequal lengths, all values of a side equal, or a value
/// that is not finite.
///
/// ```
/// assert_eq!(nshot_table::kendall(&[1.0, 2.0, 3.0], &[10.0, 30.0, 20.0]), Some(1.0 / 3.0));
/// assert_eq!(nshot_table::kendall(&[1.0, 1.0], &[1.0, 2.0]), None);
/// ```
pub fn kendall(x: &[f64], y: &[f64]) -> Option<f64> {
    let order = Ordered::new(x, y)?;
    order.kendall(&vec![1; x.len()], &mut Vec::new())
}

/// Spearman's rho of paired values, −1 to 1: Pearson's correlation of their ranks, tied values sharing the mean
/// of their ranks. None as for [`kendall`].
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() {
        return None;
    }
    pearson(&average_ranks(x)?, &average_ranks(y)?)
}

/// Pearson's correlation; None for unequal or constant values.
fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let (mean_x, mean_y) = (mean(x)?, mean(y)?);
    let (mut covariance, mut variance_x, mut variance_y) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (x - mean_x, y - mean_y);
        covariance += x * y;
        variance_x += x * x;
        variance_y += y * y;
    }
    let product: f64 = variance_x * variance_y;
    (product > 0.0).then(|| (covariance / product.sqrt()).clamp(-1.0, 1.0))
}

/// The mean; None of nothing.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Ranks from 1 upwards, equal values sharing the mean of their ranks. None if a value is not finite.
pub(crate) fn average_ranks(values: &[f64]) -> Option<Vec<f64>> {
    let (order, level) = levels(values)?;
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|&a, &b| level[a] == level[b]) {
        for &index in tied {
            ranks[index] = before as f64 + (tied.len() + 1) as f64 / 2.0;
        }
        before += tied.len();
    }
    Some(ranks)
}

/// The order of values, smallest first, and each value's level: equal values have the same, from 0 without gaps.
fn levels(values: &[f64]) -> Option<(Vec<usize>, Vec<u32>)> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut level = vec![0; values.len()];
    for pair in order.windows(2) {
        // Zeros of either sign are equal.
        level[pair[1]] = level[pair[0]] + u32::from(values[pair[0]] < values[pair[1]]);
    }
    Some((order, level))
}

/// Paired values put into the order of the first ones, for taking tau-b under many weightings.
pub(crate) struct Ordered {
    /// By ascending level of x: the level of x, the level of y, the index in the given values.
    pairs: Vec<(u32, u32, u32)>,
    /// Number of levels of y.
    levels: usize,
}

impl Ordered {
    /// None for unequal lengths, and for a value that is not finite.
    pub(crate) fn new(x: &[f64], y: &[f64]) -> Option<Self> {
        if x.len() != y.len() || u32::try_from(x.len()).is_err() {
            return None;
        }
        let ((order, x), (_, y)) = (levels(x)?, levels(y)?);
        let pairs = order.iter().map(|&index| (x[index], y[index], index as u32)).collect();
        Some(Self { pairs, levels: y.iter().max().map_or(0, |&level| level as usize + 1) })
    }

    /// Tau-b where the i-th of the given pairs occurs `counts[i]` times. `tree` is space to work in.
    ///
    /// Pairs are taken in groups of equal x; a tree of counts by level of y (Fenwick) tells how many of the
    /// earlier groups have a smaller and a larger y.
    pub(crate) fn kendall(&self, counts: &[u32], tree: &mut Vec<u64>) -> Option<f64> {
        tree.clear();
        tree.resize(2 * self.levels + 1, 0);
        let (tree, at_level) = tree.split_at_mut(self.levels + 1);
        let (mut balance, mut seen, mut tied_x) = (0_i64, 0_u64, 0_u64);
        for group in self.pairs.chunk_by(|a, b| a.0 == b.0) {
            let mut size = 0;
            for &(_, level, index) in group {
                let count = u64::from(counts[index as usize]);
                if count > 0 {
                    let smaller = below(tree, level as usize);
                    let larger = seen - smaller - at_level[level as usize];
                    balance += count as i64 * (smaller as i64 - larger as i64);
                    size += count;
                }
            }
            for &(_, level, index) in group {
                let count = u64::from(counts[index as usize]);
                if count > 0 {
                    at_level[level as usize] += count;
                    add(tree, level as usize, count);
                }
            }
            seen += size;
            tied_x += pairs_of(size);
        }
        let tied_y: u64 = at_level.iter().map(|&count| pairs_of(count)).sum();
        let all = pairs_of(seen);
        let product = (all - tied_x) as f64 * (all - tied_y) as f64;
        (product > 0.0).then(|| (balance as f64 / product.sqrt()).clamp(-1.0, 1.0))
    }
}

/// Number of pairs among `count` things.
fn pairs_of(count: u64) -> u64 {
    count * count.saturating_sub(1) / 2
}

/// Sum of the counts below a level.
fn below(tree: &[u64], level: usize) -> u64 {
    let (mut sum, mut at) = (0, level);
    while at > 0 {
        sum += tree[at];
        at &= at - 1;
    }
    sum
}

/// Adds to the count of a level.
fn add(tree: &mut [u64], level: usize, count: u64) {
    let mut at = level + 1;
    while let Some(node) = tree.get_mut(at) {
        *node += count;
        at += at & at.wrapping_neg();
    }
}

#[cfg(test)]
mod tests {
    use nshot_data::random::Stream;

    use super::*;

    /// Tau-b by its definition, over all pairs.
    fn by_definition(x: &[f64], y: &[f64]) -> Option<f64> {
        let (mut balance, mut untied_x, mut untied_y) = (0_i64, 0_i64, 0_i64);
        for i in 0..x.len() {
            for j in 0..i {
                let sign = |a: f64, b: f64| i64::from(a > b) - i64::from(a < b);
                let (x, y) = (sign(x[i], x[j]), sign(y[i], y[j]));
                balance += x * y;
                untied_x += x * x;
                untied_y += y * y;
            }
        }
        let product = untied_x as f64 * untied_y as f64;
        (product > 0.0).then(|| balance as f64 / product.sqrt())
    }

    #[test]
    fn kendall_agrees_with_its_definition() {
        let mut stream = Stream::new(1, "kendall", (0, 0));
        for round in 0..600 {
            let (n, levels) = (stream.below(40) as usize, 1 + stream.below(round % 30 + 1));
            let mut draw = |levels| (0..n).map(|_| stream.below(levels) as f64 - 3.0).collect::<Vec<_>>();
            let (x, y) = (draw(levels), draw(1 + levels / 2));
            match (kendall(&x, &y), by_definition(&x, &y)) {
                (None, None) => {}
                (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-14, "{x:?} {y:?}"),
                other => panic!("{other:?} for {x:?} {y:?}"),
            }
        }
    }

    /// Against `scipy.stats.kendalltau` and `spearmanr` 1.17.
    #[test]
    fn scipy_agrees() {
        let x = [12.0, 2.0, 1.0, 12.0, 2.0, 7.0, 7.0, 7.0, 0.5];
        let y = [1.0, 4.0, 7.0, 1.0, 0.0, 4.0, 4.0, -3.0, 9.0];
        assert!((kendall(&x, &y).unwrap() + 0.539_750_539_750_809_7).abs() < 1e-15);
        assert!((spearman(&x, &y).unwrap() + 0.602_625_833_114_414_5).abs() < 1e-15);
    }

    #[test]
    fn weights_are_repeats() {
        let (x, y) = ([3.0, 1.0, 2.0, 2.0], [5.0, 5.0, 6.0, 1.0]);
        let repeated = kendall(&[3.0, 3.0, 2.0, 2.0, 2.0, 2.0], &[5.0, 5.0, 6.0, 1.0, 1.0, 1.0]);
        let ordered = Ordered::new(&x, &y).unwrap();
        assert!(repeated.is_some());
        assert_eq!(ordered.kendall(&[2, 0, 1, 3], &mut Vec::new()), repeated);
    }

    #[test]
    fn what_is_undefined_is_none() {
        for (x, y) in [
            (vec![], vec![]),
            (vec![1.0], vec![1.0]),
            (vec![1.0, 2.0], vec![1.0]),
            (vec![1.0, 2.0], vec![4.0, 4.0]),
            (vec![0.0, -0.0], vec![1.0, 2.0]),
            (vec![1.0, f64::NAN], vec![1.0, 2.0]),
            (vec![1.0, 2.0], vec![f64::INFINITY, 2.0]),
        ] {
            assert_eq!((kendall(&x, &y), spearman(&x, &y)), (None, None), "{x:?} {y:?}");
        }
    }

    #[test]
    fn tied_values_share_their_mean_rank() {
        assert_eq!(average_ranks(&[5.0, 1.0, 5.0, 0.0, -0.0]).unwrap(), [4.5, 3.0, 4.5, 1.5, 1.5]);
    }
}
