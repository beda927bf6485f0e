//! Takes the paths of a step.

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr};
use nshot_abi::host::{self, Run_TO};
use nshot_abi::{AbiResult, Attribute, Value};
use nshot_graph::{Parameters, Role};

use crate::adapter::guard;
use crate::declare::Choice;
use crate::error::Result;
use crate::testing::attributes::{Named, refuse, shown, unknown};
use crate::testing::ground;
use crate::testing::path::{Loss, LossKind, Path, Picked, Weighting};
use crate::testing::run::TestRun;

const PATHS: usize = 4096;

/// The moment of a step.
pub(super) struct SampleView<'a> {
    pub(super) run: &'a TestRun,
    pub(super) step: u64,
}

impl host::Sample for SampleView<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        self.run.view()
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn epoch(&self) -> u64 {
        self.step / self.run.steps_per_epoch.max(1)
    }
}

pub(super) struct StepHost<'a> {
    run: &'a TestRun,
    parameters: &'a Parameters,
    paths: Vec<(Vec<Option<Picked>>, Vec<Loss>)>,
}

impl<'a> StepHost<'a> {
    pub(super) fn new(run: &'a TestRun, parameters: &'a Parameters) -> Self {
        Self { run, parameters, paths: Vec::new() }
    }

    /// The paths, checked.
    pub(super) fn finish(self) -> Result<Vec<Path>> {
        if self.paths.is_empty() {
            return refuse("the step has no path");
        }
        let choices = self.run.ground.choices();
        let mut paths: Vec<Path> = Vec::with_capacity(self.paths.len());
        for (index, (picked, mut losses)) in self.paths.into_iter().enumerate() {
            if let Some(open) = picked.iter().position(Option::is_none) {
                let name = &choices[open].name;
                return refuse(format!("path {index} selects nothing at the choice `{name}`"));
            }
            if losses.is_empty() {
                losses.push(Loss::labels());
            }
            let path = Path { picked: picked.into_iter().flatten().collect(), losses };
            if let Some(architecture) = path.single() {
                if !self.run.in_space(&architecture)? {
                    return refuse(format!(
                        "path {index} takes the architecture {architecture:?}, which is not valid in this space"
                    ));
                }
            }
            paths.push(path);
        }
        separated(&paths, choices, &self.run.separated)?;
        Ok(paths)
    }

    fn choices(&self) -> &'a [Choice] {
        self.run.ground.choices()
    }

    fn path_mut(&mut self, path: u32) -> Result<&mut (Vec<Option<Picked>>, Vec<Loss>)> {
        let count = self.paths.len();
        match self.paths.get_mut(path as usize) {
            Some(path) => Ok(path),
            None => refuse(format!("there is no path {path}; the step has {count}")),
        }
    }

    fn allows(&self, choice: u32, options: &[u32]) -> Result<()> {
        ground::check_options(self.choices(), choice, options)?;
        let allowed = &self.run.allowed[choice as usize];
        match options.iter().find(|option| !allowed.contains(option)) {
            None => Ok(()),
            Some(option) => refuse(format!(
                "option {option} of the choice `{}` is outside the current stage, which allows {allowed:?}",
                self.choices()[choice as usize].name
            )),
        }
    }

    fn take(&mut self, path: u32, architecture: &[u32]) -> Result<()> {
        ground::check(self.choices(), architecture)?;
        for (choice, option) in architecture.iter().enumerate() {
            self.allows(choice as u32, &[*option])?;
        }
        self.path_mut(path)?.0 = Path::of(architecture).picked.into_iter().map(Some).collect();
        Ok(())
    }

    fn pick(&mut self, path: u32, choice: u32, options: &[u32], attributes: &[Attribute]) -> Result<()> {
        self.allows(choice, options)?;
        let mut each = options.iter().enumerate();
        if let Some((_, option)) = each.find(|(index, option)| options[..*index].contains(option)) {
            return refuse(format!("option {option} is selected twice"));
        }
        let mut named = Named::new("select", attributes)?;
        let (weights, parameter) = (named.numbers("weights")?, named.text("parameter")?);
        named.finish()?;
        let mut order: Vec<usize> = (0..options.len()).collect();
        order.sort_by_key(|&index| options[index]);
        let weighting = match (weights, parameter) {
            (None, None) => Weighting::Plain,
            (Some(weights), None) if weights.len() == options.len() => {
                Weighting::Fixed(order.iter().map(|&index| weights[index]).collect())
            }
            (Some(weights), None) => {
                return refuse(format!("{} weights for {} options", weights.len(), options.len()));
            }
            (None, Some(name)) => self.weighted_by(choice, name)?,
            (Some(_), Some(_)) => return refuse("`select` takes `weights` or `parameter`, not both"),
        };
        let options = order.iter().map(|&index| options[index]).collect();
        self.path_mut(path)?.0[choice as usize] = Some(Picked { options, weighting });
        Ok(())
    }

    fn weighted_by(&self, choice: u32, name: String) -> Result<Weighting> {
        let options = self.choices()[choice as usize].options.len() as i64;
        match self.parameters.index(&name).and_then(|index| self.parameters.get(index)) {
            Some(spec) if spec.role == Role::Architecture && spec.shape == [options] => {
                Ok(Weighting::Parameter(name))
            }
            Some(spec) => refuse(format!(
                "the parameter `{}` has the role `{}` and the shape {:?}, expected `architecture` and [{options}]",
                spec.name,
                spec.role.name(),
                spec.shape
            )),
            None => refuse(format!("there is no parameter `{}`", shown(&name))),
        }
    }

    fn add_loss(&mut self, path: u32, name: &str, attributes: &[Attribute]) -> Result<()> {
        let mut named = Named::new("loss", attributes)?;
        let weight = named.number("weight")?.unwrap_or(1.0);
        let output = named.text("output")?.unwrap_or_else(|| "logits".to_owned());
        let (target, other) = (named.text("target")?, named.count("path")?);
        let kind = loss_kind(name, &mut named)?;
        named.finish()?;
        let labels = matches!(kind, LossKind::CrossEntropy { .. });
        let default = if labels { "labels" } else { "path" };
        let target = match (target.as_deref().unwrap_or(default), other, labels) {
            ("labels", None, true) => None,
            ("path", Some(other), false) if other < u64::from(path) => Some(other as u32),
            ("path", Some(other), false) => {
                return refuse(format!("the target of path {path} is path {other}, expected an earlier one"));
            }
            (_, _, true) => {
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
        self.path_mut(path)?.1.push(Loss { kind, weight, output, path: target });
        Ok(())
    }
}

fn loss_kind(name: &str, named: &mut Named<'_>) -> Result<LossKind> {
    match name {
        "cross_entropy" => {
            let smoothing = named.number("smoothing")?.unwrap_or(0.0);
            if !(0.0..=1.0).contains(&smoothing) {
                return refuse(format!("`smoothing` is {smoothing}, expected 0 to 1"));
            }
            Ok(LossKind::CrossEntropy { smoothing })
        }
        "distillation" => {
            let temperature = named.number("temperature")?.unwrap_or(1.0);
            if temperature <= 0.0 {
                return refuse(format!("`temperature` is {temperature}, expected a number above 0"));
            }
            Ok(LossKind::Distillation { temperature })
        }
        "mse" => Ok(LossKind::MeanSquaredError),
        other => Err(unknown(format!(
            "unknown loss `{}`; this host has `cross_entropy`, `distillation`, `mse`",
            shown(other)
        ))),
    }
}

/// The group of the options at the choices that separate the optimizer's state.
pub(crate) fn separated(paths: &[Path], choices: &[Choice], by: &[u32]) -> Result<u64> {
    let mut group = 0_u64;
    for &choice in by {
        let at = ground::at(choices, choice)?;
        let mut options = paths.iter().map(|path| &path.picked[choice as usize].options[..]);
        let first = options.next().unwrap_or_default();
        let ([option], true) = (first, options.all(|other| other == first)) else {
            return refuse(format!(
                "the paths of a step take one and the same option at `{}`, which separates the optimizer's state",
                at.name
            ));
        };
        group = group.wrapping_mul(at.options.len() as u64).wrapping_add(u64::from(*option));
    }
    Ok(group)
}

impl host::Step for StepHost<'_> {
    fn set(&mut self, attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        guard(|| Named::new("set", attributes.as_slice())?.finish())
    }

    fn path(&mut self, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        guard(|| {
            Named::new("path", attributes.as_slice())?.finish()?;
            if self.paths.len() >= PATHS {
                return refuse(format!("more than {PATHS} paths in one step"));
            }
            self.paths.push((vec![None; self.choices().len()], Vec::new()));
            Ok(self.paths.len() as u32 - 1)
        })
    }

    fn architecture(&mut self, path: u32, architecture: RSlice<'_, u32>) -> AbiResult<()> {
        guard(|| self.take(path, architecture.as_slice()))
    }

    fn select(
        &mut self,
        path: u32,
        choice: u32,
        options: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<()> {
        guard(|| self.pick(path, choice, options.as_slice(), attributes.as_slice()))
    }

    fn loss(&mut self, path: u32, kind: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        guard(|| self.add_loss(path, kind.as_str(), attributes.as_slice()))
    }
}
