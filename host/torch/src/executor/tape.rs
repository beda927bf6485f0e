//! The backward pass: what each instruction saved, last to first.

use nshot_graph::{Graph, Program, ValueId};
use tch::Tensor;

use super::convolution::{Rooms, SavedConvolution};
use super::node::{SavedGraph, SavedPool};
use super::recompute::Segment;
use super::sum::SavedSum;
use super::{Run, foreign, located};
use crate::ffi::fused;
use crate::{ParameterStore, Result, TorchError};

/// What an instruction keeps for its backward pass.
#[derive(Debug)]
pub(super) enum Saved {
    Nothing,
    /// A parameter's value and its index in the store.
    Parameter(ValueId, usize),
    Pool(SavedPool),
    Graph(SavedGraph),
    Convolution(SavedConvolution),
    Sum(SavedSum),
}

/// A forward pass that can be followed back once.
#[derive(Debug)]
pub struct Recorded<'a> {
    /// Computes segments again.
    run: Run<'a>,
    segments: Vec<Segment>,
    outputs: Vec<(String, Tensor)>,
}

impl<'a> Recorded<'a> {
    pub(super) fn new(run: Run<'a>, segments: Vec<Segment>, outputs: Vec<(String, Tensor)>) -> Self {
        Self { run, segments, outputs }
    }

    /// The outputs by name.
    pub fn outputs(&self) -> &[(String, Tensor)] {
        &self.outputs
    }

    /// Adds the gradients of a scalar loss of the outputs to those of the parameters. A loss that depends on no
    /// parameter, as where all branches are dead, adds none.
    ///
    /// # Errors
    /// A loss that is not a scalar, or what libtorch refuses.
    pub fn backward(mut self, loss: &Tensor) -> Result<()> {
        if loss.numel() != 1 {
            return Err(TorchError::invalid(format!(
                "a loss is a scalar, found the shape {:?}",
                loss.size()
            )));
        }
        if !loss.requires_grad() {
            return Ok(());
        }
        loss.f_backward()?;
        let _guard = tch::no_grad_guard();
        let Run { graph, program, .. } = self.run;
        let mut gradients = Gradients::new(graph, program);
        for ((_, id), (_, leaf)) in program.outputs.iter().zip(&self.outputs) {
            let gradient = leaf.f_grad()?;
            if gradient.defined() {
                gradients.add(*id, gradient, true);
            }
        }
        drop(self.outputs);
        for segment in self.segments.into_iter().rev() {
            for (index, saved) in self.run.taped(segment)?.into_iter().rev() {
                saved
                    .backward(&mut gradients, self.run.context.store)
                    .map_err(|error| located(graph, &program.instructions[index].work, error))?;
            }
        }
        Ok(())
    }
}

impl Saved {
    fn backward(self, gradients: &mut Gradients, store: &ParameterStore) -> Result<()> {
        match self {
            Saved::Nothing => Ok(()),
            Saved::Parameter(value, index) => match gradients.take_owned(value)? {
                Some(gradient) => {
                    let parameter = store.get(index).ok_or_else(foreign)?;
                    fused::accumulate(parameter, &gradient).map_err(TorchError::Torch)
                }
                None => Ok(()),
            },
            Saved::Pool(pool) => pool.backward(gradients),
            Saved::Graph(graph) => graph.backward(gradients),
            Saved::Convolution(convolution) => convolution.backward(gradients),
            Saved::Sum(sum) => sum.backward(gradients),
        }
    }
}

/// A part of a value's gradient.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) tensor: Tensor,
    /// Nothing else holds this memory, so it may be overwritten.
    pub(super) owned: bool,
}

/// Gradients of values, in parts that are added up by whoever needs the sum.
pub(super) struct Gradients<'a> {
    trained: &'a [bool],
    parts: Vec<Vec<Part>>,
    pub(super) rooms: Rooms<'a>,
}

impl<'a> Gradients<'a> {
    fn new(graph: &'a Graph, program: &'a Program) -> Self {
        let parts = std::iter::repeat_with(Vec::new).take(graph.nodes().len()).collect();
        Self { trained: &program.trained, parts, rooms: Rooms::new(graph, program) }
    }

    /// Whether a gradient of this value is wanted.
    pub(super) fn wants(&self, id: ValueId) -> bool {
        self.trained.get(id as usize) == Some(&true)
    }

    /// Adds a part; `owned` if nothing else holds its memory.
    pub(super) fn add(&mut self, id: ValueId, tensor: Tensor, owned: bool) {
        if let Some(parts) = self.parts.get_mut(id as usize).filter(|_| self.trained[id as usize]) {
            parts.push(Part { tensor, owned });
        }
    }

    /// All parts of a value's gradient.
    pub(super) fn take(&mut self, id: ValueId) -> Vec<Part> {
        self.parts.get_mut(id as usize).map(std::mem::take).unwrap_or_default()
    }

    /// A value's gradient; none if nothing depends on it.
    pub(super) fn take_sum(&mut self, id: ValueId) -> Result<Option<Tensor>> {
        Ok(self.summed(id)?.map(|part| part.tensor))
    }

    /// As [`take_sum`](Self::take_sum), in memory of its own.
    fn take_owned(&mut self, id: ValueId) -> Result<Option<Tensor>> {
        match self.summed(id)? {
            Some(Part { tensor, owned: false }) => {
                let mut copy = tensor.f_empty_like()?;
                copy.f_copy_(&tensor)?;
                Ok(Some(copy))
            }
            part => Ok(part.map(|part| part.tensor)),
        }
    }

    fn summed(&mut self, id: ValueId) -> Result<Option<Part>> {
        let mut parts = self.take(id).into_iter();
        let Some(mut sum) = parts.next() else { return Ok(None) };
        for part in parts {
            sum = match sum {
                Part { mut tensor, owned: true } => {
                    let _ = tensor.f_add_(&part.tensor)?;
                    Part { tensor, owned: true }
                }
                Part { tensor, .. } => Part { tensor: tensor.f_add(&part.tensor)?, owned: true },
            };
        }
        Ok(Some(sum))
    }
}
