//! Several options of a choice at once: Chu et al., *`MixPath`: A Unified Approach for One-shot Neural Architecture
//! Search*, ICCV 2023.
//!
//! At each choice a number from 1 to `most` is drawn uniformly, then as many different options; their results are
//! summed.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The rest of the manifest's `[sampler]` table.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// The most options that are taken at a choice.
    most: u64,
    /// Whether results are averaged instead of summed.
    average: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { most: 2, average: false }
    }
}

struct MixPath(Settings);

/// Uniformly many of the allowed options, at most `most`, each at most once.
fn several(mut allowed: Vec<u32>, most: u64, random: &mut Random) -> Vec<u32> {
    let count = 1 + random.below(most.min(allowed.len() as u64));
    random.shuffle(&mut allowed);
    allowed.truncate(count as usize);
    allowed
}

impl Sampler for MixPath {
    type Settings = Settings;
    const ABOUT: &'static str = "Several options of each choice at once, their results summed (MixPath).";
    const CITATION: &'static str = "@inproceedings{chu2023mixpath, title={{MixPath}: A Unified Approach for One-shot \
        Neural Architecture Search}, author={Chu, Xiangxiang and Lu, Shun and Li, Xudong and Zhang, Bo}, \
        booktitle={ICCV}, year={2023}}";

    fn new(settings: Settings) -> Result<Self> {
        if settings.most == 0 {
            return Err(Error::new("`most` is 0, expected at least 1"));
        }
        Ok(Self(settings))
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        let (run, mut random) = (at.run(), at.random());
        let separated = run.separated_choices()?;
        let path = step.empty_path()?;
        for choice in 0..run.choice_count() {
            // Where the optimizer's state is separated by options, a step takes a single one.
            let most = if separated.contains(&choice) { 1 } else { self.0.most };
            let options = several(run.allowed(choice)?, most, &mut random);
            let mut weighting = Attributes::new();
            if self.0.average && options.len() > 1 {
                weighting = weighting.with("weights", vec![1.0 / options.len() as f64; options.len()]);
            }
            step.select(path, choice, &options, &weighting)?;
        }
        Ok(())
    }
}

nshot_sdk::plugin!(group: "examples"; sampler "mixpath" => MixPath);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_options_are_uniform() {
        let (mut random, mut numbers, mut options) = (Random::new(1, 0), [0_u32; 4], [0_u32; 10]);
        for _ in 0..9000 {
            let drawn = several(vec![2, 5, 7, 8, 9], 3, &mut random);
            numbers[drawn.len()] += 1;
            drawn.iter().for_each(|&option| options[option as usize] += 1);
            let mut different = drawn.clone();
            different.sort_unstable();
            different.dedup();
            assert_eq!(different.len(), drawn.len());
        }
        // Five standard deviations of binomials with n = 9000, p = 1/3 and p = 2/5 (of 2 in 5 on average).
        assert!(numbers[0] == 0 && numbers[1..].iter().all(|n| n.abs_diff(3000) < 225), "{numbers:?}");
        for (option, &count) in options.iter().enumerate() {
            let expected = if [2, 5, 7, 8, 9].contains(&option) { 3600 } else { 0 };
            assert!(u32::abs_diff(count, expected) < 235, "{options:?}");
        }
    }

    #[test]
    fn no_more_than_there_are_or_may_be() {
        let mut random = Random::new(2, 0);
        assert!((0..100).all(|_| several(vec![4], 3, &mut random) == [4]));
        assert!((0..100).all(|_| several(vec![1, 2, 3], 1, &mut random).len() == 1));
        assert!((0..100).all(|_| several(vec![1, 2], u64::MAX, &mut random).len() <= 2));
    }

    #[test]
    fn none_at_all_is_refused() {
        assert!(
            MixPath::new(Settings { most: 0, average: false }).err().unwrap().text().contains("`most` is 0")
        );
    }
}
