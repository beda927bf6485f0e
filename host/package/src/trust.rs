//! Whose signatures count: one public key for each research group, kept in the user's configuration.
//!
//! ```toml
//! [groups]
//! some-group = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::files::{Lock, read_limited};
use crate::info::name;
use crate::key::PublicKey;
use crate::text::{clean, line};

const SIZE_LIMIT: u64 = 1 << 20;
const HEAD: &str = "# Public keys of research groups whose plugins may be installed.\n\n";

/// The keys of the groups that the user knows.
#[derive(Debug, Clone)]
pub struct Trust {
    path: PathBuf,
    keys: BTreeMap<String, PublicKey>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    groups: BTreeMap<String, String>,
}

impl Trust {
    /// `nshot/trust.toml` in `$XDG_CONFIG_HOME`, else in `~/.config`.
    pub fn default_path() -> Option<PathBuf> {
        let base = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let base = base.or_else(|| Some(std::env::home_dir()?.join(".config")))?;
        Some(base.join("nshot/trust.toml"))
    }

    /// Reads the file. One that is not there knows nobody.
    ///
    /// # Errors
    /// It cannot be read, or an entry is wrong.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let keys = if path.exists() { read(&path)? } else { BTreeMap::new() };
        Ok(Self { path, keys })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The groups and their keys, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &PublicKey)> {
        self.keys.iter().map(|(group, key)| (group.as_str(), key))
    }

    /// The key of a group, if it is known.
    pub fn key(&self, group: &str) -> Option<&PublicKey> {
        self.keys.get(group)
    }

    /// Whether this key may sign for the group.
    ///
    /// # Errors
    /// The group is not known ([`Error::UnknownKey`]) or has another key ([`Error::ChangedKey`]).
    pub fn check(&self, group: &str, key: &PublicKey) -> Result<(), Error> {
        match self.key(group) {
            Some(known) if known == key => Ok(()),
            Some(_) => Err(self.changed(group, &key.id())),
            None => Err(Error::UnknownKey { group: clean(group, 80), key: key.id() }),
        }
    }

    /// The refusal of a signature that is not of the remembered key.
    pub(crate) fn changed(&self, group: &str, found: &str) -> Error {
        let expected = self.key(group).map(PublicKey::id).unwrap_or_default();
        Error::ChangedKey {
            group: clean(group, 80),
            found: found.to_owned(),
            expected,
            store: self.path.clone(),
        }
    }

    /// Remembers the key of a group.
    ///
    /// # Errors
    /// The group has another key already, or the file cannot be written.
    pub fn remember(&mut self, group: &str, key: &PublicKey) -> Result<(), Error> {
        name("group", group).map_err(Error::Key)?;
        self.change(|trust| {
            if trust.key(group).is_some() {
                return trust.check(group, key);
            }
            trust.keys.insert(group.to_owned(), key.clone());
            Ok(())
        })
    }

    /// Forgets a group, and says whether it was known.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn forget(&mut self, group: &str) -> Result<bool, Error> {
        let mut was_known = false;
        self.change(|trust| {
            was_known = trust.keys.remove(group).is_some();
            Ok(())
        })?;
        Ok(was_known)
    }

    /// Reads the file anew, changes it and writes it: others may write it too.
    fn change(&mut self, change: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let folder = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        fs::create_dir_all(&folder).map_err(Error::file("make the folder", &folder))?;
        let _lock = Lock::take(&folder.join(".trust.lock"))?;
        let mut now = Self::open(&self.path)?;
        change(&mut now)?;
        let groups = now.keys.iter().map(|(group, key)| (group.clone(), key.to_string())).collect();
        let text = toml::to_string(&Text { groups });
        let text = text.map_err(|e| now.wrong(&e.to_string()))?;
        let write = || {
            let mut file = tempfile::Builder::new().prefix(".trust-").tempfile_in(&folder)?;
            file.write_all(HEAD.as_bytes())?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&now.path).map_err(|e| e.error)?;
            fs::File::open(&folder)?.sync_all()
        };
        write().map_err(Error::file("write", &now.path))?;
        *self = now;
        Ok(())
    }

    fn wrong(&self, problem: &str) -> Error {
        wrong(&self.path, problem)
    }
}

fn read(path: &Path) -> Result<BTreeMap<String, PublicKey>, Error> {
    let bytes = read_limited(path, SIZE_LIMIT)?;
    let text = std::str::from_utf8(&bytes).map_err(|e| wrong(path, &format!("it is no text: {e}")))?;
    let parsed: Text = toml::from_str(text).map_err(|e| {
        let place = e.span().map(|span| format!("line {}: ", line(text, span.start)));
        wrong(path, &format!("{}{}", place.unwrap_or_default(), e.message()))
    })?;
    let entry = |(group, key): (String, String)| {
        name("group", &group).map_err(|e| wrong(path, &e))?;
        let key = key.parse().map_err(|e: Error| wrong(path, &format!("`{group}`: {e}")))?;
        Ok((group, key))
    };
    parsed.groups.into_iter().map(entry).collect()
}

fn wrong(path: &Path, problem: &str) -> Error {
    Error::TrustFile { path: path.to_owned(), problem: clean(problem, 400) }
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
