//! Search spaces: which subnets there are, and what each computes.

use crate::declare::{Choice, Declare};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::run::{Architecture, Task};
use crate::settings::Settings;

/// A search space: choices, parameters, and a graph for each selection.
///
/// It does not compute; it describes. All methods are pure: the host may cache what they return and call
/// them from several threads.
///
/// ```
/// use nshot_sdk::prelude::*;
///
/// /// One convolution, 3x3 or 5x5.
/// struct TwoKernels {
///     kernels: Vec<Conv2d>,
///     classifier: Linear,
/// }
///
/// impl SearchSpace for TwoKernels {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings, task: &Task) -> Result<Self> {
///         let channels = task.input_shape[0];
///         let conv = |side| Conv2d::new(&format!("conv{side}"), channels, 8, side);
///         Ok(Self { kernels: vec![conv(3), conv(5)], classifier: Linear::new("classifier", 8, task.classes) })
///     }
///
///     fn choices(&self) -> Vec<Choice> {
///         vec![Choice::new("kernel", &["3x3", "5x5"])]
///     }
///
///     fn declare(&self, to: &mut Declare) -> Result<()> {
///         self.kernels.iter().try_for_each(|conv| conv.declare(to))?;
///         self.classifier.declare(to)
///     }
///
///     fn describe(&self, g: &mut Graph) -> Result<()> {
///         let x = g.input("image")?;
///         let y = g.choose(0, |g, option| self.kernels[option as usize].forward(g, x))?;
///         let y = g.batch_norm(y)?;
///         let y = g.relu(y)?;
///         let y = g.global_avg_pool(y)?;
///         let y = self.classifier.forward(g, y)?;
///         g.output("logits", y)
///     }
///
///     fn extremes(&self) -> (Architecture, Architecture) {
///         (vec![0], vec![1])
///     }
/// }
/// ```
pub trait SearchSpace: Sized + Send + Sync + 'static {
    /// The settings, from the manifest's `[space]` table.
    type Settings: Settings;
    /// One sentence on what it is.
    const ABOUT: &'static str = "";
    /// Whom to cite, as BibTeX.
    const CITATION: &'static str = "";

    /// Makes the space for a task.
    ///
    /// # Errors
    /// The task or a setting cannot be served (such as an image size).
    fn new(settings: Self::Settings, task: &Task) -> Result<Self>;
    /// The choices, in order.
    fn choices(&self) -> Vec<Choice>;
    /// Declares every parameter that any subnet may use.
    fn declare(&self, to: &mut Declare) -> Result<()>;
    /// Describes the selected subnet, with an output `logits` of shape `[N, classes]`.
    fn describe(&self, g: &mut Graph) -> Result<()>;
    /// The smallest and the largest architecture by weights.
    fn extremes(&self) -> (Architecture, Architecture);

    /// The same by another measure: `weights`, `params`, `macs`, or a run's own. Default: by weights.
    fn extremes_by(&self, _measure: &str) -> (Architecture, Architecture) {
        self.extremes()
    }

    /// Whether a combination of options is one of the space. Default: every one is.
    fn valid(&self, _architecture: &[u32]) -> bool {
        true
    }

    /// The representative of all architectures that are the same network when trained alone. Default: itself.
    fn canonical(&self, architecture: &[u32]) -> Result<Architecture> {
        Ok(architecture.to_vec())
    }

    /// The space's customary text. Default: the options' indices, separated by commas.
    fn to_text(&self, architecture: &[u32]) -> Result<String> {
        let options: Vec<String> = architecture.iter().map(ToString::to_string).collect();
        Ok(options.join(","))
    }

    /// Reads any of the space's customary texts. Default: the form of [`to_text`](Self::to_text)'s default.
    ///
    /// # Errors
    /// The text is in no form of this space.
    fn from_text(&self, text: &str) -> Result<Architecture> {
        text.split(',')
            .map(|option| option.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|_| Error::new(format!("`{text}` is not a list of option indices such as `0,3,1`")))
    }
}
