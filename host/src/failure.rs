//! The error of the host: one sentence, and what to do next.

/// Why a command failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// One sentence in lower case, literals in backticks.
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
    /// The process's exit status: 1 failed, 2 wrong use.
    pub exit: u8,
    /// The manifest's table of the component that is to blame, if one is.
    pub table: Option<&'static str>,
}

/// The result of the host's functions.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with exit status 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit: 1, table: None }
    }

    /// Wrong use of a command or a manifest: exit status 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: 2, ..Self::new(message) }
    }

    /// With a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With what was being done in front of the message.
    #[must_use]
    pub fn context(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// A failure to read or write a file.
    pub fn file(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(format!("cannot {what} `{}`: {error}", path.display()))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

// `Failure` itself is no `std::error::Error`, so that this conversion can exist.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let text = error.to_string();
        match text.split_once("\n\nhint: ") {
            Some((message, hint)) => Self::new(message).hint(hint),
            None => Self::new(text),
        }
    }
}
