//! What can go wrong here; libtorch's exceptions arrive as text.

use std::path::PathBuf;

use tch::TchError;

/// What every fallible call of this crate returns.
pub type Result<T, E = TorchError> = std::result::Result<T, E>;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorchError {
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(String),
    /// An operator called by name.
    #[error("operator `{operator}`: {message}")]
    Operator {
        /// Name with overload.
        operator: String,
        /// Why it was refused.
        message: String,
    },
    /// A node of a graph.
    #[error("node `{node}` ({operation}): {message}")]
    Node {
        /// The node's name.
        node: String,
        /// What it computes.
        operation: String,
        /// What went wrong.
        message: String,
    },
    /// A device that is not there.
    #[error("unknown or missing device `{asked}`, expected one of {available}")]
    Device {
        /// As the manifest has it.
        asked: String,
        /// What there is.
        available: String,
    },
    /// A file of tensors.
    #[error("`{}`: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        message: String,
    },
    /// A request that does not fit.
    #[error("{0}")]
    Invalid(String),
}

impl TorchError {
    pub(crate) fn invalid(message: impl Into<String>) -> TorchError {
        TorchError::Invalid(message.into())
    }

    /// The message without the kind of error around it, for use inside another one.
    pub(crate) fn inner(self) -> String {
        match self {
            TorchError::Torch(message) | TorchError::Invalid(message) => message,
            other => other.to_string(),
        }
    }
}

impl From<TchError> for TorchError {
    fn from(error: TchError) -> TorchError {
        let text = match error {
            TchError::Torch(text) => text,
            other => other.to_string(),
        };
        // What follows is a stack trace of C++ functions.
        let traces = ["\nException raised from", "\nframe #0"].map(|start| text.find(start));
        let end = traces.into_iter().flatten().min().unwrap_or(text.len());
        TorchError::Torch(text[..end].trim_end().to_owned())
    }
}
