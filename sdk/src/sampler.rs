//! Samplers: which subnets a step trains.

use nshot_abi::abi_stable::std_types::RSlice;
use nshot_abi::host::{OutcomesRef, PlanMut, SampleRef, StepMut};

use crate::attributes::{Attributes, none};
use crate::declare::Declare;
use crate::error::{Error, Result, answer};
use crate::random::Random;
use crate::run::{Architecture, ChoiceIndex, Run};
use crate::settings::Settings;

/// Draws the paths of each training step.
///
/// ```
/// use nshot_sdk::prelude::*;
///
/// /// One uniformly drawn architecture per step.
/// struct Uniform;
///
/// impl Sampler for Uniform {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
///         step.path(&at.uniform(&mut at.random())?)?;
///         Ok(())
///     }
/// }
/// ```
pub trait Sampler: Sized + Send + 'static {
    /// The settings, from the manifest's `[sampler]` table.
    type Settings: Settings;
    /// One sentence on what it is.
    const ABOUT: &'static str = "";
    /// Whom to cite, as BibTeX.
    const CITATION: &'static str = "";

    /// Makes the sampler.
    fn new(settings: Self::Settings) -> Result<Self>;
    /// Draws the paths of one step, with random numbers of [`SampleContext::random`] only.
    fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()>;

    /// Declares parameters of its own, of the role `architecture`: logits that weight options
    /// ([`Step::select`]) and are trained with the rest. Default: none.
    fn declare(&mut self, _run: &Run, _to: &mut Declare) -> Result<()> {
        Ok(())
    }

    /// Plans the stages, before anything starts. Default: one, the whole space. A resumed run keeps its plan, whatever
    /// is planned then.
    fn plan(&mut self, _run: &Run, _plan: &mut Plan) -> Result<()> {
        Ok(())
    }

    /// A stage starts. What the sampler holds stays, unless it resets it here.
    fn start(&mut self, _run: &Run) -> Result<()> {
        Ok(())
    }

    /// What [`observe`](Self::observe) is to be told in the stage that started. Default: nothing, which costs nothing.
    fn wants(&self) -> Wants {
        Wants::default()
    }

    /// Takes the wanted outcomes of a block of steps, in order. Figures that are recorded here
    /// ([`scalar`](crate::log::scalar)) stand on the line of the block's last step.
    fn observe(&mut self, _outcomes: &Outcomes) -> Result<()> {
        Ok(())
    }

    /// The state that [`load`](Self::load) takes back when a run resumes. Default: none.
    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Takes back a saved state, after [`start`](Self::start).
    fn load(&mut self, state: &[u8]) -> Result<()> {
        no_state(state)
    }
}

/// The default of every `load`: refuses a state that nobody saved.
pub(crate) fn no_state(state: &[u8]) -> Result<()> {
    if state.is_empty() {
        Ok(())
    } else {
        Err(Error::new(format!("found a saved state of {} bytes, but this component has none", state.len())))
    }
}

/// The stages of a run: subspaces, each with its own supernet.
pub struct Plan<'a>(pub(crate) PlanMut<'a>);

impl Plan<'_> {
    /// Adds a stage. Attributes: `weights` (`scratch` or `parent`), `parent` (a stage's name), `epochs`, `schedule`
    /// (`fresh` or `continue`). Returns its index.
    pub fn stage(&mut self, name: &str, attributes: &Attributes) -> Result<u32> {
        answer(self.0.stage(name.into(), RSlice::from(&attributes.0[..])))
    }

    /// Restricts a stage to some options of a choice.
    pub fn allow(&mut self, stage: u32, choice: ChoiceIndex, options: &[u32]) -> Result<()> {
        answer(self.0.allow(stage, choice, RSlice::from(options), none()))
    }
}

/// The moment at which a step is sampled.
pub struct SampleContext<'a>(pub(crate) SampleRef<'a>);

impl SampleContext<'_> {
    /// The run.
    pub fn run(&self) -> Run<'_> {
        Run(self.0.run())
    }

    /// The step within the current stage, from 0.
    pub fn step(&self) -> u64 {
        self.0.step()
    }

    /// The epoch within the current stage, from 0.
    pub fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    /// This step's random numbers.
    pub fn random(&self) -> Random {
        self.run().random(self.step())
    }

    /// An architecture drawn uniformly from the valid ones of the stage.
    pub fn uniform(&self, random: &mut Random) -> Result<Architecture> {
        self.run().uniform(random)
    }
}

/// Takes the paths of one step; they share one update.
pub struct Step<'a>(pub(crate) StepMut<'a>);

impl Step<'_> {
    /// Adds a path that takes one option of each choice. Returns its index.
    pub fn path(&mut self, architecture: &[u32]) -> Result<u32> {
        let path = self.empty_path()?;
        answer(self.0.architecture(path, RSlice::from(architecture)))?;
        Ok(path)
    }

    /// Adds a path whose options are given by [`select`](Self::select). Returns its index.
    pub fn empty_path(&mut self) -> Result<u32> {
        answer(self.0.path(RSlice::from(&[][..])))
    }

    /// Selects options at one choice of a path: one, several (their results are summed), or weighted ones.
    /// Attributes: `weights` (a factor for each), or `parameter` (an `architecture` parameter whose softmax
    /// over the selected options weights them).
    pub fn select(
        &mut self,
        path: u32,
        choice: ChoiceIndex,
        options: &[u32],
        attributes: &Attributes,
    ) -> Result<()> {
        answer(self.0.select(path, choice, RSlice::from(options), RSlice::from(&attributes.0[..])))
    }

    /// Adds a loss to a path; several are summed. `cross_entropy` compares with the labels (`smoothing`); `distillation`
    /// (T² · KL(softmax(target / T) ‖ softmax(output / T)), the mean over the images, T being `temperature`; Hinton et
    /// al. 2015, <https://arxiv.org/abs/1503.02531>) and `mse` with the same output of an earlier path, which `path` names
    /// and which gets no gradient from it. All take `weight` and `output` (default: `logits`). A path without a loss has
    /// the cross-entropy of its logits with the labels; one with a loss has that alone.
    pub fn loss(&mut self, path: u32, kind: &str, attributes: &Attributes) -> Result<()> {
        answer(self.0.loss(path, kind.into(), RSlice::from(&attributes.0[..])))
    }
}

/// What a sampler wants to be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    /// Each path's loss.
    pub loss: bool,
    /// The 2-norm of the gradient of each path's loss, before clipping. In a step of several paths the loss counts
    /// times the factor of its learning rate (for optimizers that are invariant to the gradient's scale: that factor
    /// over the mean of the step's).
    pub path_gradient_norm: bool,
    /// The same of each option's own parameters, for each path.
    pub option_gradient_norm: bool,
    /// Steps of a block; 0 is taken as 1.
    pub observe_every: u64,
}

impl Wants {
    pub(crate) fn attributes(self) -> Attributes {
        crate::attributes! {
            loss: self.loss,
            path_gradient_norm: self.path_gradient_norm,
            option_gradient_norm: self.option_gradient_norm,
            observe_every: self.observe_every.max(1),
        }
    }
}

/// What came of the steps of a block.
pub struct Outcomes<'a>(pub(crate) OutcomesRef<'a>);

impl Outcomes<'_> {
    /// The run.
    pub fn run(&self) -> Run<'_> {
        Run(self.0.run())
    }

    /// Values of a parameter of the role `architecture`, at the end of the block.
    pub fn parameter(&self, name: &str) -> Result<Vec<f64>> {
        answer(self.0.parameter(name.into())).map(Into::into)
    }

    /// Number of steps in the block.
    pub fn count(&self) -> u32 {
        self.0.count()
    }

    /// The step of an entry.
    pub fn step(&self, entry: u32) -> Result<u64> {
        answer(self.0.step(entry))
    }

    /// Number of paths of an entry.
    pub fn path_count(&self, entry: u32) -> Result<u32> {
        answer(self.0.path_count(entry))
    }

    /// Options that a path took at a choice.
    pub fn selected(&self, entry: u32, path: u32, choice: ChoiceIndex) -> Result<Vec<u32>> {
        answer(self.0.selected(entry, path, choice)).map(Into::into)
    }

    /// A path's `loss` or `gradient_norm`, if it was wanted.
    pub fn path_value(&self, entry: u32, path: u32, name: &str) -> Result<f64> {
        answer(self.0.path_value(entry, path, name.into()))
    }

    /// The `gradient_norm` of an option that the path took, if it was wanted; 0 for one without parameters of its own.
    pub fn option_value(&self, entry: u32, path: u32, choice: u32, option: u32, name: &str) -> Result<f64> {
        answer(self.0.option_value(entry, path, choice, option, name.into()))
    }
}
