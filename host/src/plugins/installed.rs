//! All plugin files that are here: beside the program, in the user's folder, and installed from packages.

use std::path::{Path, PathBuf};

use nshot_loader::{Found, Hash, LoadError, PluginFile};
use nshot_package::{Info, Installed};

use super::Plugins;
use crate::failure::{Failure, Result};
use crate::run_directory::LockedPackage;

/// A plugin file.
#[derive(Debug)]
pub struct Listed {
    /// The file.
    pub path: PathBuf,
    /// The package that it was installed from.
    pub package: Option<LockedPackage>,
    /// What that says of itself.
    pub info: Option<Info>,
    /// Whether it lies beside the program.
    pub built_in: bool,
    /// What it is, or why it cannot be used.
    pub file: Result<PluginFile>,
}

/// What the user installed.
pub(super) fn read() -> Vec<Result<Installed>> {
    let folder = nshot_loader::default_plugin_folder();
    let all = folder.map(|folder| nshot_package::Plugins::new(folder).list()).unwrap_or_default();
    all.into_iter().map(|installed| installed.map_err(Failure::from)).collect()
}

impl Plugins {
    /// Describes all plugin files, once. What was changed since it was installed is refused before any of it runs.
    pub fn list(&self) -> &[Listed] {
        self.listed.get_or_init(|| self.describe_all())
    }

    fn describe_all(&self) -> Vec<Listed> {
        let beside = self.folders.paths().next();
        let listed = |Found { path, file }: Found| Listed {
            built_in: path.parent() == beside,
            package: None,
            info: None,
            file: file.map_err(Failure::from),
            path,
        };
        let mut all: Vec<Listed> = self.loader.list(&self.folders).into_iter().map(listed).collect();
        all.extend(self.installed.iter().filter_map(|installed| self.list_installed(installed)));
        all
    }

    fn list_installed(&self, installed: &Result<Installed>) -> Option<Listed> {
        let installed = match installed {
            Ok(installed) => installed,
            Err(failure) => {
                let file = Err(failure.clone());
                return Some(Listed {
                    path: PathBuf::new(),
                    package: None,
                    info: None,
                    built_in: false,
                    file,
                });
            }
        };
        let path = installed.library();
        // A package without a library for this machine is no plugin here.
        let expected = installed.info.files.get(&installed.info.library_path(&nshot_loader::target()))?;
        let file = self.describe_installed(&path, expected);
        let (package, info) = (Some((&installed.record).into()), Some(installed.info.clone()));
        Some(Listed { path, package, info, built_in: false, file })
    }

    fn describe_installed(&self, path: &Path, expected: &str) -> Result<PluginFile> {
        let expected: Hash = expected.parse()?;
        self.loader.describe_known(path, &expected).map_err(|error| match error {
            LoadError::Changed { .. } | LoadError::Read { .. } => Failure::from(error)
                .context("an installed plugin is damaged")
                .hint("`nshot plugin remove` it, and install it again"),
            error => error.into(),
        })
    }

    /// Whether a file with this hash is in a plugin folder or in the store.
    pub fn has(&self, sha256: &str) -> bool {
        self.has_stored(sha256) || self.list().iter().any(|listed| listed.is(sha256))
    }

    /// Whether a file with this hash is in the store.
    pub(super) fn has_stored(&self, sha256: &str) -> bool {
        sha256.parse().is_ok_and(|hash| self.loader.store().find(&hash).is_ok_and(|found| found.is_some()))
    }

    /// Whether a file with this hash was installed from a package, and is whole.
    pub fn has_installed(&self, sha256: &str) -> bool {
        self.installed.iter().flatten().any(|installed| {
            let is_it = installed.info.files.get(&installed.info.library_path(&nshot_loader::target()));
            is_it.is_some_and(|hash| hash == sha256) && installed.check().is_ok()
        })
    }
}

impl Listed {
    /// Whether it is the file with this hash, and can be used.
    pub(super) fn is(&self, sha256: &str) -> bool {
        self.file.as_ref().is_ok_and(|file| file.sha256.to_string() == sha256)
    }
}
