//! Runs the program of a graph on libtorch, forward and backward. Values go as soon as nothing needs them.
//!
//! Convolutions, sums of batch norms with their rectifier, and average pooling have a backward pass of their own, which
//! saves little and joins passes over memory. Every other operation is recorded by autograd, each alone.

mod convolution;
mod node;
mod recompute;
mod sum;
mod tape;

use std::ops::Range;

use nshot_graph::{Graph, Program, ShowShape, Statistics, ValueId, Work, resolve};
use tch::Tensor;

use crate::operations::Context;
use crate::{ParameterStore, Result, TorchError};
pub use tape::Recorded;
use tape::Saved;

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
    /// Training: most of what the backward pass needs is computed again there, not kept. Same numbers, less memory.
    pub recompute: bool,
    /// Training: convolutions and linear layers compute in bfloat16, on rounded inputs and weights.
    pub autocast: bool,
}

impl Pass {
    /// A pass without gradients.
    pub fn evaluation() -> Pass {
        Pass {
            training: false,
            seed: 0,
            step: 0,
            path: 0,
            recalibrate: None,
            recompute: false,
            autocast: false,
        }
    }

    /// A pass without gradients in which running statistics move towards the batch's: a batch counts as much as
    /// `momentum` says.
    pub fn recalibration(momentum: f64) -> Pass {
        Pass { recalibrate: Some(momentum), ..Pass::evaluation() }
    }

    /// Whether a batch norm normalises by the batch's statistics in this pass.
    pub(crate) fn uses_batch(self, statistics: Statistics) -> bool {
        self.training || self.recalibrate.is_some() || statistics == Statistics::Batch
    }
}

/// Runs `program`, which must be `graph`'s, without gradients, and returns its outputs by name in the program's order.
/// `inputs` are the graph's by name; those that nothing uses may be left out. The batch size is taken from the inputs.
/// Random numbers depend on seed, step, path and the node's name alone.
///
/// # Errors
/// Names the node, for a missing input, an input of another shape, a parameter that the store does not hold, or
/// what libtorch refuses.
pub fn forward(
    graph: &Graph,
    program: &Program,
    store: &ParameterStore,
    inputs: &[(&str, &Tensor)],
    pass: Pass,
) -> Result<Vec<(String, Tensor)>> {
    let _guard = tch::no_grad_guard();
    let mut run = Run::new(graph, program, store, inputs, pass)?;
    run.execute(0..program.instructions.len())?;
    let output = |(name, id): &(String, ValueId)| Ok((name.clone(), run.value(*id)?.shallow_clone()));
    program.outputs.iter().map(output).collect()
}

/// As [`forward`], and keeps what the backward pass needs. The outputs are leaves of autograd: losses are made of them.
///
/// # Errors
/// As [`forward`].
pub fn record<'a>(
    graph: &'a Graph,
    program: &'a Program,
    store: &'a ParameterStore,
    inputs: &[(&str, &Tensor)],
    pass: Pass,
) -> Result<Recorded<'a>> {
    let _guard = tch::no_grad_guard();
    let mut run = Run::new(graph, program, store, inputs, pass)?;
    let segments = run.record()?;
    let outputs = program.outputs.iter().map(|(name, id)| {
        let leaf = run.value(*id)?.f_detach()?;
        let leaf = if run.is_trained(*id, &leaf) { leaf.f_set_requires_grad(true)? } else { leaf };
        Ok((name.clone(), leaf))
    });
    let outputs = outputs.collect::<Result<Vec<_>>>()?;
    let context = Context { store, pass, batch: run.context.batch, again: true };
    Ok(Recorded::new(Run::within(graph, program, &[], context), segments, outputs))
}

/// One pass through a program.
#[derive(Debug)]
struct Run<'a> {
    graph: &'a Graph,
    program: &'a Program,
    inputs: &'a [(&'a str, &'a Tensor)],
    context: Context<'a>,
    values: Vec<Option<Tensor>>,
    /// What each instruction saved so far, where a backward pass follows.
    tape: Option<Vec<Saved>>,
}

impl<'a> Run<'a> {
    fn new(
        graph: &'a Graph,
        program: &'a Program,
        store: &'a ParameterStore,
        inputs: &'a [(&'a str, &'a Tensor)],
        pass: Pass,
    ) -> Result<Run<'a>> {
        let context = Context { store, pass, batch: batch_size(graph, inputs)?, again: false };
        Ok(Run::within(graph, program, inputs, context))
    }

    fn within(
        graph: &'a Graph,
        program: &'a Program,
        inputs: &'a [(&'a str, &'a Tensor)],
        context: Context<'a>,
    ) -> Run<'a> {
        let values = std::iter::repeat_with(|| None).take(graph.nodes().len()).collect();
        Run { graph, program, inputs, context, values, tape: None }
    }

    /// Runs some of the program.
    fn execute(&mut self, instructions: Range<usize>) -> Result<()> {
        for instruction in &self.program.instructions[instructions] {
            let work = &instruction.work;
            let saved = self.run(work).map_err(|error| located(self.graph, work, error))?;
            if let Some(tape) = &mut self.tape {
                tape.push(saved);
            }
            for &released in &instruction.release {
                self.put(released, None)?;
            }
        }
        Ok(())
    }

    fn run(&mut self, work: &Work) -> Result<Saved> {
        match work {
            Work::Zeros(value) => {
                let zeros = self.context.filled(self.graph.node(*value), 0.0)?;
                self.put(*value, Some(zeros))?;
                Ok(Saved::Nothing)
            }
            Work::Node { value, inputs } => self.node(*value, inputs),
            Work::Convolution { input, filters } => self.convolution(*input, filters),
            Work::Sum { terms, sum, rectified } => self.sum(terms, *sum, *rectified),
        }
    }

    fn value(&self, id: ValueId) -> Result<&Tensor> {
        self.values.get(id as usize).and_then(Option::as_ref).ok_or_else(foreign)
    }

    fn put(&mut self, id: ValueId, tensor: Option<Tensor>) -> Result<()> {
        *self.values.get_mut(id as usize).ok_or_else(foreign)? = tensor;
        Ok(())
    }

    /// Whether a gradient of this value is wanted.
    fn differentiable(&self, id: ValueId, tensor: &Tensor) -> bool {
        self.tape.is_some() && self.is_trained(id, tensor)
    }

    fn is_trained(&self, id: ValueId, tensor: &Tensor) -> bool {
        self.program.trained.get(id as usize) == Some(&true) && tensor.is_floating_point()
    }

    /// Whether the shim's passes can be used: on the CPU, for images of the run's precision.
    fn is_fused(&self, images: &[&Tensor]) -> bool {
        let kind = self.context.store.precision().kind();
        let fits = |x: &&Tensor| x.dim() == 4 && x.f_kind().is_ok_and(|found| found == kind) && x.numel() > 0;
        self.context.store.device().tch() == tch::Device::Cpu && images.iter().all(fits)
    }
}

fn foreign() -> TorchError {
    TorchError::invalid("the program does not belong to the graph")
}

/// Names the node at which work failed.
fn located(graph: &Graph, work: &Work, error: TorchError) -> TorchError {
    let values = work.values();
    let value = values.first().copied().or_else(|| work.inputs().first().copied()).unwrap_or_default();
    match graph.nodes().get(value as usize) {
        Some(node) => {
            TorchError::Node { node: node.name.clone(), operation: node.op.name(), message: error.inner() }
        }
        None => foreign(),
    }
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
