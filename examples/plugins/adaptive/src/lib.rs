//! A sampler that learns its distribution: options whose subnets have a lower loss than usual are drawn more often.
//!
//! Each option of each choice has a score, from -1 to 1: the moving average of how far the loss was below the usual
//! one when it was taken. A choice's options are drawn by the softmax of their scores, mixed with a least probability
//! for each.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Draws of an architecture before none counts as valid.
const DRAWS: u32 = 1000;

/// The rest of the manifest's `[sampler]` table.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Of the softmax: the lower, the more the best options are preferred.
    temperature: f64,
    /// The least probability of an option; at most what is uniform.
    minimum: f64,
    /// Share of a new loss in the moving averages.
    rate: f64,
    /// Steps after which the scores are brought up to date.
    every: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { temperature: 0.1, minimum: 0.05, rate: 0.05, every: 8 }
    }
}

/// What was learnt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Scores {
    /// Of each option of each choice.
    scores: Vec<Vec<f64>>,
    /// The usual loss; none before the first.
    usual: Option<f64>,
}

impl Scores {
    /// Learns from the loss of a subnet, given by its option at each choice.
    fn learn(&mut self, architecture: &[u32], loss: f64, rate: f64) {
        let usual = self.usual.unwrap_or(loss);
        // As a share of both losses, which means the same early, when losses are great, and late.
        let gain = (usual - loss) / (usual + loss).max(f64::MIN_POSITIVE);
        for (scores, &option) in self.scores.iter_mut().zip(architecture) {
            let score = &mut scores[option as usize];
            *score += rate * (gain - *score);
        }
        self.usual = Some(usual + rate * (loss - usual));
    }
}

/// Probabilities of the allowed options of a choice, in their order.
fn probabilities(scores: &[f64], allowed: &[u32], temperature: f64, minimum: f64) -> Vec<f64> {
    let of = |option: &u32| scores[*option as usize] / temperature;
    let most = allowed.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = allowed.iter().map(|option| (of(option) - most).exp()).collect();
    let (sum, count) = (weights.iter().sum::<f64>(), allowed.len() as f64);
    let minimum = minimum.min(1.0 / count);
    weights.iter().map(|weight| minimum + (1.0 - count * minimum) * weight / sum).collect()
}

/// Draws an option by the probabilities.
fn draw(probabilities: &[f64], allowed: &[u32], random: &mut Random) -> u32 {
    let mut left = random.unit();
    for (&option, probability) in allowed.iter().zip(probabilities) {
        left -= probability;
        if left < 0.0 {
            return option;
        }
    }
    // Rounding left something over.
    allowed[allowed.len() - 1]
}

/// The mean entropy over choices, as a share of the uniform one's: 1 where nothing is preferred.
fn entropy(choices: &[Vec<f64>]) -> f64 {
    let shares = choices.iter().filter(|options| options.len() > 1).map(|options| {
        let nats: f64 = options.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
        nats / (options.len() as f64).ln()
    });
    let shares: Vec<f64> = shares.collect();
    if shares.is_empty() { 1.0 } else { shares.iter().sum::<f64>() / shares.len() as f64 }
}

struct Adaptive {
    settings: Settings,
    learnt: Scores,
}

impl Sampler for Adaptive {
    type Settings = Settings;
    const ABOUT: &'static str = "Draws options more often whose subnets have a lower loss than usual.";

    fn new(settings: Settings) -> Result<Self> {
        let Settings { temperature, minimum, rate, .. } = settings;
        if temperature.is_nan() || temperature <= 0.0 {
            return Err(Error::new(format!("`temperature` is {temperature}, expected a number above 0")));
        }
        for (name, found) in [("minimum", minimum), ("rate", rate)] {
            if !(0.0..=1.0).contains(&found) {
                return Err(Error::new(format!("`{name}` is {found}, expected a number from 0 to 1")));
            }
        }
        Ok(Self { settings, learnt: Scores::default() })
    }

    fn start(&mut self, run: &Run) -> Result<()> {
        let zeros = |choice| Ok(vec![0.0; run.options(choice)?.len()]);
        self.learnt =
            Scores { scores: (0..run.choice_count()).map(zeros).collect::<Result<_>>()?, usual: None };
        Ok(())
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        let (run, mut random) = (at.run(), at.random());
        let allowed = run.all_allowed()?;
        let Settings { temperature, minimum, .. } = self.settings;
        let of =
            |(scores, allowed): (&Vec<f64>, &Vec<u32>)| probabilities(scores, allowed, temperature, minimum);
        let all: Vec<Vec<f64>> = self.learnt.scores.iter().zip(&allowed).map(of).collect();
        nshot_sdk::log::scalar("entropy", entropy(&all))?;
        for _ in 0..DRAWS {
            let pairs = all.iter().zip(&allowed);
            let drawn: Architecture = pairs.map(|(p, allowed)| draw(p, allowed, &mut random)).collect();
            if run.valid(&drawn)? {
                step.path(&drawn)?;
                return Ok(());
            }
        }
        Err(Error::new(format!("none of {DRAWS} architectures that were drawn is valid")))
    }

    fn wants(&self) -> Wants {
        Wants { loss: true, observe_every: self.settings.every, ..Wants::default() }
    }

    fn observe(&mut self, outcomes: &Outcomes) -> Result<()> {
        for entry in 0..outcomes.count() {
            // One path a step, one option a choice.
            let taken = |choice| Ok(outcomes.selected(entry, 0, choice)?[0]);
            let architecture =
                (0..outcomes.run().choice_count()).map(taken).collect::<Result<Architecture>>()?;
            self.learnt.learn(&architecture, outcomes.path_value(entry, 0, "loss")?, self.settings.rate);
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&self.learnt)?)
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        self.learnt = serde_json::from_slice(state)?;
        Ok(())
    }
}

nshot_sdk::plugin!(group: "examples"; sampler "adaptive" => Adaptive);

#[cfg(test)]
mod tests;
