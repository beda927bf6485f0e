//! Runs components in a plugin's own tests: without a host, without libtorch.
//!
//! ```toml
//! [dev-dependencies]
//! nshot-sdk = { path = "…/sdk", features = ["testing"] }
//! ```
//!
//! A component is made from its settings and called through the very adapter that ships, by a host that is small but as
//! strict: what the real one would refuse ends the test, with the same words. A whole test of a sampler:
//!
//! ```
//! use nshot_sdk::{prelude::*, testing};
//!
//! /// Two different architectures per step, uniformly drawn.
//! struct Pair;
//!
//! impl Sampler for Pair {
//!     type Settings = NoSettings;
//!
//!     fn new(_: NoSettings) -> Result<Self> {
//!         Ok(Self)
//!     }
//!
//!     fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
//!         let mut random = at.random();
//!         let first = at.uniform(&mut random)?;
//!         step.path(&first)?;
//!         loop {
//!             let second = at.uniform(&mut random)?;
//!             if second != first {
//!                 return step.path(&second).map(drop);
//!             }
//!         }
//!     }
//! }
//!
//! // In a test:
//! let mut sampler = testing::run(&[("kernel", 3), ("depth", 4)]).sampler::<Pair>(());
//! sampler.assert_uniform(2000);
//! sampler.assert_resumes(50);
//! assert!(sampler.steps(100).iter().all(|paths| paths.len() == 2 && paths[0] != paths[1]));
//! ```
//!
//! | component | made by | checks | gives |
//! |---|---|---|---|
//! | search space | [`space`] | [`check`](SpaceTest::check): shapes, costs, purity, text, canonical form | graphs, costs, texts |
//! | sampler | [`TestRun::sampler`] | uniform, deterministic, resumes | steps, counts, stages |
//! | scheduler | [`TestRun::scheduler`] | resumes | factors, curves |
//! | state groups | [`TestRun::groups`] | resumes | groups |
//! | searcher | [`TestRun::searcher`] | deterministic, resumes at every round, ends | all that was asked for |
//! | optimizer | [`optimizer()`] | scale invariance, resumes | parameters and slots after each step |
//!
//! The run is one of plain choices with made-up costs ([`run()`]) or of a real space ([`SpaceTest::run`]). Settings are
//! `()` for the defaults, [`json!`]`({ … })` as in a manifest, or a value of the settings' type. What a component has to
//! refuse is tested with [`refused`]. Its log goes to the test's output; its figures are in [`scalars`].
//!
//! Out of sight here: training itself, with losses and accuracies of real networks; rounding in single precision and on
//! devices; checks of settings against their JSON schema; the gate that a plugin file passes.

mod attributes;
mod component;
mod ground;
mod groups;
mod optimizer;
mod path;
mod run;
mod sampler;
mod scheduler;
mod searcher;
mod space;

pub use component::{refused, scalars};
pub use groups::GroupsTest;
pub use nshot_graph as graph;
pub use optimizer::{OptimizerTest, optimizer};
pub use path::{Loss, LossKind, Path, Picked, Weighting};
pub use run::{TestRun, run};
pub use sampler::{Asked, SamplerTest, StagePlan};
pub use scheduler::SchedulerTest;
pub use searcher::{Score, Searched, SearcherTest};
pub use serde_json::json;
pub use space::{SpaceTest, space, task};

#[cfg(test)]
mod tests;
