//! Few-shot NAS: Zhao et al., *Few-shot Neural Architecture Search*, ICML 2021.
//!
//! The space is split by the options of a choice into sub-supernets, each trained as a supernet of its own, drawing
//! uniformly within its subspace. Several choices split it further: a stage for each combination of their options.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of `fsnas`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// The choices that the space is split by, in order, by index or by name. Default: one, drawn.
    split: Option<Vec<NamedChoice>>,
    /// Whether sub-supernets start from scratch (as the subnet-aware training paper has them), or from the weights of
    /// a one-shot supernet that is trained first (as the authors of few-shot NAS have them).
    weights: Weights,
    /// Epochs of each parent, if sub-supernets start from one. Default: as many as the others.
    parent_epochs: Option<u64>,
}

/// What sub-supernets start from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Weights {
    /// Fresh weights.
    #[default]
    Scratch,
    /// The weights of the supernet that they are split from.
    Parent,
}

/// A stage to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Planned {
    name: String,
    parent: Option<String>,
    /// Choice and option that it is restricted to.
    fixed: Vec<(u32, u32)>,
    /// Whether others start from it.
    is_parent: bool,
}

/// The stages of splitting by choices with so many options each.
fn stages(split: &[(u32, u32)], weights: Weights) -> Vec<Planned> {
    let root = Planned { name: "one-shot".into(), parent: None, fixed: Vec::new(), is_parent: true };
    let mut planned = if weights == Weights::Parent { vec![root.clone()] } else { Vec::new() };
    let mut level = vec![root];
    for (depth, &(choice, options)) in split.iter().enumerate() {
        let is_parent = depth + 1 < split.len();
        let children = level.iter().flat_map(|above| (0..options).map(move |option| (above, option)));
        let split_off = |(above, option): (&Planned, u32)| {
            let mut fixed = above.fixed.clone();
            fixed.push((choice, option));
            let parts: Vec<String> =
                fixed.iter().map(|(choice, option)| format!("{choice}={option}")).collect();
            let parent = (weights == Weights::Parent).then(|| above.name.clone());
            Planned { name: parts.join("."), parent, fixed, is_parent }
        };
        level = children.map(split_off).collect();
        if weights == Weights::Parent || !is_parent {
            planned.extend(level.iter().cloned());
        }
    }
    planned
}

struct Fsnas(Settings);

impl Fsnas {
    fn split(&self, run: &Run) -> Result<Vec<u32>> {
        match &self.0.split {
            None => Ok(vec![run.random(0).below(run.choice_count().into()) as u32]),
            Some(given) => NamedChoice::find_all(given, "split", run),
        }
    }
}

impl Sampler for Fsnas {
    type Settings = Settings;
    const ABOUT: &'static str = "One supernet for each option of a choice, sampled uniformly (few-shot NAS).";
    const CITATION: &'static str = "@inproceedings{zhao2021few, title={Few-shot Neural Architecture Search}, \
        author={Zhao, Yiyang and Wang, Linnan and Tian, Yuandong and Fonseca, Rodrigo and Guo, Tian}, \
        booktitle={ICML}, year={2021}}";

    fn new(settings: Settings) -> Result<Self> {
        if settings.split.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::new("`split` is empty; leave it out to draw a choice"));
        }
        if settings.parent_epochs == Some(0) {
            return Err(Error::new("`parent_epochs` is 0, expected at least 1"));
        }
        if settings.parent_epochs.is_some() && settings.weights == Weights::Scratch {
            return Err(Error::new("`parent_epochs` is for `weights = \"parent\"`"));
        }
        Ok(Self(settings))
    }

    fn plan(&mut self, run: &Run, plan: &mut Plan) -> Result<()> {
        let options = |choice| Ok((choice, run.options(choice)?.len() as u32));
        let split = self.split(run)?.into_iter().map(options).collect::<Result<Vec<_>>>()?;
        for stage in stages(&split, self.0.weights) {
            let mut attributes = Attributes::new();
            if let Some(parent) = &stage.parent {
                attributes = attributes.with("weights", "parent").with("parent", parent.as_str());
            }
            if let Some(epochs) = self.0.parent_epochs.filter(|_| stage.is_parent) {
                attributes = attributes.with("epochs", epochs);
            }
            let index = plan.stage(&stage.name, &attributes)?;
            for (choice, option) in stage.fixed {
                plan.allow(index, choice, &[option])?;
            }
        }
        Ok(())
    }

    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
        step.path(&at.uniform(&mut at.random())?)?;
        Ok(())
    }
}

nshot_sdk::plugin!(group: "nshot"; sampler "fsnas" => Fsnas);

#[cfg(test)]
mod tests {
    use super::*;

    fn names(planned: &[Planned]) -> Vec<&str> {
        planned.iter().map(|stage| stage.name.as_str()).collect()
    }

    #[test]
    fn one_stage_for_each_option() {
        let planned = stages(&[(2, 3)], Weights::Scratch);
        assert_eq!(names(&planned), ["2=0", "2=1", "2=2"]);
        assert!(planned.iter().all(|stage| stage.parent.is_none() && !stage.is_parent));
        assert_eq!(planned[1].fixed, [(2, 1)]);
    }

    #[test]
    fn nested_splits_make_a_tree() {
        let scratch = stages(&[(0, 2), (3, 2)], Weights::Scratch);
        assert_eq!(names(&scratch), ["0=0.3=0", "0=0.3=1", "0=1.3=0", "0=1.3=1"]);
        let parent = stages(&[(0, 2), (3, 2)], Weights::Parent);
        assert_eq!(names(&parent), ["one-shot", "0=0", "0=1", "0=0.3=0", "0=0.3=1", "0=1.3=0", "0=1.3=1"]);
        assert_eq!(parent[1].parent.as_deref(), Some("one-shot"));
        assert_eq!(parent[4].parent.as_deref(), Some("0=0"));
        assert_eq!(parent.iter().filter(|stage| stage.is_parent).count(), 3);
    }
}
