//! The layers of the network; their parameters are named as in a PyTorch module of the same structure.

use nshot_sdk::Value;
use nshot_sdk::prelude::*;

use crate::architecture::{self, EDGES};
use crate::settings::Norm;

/// All layers of the supernet.
pub(crate) struct Network {
    pub(crate) stem: Conv2d,
    pub(crate) stem_norm: BatchNorm,
    /// Cells by stage.
    pub(crate) stages: Vec<Vec<CellLayers>>,
    /// What stands between the stages.
    pub(crate) reductions: Vec<Reduction>,
    pub(crate) norm: BatchNorm,
    pub(crate) classifier: Linear,
}

/// The layers of one cell, `[N, C, H, W]` to the same shape.
pub(crate) struct CellLayers {
    name: String,
    edges: Vec<EdgeLayers>,
}

/// The operations of one edge that have parameters.
struct EdgeLayers {
    nor_conv_1x1: ReluConvNorm,
    nor_conv_3x3: ReluConvNorm,
}

/// A residual block, `[N, C, H, W]` to `[N, 2C, H/2, W/2]`.
pub(crate) struct Reduction {
    name: String,
    a: ReluConvNorm,
    b: ReluConvNorm,
    shortcut: Conv2d,
}

/// Rectifier, convolution, batch norm.
struct ReluConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl CellLayers {
    pub(crate) fn new(name: &str, channels: u64, norm: Norm) -> Self {
        let layers = |edge: usize, operation: &str, side: u64| {
            let name = format!("{name}.edges.{edge}.{operation}");
            let conv = Conv2d::new(&format!("{name}.conv"), channels, channels, side);
            ReluConvNorm::new(conv, &format!("{name}.norm"), channels, norm)
        };
        let edges = (0..EDGES.len())
            .map(|edge| EdgeLayers {
                nor_conv_1x1: layers(edge, "nor_conv_1x1", 1),
                nor_conv_3x3: layers(edge, "nor_conv_3x3", 3),
            })
            .collect();
        Self { name: name.to_owned(), edges }
    }

    pub(crate) fn declare(&self, to: &mut Declare) -> Result<()> {
        self.edges.iter().try_for_each(|edge| {
            edge.nor_conv_1x1.declare(to)?;
            edge.nor_conv_3x3.declare(to)
        })
    }

    /// Each node is the sum of its edges; the last one is the cell's result.
    pub(crate) fn forward(&self, g: &mut Graph, x: Value) -> Result<Value> {
        g.scope(&self.name, |g| {
            let mut nodes = vec![x];
            for target in 1..4 {
                let entering = EDGES.iter().enumerate().filter(|(_, edge)| edge.1 == target);
                let terms = entering
                    .map(|(edge, &(source, _))| self.edge(g, edge, nodes[source]))
                    .collect::<Result<Vec<_>>>()?;
                nodes.push(if let [only] = terms[..] { only } else { g.add(&terms)? });
            }
            Ok(nodes[3])
        })
    }

    fn edge(&self, g: &mut Graph, edge: usize, x: Value) -> Result<Value> {
        let layers = &self.edges[edge];
        g.scope(&architecture::edge_name(edge), |g| {
            g.choose(edge as ChoiceIndex, |g, option| match option {
                architecture::NONE => g.zeros_like(x),
                architecture::SKIP_CONNECT => Ok(x),
                architecture::NOR_CONV_1X1 => layers.nor_conv_1x1.forward(g, x),
                architecture::NOR_CONV_3X3 => layers.nor_conv_3x3.forward(g, x),
                _ => g.avg_pool2d(x, Pool { kernel: 3, stride: 1, padding: 1 }, false),
            })
        })
    }
}

impl Reduction {
    pub(crate) fn new(name: &str, channels: u64, norm: Norm) -> Self {
        let wide = 2 * channels;
        let a = Conv2d::new(&format!("{name}.conv_a"), channels, wide, 3).stride(2);
        let b = Conv2d::new(&format!("{name}.conv_b"), wide, wide, 3);
        Self {
            name: name.to_owned(),
            a: ReluConvNorm::new(a, &format!("{name}.norm_a"), wide, norm),
            b: ReluConvNorm::new(b, &format!("{name}.norm_b"), wide, norm),
            shortcut: Conv2d::new(&format!("{name}.shortcut"), channels, wide, 1).no_bias(),
        }
    }

    pub(crate) fn declare(&self, to: &mut Declare) -> Result<()> {
        self.a.declare(to)?;
        self.b.declare(to)?;
        self.shortcut.declare(to)
    }

    pub(crate) fn forward(&self, g: &mut Graph, x: Value) -> Result<Value> {
        g.scope(&self.name, |g| {
            let y = self.a.forward(g, x)?;
            let y = self.b.forward(g, y)?;
            let short = g.avg_pool2d(x, Pool { kernel: 2, stride: 2, padding: 0 }, true)?;
            let short = self.shortcut.forward(g, short)?;
            g.add(&[short, y])
        })
    }
}

impl ReluConvNorm {
    /// With an affine norm the convolution's bias would be void.
    fn new(conv: Conv2d, norm_name: &str, channels: u64, norm: Norm) -> Self {
        let conv = if norm == Norm::Affine { conv.no_bias() } else { conv };
        Self { conv, norm: norm.layer(norm_name, channels) }
    }

    fn declare(&self, to: &mut Declare) -> Result<()> {
        self.conv.declare(to)?;
        self.norm.declare(to)
    }

    fn forward(&self, g: &mut Graph, x: Value) -> Result<Value> {
        let y = g.relu(x)?;
        let y = self.conv.forward(g, y)?;
        self.norm.forward(g, y)
    }
}
