//! Complexity-aware learning rate (`CaLR`): *Subnet-Aware Dynamic Supernet Training for Neural Architecture Search*,
//! CVPR 2025, arXiv 2503.10740.
//!
//! factor(t, a) = (1 − t/T)^γ(a), γ(a) = ω·ln C(a) + τ, with ω and τ such that γ is `gamma_max` at the space's smallest
//! subnet and `gamma_min` at its largest: small subnets decay fast, large ones slowly.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `calr`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// The exponent of the smallest subnet; above 0.
    gamma_max: f64,
    /// The exponent of the largest subnet; above 0. Default: 1 / `gamma_max`.
    gamma_min: Option<f64>,
    /// The complexity C: `weights` (as in the paper), `params`, `macs`.
    complexity: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { gamma_max: 4.0, gamma_min: None, complexity: "weights".to_owned() }
    }
}

/// γ as a function of ln C.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Exponent {
    slope: f64,
    at_largest: f64,
    ln_largest: f64,
}

impl Exponent {
    /// `gamma` at the smallest and the largest subnet, `complexity` likewise.
    fn new(gamma: [f64; 2], complexity: [f64; 2]) -> Result<Self> {
        let [smallest, largest] = complexity;
        if !(smallest > 0.0 && largest > smallest) {
            return Err(Error::new(format!(
                "the smallest subnet has a complexity of {smallest}, the largest {largest}; expected different ones \
                 above 0"
            )));
        }
        let slope = -(gamma[0] - gamma[1]) / (largest.ln() - smallest.ln());
        Ok(Self { slope, at_largest: gamma[1], ln_largest: largest.ln() })
    }

    fn of(self, complexity: f64) -> f64 {
        self.slope * complexity.ln() + self.at_largest - self.slope * self.ln_largest
    }
}

struct Calr {
    settings: Settings,
    exponent: Option<Exponent>,
}

impl LrScheduler for Calr {
    type Settings = Settings;
    const ABOUT: &'static str =
        "Complexity-aware learning rate: small subnets decay fast, large ones slowly (CaLR).";
    const CITATION: &'static str = "@inproceedings{jeon2025subnet, title={Subnet-Aware Dynamic Supernet Training for \
        Neural Architecture Search}, booktitle={CVPR}, year={2025}, note={arXiv 2503.10740}}";

    fn new(settings: Settings) -> Result<Self> {
        for (name, value) in [("gamma_max", Some(settings.gamma_max)), ("gamma_min", settings.gamma_min)] {
            if value.is_some_and(|value| !(value.is_finite() && value > 0.0)) {
                return Err(Error::new(format!(
                    "`{name}` is {}, expected a number above 0",
                    value.unwrap_or_default()
                )));
            }
        }
        Ok(Self { settings, exponent: None })
    }

    fn start(&mut self, run: &Run) -> Result<()> {
        let measure = self.settings.complexity.as_str();
        let (smallest, largest) = (run.smallest(measure)?, run.largest(measure)?);
        let complexity = [run.complexity(&smallest, measure)?, run.complexity(&largest, measure)?];
        let gamma_min = self.settings.gamma_min.unwrap_or(1.0 / self.settings.gamma_max);
        self.exponent = Some(Exponent::new([self.settings.gamma_max, gamma_min], complexity)?);
        Ok(())
    }

    fn factor(&mut self, at: &Progress, subnet: &Subnet) -> Result<f64> {
        let exponent = self.exponent.ok_or_else(|| Error::new("`factor` was called before `start`"))?;
        let gamma = exponent.of(subnet.complexity(&self.settings.complexity)?);
        Ok((1.0 - at.fraction()).powf(gamma))
    }
}

nshot_sdk::plugin!(group: "nshot"; lr_scheduler "calr" => Calr);

#[cfg(test)]
mod tests {
    use super::*;

    /// The space of the paper: 72,752 to 1,524,272 weights.
    const EXTREMES: [f64; 2] = [72_752.0, 1_524_272.0];

    #[test]
    fn the_exponent_is_given_at_the_extremes_and_linear_in_the_logarithm() {
        let exponent = Exponent::new([4.0, 0.25], EXTREMES).unwrap();
        assert!((exponent.of(EXTREMES[0]) - 4.0).abs() < 1e-12);
        assert!((exponent.of(EXTREMES[1]) - 0.25).abs() < 1e-12);
        let middle = (EXTREMES[0] * EXTREMES[1]).sqrt();
        assert!((exponent.of(middle) - 2.125).abs() < 1e-12);
    }

    #[test]
    fn a_space_of_one_size_is_refused() {
        let text = Exponent::new([4.0, 0.25], [5.0, 5.0]).unwrap_err().text().to_owned();
        assert!(text.starts_with("the smallest subnet has a complexity of 5, the largest 5"), "{text}");
    }

    #[test]
    fn settings_are_checked() {
        let settings = |gamma_max| Settings { gamma_max, ..Settings::default() };
        assert!(Calr::new(settings(4.0)).is_ok());
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Calr::new(settings(wrong)).is_err_and(|e| e.text().contains("`gamma_max`")));
        }
    }

    #[test]
    fn the_smallest_subnet_decays_fastest() {
        let run = nshot_sdk::testing::run(&[("edge", 5)]).steps(10, 1);
        let scheduler = run.scheduler::<Calr>(());
        let curves = [0, 2, 4].map(|option| scheduler.curve(&[option]));
        assert!(
            (curves[0][5] - 0.5_f64.powi(4)).abs() < 1e-12
                && (curves[2][5] - 0.5_f64.sqrt().sqrt()).abs() < 1e-12
        );
        assert!((1..10).all(|step| curves[0][step] < curves[1][step] && curves[1][step] < curves[2][step]));
        scheduler.assert_resumes(&[2]);
    }
}
