//! A power of the time that remains: linear decay with exponent 1.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::position::{Moment, Per, Position, check};

/// Settings of `polynomial`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Steps of a linear warm-up: the factor of its step `s`, from 0, is `(s + 1) / warmup_steps`. The decay runs
    /// over the steps that remain.
    warmup_steps: u64,
    /// The exponent: 1 is linear, larger ones fall faster. The factor's mean over a run is 1 / (exponent + 1).
    #[schemars(range(min = 0.0))]
    exponent: f64,
    /// The factor towards which it falls, from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    minimum: f64,
    /// How often the factor changes.
    per: Per,
}

impl Default for Settings {
    fn default() -> Self {
        Self { warmup_steps: 0, exponent: 1.0, minimum: 0.0, per: Per::Step }
    }
}

/// `minimum + (1 − minimum) · (1 − t/T)^exponent`
pub(crate) struct Polynomial(Settings);

impl LrScheduler for Polynomial {
    type Settings = Settings;
    const ABOUT: &'static str = "A power of the remaining time, from the base learning rate towards 0 or a minimum, after a linear warm-up.";

    fn new(settings: Settings) -> Result<Self> {
        check("exponent", settings.exponent, 0.0, f64::INFINITY)?;
        check("minimum", settings.minimum, 0.0, 1.0)?;
        Ok(Self(settings))
    }

    fn factor(&mut self, at: &Progress, _subnet: &Subnet) -> Result<f64> {
        self.at(Moment::of(at))
    }
}

impl Polynomial {
    fn at(&self, moment: Moment) -> Result<f64> {
        let Settings { warmup_steps, exponent, minimum, per } = self.0;
        Ok(match moment.position(warmup_steps, per)? {
            Position::WarmUp(factor) => factor,
            Position::Schedule { t, total } => {
                minimum + (1.0 - minimum) * (1.0 - t as f64 / total as f64).powf(exponent)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factor(settings: Settings, step: u64) -> f64 {
        let moment = Moment { step, total_steps: 40, steps_per_epoch: 10 };
        Polynomial::new(settings).expect("a schedule").at(moment).expect("a factor")
    }

    fn with(exponent: f64) -> Settings {
        Settings { exponent, ..Settings::default() }
    }

    /// `(1.0 - step / 40) ** 1.96`, to the last bit.
    #[test]
    #[allow(clippy::float_cmp)]
    fn equals_the_formula() {
        for (step, expected) in POWERS {
            assert_eq!(factor(with(1.96), step), expected, "step {step}");
        }
        assert_eq!(factor(with(1.0), 10), 0.75);
        assert_eq!(factor(with(0.0), 39), 1.0);
    }

    #[test]
    fn refuses_exponents_that_grow_the_rate() {
        for exponent in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(Polynomial::new(with(exponent)).is_err(), "{exponent}");
        }
    }

    const POWERS: [(u64, f64); 5] = [
        (0, 1.0),
        (1, 0.951_588_197_287_161_8),
        (7, 0.685_882_526_843_140_8),
        (23, 0.186_914_202_847_741_5),
        (39, 0.000_724_373_271_503_467_8),
    ];
}
