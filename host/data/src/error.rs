//! What can be wrong with data: a key of the manifest's `[data]` table, or a file.

use std::path::PathBuf;

/// Short for a result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// A fault in the `[data]` table or in a data file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is out of its range or does not fit the dataset.
    #[error("`{key}` {problem}{}", hint_line(.hint))]
    Setting {
        /// The key with its table, for example `data.split.train`.
        key: String,
        /// What was found and what was expected.
        problem: String,
        /// What to do about it; may be empty.
        hint: String,
    },
    /// The dataset is in none of the folders looked at.
    #[error("dataset `{name}` not found in {}\n\nhint: {how}", folders(.looked))]
    Absent {
        /// The dataset.
        name: String,
        /// Every folder looked at.
        looked: Vec<PathBuf>,
        /// How to get it, one line.
        how: String,
    },
    /// A file cannot be read at all.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file has another size than its kind or header asks for.
    #[error("`{}` has {found} bytes{}, expected {expected}", path.display(), if *unpacked { " unpacked" } else { "" })]
    Size {
        /// The file.
        path: PathBuf,
        /// Bytes found.
        found: u64,
        /// Bytes expected, with the reason.
        expected: String,
        /// Whether `found` counts the bytes after decompression.
        unpacked: bool,
    },
    /// A file's content is not what its kind asks for.
    #[error("`{}` {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
    /// A batch or an image was asked for that does not exist.
    #[error("{what} {index} was asked for, there are {count}")]
    OutOfRange {
        /// What was asked for, for example `batch`.
        what: &'static str,
        /// Which one, from 0.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A background thread ended without giving its batch.
    #[error("the thread that prepares batches stopped before batch {index} of epoch {epoch}")]
    WorkerStopped {
        /// The epoch, from 0.
        epoch: usize,
        /// The batch within the epoch, from 0.
        index: usize,
    },
}

impl Error {
    pub(crate) fn setting(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Setting { key: key.into(), problem: problem.into(), hint: String::new() }
    }

    pub(crate) fn content(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::Content { path: path.into(), problem: problem.into() }
    }

    pub(crate) fn with_hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Setting { key, problem, .. } => Self::Setting { key, problem, hint: text.into() },
            other => other,
        }
    }

    /// The manifest's key that is at fault, if one is: with it a caller can point at the line.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Setting { key, .. } => Some(key),
            _ => None,
        }
    }
}

fn hint_line(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("\n\nhint: {hint}") }
}

fn folders(looked: &[PathBuf]) -> String {
    let names: Vec<String> = looked.iter().map(|folder| format!("`{}`", folder.display())).collect();
    if names.is_empty() { "any folder".to_owned() } else { names.join(", ") }
}
