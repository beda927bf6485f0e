//! What came of the steps of a block, for a sampler that wants to know.

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RStr, RVec};
use nshot_abi::host::Run_TO;
use nshot_abi::{AbiResult, Attribute, Value, host};

use serde::{Deserialize, Serialize};

use crate::boundary::{RunView, answer, in_words, shown};
use crate::selection::Selection;

/// The longest block of outcomes: they are kept in memory, and in checkpoints.
const OBSERVE_EVERY: i64 = 10_000;

/// What a sampler wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// Each path's loss.
    pub loss: bool,
    /// The norm of each path's gradient.
    pub path_gradient_norm: bool,
    /// The norm of the gradient of each option's own parameters, for each path.
    pub option_gradient_norm: bool,
    /// Steps of a block.
    pub every: u64,
}

impl Default for Wants {
    fn default() -> Self {
        Self { loss: false, path_gradient_norm: false, option_gradient_norm: false, every: 1 }
    }
}

impl Wants {
    /// Reads a plugin's wishes.
    ///
    /// # Errors
    /// A wish that this host cannot grant.
    pub fn read(attributes: &[Attribute]) -> Result<Self, String> {
        let mut wants = Self::default();
        for attribute in attributes {
            match (attribute.name.as_str(), &attribute.value) {
                ("loss", Value::Bool(wanted)) => wants.loss = *wanted,
                ("path_gradient_norm", Value::Bool(wanted)) => wants.path_gradient_norm = *wanted,
                ("option_gradient_norm", Value::Bool(wanted)) => wants.option_gradient_norm = *wanted,
                ("observe_every", Value::Int(every)) if (1..=OBSERVE_EVERY).contains(every) => {
                    wants.every = *every as u64;
                }
                (_, Value::Bool(false)) => {}
                (name, value) => {
                    return Err(format!(
                        "it wants `{}` = {}; this host gives `loss`, `path_gradient_norm`, `option_gradient_norm` (true or false), and \
                         `observe_every` (1 to {OBSERVE_EVERY})",
                        shown(name),
                        in_words(value)
                    ));
                }
            }
        }
        Ok(wants)
    }

    /// Whether norms of gradients are wanted.
    pub fn norms(self) -> bool {
        self.path_gradient_norm || self.option_gradient_norm
    }

    /// Whether anything is wanted.
    pub fn any(self) -> bool {
        self.loss || self.norms()
    }
}

/// A step and what came of its paths.
pub type Entry = (u64, Vec<PathOutcome>);

/// What came of one path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathOutcome {
    /// What it took.
    pub selection: Selection,
    /// Its loss.
    pub loss: f64,
    /// The norm of the gradient of its loss as the update weighs it, if it was wanted.
    pub gradient_norm: Option<f64>,
    /// The norm of the gradient of each option's own parameters, if it was wanted: choice, option, norm.
    pub option_norms: Vec<(u32, u32, f64)>,
}

/// The outcomes of a block, in order.
pub struct OutcomesView<'a> {
    /// The run, as the sampler sees it.
    pub run: &'a RunView,
    /// What the sampler wanted to be told.
    pub wants: Wants,
    /// Step and paths.
    pub entries: Vec<Entry>,
    /// Values of the parameters of the role `architecture`.
    pub parameters: Vec<(String, Vec<f64>)>,
}

impl OutcomesView<'_> {
    fn entry(&self, entry: u32) -> Result<&Entry, String> {
        let count = self.entries.len();
        self.entries
            .get(entry as usize)
            .ok_or_else(|| format!("there is no entry {entry}; the block has {count}"))
    }

    fn path(&self, entry: u32, path: u32) -> Result<&PathOutcome, String> {
        let paths = &self.entry(entry)?.1;
        paths
            .get(path as usize)
            .ok_or_else(|| format!("there is no path {path}; the step has {}", paths.len()))
    }
}

impl host::Outcomes for OutcomesView<'_> {
    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        Run_TO::from_ptr(self.run, TD_Opaque)
    }

    fn parameter(&self, name: RStr<'_>) -> AbiResult<RVec<f64>> {
        answer(|| {
            let found = self.parameters.iter().find(|(parameter, _)| parameter == name.as_str());
            found.map(|(_, values)| values.clone().into()).ok_or_else(|| {
                format!("there is no parameter `{}` of the role `architecture`", shown(name.as_str()))
            })
        })
    }

    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn count(&self) -> u32 {
        self.entries.len() as u32
    }

    fn step(&self, entry: u32) -> AbiResult<u64> {
        answer(|| self.entry(entry).map(|entry| entry.0))
    }

    fn path_count(&self, entry: u32) -> AbiResult<u32> {
        answer(|| self.entry(entry).map(|entry| entry.1.len() as u32))
    }

    fn selected(&self, entry: u32, path: u32, choice: u32) -> AbiResult<RVec<u32>> {
        answer(|| {
            let picked = self.path(entry, path)?.selection.0.get(choice as usize);
            picked
                .map(|picked| picked.options.clone().into())
                .ok_or_else(|| format!("there is no choice {choice}"))
        })
    }

    fn path_value(&self, entry: u32, path: u32, name: RStr<'_>) -> AbiResult<f64> {
        answer(|| {
            let path = self.path(entry, path)?;
            match name.as_str() {
                "loss" => Ok(path.loss),
                "gradient_norm" => {
                    path.gradient_norm.ok_or_else(|| "`gradient_norm` was not wanted".to_owned())
                }
                other => {
                    let other: String = other.chars().take(40).collect();
                    Err(format!("unknown figure `{other}`; a path has loss, gradient_norm"))
                }
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
        answer(|| {
            let path = self.path(entry, path)?;
            if name.as_str() != "gradient_norm" {
                return Err(format!(
                    "unknown figure `{}`; an option has gradient_norm",
                    shown(name.as_str())
                ));
            }
            if !self.wants.option_gradient_norm {
                return Err("`gradient_norm` of options was not wanted".to_owned());
            }
            let taken = path.selection.0.get(choice as usize);
            if taken.is_none_or(|picked| !picked.options.contains(&option)) {
                return Err(format!("the path did not take option {option} at choice {choice}"));
            }
            let found = path.option_norms.iter().find(|(c, o, _)| (*c, *o) == (choice, option));
            // An option without parameters of its own has no gradient.
            Ok(found.map_or(0.0, |(_, _, norm)| *norm))
        })
    }
}
