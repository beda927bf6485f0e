//! What a component is told of the task and the run.

use nshot_abi::Value as AbiValue;
use nshot_abi::abi_stable::std_types::RStr;
use nshot_abi::host::{RunRef, TaskRef};

use crate::error::{Result, answer};
use crate::random::Random;

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
        let shape = from.input_shape();
        let input_shape = shape.as_slice().try_into()?;
        Ok(Self { input_shape, classes: from.classes() })
    }
}

/// A measure of complexity, counted on the graph as described.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Weights of convolutions and linear layers.
    #[default]
    Weights,
    /// All parameters.
    Params,
    /// Multiply-accumulates for one image.
    Macs,
}

impl Measure {
    /// Its name at the boundary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Params => "params",
            Self::Macs => "macs",
        }
    }
}

/// The run: the task, the space, and the stage that starts. Valid within the call.
pub struct Run<'a>(pub(crate) RunRef<'a>);

impl Run<'_> {
    /// The task.
    pub fn task(&self) -> Result<Task> {
        let shape = self.0.input_shape();
        Ok(Task { input_shape: shape.as_slice().try_into()?, classes: self.0.classes() })
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

    /// The smallest architecture of the whole space.
    pub fn smallest(&self) -> Architecture {
        self.0.smallest().into()
    }

    /// The largest architecture of the whole space.
    pub fn largest(&self) -> Architecture {
        self.0.largest().into()
    }

    /// Complexity of an architecture.
    pub fn complexity(&self, architecture: &[u32], measure: Measure) -> Result<f64> {
        answer(self.0.complexity(architecture.into(), measure.name().into()))
    }

    /// The architecture in the space's customary text.
    pub fn to_text(&self, architecture: &[u32]) -> Result<String> {
        answer(self.0.to_text(architecture.into())).map(Into::into)
    }

    /// Name of the current stage; empty while stages are planned.
    pub fn stage(&self) -> String {
        self.0.stage().into()
    }

    /// Steps of the current stage's supernet.
    pub fn total_steps(&self) -> u64 {
        self.0.total_steps()
    }

    /// Steps of an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.0.steps_per_epoch()
    }

    /// Choices by which the sampler splits the space into stages.
    pub fn split_choices(&self) -> Vec<ChoiceIndex> {
        self.0.split_choices().into()
    }

    /// Choices by whose options the optimizer's state is separated: all paths of a step agree on them.
    pub fn separated_choices(&self) -> Vec<ChoiceIndex> {
        self.0.separated_choices().into()
    }

    /// Key of the component's own stream of random numbers, for [`Random::new`] in calls that have no run.
    pub fn random_key(&self) -> u64 {
        self.0.random_key()
    }

    /// Random numbers of the component's own stream at a position, such as the step.
    pub fn random(&self, position: u64) -> Random {
        Random::new(self.0.random_key(), position)
    }

    /// A fact that a later host may give; nothing if this host does not know the name.
    pub fn attribute(&self, name: &str) -> Option<AbiValue> {
        self.0.attribute(RStr::from(name)).into()
    }
}
