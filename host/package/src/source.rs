//! Where a package comes from: a file, the web or a registry.

use std::path::{Path, PathBuf};

use semver::Version;

use crate::client::Client;
use crate::error::Error;
use crate::files::read_limited;
use crate::key::TEXT_LIMIT;
use crate::package::read_package;
use crate::reference::Reference;
use crate::signature::signature_path;
use crate::text::clean;

/// A place to get a package from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file; its signature lies beside it.
    File(PathBuf),
    /// An address that starts with `https://` (or `http://`, of this machine); the signature's ends in `.minisig`.
    Web(String),
    /// A registry.
    Registry(Reference),
}

/// A package as it was fetched; nothing of it is checked but its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The package file.
    pub bytes: Vec<u8>,
    /// The text of its signature, if there is one.
    pub signature: Option<String>,
    /// Its name, for messages.
    pub name: String,
    /// Where it came from, as it is remembered.
    pub origin: String,
    /// Digest of the registry's manifest, for the lock.
    pub digest: Option<String>,
    /// The version that it was asked for, if any.
    pub version: Option<Version>,
}

impl Source {
    /// Reads a source as the user writes it. What has no `://` is a path.
    ///
    /// # Errors
    /// It is no reference, or starts with another scheme.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |problem: &str| Error::Place { text: text.to_owned(), problem: problem.to_owned() };
        match text.split_once("://") {
            Some(("oci", _)) => Ok(Self::Registry(text.parse()?)),
            Some(("https" | "http", _)) => Ok(Self::Web(text.to_owned())),
            Some((scheme, _)) => Err(wrong(&format!(
                "found `{}://`; expected a path, `https://` or `oci://`",
                clean(scheme, 40)
            ))),
            None if text.is_empty() => Err(wrong("it is empty")),
            None => Ok(Self::File(text.into())),
        }
    }

    /// Gets the package and its signature.
    ///
    /// # Errors
    /// It cannot be read or fetched, or is too large.
    pub fn fetch(&self, client: &Client) -> Result<Fetched, Error> {
        match self {
            Self::File(path) => Fetched::read(path),
            Self::Web(address) => client.get(address),
            Self::Registry(reference) => client.pull(reference),
        }
    }
}

impl Fetched {
    /// Reads a package file, and the signature beside it if there is one.
    ///
    /// # Errors
    /// A file cannot be read or is too large.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = read_package(path)?;
        let signature = signature_path(path);
        let signature = if signature.exists() {
            Some(String::from_utf8_lossy(&read_limited(&signature, TEXT_LIMIT)?).into_owned())
        } else {
            None
        };
        let name = path.display().to_string();
        let origin = path.canonicalize().unwrap_or(path.to_owned()).display().to_string();
        Ok(Self { bytes, signature, name, origin, digest: None, version: None })
    }
}
