//! Reading the attributes of a call, and refusing what the real host refuses.

use nshot_abi::value::{AbiError, code};
use nshot_abi::{Attribute, Value as AbiValue};
use nshot_graph::{GraphError, Value};

use crate::error::{Error, Result};

/// More attributes of one call than this are refused.
const ATTRIBUTES: usize = 64;
/// Longer names are cut in messages, in characters.
const SHOWN: usize = 64;

/// Refuses an argument that is out of range.
pub(crate) fn refuse<T>(text: impl Into<String>) -> Result<T> {
    Err(Error(AbiError::new(code::INVALID, text)))
}

/// A name that this host does not know.
pub(crate) fn unknown(text: impl Into<String>) -> Error {
    Error(AbiError::new(code::UNSUPPORTED, text))
}

/// The graph's refusal as the host passes it on.
pub(crate) fn graph_error(error: &GraphError) -> Error {
    match error {
        GraphError::Unknown { .. } => unknown(error.to_string()),
        _ => Error(AbiError::new(code::INVALID, error.to_string())),
    }
}

/// A name of a plugin's, as messages show it.
pub(crate) fn shown(name: &str) -> String {
    let mut start: String = name.chars().take(SHOWN).collect();
    if start.len() < name.len() {
        start.push('…');
    }
    start
}

/// Attributes of the boundary as the graph knows them.
pub(crate) fn graph_attributes(attributes: &[Attribute]) -> nshot_graph::Attributes {
    attributes.iter().map(|a| (a.name.to_string(), graph_value(&a.value))).collect()
}

fn graph_value(value: &AbiValue) -> Value {
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

fn in_words(value: &AbiValue) -> String {
    match value {
        AbiValue::Bool(v) => v.to_string(),
        AbiValue::Int(v) => v.to_string(),
        AbiValue::Float(v) => v.to_string(),
        AbiValue::Text(v) => format!("the text `{}`", shown(v)),
        AbiValue::Floats(v) if v.iter().any(|number| !number.is_finite()) => {
            "a list with a number that is not finite".to_owned()
        }
        other => graph_value(other).kind().to_owned(),
    }
}

/// Takes the attributes of a call one by one; what nobody asked for is an error.
pub(crate) struct Named<'a> {
    call: &'a str,
    left: Vec<&'a Attribute>,
    known: Vec<&'static str>,
}

impl<'a> Named<'a> {
    pub(crate) fn new(call: &'a str, attributes: &'a [Attribute]) -> Result<Self> {
        if attributes.len() > ATTRIBUTES {
            let found = attributes.len();
            return refuse(format!("`{call}` was given {found} attributes, expected at most {ATTRIBUTES}"));
        }
        for (index, attribute) in attributes.iter().enumerate() {
            if attributes[..index].iter().any(|other| other.name == attribute.name) {
                return refuse(format!("`{call}` was given `{}` twice", shown(&attribute.name)));
            }
        }
        Ok(Self { call, left: attributes.iter().collect(), known: Vec::new() })
    }

    fn take(&mut self, name: &'static str) -> Option<&'a AbiValue> {
        self.known.push(name);
        let index = self.left.iter().position(|attribute| attribute.name == name)?;
        Some(&self.left.swap_remove(index).value)
    }

    fn wrong<T>(&self, name: &str, found: &AbiValue, expected: &str) -> Result<T> {
        refuse(format!("`{}`: `{name}` is {}, expected {expected}", self.call, in_words(found)))
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(AbiValue::Text(text)) => Ok(Some(text.to_string())),
            Some(other) => self.wrong(name, other, "a text"),
        }
    }

    pub(crate) fn number(&mut self, name: &'static str) -> Result<Option<f64>> {
        match self.take(name) {
            None => Ok(None),
            Some(AbiValue::Float(number)) if number.is_finite() => Ok(Some(*number)),
            Some(AbiValue::Int(number)) => Ok(Some(*number as f64)),
            Some(other) => self.wrong(name, other, "a finite number"),
        }
    }

    pub(crate) fn count(&mut self, name: &'static str) -> Result<Option<u64>> {
        match self.take(name) {
            None => Ok(None),
            Some(AbiValue::Int(number)) if *number >= 0 => Ok(Some(*number as u64)),
            Some(other) => self.wrong(name, other, "a whole number of at least 0"),
        }
    }

    pub(crate) fn numbers(&mut self, name: &'static str) -> Result<Option<Vec<f64>>> {
        match self.take(name) {
            None => Ok(None),
            Some(AbiValue::Floats(numbers)) if numbers.iter().all(|n| n.is_finite()) => {
                Ok(Some(numbers.to_vec()))
            }
            Some(other) => self.wrong(name, other, "a list of finite numbers"),
        }
    }

    /// Refuses what is left over.
    pub(crate) fn finish(self) -> Result<()> {
        match self.left.first() {
            None => Ok(()),
            Some(left) => Err(unknown(format!(
                "`{}` has no attribute `{}` in this host's ABI {}.{}; it has {}",
                self.call,
                shown(&left.name),
                nshot_abi::VERSION.0,
                nshot_abi::VERSION.1,
                if self.known.is_empty() { "none".to_owned() } else { self.known.join(", ") },
            ))),
        }
    }
}
