//! Registration: the components of a plugin file, and the file's root.

use nshot_abi::abi_stable::prefix_type::PrefixTypeTrait;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{RBox, RStr, RString};
use nshot_abi::component::{
    LrScheduler_TO, LrSchedulerBox, Optimizer_TO, OptimizerBox, Sampler_TO, SamplerBox, SearchSpace_TO,
    SearchSpaceBox, Searcher_TO, SearcherBox, StateGroups_TO, StateGroupsBox,
};
use nshot_abi::host::{ServicesRef, TaskRef};
use nshot_abi::{AbiResult, Plugin, PluginRef};
use serde_json::{Value, json};

use crate::adapter::{Adapter, guard};
use crate::error::{Error, Result};
use crate::run::Task;
use crate::settings::{self, Settings};
use crate::{LrScheduler, Optimizer, Sampler, SearchSpace, Searcher, StateGroups};

/// One component of the plugin; made by [`register!`](crate::register).
pub struct Entry {
    name: &'static str,
    kind: &'static str,
    facts: fn() -> Facts,
    make: Make,
}

inventory::collect!(Entry);

struct Facts {
    about: &'static str,
    citation: &'static str,
    schema: Value,
    defaults: Value,
}

enum Make {
    SearchSpace(fn(&str, &TaskRef<'_>) -> Result<SearchSpaceBox>),
    Sampler(fn(&str) -> Result<SamplerBox>),
    LrScheduler(fn(&str) -> Result<LrSchedulerBox>),
    Optimizer(fn(&str) -> Result<OptimizerBox>),
    StateGroups(fn(&str) -> Result<StateGroupsBox>),
    Searcher(fn(&str) -> Result<SearcherBox>),
}

fn facts<S: Settings>(about: &'static str, citation: &'static str) -> Facts {
    Facts { about, citation, schema: settings::schema::<S>(), defaults: settings::defaults::<S>() }
}

macro_rules! entry {
    ($(#[$doc:meta])* $function:ident, $kind:literal, $trait:ident, $object:ident) => {
        $(#[$doc])*
        pub const fn $function<T: $trait>(name: &'static str) -> Self {
            Self {
                name,
                kind: $kind,
                facts: || facts::<T::Settings>(T::ABOUT, T::CITATION),
                make: Make::$trait(|text| {
                    let component = Adapter::new(T::new(settings::parse(text)?)?);
                    Ok($object::from_ptr(RBox::new(component), TD_Opaque))
                }),
            }
        }
    };
}

impl Entry {
    /// A search space.
    pub const fn search_space<T: SearchSpace>(name: &'static str) -> Self {
        Self {
            name,
            kind: "search-space",
            facts: || facts::<T::Settings>(T::ABOUT, T::CITATION),
            make: Make::SearchSpace(|text, task| {
                let space = T::new(settings::parse(text)?, &Task::read(task)?)?;
                Ok(SearchSpace_TO::from_ptr(RBox::new(Adapter::new(space)), TD_Opaque))
            }),
        }
    }

    entry!(
        /// A sampler.
        sampler, "sampler", Sampler, Sampler_TO
    );
    entry!(
        /// A learning-rate scheduler.
        lr_scheduler, "lr-scheduler", LrScheduler, LrScheduler_TO
    );
    entry!(
        /// An optimizer.
        optimizer, "optimizer", Optimizer, Optimizer_TO
    );
    entry!(
        /// State groups.
        state_groups, "state-groups", StateGroups, StateGroups_TO
    );
    entry!(
        /// A searcher.
        searcher, "searcher", Searcher, Searcher_TO
    );

    fn describe(&self) -> Value {
        let facts = (self.facts)();
        json!({
            "name": self.name, "kind": self.kind, "doc": facts.about, "citation": facts.citation,
            "schema": facts.schema, "defaults": facts.defaults,
        })
    }
}

fn find(name: &str, kind: &str) -> Result<&'static Entry> {
    inventory::iter::<Entry>
        .into_iter()
        .find(|entry| entry.name == name && entry.kind == kind)
        .ok_or_else(|| Error::new(format!("this plugin has no {kind} `{name}`")))
}

extern "C" fn components() -> AbiResult<RString> {
    guard(|| {
        let mut entries: Vec<&Entry> = inventory::iter::<Entry>.into_iter().collect();
        entries.sort_by_key(|entry| (entry.kind, entry.name));
        let list: Vec<Value> = entries.into_iter().map(Entry::describe).collect();
        Ok(serde_json::to_string(&list)?.into())
    })
}

extern "C" fn attach(services: ServicesRef) -> AbiResult<()> {
    guard(|| {
        crate::log::attach(services);
        Ok(())
    })
}

extern "C" fn search_space(
    name: RStr<'_>,
    settings: RStr<'_>,
    task: TaskRef<'_>,
) -> AbiResult<SearchSpaceBox> {
    guard(|| find(name.as_str(), "search-space")?.make_search_space(settings.as_str(), &task))
}

const OTHER_KIND: &str = "registered under another kind";

impl Entry {
    /// Makes the search space that is registered here.
    pub(crate) fn make_search_space(&self, settings: &str, task: &TaskRef<'_>) -> Result<SearchSpaceBox> {
        match self.make {
            Make::SearchSpace(make) => make(settings, task),
            _ => Err(Error::new(OTHER_KIND)),
        }
    }
}

macro_rules! constructor {
    ($function:ident, $make:ident, $kind:literal, $variant:ident, $object:ty) => {
        impl Entry {
            /// Makes the component that is registered here.
            pub(crate) fn $make(&self, settings: &str) -> Result<$object> {
                match self.make {
                    Make::$variant(make) => make(settings),
                    _ => Err(Error::new(OTHER_KIND)),
                }
            }
        }

        extern "C" fn $function(name: RStr<'_>, settings: RStr<'_>) -> AbiResult<$object> {
            guard(|| find(name.as_str(), $kind)?.$make(settings.as_str()))
        }
    };
}

constructor!(sampler, make_sampler, "sampler", Sampler, SamplerBox);
constructor!(lr_scheduler, make_lr_scheduler, "lr-scheduler", LrScheduler, LrSchedulerBox);
constructor!(optimizer, make_optimizer, "optimizer", Optimizer, OptimizerBox);
constructor!(state_groups, make_state_groups, "state-groups", StateGroups, StateGroupsBox);
constructor!(searcher, make_searcher, "searcher", Searcher, SearcherBox);

/// The root table; called by what [`plugin!`](crate::plugin) expands to.
pub fn root() -> PluginRef {
    Plugin { components, attach, search_space, sampler, lr_scheduler, optimizer, state_groups, searcher }
        .leak_into_prefix()
}

/// Registers one component of [`plugin!`](crate::plugin).
#[doc(hidden)]
#[macro_export]
macro_rules! register {
    ($kind:ident $name:literal => $component:ty) => {
        $crate::inventory::submit! { $crate::registration::Entry::$kind::<$component>($name) }
    };
}

/// Makes the crate a plugin: once, in `lib.rs`, with all its components: `plugin!(sampler "spos" => Spos);`. Kinds:
/// `search_space`, `sampler`, `lr_scheduler`, `optimizer`, `state_groups`, `searcher`. With `group: "my-lab";` first it says whose it is; without, `local`.
#[macro_export]
macro_rules! plugin {
    (group: $group:literal; $($rest:tt)*) => {
        $crate::plugin!(@root $group; $($rest)*);
    };
    ($($kind:ident $name:literal => $component:ty),* $(,)?) => {
        $crate::plugin!(@root "local"; $($kind $name => $component),*);
    };
    (@root $group:literal; $($kind:ident $name:literal => $component:ty),* $(,)?) => {
        $($crate::register!($kind $name => $component);)*

        #[doc(hidden)]
        #[allow(unsafe_code)]
        mod nshot_plugin_root {
            use $crate::abi::abi_stable::library as l;
            use $crate::abi::metadata::{frame, framed_len, Piece};

            extern "C" fn module() -> l::RootModuleResult {
                l::__call_root_module_loader($crate::registration::root)
            }

            #[unsafe(export_name = concat!("nshot_root_", env!("CARGO_CRATE_NAME")))]
            static ROOT: l::LibHeader = unsafe {
                // SAFETY: `module` returns the root table that is named here.
                l::LibHeader::from_constructor::<$crate::abi::PluginRef>(module, l::CheckTypeLayout::Yes)
            };

            const RECORD: &[Piece] = &$crate::metadata_record!($group, $($kind $name),*);

            // Exported: of Rust 1.85, `#[used]` alone does not keep the linker from dropping it.
            #[used]
            #[unsafe(export_name = concat!("nshot_record_", env!("CARGO_CRATE_NAME")))]
            #[unsafe(link_section = ".nshot")]
            static METADATA: [u8; framed_len(RECORD)] = frame(RECORD);
        }
    };
}

/// The pieces of the file's record; they are read from the crate that expands this.
#[doc(hidden)]
#[macro_export]
macro_rules! metadata_record {
    ($group:literal, $($kind:ident $name:literal),*) => {
        [
            Piece::Json("{\"format\":1,\"abi\":["),
            Piece::Json($crate::ABI_VERSION_TEXT),
            Piece::Json("],\"plugin\":\""),
            Piece::Text($crate::registration::plugin_name(env!("CARGO_PKG_NAME"))),
            Piece::Json("\",\"group\":\""),
            Piece::Text($group),
            Piece::Json("\",\"version\":\""),
            Piece::Text(env!("CARGO_PKG_VERSION")),
            Piece::Json("\",\"authors\":\""),
            Piece::Text(env!("CARGO_PKG_AUTHORS")),
            Piece::Json("\",\"description\":\""),
            Piece::Text(env!("CARGO_PKG_DESCRIPTION")),
            Piece::Json("\",\"license\":\""),
            Piece::Text(env!("CARGO_PKG_LICENSE")),
            Piece::Json("\",\"homepage\":\""),
            Piece::Text(env!("CARGO_PKG_HOMEPAGE")),
            Piece::Json("\",\"root\":\"nshot_root_"),
            Piece::Text(env!("CARGO_CRATE_NAME")),
            Piece::Json("\",\"target\":\""),
            Piece::Text($crate::registration::TARGET),
            Piece::Json(if cfg!(panic = "unwind") {
                "\",\"panic\":\"unwind"
            } else {
                "\",\"panic\":\"abort"
            }),
            Piece::Json("\",\"sdk\":\""),
            Piece::Text($crate::VERSION),
            Piece::Json("\",\"rustc\":\""),
            Piece::Text($crate::RUSTC),
            Piece::Json("\",\"features\":[\"baseline\""),
            $crate::cpu_feature!("sse3"),
            $crate::cpu_feature!("ssse3"),
            $crate::cpu_feature!("sse4.1"),
            $crate::cpu_feature!("sse4.2"),
            $crate::cpu_feature!("popcnt"),
            $crate::cpu_feature!("avx"),
            $crate::cpu_feature!("avx2"),
            $crate::cpu_feature!("fma"),
            $crate::cpu_feature!("f16c"),
            $crate::cpu_feature!("bmi1"),
            $crate::cpu_feature!("bmi2"),
            $crate::cpu_feature!("lzcnt"),
            $crate::cpu_feature!("movbe"),
            $crate::cpu_feature!("adx"),
            $crate::cpu_feature!("aes"),
            $crate::cpu_feature!("pclmulqdq"),
            $crate::cpu_feature!("sha"),
            $crate::cpu_feature!("gfni"),
            $crate::cpu_feature!("vaes"),
            $crate::cpu_feature!("vpclmulqdq"),
            $crate::cpu_feature!("avxvnni"),
            $crate::cpu_feature!("avx512f"),
            $crate::cpu_feature!("avx512bw"),
            $crate::cpu_feature!("avx512cd"),
            $crate::cpu_feature!("avx512dq"),
            $crate::cpu_feature!("avx512vl"),
            $crate::cpu_feature!("avx512ifma"),
            $crate::cpu_feature!("avx512vbmi"),
            $crate::cpu_feature!("avx512vbmi2"),
            $crate::cpu_feature!("avx512vnni"),
            $crate::cpu_feature!("avx512bitalg"),
            $crate::cpu_feature!("avx512vpopcntdq"),
            $crate::cpu_feature!("avx512bf16"),
            $crate::cpu_feature!("avx512fp16"),
            Piece::Json("],\"components\":["),
            Piece::Json($crate::registration::without_first(concat!(
                " "
                $(, ",{\"kind\":\"", $crate::kind_name!($kind), "\",\"name\":\"", $name, "\"}")*
            ))),
            Piece::Json("]}"),
        ]
    };
}

/// A feature of the processor as a part of a record, if the plugin is compiled for it.
#[doc(hidden)]
#[macro_export]
macro_rules! cpu_feature {
    ($name:tt) => {
        $crate::abi::metadata::Piece::Json(if cfg!(target_feature = $name) {
            concat!(",\"", $name, "\"")
        } else {
            ""
        })
    };
}

/// A kind as it is written in records.
#[doc(hidden)]
#[macro_export]
macro_rules! kind_name {
    (search_space) => {
        "search-space"
    };
    (lr_scheduler) => {
        "lr-scheduler"
    };
    (state_groups) => {
        "state-groups"
    };
    ($kind:ident) => {
        stringify!($kind)
    };
}

/// A list without the space and the comma that it begins with.
#[doc(hidden)]
pub const fn without_first(list: &'static str) -> &'static str {
    let bytes = list.as_bytes();
    let first = if bytes.len() < 2 { bytes.len() } else { 2 };
    match std::str::from_utf8(bytes.split_at(first).1) {
        Ok(rest) => rest,
        Err(_) => "",
    }
}

/// The target as the gate compares it: architecture, system, C library.
#[doc(hidden)]
pub const TARGET: &str = match (
    cfg!(target_arch = "x86_64"),
    cfg!(target_arch = "aarch64"),
    cfg!(target_os = "linux"),
    cfg!(target_env = "gnu"),
) {
    (true, _, true, true) => "x86_64-linux-gnu",
    (_, true, true, true) => "aarch64-linux-gnu",
    _ => "unsupported",
};

/// A plugin's name: its crate's, without `nshot-plugin-`.
#[doc(hidden)]
pub const fn plugin_name(package: &'static str) -> &'static str {
    const PREFIX: &str = "nshot-plugin-";
    let (name, prefix) = (package.as_bytes(), PREFIX.as_bytes());
    let mut at = 0;
    while at < prefix.len() {
        if at >= name.len() || name[at] != prefix[at] {
            return package;
        }
        at += 1;
    }
    match std::str::from_utf8(name.split_at(PREFIX.len()).1) {
        Ok(name) => name,
        Err(_) => package,
    }
}
