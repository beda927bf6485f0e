//! What a plugin offers to the host: the components, one trait for each kind.
//!
//! **Append only**: a method is added after `#[sabi(last_prefix_field)]`, with a default that does what hosts did
//! before it existed, so that a plugin built against an older ABI loads unchanged. A method never panics:
//! the SDK turns a panic into an error.

use abi_stable::sabi_trait;
use abi_stable::std_types::{RBox, RSlice, RStr, RString, RVec};

use crate::host::{
    AskMut, DeclareMut, GraphMut, OutcomesRef, PathsRef, PlanMut, ProgressRef, RunRef, SampleRef, ScoredRef,
    StepMut, SubnetRef, UpdateMut,
};
use crate::value::{AbiResult, Attribute};

/// A search space. All methods are pure and may be called from several threads.
#[sabi_trait]
pub trait SearchSpace: Send + Sync {
    /// Declares the choices, then the parameters.
    fn declare(&self, to: DeclareMut<'_>) -> AbiResult<()>;
    /// Describes the selected subnet.
    fn describe(&self, graph: GraphMut<'_>) -> AbiResult<()>;
    /// The smallest or largest architecture by a measure: `weights`, `params`, `macs`, or a run's own.
    fn extreme(&self, measure: RStr<'_>, largest: bool) -> AbiResult<RVec<u32>>;
    /// Whether a combination of options is one of the space.
    fn valid(&self, architecture: RSlice<'_, u32>) -> AbiResult<bool>;
    /// The representative of all architectures that are the same network when trained alone.
    fn canonical(&self, architecture: RSlice<'_, u32>) -> AbiResult<RVec<u32>>;
    /// The customary text.
    fn to_text(&self, architecture: RSlice<'_, u32>) -> AbiResult<RString>;
    /// Reads any of the customary text forms.
    #[sabi(last_prefix_field)]
    fn from_text(&self, text: RStr<'_>) -> AbiResult<RVec<u32>>;
}

/// A sampler: which paths a step trains. Order: `declare`, `plan`; for each stage `start`, (`load`,) `wants`, then
/// `sample` for each step.
#[sabi_trait]
pub trait Sampler: Send {
    /// Declares parameters of its own, all of the role `architecture`.
    fn declare(&mut self, run: RunRef<'_>, to: DeclareMut<'_>) -> AbiResult<()>;
    /// Plans the stages, before anything starts. No stage: one, the whole space. A resumed run keeps its plan, whatever
    /// is planned then.
    fn plan(&mut self, run: RunRef<'_>, plan: PlanMut<'_>) -> AbiResult<()>;
    /// A stage starts. What the component holds stays, unless it resets it here.
    fn start(&mut self, run: RunRef<'_>) -> AbiResult<()>;
    /// Draws the paths of one step.
    fn sample(&mut self, at: SampleRef<'_>, step: StepMut<'_>) -> AbiResult<()>;
    /// Which outcomes it wants in the stage that starts: `loss`, `path_gradient_norm`, `option_gradient_norm` (true),
    /// and `observe_every` (steps).
    fn wants(&self) -> AbiResult<RVec<Attribute>>;
    /// Takes the wanted outcomes of a block of steps, after its last step and before the next `sample`.
    fn observe(&mut self, outcomes: OutcomesRef<'_>) -> AbiResult<()>;
    /// The state, as bytes.
    fn save(&self) -> AbiResult<RVec<u8>>;
    /// Takes back a saved state; called after `start`.
    #[sabi(last_prefix_field)]
    fn load(&mut self, state: RSlice<'_, u8>) -> AbiResult<()>;
}

/// A learning-rate scheduler.
#[sabi_trait]
pub trait LrScheduler: Send {
    /// A stage starts.
    fn start(&mut self, run: RunRef<'_>) -> AbiResult<()>;
    /// Factor of the base learning rate for a subnet: asked once for each path, in order, before any path runs.
    fn factor(&mut self, at: ProgressRef<'_>, subnet: SubnetRef<'_>) -> AbiResult<f64>;
    /// The state, as bytes.
    fn save(&self) -> AbiResult<RVec<u8>>;
    /// Takes back a saved state; called after `start`.
    #[sabi(last_prefix_field)]
    fn load(&mut self, state: RSlice<'_, u8>) -> AbiResult<()>;
}

/// An optimizer. Its tensors are slots of the host; `save` is for what is not a tensor.
#[sabi_trait]
pub trait Optimizer: Send {
    /// A stage starts.
    fn start(&mut self, run: RunRef<'_>) -> AbiResult<()>;
    /// Facts: `gradient_scale_invariant` (true for Adam and its kin).
    fn properties(&self) -> AbiResult<RVec<Attribute>>;
    /// Updates the reached parameters.
    fn step(&mut self, update: UpdateMut<'_>) -> AbiResult<()>;
    /// The state, as bytes.
    fn save(&self) -> AbiResult<RVec<u8>>;
    /// Takes back a saved state; called after `start`.
    #[sabi(last_prefix_field)]
    fn load(&mut self, state: RSlice<'_, u8>) -> AbiResult<()>;
}

/// State groups: which steps share the optimizer's state.
#[sabi_trait]
pub trait StateGroups: Send {
    /// The choices that separate the state, asked before the first stage starts; all paths of a step agree on them. A
    /// resumed run keeps them, whatever is answered then.
    fn separate_by(&mut self, run: RunRef<'_>) -> AbiResult<RVec<u32>>;
    /// A stage starts.
    fn start(&mut self, run: RunRef<'_>) -> AbiResult<()>;
    /// The group of a step.
    fn group(&mut self, paths: PathsRef<'_>) -> AbiResult<u64>;
    /// The state, as bytes.
    fn save(&self) -> AbiResult<RVec<u8>>;
    /// Takes back a saved state; called after `start`.
    #[sabi(last_prefix_field)]
    fn load(&mut self, state: RSlice<'_, u8>) -> AbiResult<()>;
}

/// A searcher: which architectures to score next.
#[sabi_trait]
pub trait Searcher: Send {
    /// The search starts.
    fn start(&mut self, run: RunRef<'_>) -> AbiResult<()>;
    /// Asks for scores.
    fn ask(&mut self, ask: AskMut<'_>) -> AbiResult<()>;
    /// Takes the scores of the last round.
    fn tell(&mut self, scored: ScoredRef<'_>) -> AbiResult<()>;
    /// The state, as bytes.
    fn save(&self) -> AbiResult<RVec<u8>>;
    /// Takes back a saved state; called after `start`.
    #[sabi(last_prefix_field)]
    fn load(&mut self, state: RSlice<'_, u8>) -> AbiResult<()>;
}

/// A [`SearchSpace`] that the host owns.
pub type SearchSpaceBox = SearchSpace_TO<'static, RBox<()>>;
/// A [`Sampler`] that the host owns.
pub type SamplerBox = Sampler_TO<'static, RBox<()>>;
/// An [`LrScheduler`] that the host owns.
pub type LrSchedulerBox = LrScheduler_TO<'static, RBox<()>>;
/// An [`Optimizer`] that the host owns.
pub type OptimizerBox = Optimizer_TO<'static, RBox<()>>;
/// [`StateGroups`] that the host owns.
pub type StateGroupsBox = StateGroups_TO<'static, RBox<()>>;
/// A [`Searcher`] that the host owns.
pub type SearcherBox = Searcher_TO<'static, RBox<()>>;
