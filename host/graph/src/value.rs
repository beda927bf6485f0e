//! Attribute values: one closed set, the same on both sides of the plugin boundary.

use crate::names;

/// Value of an attribute.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // The variants say what they hold.
pub enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Bools(Vec<bool>),
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<String>),
}

/// Named attributes in the order in which they were given.
pub type Attributes = Vec<(String, Value)>;

impl Value {
    /// The kind's name as error messages print it.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Bool(_) => "a bool",
            Value::Int(_) => "an int",
            Value::Float(_) => "a float",
            Value::Text(_) => "a text",
            Value::Bytes(_) => "bytes",
            Value::Bools(_) => "a list of bools",
            Value::Ints(_) => "a list of ints",
            Value::Floats(_) => "a list of floats",
            Value::Texts(_) => "a list of texts",
        }
    }

    /// The value as messages print it, shortened.
    pub(crate) fn brief(&self) -> String {
        match self {
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            Value::Text(text) => format!("`{}`", names::shorten(text)),
            Value::Ints(list) if list.len() <= 16 => format!("{list:?}"),
            other => other.kind().to_owned(),
        }
    }

    /// Memory that the value takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => 8,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Bools(list) => list.len(),
            Value::Ints(list) => list.len().saturating_mul(8),
            Value::Floats(list) => list.len().saturating_mul(8),
            Value::Texts(list) => list.iter().fold(0, |sum, text| sum.saturating_add(text.len() + 24)),
        }
    }
}
