//! The error of a plugin's methods.

use nshot_abi::value::{AbiError, code};

/// Why a method failed: a text. Made from any error by `?`, or from a text by [`Error::new`].
#[derive(Debug, Clone)]
pub struct Error(pub(crate) AbiError);

/// The result of a plugin's methods.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says what is wrong: one sentence in lower case.
    pub fn new(text: impl Into<String>) -> Self {
        Self(AbiError::new(code::FAILED, text))
    }

    /// Whether the host does not know what was named: it is older than the plugin, or the name is wrong.
    pub fn is_unsupported(&self) -> bool {
        self.0.code == code::UNSUPPORTED
    }

    /// What is wrong.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

// `Error` itself is no `std::error::Error`, so that this conversion can exist.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// Takes the host's answer apart.
pub(crate) fn answer<T>(result: nshot_abi::AbiResult<T>) -> Result<T> {
    result.into_result().map_err(Error)
}
