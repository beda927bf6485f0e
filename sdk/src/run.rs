//! What a component is told of the task and the run.

use nshot_abi::Value as AbiValue;
use nshot_abi::abi_stable::std_types::RStr;
use nshot_abi::host::{RunRef, TaskRef};

use crate::error::{Error, Result, answer};
use crate::random::Random;

/// Draws before a sampler gives up looking for a valid architecture.
const DRAWS: u32 = 10_000;

/// One option of each choice, by index.
pub type Architecture = Vec<u32>;

/// The index of a choice.
pub type ChoiceIndex = u32;

/// The task: what a network takes and gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Shape of an image, `[C, H, W]`.
    pub input_shape: [u64; 3],
    /// Number of classes.
    pub classes: u64,
}

impl Task {
    pub(crate) fn read(from: &TaskRef<'_>) -> Result<Self> {
        let shape = answer(from.input_shape())?;
        let input_shape = shape.as_slice().try_into()?;
        Ok(Self { input_shape, classes: answer(from.classes())? })
    }
}

/// The run: the task, the space, and the stage that starts. Valid within the call.
pub struct Run<'a>(pub(crate) RunRef<'a>);

impl Run<'_> {
    /// The task.
    pub fn task(&self) -> Result<Task> {
        let shape = answer(self.0.input_shape())?;
        Ok(Task { input_shape: shape.as_slice().try_into()?, classes: answer(self.0.classes())? })
    }

    /// Number of choices of the space.
    pub fn choice_count(&self) -> u32 {
        self.0.choice_count()
    }

    /// Name of a choice.
    pub fn choice_name(&self, choice: ChoiceIndex) -> Result<String> {
        answer(self.0.choice_name(choice)).map(Into::into)
    }

    /// Names of a choice's options, in order.
    pub fn options(&self, choice: ChoiceIndex) -> Result<Vec<String>> {
        Ok(answer(self.0.choice_options(choice))?.into_iter().map(Into::into).collect())
    }

    /// Indices of the options that the current stage allows at a choice, in order; never empty.
    pub fn allowed(&self, choice: ChoiceIndex) -> Result<Vec<u32>> {
        answer(self.0.allowed(choice)).map(Into::into)
    }

    /// [`allowed`](Self::allowed) of every choice.
    pub fn all_allowed(&self) -> Result<Vec<Vec<u32>>> {
        (0..self.choice_count()).map(|choice| self.allowed(choice)).collect()
    }

    /// Whether an architecture is one of the space and the current stage; for a searcher, of any stage.
    pub fn valid(&self, architecture: &[u32]) -> Result<bool> {
        answer(self.0.valid(architecture.into()))
    }

    /// An architecture drawn uniformly from the valid ones of the stage.
    ///
    /// # Errors
    /// None of 10,000 draws is valid.
    pub fn uniform(&self, random: &mut Random) -> Result<Architecture> {
        let allowed = self.all_allowed()?;
        for _ in 0..DRAWS {
            let drawn: Architecture = allowed.iter().map(|options| random.pick(options)).collect();
            if self.valid(&drawn)? {
                return Ok(drawn);
            }
        }
        Err(Error::new(format!("none of {DRAWS} architectures that were drawn is valid")))
    }

    /// The smallest architecture of the whole space by a measure.
    pub fn smallest(&self, measure: &str) -> Result<Architecture> {
        answer(self.0.extreme(measure.into(), false)).map(Into::into)
    }

    /// The largest architecture of the whole space by a measure.
    pub fn largest(&self, measure: &str) -> Result<Architecture> {
        answer(self.0.extreme(measure.into(), true)).map(Into::into)
    }

    /// The measures of complexity: `weights` (of convolutions and linear layers), `params` (all parameters), `macs`
    /// (multiply-accumulates for one image), and those that the run adds.
    pub fn measures(&self) -> Result<Vec<String>> {
        Ok(answer(self.0.measures())?.into_iter().map(Into::into).collect())
    }

    /// Complexity of an architecture by a measure, counted on the graph as described.
    pub fn complexity(&self, architecture: &[u32], measure: &str) -> Result<f64> {
        answer(self.0.complexity(architecture.into(), measure.into()))
    }

    /// The architecture in the space's customary text.
    pub fn to_text(&self, architecture: &[u32]) -> Result<String> {
        answer(self.0.to_text(architecture.into())).map(Into::into)
    }

    /// Name of the current stage; empty while stages are planned.
    pub fn stage(&self) -> String {
        self.0.stage().into()
    }

    /// Steps of the current stage's supernet; while stages are planned, of one that states no budget.
    pub fn total_steps(&self) -> u64 {
        self.0.total_steps()
    }

    /// Steps of an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.0.steps_per_epoch()
    }

    /// Choices by which the sampler splits the space: at which two stages have no option in common.
    pub fn split_choices(&self) -> Result<Vec<ChoiceIndex>> {
        answer(self.0.split_choices()).map(Into::into)
    }

    /// Choices by whose options the optimizer's state is separated: all paths of a step agree on them.
    pub fn separated_choices(&self) -> Result<Vec<ChoiceIndex>> {
        answer(self.0.separated_choices()).map(Into::into)
    }

    /// Key of the component's own stream of random numbers, for [`Random::new`] in calls that have no run.
    pub fn random_key(&self) -> u64 {
        self.0.random_key()
    }

    /// Random numbers of the component's own stream at a position, such as the step.
    pub fn random(&self, position: u64) -> Random {
        Random::new(self.0.random_key(), position)
    }

    /// A fact by its name: `base_learning_rate`, `batch_size`, `stage_index`, `stage_count`, `dtype`, `device`,
    /// `inactive`; nothing if this host does not know it.
    pub fn attribute(&self, name: &str) -> Option<AbiValue> {
        self.0.attribute(RStr::from(name)).into()
    }
}
