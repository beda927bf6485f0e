//! Write a plugin for nshot.
//!
//! A plugin is a crate of type `cdylib` that depends on this crate and knows nothing of libtorch. This is a whole one:
//! a sampler that draws a uniform architecture, but takes the first option of the first choice more often.
//!
//! ```
//! use nshot_sdk::prelude::*;
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// Settings from the manifest's `[sampler]` table.
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields, default)]
//! struct Settings {
//!     /// Probability of taking the first option outright.
//!     first: f64,
//! }
//!
//! impl Default for Settings {
//!     fn default() -> Self {
//!         Self { first: 0.1 }
//!     }
//! }
//!
//! struct Favour(Settings);
//!
//! impl Sampler for Favour {
//!     type Settings = Settings;
//!     const ABOUT: &'static str = "A uniform architecture that favours the first option of the first choice.";
//!
//!     fn new(settings: Settings) -> Result<Self> {
//!         Ok(Self(settings))
//!     }
//!
//!     fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
//!         let mut random = at.random();
//!         let mut architecture = at.uniform(&mut random)?;
//!         if random.unit() < self.0.first {
//!             architecture[0] = at.run().allowed(0)?[0];
//!         }
//!         step.path(&architecture)?;
//!         Ok(())
//!     }
//! }
//!
//! nshot_sdk::plugin!(sampler "favour" => Favour);
//! ```
//!
//! Its `Cargo.toml` has `crate-type = ["cdylib"]` and depends on `nshot-sdk`, `serde` (with `derive`) and `schemars`. A
//! manifest names it by `use = { path = "../favour" }`.
//!
//! | kind | trait | decides |
//! |---|---|---|
//! | `search_space` | [`SearchSpace`] | which subnets there are, and what each computes |
//! | `sampler` | [`Sampler`] | which subnets a step trains |
//! | `lr_scheduler` | [`LrScheduler`] | the learning rate of a step and subnet |
//! | `optimizer` | [`Optimizer`] | how an update moves the parameters |
//! | `state_groups` | [`StateGroups`] | which steps share the optimizer's state |
//! | `searcher` | [`Searcher`] | which architectures are scored next |
//!
//! A component is made from its settings, then told the [`Run`] at the start of each stage. It draws random numbers
//! from the host's stream only ([`Random`]), and gives its state back as bytes (`save`, `load`), so that a run can
//! stop and resume bit for bit. It logs with `tracing`, and figures with [`log::scalar`]. A panic is no
//! catastrophe: the host ends the run with an error that names the component.
//!
//! With the feature `testing`, in `[dev-dependencies]`, the module `testing` runs a component in a plugin's own tests,
//! without a host and without libtorch.

#[allow(clippy::wrong_self_convention)]
mod adapter;
mod attributes;
mod declare;
mod error;
mod graph;
mod groups;
pub mod layers;
pub mod limits;
pub mod log;
mod named_choice;
mod optimizer;
mod random;
#[doc(hidden)]
pub mod registration;
mod run;
mod sampler;
mod scheduler;
mod searcher;
mod settings;
#[allow(clippy::wrong_self_convention)]
mod space;
#[cfg(feature = "testing")]
pub mod testing;

pub use attributes::{Attributes, IntoAttribute};
pub use declare::{Choice, Declare, Init, Role};
pub use error::{Error, Result};
pub use graph::{Graph, Pool, Value};
pub use groups::{Paths, StateGroups};
pub use named_choice::NamedChoice;
pub use optimizer::{List, Optimizer, Update};
pub use random::Random;
pub use run::{Architecture, ChoiceIndex, Run, Task};
pub use sampler::{Outcomes, Plan, SampleContext, Sampler, Step, Wants};
pub use scheduler::{LrScheduler, Progress, Subnet};
pub use searcher::{Ask, Scored, Searcher};
pub use settings::{NoSettings, Settings};
pub use space::SearchSpace;

#[doc(hidden)]
pub use inventory;
#[doc(hidden)]
pub use nshot_abi as abi;

/// Everything that a plugin usually needs.
pub mod prelude {
    pub use crate::layers::{BatchNorm, Conv2d, Linear};
    pub use crate::limits::Limits;
    pub use crate::{
        Architecture, Ask, Attributes, Choice, ChoiceIndex, Declare, Error, Graph, Init, LrScheduler,
        NamedChoice, NoSettings, Optimizer, Outcomes, Paths, Plan, Pool, Progress, Random, Result, Role, Run,
        SampleContext, Sampler, Scored, SearchSpace, Searcher, StateGroups, Step, Subnet, Task, Update,
        Wants, attributes,
    };
}

/// Version of this crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The compiler that built this crate.
pub const RUSTC: &str = env!("NSHOT_RUSTC");

#[doc(hidden)]
pub const ABI_VERSION_TEXT: &str = "1,0";
const _: () = assert!(nshot_abi::VERSION.0 == 1 && nshot_abi::VERSION.1 == 0, "ABI_VERSION_TEXT is another");
