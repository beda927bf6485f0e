//! What came of a block of steps, for a sampler that wants to know.

use std::collections::HashMap;

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::std_types::{ROption, RStr, RVec};
use nshot_abi::host::{self, Run_TO};
use nshot_abi::{AbiResult, Attribute, Value};
use nshot_graph::Parameters;

use crate::adapter::guard;
use crate::error::Result;
use crate::sampler::Wants;
use crate::testing::attributes::{refuse, shown};
use crate::testing::path::Path;
use crate::testing::run::TestRun;

/// The longest block of outcomes.
const OBSERVE_EVERY: i64 = 10_000;

/// The figure that a sampler asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `loss` or `gradient_norm`.
    pub figure: &'a str,
    /// The step within the stage.
    pub step: u64,
    /// The path.
    pub path: &'a Path,
    /// The choice and the option whose own parameters are meant; none: the whole path.
    pub option: Option<(u32, u32)>,
}

/// Reads a sampler's wishes as the host does.
pub(super) fn read_wants(wishes: &[Attribute]) -> Result<Wants, String> {
    let mut wants = Wants { observe_every: 1, ..Wants::default() };
    for wish in wishes {
        match (wish.name.as_str(), &wish.value) {
            ("loss", Value::Bool(wanted)) => wants.loss = *wanted,
            ("path_gradient_norm", Value::Bool(wanted)) => wants.path_gradient_norm = *wanted,
            ("option_gradient_norm", Value::Bool(wanted)) => wants.option_gradient_norm = *wanted,
            ("observe_every", Value::Int(every)) if (1..=OBSERVE_EVERY).contains(every) => {
                wants.observe_every = *every as u64;
            }
            (_, Value::Bool(false)) => {}
            (name, value) => {
                return Err(format!(
                    "it wants `{}` = {value:?}; this host gives `loss`, `path_gradient_norm`, \
                     `option_gradient_norm` (true or false), and `observe_every` (1 to {OBSERVE_EVERY})",
                    shown(name)
                ));
            }
        }
    }
    Ok(wants)
}

pub(super) struct OutcomesView<'a> {
    pub(super) run: &'a TestRun,
    pub(super) entries: Vec<(u64, Vec<Path>)>,
    pub(super) wants: Wants,
    pub(super) parameters: &'a Parameters,
    pub(super) values: &'a HashMap<String, Vec<f64>>,
    pub(super) figure: &'a (dyn Fn(&Asked) -> f64 + Send + Sync),
}

impl OutcomesView<'_> {
    fn entry(&self, entry: u32) -> Result<&(u64, Vec<Path>)> {
        let count = self.entries.len();
        match self.entries.get(entry as usize) {
            Some(found) => Ok(found),
            None => refuse(format!("there is no entry {entry}; the block has {count}")),
        }
    }

    fn path(&self, entry: u32, path: u32) -> Result<(u64, &Path)> {
        let (step, paths) = self.entry(entry)?;
        match paths.get(path as usize) {
            Some(found) => Ok((*step, found)),
            None => refuse(format!("there is no path {path}; the step has {}", paths.len())),
        }
    }
}

impl host::Outcomes for OutcomesView<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        self.run.view()
    }

    fn parameter(&self, name: RStr<'_>) -> AbiResult<RVec<f64>> {
        guard(|| {
            let spec = self.parameters.index(name.as_str()).and_then(|index| self.parameters.get(index));
            let Some(spec) = spec else {
                return refuse(format!(
                    "there is no parameter `{}` of the role `architecture`",
                    shown(name.as_str())
                ));
            };
            let zeros = || vec![0.0; spec.elements() as usize];
            Ok(self.values.get(name.as_str()).cloned().unwrap_or_else(zeros).into())
        })
    }

    fn count(&self) -> u32 {
        self.entries.len() as u32
    }

    fn step(&self, entry: u32) -> AbiResult<u64> {
        guard(|| self.entry(entry).map(|entry| entry.0))
    }

    fn path_count(&self, entry: u32) -> AbiResult<u32> {
        guard(|| self.entry(entry).map(|entry| entry.1.len() as u32))
    }

    fn selected(&self, entry: u32, path: u32, choice: u32) -> AbiResult<RVec<u32>> {
        guard(|| match self.path(entry, path)?.1.picked.get(choice as usize) {
            Some(picked) => Ok(picked.options.clone().into()),
            None => refuse(format!("there is no choice {choice}")),
        })
    }

    fn path_value(&self, entry: u32, path: u32, name: RStr<'_>) -> AbiResult<f64> {
        guard(|| {
            let (step, path) = self.path(entry, path)?;
            match name.as_str() {
                "gradient_norm" if !self.wants.path_gradient_norm => refuse("`gradient_norm` was not wanted"),
                figure @ ("loss" | "gradient_norm") => {
                    Ok((self.figure)(&Asked { figure, step, path, option: None }))
                }
                other => refuse(format!("unknown figure `{}`; a path has loss, gradient_norm", shown(other))),
            }
        })
    }

    fn option_value(
        &self,
        entry: u32,
        path: u32,
        choice: u32,
        option: u32,
        name: RStr<'_>,
    ) -> AbiResult<f64> {
        guard(|| {
            let (step, path) = self.path(entry, path)?;
            if name.as_str() != "gradient_norm" {
                return refuse(format!(
                    "unknown figure `{}`; an option has gradient_norm",
                    shown(name.as_str())
                ));
            }
            let picked = path.picked.get(choice as usize);
            let taken = picked.is_some_and(|picked| picked.options.contains(&option));
            if !self.wants.option_gradient_norm {
                return refuse("`gradient_norm` of options was not wanted");
            }
            if !taken {
                return refuse(format!("the path did not take option {option} at choice {choice}"));
            }
            Ok((self.figure)(&Asked { figure: "gradient_norm", step, path, option: Some((choice, option)) }))
        })
    }
}
