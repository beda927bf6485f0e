//! What a subnet costs.

use crate::{Action, Graph, Node, Op, Plan, shape, usage};

/// Complexity of a graph as described, per image: dead branches count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Cost {
    /// Elements of parameters that serve as weights of convolutions and linear maps, directly or through
    /// `slice`, `reshape`, `transpose` and `mul`; each element once. Biases and norms are not among them.
    pub weights: u64,
    /// Elements of all parameters in use but buffers and architecture parameters; each element once.
    pub params: u64,
    /// Multiply-accumulates: of a convolution, elements of the result · input channels per group · kernel
    /// height · kernel width; of a linear map, elements of the result · input features; of a matrix product,
    /// m·n·k. A size `k·N` counts as `k`.
    pub macs: u64,
}

pub(crate) fn of(graph: &Graph) -> Cost {
    let all = vec![true; graph.nodes().len()];
    of_nodes(graph, &all, &all)
}

/// Of the nodes that a plan computes.
pub(crate) fn live(graph: &Graph, plan: &Plan) -> Cost {
    let mut computed = vec![false; graph.nodes().len()];
    for step in &plan.steps {
        computed[step.node as usize] = step.action == Action::Compute;
    }
    // A value that another one stands for uses what that one uses.
    let used: Vec<bool> = plan.alias.iter().map(|value| computed[*value as usize]).collect();
    of_nodes(graph, &used, &computed)
}

fn of_nodes(graph: &Graph, used: &[bool], computed: &[bool]) -> Cost {
    let used = usage::of(graph, used);
    let mut cost = Cost { weights: used.weights, params: used.params, macs: 0 };
    for (node, _) in graph.nodes().iter().zip(computed).filter(|(_, computed)| **computed) {
        if let Op::Aten { weights, params, .. } = &node.op {
            cost.weights = cost.weights.saturating_add(weights.unwrap_or(0));
            cost.params = cost.params.saturating_add(params.unwrap_or(0));
        }
        cost.macs = cost.macs.saturating_add(macs(graph, node));
    }
    cost
}

fn macs(graph: &Graph, node: &Node) -> u64 {
    let input = |i: usize| graph.node(node.inputs[i]).shape.as_slice();
    let per_element = match &node.op {
        Op::Conv2d { .. } | Op::Linear => shape::per_image(&input(1)[1..]),
        Op::Matmul => input(0).last().map_or(0, |k| k.unsigned_abs()),
        Op::Aten { macs, .. } => return macs.unwrap_or(0),
        _ => return 0,
    };
    shape::per_image(&node.shape).saturating_mul(per_element)
}
