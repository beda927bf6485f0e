//! How well scores agree with trained accuracies.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Interval, interval, taus};
use crate::correlation::{kendall, mean, spearman};
use crate::fairness::{Fairness, quartiles};
use crate::top::{Top, tops};

/// A trained accuracy of up to this multiple of chance counts as being at chance.
const CHANCE_MARGIN: f64 = 1.5;

/// One architecture: what the supernet says of it, what it costs, and its trained accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ranked<'a> {
    /// Its text; no figure depends on it.
    pub architecture: &'a str,
    /// Accuracy with the supernet's weights, 0 to 1.
    pub accuracy: f64,
    /// Mean negative log-likelihood with the supernet's weights, in nats.
    pub mean_nll: f64,
    /// Weights of its convolutions and linear layers.
    pub weights: u64,
    /// All its parameters.
    pub params: u64,
    /// Multiply-accumulates for one image.
    pub macs: u64,
    /// Its weights outside dead branches.
    pub live_weights: u64,
    /// Its trained accuracy, in percent or 0 to 1.
    pub truth: f64,
}

/// What an architecture is scored by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// The accuracy with the supernet's weights.
    Accuracy,
    /// Minus the mean negative log-likelihood, which seldom ties.
    Nll,
}

/// The cost that quartiles and measures of fairness are taken by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Complexity {
    /// Weights of convolutions and linear layers.
    #[default]
    Weights,
    /// All parameters.
    Params,
    /// Multiply-accumulates.
    Macs,
}

impl Ranked<'_> {
    /// Its score: larger is better.
    pub fn score(&self, score: Score) -> f64 {
        match score {
            Score::Accuracy => self.accuracy,
            Score::Nll => -self.mean_nll,
        }
    }

    /// Its complexity.
    pub fn complexity(&self, complexity: Complexity) -> u64 {
        match complexity {
            Complexity::Weights => self.weights,
            Complexity::Params => self.params,
            Complexity::Macs => self.macs,
        }
    }
}

/// How to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareOptions {
    /// Classes of the task that the trained accuracies are of; 0 where there are none, and then no chance.
    pub classes: u32,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Resamples of the bootstrap; 0 for no intervals.
    pub resamples: usize,
    /// What quartiles are taken by.
    pub complexity: Complexity,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self { classes: 0, seed: 0, resamples: 1000, complexity: Complexity::default() }
    }
}

/// How well one predictor agrees with the trained accuracies. A figure that is undefined (fewer than two rows,
/// all values equal, a value that is not finite) is None.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Kendall's tau-b, −1 to 1.
    pub kendall: Option<f64>,
    /// Its 95 % interval over architectures: percentiles of bootstrap resamples. None also where more than a
    /// tenth of the resamples are undefined.
    pub kendall_interval: Option<Interval>,
    /// The 95 % interval of its tau-b less that of the parameter count, over the same resamples. None for the
    /// parameter count itself.
    pub over_params: Option<Interval>,
    /// Spearman's rho, −1 to 1.
    pub spearman: Option<f64>,
    /// The best-scored: of 1, of 5 % and of 10 %. Empty where undefined.
    pub top: Vec<Top>,
    /// Tau-b without the architectures at chance.
    pub kendall_above_chance: Option<f64>,
    /// Spearman's rho without the architectures at chance.
    pub spearman_above_chance: Option<f64>,
    /// Tau-b within each quartile of complexity, smallest first.
    pub kendall_in_quartile: [Option<f64>; 4],
}

/// A quarter of the architectures by complexity. Equal complexities are in one, so the sizes may differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quartile {
    /// How many.
    pub n: usize,
    /// Their least complexity.
    pub least: Option<u64>,
    /// Their largest complexity.
    pub most: Option<u64>,
    /// Their mean trained accuracy.
    pub truth: Option<f64>,
}

/// All figures of a comparison; as JSON an undefined figure is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Number of architectures.
    pub n: usize,
    /// Trained accuracies up to this count as being at chance: 1.5 / classes, in the truth's units (percent
    /// where any of them is above 1). None without classes.
    pub chance: Option<f64>,
    /// Number of architectures above it.
    pub above_chance: usize,
    /// What quartiles are taken by.
    pub complexity: Complexity,
    /// The quartiles of complexity, smallest first.
    pub quartiles: [Quartile; 4],
    /// The score is the supernet's accuracy.
    pub accuracy: Agreement,
    /// The score is minus the supernet's mean negative log-likelihood.
    pub nll: Agreement,
    /// Baseline: the parameter count alone.
    pub params: Agreement,
    /// Baseline: the weights outside dead branches alone.
    pub live_weights: Agreement,
    /// Fairness of the supernet's accuracy.
    pub accuracy_fairness: Fairness,
    /// Fairness of the supernet's negative log-likelihood.
    pub nll_fairness: Fairness,
    /// Resamples that the intervals are made of.
    pub resamples: usize,
}

/// Compares scores and two baselines with the trained accuracies of one column. The order of rows does not
/// matter, but for the bootstrap's draws.
pub fn compare(rows: &[Ranked], options: &CompareOptions) -> Comparison {
    let column = |value: &dyn Fn(&Ranked) -> f64| rows.iter().map(value).collect::<Vec<f64>>();
    let truth = column(&|row| row.truth);
    let complexity = column(&|row| row.complexity(options.complexity) as f64);
    let quartile = quartiles(&complexity);
    let chance = chance(&truth, options.classes);
    let above = truth.iter().map(|truth| chance.is_none_or(|chance| *truth > chance)).collect::<Vec<bool>>();
    let accuracy = column(&|row| row.score(Score::Accuracy));
    let nll = column(&|row| row.score(Score::Nll));
    let predictors =
        [&accuracy, &nll, &column(&|row| row.params as f64), &column(&|row| row.live_weights as f64)];
    let taus = taus(&predictors.map(Vec::as_slice), &truth, options.seed, options.resamples);
    let context = Context { truth: &truth, above: &above, quartile: &quartile, params: &taus[2] };
    let [accuracy_found, nll_found, params, live_weights] =
        [0, 1, 2, 3].map(|index| context.agreement(predictors[index], &taus[index]));
    let params = Agreement { over_params: None, ..params };
    Comparison {
        n: rows.len(),
        chance,
        above_chance: above.iter().filter(|above| **above).count(),
        complexity: options.complexity,
        quartiles: [0, 1, 2, 3].map(|wanted| describe(rows, options.complexity, &quartile, wanted)),
        accuracy: accuracy_found,
        nll: nll_found,
        params,
        live_weights,
        accuracy_fairness: Fairness::new(&accuracy, &truth, &complexity, &quartile),
        nll_fairness: Fairness::new(&nll, &truth, &complexity, &quartile),
        resamples: options.resamples,
    }
}

/// The highest accuracy that counts as being at chance, in the truth's units.
fn chance(truth: &[f64], classes: u32) -> Option<f64> {
    let whole = if is_percent(truth) { 100.0 } else { 1.0 };
    (classes > 0).then(|| CHANCE_MARGIN * whole / f64::from(classes))
}

/// Whether accuracies are in percent, which they are where any is above 1.
pub(crate) fn is_percent(truth: &[f64]) -> bool {
    truth.iter().any(|truth| *truth > 1.0)
}

/// What all predictors are compared with.
struct Context<'a> {
    truth: &'a [f64],
    above: &'a [bool],
    quartile: &'a [usize],
    /// Bootstrapped tau-b of the parameter count.
    params: &'a [Option<f64>],
}

impl Context<'_> {
    fn agreement(&self, score: &[f64], taus: &[Option<f64>]) -> Agreement {
        let (above_score, above_truth) = self.only(score, |index| self.above[index]);
        let over = taus.iter().zip(self.params).map(|(tau, params)| Some((*tau)? - (*params)?));
        let kendall_found = kendall(score, self.truth);
        Agreement {
            kendall: kendall_found,
            kendall_interval: kendall_found.and_then(|_| interval(taus.iter().copied())),
            over_params: kendall_found.and_then(|_| interval(over)),
            spearman: spearman(score, self.truth),
            top: tops(score, self.truth),
            kendall_above_chance: kendall(&above_score, &above_truth),
            spearman_above_chance: spearman(&above_score, &above_truth),
            kendall_in_quartile: [0, 1, 2, 3].map(|wanted| {
                let (score, truth) = self.only(score, |index| self.quartile[index] == wanted);
                kendall(&score, &truth)
            }),
        }
    }

    /// The scores and truths of some rows.
    fn only(&self, score: &[f64], keep: impl Fn(usize) -> bool) -> (Vec<f64>, Vec<f64>) {
        let kept = (0..score.len()).filter(|&index| keep(index));
        kept.map(|index| (score[index], self.truth[index])).unzip()
    }
}

fn describe(rows: &[Ranked], complexity: Complexity, quartile: &[usize], wanted: usize) -> Quartile {
    let of = || rows.iter().zip(quartile).filter(|(_, quartile)| **quartile == wanted).map(|(row, _)| row);
    let costs = || of().map(|row| row.complexity(complexity));
    let truth: Vec<f64> = of().map(|row| row.truth).collect();
    Quartile { n: truth.len(), least: costs().min(), most: costs().max(), truth: mean(&truth) }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
