//! Operations that are drawn as one box, such as a convolution with its norm and activation.

use nshot_graph::{Graph, Op, ValueId};

use super::{label, scopes};

/// Per value the parameter that it is, or is cut out of; such values are not drawn.
pub(super) type Roots = Vec<Option<ValueId>>;

/// Finds parameters and what is cut out of them.
pub(super) fn roots(graph: &Graph) -> Roots {
    let mut roots: Roots = Vec::with_capacity(graph.nodes().len());
    for (value, node) in graph.nodes().iter().enumerate() {
        roots.push(match node.op {
            Op::Parameter { .. } => Some(value as ValueId),
            Op::Slice { .. } | Op::Reshape | Op::Transpose { .. } => roots[node.inputs[0] as usize],
            _ => None,
        });
    }
    roots
}

/// The drawn nodes in `scope`, in order; a convolution or linear map together with the activation before it or
/// after it and its norm, if nothing else takes what is between them and `same` allows it.
pub(super) fn chains(
    graph: &Graph,
    roots: &Roots,
    scope: &str,
    same: impl Fn(ValueId, ValueId) -> bool,
) -> Vec<Vec<ValueId>> {
    let follower = followers(graph);
    let mut taken = vec![false; graph.nodes().len()];
    let mut chains = vec![];
    for (value, node) in graph.nodes().iter().enumerate() {
        let inside = scopes::contains(scope, scopes::of(node));
        if !inside || taken[value] || roots[value].is_some() {
            continue;
        }
        let mut chain = vec![value as ValueId];
        while let Some(next) = chain.last().and_then(|last| follower[*last as usize]) {
            let last = chain[chain.len() - 1];
            let within = scopes::of(graph.node(next)) == scopes::of(node);
            if !(within && same(last, next) && joins(graph, &chain, next)) {
                break;
            }
            chain.push(next);
        }
        // An activation or norm that no weights precede or follow stays by itself.
        if !chain.iter().any(|value| label::is_weighted(&graph.node(*value).op)) {
            chain.truncate(1);
        }
        for value in &chain {
            taken[*value as usize] = true;
        }
        chains.push(chain);
    }
    chains.sort_by_key(|chain| chain[chain.len() - 1]);
    chains
}

/// Per value the one node that takes it, as its first input.
fn followers(graph: &Graph) -> Vec<Option<ValueId>> {
    let mut uses = vec![0usize; graph.nodes().len()];
    let mut follower = vec![None; graph.nodes().len()];
    for (value, node) in graph.nodes().iter().enumerate() {
        for (i, input) in node.inputs.iter().enumerate() {
            uses[*input as usize] += 1;
            follower[*input as usize] = (i == 0).then_some(value as ValueId);
        }
    }
    for (_, value) in graph.outputs() {
        uses[*value as usize] += 1;
    }
    follower.into_iter().zip(uses).map(|(follower, uses)| follower.filter(|_| uses == 1)).collect()
}

/// Whether `next` goes on the chain: activation, convolution (two if the first is depthwise), norm, activation
/// if none came first.
fn joins(graph: &Graph, chain: &[ValueId], next: ValueId) -> bool {
    let last = graph.node(chain[chain.len() - 1]);
    let next = &graph.node(next).op;
    let first_active = label::is_activation(&graph.node(chain[0]).op);
    match &last.op {
        op if label::is_activation(op) => chain.len() == 1 && label::is_weighted(next),
        Op::Conv2d { .. } if matches!(next, Op::Conv2d { .. }) => {
            let convolutions =
                chain.iter().filter(|value| label::is_weighted(&graph.node(**value).op)).count();
            convolutions == 1 && label::is_depthwise(graph, last)
        }
        op if label::is_weighted(op) && matches!(next, Op::BatchNorm { .. }) => true,
        Op::Conv2d { .. } | Op::Linear | Op::BatchNorm { .. } => {
            chain.iter().any(|value| label::is_weighted(&graph.node(*value).op))
                && !first_active
                && label::is_activation(next)
        }
        _ => false,
    }
}
