//! Searchers: which architectures to score next.

use nshot_abi::abi_stable::std_types::RSlice;
use nshot_abi::host::{AskMut, ScoredRef};

use crate::error::{Result, answer};
use crate::random::Random;
use crate::run::{Architecture, Run};
use crate::sampler::no_state;
use crate::settings::Settings;

/// Searches a trained supernet: asks for scores in rounds until it asks for none.
///
/// ```
/// use nshot_sdk::prelude::*;
///
/// /// Ten random architectures.
/// struct Ten;
///
/// impl Searcher for Ten {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn ask(&mut self, ask: &mut Ask) -> Result<()> {
///         if ask.round() == 0 {
///             let mut random = ask.random();
///             for _ in 0..10 {
///                 let architecture = ask.uniform(&mut random)?;
///                 ask.candidate(&architecture)?;
///             }
///         }
///         Ok(())
///     }
///
///     fn tell(&mut self, _scored: &Scored) -> Result<()> {
///         Ok(())
///     }
/// }
/// ```
pub trait Searcher: Sized + Send + 'static {
    /// The settings, from the manifest's `[search]` table.
    type Settings: Settings;
    /// One sentence on what it is.
    const ABOUT: &'static str = "";
    /// Whom to cite, as BibTeX.
    const CITATION: &'static str = "";

    /// Makes the searcher.
    fn new(settings: Self::Settings) -> Result<Self>;
    /// Asks for scores; a round without a candidate ends the search.
    fn ask(&mut self, ask: &mut Ask) -> Result<()>;
    /// Takes the scores of the round, in the order in which they were asked for.
    fn tell(&mut self, scored: &Scored) -> Result<()>;

    /// The search starts.
    fn start(&mut self, _run: &Run) -> Result<()> {
        Ok(())
    }

    /// The state that [`load`](Self::load) takes back when a search resumes. Default: none.
    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Takes back a saved state, after [`start`](Self::start).
    fn load(&mut self, state: &[u8]) -> Result<()> {
        no_state(state)
    }
}

/// Takes the architectures of a round.
pub struct Ask<'a>(pub(crate) AskMut<'a>);

impl Ask<'_> {
    /// The run.
    pub fn run(&self) -> Run<'_> {
        Run(self.0.run())
    }

    /// The round, from 0.
    pub fn round(&self) -> u64 {
        self.0.round()
    }

    /// This round's random numbers.
    pub fn random(&self) -> Random {
        self.run().random(self.round())
    }

    /// An architecture drawn uniformly from the valid ones.
    pub fn uniform(&self, random: &mut Random) -> Result<Architecture> {
        self.run().uniform(random)
    }

    /// Values of a parameter of the role `architecture`.
    pub fn parameter(&self, name: &str) -> Result<Vec<f64>> {
        answer(self.0.parameter(name.into())).map(Into::into)
    }

    /// Adds an architecture to the round.
    pub fn candidate(&mut self, architecture: &[u32]) -> Result<()> {
        answer(self.0.candidate(RSlice::from(architecture), RSlice::from(&[][..])))
    }
}

/// The scored architectures of a round.
pub struct Scored<'a>(pub(crate) ScoredRef<'a>);

impl Scored<'_> {
    /// The run.
    pub fn run(&self) -> Run<'_> {
        Run(self.0.run())
    }

    /// Number of architectures.
    pub fn count(&self) -> u32 {
        self.0.count()
    }

    /// An architecture.
    pub fn architecture(&self, entry: u32) -> Result<Architecture> {
        answer(self.0.architecture(entry)).map(Into::into)
    }

    /// A figure: `accuracy` (0 to 1), `nll`, or a measure of complexity.
    pub fn value(&self, entry: u32, name: &str) -> Result<f64> {
        answer(self.0.value(entry, name.into()))
    }
}
