//! State groups: which steps share the optimizer's state.

use nshot_abi::host::PathsRef;

use crate::error::{Result, answer};
use crate::random::Random;
use crate::run::{ChoiceIndex, Run};
use crate::sampler::no_state;
use crate::settings::Settings;

/// Separates the optimizer's state, any optimizer's: steps of one group share slots, others do not.
///
/// ```
/// use nshot_sdk::prelude::*;
///
/// /// One group for each option of the first choice.
/// struct ByFirstChoice;
///
/// impl StateGroups for ByFirstChoice {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn separate_by(&mut self, _run: &Run) -> Result<Vec<ChoiceIndex>> {
///         Ok(vec![0])
///     }
/// }
/// ```
pub trait StateGroups: Sized + Send + 'static {
    /// The settings, from the manifest's `[state]` table.
    type Settings: Settings;
    /// One sentence on what it is.
    const ABOUT: &'static str = "";
    /// Whom to cite, as BibTeX.
    const CITATION: &'static str = "";

    /// Makes the grouping.
    fn new(settings: Self::Settings) -> Result<Self>;
    /// The choices that separate the state: asked before the first stage starts. All paths of a step agree on them, and
    /// the sampler is told them. May be none. A resumed run keeps them, whatever is answered then.
    fn separate_by(&mut self, run: &Run) -> Result<Vec<ChoiceIndex>>;

    /// The group of a step. Default: one for each combination of options at the separated choices.
    fn group(&mut self, paths: &Paths) -> Result<u64> {
        paths.default_group()
    }

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

/// What the paths of a step selected.
pub struct Paths<'a>(pub(crate) PathsRef<'a>);

impl Paths<'_> {
    /// The run.
    pub fn run(&self) -> Run<'_> {
        Run(self.0.run())
    }

    /// This step's random numbers.
    pub fn random(&self) -> Random {
        self.run().random(self.step())
    }

    /// The step within the current stage, from 0.
    pub fn step(&self) -> u64 {
        self.0.step()
    }

    /// Number of paths.
    pub fn count(&self) -> u32 {
        self.0.count()
    }

    /// Options of a path at a choice.
    pub fn selected(&self, path: u32, choice: ChoiceIndex) -> Result<Vec<u32>> {
        answer(self.0.selected(path, choice)).map(Into::into)
    }

    /// The group given by the options at the separated choices.
    pub fn default_group(&self) -> Result<u64> {
        answer(self.0.default_group())
    }
}
