//! Half a wave of a cosine, from the base learning rate down: Loshchilov and Hutter, *SGDR: Stochastic Gradient
//! Descent with Warm Restarts*, ICLR 2017, without restarts.

use std::f64::consts::PI;

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::position::{Moment, Per, Position, check};

/// Settings of `cosine`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Steps of a linear warm-up: the factor of its step `s`, from 0, is `(s + 1) / warmup_steps`. The cosine runs
    /// over the steps that remain.
    warmup_steps: u64,
    /// The factor towards which it falls, from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    minimum: f64,
    /// How often the factor changes.
    per: Per,
}

/// `minimum + (1 − minimum) · ½(1 + cos(π t/T))`
pub(crate) struct Cosine(Settings);

impl LrScheduler for Cosine {
    type Settings = Settings;
    const ABOUT: &'static str =
        "A cosine from the base learning rate towards 0 or a minimum, after a linear warm-up.";
    const CITATION: &'static str = "@inproceedings{loshchilov2017sgdr, title={SGDR: Stochastic Gradient Descent \
        with Warm Restarts}, author={Loshchilov, Ilya and Hutter, Frank}, booktitle={ICLR}, year={2017}}";

    fn new(settings: Settings) -> Result<Self> {
        check("minimum", settings.minimum, 0.0, 1.0)?;
        Ok(Self(settings))
    }

    fn factor(&mut self, at: &Progress, _subnet: &Subnet) -> Result<f64> {
        self.at(Moment::of(at))
    }
}

impl Cosine {
    fn at(&self, moment: Moment) -> Result<f64> {
        let Settings { warmup_steps, minimum, per } = self.0;
        Ok(match moment.position(warmup_steps, per)? {
            Position::WarmUp(factor) => factor,
            // In this order of operations it rounds as Python's `math.pi * t / total`.
            Position::Schedule { t, total } => {
                minimum + (1.0 - minimum) * (0.5 * (1.0 + (PI * t as f64 / total as f64).cos()))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factor(settings: Settings, step: u64) -> f64 {
        let moment = Moment { step, total_steps: 40, steps_per_epoch: 10 };
        Cosine::new(settings).expect("a schedule").at(moment).expect("a factor")
    }

    /// `0.5 * (1.0 + math.cos(math.pi * step / 40))`, to the last bit.
    #[test]
    #[allow(clippy::float_cmp)]
    fn equals_the_formula() {
        for (step, expected) in COSINES {
            assert_eq!(factor(Settings::default(), step), expected, "step {step}");
        }
    }

    #[test]
    #[allow(clippy::float_cmp)]
    fn per_epoch_and_with_a_minimum() {
        let epoch = || Settings { per: Per::Epoch, ..Settings::default() };
        assert_eq!(factor(epoch(), 9), 1.0);
        assert_eq!(factor(epoch(), 25), 0.5 * (1.0 + (PI * 2.0 / 4.0).cos()));
        let minimum = || Settings { minimum: 0.1, ..Settings::default() };
        assert_eq!(factor(minimum(), 0), 1.0);
        assert!((factor(minimum(), 20) - 0.55).abs() < 1e-15);
        assert!(factor(minimum(), 39) > 0.1);
    }

    #[test]
    fn refuses_a_minimum_outside_0_to_1() {
        for minimum in [-0.1, 1.1, f64::NAN] {
            assert!(Cosine::new(Settings { minimum, ..Settings::default() }).is_err(), "{minimum}");
        }
    }

    #[test]
    fn a_run_warms_up_then_falls_and_resumes_exactly() {
        let run = nshot_sdk::testing::run(&[]).steps(40, 10);
        let scheduler = run.scheduler::<Cosine>(Settings { warmup_steps: 4, ..Settings::default() });
        let curve = scheduler.curve(&[]);
        assert_eq!(curve[..5], [0.25, 0.5, 0.75, 1.0, 1.0]);
        assert!(curve[4..].windows(2).all(|pair| pair[0] > pair[1]));
        scheduler.assert_resumes(&[]);
    }

    const COSINES: [(u64, f64); 5] = [
        (0, 1.0),
        (1, 0.998_458_666_866_564),
        (7, 0.926_320_082_177_046_1),
        (23, 0.383_277_318_072_047_35),
        (39, 0.001_541_333_133_436_018),
    ];
}
