//! Views of a step: when it is, what it trains.

use std::sync::Arc;

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RStr, RVec};
use nshot_abi::host::{self, Run_TO};
use nshot_abi::{AbiResult, Value};

use super::{RunView, answer};
use crate::selection::Selection;
use crate::space::{Space, Subnet};

/// The moment at which a step is sampled.
pub struct SampleView<'a> {
    /// The run, as the sampler sees it.
    pub run: &'a RunView,
    /// The step within the stage.
    pub step: u64,
}

impl host::Sample for SampleView<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        Run_TO::from_ptr(self.run, TD_Opaque)
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn epoch(&self) -> u64 {
        self.step / self.run.steps_per_epoch.max(1)
    }
}

/// The options of a path at a choice.
fn selected(path: &Selection, choice: u32) -> Result<RVec<u32>, String> {
    let picked = path.0.get(choice as usize).map(|picked| picked.options.clone().into());
    picked.ok_or_else(|| format!("there is no choice {choice}; the space has {}", path.0.len()))
}

/// What the paths of a step selected.
pub struct PathsView<'a> {
    /// The space.
    pub space: &'a Space,
    /// The selections.
    pub paths: Vec<&'a Selection>,
    /// Choices that separate the optimizer's state.
    pub separated: &'a [u32],
    /// The step within the stage.
    pub step: u64,
    /// The run, as the state groups see it.
    pub run: &'a RunView,
}

impl PathsView<'_> {
    /// The group of the options at the separated choices: their number in mixed radix.
    ///
    /// # Errors
    /// A path takes several options there, or paths differ.
    pub fn default_group(&self) -> Result<u64, String> {
        let mut group = 0_u64;
        for &choice in self.separated {
            let at = &self.space.choices()[choice as usize];
            let mut options = self.paths.iter().map(|path| &path.0[choice as usize].options[..]);
            let first = options.next().unwrap_or_default();
            let ([option], true) = (first, options.all(|other| other == first)) else {
                let taken = self.paths.iter().map(|path| format!("{:?}", path.0[choice as usize].options));
                return Err(format!(
                    "the paths take the options {} at `{}`, which separates the optimizer's state: expected one and \
                     the same of all paths of a step",
                    taken.collect::<Vec<_>>().join(", "),
                    at.name
                ));
            };
            group = group
                .checked_mul(at.options.len() as u64)
                .and_then(|group| group.checked_add(u64::from(*option)))
                .ok_or("more than 2^64 state groups")?;
        }
        Ok(group)
    }
}

impl host::Paths for PathsView<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        Run_TO::from_ptr(self.run, TD_Opaque)
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn count(&self) -> u32 {
        self.paths.len() as u32
    }

    fn selected(&self, path: u32, choice: u32) -> AbiResult<RVec<u32>> {
        answer(|| {
            let count = self.paths.len();
            let selection = self.paths.get(path as usize);
            selected(
                selection.ok_or_else(|| format!("there is no path {path}; the step has {count}"))?,
                choice,
            )
        })
    }

    fn default_group(&self) -> AbiResult<u64> {
        answer(|| PathsView::default_group(self))
    }
}

/// How far the stage's schedule is.
#[derive(Clone, Copy)]
pub struct ProgressView<'a> {
    /// The run, as the scheduler sees it.
    pub run: &'a RunView,
    /// The step, from 0.
    pub step: u64,
    /// Steps of the whole schedule.
    pub total_steps: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
}

impl host::Progress for ProgressView<'_> {
    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        Run_TO::from_ptr(self.run, TD_Opaque)
    }

    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn total_steps(&self) -> u64 {
        self.total_steps
    }

    fn steps_per_epoch(&self) -> u64 {
        self.steps_per_epoch
    }
}

/// The subnet of one path.
pub struct SubnetView<'a> {
    /// The space.
    pub space: &'a Space,
    /// What it takes.
    pub selection: &'a Selection,
    /// Its graph and costs.
    pub subnet: &'a Arc<Subnet>,
}

impl host::Subnet for SubnetView<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn selected(&self, choice: u32) -> AbiResult<RVec<u32>> {
        answer(|| selected(self.selection, choice))
    }

    fn complexity(&self, measure: RStr<'_>) -> AbiResult<f64> {
        answer(|| self.space.complexity_of(self.subnet, self.selection, measure.as_str()))
    }
}
