//! What has to be computed: the graph without dead branches and repetitions.

use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
};

use crate::{
    Fingerprint, Graph, Node, Op, Statistics, ValueId,
    shape::broadcast,
    zero::{self, Fact},
};

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Batch norms with running statistics are computed even where no output needs them: they update buffers.
    Training,
    /// Only what the outputs need.
    Evaluation,
}

/// How a step makes its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// By the node's operation, on the step's inputs.
    Compute,
    /// As zeros of the node's shape, without inputs: the value is known to be zero, and so are all
    /// gradients behind it.
    Zeros,
}

/// One value to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The node; also the id of the value that the step makes.
    pub node: ValueId,
    /// How.
    pub action: Action,
    /// The node's inputs with replaced values resolved and, for `add`, zero terms left out (two or more stay,
    /// or all). Empty for [`Action::Zeros`].
    pub inputs: Vec<ValueId>,
}

/// What an executor does for one graph: the steps in order, then the outputs are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In an order in which each comes after its inputs.
    pub steps: Vec<Step>,
    /// The graph's outputs in order, each with the value that holds it (see
    /// `alias`); each value is made by a step.
    pub outputs: Vec<(String, ValueId)>,
    /// Per value of the graph the one that stands for it: itself, the one term that an `add` was left with, or
    /// an earlier value that is computed by the same operation from the same inputs. Whether that one is
    /// computed, `steps` says.
    pub alias: Vec<ValueId>,
}

impl Plan {
    /// The plan of an evaluation with sums of sums as one sum, the terms in an order that follows from what they are, and
    /// a key. Plans of one key, of graphs of one space, give the same bits for the same parameters and inputs.
    pub fn canonical(self, graph: &Graph) -> (Plan, Fingerprint) {
        crate::canonical::order(self, graph)
    }

    /// Drops steps of an evaluation that nothing needs any more.
    pub(crate) fn tidy(&mut self, values: usize) {
        let mut needed = vec![false; values];
        for (_, value) in &self.outputs {
            needed[*value as usize] = true;
        }
        self.steps.reverse();
        self.steps.retain(|step| {
            let kept = needed[step.node as usize];
            for input in step.inputs.iter().filter(|_| kept) {
                needed[*input as usize] = true;
            }
            kept
        });
        self.steps.reverse();
    }
}

pub(crate) fn of(graph: &Graph, mode: Mode) -> Plan {
    let mut planner = Planner {
        graph,
        mode,
        facts: zero::facts(graph),
        alias: Vec::with_capacity(graph.nodes().len()),
        inputs: Vec::with_capacity(graph.nodes().len()),
        alike: HashMap::new(),
    };
    for value in 0..graph.nodes().len() {
        planner.resolve(value as ValueId);
    }
    let Planner { facts, alias, mut inputs, .. } = planner;
    let outputs: Vec<_> =
        graph.outputs().iter().map(|(name, value)| (name.clone(), alias[*value as usize])).collect();
    let mut needed = vec![false; graph.nodes().len()];
    for (_, value) in &outputs {
        needed[*value as usize] = true;
    }
    let mut steps = vec![];
    for value in (0..graph.nodes().len()).rev() {
        let node = value as ValueId;
        if !(needed[value] || mode == Mode::Training && updates_buffers(&graph.node(node).op)) {
            continue;
        }
        let (action, inputs) = if facts[value] == Fact::Zero {
            (Action::Zeros, vec![])
        } else {
            (Action::Compute, std::mem::take(&mut inputs[value]))
        };
        for input in &inputs {
            needed[*input as usize] = true;
        }
        steps.push(Step { node, action, inputs });
    }
    steps.reverse();
    Plan { steps, outputs, alias }
}

struct Planner<'a> {
    graph: &'a Graph,
    mode: Mode,
    facts: Vec<Fact>,
    alias: Vec<ValueId>,
    inputs: Vec<Vec<ValueId>>,
    alike: HashMap<(Discriminant<Op>, Vec<ValueId>), Vec<ValueId>>,
}

/// Nodes of one operation on the same inputs that are compared before they count as different.
const COMPARED: usize = 16;

impl Planner<'_> {
    /// Finds what stands for `value`, and what it is computed from if itself.
    fn resolve(&mut self, value: ValueId) {
        let graph = self.graph;
        let node = graph.node(value);
        let mut inputs: Vec<ValueId> = node.inputs.iter().map(|input| self.alias[*input as usize]).collect();
        let zero = self.facts[value as usize] == Fact::Zero;
        if node.op == Op::Add && !zero {
            self.drop_zeros(node, &mut inputs);
        }
        let alias = match inputs[..] {
            _ if zero => value,
            [only] if node.op == Op::Add => only,
            _ => self.twin(value, node, &inputs).unwrap_or(value),
        };
        self.alias.push(alias);
        self.inputs.push(inputs);
    }

    /// Leaves out terms that are zero, unless the others alone do not have the sum's shape.
    fn drop_zeros(&self, node: &Node, terms: &mut Vec<ValueId>) {
        let rest: Vec<ValueId> =
            terms.iter().copied().filter(|term| self.facts[*term as usize] != Fact::Zero).collect();
        let mut shape = Some(vec![]);
        for term in &rest {
            shape = shape.and_then(|shape| broadcast(&shape, &self.graph.node(*term).shape));
        }
        if shape.as_ref() == Some(&node.shape) {
            *terms = rest;
        }
    }

    /// An earlier node that computes the same; else remembers this one.
    fn twin(&mut self, value: ValueId, node: &Node, inputs: &[ValueId]) -> Option<ValueId> {
        let alone = match node.op {
            Op::Dropout { .. } | Op::Aten { .. } | Op::Input { .. } | Op::Parameter { .. } => true,
            ref op => self.mode == Mode::Training && updates_buffers(op),
        };
        if alone {
            return None;
        }
        let alike = self.alike.entry((discriminant(&node.op), inputs.to_vec())).or_default();
        let same = |other: &&ValueId| {
            let other = self.graph.node(**other);
            other.op == node.op && other.shape == node.shape
        };
        if let Some(other) = alike.iter().find(same) {
            return Some(*other);
        }
        if alike.len() < COMPARED {
            alike.push(value);
        }
        None
    }
}

fn updates_buffers(op: &Op) -> bool {
    matches!(op, Op::BatchNorm { statistics: Statistics::Running, .. })
}
