//! The task and the run as components see them.

use std::sync::Arc;

use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RString, RVec};
use nshot_abi::host;
use nshot_abi::{AbiResult, Attribute, Value};

use super::{Refusal, answer};
use crate::space::{Space, Task};

/// The task, for making a search space.
pub struct TaskView(pub Task);

impl host::Task for TaskView {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn input_shape(&self) -> AbiResult<RVec<u64>> {
        AbiResult::ROk(self.0.input_shape.to_vec().into())
    }

    fn classes(&self) -> AbiResult<u64> {
        AbiResult::ROk(self.0.classes)
    }
}

/// The run, as one component is told of it.
#[derive(Clone)]
pub struct RunView {
    /// The space.
    pub space: Arc<Space>,
    /// Options that the current stage allows at each choice; for a search, those that any stage does.
    pub allowed: Arc<Vec<Vec<u32>>>,
    /// Options of each stage in view: an architecture is to be of one of them.
    pub stages: Arc<Vec<Vec<Vec<u32>>>>,
    /// Name of the current stage; empty before the stages are planned.
    pub stage: String,
    /// Steps of the stage's supernet.
    pub total_steps: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Choices that the stages restrict.
    pub split: Vec<u32>,
    /// Choices that separate the optimizer's state.
    pub separated: Vec<u32>,
    /// Key of the component's stream of random numbers.
    pub random_key: u64,
    /// Facts by name.
    pub facts: Arc<Vec<Attribute>>,
}

impl RunView {
    fn choice(&self, index: u32) -> Result<&crate::space::Choice, String> {
        let choices = self.space.choices();
        choices.get(index as usize).ok_or_else(|| {
            format!("there is no choice {index}; the space has {} choices, counted from 0", choices.len())
        })
    }

    /// Whether a stage in view holds an architecture that is in range.
    pub fn holds(&self, architecture: &[u32]) -> bool {
        let allows = |(option, allowed): (&u32, &Vec<u32>)| allowed.contains(option);
        self.stages.iter().any(|stage| architecture.iter().zip(stage).all(allows))
    }
}

impl host::Run for RunView {
    fn attribute(&self, name: RStr<'_>) -> ROption<Value> {
        self.facts.iter().find(|fact| fact.name == name.as_str()).map(|fact| fact.value.clone()).into()
    }

    fn input_shape(&self) -> AbiResult<RVec<u64>> {
        AbiResult::ROk(self.space.task().input_shape.to_vec().into())
    }

    fn classes(&self) -> AbiResult<u64> {
        AbiResult::ROk(self.space.task().classes)
    }

    fn choice_count(&self) -> u32 {
        self.space.choices().len() as u32
    }

    fn choice_name(&self, choice: u32) -> AbiResult<RString> {
        answer(|| self.choice(choice).map(|choice| choice.name.as_str().into()))
    }

    fn choice_options(&self, choice: u32) -> AbiResult<RVec<RString>> {
        answer(|| {
            self.choice(choice).map(|c| c.options.iter().map(|option| option.as_str().into()).collect())
        })
    }

    fn allowed(&self, choice: u32) -> AbiResult<RVec<u32>> {
        answer(|| self.choice(choice).map(|_| self.allowed[choice as usize].clone().into()))
    }

    fn valid(&self, architecture: RSlice<'_, u32>) -> AbiResult<bool> {
        answer(|| {
            let architecture = architecture.as_slice();
            if self.space.check(architecture).is_err() {
                return Ok(false);
            }
            Ok::<_, Refusal>(self.holds(architecture) && self.space.valid(architecture)?)
        })
    }

    fn extreme(&self, measure: RStr<'_>, largest: bool) -> AbiResult<RVec<u32>> {
        answer(|| Ok::<_, Refusal>(self.space.extreme(measure.as_str(), largest)?.into()))
    }

    fn measures(&self) -> AbiResult<RVec<RString>> {
        AbiResult::ROk(self.space.measures().into_iter().map(RString::from).collect())
    }

    fn complexity(&self, architecture: RSlice<'_, u32>, measure: RStr<'_>) -> AbiResult<f64> {
        answer(|| {
            self.space.check(architecture.as_slice())?;
            self.space.complexity(architecture.as_slice(), measure.as_str())
        })
    }

    fn to_text(&self, architecture: RSlice<'_, u32>) -> AbiResult<RString> {
        answer(|| {
            self.space.check(architecture.as_slice())?;
            Ok::<_, Refusal>(RString::from(self.space.to_text(architecture.as_slice())?))
        })
    }

    fn stage(&self) -> RString {
        self.stage.as_str().into()
    }

    fn total_steps(&self) -> u64 {
        self.total_steps
    }

    fn steps_per_epoch(&self) -> u64 {
        self.steps_per_epoch
    }

    fn split_choices(&self) -> AbiResult<RVec<u32>> {
        AbiResult::ROk(self.split.clone().into())
    }

    fn separated_choices(&self) -> AbiResult<RVec<u32>> {
        AbiResult::ROk(self.separated.clone().into())
    }

    fn random_key(&self) -> u64 {
        self.random_key
    }
}
