//! What can be wrong with a table, a sweep's values or a picture.

use std::path::PathBuf;

/// Short for a result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why a table was refused, or a figure cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read at all.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A table as a whole is not what was expected.
    #[error("`{}` {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
    /// A column is absent, doubled, or has to be chosen.
    #[error("`{}` {problem}; its columns are {columns}\n\nhint: {hint}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The manifest's key that names the column; empty where no key does.
        key: String,
        /// What was found and what was expected.
        problem: String,
        /// All columns of the file.
        columns: String,
        /// What to do about it.
        hint: String,
    },
    /// A line of a table is wrong.
    #[error("`{}` line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1; of a record that spans lines the first.
        line: u64,
        /// What was found and what was expected.
        problem: String,
    },
    /// A list of accuracies does not fit the search space.
    #[error("the list of accuracies {problem}")]
    List {
        /// What was found and what was expected.
        problem: String,
    },
    /// Values of a sweep cannot be paired.
    #[error("seed {seed} has {count} values among the {side} ones, expected one")]
    Seed {
        /// The seed.
        seed: u64,
        /// How often it occurs.
        count: usize,
        /// `first` or `second`.
        side: &'static str,
    },
    /// A picture cannot be drawn.
    #[error("cannot draw `{title}`: {problem}")]
    Plot {
        /// The picture's title.
        title: String,
        /// What the drawing library said.
        problem: String,
    },
}

impl Error {
    /// The manifest's key that is at fault, if one is: with it a caller can point at the line.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Column { key, .. } if !key.is_empty() => Some(key),
            _ => None,
        }
    }
}
