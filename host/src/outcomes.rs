//! What came of the steps of a block, for a sampler that wants to know.

use nshot_abi::abi_stable::std_types::{ROption, RStr, RVec};
use nshot_abi::{AbiResult, Attribute, Value, host};

use serde::{Deserialize, Serialize};

use crate::boundary::answer;
use crate::selection::Selection;

/// What a sampler wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// Each path's loss.
    pub loss: bool,
    /// The norm of each path's gradient.
    pub path_gradient_norm: bool,
    /// Steps of a block.
    pub every: u64,
}

impl Wants {
    /// Reads a plugin's wishes.
    ///
    /// # Errors
    /// A wish that this host cannot grant.
    pub fn read(attributes: &[Attribute]) -> Result<Self, String> {
        let mut wants = Self { loss: false, path_gradient_norm: false, every: 1 };
        for attribute in attributes {
            match (attribute.name.as_str(), &attribute.value) {
                ("loss", Value::Bool(wanted)) => wants.loss = *wanted,
                ("path_gradient_norm", Value::Bool(wanted)) => wants.path_gradient_norm = *wanted,
                ("observe_every", Value::Int(every)) if *every > 0 => wants.every = *every as u64,
                (_, Value::Bool(false)) => {}
                (name, value) => {
                    return Err(format!(
                        "it wants `{name}` = {value:?}; this host gives `loss` and `path_gradient_norm` (true or \
                         false), and `observe_every` (at least 1)"
                    ));
                }
            }
        }
        Ok(wants)
    }

    /// Whether anything is wanted.
    pub fn any(self) -> bool {
        self.loss || self.path_gradient_norm
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
    /// The norm of its gradient, if it was wanted.
    pub gradient_norm: Option<f64>,
}

/// The outcomes of a block, in order.
#[derive(Debug, Default)]
pub struct OutcomesView {
    /// Step and paths.
    pub entries: Vec<Entry>,
}

impl OutcomesView {
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

impl host::Outcomes for OutcomesView {
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

    fn option_value(&self, _: u32, _: u32, _: u32, _: u32, name: RStr<'_>) -> AbiResult<f64> {
        answer(|| Err(format!("`{}` of an option was not wanted", name.as_str())))
    }
}
