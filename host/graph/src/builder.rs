//! Describing a graph call by call.

use std::collections::{HashMap, HashSet};

use crate::{
    Graph, GraphError, Node, Op, Parameters, Result, Role, Shape, Value, ValueId, limits, names, ops, shape,
};

/// Consecutive values that one call made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values {
    /// Id of the first.
    pub first: ValueId,
    /// How many; 1 for every operation of this version.
    pub count: u32,
}

/// Builds a [`Graph`]; every call checks its arguments at once, and a refused call changes nothing.
#[derive(Debug)]
pub struct Builder<'a> {
    parameters: &'a Parameters,
    graph: Graph,
    input_nodes: Vec<Option<ValueId>>,
    parameter_nodes: HashMap<usize, ValueId>,
    output_names: HashSet<String>,
    scopes: Vec<usize>,
    path: String,
    numbers: HashMap<String, u32>,
    edges: usize,
    attribute_bytes: usize,
}

impl<'a> Builder<'a> {
    /// A graph over `parameters` that may take `inputs`: in training `image` `[-1, C, H, W]` and `progress`
    /// `[]`, the share of steps done.
    ///
    /// # Errors
    /// Inputs with names or shapes that cannot be, or two of the same name.
    pub fn new(parameters: &'a Parameters, inputs: &[(String, Shape)]) -> Result<Builder<'a>> {
        for (i, (name, shape)) in inputs.iter().enumerate() {
            names::check("input", name)?;
            if inputs[..i].iter().any(|(other, _)| other == name) {
                return Err(GraphError::Duplicate { what: "input", name: name.clone() });
            }
            if let Some(problem) = shape::problem(shape) {
                return Err(GraphError::Declaration { what: "input", name: name.clone(), problem });
            }
        }
        Ok(Builder {
            parameters,
            graph: Graph { inputs: inputs.to_vec(), nodes: vec![], outputs: vec![] },
            input_nodes: vec![None; inputs.len()],
            parameter_nodes: HashMap::new(),
            output_names: HashSet::new(),
            scopes: vec![],
            path: String::new(),
            numbers: HashMap::new(),
            edges: 0,
            attribute_bytes: 0,
        })
    }

    /// The input called `name`; asked again, the same value.
    pub fn input(&mut self, name: &str) -> Result<ValueId> {
        let inputs = &self.graph.inputs;
        let Some(index) = inputs.iter().position(|(other, _)| other == name) else {
            return Err(unknown("input", name, inputs.iter().map(|(other, _)| other.as_str())));
        };
        if let Some(value) = self.input_nodes[index] {
            return Ok(value);
        }
        let (name, shape) = inputs[index].clone();
        let value = self.push(Node { name, op: Op::Input { index }, inputs: vec![], shape })?;
        self.input_nodes[index] = Some(value);
        Ok(value)
    }

    /// The parameter called `name`; asked again, the same value.
    pub fn parameter(&mut self, name: &str) -> Result<ValueId> {
        let found = self.parameters.index(name).and_then(|i| Some((i, self.parameters.get(i)?)));
        let Some((index, spec)) = found else {
            return Err(unknown("parameter", name, self.parameters.iter().map(|spec| spec.name.as_str())));
        };
        if let Some(value) = self.parameter_nodes.get(&index) {
            return Ok(*value);
        }
        let op = Op::Parameter { index, role: spec.role };
        let (name, shape) = (spec.name.clone(), spec.shape.clone());
        let value = self.push(Node { name, op, inputs: vec![], shape })?;
        self.parameter_nodes.insert(index, value);
        Ok(value)
    }

    /// Adds the operation `name` on `inputs` and returns the values that it makes.
    ///
    /// # Errors
    /// An unknown operation or attribute, shapes that do not fit, ids of no value.
    pub fn op(&mut self, name: &str, inputs: &[ValueId], attributes: &[(String, Value)]) -> Result<Values> {
        let (key, node) = self.name_node(name);
        let edges = self.edges.saturating_add(inputs.len());
        if edges > limits::EDGES {
            return Err(GraphError::Limit { what: "inputs of nodes", limit: limits::EDGES });
        }
        let attribute_bytes = attributes.iter().fold(self.attribute_bytes, |sum, (name, value)| {
            sum.saturating_add(name.len()).saturating_add(value.bytes())
        });
        if attribute_bytes > limits::ATTRIBUTE_BYTES {
            return Err(GraphError::Limit { what: "bytes of attributes", limit: limits::ATTRIBUTE_BYTES });
        }
        let nodes = &self.graph.nodes;
        let mut shapes: Vec<&[i64]> = Vec::with_capacity(inputs.len());
        for id in inputs {
            let Some(input) = nodes.get(*id as usize) else {
                return Err(GraphError::UnknownValue { node, id: *id, count: nodes.len() });
            };
            shapes.push(&input.shape);
        }
        let (op, shape) = ops::infer(&node, name, &shapes, attributes)?;
        if let Op::BatchNorm { running: true, .. } = op {
            self.check_running(&node, &inputs[inputs.len() - 2..])?;
        }
        let first = self.push(Node { name: node, op, inputs: inputs.to_vec(), shape })?;
        *self.numbers.entry(key).or_insert(0) += 1;
        self.edges = edges;
        self.attribute_bytes = attribute_bytes;
        Ok(Values { first, count: 1 })
    }

    /// Running statistics are written to, so what a gradient moves cannot hold them.
    fn check_running(&self, node: &str, statistics: &[ValueId]) -> Result<()> {
        for (&id, what) in statistics.iter().zip(["mean", "var"]) {
            if let Node { op: Op::Parameter { role, .. }, name, .. } = &self.graph.nodes[id as usize]
                && *role != Role::Buffer
            {
                let role = role.name();
                let problem =
                    format!("{what} is the parameter `{name}` of the role `{role}`, expected `buffer`");
                return Err(GraphError::Shape { node: node.to_owned(), problem });
            }
        }
        Ok(())
    }

    /// Shape of a value.
    pub fn shape(&self, value: ValueId) -> Result<&Shape> {
        Ok(&self.known(value, "shape")?.shape)
    }

    /// Makes `value` the output called `name`.
    pub fn output(&mut self, name: &str, value: ValueId) -> Result<()> {
        names::check("output", name)?;
        self.known(value, name)?;
        if self.output_names.contains(name) {
            return Err(GraphError::Duplicate { what: "output", name: name.to_owned() });
        }
        if self.graph.outputs.len() >= limits::NODES {
            return Err(GraphError::Limit { what: "outputs", limit: limits::NODES });
        }
        self.output_names.insert(name.to_owned());
        self.graph.outputs.push((name.to_owned(), value));
        Ok(())
    }

    /// Enters a scope: names of the nodes that follow begin with it.
    pub fn push_scope(&mut self, name: &str) -> Result<()> {
        names::check("scope", name)?;
        if self.scopes.len() >= limits::SCOPES {
            return Err(GraphError::Limit { what: "scopes within each other", limit: limits::SCOPES });
        }
        if self.path.chars().count() + name.chars().count() + 1 > limits::NAME_CHARS {
            return Err(GraphError::Limit {
                what: "characters in a path of scopes",
                limit: limits::NAME_CHARS,
            });
        }
        self.scopes.push(self.path.len());
        self.path.push_str(name);
        self.path.push('.');
        Ok(())
    }

    /// Leaves the innermost scope.
    pub fn pop_scope(&mut self) -> Result<()> {
        let length = self.scopes.pop().ok_or(GraphError::NoScope)?;
        self.path.truncate(length);
        Ok(())
    }

    /// The finished graph.
    ///
    /// # Errors
    /// A graph without an output. Scopes still open are no error.
    pub fn finish(self) -> Result<Graph> {
        if self.graph.outputs.is_empty() { Err(GraphError::NoOutput) } else { Ok(self.graph) }
    }

    /// The key that numbers nodes of one operation in one scope, and the next node's name.
    fn name_node(&self, op: &str) -> (String, String) {
        let short = op.strip_prefix("aten::").unwrap_or(op);
        let key = format!("{}{}", self.path, names::shorten(short));
        let number = self.numbers.get(&key).copied().unwrap_or(0);
        let name = format!("{key}_{number}");
        (key, name)
    }

    fn push(&mut self, node: Node) -> Result<ValueId> {
        if self.graph.nodes.len() >= limits::NODES {
            return Err(GraphError::Limit { what: "nodes", limit: limits::NODES });
        }
        self.graph.nodes.push(node);
        Ok(self.graph.nodes.len() as ValueId - 1)
    }

    fn known(&self, value: ValueId, asker: &str) -> Result<&Node> {
        let nodes = &self.graph.nodes;
        nodes.get(value as usize).ok_or_else(|| GraphError::UnknownValue {
            node: names::shorten(asker),
            id: value,
            count: nodes.len(),
        })
    }
}

fn unknown<'n>(what: &'static str, name: &str, known: impl IntoIterator<Item = &'n str>) -> GraphError {
    GraphError::Unknown { what, name: names::shorten(name), nearest: names::nearest(name, known) }
}
