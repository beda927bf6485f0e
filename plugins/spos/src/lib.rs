//! Uniform single-path sampling: Guo et al., *Single Path One-Shot Neural Architecture Search with Uniform
//! Sampling*, ECCV 2020.

use nshot_sdk::prelude::*;

struct Spos;

impl Sampler for Spos {
    type Settings = NoSettings;
    const ABOUT: &'static str = "One uniformly drawn architecture per step (SPOS).";
    const CITATION: &'static str = "@inproceedings{guo2020single, title={Single Path One-Shot Neural \
        Architecture Search with Uniform Sampling}, author={Guo, Zichao and Zhang, Xiangyu and Mu, Haoyuan and \
        Heng, Wen and Liu, Zechun and Wei, Yichen and Sun, Jian}, booktitle={ECCV}, year={2020}}";

    fn new(_: NoSettings) -> Result<Self> {
        Ok(Self)
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        step.path(&at.uniform(&mut at.random())?)?;
        Ok(())
    }
}

nshot_sdk::plugin!(group: "nshot"; sampler "spos" => Spos);
