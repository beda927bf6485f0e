//! Limits of what an architecture may cost, as a setting that samplers and searchers share.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::random::Random;
use crate::run::{Architecture, Run};

/// Architectures that are drawn at the start, to see whether the limits can be met.
const PROBES: u32 = 1000;
/// How many of these must meet the limits: one in 200.
const LEAST: u32 = 5;
/// Position in the component's stream of random numbers that these are drawn from; no step and no round gets there.
const POSITION: u64 = u64::MAX;
/// Draws before [`Limits::uniform`] gives up.
const DRAWS: u32 = 10_000;

/// Limits of an architecture's costs, by measure: `limits = { macs = 330e6 }` is the greatest value,
/// `limits = { macs = [300e6, 330e6] }` the least and the greatest. Of several, each must be met. Default: none.
///
/// ```
/// use nshot_sdk::prelude::*;
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// /// Settings of a sampler.
/// #[derive(Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields, default)]
/// struct Settings {
///     /// Limits of what is drawn.
///     limits: Limits,
/// }
///
/// struct Frugal(Settings);
///
/// impl Sampler for Frugal {
///     type Settings = Settings;
///
///     fn new(settings: Settings) -> Result<Self> {
///         Ok(Self(settings))
///     }
///
///     fn start(&mut self, run: &Run) -> Result<()> {
///         self.0.limits.check(run)
///     }
///
///     fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
///         step.path(&self.0.limits.uniform(&at.run(), &mut at.random())?)?;
///         Ok(())
///     }
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeMap<String, Limit>")]
pub struct Limits(BTreeMap<String, Limit>);

/// The limit of one measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected the greatest value, as in `330e6`, or a range, as in `[300e6, 330e6]`"
)]
enum Limit {
    /// The greatest value.
    Most(f64),
    /// The least and the greatest value.
    Range(f64, f64),
}

impl Limit {
    fn allows(self, cost: f64) -> bool {
        match self {
            Self::Most(most) => cost <= most,
            Self::Range(least, most) => (least..=most).contains(&cost),
        }
    }
}

impl TryFrom<BTreeMap<String, Limit>> for Limits {
    type Error = String;

    fn try_from(limits: BTreeMap<String, Limit>) -> Result<Self, String> {
        for (measure, limit) in &limits {
            let (least, most) = match *limit {
                Limit::Most(most) => (0.0, most),
                Limit::Range(least, most) => (least, most),
            };
            if !(0.0..=most).contains(&least) || !most.is_finite() {
                return Err(format!(
                    "the limit of `{measure}` is {limit}, expected numbers of at least 0, the greater one last"
                ));
            }
        }
        Ok(Self(limits))
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Most(most) => write!(f, "{most}"),
            Self::Range(least, most) => write!(f, "[{least}, {most}]"),
        }
    }
}

impl Limits {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that the run has the measures that are limited.
    ///
    /// # Errors
    /// It has no such measure.
    pub fn check_measures(&self, run: &Run) -> Result<()> {
        let known = run.measures()?;
        match self.0.keys().find(|measure| !known.contains(measure)) {
            None => Ok(()),
            Some(unknown) => {
                let known = known.join("`, `");
                Err(Error::new(format!(
                    "`limits` has the unknown measure `{unknown}`; this run has `{known}`"
                )))
            }
        }
    }

    /// Checks the limits where a run or a stage starts: that their measures are known, and that of 1,000 architectures
    /// drawn uniformly at least 5 meet them. Draws nothing if there are no limits.
    ///
    /// # Errors
    /// A measure is unknown, or the limits can hardly be met.
    pub fn check(&self, run: &Run) -> Result<()> {
        self.check_measures(run)?;
        if self.is_empty() {
            return Ok(());
        }
        let mut random = run.random(POSITION);
        let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); self.0.len()];
        let mut met = 0;
        for _ in 0..PROBES {
            let architecture = run.uniform(&mut random)?;
            let mut meets = true;
            for ((measure, limit), range) in self.0.iter().zip(&mut ranges) {
                let cost = run.complexity(&architecture, measure)?;
                *range = (range.0.min(cost), range.1.max(cost));
                meets &= limit.allows(cost);
            }
            met += u32::from(meets);
        }
        if met < LEAST { Err(self.hardly_met(met, &ranges)) } else { Ok(()) }
    }

    fn hardly_met(&self, met: u32, ranges: &[(f64, f64)]) -> Error {
        let found = self.0.iter().zip(ranges).map(|((measure, limit), (least, most))| {
            format!("`{measure}` is limited to {limit} and was found from {least} to {most}")
        });
        let found: Vec<String> = found.collect();
        Error::new(format!(
            "{met} of {PROBES} architectures drawn uniformly meet the limits, expected at least {LEAST}: {}; widen \
             `limits`",
            found.join(", ")
        ))
    }

    /// Whether an architecture meets the limits.
    pub fn meets(&self, run: &Run, architecture: &[u32]) -> Result<bool> {
        for (measure, limit) in &self.0 {
            if !limit.allows(run.complexity(architecture, measure)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An architecture drawn uniformly from the valid ones of the stage that meet the limits. Without limits it is what
    /// [`Run::uniform`] draws, from the same random numbers.
    ///
    /// # Errors
    /// None of 10,000 draws meets them.
    pub fn uniform(&self, run: &Run, random: &mut Random) -> Result<Architecture> {
        for _ in 0..DRAWS {
            let architecture = run.uniform(random)?;
            if self.meets(run, &architecture)? {
                return Ok(architecture);
            }
        }
        Err(Error::new(format!("none of {DRAWS} valid architectures that were drawn meets `limits`")))
    }
}

#[cfg(test)]
mod tests;
