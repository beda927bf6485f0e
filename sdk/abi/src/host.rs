//! What the host offers to a plugin during a call: views that answer questions, and builders that take results.
//!
//! A view or builder is valid within the call that it was passed to. A name that a host does not know (of an
//! operation, attribute, loss, measure, …) is answered with the code [`code::UNSUPPORTED`], a value out of range with
//! [`code::INVALID`]. **Append only**: a method is added after
//! `#[sabi(last_prefix_field)]`, with a default that answers [`unsupported`], so that a plugin built
//! against a newer ABI gets an error, not a crash, from an older host.

use abi_stable::std_types::{ROption, RSlice, RStr, RString, RVec};
use abi_stable::{RMut, RRef, StableAbi, sabi_trait};

use crate::value::{AbiError, AbiResult, Attribute, Value, code};

/// The answer of a method that the host does not have yet.
pub fn unsupported<T>(method: &str, needs: &str) -> AbiResult<T> {
    let text =
        format!("this host has an older ABI than the plugin: `{method}` needs a host with ABI {needs}");
    AbiResult::RErr(AbiError::new(code::UNSUPPORTED, text))
}

/// Consecutive numbers: the values, or the lists, that an operation produced.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueRange {
    /// The first.
    pub first: u32,
    /// How many there are.
    pub count: u32,
}

/// The task: what a network takes and gives.
#[sabi_trait]
pub trait Task: Send + Sync {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// Shape of an image, `[C, H, W]`.
    fn input_shape(&self) -> AbiResult<RVec<u64>>;
    /// Number of classes.
    #[sabi(last_prefix_field)]
    fn classes(&self) -> AbiResult<u64>;
}

/// The run, as every component is told at its start. Attributes: `base_learning_rate` (Float), `batch_size`,
/// `stage_index`, `stage_count` (Int), `dtype`, `device`, `inactive` (Text).
#[sabi_trait]
pub trait Run: Send + Sync {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// Shape of an image, `[C, H, W]`.
    fn input_shape(&self) -> AbiResult<RVec<u64>>;
    /// Number of classes.
    fn classes(&self) -> AbiResult<u64>;
    /// Number of choices of the space.
    fn choice_count(&self) -> u32;
    /// Name of a choice.
    fn choice_name(&self, choice: u32) -> AbiResult<RString>;
    /// Names of a choice's options, in order.
    fn choice_options(&self, choice: u32) -> AbiResult<RVec<RString>>;
    /// Indices of the options that the current stage allows at a choice, in order.
    fn allowed(&self, choice: u32) -> AbiResult<RVec<u32>>;
    /// Whether an architecture is one of the space and the current stage; for a searcher, of any stage.
    fn valid(&self, architecture: RSlice<'_, u32>) -> AbiResult<bool>;
    /// The smallest or largest architecture of the whole space by a measure.
    fn extreme(&self, measure: RStr<'_>, largest: bool) -> AbiResult<RVec<u32>>;
    /// The measures of complexity: `weights`, `params`, `macs`, and those that the run adds.
    fn measures(&self) -> AbiResult<RVec<RString>>;
    /// Complexity of an architecture by a measure.
    fn complexity(&self, architecture: RSlice<'_, u32>, measure: RStr<'_>) -> AbiResult<f64>;
    /// The architecture in the space's customary text.
    fn to_text(&self, architecture: RSlice<'_, u32>) -> AbiResult<RString>;
    /// Name of the current stage; empty before the stages are planned.
    fn stage(&self) -> RString;
    /// Steps of the current stage's supernet; before the stages are planned, of a stage that states no budget.
    fn total_steps(&self) -> u64;
    /// Steps of an epoch.
    fn steps_per_epoch(&self) -> u64;
    /// Choices by which the sampler splits the space: at which two stages have no option in common.
    fn split_choices(&self) -> AbiResult<RVec<u32>>;
    /// Choices by whose options the optimizer's state is separated.
    fn separated_choices(&self) -> AbiResult<RVec<u32>>;
    /// Key of the component's own stream of random numbers.
    #[sabi(last_prefix_field)]
    fn random_key(&self) -> u64;
}

/// Takes what a search space declares.
#[sabi_trait]
pub trait Declare {
    /// Declares the next choice; its options in order. Returns its index.
    fn choice(
        &mut self,
        name: RStr<'_>,
        options: RSlice<'_, RString>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<u32>;
    /// Declares a parameter. Attributes: `role`, `init` and the initialiser's own. Returns its index.
    #[sabi(last_prefix_field)]
    fn parameter(
        &mut self,
        name: RStr<'_>,
        shape: RSlice<'_, u64>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<u32>;
}

/// Takes the description of one subnet. A value is named by its number.
#[sabi_trait]
pub trait Graph {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// A named input, such as `image` (`[N, C, H, W]`) or `progress` (a number from 0 to 1).
    fn input(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<u32>;
    /// A declared parameter.
    fn parameter(&mut self, name: RStr<'_>) -> AbiResult<u32>;
    /// An operation by its name.
    fn op(
        &mut self,
        name: RStr<'_>,
        inputs: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<ValueRange>;
    /// Shape of a value; -k stands for k times the batch size.
    fn shape(&self, value: u32) -> AbiResult<RVec<i64>>;
    /// Options that the subnet takes at a choice: one, or several whose results are summed.
    fn selected(&self, choice: u32) -> AbiResult<RVec<u32>>;
    /// The factor of a selected option, as a value, if it is weighted.
    fn option_weight(&mut self, choice: u32, option: u32) -> AbiResult<ROption<u32>>;
    /// Names a value as an output, such as `logits`.
    fn output(&mut self, name: RStr<'_>, value: u32, attributes: RSlice<'_, Attribute>) -> AbiResult<()>;
    /// Opens a scope: a prefix of the names of the nodes that follow. Attributes: `choice` and `option` (Int), if what
    /// follows belongs to an option of a choice; the name may then be empty.
    fn push_scope(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<()>;
    /// Closes the innermost scope.
    #[sabi(last_prefix_field)]
    fn pop_scope(&mut self) -> AbiResult<()>;
}

/// Takes the stages that a sampler plans.
#[sabi_trait]
pub trait Plan {
    /// Adds a stage. Attributes: `weights` (`scratch` or `parent`), `parent` (name), `epochs`, `schedule`
    /// (`fresh` or `continue`). Returns its index.
    fn stage(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<u32>;
    /// Restricts a stage to some options of a choice.
    #[sabi(last_prefix_field)]
    fn allow(
        &mut self,
        stage: u32,
        choice: u32,
        options: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<()>;
}

/// The moment at which a step is sampled.
#[sabi_trait]
pub trait Sample {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// The run.
    fn run(&self) -> Run_TO<'_, RRef<'_, ()>>;
    /// The step within the current stage, from 0.
    fn step(&self) -> u64;
    /// The epoch within the current stage, from 0.
    #[sabi(last_prefix_field)]
    fn epoch(&self) -> u64;
}

/// Takes the paths of one step.
#[sabi_trait]
pub trait Step {
    /// Sets what concerns the whole step. No attributes yet.
    fn set(&mut self, attributes: RSlice<'_, Attribute>) -> AbiResult<()>;
    /// Adds a path. Returns its index.
    fn path(&mut self, attributes: RSlice<'_, Attribute>) -> AbiResult<u32>;
    /// Selects one option at every choice.
    fn architecture(&mut self, path: u32, architecture: RSlice<'_, u32>) -> AbiResult<()>;
    /// Selects options at one choice. Attributes: `weights` (a factor for each), or `parameter` (the name of
    /// an `architecture` parameter whose softmax over the selected options weights them).
    fn select(
        &mut self,
        path: u32,
        choice: u32,
        options: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<()>;
    /// Adds a loss. Kinds: `cross_entropy`, `distillation`, `mse`. Attributes: `weight`, `output`, `target`
    /// (`labels` or `path`), `path`, `temperature`, `smoothing`. Without one: cross-entropy with the labels.
    #[sabi(last_prefix_field)]
    fn loss(&mut self, path: u32, kind: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<()>;
}

/// What the paths of a sampled step selected.
#[sabi_trait]
pub trait Paths {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// The run.
    fn run(&self) -> Run_TO<'_, RRef<'_, ()>>;
    /// The step within the current stage, from 0.
    fn step(&self) -> u64;
    /// Number of paths.
    fn count(&self) -> u32;
    /// Options of a path at a choice.
    fn selected(&self, path: u32, choice: u32) -> AbiResult<RVec<u32>>;
    /// The group given by the options at the separated choices, which all paths share.
    #[sabi(last_prefix_field)]
    fn default_group(&self) -> AbiResult<u64>;
}

/// How far the current stage is.
#[sabi_trait]
pub trait Progress {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// The run.
    fn run(&self) -> Run_TO<'_, RRef<'_, ()>>;
    /// The step within the current stage's schedule, from 0.
    fn step(&self) -> u64;
    /// Steps of the current stage's schedule.
    fn total_steps(&self) -> u64;
    /// Steps of an epoch.
    #[sabi(last_prefix_field)]
    fn steps_per_epoch(&self) -> u64;
}

/// The subnet of one path.
#[sabi_trait]
pub trait Subnet {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// Options at a choice.
    fn selected(&self, choice: u32) -> AbiResult<RVec<u32>>;
    /// Complexity by a measure of the run.
    #[sabi(last_prefix_field)]
    fn complexity(&self, measure: RStr<'_>) -> AbiResult<f64>;
}

/// One update of the reached parameters. A handle names a list of tensors, one for each parameter, and
/// lives for this call.
#[sabi_trait]
pub trait Update {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// The run.
    fn run(&self) -> Run_TO<'_, RRef<'_, ()>>;
    /// The step within the current stage, from 0.
    fn step(&self) -> u64;
    /// The state group of the step.
    fn group(&self) -> u64;
    /// The learning rate of this update.
    fn learning_rate(&self) -> f64;
    /// Number of parameters.
    fn count(&self) -> u32;
    /// Name of a parameter.
    fn name(&self, parameter: u32) -> AbiResult<RString>;
    /// Shape of a parameter.
    fn shape(&self, parameter: u32) -> AbiResult<RVec<u64>>;
    /// Indices of the parameters with a role: `weight`, `bias`, `norm`, `architecture`.
    fn with_role(&self, role: RStr<'_>) -> AbiResult<RVec<u32>>;
    /// Handle of the parameters.
    fn parameters(&mut self) -> AbiResult<u32>;
    /// Handle of the gradients, clipped.
    fn gradients(&mut self, attributes: RSlice<'_, Attribute>) -> AbiResult<u32>;
    /// Handle of a named slot of this group, created on first use. Attributes: `init` (`zeros` or `gradient`).
    fn slot(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<u32>;
    /// For each parameter, in how many updates of this group it took part before this one.
    fn update_counts(&mut self) -> AbiResult<RVec<u64>>;
    /// Handle of some elements of a list.
    fn subset(&mut self, list: u32, indices: RSlice<'_, u32>) -> AbiResult<u32>;
    /// An operation on whole lists; a trailing `_` works in place. Returns the handles of its results.
    #[sabi(last_prefix_field)]
    fn op(
        &mut self,
        name: RStr<'_>,
        lists: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<ValueRange>;
}

/// What came of the steps of a block, in order.
#[sabi_trait]
pub trait Outcomes {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// The run.
    fn run(&self) -> Run_TO<'_, RRef<'_, ()>>;
    /// Values of a parameter of the role `architecture`, at the end of the block.
    fn parameter(&self, name: RStr<'_>) -> AbiResult<RVec<f64>>;
    /// Number of steps in the block.
    fn count(&self) -> u32;
    /// The step that an entry belongs to.
    fn step(&self, entry: u32) -> AbiResult<u64>;
    /// Number of paths of an entry.
    fn path_count(&self, entry: u32) -> AbiResult<u32>;
    /// Options of a path at a choice.
    fn selected(&self, entry: u32, path: u32, choice: u32) -> AbiResult<RVec<u32>>;
    /// A wanted figure of a path: `loss`, `gradient_norm`.
    fn path_value(&self, entry: u32, path: u32, name: RStr<'_>) -> AbiResult<f64>;
    /// A wanted figure of an option that a path took: `gradient_norm`.
    #[sabi(last_prefix_field)]
    fn option_value(&self, entry: u32, path: u32, choice: u32, option: u32, name: RStr<'_>)
    -> AbiResult<f64>;
}

/// Takes the architectures that a searcher wants scored.
#[sabi_trait]
pub trait Ask {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// The run.
    fn run(&self) -> Run_TO<'_, RRef<'_, ()>>;
    /// The round, from 0.
    fn round(&self) -> u64;
    /// Values of a parameter of the role `architecture`.
    fn parameter(&self, name: RStr<'_>) -> AbiResult<RVec<f64>>;
    /// Adds an architecture. A round without any ends the search.
    #[sabi(last_prefix_field)]
    fn candidate(
        &mut self,
        architecture: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<()>;
}

/// The scored architectures of a round, in the order in which they were asked for.
#[sabi_trait]
pub trait Scored {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// The run.
    fn run(&self) -> Run_TO<'_, RRef<'_, ()>>;
    /// Number of architectures.
    fn count(&self) -> u32;
    /// An architecture.
    fn architecture(&self, entry: u32) -> AbiResult<RVec<u32>>;
    /// A figure: `accuracy` (0 to 1), `nll`, or a measure of complexity.
    #[sabi(last_prefix_field)]
    fn value(&self, entry: u32, name: RStr<'_>) -> AbiResult<f64>;
}

/// What the host does for a plugin at any time. Attached once, when the file is loaded. Attributes: `abi` (Ints: major,
/// minor), `host_version` (Text), `stopping` (Bool: the run was asked to stop).
#[sabi_trait]
pub trait Services: Send + Sync + 'static {
    /// An attribute by its name; nothing if this host does not know it.
    fn attribute(&self, name: RStr<'_>) -> ROption<Value>;
    /// Logs a text. Levels: `error`, `warn`, `info`, `debug`, `trace`.
    fn log(&self, level: RStr<'_>, target: RStr<'_>, text: RStr<'_>);
    /// Records a named figure for the current step (`metrics.jsonl`).
    #[sabi(last_prefix_field)]
    fn scalar(&self, name: RStr<'_>, value: f64, attributes: RSlice<'_, Attribute>) -> AbiResult<()>;
}

/// A [`Task`] within a call.
pub type TaskRef<'a> = Task_TO<'a, RRef<'a, ()>>;
/// A [`Run`] within a call.
pub type RunRef<'a> = Run_TO<'a, RRef<'a, ()>>;
/// A [`Declare`] within a call.
pub type DeclareMut<'a> = Declare_TO<'a, RMut<'a, ()>>;
/// A [`Graph`] within a call.
pub type GraphMut<'a> = Graph_TO<'a, RMut<'a, ()>>;
/// A [`Plan`] within a call.
pub type PlanMut<'a> = Plan_TO<'a, RMut<'a, ()>>;
/// A [`Sample`] within a call.
pub type SampleRef<'a> = Sample_TO<'a, RRef<'a, ()>>;
/// A [`Step`] within a call.
pub type StepMut<'a> = Step_TO<'a, RMut<'a, ()>>;
/// A [`Paths`] within a call.
pub type PathsRef<'a> = Paths_TO<'a, RRef<'a, ()>>;
/// A [`Progress`] within a call.
pub type ProgressRef<'a> = Progress_TO<'a, RRef<'a, ()>>;
/// A [`Subnet`] within a call.
pub type SubnetRef<'a> = Subnet_TO<'a, RRef<'a, ()>>;
/// An [`Update`] within a call.
pub type UpdateMut<'a> = Update_TO<'a, RMut<'a, ()>>;
/// [`Outcomes`] within a call.
pub type OutcomesRef<'a> = Outcomes_TO<'a, RRef<'a, ()>>;
/// An [`Ask`] within a call.
pub type AskMut<'a> = Ask_TO<'a, RMut<'a, ()>>;
/// [`Scored`] within a call.
pub type ScoredRef<'a> = Scored_TO<'a, RRef<'a, ()>>;
/// The host's [`Services`], for as long as the process lives.
pub type ServicesRef = Services_TO<RRef<'static, ()>>;
