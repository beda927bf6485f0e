//! Gradients of a step: which parameters have one, and their norm.

use nshot_graph::Role;
use tch::Tensor;

use crate::dispatch::{Argument, call, call_one};
use crate::ffi::fused;
use crate::{ParameterStore, Result, TorchError};

/// The gradients that an update uses, of trained parameters in the order of their indices.
#[derive(Debug)]
pub struct Gradients {
    pub(crate) indices: Vec<usize>,
    pub(crate) tensors: Vec<Tensor>,
}

impl Gradients {
    /// The gradients that the backward passes since the last
    /// [`clear_gradients`](ParameterStore::clear_gradients) left, for the `reached` parameters (sorted or not;
    /// buffers are left out). A reached parameter without one, such as one on a dead branch, gets zeros.
    ///
    /// # Errors
    /// An unknown index.
    pub fn collect(store: &ParameterStore, reached: &[usize]) -> Result<Gradients> {
        let mut indices = reached.to_vec();
        indices.sort_unstable();
        indices.dedup();
        let mut kept = Vec::with_capacity(indices.len());
        let mut tensors = Vec::with_capacity(indices.len());
        let _guard = tch::no_grad_guard();
        for index in indices {
            let (Some(tensor), Some(spec)) = (store.get(index), store.specs().get(index)) else {
                return Err(TorchError::invalid(format!("there is no parameter with the index {index}")));
            };
            if spec.role == Role::Buffer {
                continue;
            }
            let gradient = tensor.f_grad()?;
            tensors.push(if gradient.defined() { gradient } else { tensor.f_detach()?.f_zeros_like()? });
            kept.push(index);
        }
        Ok(Gradients { indices: kept, tensors })
    }

    /// As [`collect`](Self::collect), but takes them away from the parameters: what later backward passes leave is apart
    /// from them until [`put`](Self::put) adds them.
    pub fn take(store: &ParameterStore, reached: &[usize]) -> Result<Gradients> {
        let gradients = Self::collect(store, reached)?;
        store.clear_gradients()?;
        Ok(gradients)
    }

    /// Adds them to the parameters' gradients.
    pub fn put(self, store: &ParameterStore) -> Result<()> {
        for (index, gradient) in self.indices.iter().zip(&self.tensors) {
            if let Some(parameter) = store.get(*index) {
                fused::accumulate(parameter, gradient).map_err(TorchError::Torch)?;
            }
        }
        Ok(())
    }

    /// Indices of the parameters, ascending.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The gradients, in the order of [`indices`](Self::indices).
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The L2 norm of all gradients together, a scalar on the device.
    pub fn norm(&self) -> Result<Tensor> {
        let _guard = tch::no_grad_guard();
        global_norm(&self.tensors)
    }

    /// The L2 norm of the gradients of some parameters (those without one do not count), on the device.
    pub fn norm_of(&self, indices: &[usize]) -> Result<Tensor> {
        let _guard = tch::no_grad_guard();
        let some = indices
            .iter()
            .filter_map(|index| self.indices.binary_search(index).ok())
            .map(|at| self.tensors[at].shallow_clone())
            .collect::<Vec<_>>();
        match (&some[..], self.tensors.first()) {
            // None of them has a gradient; where figures are read together, they are on one device.
            ([], Some(any)) => Ok(Tensor::f_zeros([], (any.kind(), any.device()))?),
            _ => global_norm(&some),
        }
    }

    /// Scales all gradients by `min(1, maximum / (norm + 1e-6))` as PyTorch's `clip_grad_norm_` does and returns
    /// the norm before, on the device.
    ///
    /// # Errors
    /// A maximum that is not positive.
    pub fn clip(&mut self, maximum: f64) -> Result<Tensor> {
        if maximum.is_nan() || maximum <= 0.0 {
            return Err(TorchError::invalid(format!(
                "the clipping norm is {maximum}, expected a positive number"
            )));
        }
        let _guard = tch::no_grad_guard();
        let norm = global_norm(&self.tensors)?;
        if !self.tensors.is_empty() && maximum.is_finite() {
            let factor = norm.f_add_scalar(1e-6)?.f_reciprocal()?.f_mul_scalar(maximum)?.f_clamp_max(1.0)?;
            let list: Vec<&Tensor> = self.tensors.iter().collect();
            call("aten::_foreach_mul_.Tensor", &[Argument::Tensors(&list), Argument::Tensor(&factor)], &[])?;
        }
        Ok(norm)
    }
}

/// The norm of the norms; zero for no tensors.
pub(crate) fn global_norm(tensors: &[Tensor]) -> Result<Tensor> {
    if tensors.is_empty() {
        return Ok(Tensor::f_zeros([], (tch::Kind::Double, tch::Device::Cpu))?);
    }
    let list: Vec<&Tensor> = tensors.iter().collect();
    let norms = call("aten::_foreach_norm.Scalar", &[Argument::Tensors(&list)], &[])?;
    let stacked = Tensor::f_stack(&norms, 0)?;
    call_one("aten::linalg_vector_norm", &[Argument::Tensor(&stacked)], &[])
}
