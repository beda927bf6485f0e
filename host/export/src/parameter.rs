//! Values of parameters, borrowed from whoever holds them.

use std::collections::HashMap;

use nshot_graph::Node;

use crate::{Error, Result};

/// A parameter's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter<'a> {
    /// As declared.
    pub name: &'a str,
    /// As declared.
    pub shape: &'a [i64],
    /// All elements in row-major order.
    pub values: Values<'a>,
}

/// Numbers of either precision.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Values<'a> {
    Float32(&'a [f32]),
    Float64(&'a [f64]),
}

/// What a file computes in; values of the other precision are converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)]
pub enum Precision {
    #[default]
    Float32,
    Float64,
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Values::Float32(list) => list.len(),
            Values::Float64(list) => list.len(),
        }
    }

    /// The numbers' bytes in `precision`, little-endian.
    pub(crate) fn bytes(&self, precision: Precision) -> Vec<u8> {
        match (self, precision) {
            (Values::Float32(list), Precision::Float32) => flat(list.iter().map(|v| v.to_le_bytes())),
            (Values::Float32(list), Precision::Float64) => {
                flat(list.iter().map(|v| f64::from(*v).to_le_bytes()))
            }
            (Values::Float64(list), Precision::Float32) => {
                flat(list.iter().map(|v| (*v as f32).to_le_bytes()))
            }
            (Values::Float64(list), Precision::Float64) => flat(list.iter().map(|v| v.to_le_bytes())),
        }
    }
}

fn flat<const N: usize>(numbers: impl ExactSizeIterator<Item = [u8; N]>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() * N);
    numbers.for_each(|number| bytes.extend_from_slice(&number));
    bytes
}

impl Precision {
    /// Bytes of one number.
    pub(crate) fn size(self) -> u64 {
        match self {
            Precision::Float32 => 4,
            Precision::Float64 => 8,
        }
    }
}

/// The given parameters by name.
pub(crate) struct Given<'a>(HashMap<&'a str, &'a Parameter<'a>>);

impl<'a> Given<'a> {
    pub(crate) fn new(parameters: &'a [Parameter<'a>]) -> Result<Given<'a>> {
        let mut by_name = HashMap::with_capacity(parameters.len());
        for parameter in parameters {
            if by_name.insert(parameter.name, parameter).is_some() {
                return Err(Error::DuplicateParameter { name: parameter.name.to_owned() });
            }
        }
        Ok(Given(by_name))
    }

    /// What was given for a node that is a parameter.
    pub(crate) fn of(&self, node: &Node) -> Result<&'a Parameter<'a>> {
        let name = node.name.clone();
        let Some(parameter) = self.0.get(node.name.as_str()).copied() else {
            return Err(Error::MissingParameter { name });
        };
        if parameter.shape != node.shape {
            let (found, expected) = (parameter.shape.to_vec(), node.shape.clone());
            return Err(Error::ParameterShape { name, found, expected });
        }
        // Sizes in a graph's shapes are bounded; the product of eight of them need not fit.
        let expected =
            node.shape.iter().fold(1u128, |product, size| product.saturating_mul(size.unsigned_abs().into()));
        let found = parameter.values.len();
        if found as u128 != expected {
            return Err(Error::ParameterValues { name, shape: node.shape.clone(), found, expected });
        }
        Ok(parameter)
    }
}
