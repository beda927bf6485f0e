//! Why a plugin is not loaded.

use std::io;
use std::path::PathBuf;

use crate::hash::Hash;
use crate::refusal::Refusal;
use crate::store::StoreError;

/// A plugin is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the plugin file `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not the one that it should be.
    #[error(
        "the plugin file `{}` was changed: its SHA-256 is {found}, expected {expected}",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The hash of what is there.
        found: Hash,
        /// The hash that it should have.
        expected: Hash,
    },
    /// The file is not a plugin for this host and machine.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No stored file has this hash.
    #[error(
        "the plugin store `{}` has no file with the SHA-256 {sha256}\n\nhint: load the plugin once from its file, which stores it",
        folder.display()
    )]
    NotStored {
        /// The hash.
        sha256: Hash,
        /// The store.
        folder: PathBuf,
    },
    /// The program that tries a file cannot be run.
    #[error(
        "cannot run `{}`, in which the plugin file `{}` is tried before it is loaded: {source}\n\nhint: it is built with nshot and lies beside it",
        program.display(),
        file.display()
    )]
    Probe {
        /// The program.
        program: PathBuf,
        /// The plugin file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<Refusal> for LoadError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
