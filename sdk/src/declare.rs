//! Declaring a space's choices and parameters.

use nshot_abi::abi_stable::std_types::{RSlice, RString};
use nshot_abi::host::DeclareMut;

use crate::attributes::Attributes;
use crate::error::{Result, answer};
use crate::run::ChoiceIndex;

/// A choice of a search space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its name, such as `edge 1<-0`.
    pub name: String,
    /// Names of its options, in order.
    pub options: Vec<String>,
}

impl Choice {
    /// A choice between the named options.
    pub fn new(name: impl Into<String>, options: &[impl AsRef<str>]) -> Self {
        Self { name: name.into(), options: options.iter().map(|option| option.as_ref().to_owned()).collect() }
    }
}

/// What a parameter is for: weight decay and other rules go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A weight of a convolution, a linear layer, an embedding.
    Weight,
    /// A bias.
    Bias,
    /// Scale or shift of a norm.
    Norm,
    /// Running statistics: not trained, kept per sub-supernet.
    Buffer,
    /// A logit of the architecture (DARTS and its kin).
    Architecture,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Norm => "norm",
            Self::Buffer => "buffer",
            Self::Architecture => "architecture",
        }
    }
}

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Uniform within ±1/√`fan_in`: PyTorch's default for convolutions and linear layers.
    FanIn(u64),
    /// Uniform from `low` to `high`.
    Uniform(f64, f64),
    /// Normal with this mean and deviation.
    Normal(f64, f64),
    /// Zeros.
    Zeros,
    /// Ones.
    Ones,
}

impl Init {
    fn attributes(self) -> Attributes {
        match self {
            Self::FanIn(fan_in) => {
                let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
                Self::Uniform(-bound, bound).attributes()
            }
            Self::Uniform(low, high) => crate::attributes! { init: "uniform", low: low, high: high },
            Self::Normal(mean, std) => crate::attributes! { init: "normal", mean: mean, std: std },
            Self::Zeros => crate::attributes! { init: "zeros" },
            Self::Ones => crate::attributes! { init: "ones" },
        }
    }
}

/// Takes the declarations of a space.
pub struct Declare<'a>(pub(crate) DeclareMut<'a>);

impl Declare<'_> {
    /// Declares a parameter, named as in a PyTorch state dict (`stem.weight`). Names are unique.
    pub fn parameter(&mut self, name: &str, shape: &[u64], role: Role, init: Init) -> Result<()> {
        let attributes = init.attributes().with("role", role.name());
        answer(self.0.parameter(name.into(), RSlice::from(shape), RSlice::from(&attributes.0[..])))?;
        Ok(())
    }

    pub(crate) fn choice(&mut self, choice: &Choice) -> Result<ChoiceIndex> {
        let options: Vec<RString> = choice.options.iter().map(|name| RString::from(name.as_str())).collect();
        answer(self.0.choice(choice.name.as_str().into(), RSlice::from(&options[..]), RSlice::from(&[][..])))
    }
}
