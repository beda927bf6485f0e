//! Which subnets compute the same: the same operations on the same parameters, whatever the order of a sum's terms.

use std::collections::HashMap;
use std::fmt::Write;

use crate::fingerprint::Fnv;
use crate::{Action, Fingerprint, Graph, Op, Plan, ValueId};

/// Terms of one sum at most: sums that take others twice, again and again, would grow without end.
const TERMS: usize = 64;

/// Makes one sum of sums of sums and orders the terms by what they are, so that plans of one key give the same bits; and
/// that key.
pub(crate) fn order(mut plan: Plan, graph: &Graph) -> (Plan, Fingerprint) {
    let mut keys = vec![0u128; graph.nodes().len()];
    let mut sums: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
    for step in &mut plan.steps {
        let node = graph.node(step.node);
        if node.op == Op::Add && step.action == Action::Compute {
            let terms = |input: &ValueId| match sums.get(input) {
                Some(terms) if graph.node(*input).shape == node.shape => terms.clone(),
                _ => vec![*input],
            };
            let flat: Vec<ValueId> = step.inputs.iter().flat_map(terms).collect();
            if flat.len() <= TERMS {
                step.inputs = flat;
            }
            step.inputs.sort_by_key(|input| keys[*input as usize]);
            sums.insert(step.node, step.inputs.clone());
        }
        let mut hash = Fnv::new();
        let inputs: Vec<u128> = step.inputs.iter().map(|input| keys[*input as usize]).collect();
        match step.action {
            Action::Zeros => hash.feed(format_args!("zeros{:?}", node.shape)),
            Action::Compute => match node.op {
                Op::Parameter { .. } => hash.feed(format_args!("parameter{:?}", node.name)),
                ref op => hash.feed(format_args!("{op:?}{:?}{inputs:?}", node.shape)),
            },
        }
        // Draws of random numbers depend on the node's name; libtorch's operators may draw.
        if matches!(node.op, Op::Aten { .. }) {
            hash.feed(format_args!("{}", node.name));
        }
        keys[step.node as usize] = hash.0;
    }
    plan.tidy(graph.nodes().len());
    let mut hash = Fnv::new();
    for (name, value) in &plan.outputs {
        hash.feed(format_args!("{name:?}{}", keys[*value as usize]));
    }
    (plan, Fingerprint(hash.0))
}

impl Fnv {
    fn feed(&mut self, part: std::fmt::Arguments<'_>) {
        self.write_fmt(part).expect("hashing does not fail");
    }
}
