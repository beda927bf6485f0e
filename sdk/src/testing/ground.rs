//! The space that a test's run has: plain choices, or a real space.

use nshot_abi::value::{AbiError, code};

use super::attributes::{refuse, shown, unknown};
use super::path::Path;
use crate::declare::Choice;
use crate::error::{Error, Result};
use crate::run::{Architecture, Task};

/// The measures of every space.
pub(crate) const MEASURES: [&str; 3] = ["weights", "params", "macs"];

/// What a run needs of a space.
pub(crate) trait Ground: Send + Sync {
    fn task(&self) -> &Task;
    fn choices(&self) -> &[Choice];
    /// Of an architecture that is in range.
    fn valid(&self, architecture: &[u32]) -> Result<bool>;
    /// Of a path that is in range, by one of [`MEASURES`].
    fn complexity(&self, path: &Path, measure: &str) -> Result<f64>;
    fn extreme(&self, measure: &str, largest: bool) -> Result<Architecture>;
    fn to_text(&self, architecture: &[u32]) -> Result<String>;
}

/// Checks that an architecture is one of these choices.
pub(crate) fn check(choices: &[Choice], architecture: &[u32]) -> Result<()> {
    if architecture.len() != choices.len() {
        return refuse(format!(
            "an architecture of {} options, expected {}, one for each choice",
            architecture.len(),
            choices.len()
        ));
    }
    let mut each = architecture.iter().enumerate();
    each.try_for_each(|(choice, option)| check_options(choices, choice as u32, &[*option]))
}

/// Checks that options, at least one, are of a choice.
pub(crate) fn check_options(choices: &[Choice], choice: u32, options: &[u32]) -> Result<()> {
    let at = at(choices, choice)?;
    if options.is_empty() {
        return refuse(format!("no option of the choice `{}` is named, expected at least one", at.name));
    }
    match options.iter().find(|option| **option as usize >= at.options.len()) {
        None => Ok(()),
        Some(option) => refuse(format!(
            "there is no option {option} of the choice `{}`; it has {}, counted from 0",
            at.name,
            at.options.len()
        )),
    }
}

/// A choice by its index.
pub(crate) fn at(choices: &[Choice], choice: u32) -> Result<&Choice> {
    choices.get(choice as usize).ok_or_else(|| {
        let text = format!("there is no choice {choice}; the space has {}", choices.len());
        Error(AbiError::new(code::INVALID, text))
    })
}

/// A measure that the run does not have.
pub(crate) fn unknown_measure(measure: &str, known: &[String]) -> Error {
    unknown(format!("unknown measure `{}`; this run has {}", shown(measure), known.join(", ")))
}

/// Choices without networks.
pub(crate) struct Plain {
    pub(crate) task: Task,
    pub(crate) choices: Vec<Choice>,
}

impl Plain {
    /// Choices by name and number of options.
    pub(crate) fn new(choices: &[(&str, u32)]) -> Self {
        let choice = |&(name, count): &(&str, u32)| {
            let options: Vec<String> = (0..count).map(|option| option.to_string()).collect();
            assert!(count > 0, "the choice `{name}` has no options");
            let same = choices.iter().filter(|(other, _)| *other == name).count();
            assert!(same == 1, "the choice `{name}` is declared twice");
            Choice::new(name, &options)
        };
        let task = Task { input_shape: [3, 32, 32], classes: 10 };
        Self { task, choices: choices.iter().map(choice).collect() }
    }
}

impl Ground for Plain {
    fn task(&self) -> &Task {
        &self.task
    }

    fn choices(&self) -> &[Choice] {
        &self.choices
    }

    fn valid(&self, _: &[u32]) -> Result<bool> {
        Ok(true)
    }

    /// One more than the sum of the options' indices.
    fn complexity(&self, path: &Path, _: &str) -> Result<f64> {
        Ok(f64::from(1 + path.picked.iter().flat_map(|picked| &picked.options).sum::<u32>()))
    }

    fn extreme(&self, _: &str, largest: bool) -> Result<Architecture> {
        let option = |choice: &Choice| if largest { choice.options.len() as u32 - 1 } else { 0 };
        Ok(self.choices.iter().map(option).collect())
    }

    fn to_text(&self, architecture: &[u32]) -> Result<String> {
        let options: Vec<String> = architecture.iter().map(ToString::to_string).collect();
        Ok(options.join(","))
    }
}
