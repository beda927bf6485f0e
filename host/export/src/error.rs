//! Why a subnet cannot be written.

use thiserror::Error;

/// What keeps a graph with its values from being a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation that the format cannot say.
    #[error("node `{node}`: `{operation}` cannot be written as {format}: {reason}")]
    #[allow(missing_docs)]
    Operation { node: String, operation: String, format: &'static str, reason: String },
    /// A parameter that the graph needs was not given.
    #[error("no values were given for the parameter `{name}`")]
    #[allow(missing_docs)]
    MissingParameter { name: String },
    /// A parameter was given twice.
    #[error("values for the parameter `{name}` were given twice")]
    #[allow(missing_docs)]
    DuplicateParameter { name: String },
    /// A parameter of another shape than the graph's.
    #[error("parameter `{name}` has the shape {found:?}, expected {expected:?}")]
    #[allow(missing_docs)]
    ParameterShape { name: String, found: Vec<i64>, expected: Vec<i64> },
    /// A parameter with another number of values than its shape says.
    #[error("parameter `{name}` of the shape {shape:?} has {found} values, expected {expected}")]
    #[allow(missing_docs)]
    ParameterValues { name: String, shape: Vec<i64>, found: usize, expected: u128 },
    /// One name for an input and an output.
    #[error("`{name}` names an input and an output, which ONNX does not allow")]
    #[allow(missing_docs)]
    SharedName { name: String },
    /// A protobuf file ends at 2 GiB.
    #[error("the file would have {found} bytes, an ONNX file has at most {most}")]
    #[allow(missing_docs)]
    TooLarge { found: u64, most: u64 },
}
