//! What an executor runs: a plan whose steps are joined where one pass over memory does for several.
//!
//! - Convolutions of one input and one geometry become one, if a batch norm follows each.
//! - Batch norms go into the sum that takes them, and a rectifier into the sum or norm before it.
//! - A bias that a norm by the batch's statistics takes away again is left out; its gradient is zero.

use std::collections::HashMap;

use crate::{Action, Graph, Node, Op, Plan, Role, Statistics, ValueId};

/// The work of one graph in order; then the outputs are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Inputs and parameters first; each instruction comes after those that it needs.
    pub instructions: Vec<Instruction>,
    /// The graph's outputs in order, each with the value that holds it.
    pub outputs: Vec<(String, ValueId)>,
    /// Per value whether it depends on a trained parameter.
    pub trained: Vec<bool>,
}

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub work: Work,
    /// Values that no later instruction and no output needs.
    pub release: Vec<ValueId>,
}

/// What an instruction does. A value's id is its node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Zeros of the node's shape.
    Zeros(ValueId),
    /// The node's operation on `inputs`.
    Node {
        /// The node.
        value: ValueId,
        /// What it is computed from.
        inputs: Vec<ValueId>,
    },
    /// One or more convolutions of one input that differ in their parameters alone.
    Convolution {
        /// `[N, C, H, W]`
        input: ValueId,
        /// One for each value made; of one shape of weight.
        filters: Vec<Filter>,
    },
    /// A sum of terms of one shape `[N, C, H, W]`, and its rectification.
    Sum {
        /// One or more.
        terms: Vec<Term>,
        /// The sum itself, where something needs it.
        sum: Option<ValueId>,
        /// A `relu` or `relu6` node of the sum.
        rectified: Option<ValueId>,
    },
}

/// One convolution of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The convolution's node.
    pub value: ValueId,
    /// `[O, C, kh, kw]`
    pub weight: ValueId,
    /// `[O]`
    pub bias: Option<ValueId>,
}

/// A term of a sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// As it is.
    Value(ValueId),
    /// Through a batch norm.
    Norm {
        /// The norm's node.
        norm: ValueId,
        /// Its inputs in the order of [`Op::BatchNorm`].
        inputs: Vec<ValueId>,
    },
}

impl Work {
    /// The values that it takes.
    pub fn inputs(&self) -> Vec<ValueId> {
        match self {
            Work::Zeros(_) => vec![],
            Work::Node { inputs, .. } => inputs.clone(),
            Work::Convolution { input, filters } => {
                let parameters = filters.iter().flat_map(|filter| [Some(filter.weight), filter.bias]);
                std::iter::once(*input).chain(parameters.flatten()).collect()
            }
            Work::Sum { terms, .. } => terms.iter().flat_map(Term::inputs).copied().collect(),
        }
    }

    /// The values that it makes.
    pub fn values(&self) -> Vec<ValueId> {
        match self {
            Work::Zeros(value) | Work::Node { value, .. } => vec![*value],
            Work::Convolution { filters, .. } => filters.iter().map(|filter| filter.value).collect(),
            Work::Sum { sum, rectified, .. } => [*sum, *rectified].into_iter().flatten().collect(),
        }
    }
}

impl Term {
    /// The values that it takes.
    pub fn inputs(&self) -> &[ValueId] {
        match self {
            Term::Value(value) => std::slice::from_ref(value),
            Term::Norm { inputs, .. } => inputs,
        }
    }
}

impl Program {
    /// Joins the steps of `graph`'s plan.
    pub fn new(graph: &Graph, plan: &Plan) -> Program {
        let joiner = Joiner::new(graph, plan);
        let (mut fetched, mut works) = (Vec::new(), Vec::new());
        for step in &plan.steps {
            if let Some(work) = joiner.work(step.node) {
                let fetches = matches!(graph.node(step.node).op, Op::Input { .. } | Op::Parameter { .. });
                if fetches { &mut fetched } else { &mut works }.push(work);
            }
        }
        fetched.append(&mut works);
        Program {
            instructions: with_releases(fetched, plan, graph.nodes().len()),
            outputs: plan.outputs.clone(),
            trained: trained(graph, plan),
        }
    }
}

fn trained(graph: &Graph, plan: &Plan) -> Vec<bool> {
    let mut trained = vec![false; graph.nodes().len()];
    for step in &plan.steps {
        let own = matches!(graph.node(step.node).op, Op::Parameter { role, .. } if role != Role::Buffer);
        trained[step.node as usize] = own || step.inputs.iter().any(|input| trained[*input as usize]);
    }
    trained
}

/// Adds the releases, and leaves out parameters that nothing takes any more.
fn with_releases(works: Vec<Work>, plan: &Plan, values: usize) -> Vec<Instruction> {
    let mut wanted = vec![false; values];
    for (_, value) in &plan.outputs {
        wanted[*value as usize] = true;
    }
    let mut instructions = Vec::with_capacity(works.len());
    for work in works.into_iter().rev() {
        let leaf = matches!(&work, Work::Node { inputs, .. } if inputs.is_empty());
        if leaf && work.values().iter().all(|value| !wanted[*value as usize]) {
            continue;
        }
        let mut release = vec![];
        for value in work.values().into_iter().chain(work.inputs()) {
            if !std::mem::replace(&mut wanted[value as usize], true) {
                release.push(value);
            }
        }
        instructions.push(Instruction { work, release });
    }
    instructions.reverse();
    instructions
}

/// Which steps go into which.
struct Joiner<'a> {
    graph: &'a Graph,
    /// Per value the inputs of the step that computes it.
    inputs: Vec<Option<&'a [ValueId]>>,
    /// Per value the nodes that take it, and `None` for each output.
    users: Vec<Vec<Option<ValueId>>>,
    /// Per sum the rectifier that goes into it.
    rectifier: HashMap<ValueId, ValueId>,
    /// Convolutions that become one, by the first of them.
    joined: HashMap<ValueId, Vec<ValueId>>,
    /// Nodes that an instruction of another node does.
    absorbed: Vec<bool>,
}

impl<'a> Joiner<'a> {
    fn new(graph: &'a Graph, plan: &'a Plan) -> Self {
        let count = graph.nodes().len();
        let mut joiner = Joiner {
            graph,
            inputs: vec![None; count],
            users: vec![vec![]; count],
            rectifier: HashMap::new(),
            joined: HashMap::new(),
            absorbed: vec![false; count],
        };
        for step in plan.steps.iter().filter(|step| step.action == Action::Compute) {
            joiner.inputs[step.node as usize] = Some(&step.inputs);
            for input in &step.inputs {
                joiner.users[*input as usize].push(Some(step.node));
            }
        }
        for (_, value) in &plan.outputs {
            joiner.users[*value as usize].push(None);
        }
        joiner.join(plan);
        joiner
    }

    fn join(&mut self, plan: &Plan) {
        let mut alike: HashMap<_, ValueId> = HashMap::new();
        for step in &plan.steps {
            let node = step.node;
            if self.norm_of_sum(node).is_some() {
                self.absorbed[node as usize] = true;
            }
            if self.rectifies(node)
                && self.is_sum(step.inputs[0])
                && !self.rectifier.contains_key(&step.inputs[0])
            {
                self.rectifier.insert(step.inputs[0], node);
                self.absorbed[node as usize] = true;
            }
            if let Some(key) = self.geometry(node) {
                let first = *alike.entry(key).or_insert(node);
                self.joined.entry(first).or_default().push(node);
                self.absorbed[node as usize] = node != first;
            }
        }
    }

    fn node(&self, value: ValueId) -> &'a Node {
        self.graph.node(value)
    }

    /// What `value`'s instruction does; none where another one does it.
    fn work(&self, value: ValueId) -> Option<Work> {
        if self.absorbed[value as usize] {
            return None;
        }
        let Some(inputs) = self.inputs[value as usize] else { return Some(Work::Zeros(value)) };
        Some(match self.node(value).op {
            _ if self.is_sum(value) => {
                let rectified = self.rectifier.get(&value).copied();
                let others = self.users[value as usize].len() - usize::from(rectified.is_some());
                Work::Sum { terms: self.terms(value, inputs), sum: (others > 0).then_some(value), rectified }
            }
            _ if self.rectifies(value) => {
                Work::Sum { terms: vec![Term::Value(inputs[0])], sum: None, rectified: Some(value) }
            }
            Op::Conv2d { .. } => {
                let alone = [value];
                let filters = self.joined.get(&value).map_or(&alone[..], |all| all);
                let filters = filters.iter().filter_map(|filter| self.filter(*filter)).collect();
                Work::Convolution { input: inputs[0], filters }
            }
            _ => Work::Node { value, inputs: inputs.to_vec() },
        })
    }

    fn terms(&self, value: ValueId, inputs: &[ValueId]) -> Vec<Term> {
        let norm = |norm: ValueId, inputs: &[ValueId]| Term::Norm { norm, inputs: inputs.to_vec() };
        if self.is_norm(value) {
            return vec![norm(value, inputs)];
        }
        let term = |term: &ValueId| match self.inputs[*term as usize] {
            Some(inputs) if self.norm_of_sum(*term).is_some() => norm(*term, inputs),
            _ => Term::Value(*term),
        };
        inputs.iter().map(term).collect()
    }

    fn filter(&self, value: ValueId) -> Option<Filter> {
        let inputs = self.inputs[value as usize]?;
        Some(Filter {
            value,
            weight: inputs[1],
            bias: inputs.get(2).copied().filter(|_| !self.is_cancelled(value)),
        })
    }

    /// A batch norm of images.
    fn is_norm(&self, value: ValueId) -> bool {
        let node = self.node(value);
        matches!(node.op, Op::BatchNorm { .. })
            && node.shape.len() == 4
            && self.inputs[value as usize].is_some()
    }

    /// A norm on its own or a sum of equal shapes: what becomes a [`Work::Sum`].
    fn is_sum(&self, value: ValueId) -> bool {
        let node = self.node(value);
        match self.inputs[value as usize] {
            Some(inputs) if node.op == Op::Add && node.shape.len() == 4 => {
                inputs.iter().all(|term| self.node(*term).shape == node.shape)
            }
            _ => self.is_norm(value) && self.norm_of_sum(value).is_none(),
        }
    }

    /// The sum that takes this norm in; nothing else needs the norm.
    fn norm_of_sum(&self, value: ValueId) -> Option<ValueId> {
        match self.users[value as usize][..] {
            [Some(user)] if self.is_norm(value) && self.node(user).op == Op::Add => {
                Some(user).filter(|user| self.is_sum(*user))
            }
            _ => None,
        }
    }

    fn rectifies(&self, value: ValueId) -> bool {
        let node = self.node(value);
        matches!(node.op, Op::Relu | Op::Relu6)
            && node.shape.len() == 4
            && self.inputs[value as usize].is_some()
    }

    /// Whether norms by the batch's statistics take a bias of this convolution away.
    fn is_cancelled(&self, value: ValueId) -> bool {
        let users = &self.users[value as usize];
        let by_batch = |user: &Option<ValueId>| {
            user.is_some_and(|user| {
                let statistics = Statistics::Batch;
                let first = self.inputs[user as usize].is_some_and(|inputs| inputs.first() == Some(&value));
                first && matches!(self.node(user).op, Op::BatchNorm { statistics: found, .. } if found == statistics)
            })
        };
        !users.is_empty() && users.iter().all(by_batch)
    }

    /// What convolutions that can be one have in common.
    fn geometry(&self, value: ValueId) -> Option<(ValueId, [[i64; 2]; 4], bool)> {
        let Op::Conv2d { stride, padding, dilation, groups: 1 } = self.node(value).op else { return None };
        let inputs = self.inputs[value as usize]?;
        let filter = self.filter(value)?;
        let parameter = |value: ValueId| matches!(self.node(value).op, Op::Parameter { .. });
        let one_norm = matches!(self.users[value as usize][..], [Some(user)] if self.is_norm(user));
        if !one_norm || !parameter(filter.weight) || filter.bias.is_some_and(|bias| !parameter(bias)) {
            return None;
        }
        let kernel = match self.node(filter.weight).shape[..] {
            [_, _, height, width] => [height, width],
            _ => return None,
        };
        Some((inputs[0], [stride, padding, dilation, kernel], filter.bias.is_some()))
    }
}
