//! Runs the plan of a graph on libtorch, with its autograd. Values go as soon as nothing needs them.

use nshot_graph::{Action, Graph, Node, Op, Plan, ShowShape, Step, ValueId, resolve};
use tch::Tensor;

use crate::operations::{self, Context};
use crate::{ParameterStore, Result, TorchError, dispatch};

/// In which pass of which step a graph runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pass {
    /// Training: gradients are recorded, dropout drops, running statistics are updated. The plan must be of the
    /// same mode.
    pub training: bool,
    /// Seed of dropout.
    pub seed: u64,
    /// Number of the step.
    pub step: u64,
    /// Number of the path in the step.
    pub path: u64,
    /// Takes running statistics anew, without training: each batch counts this much, 0 to 1. The plan must be one of
    /// training.
    pub recalibrate: Option<f64>,
}

impl Pass {
    /// A pass without gradients.
    pub fn evaluation() -> Pass {
        Pass { training: false, seed: 0, step: 0, path: 0, recalibrate: None }
    }

    /// A pass without gradients in which running statistics move towards the batch's: a batch counts as much as
    /// `momentum` says.
    pub fn recalibration(momentum: f64) -> Pass {
        Pass { recalibrate: Some(momentum), ..Pass::evaluation() }
    }
}

/// Runs `plan`, which must be `graph`'s, and returns its outputs by name in the plan's order. `inputs` are the
/// graph's by name; those that no step uses may be left out. The batch size is taken from the inputs.
/// Random numbers depend on seed, step, path and the node's name alone.
///
/// # Errors
/// Names the node, for a missing input, an input of another shape, a parameter that the store does not hold, or
/// what libtorch refuses.
pub fn forward(
    graph: &Graph,
    plan: &Plan,
    store: &ParameterStore,
    inputs: &[(&str, &Tensor)],
    pass: Pass,
) -> Result<Vec<(String, Tensor)>> {
    let batch = batch_size(graph, inputs)?;
    let context = Context { store, pass, batch };
    let _guard = (!pass.training).then(tch::no_grad_guard);
    let uses = uses(graph, plan);
    let mut values: Vec<Option<Tensor>> = std::iter::repeat_with(|| None).take(graph.nodes().len()).collect();
    for step in &plan.steps {
        let node = graph.nodes().get(step.node as usize).ok_or_else(foreign)?;
        let value = run(graph, node, step, &values, &uses, inputs, &context).map_err(|error| {
            TorchError::Node { node: node.name.clone(), operation: node.op.name(), message: error.inner() }
        })?;
        values[step.node as usize] = Some(value);
        for &released in &step.release {
            if let Some(value) = values.get_mut(released as usize) {
                *value = None;
            }
        }
    }
    let output = |(name, id): &(String, ValueId)| {
        let value = values.get(*id as usize).and_then(Option::as_ref).ok_or_else(foreign)?;
        Ok((name.clone(), value.shallow_clone()))
    };
    plan.outputs.iter().map(output).collect()
}

/// Adds the gradients of a scalar loss to those of the parameters. A loss that depends on no parameter, as where
/// all branches are dead, adds none.
///
/// # Errors
/// A loss that is not a scalar.
pub fn backward(loss: &Tensor) -> Result<()> {
    if loss.numel() != 1 {
        return Err(TorchError::invalid(format!("a loss is a scalar, found the shape {:?}", loss.size())));
    }
    if loss.requires_grad() { Ok(loss.f_backward()?) } else { Ok(()) }
}

fn foreign() -> TorchError {
    TorchError::invalid("the plan does not belong to the graph")
}

/// Checks the inputs against the graph's and finds the `N` that fits them all; 1 if none depends on it.
fn batch_size(graph: &Graph, inputs: &[(&str, &Tensor)]) -> Result<i64> {
    let mut batch = None;
    for (name, tensor) in inputs {
        let Some((_, shape)) = graph.inputs().iter().find(|(known, _)| known == name) else { continue };
        let found = tensor.size();
        let size =
            shape.iter().zip(&found).find(|(wanted, _)| **wanted < 0).map(|(wanted, size)| size / -wanted);
        batch = batch.or(size);
        if resolve(shape, batch.unwrap_or(1)).as_ref() != Some(&found) {
            let batch = batch.map_or(String::new(), |batch| format!(" with N = {batch}"));
            return Err(TorchError::invalid(format!(
                "input `{name}` has the shape {found:?}, expected {}{batch}",
                ShowShape(shape)
            )));
        }
    }
    Ok(batch.unwrap_or(1))
}

/// How often each value is used, outputs counted.
fn uses(graph: &Graph, plan: &Plan) -> Vec<u32> {
    let mut uses = vec![0; graph.nodes().len()];
    let outputs = plan.outputs.iter().map(|(_, id)| id);
    for &id in plan.steps.iter().flat_map(|step| &step.inputs).chain(outputs) {
        if let Some(count) = uses.get_mut(id as usize) {
            *count += 1;
        }
    }
    uses
}

fn run(
    graph: &Graph,
    node: &Node,
    step: &Step,
    values: &[Option<Tensor>],
    uses: &[u32],
    inputs: &[(&str, &Tensor)],
    context: &Context<'_>,
) -> Result<Tensor> {
    if step.action == Action::Zeros {
        return context.filled(node, 0.0);
    }
    match &node.op {
        Op::Input { index } => return input(graph, *index, inputs, context),
        Op::Parameter { index, .. } => return parameter(node, *index, context),
        _ => {}
    }
    let arguments = step
        .inputs
        .iter()
        .map(|&id| values.get(id as usize).and_then(Option::as_ref).ok_or_else(foreign))
        .collect::<Result<Vec<&Tensor>>>()?;
    let spare = step.inputs.first().is_some_and(|&id| overwritable(graph, id, uses));
    operations::compute(node, &arguments, spare, context)
}

/// Whether a value's memory may be reused by its only user: nothing else needs it, neither a node nor its
/// producer's gradient.
fn overwritable(graph: &Graph, id: ValueId, uses: &[u32]) -> bool {
    let Some(producer) = graph.nodes().get(id as usize) else { return false };
    uses.get(id as usize) == Some(&1) && matches!(producer.op, Op::Conv2d { .. } | Op::BatchNorm { .. })
}

fn input(graph: &Graph, index: usize, inputs: &[(&str, &Tensor)], context: &Context<'_>) -> Result<Tensor> {
    let (name, _) = graph.inputs().get(index).ok_or_else(foreign)?;
    let (_, tensor) = inputs
        .iter()
        .find(|(given, _)| given == name)
        .ok_or_else(|| TorchError::invalid("no tensor was given for this input"))?;
    let tensor =
        tensor.f_to_device(context.store.device().tch())?.f_to_kind(context.store.precision().kind())?;
    if tensor.dim() == 4 { dispatch::channels_last(&tensor) } else { Ok(tensor) }
}

fn parameter(node: &Node, index: usize, context: &Context<'_>) -> Result<Tensor> {
    match (context.store.get(index), context.store.specs().get(index)) {
        (Some(tensor), Some(spec)) if spec.shape == node.shape && spec.name == node.name => {
            Ok(tensor.shallow_clone())
        }
        _ => Err(TorchError::invalid("the graph was made for other parameters than the store holds")),
    }
}
