//! Which values are zero whatever the parameters and images are, and which do not vary within a channel.
//!
//! A batch norm takes the mean away, so of a value that is the same everywhere in a channel nothing is left:
//! that is how a convolution's bias behind a `none` disappears. As the facts hold for all values of the
//! parameters, no parameter behind a zero has a gradient from it, and leaving the zero out changes none.

use crate::{Graph, Node, Op, Statistics};

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// All elements are zero.
    Zero,
    /// Equal along all dimensions but the second.
    PerChannel,
    /// Nothing.
    Varies,
}

use Fact::{PerChannel, Varies, Zero};

/// Facts of all values of a graph.
pub(crate) fn facts(graph: &Graph) -> Vec<Fact> {
    let mut facts = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let fact = Inputs { graph, node, facts: &facts }.fact();
        facts.push(fact);
    }
    facts
}

struct Inputs<'a> {
    graph: &'a Graph,
    node: &'a Node,
    facts: &'a [Fact],
}

impl Inputs<'_> {
    fn fact(&self) -> Fact {
        let node = self.node;
        match &node.op {
            Op::Input { .. } | Op::Parameter { .. } => self.by_shape(),
            Op::Zeros | Op::ZerosLike => Zero,
            Op::Constant { value } => {
                if *value == 0.0 {
                    Zero
                } else {
                    PerChannel
                }
            }
            Op::Relu
            | Op::Relu6
            | Op::Hardswish
            | Op::Tanh
            | Op::Silu
            | Op::Gelu { .. }
            | Op::GlobalAvgPool
            | Op::Slice { .. } => self.at(0),
            // A dilated window can lie with all its elements in the padding; its maximum is not finite.
            Op::MaxPool2d { padding, dilation, .. } => {
                if *padding == [0; 2] || *dilation == [1; 2] {
                    self.at(0)
                } else {
                    Varies
                }
            }
            Op::Sigmoid => self.at(0).max(PerChannel),
            Op::AvgPool2d { padding, count_include_pad, .. } => {
                if *padding == [0; 2] || !count_include_pad {
                    self.at(0)
                } else {
                    zero_or_varies(self.at(0))
                }
            }
            Op::Reshape | Op::Transpose { .. } | Op::Dropout { .. } | Op::LayerNorm { affine: false, .. } => {
                zero_or_varies(self.at(0))
            }
            Op::LayerNorm { affine: true, .. } | Op::Softmax { .. } | Op::Aten { .. } => Varies,
            Op::BatchNorm { affine, statistics, .. } => match (self.at(0), affine, statistics) {
                (Varies, ..) => Varies,
                (_, false, Statistics::Batch) => Zero,
                _ => PerChannel,
            },
            Op::Conv2d { padding, .. } => {
                let constant = *padding == [0; 2] && self.at(0) <= PerChannel;
                self.product(if constant { PerChannel } else { Varies }, true)
            }
            Op::Linear => {
                let rows = node.shape.len() == 2;
                self.product(if rows { self.at(0) } else { Varies }, rows)
            }
            Op::Matmul => {
                if self.any_zero() {
                    Zero
                } else {
                    Varies
                }
            }
            Op::Mul => {
                if self.any_zero() {
                    Zero
                } else {
                    self.together()
                }
            }
            Op::Add => self.together(),
            Op::Cat { dim } => {
                let most = self.most();
                if most == Zero || *dim == 1 { most } else { Varies }
            }
        }
    }

    fn at(&self, input: usize) -> Fact {
        self.facts[self.node.inputs[input] as usize]
    }

    fn most(&self) -> Fact {
        self.node.inputs.iter().map(|value| self.facts[*value as usize]).max().unwrap_or(Varies)
    }

    fn any_zero(&self) -> bool {
        self.node.inputs.iter().any(|value| self.facts[*value as usize] == Zero)
    }

    /// Of a value that is given from outside: constant only for lack of other elements.
    fn by_shape(&self) -> Fact {
        let single = self.node.shape.iter().enumerate().all(|(dim, size)| dim == 1 || *size == 1);
        if single { PerChannel } else { Varies }
    }

    /// Of a convolution or linear map whose input and weight give `otherwise` if neither is zero.
    /// `channels`: whether the bias lies along the second dimension.
    fn product(&self, otherwise: Fact, channels: bool) -> Fact {
        if self.at(0) != Zero && self.at(1) != Zero {
            return otherwise;
        }
        match self.node.inputs.get(2).map(|bias| self.facts[*bias as usize]) {
            None | Some(Zero) => Zero,
            Some(_) if channels => PerChannel,
            Some(_) => Varies,
        }
    }

    /// Of element-wise operations on several values: their second dimensions have to meet.
    fn together(&self) -> Fact {
        let rank = self.node.shape.len();
        let met = self.node.inputs.iter().all(|value| {
            let own = self.graph.node(*value).shape.len();
            self.facts[*value as usize] == Zero || own == rank || own < 2
        });
        if met { self.most() } else { Varies }
    }
}

fn zero_or_varies(fact: Fact) -> Fact {
    if fact == Zero { Zero } else { Varies }
}
