//! Takes the paths of a step.

use std::sync::Arc;

use nshot_abi::abi_stable::std_types::{RSlice, RStr};
use nshot_abi::host;
use nshot_abi::{AbiResult, Attribute};

use super::{Named, Refusal, answer, refuse, shown};
use crate::selection::{Picked, Selection, Weighting};
use crate::space::Space;

/// More paths than this in one step are taken for a mistake.
const PATHS: usize = 4096;

/// How outputs are compared with a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LossKind {
    /// Cross-entropy with the labels, smoothed.
    CrossEntropy {
        /// Label smoothing, 0 to 1.
        smoothing: f64,
    },
    /// Kullback-Leibler divergence to another path's output.
    Distillation {
        /// Temperature, above 0.
        temperature: f64,
    },
    /// Mean squared error to another path's output.
    MeanSquaredError,
}

/// What a loss compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The batch's labels.
    Labels,
    /// The same output of an earlier path, without its gradient.
    Path(u32),
}

/// A term of a path's loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// Its kind.
    pub kind: LossKind,
    /// Its factor.
    pub weight: f64,
    /// The output that it looks at.
    pub output: String,
    /// What it compares with.
    pub target: Target,
}

impl Loss {
    fn labels() -> Self {
        let kind = LossKind::CrossEntropy { smoothing: 0.0 };
        Self { kind, weight: 1.0, output: "logits".to_owned(), target: Target::Labels }
    }
}

/// One path of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct PathPlan {
    /// What it takes.
    pub selection: Selection,
    /// Its losses; never empty.
    pub losses: Vec<Loss>,
}

/// Takes paths.
pub struct StepHost {
    space: Arc<Space>,
    allowed: Arc<Vec<Vec<u32>>>,
    paths: Vec<(Vec<Option<Picked>>, Vec<Loss>)>,
}

impl StepHost {
    /// No paths yet. `allowed`: the options of the current stage.
    pub fn new(space: Arc<Space>, allowed: Arc<Vec<Vec<u32>>>) -> Self {
        Self { space, allowed, paths: Vec::new() }
    }

    /// The paths, checked.
    ///
    /// # Errors
    /// No path, or one that leaves a choice open.
    pub fn finish(self) -> Result<Vec<PathPlan>, String> {
        if self.paths.is_empty() {
            return Err("the step has no path".to_owned());
        }
        let mut plans = Vec::with_capacity(self.paths.len());
        for (index, (picked, mut losses)) in self.paths.into_iter().enumerate() {
            if let Some(open) = picked.iter().position(Option::is_none) {
                let name = &self.space.choices()[open].name;
                return Err(format!("path {index} selects nothing at the choice `{name}`"));
            }
            if losses.is_empty() {
                losses.push(Loss::labels());
            }
            let selection = Selection(picked.into_iter().flatten().collect());
            if let Some(architecture) = selection.architecture()
                && !self.space.valid(&architecture)?
            {
                return Err(format!(
                    "path {index} takes the architecture {architecture:?}, which is not valid in this space"
                ));
            }
            plans.push(PathPlan { selection, losses });
        }
        Ok(plans)
    }

    fn path_mut(&mut self, path: u32) -> Result<&mut (Vec<Option<Picked>>, Vec<Loss>), Refusal> {
        let count = self.paths.len();
        self.paths
            .get_mut(path as usize)
            .ok_or_else(|| format!("there is no path {path}; the step has {count}").into())
    }

    fn allows(&self, choice: usize, options: &[u32]) -> Result<(), Refusal> {
        self.space.check_options(choice as u32, options)?;
        let allowed = &self.allowed[choice];
        match options.iter().find(|option| !allowed.contains(option)) {
            None => Ok(()),
            Some(option) => refuse(format!(
                "option {option} of the choice `{}` is outside the current stage, which allows {allowed:?}",
                self.space.choices()[choice].name
            )),
        }
    }

    fn take(&mut self, path: u32, architecture: &[u32]) -> Result<(), Refusal> {
        self.space.check(architecture)?;
        for (choice, option) in architecture.iter().enumerate() {
            self.allows(choice, &[*option])?;
        }
        let picked = Selection::of(architecture).0.into_iter().map(Some).collect();
        self.path_mut(path)?.0 = picked;
        Ok(())
    }

    fn pick(
        &mut self,
        path: u32,
        choice: u32,
        options: &[u32],
        attributes: &[Attribute],
    ) -> Result<(), Refusal> {
        self.allows_distinct(choice, options)?;
        let mut named = Named::new("select", attributes)?;
        let (weights, parameter) = (named.numbers("weights")?, named.text("parameter")?);
        named.finish()?;
        // Ascending, so that equal selections are equal, whatever order the sampler named them in.
        let mut order: Vec<usize> = (0..options.len()).collect();
        order.sort_by_key(|&index| options[index]);
        let weighting = match (weights, parameter) {
            (None, None) => Weighting::Plain,
            (Some(weights), None) if weights.len() == options.len() => {
                Weighting::Fixed(order.iter().map(|&index| weights[index].to_bits()).collect())
            }
            (Some(weights), None) => {
                return refuse(format!("{} weights for {} options", weights.len(), options.len()));
            }
            (None, Some(name)) => {
                self.space.check_weighting(choice, &name).map(|()| Weighting::Parameter(name))?
            }
            (Some(_), Some(_)) => return refuse("`select` takes `weights` or `parameter`, not both"),
        };
        let options = order.iter().map(|&index| options[index]).collect();
        self.path_mut(path)?.0[choice as usize] = Some(Picked { options, weighting });
        Ok(())
    }

    fn allows_distinct(&self, choice: u32, options: &[u32]) -> Result<(), Refusal> {
        self.space.check_options(choice, options)?;
        self.allows(choice as usize, options)?;
        match options.iter().enumerate().find(|(index, option)| options[..*index].contains(option)) {
            None => Ok(()),
            Some((_, option)) => refuse(format!("option {option} is selected twice")),
        }
    }

    fn add_loss(&mut self, path: u32, name: &str, attributes: &[Attribute]) -> Result<(), Refusal> {
        let mut named = Named::new("loss", attributes)?;
        let weight = named.number("weight")?.unwrap_or(1.0);
        let output = named.text("output")?.unwrap_or_else(|| "logits".to_owned());
        let (target, other) = (named.text("target")?, named.count("path")?);
        let (kind, default_target) = match name {
            "cross_entropy" => {
                let smoothing = named.number("smoothing")?.unwrap_or(0.0);
                if !(0.0..=1.0).contains(&smoothing) {
                    return refuse(format!("`smoothing` is {smoothing}, expected 0 to 1"));
                }
                (LossKind::CrossEntropy { smoothing }, "labels")
            }
            "distillation" => {
                let temperature = named.number("temperature")?.unwrap_or(1.0);
                if temperature <= 0.0 {
                    return refuse(format!("`temperature` is {temperature}, expected a number above 0"));
                }
                (LossKind::Distillation { temperature }, "path")
            }
            "mse" => (LossKind::MeanSquaredError, "path"),
            other => {
                return Err(Refusal::unknown(format!(
                    "unknown loss `{}`; this host has `cross_entropy`, `distillation`, `mse`",
                    shown(other)
                )));
            }
        };
        named.finish()?;
        let target = match (target.as_deref().unwrap_or(default_target), other, default_target) {
            ("labels", None, "labels") => Target::Labels,
            ("path", Some(other), "path") if other < u64::from(path) => Target::Path(other as u32),
            ("path", Some(other), "path") => {
                return refuse(format!("the target of path {path} is path {other}, expected an earlier one"));
            }
            (_, _, "labels") => {
                return refuse(format!(
                    "the loss `{name}` compares with the labels; it has no other `target`"
                ));
            }
            _ => {
                return refuse(format!(
                    "the loss `{name}` compares with an earlier path: name it, as `path`"
                ));
            }
        };
        self.path_mut(path)?.1.push(Loss { kind, weight, output, target });
        Ok(())
    }
}

impl host::Step for StepHost {
    fn set(&mut self, attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        answer(|| Named::new("set", attributes.as_slice())?.finish())
    }

    fn path(&mut self, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        answer(|| {
            Named::new("path", attributes.as_slice())?.finish()?;
            if self.paths.len() >= PATHS {
                return refuse(format!("more than {PATHS} paths in one step"));
            }
            self.paths.push((vec![None; self.space.choices().len()], Vec::new()));
            Ok(self.paths.len() as u32 - 1)
        })
    }

    fn architecture(&mut self, path: u32, architecture: RSlice<'_, u32>) -> AbiResult<()> {
        answer(|| self.take(path, architecture.as_slice()))
    }

    fn select(
        &mut self,
        path: u32,
        choice: u32,
        options: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<()> {
        answer(|| self.pick(path, choice, options.as_slice(), attributes.as_slice()))
    }

    fn loss(&mut self, path: u32, kind: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        answer(|| self.add_loss(path, kind.as_str(), attributes.as_slice()))
    }
}
