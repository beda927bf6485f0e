//! From `use` in a manifest, or a lock, to a component that can be called.

mod build;
mod find;
mod installed;
mod locked;
mod resolved;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nshot_loader::{Folders, Hash, Kind, Loader, PluginFile, Store};
use nshot_package::Installed;
use serde_json::{Map, Value};

use crate::boundary::SERVICES;
use crate::failure::{Failure, Result};
use crate::manifest::{Component, Use, one_of};
use crate::run_directory::{LockedComponent, LockedPackage};
use crate::watchdog;

pub use installed::Listed;
pub use resolved::Resolved;

/// Finds and loads components.
pub struct Plugins {
    loader: Loader,
    folders: Folders,
    /// What was installed from packages; what is damaged with the reason.
    installed: Vec<Result<Installed>>,
    /// What is here, once it was asked for: to describe a file it is read whole and hashed.
    listed: OnceLock<Vec<Listed>>,
}

impl Plugins {
    /// With the plugins beside this program and in the user's folder, and the user's store.
    ///
    /// # Errors
    /// There is no folder for the store.
    pub fn open() -> Result<Self> {
        let folder = nshot_loader::default_store().ok_or_else(|| {
            Failure::new("there is no folder for the plugin store").hint("set HOME, or XDG_DATA_HOME")
        })?;
        let probe = nshot_loader::probe::beside_this_program()
            .map_err(|error| Failure::new(format!("cannot tell where this program is: {error}")))?;
        watchdog::start_by_default();
        let loader = Loader::new(Store::open(folder)?, probe, &SERVICES);
        Ok(Self {
            loader,
            folders: Folders::standard(),
            installed: installed::read(),
            listed: OnceLock::new(),
        })
    }

    /// The loader.
    pub fn loader(&self) -> &Loader {
        &self.loader
    }

    /// The folders that are searched.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The component that a manifest's table names.
    ///
    /// # Errors
    /// It is not found, is ambiguous, does not build, or its file is refused.
    pub fn resolve(&self, kind: Kind, table: &Component) -> Result<Resolved> {
        let (file, name, package) = match &table.uses {
            Use::Path { path, component } => {
                let file = self.loader.describe(&library(path)?)?;
                let name = only_component(&file, kind, component.as_deref())?;
                (file, name, None)
            }
            Use::Named { group, plugin, component, version } => {
                let wanted = |of: &str, named: &str, found: &str| {
                    group.as_ref().is_none_or(|group| of == group)
                        && plugin.as_ref().is_none_or(|plugin| named == plugin)
                        && version.as_ref().is_none_or(|version| {
                            semver::Version::parse(found).is_ok_and(|found| version.matches(&found))
                        })
                };
                let (file, package) = self.find(kind, component, wanted)?;
                (file, component.clone(), package)
            }
        };
        self.load(kind, file, &name, table.settings.clone(), package)
    }

    /// The component that a lock pins, from the store.
    ///
    /// # Errors
    /// The file is not in the store, or is refused.
    pub fn pinned(
        &self,
        kind: Kind,
        pinned: &LockedComponent,
        settings: Map<String, Value>,
    ) -> Result<Resolved> {
        let hash: Hash = pinned.sha256.parse().map_err(|_| {
            Failure::new(format!("the lock names `{}` as a SHA-256, which it is not", pinned.sha256))
        })?;
        if !self.has_stored(&pinned.sha256) {
            // Of a run from elsewhere: to look at what is here puts it into the store.
            self.list();
        }
        let file = self.loader.describe_stored(&hash)?;
        self.load(kind, file, &pinned.component, settings, pinned.package.clone())
    }

    fn load(
        &self,
        kind: Kind,
        file: PluginFile,
        name: &str,
        settings: Map<String, Value>,
        package: Option<LockedPackage>,
    ) -> Result<Resolved> {
        let info = file.component(kind, name).cloned().ok_or_else(|| {
            let origin = file.origin.display();
            let of_kind = file.components.iter().filter(|component| component.kind == kind);
            let known: Vec<&str> = of_kind.map(|component| &*component.name).collect();
            if let Some(other) = file.components.iter().find(|component| component.name == name) {
                return wrong_kind(name, other.kind, kind, &known);
            }
            let failure = Failure::new(format!("the plugin `{origin}` has no {kind} `{name}`"));
            if known.is_empty() { failure } else { failure.hint(format!("expected {}", one_of(&known))) }
        })?;
        for warning in &file.warnings {
            tracing::warn!("{warning}");
        }
        let plugin = self.loader.load_stored(&file.sha256)?;
        Ok(Resolved { kind, info, file, plugin, settings, package })
    }
}

/// The failure of a component that is of another kind than the manifest's table takes.
fn wrong_kind(name: &str, found: Kind, expected: Kind, known: &[&str]) -> Failure {
    let hint = match known {
        [] => format!("it belongs in `[{}]`", table(found)),
        known => format!("it belongs in `[{}]`; here may stand {}", table(found), one_of(known)),
    };
    Failure::new(format!("`{name}` is {}, expected {}", with_article(found), with_article(expected)))
        .hint(hint)
}

fn with_article(kind: Kind) -> &'static str {
    match kind {
        Kind::SearchSpace => "a search space",
        Kind::Sampler => "a sampler",
        Kind::LrScheduler => "a learning-rate scheduler",
        Kind::Optimizer => "an optimizer",
        Kind::StateGroups => "state groups",
        Kind::Searcher => "a searcher",
    }
}

/// The manifest's table for components of a kind.
pub(crate) fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::SearchSpace => "space",
        Kind::Sampler => "sampler",
        Kind::LrScheduler => "scheduler",
        Kind::Optimizer => "optimizer",
        Kind::StateGroups => "state",
        Kind::Searcher => "search",
    }
}

/// The library of a path: the file itself, or what the crate there builds.
///
/// # Errors
/// Nothing is there, or the crate does not build.
pub fn library(path: &Path) -> Result<PathBuf> {
    if !path.exists() {
        let absent = format!("there is no plugin file and no crate `{}`", path.display());
        return Err(Failure::new(absent).hint("`path` is relative to the manifest's folder"));
    }
    if path.is_dir() { build::build(path) } else { Ok(path.to_owned()) }
}

/// The library that a crate builds to be packed: the same bytes wherever it is built.
///
/// # Errors
/// The crate does not build.
pub fn library_to_pack(folder: &Path) -> Result<PathBuf> {
    build::build_to_pack(folder)
}

fn only_component(file: &PluginFile, kind: Kind, name: Option<&str>) -> Result<String> {
    let names: Vec<&str> =
        file.components.iter().filter(|component| component.kind == kind).map(|c| c.name.as_str()).collect();
    match (name, &names[..]) {
        (Some(name), _) => Ok(name.to_owned()),
        (None, [only]) => Ok((*only).to_owned()),
        (None, []) => {
            let all: Vec<String> =
                file.components.iter().map(|c| format!("the {} `{}`", c.kind, c.name)).collect();
            let failure = Failure::new(format!("the plugin `{}` has no {kind}", file.origin.display()));
            Err(failure.hint(format!("it has {}", all.join(", "))))
        }
        (None, several) => {
            let failure =
                format!("the plugin `{}` has {} of kind {kind}", file.origin.display(), several.len());
            let hint = format!("name one: use = {{ path = …, component = \"{}\" }}", several[0]);
            Err(Failure::new(failure).hint(hint))
        }
    }
}
