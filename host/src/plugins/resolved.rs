//! A component that was found, and what can be made of it.

use std::sync::Arc;

use nshot_abi::AbiResult;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::RStr;
use nshot_abi::host::Task_TO;
use nshot_loader::{ComponentInfo, Kind, Plugin, PluginFile};
use serde_json::{Map, Value};

use crate::boundary::TaskView;
use crate::component::{Identity, LrScheduler, Optimizer, Sampler, Searcher, StateGroups};
use crate::failure::{Failure, Result};
use crate::manifest::{nearest, one_of};
use crate::run_directory::{LockedComponent, LockedPackage};
use crate::space::{Space, Task};

/// How a plugin makes a component that needs no task.
type Make<T> = extern "C" fn(name: RStr<'_>, settings: RStr<'_>) -> AbiResult<T>;

/// A component that was found and whose file is loaded.
#[derive(Clone)]
pub struct Resolved {
    pub(super) kind: Kind,
    pub(super) info: ComponentInfo,
    pub(super) file: PluginFile,
    pub(super) plugin: Arc<Plugin>,
    pub(super) settings: Map<String, Value>,
    /// The package that it was installed from.
    pub(super) package: Option<LockedPackage>,
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
        let (make, view, settings) = (self.plugin.root.search_space(), TaskView(task.clone()), self.json());
        let task_view = || Task_TO::from_ptr(&view, TD_Opaque);
        let object = identity
            .call("new", || make(self.info.name.as_str().into(), settings.as_str().into(), task_view()))?;
        Space::new(identity, object, task.clone())
    }

    /// Makes the sampler.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn sampler(&self) -> Result<Sampler> {
        self.make("sampler", self.plugin.root.sampler(), Sampler::new)
    }

    /// Makes the learning-rate scheduler.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn lr_scheduler(&self) -> Result<LrScheduler> {
        self.make("scheduler", self.plugin.root.lr_scheduler(), LrScheduler::new)
    }

    /// Makes the optimizer.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn optimizer(&self) -> Result<Optimizer> {
        self.make("optimizer", self.plugin.root.optimizer(), Optimizer::new)
    }

    /// Makes the state groups.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn state_groups(&self) -> Result<StateGroups> {
        self.make("state groups", self.plugin.root.state_groups(), StateGroups::new)
    }

    /// Makes the searcher.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn searcher(&self) -> Result<Searcher> {
        self.make("searcher", self.plugin.root.searcher(), Searcher::new)
    }

    fn make<T, C>(
        &self,
        kind: &'static str,
        make: Make<T>,
        component: impl FnOnce(Identity, T) -> C,
    ) -> Result<C> {
        let (identity, settings) = (self.identity(kind), self.json());
        let object =
            identity.call("new", || make(self.info.name.as_str().into(), settings.as_str().into()))?;
        Ok(component(identity, object))
    }
}
