//! Optimizers: how an update moves the parameters.

use nshot_abi::abi_stable::std_types::RSlice;
use nshot_abi::host::UpdateMut;

use crate::attributes::{Attributes, none};
use crate::error::{Error, Result, answer};
use crate::run::Run;
use crate::sampler::no_state;
use crate::settings::Settings;

/// Moves the reached parameters. Tensors stay with the host: an optimizer names operations on whole lists.
///
/// ```
/// use nshot_sdk::prelude::*;
///
/// /// parameter -= learning rate · sign(gradient)
/// struct SignSgd;
///
/// impl Optimizer for SignSgd {
///     type Settings = NoSettings;
///     const GRADIENT_SCALE_INVARIANT: bool = true;
///
///     fn new(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn step(&mut self, update: &mut Update) -> Result<()> {
///         let gradients = update.gradients()?;
///         let signs = update.op("sign", &[gradients], &Attributes::new())?;
///         let parameters = update.parameters()?;
///         let rate = update.learning_rate();
///         update.op("add_", &[parameters, signs], &attributes! { alpha: -rate })?;
///         Ok(())
///     }
/// }
/// ```
pub trait Optimizer: Sized + Send + 'static {
    /// The settings, from the manifest's `[optimizer]` table.
    type Settings: Settings;
    /// One sentence on what it is.
    const ABOUT: &'static str = "";
    /// Whom to cite, as BibTeX.
    const CITATION: &'static str = "";
    /// Whether scaling all gradients leaves the update as it is, as with Adam and its kin, and with signs. Decides how
    /// the factors of several paths in one step enter: where it does, their mean scales the learning rate. `nshot plugin
    /// check` tries it.
    const GRADIENT_SCALE_INVARIANT: bool = false;

    /// Makes the optimizer.
    fn new(settings: Self::Settings) -> Result<Self>;
    /// Updates the reached parameters.
    fn step(&mut self, update: &mut Update) -> Result<()>;

    /// A stage starts.
    fn start(&mut self, _run: &Run) -> Result<()> {
        Ok(())
    }

    /// The state beside the slots that [`load`](Self::load) takes back when a run resumes. Default: none.
    fn save(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Takes back a saved state, after [`start`](Self::start).
    fn load(&mut self, state: &[u8]) -> Result<()> {
        no_state(state)
    }
}

/// A list of tensors, one for each parameter of an [`Update`]. Valid within the update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List(pub(crate) u32);

/// One update of the reached parameters.
pub struct Update<'a>(pub(crate) UpdateMut<'a>);

impl Update<'_> {
    /// The run.
    pub fn run(&self) -> Run<'_> {
        Run(self.0.run())
    }

    /// The step within the current stage, from 0.
    pub fn step(&self) -> u64 {
        self.0.step()
    }

    /// The state group of the step.
    pub fn group(&self) -> u64 {
        self.0.group()
    }

    /// The learning rate: base rate times factor.
    pub fn learning_rate(&self) -> f64 {
        self.0.learning_rate()
    }

    /// Number of parameters.
    pub fn count(&self) -> u32 {
        self.0.count()
    }

    /// Name of a parameter.
    pub fn name(&self, parameter: u32) -> Result<String> {
        answer(self.0.name(parameter)).map(Into::into)
    }

    /// Shape of a parameter.
    pub fn shape(&self, parameter: u32) -> Result<Vec<u64>> {
        answer(self.0.shape(parameter)).map(Into::into)
    }

    /// Indices of the parameters with a role: `weight`, `bias`, `norm`, `architecture`.
    pub fn with_role(&self, role: &str) -> Result<Vec<u32>> {
        answer(self.0.with_role(role.into())).map(Into::into)
    }

    /// The parameters.
    pub fn parameters(&mut self) -> Result<List> {
        answer(self.0.parameters()).map(List)
    }

    /// The gradients, clipped.
    pub fn gradients(&mut self) -> Result<List> {
        answer(self.0.gradients(none())).map(List)
    }

    /// A named slot: one tensor of state for each parameter, zeros before its first use in this group.
    pub fn slot(&mut self, name: &str) -> Result<List> {
        answer(self.0.slot(name.into(), RSlice::from(&[][..]))).map(List)
    }

    /// A named slot that starts as a copy of the gradient.
    pub fn slot_from_gradient(&mut self, name: &str) -> Result<List> {
        let attributes = crate::attributes! { init: "gradient" };
        answer(self.0.slot(name.into(), RSlice::from(&attributes.0[..]))).map(List)
    }

    /// For each parameter, in how many updates of this group it took part before this one.
    pub fn update_counts(&mut self) -> Result<Vec<u64>> {
        answer(self.0.update_counts()).map(Into::into)
    }

    /// Some elements of a list, by index.
    pub fn subset(&mut self, list: List, indices: &[u32]) -> Result<List> {
        answer(self.0.subset(list.0, RSlice::from(indices))).map(List)
    }

    /// An operation on whole lists; a trailing `_` works in place on the first list.
    ///
    /// - One list: `sqrt`, `rsqrt`, `abs`, `sign`, `neg`, `reciprocal`, `exp`, `log`, `copy`, `zero_`, `zeros_like`, `ones_like`;
    ///   with `exponent`: `pow`; with `value`: `clamp_min`, `clamp_max`; to one number: `norm`, `sum` of each tensor,
    ///   `global_norm`, `total` of all.
    /// - Two lists, or a list and `value` (a number, or one for each tensor): `add` (`alpha`), `sub`, `mul`, `div`,
    ///   `maximum`, `minimum`, `copy_`; `lerp` (`weight`).
    /// - Three lists: `addcmul`, `addcdiv` (`value`): first + value · second · (or ÷) third.
    /// - `fused_sgd_`: parameters, gradients and, if `momentum` is not 0, the slot; `lr`, `momentum`, `weight_decay`,
    ///   `nesterov`, `dampening`. `fused_adam_`, `fused_adamw_`: parameters, gradients, first moment, second moment;
    ///   `lr`, `beta1`, `beta2`, `eps`, `weight_decay`.
    pub fn op(&mut self, name: &str, lists: &[List], attributes: &Attributes) -> Result<List> {
        let lists: Vec<u32> = lists.iter().map(|list| list.0).collect();
        let made = self.0.op(name.into(), RSlice::from(&lists[..]), RSlice::from(&attributes.0[..]));
        let made = answer(made)?;
        if made.count == 1 {
            Ok(List(made.first))
        } else {
            Err(Error::new(format!("`{name}` has {} results; this method takes one", made.count)))
        }
    }
}
