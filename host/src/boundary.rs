//! The host's side of the plugin boundary: the views and builders that a plugin is given during a call.
//!
//! Whatever a plugin passes in is checked here, and a panic of the host's becomes an error for the plugin: none
//! may leave through the boundary.

mod describe;
mod plan;
mod run;
mod sample;
mod search;
mod services;
mod step;
mod update;

use std::panic::{AssertUnwindSafe, catch_unwind};

use nshot_abi::abi_stable::std_types::{RResult, RVec};
use nshot_abi::value::{AbiError, code};
use nshot_abi::{AbiResult, Attribute, Value as AbiValue};
use nshot_graph::{Attributes, Value};

use crate::failure::Failure;

pub use describe::{DeclareHost, Declared, DescribeHost, OptionMark};
pub use plan::{PlanHost, StagePlan};
pub use run::{RunView, TaskView};
pub use sample::{PathsView, ProgressView, SampleView, SubnetView};
pub use search::{AskHost, ScoredView};
pub use services::{SERVICES, Scalar, calling, describing, put_scalars, take_scalars};
pub use step::{Loss, LossKind, PathPlan, StepHost, Target};
pub use update::{UpdateHost, UpdateMoment};

/// Why the host refuses a call: what a plugin asked for is out of range, or unknown to this host, or failed inside.
#[derive(Debug)]
pub(crate) struct Refusal(AbiError);

impl Refusal {
    /// A name that this host does not know; a later one may.
    pub(crate) fn unknown(text: impl Into<String>) -> Self {
        Self(AbiError::new(code::UNSUPPORTED, text))
    }
}

impl Refusal {
    /// Why.
    pub(crate) fn text(self) -> String {
        self.0.text.into()
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self(AbiError::new(code::INVALID, text))
    }
}

impl From<&str> for Refusal {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        failure.to_string().into()
    }
}

impl From<nshot_graph::GraphError> for Refusal {
    fn from(error: nshot_graph::GraphError) -> Self {
        match error {
            nshot_graph::GraphError::Unknown { .. } => Self::unknown(error.to_string()),
            _ => error.to_string().into(),
        }
    }
}

impl From<nshot_torch::TorchError> for Refusal {
    fn from(error: nshot_torch::TorchError) -> Self {
        error.to_string().into()
    }
}

/// Refuses an argument that is out of range.
pub(crate) fn refuse<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::from(text.into()))
}

/// More attributes of one call than this are refused.
const ATTRIBUTES: usize = 64;
/// Longer names are cut in messages, in characters.
const SHOWN: usize = 64;

/// A name of a plugin's, as messages show it.
pub(crate) fn shown(name: &str) -> String {
    let mut start: String = name.chars().take(SHOWN).collect();
    if start.len() < name.len() {
        start.push('…');
    }
    start
}

/// Runs a callback; its errors and panics become answers.
pub(crate) fn answer<T, E: Into<Refusal>>(call: impl FnOnce() -> Result<T, E>) -> AbiResult<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => RResult::ROk(value),
        Ok(Err(refusal)) => RResult::RErr(refusal.into().0),
        Err(_) => RResult::RErr(AbiError::new(code::HOST, "the host failed inside; please report this")),
    }
}

/// A value of the boundary as the graph knows it.
pub(crate) fn graph_value(value: &AbiValue) -> Value {
    match value {
        AbiValue::Bool(v) => Value::Bool(*v),
        AbiValue::Int(v) => Value::Int(*v),
        AbiValue::Float(v) => Value::Float(*v),
        AbiValue::Text(v) => Value::Text(v.to_string()),
        AbiValue::Bytes(v) => Value::Bytes(v.to_vec()),
        AbiValue::Bools(v) => Value::Bools(v.to_vec()),
        AbiValue::Ints(v) => Value::Ints(v.to_vec()),
        AbiValue::Floats(v) => Value::Floats(v.to_vec()),
        AbiValue::Texts(v) => Value::Texts(v.iter().map(ToString::to_string).collect()),
    }
}

/// A value as messages show it.
pub(crate) fn in_words(value: &AbiValue) -> String {
    match value {
        AbiValue::Bool(v) => v.to_string(),
        AbiValue::Int(v) => v.to_string(),
        AbiValue::Float(v) => v.to_string(),
        AbiValue::Text(v) => format!("the text `{}`", shown(v)),
        AbiValue::Bytes(_) => "bytes".to_owned(),
        AbiValue::Bools(_) => "a list of `true` and `false`".to_owned(),
        AbiValue::Ints(_) => "a list of whole numbers".to_owned(),
        AbiValue::Floats(v) if v.iter().any(|number| !number.is_finite()) => {
            "a list with a number that is not finite".to_owned()
        }
        AbiValue::Floats(_) => "a list of numbers".to_owned(),
        AbiValue::Texts(_) => "a list of texts".to_owned(),
    }
}

/// Attributes of the boundary as the graph knows them.
pub(crate) fn graph_attributes(attributes: &[Attribute]) -> Attributes {
    attributes.iter().map(|a| (a.name.to_string(), graph_value(&a.value))).collect()
}

/// Reads the attributes of a host call; what nobody asked for is an error.
pub(crate) struct Named<'a> {
    call: &'a str,
    left: Vec<&'a Attribute>,
    known: Vec<&'static str>,
}

impl<'a> Named<'a> {
    pub(crate) fn new(call: &'a str, attributes: &'a [Attribute]) -> Result<Self, String> {
        if attributes.len() > ATTRIBUTES {
            let found = attributes.len();
            return Err(format!("`{call}` was given {found} attributes, expected at most {ATTRIBUTES}"));
        }
        for (index, attribute) in attributes.iter().enumerate() {
            if attributes[..index].iter().any(|other| other.name == attribute.name) {
                return Err(format!("`{call}` was given `{}` twice", shown(&attribute.name)));
            }
        }
        Ok(Self { call, left: attributes.iter().collect(), known: Vec::new() })
    }

    fn take(&mut self, name: &'static str) -> Option<&'a AbiValue> {
        self.known.push(name);
        let index = self.left.iter().position(|attribute| attribute.name == name)?;
        Some(&self.left.swap_remove(index).value)
    }

    fn wrong(&self, name: &str, found: &AbiValue, expected: &str) -> String {
        format!("`{}`: `{name}` is {}, expected {expected}", self.call, in_words(found))
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(AbiValue::Text(text)) => Ok(Some(text.to_string())),
            Some(other) => Err(self.wrong(name, other, "a text")),
        }
    }

    pub(crate) fn number(&mut self, name: &'static str) -> Result<Option<f64>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(AbiValue::Float(number)) if number.is_finite() => Ok(Some(*number)),
            Some(AbiValue::Int(number)) => Ok(Some(*number as f64)),
            Some(other) => Err(self.wrong(name, other, "a finite number")),
        }
    }

    pub(crate) fn count(&mut self, name: &'static str) -> Result<Option<u64>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(AbiValue::Int(number)) if *number >= 0 => Ok(Some(*number as u64)),
            Some(other) => Err(self.wrong(name, other, "a whole number of at least 0")),
        }
    }

    pub(crate) fn numbers(&mut self, name: &'static str) -> Result<Option<RVec<f64>>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(AbiValue::Floats(numbers)) if numbers.iter().all(|n| n.is_finite()) => {
                Ok(Some(numbers.clone()))
            }
            Some(other) => Err(self.wrong(name, other, "a list of finite numbers")),
        }
    }

    /// Refuses what is left over.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        match self.left.first() {
            None => Ok(()),
            Some(unknown) => Err(Refusal::unknown(format!(
                "`{}` has no attribute `{}` in this host's ABI {}.{}; it has {}",
                self.call,
                shown(&unknown.name),
                nshot_abi::VERSION.0,
                nshot_abi::VERSION.1,
                if self.known.is_empty() { "none".to_owned() } else { self.known.join(", ") },
            ))),
        }
    }
}
