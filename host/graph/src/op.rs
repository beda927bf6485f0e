//! Operations with their attributes checked and in types: an executor never parses text.

use crate::{Attributes, Role, Shape};

/// What a node computes. The inputs' order is that of the list in each variant; optional inputs are absent
/// from the end. `[a, b]` are height and width.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// A named input of the graph: its index in [`Graph::inputs`](crate::Graph::inputs).
    Input {
        /// Index in the graph's table of inputs.
        index: usize,
    },
    /// A declared parameter. The node's name is the parameter's.
    Parameter {
        /// Index in the table that the graph was built with.
        index: usize,
        /// The role that it was declared with.
        role: Role,
    },
    /// `x [N, C, H, W], weight [O, C/groups, kh, kw], bias [O]?` → `[N, O, H', W']`.
    #[allow(missing_docs)]
    Conv2d { stride: [i64; 2], padding: [i64; 2], dilation: [i64; 2], groups: i64 },
    /// `x [N, C, …], (weight [C], bias [C] if affine), (mean [C], var [C] if running)` → shape of `x`.
    BatchNorm {
        /// Whether weight and bias follow `x`.
        affine: bool,
        /// Whether the buffers mean and variance follow.
        running: bool,
        /// Which statistics normalise.
        statistics: Statistics,
        /// Share of the new statistics in the buffers after an update.
        momentum: f64,
        /// Added to the variance; positive.
        eps: f64,
    },
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `x · relu6(x + 3) / 6`
    Hardswish,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// `tanh(x)`
    Tanh,
    /// `x · sigmoid(x)`
    Silu,
    /// `x · Φ(x)`
    #[allow(missing_docs)]
    Gelu { approximate: GeluApproximation },
    /// `x [N, C, H, W]` → `[N, C, H', W']`.
    #[allow(missing_docs)]
    AvgPool2d {
        kernel: [i64; 2],
        stride: [i64; 2],
        padding: [i64; 2],
        count_include_pad: bool,
        ceil_mode: bool,
    },
    /// `x [N, C, H, W]` → `[N, C, H', W']`.
    #[allow(missing_docs)]
    MaxPool2d { kernel: [i64; 2], stride: [i64; 2], padding: [i64; 2], dilation: [i64; 2], ceil_mode: bool },
    /// `x [N, C, H, W]` → `[N, C]`, the mean over height and width.
    GlobalAvgPool,
    /// `x […, in], weight [out, in], bias [out]?` → `[…, out]`.
    Linear,
    /// One or more terms that broadcast to the node's shape.
    Add,
    /// Two factors that broadcast to the node's shape.
    Mul,
    /// One or more parts, joined along `dim`.
    #[allow(missing_docs)]
    Cat { dim: usize },
    /// Zeros of the node's shape; no inputs.
    Zeros,
    /// Zeros of the input's shape.
    ZerosLike,
    /// `value` in the node's shape; no inputs.
    #[allow(missing_docs)]
    Constant { value: f64 },
    /// Elements `start, start + step, …` before `end` along `dim`; `0 <= start < end <= size`, `step >= 1`.
    #[allow(missing_docs)]
    Slice { dim: usize, start: i64, end: i64, step: i64 },
    /// The input's elements in the node's shape.
    Reshape,
    /// The two dimensions swapped.
    #[allow(missing_docs)]
    Transpose { dim0: usize, dim1: usize },
    /// `x […, m, k], y […, k, n]` → `[…, m, n]`, leading dimensions broadcast; each of two dimensions or more.
    Matmul,
    /// Over `dim`.
    #[allow(missing_docs)]
    Softmax { dim: usize },
    /// `x […, *normalized_shape], (weight, bias of normalized_shape if affine)` → shape of `x`.
    #[allow(missing_docs)]
    LayerNorm { normalized_shape: Shape, eps: f64, affine: bool },
    /// Training only: elements dropped with probability `p`, the rest scaled by `1/(1-p)`.
    #[allow(missing_docs)]
    Dropout { p: f64 },
    /// Any operator of libtorch: tensor inputs in order, the other arguments of its schema by name. The node's
    /// shape is what the description stated.
    Aten {
        /// Name and overload without `aten::`, for example `clamp` or `add.Tensor`.
        operator: String,
        /// Arguments of the schema, as given; unchecked.
        attributes: Attributes,
        /// What it costs, as stated; `None` where nothing was.
        weights: Option<u64>,
        /// Parameter elements, instead of those that enter it.
        params: Option<u64>,
        /// Multiply-accumulates per image.
        macs: Option<u64>,
    },
}

/// Which statistics a batch norm normalises with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistics {
    /// The batch's own, also in evaluation; buffers are left alone.
    Batch,
    /// The batch's own in training, which also updates the buffers; the buffers in evaluation.
    Running,
}

/// How GELU is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GeluApproximation {
    /// With the error function.
    None,
    /// With the hyperbolic tangent.
    Tanh,
}

impl Op {
    /// The name that a description uses for the operation; for [`Op::Aten`] with the prefix `aten::`.
    pub fn name(&self) -> String {
        if let Op::Aten { operator, .. } = self {
            format!("aten::{operator}")
        } else {
            self.plain_name().into()
        }
    }

    /// As [`Op::name`], but plain `aten` for [`Op::Aten`].
    pub(crate) fn plain_name(&self) -> &'static str {
        match self {
            Op::Input { .. } => "input",
            Op::Parameter { .. } => "parameter",
            Op::Conv2d { .. } => "conv2d",
            Op::BatchNorm { .. } => "batch_norm",
            Op::Relu => "relu",
            Op::Relu6 => "relu6",
            Op::Hardswish => "hardswish",
            Op::Sigmoid => "sigmoid",
            Op::Tanh => "tanh",
            Op::Silu => "silu",
            Op::Gelu { .. } => "gelu",
            Op::AvgPool2d { .. } => "avg_pool2d",
            Op::MaxPool2d { .. } => "max_pool2d",
            Op::GlobalAvgPool => "global_avg_pool",
            Op::Linear => "linear",
            Op::Add => "add",
            Op::Mul => "mul",
            Op::Cat { .. } => "cat",
            Op::Zeros => "zeros",
            Op::ZerosLike => "zeros_like",
            Op::Constant { .. } => "constant",
            Op::Slice { .. } => "slice",
            Op::Reshape => "reshape",
            Op::Transpose { .. } => "transpose",
            Op::Matmul => "matmul",
            Op::Softmax { .. } => "softmax",
            Op::LayerNorm { .. } => "layer_norm",
            Op::Dropout { .. } => "dropout",
            Op::Aten { .. } => "aten",
        }
    }
}
