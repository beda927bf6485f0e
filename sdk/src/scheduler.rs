//! Learning-rate schedulers.

use nshot_abi::host::{ProgressRef, SubnetRef};

use crate::error::{Result, answer};
use crate::run::{ChoiceIndex, Run};
use crate::sampler::no_state;
use crate::settings::Settings;

/// Scales the base learning rate for each step and subnet.
///
/// One path in a step: the factor scales the update's learning rate. Several: the losses of the paths are summed, each
/// scaled by its factor, and the update has the base rate; for an optimizer that is invariant to the gradient's scale
/// the update has base rate times mean factor, and each loss is scaled by factor ÷ mean.
///
/// ```
/// use nshot_sdk::prelude::*;
///
/// struct Linear;
///
/// impl LrScheduler for Linear {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn factor(&mut self, at: &Progress, _subnet: &Subnet) -> Result<f64> {
///         Ok(1.0 - at.fraction())
///     }
/// }
/// ```
pub trait LrScheduler: Sized + Send + 'static {
    /// The settings, from the manifest's `[scheduler]` table.
    type Settings: Settings;
    /// One sentence on what it is.
    const ABOUT: &'static str = "";
    /// Whom to cite, as BibTeX.
    const CITATION: &'static str = "";

    /// Makes the scheduler.
    fn new(settings: Self::Settings) -> Result<Self>;
    /// The factor, a finite number of at least 0, of the base learning rate.
    fn factor(&mut self, at: &Progress, subnet: &Subnet) -> Result<f64>;

    /// A stage starts.
    fn start(&mut self, _run: &Run) -> Result<()> {
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

/// How far the current stage's schedule is.
pub struct Progress<'a>(pub(crate) ProgressRef<'a>);

impl Progress<'_> {
    /// The run.
    pub fn run(&self) -> Run<'_> {
        Run(self.0.run())
    }

    /// The step, from 0.
    pub fn step(&self) -> u64 {
        self.0.step()
    }

    /// Steps of the whole schedule.
    pub fn total_steps(&self) -> u64 {
        self.0.total_steps()
    }

    /// Steps of an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        self.0.steps_per_epoch()
    }

    /// step / total steps: 0 at the first step, just below 1 at the last.
    pub fn fraction(&self) -> f64 {
        self.step() as f64 / self.total_steps().max(1) as f64
    }
}

/// The subnet of one path.
pub struct Subnet<'a>(pub(crate) SubnetRef<'a>);

impl Subnet<'_> {
    /// Options that it takes at a choice.
    pub fn selected(&self, choice: ChoiceIndex) -> Result<Vec<u32>> {
        answer(self.0.selected(choice)).map(Into::into)
    }

    /// Its complexity: `weights`, `params`, `macs`, or another measure of the run.
    pub fn complexity(&self, measure: &str) -> Result<f64> {
        answer(self.0.complexity(measure.into()))
    }
}
