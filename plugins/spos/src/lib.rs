//! Uniform single-path sampling: Guo et al., *Single Path One-Shot Neural Architecture Search with Uniform
//! Sampling*, ECCV 2020.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `spos`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Limits of what is drawn, by measure: `limits = { macs = 330e6 }` is the greatest value, `[300e6, 330e6]` a range.
    #[serde(skip_serializing_if = "Limits::is_empty")]
    limits: Limits,
}

struct Spos(Settings);

impl Sampler for Spos {
    type Settings = Settings;
    const ABOUT: &'static str = "One uniformly drawn architecture per step (SPOS).";
    const CITATION: &'static str = "@inproceedings{guo2020single, title={Single Path One-Shot Neural \
        Architecture Search with Uniform Sampling}, author={Guo, Zichao and Zhang, Xiangyu and Mu, Haoyuan and \
        Heng, Wen and Liu, Zechun and Wei, Yichen and Sun, Jian}, booktitle={ECCV}, year={2020}}";

    fn new(settings: Settings) -> Result<Self> {
        Ok(Self(settings))
    }

    fn start(&mut self, run: &Run) -> Result<()> {
        self.0.limits.check(run)
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        step.path(&self.0.limits.uniform(&at.run(), &mut at.random())?)?;
        Ok(())
    }
}

nshot_sdk::plugin!(group: "nshot"; sampler "spos" => Spos);

#[cfg(test)]
mod tests {
    use nshot_sdk::testing::{self, json};

    use super::*;

    #[test]
    fn draws_are_uniform_and_a_stopped_run_goes_on_with_them() {
        let sampler = testing::run(&[("edge 0", 5), ("edge 1", 5), ("edge 2", 5)]).sampler::<Spos>(());
        sampler.assert_uniform(5000);
        sampler.assert_resumes(50);
    }

    #[test]
    fn draws_keep_within_the_limits_and_are_uniform_there() {
        // The measure is one more than the sum of the options.
        let within = |options: &[u32]| (2..=4).contains(&options.iter().sum::<u32>());
        let run = testing::run(&[("edge 0", 5), ("edge 1", 5)]);
        let limits = json!({ "limits": { "macs": [3, 5] } });
        assert!(run.sampler::<Spos>(&limits).architectures(2000).iter().all(|drawn| within(drawn)));
        // Uniform among what is left of a space that is narrower still.
        run.valid(move |options| within(options) && options[0] < 3)
            .sampler::<Spos>(&limits)
            .assert_uniform(2000);
    }

    #[test]
    fn without_limits_the_settings_are_written_as_before() {
        assert_eq!(serde_json::to_string(&Settings::default()).unwrap(), "{}");
        let limited: Settings = serde_json::from_str(r#"{"limits": {"macs": [1e6, 2e6]}}"#).unwrap();
        assert!(!limited.limits.is_empty());
        assert!(serde_json::from_str::<Settings>(r#"{"limit": {}}"#).is_err());
    }
}
