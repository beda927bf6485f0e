//! Whole update rules in one pass over memory.

use tch::Tensor;

use super::arguments::Arguments;
use super::{List, Owner, UpdateTable};
use crate::dispatch::{Argument, call};
use crate::slots::count_tensors;
use crate::{Result, TorchError};

/// SGD as PyTorch's: a new momentum starts as the gradient, whatever the dampening.
pub(super) fn sgd(
    table: &mut UpdateTable<'_>,
    handles: &[u32],
    arguments: &mut Arguments<'_>,
) -> Result<Option<Vec<Tensor>>> {
    let lists = fitting(table, handles, &[2, 3])?;
    let momentum = arguments.float("momentum", Some(0.0))?;
    if (momentum != 0.0) != (lists.len() == 3) {
        return Err(TorchError::invalid(format!(
            "the momentum is {momentum} with {} lists, expected a slot for momentum just where it is not 0",
            lists.len()
        )));
    }
    let (lr, weight_decay) = (arguments.float("lr", None)?, arguments.float("weight_decay", Some(0.0))?);
    let dampening = arguments.float("dampening", Some(0.0))?;
    let (nesterov, maximize) = (arguments.flag("nesterov")?, arguments.flag("maximize")?);
    arguments.finish()?;
    if nesterov && (momentum <= 0.0 || dampening != 0.0) {
        return Err(TorchError::invalid("Nesterov momentum needs a positive momentum and no dampening"));
    }
    let step = |first: bool, part: &[usize]| {
        if part.is_empty() {
            return Ok(());
        }
        let of =
            |i: usize| lists.get(i).map_or(Vec::new(), |list| part.iter().map(|&at| &list[at]).collect());
        let (parameters, gradients, momenta) = (of(0), of(1), of(2));
        call(
            "aten::_fused_sgd_",
            &[Argument::Tensors(&parameters), Argument::Tensors(&gradients), Argument::Tensors(&momenta)],
            &[
                ("weight_decay", Argument::Float(weight_decay)),
                ("momentum", Argument::Float(momentum)),
                ("lr", Argument::Float(lr)),
                ("dampening", Argument::Float(dampening)),
                ("nesterov", Argument::Bool(nesterov)),
                ("maximize", Argument::Bool(maximize)),
                ("is_first_step", Argument::Bool(first)),
            ],
        )
        .map(drop)
    };
    let count = lists[0].len();
    let updates = handles.get(2).map_or(Ok(&[][..]), |&handle| table.list(handle).map(|l| &l.updates[..]))?;
    let (new, old): (Vec<usize>, Vec<usize>) = (0..count).partition(|&at| updates.get(at) == Some(&1));
    step(false, &old)?;
    step(true, &new)?;
    Ok(None)
}

/// Adam or `AdamW`; the step of each parameter's bias correction is the first moment's count of updates.
pub(super) fn adam(
    table: &mut UpdateTable<'_>,
    operator: &str,
    handles: &[u32],
    arguments: &mut Arguments<'_>,
) -> Result<Option<Vec<Tensor>>> {
    let lists = fitting(table, handles, &[4])?;
    let moments = table.list(handles[2])?;
    if moments.owner != Owner::Slot {
        return Err(TorchError::invalid(
            "the first moment must be a slot: its count of updates corrects the bias",
        ));
    }
    let lr = arguments.float("lr", None)?;
    let (beta1, beta2) = (arguments.float("beta1", Some(0.9))?, arguments.float("beta2", Some(0.999))?);
    let (eps, weight_decay) =
        (arguments.float("eps", Some(1e-8))?, arguments.float("weight_decay", Some(0.0))?);
    let maximize = arguments.flag("maximize")?;
    arguments.finish()?;
    for (name, beta) in [("beta1", beta1), ("beta2", beta2)] {
        if !(0.0..1.0).contains(&beta) {
            return Err(TorchError::invalid(format!(
                "attribute `{name}` is {beta}, expected 0 or more and below 1"
            )));
        }
    }
    if lists[0].is_empty() {
        return Ok(None);
    }
    let steps = count_tensors(&moments.updates, table.store.device().tch())?;
    let all = |list: &'_ [Tensor]| -> Vec<Tensor> { list.iter().map(Tensor::shallow_clone).collect() };
    let owned: Vec<Vec<Tensor>> = lists.iter().map(|list| all(list)).chain([Vec::new(), steps]).collect();
    let borrowed: Vec<Vec<&Tensor>> = owned.iter().map(|list| list.iter().collect()).collect();
    let tensors: Vec<Argument<'_>> = borrowed.iter().map(|list| Argument::Tensors(list)).collect();
    call(
        operator,
        &tensors,
        &[
            ("lr", Argument::Float(lr)),
            ("beta1", Argument::Float(beta1)),
            ("beta2", Argument::Float(beta2)),
            ("weight_decay", Argument::Float(weight_decay)),
            ("eps", Argument::Float(eps)),
            ("amsgrad", Argument::Bool(false)),
            ("maximize", Argument::Bool(maximize)),
        ],
    )?;
    Ok(None)
}

/// The lists, of equal lengths and shapes, in memory the way the parameters lie: the fused kernels walk through
/// memory and look at no strides.
fn fitting(table: &UpdateTable<'_>, handles: &[u32], counts: &[usize]) -> Result<Vec<Vec<Tensor>>> {
    if !counts.contains(&handles.len()) {
        return Err(TorchError::invalid(format!("takes {counts:?} lists, found {}", handles.len())));
    }
    let lists = handles.iter().map(|&handle| table.list(handle)).collect::<Result<Vec<&List>>>()?;
    let parameters = &lists[0].tensors;
    let mut fitted = Vec::with_capacity(lists.len());
    for (position, list) in lists.iter().enumerate() {
        if list.tensors.len() != parameters.len() {
            return Err(TorchError::invalid(format!(
                "list {} has {} tensors, expected {} as in the first",
                position + 1,
                list.tensors.len(),
                parameters.len()
            )));
        }
        let fit = |(at, (tensor, parameter)): (usize, (&Tensor, &Tensor))| {
            if tensor.size() != parameter.size() || tensor.f_kind()? != parameter.f_kind()? {
                return Err(TorchError::invalid(format!(
                    "tensor {at} of list {} has the shape {:?}, expected {:?}",
                    position + 1,
                    tensor.size(),
                    parameter.size()
                )));
            }
            if layout(tensor) == layout(parameter) {
                return Ok(tensor.shallow_clone());
            }
            // Only gradients are read alone; a copy of anything else would take the update with it.
            if position != 1 {
                return Err(TorchError::invalid(format!(
                    "list {} does not lie as the parameters do",
                    position + 1
                )));
            }
            let mut copy = parameter.f_detach()?.f_empty_like()?;
            copy.f_copy_(tensor)?;
            Ok(copy)
        };
        fitted.push(list.tensors.iter().zip(parameters).enumerate().map(fit).collect::<Result<Vec<_>>>()?);
    }
    Ok(fitted)
}

/// Strides of the dimensions that have more than one element.
fn layout(tensor: &Tensor) -> Vec<i64> {
    tensor
        .size()
        .iter()
        .zip(tensor.stride())
        .filter(|(size, _)| **size > 1)
        .map(|(_, stride)| stride)
        .collect()
}
