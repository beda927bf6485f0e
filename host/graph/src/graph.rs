//! The graph itself: nodes in an order in which each comes after its inputs.

use crate::{Cost, Fingerprint, Mode, Op, Plan, Shape};

/// A value: the output of the node with the same index (every operation has one output).
pub type ValueId = u32;

/// One operation, input or parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Scopes, operation and a running number, for example `stage0.cell1.conv2d_3`; an input's or
    /// parameter's own name.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// What it computes it from; all smaller than the node's own index.
    pub inputs: Vec<ValueId>,
    /// The output's shape.
    pub shape: Shape,
}

/// A checked description of one subnet. Made by [`Builder::finish`](crate::Builder::finish).
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    pub(crate) inputs: Vec<(String, Shape)>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) outputs: Vec<(String, ValueId)>,
}

impl Graph {
    /// All nodes as described; the index of a node is its value's id.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node that makes `value`.
    ///
    /// # Panics
    /// For an id that is not of this graph.
    pub fn node(&self, value: ValueId) -> &Node {
        &self.nodes[value as usize]
    }

    /// Inputs that the graph may take, used or not; [`Op::Input`] holds an index into these.
    pub fn inputs(&self) -> &[(String, Shape)] {
        &self.inputs
    }

    /// Named outputs in the order in which they were made; at least one.
    pub fn outputs(&self) -> &[(String, ValueId)] {
        &self.outputs
    }

    /// The same graph with one of its outputs alone; none if it has no such output.
    pub fn with_output(&self, name: &str) -> Option<Graph> {
        let output = self.outputs.iter().find(|(own, _)| own == name)?.clone();
        Some(Graph { outputs: vec![output], ..self.clone() })
    }

    /// The same graph, where a number stands for one of its inputs, which is not taken any more.
    #[must_use]
    pub fn with_number(&self, input: &str, number: f64) -> Graph {
        let mut graph = self.clone();
        for node in &mut graph.nodes {
            if matches!(node.op, Op::Input { index } if self.inputs[index].0 == input) {
                node.op = Op::Constant { value: number };
            }
        }
        graph
    }

    /// Weights, parameters and multiply-accumulates of one image, dead branches included.
    pub fn cost(&self) -> Cost {
        crate::cost::of(self)
    }

    /// The same of what a plan of this graph computes alone: dead branches do not count, nor do computations that are done
    /// already.
    pub fn live_cost(&self, plan: &Plan) -> Cost {
        crate::cost::live(self, plan)
    }

    /// Sorted indices of the parameters that enter an operation or are outputs, of every role and on dead
    /// branches too.
    pub fn reached_parameters(&self) -> Vec<usize> {
        crate::usage::reached(self)
    }

    /// What has to be computed for the outputs (and, in training, for running statistics).
    pub fn plan(&self, mode: Mode) -> Plan {
        crate::plan::of(self, mode)
    }

    /// Key of the structure: equal for graphs that compute the same from the same parameters in the same
    /// order of nodes. Names of nodes do not enter.
    pub fn fingerprint(&self) -> Fingerprint {
        crate::fingerprint::of(self)
    }
}
