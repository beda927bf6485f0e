//! Single nodes: inputs and parameters, average pooling, and every operation that autograd records.

use nshot_graph::{Node, Op, ValueId};
use tch::Tensor;

use super::tape::{Gradients, Saved};
use super::{Run, foreign};
use crate::ffi::fused::{self, Window};
use crate::{ParameterStore, Result, TorchError, dispatch, operations};

/// What the backward pass of average pooling needs.
#[derive(Debug)]
pub(super) struct SavedPool {
    input: ValueId,
    output: ValueId,
    window: Window,
    count_include_pad: bool,
    /// Height and width of the input.
    sizes: [i64; 2],
}

/// An operation as autograd recorded it: leaves and what was made of them.
#[derive(Debug)]
pub(super) struct SavedGraph {
    inputs: Vec<(ValueId, Tensor)>,
    outputs: Vec<(ValueId, Tensor)>,
}

impl Run<'_> {
    pub(super) fn node(&mut self, value: ValueId, inputs: &[ValueId]) -> Result<Saved> {
        let node = self.graph.nodes().get(value as usize).ok_or_else(foreign)?;
        match &node.op {
            Op::Input { index } => {
                let input = self.input(*index)?;
                self.put(value, Some(input))?;
                Ok(Saved::Nothing)
            }
            Op::Parameter { index, .. } => {
                let tensor = parameter(node, *index, self.context.store)?;
                self.put(value, Some(tensor))?;
                Ok(Saved::Parameter(value, *index))
            }
            Op::AvgPool2d { .. } if self.is_fused(&[self.value(inputs[0])?]) => {
                self.pool(node, value, inputs[0])
            }
            _ => self.with_autograd(inputs, |run, tensors| {
                Ok(vec![(value, operations::compute(node, tensors, &run.context)?)])
            }),
        }
    }

    fn input(&self, index: usize) -> Result<Tensor> {
        let (name, _) = self.graph.inputs().get(index).ok_or_else(foreign)?;
        let (_, tensor) = self
            .inputs
            .iter()
            .find(|(given, _)| given == name)
            .ok_or_else(|| TorchError::invalid("no tensor was given for this input"))?;
        let store = self.context.store;
        let tensor = tensor.f_to_device(store.device().tch())?.f_to_kind(store.precision().kind())?;
        if tensor.dim() == 4 { dispatch::channels_last(&tensor) } else { Ok(tensor) }
    }

    fn pool(&mut self, node: &Node, value: ValueId, input: ValueId) -> Result<Saved> {
        let Op::AvgPool2d { kernel, stride, padding, count_include_pad, .. } = node.op else {
            return Err(TorchError::invalid("is not an average pooling"));
        };
        let window = Window { stride, padding, other: kernel };
        let (given, made) = (self.value(input)?, self.context.sizes(node)?);
        let (from, to) = (image_sizes(&given.size())?, image_sizes(&made)?);
        let pooled =
            fused::average_pool(given, false, window, count_include_pad, to).map_err(TorchError::Torch)?;
        let wanted = self.differentiable(input, given);
        self.put(value, Some(pooled))?;
        let saved = SavedPool { input, output: value, window, count_include_pad, sizes: from };
        Ok(if wanted { Saved::Pool(saved) } else { Saved::Nothing })
    }

    /// Runs `body` on the values; where gradients are wanted, on leaves of its own that autograd follows.
    pub(super) fn with_autograd(
        &mut self,
        inputs: &[ValueId],
        body: impl FnOnce(&Self, &[&Tensor]) -> Result<Vec<(ValueId, Tensor)>>,
    ) -> Result<Saved> {
        let mut leaves = Vec::with_capacity(inputs.len());
        let mut recorded = false;
        for &id in inputs {
            let leaf = self.value(id)?.f_detach()?;
            let wanted = self.differentiable(id, &leaf);
            recorded |= wanted;
            leaves.push((id, if wanted { leaf.f_set_requires_grad(true)? } else { leaf }));
        }
        let tensors: Vec<&Tensor> = leaves.iter().map(|(_, leaf)| leaf).collect();
        let made = if recorded { tch::with_grad(|| body(self, &tensors)) } else { body(self, &tensors) }?;
        let mut outputs = Vec::new();
        for (id, tensor) in made {
            self.put(id, Some(tensor.f_detach()?))?;
            if tensor.requires_grad() {
                outputs.push((id, tensor));
            }
        }
        leaves.retain(|(_, leaf)| leaf.requires_grad());
        let saved = SavedGraph { inputs: leaves, outputs };
        Ok(if recorded { Saved::Graph(saved) } else { Saved::Nothing })
    }
}

impl SavedPool {
    pub(super) fn backward(self, gradients: &mut Gradients) -> Result<()> {
        let Some(gradient) = gradients.take_sum(self.output)? else { return Ok(()) };
        let back = fused::average_pool(&gradient, true, self.window, self.count_include_pad, self.sizes);
        gradients.add(self.input, back.map_err(TorchError::Torch)?, true);
        Ok(())
    }
}

impl SavedGraph {
    pub(super) fn backward(self, gradients: &mut Gradients) -> Result<()> {
        let mut outputs = Vec::new();
        for (id, output) in &self.outputs {
            if let Some(gradient) = gradients.take_sum(*id)? {
                outputs.push((output, gradient));
            }
        }
        if outputs.is_empty() {
            return Ok(());
        }
        let (made, seeds): (Vec<&Tensor>, Vec<&Tensor>) = outputs.iter().map(|(o, g)| (*o, g)).unzip();
        let leaves: Vec<&Tensor> = self.inputs.iter().map(|(_, leaf)| leaf).collect();
        let found = fused::autograd(&made, &seeds, &leaves).map_err(TorchError::Torch)?;
        for ((id, _), gradient) in self.inputs.iter().zip(found) {
            if let Some(gradient) = gradient {
                // One tensor may be the gradient of several inputs.
                gradients.add(*id, gradient, false);
            }
        }
        Ok(())
    }
}

/// Height and width of `[N, C, H, W]`.
fn image_sizes(sizes: &[i64]) -> Result<[i64; 2]> {
    match sizes {
        [_, _, height, width] => Ok([*height, *width]),
        _ => Err(TorchError::invalid(format!("has the shape {sizes:?}, expected four dimensions"))),
    }
}

fn parameter(node: &Node, index: usize, store: &ParameterStore) -> Result<Tensor> {
    match (store.get(index), store.specs().get(index)) {
        (Some(tensor), Some(spec)) if spec.shape == node.shape && spec.name == node.name => {
            Ok(tensor.f_detach()?)
        }
        _ => Err(TorchError::invalid("the graph was made for other parameters than the store holds")),
    }
}
