//! From `use` in a manifest, or a lock, to a component that can be called.

mod build;
mod find;
mod installed;
mod locked;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::host::Task_TO;
use nshot_loader::{ComponentInfo, Folders, Hash, Kind, Loader, Plugin, PluginFile, Store};
use nshot_package::Installed;
use serde_json::{Map, Value};

use crate::boundary::{SERVICES, TaskView};
use crate::component::{Identity, LrScheduler, Optimizer, Sampler, Searcher, StateGroups};
use crate::failure::{Failure, Result};
use crate::manifest::{Component, Use, nearest, one_of};
use crate::run_directory::{LockedComponent, LockedPackage};
use crate::space::{Space, Task};

pub use installed::Listed;

/// A component that was found and whose file is loaded.
#[derive(Clone)]
pub struct Resolved {
    kind: Kind,
    info: ComponentInfo,
    file: PluginFile,
    plugin: Arc<Plugin>,
    settings: Map<String, Value>,
    /// The package that it was installed from.
    package: Option<LockedPackage>,
}

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

impl Resolved {
    /// What a lock pins of it.
    pub fn pin(&self) -> LockedComponent {
        LockedComponent::new(&self.info.name, &self.file, self.package.clone())
    }

    /// The same component with other settings.
    pub(crate) fn with_settings(&self, settings: Map<String, Value>) -> Self {
        Self { settings, ..self.clone() }
    }

    /// The settings that it is given.
    pub(crate) fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }

    /// The plugin file.
    pub fn file(&self) -> &PluginFile {
        &self.file
    }

    /// The failure of a setting that the component's schema does not have.
    pub fn unknown_setting(&self) -> Option<Failure> {
        let unknown = self.unknown_key()?;
        let failure = Failure::usage(format!("`{}` has no setting `{unknown}`", self.info.name));
        let known = self.known_settings();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        Some(match nearest(unknown, &known) {
            Some(nearest) => failure.hint(format!("did you mean `{nearest}`?")),
            None if known.is_empty() => failure.hint("it has no settings"),
            None => failure.hint(format!("expected {}", one_of(&known))),
        })
    }

    /// The first setting that the component's schema does not have.
    pub fn unknown_key(&self) -> Option<&str> {
        let closed = self.info.schema.get("additionalProperties") == Some(&Value::Bool(false));
        let known = self.known_settings();
        self.settings.keys().find(|key| closed && !known.contains(key)).map(String::as_str)
    }

    fn known_settings(&self) -> Vec<String> {
        let properties = self.info.schema.get("properties").and_then(Value::as_object);
        properties.map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
    }

    fn identity(&self, kind: &'static str) -> Identity {
        let metadata = &self.file.metadata;
        let plugin = format!("{}/{} {}", metadata.group, metadata.plugin, metadata.version);
        Identity { kind, name: self.info.name.clone(), plugin }
    }

    fn json(&self) -> String {
        Value::Object(self.settings.clone()).to_string()
    }

    /// Makes the search space for a task.
    ///
    /// # Errors
    /// The settings or the task are refused, or what the space declares is wrong.
    pub fn space(&self, task: &Task) -> Result<Space> {
        debug_assert_eq!(self.kind, Kind::SearchSpace);
        let identity = self.identity("search space");
        let view = TaskView(task.clone());
        let make = self.plugin.root.search_space();
        let object = identity.call("new", || {
            make(
                self.info.name.as_str().into(),
                self.json().as_str().into(),
                Task_TO::from_ptr(&view, TD_Opaque),
            )
        })?;
        Space::new(identity, object, task.clone())
    }

    /// Makes the sampler.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn sampler(&self) -> Result<Sampler> {
        let (identity, make) = (self.identity("sampler"), self.plugin.root.sampler());
        let object =
            identity.call("new", || make(self.info.name.as_str().into(), self.json().as_str().into()))?;
        Ok(Sampler::new(identity, object))
    }

    /// Makes the learning-rate scheduler.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn lr_scheduler(&self) -> Result<LrScheduler> {
        let (identity, make) = (self.identity("scheduler"), self.plugin.root.lr_scheduler());
        let object =
            identity.call("new", || make(self.info.name.as_str().into(), self.json().as_str().into()))?;
        Ok(LrScheduler::new(identity, object))
    }

    /// Makes the optimizer.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn optimizer(&self) -> Result<Optimizer> {
        let (identity, make) = (self.identity("optimizer"), self.plugin.root.optimizer());
        let object =
            identity.call("new", || make(self.info.name.as_str().into(), self.json().as_str().into()))?;
        Ok(Optimizer::new(identity, object))
    }

    /// Makes the state groups.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn state_groups(&self) -> Result<StateGroups> {
        let (identity, make) = (self.identity("state groups"), self.plugin.root.state_groups());
        let object =
            identity.call("new", || make(self.info.name.as_str().into(), self.json().as_str().into()))?;
        Ok(StateGroups::new(identity, object))
    }

    /// Makes the searcher.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn searcher(&self) -> Result<Searcher> {
        let (identity, make) = (self.identity("searcher"), self.plugin.root.searcher());
        let object =
            identity.call("new", || make(self.info.name.as_str().into(), self.json().as_str().into()))?;
        Ok(Searcher::new(identity, object))
    }
}
