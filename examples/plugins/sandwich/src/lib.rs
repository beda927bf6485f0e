//! The sandwich rule: Yu and Huang, *Universally Slimmable Networks and Improved Training Techniques*, ICCV 2019; and
//! Yu et al., *`BigNAS`: Scaling Up Neural Architecture Search with Big Single-Stage Models*, ECCV 2020.
//!
//! Each step trains the largest subnet with the labels, then the smallest and some random ones with the largest one's
//! output as their target (in-place distillation). All gradients go into one update.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The rest of the manifest's `[sampler]` table.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Random subnets in a step, beside the largest and the smallest.
    random: u32,
    /// The measure by which subnets are the largest and the smallest: `weights`, `params`, `macs`, …
    measure: String,
    /// Of the distillation: above 1, the largest subnet's output is softened.
    temperature: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { random: 2, measure: "weights".into(), temperature: 1.0 }
    }
}

struct Sandwich(Settings);

/// The subnets that learn from the largest: the smallest, then as many drawn ones.
fn students(
    smallest: Architecture,
    random: u32,
    mut draw: impl FnMut() -> Result<Architecture>,
) -> Result<Vec<Architecture>> {
    let mut students = vec![smallest];
    for _ in 0..random {
        students.push(draw()?);
    }
    Ok(students)
}

impl Sampler for Sandwich {
    type Settings = Settings;
    const ABOUT: &'static str = "The largest subnet, and the smallest and random ones that learn from it.";
    const CITATION: &'static str = "@inproceedings{yu2020bignas, title={{BigNAS}: Scaling Up Neural Architecture Search \
        with Big Single-Stage Models}, author={Yu, Jiahui and Jin, Pengchong and Liu, Hanxiao and Bender, Gabriel and \
        Kindermans, Pieter-Jan and Tan, Mingxing and Huang, Thomas and Song, Xiaodan and Pang, Ruoming and Le, Quoc}, \
        booktitle={ECCV}, year={2020}}";

    fn new(settings: Settings) -> Result<Self> {
        if settings.random > 100 {
            return Err(Error::new(format!("`random` is {}, expected at most 100", settings.random)));
        }
        if !(settings.temperature > 0.0 && settings.temperature.is_finite()) {
            let found = settings.temperature;
            return Err(Error::new(format!("`temperature` is {found}, expected a number above 0")));
        }
        Ok(Self(settings))
    }

    fn start(&mut self, run: &Run) -> Result<()> {
        let known = run.measures()?;
        if !known.contains(&self.0.measure) {
            let (found, known) = (&self.0.measure, known.join("`, `"));
            return Err(Error::new(format!("`measure` is `{found}`, expected one of `{known}`")));
        }
        // The largest and the smallest subnet differ at such a choice, and one step's paths must not.
        if !run.separated_choices()?.is_empty() {
            return Err(Error::new("the sandwich rule cannot be combined with state separated by a choice"));
        }
        Ok(())
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        let (run, mut random) = (at.run(), at.random());
        // A path without a loss of its own has the cross-entropy with the labels.
        let teacher = step.path(&run.largest(&self.0.measure)?)?;
        let smallest = run.smallest(&self.0.measure)?;
        for student in students(smallest, self.0.random, || run.uniform(&mut random))? {
            let path = step.path(&student)?;
            let target = attributes! { path: teacher, temperature: self.0.temperature };
            step.loss(path, "distillation", &target)?;
        }
        Ok(())
    }
}

nshot_sdk::plugin!(group: "examples"; sampler "sandwich" => Sandwich);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_comes_first_and_then_as_many_as_asked_for() {
        let mut drawn = 0;
        let draw = || {
            drawn += 1;
            Ok(vec![drawn; 2])
        };
        assert_eq!(students(vec![0, 0], 2, draw).unwrap(), [[0, 0], [1, 1], [2, 2]]);
        assert_eq!(students(vec![0, 0], 0, || unreachable!()).unwrap(), [[0, 0]]);
        assert!(students(vec![0, 0], 1, || Err(Error::new("none"))).is_err());
    }

    #[test]
    fn wrong_settings_are_refused() {
        assert!(Sandwich::new(Settings::default()).is_ok());
        for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = Sandwich::new(Settings { temperature, ..Settings::default() }).err().unwrap();
            assert!(error.text().contains("`temperature`"));
        }
        assert!(Sandwich::new(Settings { random: 101, ..Settings::default() }).is_err());
    }
}
