//! The file as it grows: nodes, initialisers, and which name holds which value.

use std::collections::HashMap;

use nshot_graph::{Graph, Op, ValueId};

use super::proto::{self, Attribute, Element, Tensor};
use crate::{Error, Parameter, Precision, Result, Values, inputs::Inputs, names::Names, parameter::Given};

pub(super) struct Writer<'a> {
    pub(super) graph: &'a Graph,
    pub(super) inputs: Inputs,
    pub(super) names: Names,
    pub(super) nodes: Vec<proto::Node>,
    pub(super) initializers: Vec<Tensor>,
    pub(super) precision: Precision,
    /// Names kept for parameters, by their value.
    pub(super) parameters: HashMap<ValueId, String>,
    given: Given<'a>,
    /// Per value of the graph the name that holds it.
    values: Vec<Option<String>>,
    /// Names of constants by what they hold.
    constants: HashMap<(i32, Vec<i64>, Vec<u8>), String>,
    /// The graph's node that is being written.
    scope: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        graph: &'a Graph,
        parameters: &'a [Parameter<'a>],
        precision: Precision,
        inputs: Inputs,
    ) -> Result<Writer<'a>> {
        Ok(Writer {
            graph,
            inputs,
            names: Names::default(),
            nodes: vec![],
            initializers: vec![],
            precision,
            parameters: HashMap::new(),
            given: Given::new(parameters)?,
            values: vec![None; graph.nodes().len()],
            constants: HashMap::new(),
            scope: String::new(),
        })
    }

    /// Writes the nodes of one value by `write`, which gives the name that holds it; the last node is then
    /// called `named`, or as the graph's node.
    pub(super) fn step(
        &mut self,
        value: ValueId,
        named: Option<&str>,
        write: impl FnOnce(&mut Self) -> Result<String>,
    ) -> Result<()> {
        self.scope.clone_from(&self.graph.node(value).name);
        let before = self.nodes.len();
        let mut made = write(self)?;
        let last = self.nodes.last().filter(|last| last.output[0] == made);
        if self.nodes.len() > before && last.is_some() {
            let name = named.map_or_else(|| self.names.unique(&self.graph.node(value).name), str::to_owned);
            if let Some(last) = self.nodes.last_mut() {
                (last.name, last.output[0]) = (name.clone(), name.clone());
            }
            made = name;
        }
        self.values[value as usize] = Some(made);
        Ok(())
    }

    /// `value` is the graph's input `index`.
    pub(super) fn input(&mut self, value: ValueId, index: usize) {
        self.values[value as usize] = Some(self.graph.inputs()[index].0.clone());
    }

    /// Makes sure that `value` is held by the output's name.
    pub(super) fn output(&mut self, name: &str, value: ValueId) -> Result<()> {
        let held = self.value(value)?;
        if held != name {
            self.push(name.to_owned(), "Identity", &[&held], vec![]);
        }
        Ok(())
    }

    /// The name that holds a value; a parameter becomes an initialiser now.
    pub(super) fn value(&mut self, value: ValueId) -> Result<String> {
        if let Some(name) = &self.values[value as usize] {
            return Ok(name.clone());
        }
        let node = self.graph.node(value);
        if !matches!(node.op, Op::Parameter { .. }) {
            return Err(self.refuse(value, "its input is not part of the plan"));
        }
        let parameter = self.given.of(node)?;
        let name = self.parameters.get(&value).unwrap_or(&node.name).clone();
        let (dims, data) = (node.shape.clone(), parameter.values.bytes(self.precision));
        self.initializers.push(tensor(name.clone(), dims, self.element(), data));
        self.values[value as usize] = Some(name.clone());
        Ok(name)
    }

    /// The names that hold several values.
    pub(super) fn all(&mut self, values: &[ValueId]) -> Result<Vec<String>> {
        values.iter().map(|value| self.value(*value)).collect()
    }

    /// Adds a node and gives its output's name.
    pub(super) fn node(&mut self, operator: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let name = self.names.unique(&format!("{}.{operator}", self.scope));
        self.push(name.clone(), operator, inputs, attributes);
        name
    }

    fn push(&mut self, name: String, operator: &str, inputs: &[&str], attribute: Vec<Attribute>) {
        self.nodes.push(proto::Node {
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![name.clone()],
            name,
            op_type: operator.to_owned(),
            attribute,
        });
    }

    /// One number of the file's precision.
    pub(super) fn number(&mut self, value: f64) -> String {
        self.numbers(vec![], &[value])
    }

    /// Numbers of the file's precision.
    pub(super) fn numbers(&mut self, shape: Vec<i64>, values: &[f64]) -> String {
        let data = Values::Float64(values).bytes(self.precision);
        self.constant(self.element(), shape, data)
    }

    /// A list of ints.
    pub(super) fn ints(&mut self, values: &[i64]) -> String {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(Element::Int64, vec![values.len() as i64], data)
    }

    fn constant(&mut self, element: Element, dims: Vec<i64>, data: Vec<u8>) -> String {
        let key = (element as i32, dims, data);
        if let Some(name) = self.constants.get(&key) {
            return name.clone();
        }
        let name = self.names.unique("constant");
        self.initializers.push(tensor(name.clone(), key.1.clone(), element, key.2.clone()));
        self.constants.insert(key, name.clone());
        name
    }

    /// One number as an attribute's tensor.
    pub(super) fn fill(&self, value: f64) -> Tensor {
        let data = Values::Float64(&[value]).bytes(self.precision);
        tensor(String::new(), vec![1], self.element(), data)
    }

    pub(super) fn element(&self) -> Element {
        match self.precision {
            Precision::Float32 => Element::Float,
            Precision::Float64 => Element::Double,
        }
    }

    pub(super) fn refuse(&self, value: ValueId, reason: impl Into<String>) -> Error {
        let node = self.graph.node(value);
        let (operation, reason) = (node.op.name(), reason.into());
        Error::Operation { node: node.name.clone(), operation, format: "ONNX", reason }
    }
}

fn tensor(name: String, dims: Vec<i64>, element: Element, data: Vec<u8>) -> Tensor {
    Tensor { dims, data_type: element as i32, name, raw_data: Some(data) }
}
