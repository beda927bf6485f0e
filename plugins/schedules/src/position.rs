//! Where a step lies in a schedule: in its warm-up, or how far behind it.
//!
//! With `W` warm-up steps, step `s` of them (from 0) has the factor `(s + 1) / W`, so that the last one has 1. The
//! schedule proper then starts, also at 1, and runs over the `T = total − W` steps that remain: step `s` is its step
//! `t = s − W`. With `W = 0` that is the schedule alone.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often the factor changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Per {
    /// At each step.
    #[default]
    Step,
    /// At each epoch: its steps have the factor of its first one, or of the first after the warm-up.
    Epoch,
}

/// A step and the schedule that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) step: u64,
    pub(crate) total_steps: u64,
    pub(crate) steps_per_epoch: u64,
}

/// Where a step lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Position {
    /// In the warm-up, with this factor.
    WarmUp(f64),
    /// At step `t` of the schedule's `total`: `t` is at least 0 and less than `total`.
    Schedule { t: u64, total: u64 },
}

impl Moment {
    pub(crate) fn of(at: &Progress) -> Self {
        Self { step: at.step(), total_steps: at.total_steps(), steps_per_epoch: at.steps_per_epoch() }
    }

    /// # Errors
    /// The warm-up takes the whole schedule.
    pub(crate) fn position(self, warmup_steps: u64, per: Per) -> Result<Position> {
        if warmup_steps > 0 && warmup_steps >= self.total_steps {
            return Err(Error::new(format!(
                "setting `warmup_steps` is {warmup_steps}, expected less than the schedule's {} steps",
                self.total_steps
            )));
        }
        if self.step < warmup_steps {
            return Ok(Position::WarmUp((self.step + 1) as f64 / warmup_steps as f64));
        }
        let step = match per {
            Per::Step => self.step,
            Per::Epoch => self.step - self.step % self.steps_per_epoch.max(1),
        };
        let total = (self.total_steps - warmup_steps).max(1);
        let t = step.saturating_sub(warmup_steps).min(total);
        Ok(Position::Schedule { t, total })
    }
}

/// Refuses a setting that is not a number from `least` to `most`.
pub(crate) fn check(setting: &str, found: f64, least: f64, most: f64) -> Result<()> {
    if found.is_finite() && (least..=most).contains(&found) {
        return Ok(());
    }
    let expected = if most.is_finite() {
        format!("a number from {least} to {most}")
    } else {
        format!("a finite number of at least {least}")
    };
    Err(Error::new(format!("setting `{setting}` is {found}, expected {expected}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: u64) -> Moment {
        Moment { step, total_steps: 40, steps_per_epoch: 10 }
    }

    #[test]
    fn warms_up_to_one_and_runs_over_the_rest() {
        let position = |step| at(step).position(4, Per::Step).expect("a position");
        assert_eq!(position(0), Position::WarmUp(0.25));
        assert_eq!(position(3), Position::WarmUp(1.0));
        assert_eq!(position(4), Position::Schedule { t: 0, total: 36 });
        assert_eq!(position(39), Position::Schedule { t: 35, total: 36 });
    }

    #[test]
    fn an_epoch_has_the_factor_of_its_first_step() {
        let t = |step, warmup| match at(step).position(warmup, Per::Epoch).expect("a position") {
            Position::Schedule { t, .. } => t,
            Position::WarmUp(_) => u64::MAX,
        };
        assert_eq!([0, 9, 10, 19, 39].map(|step| t(step, 0)), [0, 0, 10, 10, 30]);
        // The warm-up ends within the first epoch.
        assert_eq!([4, 9, 10].map(|step| t(step, 4)), [0, 0, 6]);
    }

    #[test]
    fn refuses_a_warm_up_without_an_end() {
        let error = at(0).position(40, Per::Step).expect_err("a refusal");
        assert_eq!(error.text(), "setting `warmup_steps` is 40, expected less than the schedule's 40 steps");
        assert!(at(0).position(39, Per::Step).is_ok());
    }

    #[test]
    fn refuses_what_is_no_number() {
        for wrong in [f64::NAN, f64::INFINITY, -0.5] {
            assert!(check("exponent", wrong, 0.0, f64::INFINITY).is_err(), "{wrong}");
        }
        let error = check("minimum", 1.5, 0.0, 1.0).expect_err("a refusal");
        assert_eq!(error.text(), "setting `minimum` is 1.5, expected a number from 0 to 1");
    }
}
