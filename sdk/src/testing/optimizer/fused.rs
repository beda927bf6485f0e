//! Whole update rules, by PyTorch's formulas.

use super::arguments::Arguments;
use super::operations::Made;
use super::table::{Owner, Table};

/// SGD: a new momentum starts as the gradient, whatever the dampening.
pub(super) fn sgd(
    table: &mut Table<'_>,
    handles: &[u32],
    arguments: &mut Arguments<'_>,
) -> Result<Made, String> {
    let lists = fitting(table, handles, &[2, 3])?;
    let momentum = arguments.float("momentum", Some(0.0))?;
    if (momentum != 0.0) != (lists.len() == 3) {
        return Err(format!(
            "the momentum is {momentum} with {} lists, expected a slot for momentum just where it is not 0",
            lists.len()
        ));
    }
    let (lr, weight_decay) = (arguments.float("lr", None)?, arguments.float("weight_decay", Some(0.0))?);
    let dampening = arguments.float("dampening", Some(0.0))?;
    let (nesterov, maximize) = (arguments.flag("nesterov")?, arguments.flag("maximize")?);
    arguments.finish()?;
    if nesterov && (momentum <= 0.0 || dampening != 0.0) {
        return Err("Nesterov momentum needs a positive momentum and no dampening".to_owned());
    }
    let updates =
        handles.get(2).map_or(Ok(Vec::new()), |&handle| table.list(handle).map(|l| l.updates.clone()))?;
    let arena = &mut table.state.arena;
    for at in 0..lists[0].len() {
        for element in 0..arena.values(lists[0][at]).len() {
            let parameter = arena.values(lists[0][at])[element];
            let gradient = arena.values(lists[1][at])[element];
            let mut step = if maximize { -gradient } else { gradient } + weight_decay * parameter;
            if let Some(momenta) = lists.get(2) {
                let buffer = &mut arena.values_mut(momenta[at])[element];
                let first = updates.get(at) == Some(&1);
                *buffer = if first { step } else { momentum * *buffer + (1.0 - dampening) * step };
                step = if nesterov { step + momentum * *buffer } else { *buffer };
            }
            arena.values_mut(lists[0][at])[element] = parameter - lr * step;
        }
    }
    Ok(None)
}

/// Adam or, with `decoupled` weight decay, `AdamW`; the first moment's count of updates corrects the bias.
pub(super) fn adam(
    table: &mut Table<'_>,
    decoupled: bool,
    handles: &[u32],
    arguments: &mut Arguments<'_>,
) -> Result<Made, String> {
    let lists = fitting(table, handles, &[4])?;
    let moments = table.list(handles[2])?;
    if moments.owner != Owner::Slot {
        return Err("the first moment must be a slot: its count of updates corrects the bias".to_owned());
    }
    let updates = moments.updates.clone();
    let lr = arguments.float("lr", None)?;
    let (beta1, beta2) = (arguments.float("beta1", Some(0.9))?, arguments.float("beta2", Some(0.999))?);
    let (eps, decay) = (arguments.float("eps", Some(1e-8))?, arguments.float("weight_decay", Some(0.0))?);
    let maximize = arguments.flag("maximize")?;
    arguments.finish()?;
    for (name, beta) in [("beta1", beta1), ("beta2", beta2)] {
        if !(0.0..1.0).contains(&beta) {
            return Err(format!("attribute `{name}` is {beta}, expected 0 or more and below 1"));
        }
    }
    let arena = &mut table.state.arena;
    for (at, &count) in updates.iter().enumerate() {
        let corrections = [beta1, beta2].map(|beta| 1.0 - beta.powf(count as f64));
        for element in 0..arena.values(lists[0][at]).len() {
            let mut parameter = arena.values(lists[0][at])[element];
            let gradient = arena.values(lists[1][at])[element];
            let mut gradient = if maximize { -gradient } else { gradient };
            if decoupled {
                parameter -= lr * decay * parameter;
            } else {
                gradient += decay * parameter;
            }
            let first = &mut arena.values_mut(lists[2][at])[element];
            *first += (1.0 - beta1) * (gradient - *first);
            let first = *first / corrections[0];
            let second = &mut arena.values_mut(lists[3][at])[element];
            *second = beta2 * *second + (1.0 - beta2) * gradient * gradient;
            let second = (*second / corrections[1]).sqrt();
            arena.values_mut(lists[0][at])[element] = parameter - lr * first / (second + eps);
        }
    }
    Ok(None)
}

/// The tensors of the lists, of equal lengths and shapes.
fn fitting(table: &Table<'_>, handles: &[u32], counts: &[usize]) -> Result<Vec<Vec<usize>>, String> {
    if !counts.contains(&handles.len()) {
        return Err(format!("takes {counts:?} lists, found {}", handles.len()));
    }
    let lists: Vec<Vec<usize>> = handles
        .iter()
        .map(|&handle| Ok(table.list(handle)?.tensors.clone()))
        .collect::<Result<_, String>>()?;
    for (position, list) in lists.iter().enumerate() {
        if list.len() != lists[0].len() {
            return Err(format!(
                "list {} has {} tensors, expected {} as in the first",
                position + 1,
                list.len(),
                lists[0].len()
            ));
        }
        for (at, (&tensor, &parameter)) in list.iter().zip(&lists[0]).enumerate() {
            let (found, expected) = (table.state.arena.tensor(tensor), table.state.arena.tensor(parameter));
            if found.shape != expected.shape {
                return Err(format!(
                    "tensor {at} of list {} has the shape {:?}, expected {:?}",
                    position + 1,
                    found.shape,
                    expected.shape
                ));
            }
        }
    }
    Ok(lists)
}
