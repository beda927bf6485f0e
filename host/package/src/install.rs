//! The user's plugins.
//!
//! ```text
//! PLUGINS/GROUP/PLUGIN/VERSION/plugin.toml, README.md, …      the files of the package
//! PLUGINS/GROUP/PLUGIN/VERSION/lib/TARGET/PLUGIN.so           what the loader takes
//! PLUGINS/GROUP/PLUGIN/VERSION/installed.toml                 where it came from
//! PLUGINS/.new-…, .old-…, .lock                               work in progress
//! ```
//!
//! A version is there whole or not at all: it is written beside its place, synced, and renamed.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use nshot_loader::Hash;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Problem};
use crate::files::{Lock, read_limited};
use crate::info::{INFO, INFO_LIMIT, Info};
use crate::package::write_new;
use crate::source::Fetched;
use crate::text::clean;
use crate::trust::Trust;
use crate::verify::{Consent, Verified};

const RECORD: &str = "installed.toml";
const LOCK: &str = ".lock";
const NEW: &str = ".new-";
const OLD: &str = ".old-";

/// The folder of installed plugins.
#[derive(Debug, Clone)]
pub struct Plugins {
    folder: PathBuf,
}

/// Where an installed plugin came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// SHA-256 of the package.
    pub sha256: String,
    /// File, address or reference, without a digest.
    pub origin: String,
    /// Digest of the registry's manifest.
    pub digest: Option<String>,
    /// The public key that signed it; none if it was installed unsigned.
    pub key: Option<String>,
}

/// An installed plugin, of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// What it says of itself.
    pub info: Info,
    /// Where it came from.
    pub record: Record,
    /// Its folder.
    pub folder: PathBuf,
}

/// What an installation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The plugin.
    pub installed: Installed,
    /// Whether it was there already, with the same content.
    pub was_there: bool,
    /// Whether the key of its group is remembered from now on.
    pub is_new_key: bool,
    /// The versions that an upgrade removed.
    pub removed: Vec<Version>,
}

impl Plugins {
    /// The plugins in a folder: [`nshot_loader::default_plugin_folder`] is the user's. It need not be there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Checks what was fetched and puts it in place. The library of this machine passes the loader's gate first.
    /// The key of a new group is remembered just before the plugin is there.
    ///
    /// # Errors
    /// Those of [`Fetched::verify`]; no library runs here; the version is there with another content; a file
    /// cannot be written.
    pub fn install(&self, fetched: &Fetched, consent: &Consent, trust: &mut Trust) -> Result<Outcome, Error> {
        let Verified { package, sha256, key, is_new_key, .. } = fetched.verify(consent, trust)?;
        package.check_library(&fetched.name)?;
        let record = Record {
            sha256: sha256.to_string(),
            origin: clean(&fetched.origin, 4096),
            digest: fetched.digest.clone(),
            key: key.as_ref().map(ToString::to_string),
        };
        fs::create_dir_all(&self.folder).map_err(Error::file("make the folder", &self.folder))?;
        let _lock = Lock::take(&self.folder.join(LOCK))?;
        self.sweep()?;
        let remember = |trust: &mut Trust| match &key {
            Some(key) if is_new_key => trust.remember(&package.info().group, key),
            _ => Ok(()),
        };
        let place = self.place(package.info());
        if place.exists() {
            let mut installed = self.read(&place)?;
            if installed.record.sha256 != record.sha256 {
                let (package, found) = (package.info().title(), record.sha256);
                return Err(Error::OtherContent { package, found, expected: installed.record.sha256 });
            }
            installed.check()?;
            remember(trust)?;
            installed.renew(record)?;
            return Ok(Outcome { installed, was_there: true, is_new_key, removed: Vec::new() });
        }
        let text = toml::to_string(&record).unwrap_or_default();
        let staged = tempfile::Builder::new().prefix(NEW).tempdir_in(&self.folder);
        let staged = staged.map_err(Error::file("make a folder in", &self.folder))?;
        let folder = staged.path().join("package");
        write_new(&folder.join(RECORD), text.as_bytes())?;
        package.unpack(&folder)?;
        remember(trust)?;
        self.put(&folder, &place)?;
        let installed = self.read(&place)?;
        Ok(Outcome { installed, was_there: false, is_new_key, removed: Vec::new() })
    }

    /// Removes a version, damaged or not. What runs have in the loader's store stays there.
    ///
    /// # Errors
    /// It is not there or cannot be removed.
    pub fn remove(&self, group: &str, plugin: &str, version: &Version) -> Result<(), Error> {
        let missing =
            || Error::NotInstalled(format!("`{}/{}` {version}", clean(group, 80), clean(plugin, 80)));
        let is_name = |text| crate::info::name("", text).is_ok();
        let place = self.folder.join(group).join(plugin).join(version.to_string());
        if !is_name(group) || !is_name(plugin) || !place.exists() {
            return Err(missing());
        }
        let _lock = Lock::take(&self.folder.join(LOCK))?;
        let gone = tempfile::Builder::new().prefix(OLD).tempdir_in(&self.folder);
        let gone = gone.map_err(Error::file("make a folder in", &self.folder))?;
        fs::rename(&place, gone.path().join("package")).map_err(Error::file("remove", &place))?;
        // Folders that hold other versions or plugins stay: they are not empty.
        for parent in place.ancestors().skip(1).take(2) {
            let _ = fs::remove_dir(parent);
        }
        sync(&self.folder)?;
        let path = gone.path().to_owned();
        gone.close().map_err(Error::file("remove", &path))
    }

    /// All installed plugins: by group and plugin, the newest version first. What is damaged is an error.
    pub fn list(&self) -> Vec<Result<Installed, Error>> {
        let mut found = Vec::new();
        for (group, path) in folders(&self.folder) {
            for (plugin, path) in folders(&path) {
                found.extend(
                    self.versions(&group, &plugin)
                        .into_iter()
                        .rev()
                        .map(|version| path.join(version.to_string())),
                );
            }
        }
        found.iter().map(|path| self.read(path)).collect()
    }

    /// The installed versions of a plugin, oldest first.
    pub fn versions(&self, group: &str, plugin: &str) -> Vec<Version> {
        let path = self.folder.join(group).join(plugin);
        let names = folders(&path).into_iter().filter_map(|(name, _)| Version::parse(&name).ok());
        let mut versions: Vec<Version> = names.collect();
        versions.sort_unstable();
        versions
    }

    /// An installed plugin: this version, or the newest.
    ///
    /// # Errors
    /// It is not there or is damaged.
    pub fn find(&self, group: &str, plugin: &str, version: Option<&Version>) -> Result<Installed, Error> {
        let versions = self.versions(group, plugin);
        let found = versions.iter().rev().find(|found| version.is_none_or(|version| version == *found));
        let missing = || Error::NotInstalled(format!("`{}/{}`", clean(group, 80), clean(plugin, 80)));
        let found = found.ok_or_else(missing)?;
        self.read(&self.folder.join(group).join(plugin).join(found.to_string()))
    }

    fn place(&self, info: &Info) -> PathBuf {
        self.folder.join(&info.group).join(&info.plugin).join(info.version.to_string())
    }

    fn put(&self, from: &Path, place: &Path) -> Result<(), Error> {
        let parent = place.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent).map_err(Error::file("make the folder", parent))?;
        fs::rename(from, place).map_err(Error::file("put in place", place))?;
        place.ancestors().skip(1).take(3).try_for_each(sync)
    }

    /// Removes what an interrupted program left; the lock is held.
    fn sweep(&self) -> Result<(), Error> {
        let all = fs::read_dir(&self.folder).map_err(Error::file("read the folder", &self.folder))?;
        for entry in all.filter_map(Result::ok) {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(NEW) || name.starts_with(OLD)) {
                fs::remove_dir_all(entry.path()).map_err(Error::file("remove", &entry.path()))?;
            }
        }
        Ok(())
    }

    fn read(&self, folder: &Path) -> Result<Installed, Error> {
        let damaged = |problem: String| Error::Damaged { path: folder.to_owned(), problem };
        let bytes = read_limited(&folder.join(INFO), INFO_LIMIT as u64)?;
        let info = Info::read(&bytes).map_err(|problem| damaged(format!("it {problem}")))?;
        if self.place(&info) != folder {
            return Err(damaged(format!("its `{INFO}` is that of {}", info.title())));
        }
        let record = read_limited(&folder.join(RECORD), INFO_LIMIT as u64)?;
        let record = toml::from_str(&String::from_utf8_lossy(&record));
        let record = record.map_err(|e| damaged(format!("`{RECORD}`: {}", clean(e.message(), 200))))?;
        Ok(Installed { info, record, folder: folder.to_owned() })
    }
}

impl Installed {
    /// The folder of its library for this machine; the loader's `Folders` can search it.
    pub fn library_folder(&self) -> PathBuf {
        self.folder.join("lib").join(nshot_loader::target())
    }

    /// Its library for this machine, whether it is there or not.
    pub fn library(&self) -> PathBuf {
        self.folder.join(self.info.library_path(&nshot_loader::target()))
    }

    /// The same content from another place: its record follows, unless that knows less.
    fn renew(&mut self, record: Record) -> Result<(), Error> {
        let knows = |record: &Record| [record.key.is_some(), record.digest.is_some()];
        let less = knows(&record).into_iter().zip(knows(&self.record)).any(|(new, old)| old && !new);
        if less || record == self.record {
            return Ok(());
        }
        let path = self.folder.join(RECORD);
        let write = || {
            let mut file = tempfile::Builder::new().prefix(NEW).tempfile_in(&self.folder)?;
            file.write_all(toml::to_string(&record).unwrap_or_default().as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|e| e.error)
        };
        write().map_err(Error::file("write", &path))?;
        self.record = record;
        Ok(())
    }

    /// Compares each of its files with its hash.
    ///
    /// # Errors
    /// A file is missing or changed.
    pub fn check(&self) -> Result<(), Error> {
        let damaged =
            |problem: Problem| Error::Damaged { path: self.folder.clone(), problem: format!("it {problem}") };
        for (name, expected) in &self.info.files {
            let path = self.folder.join(name);
            if !path.is_file() {
                return Err(damaged(Problem::Missing { name: name.clone(), listed: true }));
            }
            let found = Hash::of(&read_limited(&path, u64::MAX - 1)?).to_string();
            if found != *expected {
                let (name, expected) = (name.clone(), expected.clone());
                return Err(damaged(Problem::Hash { name, found, expected }));
            }
        }
        Ok(())
    }
}

/// The folders in a folder that are not hidden, by name.
fn folders(path: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let named = folders.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    let mut named: Vec<_> = named.filter(|(name, _)| !name.starts_with('.')).collect();
    named.sort_unstable();
    named
}

fn sync(folder: &Path) -> Result<(), Error> {
    // A parent that was removed needs none.
    if !folder.exists() {
        return Ok(());
    }
    fs::File::open(folder).and_then(|file| file.sync_all()).map_err(Error::file("sync", folder))
}

#[cfg(test)]
#[path = "install_tests.rs"]
mod tests;
