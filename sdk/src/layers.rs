//! Layers: parameters and the operation that uses them, together. A space keeps them in its struct, declares them
//! in `declare`, and applies them in `describe`.

use crate::attributes::Attributes;
use crate::declare::{Declare, Init, Role};
use crate::error::Result;
use crate::graph::{Graph, Value};

/// A 2-d convolution, `[N, inputs, H, W]` to `[N, outputs, H', W']`, as `torch.nn.Conv2d`.
///
/// H' = ⌊(H + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1. Parameters: `NAME.weight`
/// `[outputs, inputs/groups, kernel, kernel]` and, with a bias, `NAME.bias` `[outputs]`, both uniform within
/// ±1/√`fan_in` at the start.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: String,
    bias: Option<String>,
    inputs: u64,
    outputs: u64,
    kernel: u64,
    stride: u64,
    padding: u64,
    dilation: u64,
    groups: u64,
}

impl Conv2d {
    /// A convolution of stride 1 that keeps the resolution (for odd kernels), with a bias.
    pub fn new(name: &str, inputs: u64, outputs: u64, kernel: u64) -> Self {
        Self {
            weight: format!("{name}.weight"),
            bias: Some(format!("{name}.bias")),
            inputs,
            outputs,
            kernel,
            stride: 1,
            padding: kernel / 2,
            dilation: 1,
            groups: 1,
        }
    }

    /// With this stride.
    #[must_use]
    pub fn stride(mut self, stride: u64) -> Self {
        self.stride = stride;
        self
    }

    /// With this padding on each side.
    #[must_use]
    pub fn padding(mut self, padding: u64) -> Self {
        self.padding = padding;
        self
    }

    /// With this dilation.
    #[must_use]
    pub fn dilation(mut self, dilation: u64) -> Self {
        self.dilation = dilation;
        self
    }

    /// In this many groups (`inputs` for a depthwise convolution).
    #[must_use]
    pub fn groups(mut self, groups: u64) -> Self {
        self.groups = groups;
        self
    }

    /// Without a bias.
    #[must_use]
    pub fn no_bias(mut self) -> Self {
        self.bias = None;
        self
    }

    /// Declares the parameters.
    pub fn declare(&self, to: &mut Declare) -> Result<()> {
        let per_group = self.inputs / self.groups.max(1);
        let init = Init::FanIn(per_group * self.kernel * self.kernel);
        to.parameter(&self.weight, &[self.outputs, per_group, self.kernel, self.kernel], Role::Weight, init)?;
        match &self.bias {
            Some(bias) => to.parameter(bias, &[self.outputs], Role::Bias, init),
            None => Ok(()),
        }
    }

    /// Applies it to `x`.
    pub fn forward(&self, g: &mut Graph, x: Value) -> Result<Value> {
        let mut inputs = vec![x, g.parameter(&self.weight)?];
        if let Some(bias) = &self.bias {
            inputs.push(g.parameter(bias)?);
        }
        let attributes = crate::attributes! {
            stride: self.stride, padding: self.padding, dilation: self.dilation, groups: self.groups,
        };
        g.op("conv2d", &inputs, &attributes)
    }
}

/// A linear layer, `[…, inputs]` to `[…, outputs]`, as `torch.nn.Linear`. Parameters: `NAME.weight`
/// `[outputs, inputs]` and `NAME.bias` `[outputs]`, uniform within ±1/√inputs at the start.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: String,
    bias: String,
    inputs: u64,
    outputs: u64,
}

impl Linear {
    /// A linear layer with a bias.
    pub fn new(name: &str, inputs: u64, outputs: u64) -> Self {
        Self { weight: format!("{name}.weight"), bias: format!("{name}.bias"), inputs, outputs }
    }

    /// Declares the parameters.
    pub fn declare(&self, to: &mut Declare) -> Result<()> {
        let init = Init::FanIn(self.inputs);
        to.parameter(&self.weight, &[self.outputs, self.inputs], Role::Weight, init)?;
        to.parameter(&self.bias, &[self.outputs], Role::Bias, init)
    }

    /// Applies it to `x`.
    pub fn forward(&self, g: &mut Graph, x: Value) -> Result<Value> {
        let inputs = [x, g.parameter(&self.weight)?, g.parameter(&self.bias)?];
        g.op("linear", &inputs, &Attributes::new())
    }
}

/// Batch norm over N, H, W, eps = 1e-5.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    name: String,
    channels: u64,
    affine: bool,
}

impl BatchNorm {
    /// No parameters; the batch's own statistics, also in evaluation: the usual one of supernets.
    pub fn batch(name: &str, channels: u64) -> Self {
        Self { name: name.to_owned(), channels, affine: false }
    }

    /// Scale `NAME.weight` and shift `NAME.bias`, and running statistics (momentum 0.1) for evaluation, as
    /// `torch.nn.BatchNorm2d`.
    pub fn affine(name: &str, channels: u64) -> Self {
        Self { name: name.to_owned(), channels, affine: true }
    }

    /// Declares the parameters and buffers, each `[channels]`.
    pub fn declare(&self, to: &mut Declare) -> Result<()> {
        if self.affine {
            let shape = [self.channels];
            to.parameter(&self.part("weight"), &shape, Role::Norm, Init::Ones)?;
            to.parameter(&self.part("bias"), &shape, Role::Norm, Init::Zeros)?;
            to.parameter(&self.part("running_mean"), &shape, Role::Buffer, Init::Zeros)?;
            to.parameter(&self.part("running_var"), &shape, Role::Buffer, Init::Ones)?;
        }
        Ok(())
    }

    /// Applies it to `x`.
    pub fn forward(&self, g: &mut Graph, x: Value) -> Result<Value> {
        if !self.affine {
            return g.batch_norm(x);
        }
        let mut inputs = vec![x];
        for part in ["weight", "bias", "running_mean", "running_var"] {
            inputs.push(g.parameter(&self.part(part))?);
        }
        g.op(
            "batch_norm",
            &inputs,
            &crate::attributes! { affine: true, running: true, statistics: "running" },
        )
    }

    fn part(&self, part: &str) -> String {
        format!("{}.{part}", self.name)
    }
}
