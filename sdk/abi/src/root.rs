//! The one symbol of a plugin file, and the table behind it.

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::package_version_strings;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RStr, RString};

use crate::component::{
    LrSchedulerBox, OptimizerBox, SamplerBox, SearchSpaceBox, SearcherBox, StateGroupsBox,
};
use crate::host::{ServicesRef, TaskRef};
use crate::value::AbiResult;

/// The table of a plugin file. **Append only**, after `last_prefix_field`, each new entry with
/// `#[sabi(missing_field(option))]`.
///
/// `settings` is a JSON object that the component's schema has accepted.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRef, prefix_fields = PluginPrefix)))]
#[sabi(missing_field(panic))]
pub struct Plugin {
    /// The components as a JSON list of objects: `name`, `kind`, `doc`, `schema`, `defaults`.
    pub components: extern "C" fn() -> AbiResult<RString>,
    /// Gives the plugin the host's services. Called once, first.
    pub attach: extern "C" fn(services: ServicesRef) -> AbiResult<()>,
    /// Makes a search space for a task.
    pub search_space:
        extern "C" fn(name: RStr<'_>, settings: RStr<'_>, task: TaskRef<'_>) -> AbiResult<SearchSpaceBox>,
    /// Makes a sampler.
    pub sampler: extern "C" fn(name: RStr<'_>, settings: RStr<'_>) -> AbiResult<SamplerBox>,
    /// Makes a learning-rate scheduler.
    pub lr_scheduler: extern "C" fn(name: RStr<'_>, settings: RStr<'_>) -> AbiResult<LrSchedulerBox>,
    /// Makes an optimizer.
    pub optimizer: extern "C" fn(name: RStr<'_>, settings: RStr<'_>) -> AbiResult<OptimizerBox>,
    /// Makes state groups.
    pub state_groups: extern "C" fn(name: RStr<'_>, settings: RStr<'_>) -> AbiResult<StateGroupsBox>,
    /// Makes a searcher.
    #[sabi(last_prefix_field)]
    pub searcher: extern "C" fn(name: RStr<'_>, settings: RStr<'_>) -> AbiResult<SearcherBox>,
}

impl RootModule for PluginRef {
    abi_stable::declare_root_module_statics! {PluginRef}

    const BASE_NAME: &'static str = "nshot_plugin";
    const NAME: &'static str = "nshot_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
