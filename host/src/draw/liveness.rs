//! Which nodes and edges the outputs need.

use std::collections::HashSet;

use nshot_graph::{Action, Graph, Mode, Op, ValueId};

/// What evaluation needs. A node that is computed once together with an equal one counts as needed; so does a
/// sum that was left with one term.
pub(super) struct Liveness {
    needed: Vec<bool>,
    zero: Vec<bool>,
    /// Node and input: terms of needed sums that are left out.
    dropped: HashSet<(ValueId, ValueId)>,
}

impl Liveness {
    pub(super) fn of(graph: &Graph) -> Liveness {
        let count = graph.nodes().len();
        let plan = graph.plan(Mode::Evaluation);
        let mut inputs: Vec<&[ValueId]> = vec![&[]; count];
        let mut zero = vec![false; count];
        for step in &plan.steps {
            inputs[step.node as usize] = &step.inputs;
            zero[step.node as usize] = step.action == Action::Zeros;
        }
        let mut needed = vec![false; count];
        for (_, value) in graph.outputs() {
            needed[*value as usize] = true;
        }
        let mut dropped = HashSet::new();
        for value in (0..count).rev() {
            if !needed[value] || zero[value] {
                continue;
            }
            let node = &graph.nodes()[value];
            let stand_in = plan.alias[value];
            let terms: Option<HashSet<ValueId>> = (node.op == Op::Add)
                .then(|| inputs[stand_in as usize].iter().copied().chain([stand_in]).collect());
            for input in &node.inputs {
                if terms.as_ref().is_none_or(|terms| terms.contains(&plan.alias[*input as usize])) {
                    needed[*input as usize] = true;
                } else {
                    dropped.insert((value as ValueId, *input));
                }
            }
        }
        Liveness { needed, zero, dropped }
    }

    /// Whether an output needs the value.
    pub(super) fn needed(&self, value: ValueId) -> bool {
        self.needed[value as usize]
    }

    /// Whether the value is needed, but known to be zero.
    pub(super) fn zero(&self, value: ValueId) -> bool {
        self.zero[value as usize]
    }

    /// Whether `node` is needed and computed from `input`.
    pub(super) fn uses(&self, node: ValueId, input: ValueId) -> bool {
        self.needed(node) && !self.zero(node) && !self.dropped.contains(&(node, input))
    }
}
