//! The layers of the network; their parameters are named as in a PyTorch module of the same structure.

use nshot_sdk::Value;
use nshot_sdk::prelude::*;

use crate::architecture::OPERATIONS;
use crate::settings::{Norm, Settings};

/// All layers of the supernet.
pub(crate) struct Network {
    pub(crate) stem: ConvNorm,
    pub(crate) first: InvertedBottleneck,
    /// For each choice layer its operations but the identity, in order.
    pub(crate) layers: Vec<Vec<InvertedBottleneck>>,
    pub(crate) mix: ConvNorm,
    pub(crate) classifier: Linear,
}

/// 1x1 expansion, depthwise convolution, 1x1 projection: `[N, C, H, W]` to `[N, C', H/stride, W/stride]`, rounded up.
pub(crate) struct InvertedBottleneck {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    project: ConvNorm,
    /// Whether its input is added to its result.
    residual: bool,
}

/// Convolution without bias, batch norm.
pub(crate) struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

/// Channels before and after a block, and its stride.
#[derive(Clone, Copy)]
struct Shape {
    inputs: u64,
    outputs: u64,
    stride: u64,
}

impl Network {
    pub(crate) fn new(settings: &Settings, task: &Task) -> Self {
        let norm = settings.batch_norm;
        let Settings { stem, first, last, .. } = *settings;
        let mut inputs = first;
        let mut layers = Vec::new();
        for ((outputs, count), stride) in settings.widths.iter().zip(&settings.layers).zip(&settings.strides)
        {
            for layer in 0..*count {
                let stride = if layer == 0 { *stride } else { 1 };
                let shape = Shape { inputs, outputs: *outputs, stride };
                layers.push(operations(layers.len(), shape, norm));
                inputs = *outputs;
            }
        }
        let conv = Conv2d::new("stem", task.input_shape[0], stem, 3).stride(settings.stem_stride);
        let shape = Shape { inputs: stem, outputs: first, stride: 1 };
        Self {
            stem: ConvNorm::new("stem", conv, stem, norm),
            // A fixed block, not of the same family: never a residual one.
            first: InvertedBottleneck {
                residual: false,
                ..InvertedBottleneck::new("first", shape, (3, 1), norm)
            },
            layers,
            mix: ConvNorm::new("mix", Conv2d::new("mix", inputs, last, 1), last, norm),
            classifier: Linear::new("classifier", last, task.classes),
        }
    }
}

fn operations(layer: usize, shape: Shape, norm: Norm) -> Vec<InvertedBottleneck> {
    let block = |(option, operation)| {
        InvertedBottleneck::new(&format!("layers.{layer}.{option}"), shape, operation, norm)
    };
    OPERATIONS.into_iter().enumerate().map(block).collect()
}

impl InvertedBottleneck {
    fn new(name: &str, shape: Shape, (kernel, expansion): (u64, u64), norm: Norm) -> Self {
        let Shape { inputs, outputs, stride } = shape;
        let middle = inputs * expansion;
        let part = |part: &str, inputs, outputs, kernel, stride, groups| {
            let name = format!("{name}.{part}");
            let conv = Conv2d::new(&name, inputs, outputs, kernel).stride(stride).groups(groups);
            ConvNorm::new(&name, conv, outputs, norm)
        };
        Self {
            expand: (expansion > 1).then(|| part("expand", inputs, middle, 1, 1, 1)),
            depthwise: part("depthwise", middle, middle, kernel, stride, middle),
            project: part("project", middle, outputs, 1, 1, 1),
            residual: stride == 1 && inputs == outputs,
        }
    }

    pub(crate) fn declare(&self, to: &mut Declare) -> Result<()> {
        self.expand.iter().try_for_each(|expand| expand.declare(to))?;
        self.depthwise.declare(to)?;
        self.project.declare(to)
    }

    pub(crate) fn forward(&self, g: &mut Graph, x: Value) -> Result<Value> {
        let y = match &self.expand {
            Some(expand) => expand.forward_relu6(g, x)?,
            None => x,
        };
        let y = self.depthwise.forward_relu6(g, y)?;
        let y = self.project.forward(g, y)?;
        if self.residual { g.add(&[x, y]) } else { Ok(y) }
    }
}

impl ConvNorm {
    fn new(name: &str, conv: Conv2d, channels: u64, norm: Norm) -> Self {
        Self { conv: conv.no_bias(), norm: norm.layer(&format!("{name}.norm"), channels) }
    }

    pub(crate) fn declare(&self, to: &mut Declare) -> Result<()> {
        self.conv.declare(to)?;
        self.norm.declare(to)
    }

    fn forward(&self, g: &mut Graph, x: Value) -> Result<Value> {
        let y = self.conv.forward(g, x)?;
        self.norm.forward(g, y)
    }

    pub(crate) fn forward_relu6(&self, g: &mut Graph, x: Value) -> Result<Value> {
        let y = self.forward(g, x)?;
        g.relu6(y)
    }
}
