//! What a pickle holds.

use super::numpy::Array;

/// A value read from a pickle.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// A boolean.
    Bool(bool),
    /// An integer of at most 64 bits.
    Int(i64),
    /// A float.
    Float(f64),
    /// Text.
    Str(String),
    /// Bytes; also Python 2's `str`.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dictionary, in the order of the pickle; a repeated key stays repeated, the last counts.
    Dict(Vec<(Value, Value)>),
    /// A numpy array of numbers.
    Array(Array),
}

impl Value {
    /// What kind of value this is, in words, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Str(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Dict(_) => "a dictionary",
            Self::Array(_) => "an array",
        }
    }

    /// The value of `key` in a dictionary, where the key is text or Python 2's text of bytes.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let Self::Dict(pairs) = self else { return None };
        let found = pairs.iter().rev().find(|(name, _)| match name {
            Self::Str(name) => name == key,
            Self::Bytes(name) => name == key.as_bytes(),
            _ => false,
        });
        found.map(|(_, value)| value)
    }

    /// The items of a list or a tuple.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The numbers of an array of one dimension.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        let Self::Array(array) = self else { return None };
        array.numbers().filter(|_| array.shape.len() == 1)
    }

    /// The number of an integer, a float or a boolean.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Self::Bool(value) => Some(f64::from(u8::from(value))),
            Self::Int(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            _ => None,
        }
    }
}
