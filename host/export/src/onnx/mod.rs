//! ONNX: a protobuf file with the operators of the standard set alone.

mod layout;
mod norm;
mod operations;
mod pool;
mod proto;
mod writer;

use std::collections::HashMap;

use nshot_graph::{Action, Graph, Mode, Op, Plan, ValueId};
use prost::Message;

use self::{
    proto::{Entry, Model, OperatorSet, ValueInfo},
    writer::Writer,
};
use crate::{Error, Parameter, Precision, Result, inputs::Inputs};

/// The version of ONNX's operator set that files use: the oldest that has all operators needed.
pub const OPSET: i64 = 17;

/// The file format's version that belongs to [`OPSET`].
const IR_VERSION: i64 = 8;

/// Bytes beyond which no reader of protobuf takes a file.
const MOST_BYTES: u64 = i32::MAX as u64;

/// What a file says besides the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnnxOptions<'a> {
    /// The graph's name.
    pub name: &'a str,
    /// What the file computes in. ONNX Runtime has no convolution in [`Precision::Float64`].
    pub precision: Precision,
    /// Keys and texts that readers show; no meaning to ONNX.
    pub metadata: &'a [(&'a str, &'a str)],
}

/// The file for `graph` in evaluation, with `parameters` by name; those that it does not need may be left out.
///
/// Its inputs are the graph's by name that the outputs need, and always the first that depends on the batch
/// (`image` `[N, C, H, W]`, with `N` open); its outputs are the graph's by name. Parameters are initialisers
/// of their own names, with a number behind it where an input or output has the name.
///
/// # Errors
/// Names the node whose operation ONNX cannot say, or the parameter that is missing or of another shape.
pub fn onnx(graph: &Graph, parameters: &[Parameter<'_>], options: &OnnxOptions<'_>) -> Result<Vec<u8>> {
    let plan = graph.plan(Mode::Evaluation);
    refuse_large(graph, &plan, options.precision)?;
    let inputs = Inputs::of(graph, &plan);
    let mut writer = Writer::new(graph, parameters, options.precision, inputs)?;
    let names = reserve(&mut writer, &plan)?;
    for step in &plan.steps {
        let named = names.get(&step.node).copied();
        match (step.action, &graph.node(step.node).op) {
            (Action::Zeros, _) => writer.step(step.node, named, |w| Ok(w.filled(step.node, 0.0)))?,
            (_, Op::Input { index }) => writer.input(step.node, *index),
            (_, Op::Parameter { .. }) => {} // Written when something needs it.
            (Action::Compute, op) => {
                writer.step(step.node, named, |w| operations::write(w, step.node, op, &step.inputs))?;
            }
        }
    }
    for (name, value) in &plan.outputs {
        writer.output(name, *value)?;
    }
    encode(writer, &plan, options)
}

/// Refuses parameters beyond the largest file before they are copied.
fn refuse_large(graph: &Graph, plan: &Plan, precision: Precision) -> Result<()> {
    let parameters = plan.steps.iter().map(|step| graph.node(step.node));
    let found = parameters.filter(|node| matches!(node.op, Op::Parameter { .. })).fold(0u64, |sum, node| {
        let bytes =
            node.shape.iter().map(|size| size.unsigned_abs()).fold(precision.size(), u64::saturating_mul);
        sum.saturating_add(bytes)
    });
    if found > MOST_BYTES { Err(Error::TooLarge { found, most: MOST_BYTES }) } else { Ok(()) }
}

/// Takes the names of inputs, outputs and parameters; gives per value the output's name that it can bear at
/// once.
fn reserve<'a>(writer: &mut Writer<'_>, plan: &'a Plan) -> Result<HashMap<ValueId, &'a str>> {
    for index in writer.inputs.taken.clone() {
        let name = &writer.graph.inputs()[index].0;
        writer.names.take(name);
    }
    let mut names = HashMap::new();
    for (name, value) in &plan.outputs {
        if !writer.names.take(name) {
            return Err(Error::SharedName { name: name.clone() });
        }
        names.entry(*value).or_insert(name.as_str());
    }
    for step in &plan.steps {
        let node = writer.graph.node(step.node);
        if matches!(node.op, Op::Parameter { .. }) {
            let name = writer.names.unique(&node.name);
            writer.parameters.insert(step.node, name);
        }
    }
    Ok(names)
}

fn encode(writer: Writer<'_>, plan: &Plan, options: &OnnxOptions<'_>) -> Result<Vec<u8>> {
    let (graph, element) = (writer.graph, writer.element());
    let info = |index: &usize| {
        let (name, shape) = &graph.inputs()[*index];
        ValueInfo::new(name, element, shape)
    };
    let written = proto::Graph {
        name: options.name.to_owned(),
        input: writer.inputs.taken.iter().map(info).collect(),
        output: plan
            .outputs
            .iter()
            .map(|(name, value)| ValueInfo::new(name, element, &graph.node(*value).shape))
            .collect(),
        node: writer.nodes,
        initializer: writer.initializers,
    };
    let entry = |(key, value): &(&str, &str)| Entry { key: (*key).to_owned(), value: (*value).to_owned() };
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "nshot".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(written),
        opset_import: vec![OperatorSet { domain: Some(String::new()), version: OPSET }],
        metadata_props: options.metadata.iter().map(entry).collect(),
    };
    let size = model.encoded_len() as u64;
    if size > MOST_BYTES {
        return Err(Error::TooLarge { found: size, most: MOST_BYTES });
    }
    Ok(model.encode_to_vec())
}
