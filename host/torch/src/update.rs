//! Lists of tensors lent to an optimizer for the length of one call, and the operations on them.
//!
//! A list has one tensor per parameter that the update moves, or one per element of a subset, or a single
//! scalar. Handles are numbers, so that they can cross the plugin boundary; a wrong one is an error. Nothing
//! here records gradients, and no operation waits for the device except [`UpdateTable::read`].

mod arguments;
mod fused;
mod lists;

use std::collections::HashMap;

use nshot_graph::Value;
use tch::Tensor;

use crate::{Gradients, ParameterStore, Result, SlotInit, Slots, TorchError, read_scalars};
use arguments::Arguments;

/// Lists of one call at most: a plugin's endless loop ends in an error instead of exhausted memory.
const LISTS: usize = 100_000;
/// And what operations make in one call, as multiples of the parameters' elements.
const COPIES: usize = 256;

/// Where a list's tensors belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Parameters,
    Gradients,
    Slot,
    Operation,
}

#[derive(Debug)]
struct List {
    owner: Owner,
    tensors: Vec<Tensor>,
    /// Of slots, per tensor: the number of this update, from 1. Empty for others.
    updates: Vec<u64>,
}

impl List {
    fn subset(&self, indices: &[usize]) -> Option<List> {
        let tensors =
            indices.iter().map(|&i| Some(self.tensors.get(i)?.shallow_clone())).collect::<Option<_>>()?;
        let updates = indices.iter().filter_map(|&i| self.updates.get(i).copied()).collect();
        Some(List { owner: self.owner, tensors, updates })
    }
}

/// A slot as an optimizer gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotList {
    /// Handle of the list of its tensors.
    pub handle: u32,
    /// Per parameter the number of this update, from 1: how often the slot was asked for, in other updates too.
    pub updates: Vec<u64>,
    /// Per parameter whether this update made the tensor.
    pub new: Vec<bool>,
}

/// The table of lists of one update.
#[derive(Debug)]
pub struct UpdateTable<'a> {
    store: &'a ParameterStore,
    gradients: &'a Gradients,
    slots: &'a mut Slots,
    group: u32,
    lists: Vec<List>,
    made: HashMap<String, SlotList>,
    /// Elements that operations made.
    made_elements: usize,
}

impl<'a> UpdateTable<'a> {
    /// For the parameters that `gradients` has, with the slots of `group`.
    ///
    /// # Errors
    /// Gradients of another store.
    pub fn new(
        store: &'a ParameterStore,
        gradients: &'a Gradients,
        slots: &'a mut Slots,
        group: u32,
    ) -> Result<UpdateTable<'a>> {
        let tensors = gradients
            .indices()
            .iter()
            .map(|&index| store.get(index).map(Tensor::shallow_clone))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| TorchError::invalid("the gradients belong to another store"))?;
        let parameters = List { owner: Owner::Parameters, tensors, updates: vec![] };
        let tensors = gradients.tensors().iter().map(Tensor::shallow_clone).collect();
        let lent = List { owner: Owner::Gradients, tensors, updates: vec![] };
        Ok(UpdateTable {
            store,
            gradients,
            slots,
            group,
            lists: vec![parameters, lent],
            made: HashMap::new(),
            made_elements: 0,
        })
    }

    /// The parameters that the update moves. Their order is that of [`Gradients::indices`].
    pub fn parameters(&self) -> u32 {
        0
    }

    /// Their gradients; read-only.
    pub fn gradients(&self) -> u32 {
        1
    }

    /// The slot called `name` of the update's group, made where it is asked for the first time. Asked again in
    /// the same update, the same list.
    ///
    /// # Errors
    /// A name that is no slot's.
    pub fn slot(&mut self, name: &str, init: SlotInit) -> Result<SlotList> {
        if let Some(slot) = self.made.get(name) {
            return Ok(slot.clone());
        }
        let _guard = tch::no_grad_guard();
        let slot = self.slots.slot(self.group, name, self.store.len())?;
        let (mut tensors, mut updates, mut new) = (Vec::new(), Vec::new(), Vec::new());
        for (position, &index) in self.gradients.indices().iter().enumerate() {
            let parameter = &self.lists[0].tensors[position];
            let (Some(place), Some(count)) = (slot.tensors.get_mut(index), slot.counts.get_mut(index)) else {
                return Err(TorchError::invalid(format!(
                    "slot `{name}` was made for another set of parameters"
                )));
            };
            let tensor = if let Some(tensor) = place {
                tensor.shallow_clone()
            } else {
                let mut made = parameter.f_detach()?.f_zeros_like()?;
                match init {
                    SlotInit::Zeros => {}
                    SlotInit::Gradient => made.f_copy_(&self.gradients.tensors()[position])?,
                    SlotInit::Parameter => made.f_copy_(parameter)?,
                }
                *place = Some(made.shallow_clone());
                made
            };
            new.push(*count == 0);
            *count += 1;
            updates.push(*count);
            tensors.push(tensor);
        }
        let handle = self.push(List { owner: Owner::Slot, tensors, updates: updates.clone() })?;
        let slot = SlotList { handle, updates, new };
        self.made.insert(name.to_owned(), slot.clone());
        Ok(slot)
    }

    /// The tensors of a list at `indices`; the same memory.
    ///
    /// # Errors
    /// An unknown handle or an index beyond the list.
    pub fn subset(&mut self, list: u32, indices: &[usize]) -> Result<u32> {
        let from = self.list(list)?;
        let length = from.tensors.len();
        let subset = from.subset(indices).ok_or_else(|| {
            TorchError::invalid(format!(
                "a subset of list {list} asks for more than its {length} tensors: {indices:?}"
            ))
        })?;
        self.push(subset)
    }

    /// Runs an operation on lists and returns the list that it makes; names that end in `_` write into their
    /// first list and return its handle.
    ///
    /// | operation | lists | attributes |
    /// |---|---|---|
    /// | `add` `sub` | a, b | `alpha` = 1: `a ± alpha·b` |
    /// | `add` `sub` `mul` `div` `maximum` `minimum` | a | `value` |
    /// | `mul` `div` `maximum` `minimum` `pow` | a, b | |
    /// | `pow` | a | `exponent` |
    /// | `clamp_min` `clamp_max` | a | `value` |
    /// | `lerp` | a, b | `weight`: `a + weight·(b − a)` |
    /// | `addcmul` `addcdiv` | a, b, c | `value` = 1: `a + value·b·c`, `a + value·b/c` |
    /// | `sqrt` `rsqrt` `abs` `sign` `neg` `reciprocal` `exp` `log` `copy` | a | |
    /// | `copy_` | a, b | |
    /// | `zero_` | a | |
    /// | `zeros_like` `ones_like` | a | |
    /// | `norm` | a | `p` = 2: a scalar per tensor |
    /// | `sum` | a | a scalar per tensor |
    /// | `global_norm` `total` | a | one scalar: the L2 norm, the sum over all tensors |
    /// | `fused_sgd_` | parameters, gradients, momentum slot? | `lr`, `momentum` = 0, `weight_decay` = 0, `dampening` = 0, `nesterov`, `maximize` |
    /// | `fused_adam_` `fused_adamw_` | parameters, gradients, first and second moment slots | `lr`, `beta1` = 0.9, `beta2` = 0.999, `eps` = 1e-8, `weight_decay` = 0, `maximize` |
    ///
    /// Number attributes of the first group are a number, or a list with one number per tensor. A tensor of a
    /// second or third list has the shape of the first list's, or is a scalar; a list of one scalar serves all.
    /// The fused operations may be called without the `_` too. Formulas are PyTorch's.
    ///
    /// # Errors
    /// Unknown operations, attributes or handles, lists of unequal length, shapes that differ, numbers that are
    /// not finite, writing into gradients. All handles stay valid.
    pub fn op(&mut self, name: &str, lists: &[u32], attributes: &[(String, Value)]) -> Result<u32> {
        let _guard = tch::no_grad_guard();
        let wrap =
            |error: TorchError| TorchError::Operator { operator: name.to_owned(), message: error.inner() };
        if let Some(&handle) = lists.first()
            && (name.ends_with('_') || name.starts_with("fused_"))
            && self.list(handle).map_err(wrap)?.owner == Owner::Gradients
        {
            return Err(wrap(TorchError::invalid(
                "gradients are read-only\n\nhint: use the operation without `_`, which makes a new list",
            )));
        }
        let mut arguments = Arguments::new(attributes);
        let made = match name {
            "fused_sgd_" | "fused_sgd" => fused::sgd(self, lists, &mut arguments),
            "fused_adam_" | "fused_adam" => fused::adam(self, "aten::_fused_adam_", lists, &mut arguments),
            "fused_adamw_" | "fused_adamw" => fused::adam(self, "aten::_fused_adamw_", lists, &mut arguments),
            _ => lists::operation(self, name, lists, &mut arguments),
        }
        .map_err(wrap)?;
        match (made, lists.first()) {
            (Some(tensors), _) => {
                self.take_room(&tensors)?;
                self.push(List { owner: Owner::Operation, tensors, updates: vec![] })
            }
            (None, Some(&first)) => Ok(first),
            (None, None) => Err(wrap(TorchError::invalid("takes at least one list"))),
        }
    }

    /// The numbers of a list of scalars. Waits for the device.
    ///
    /// # Errors
    /// An unknown handle or tensors of more than one element.
    pub fn read(&self, list: u32) -> Result<Vec<f64>> {
        let list = self.list(list)?;
        if list.tensors.iter().any(|tensor| tensor.numel() != 1) {
            return Err(TorchError::invalid("only lists of scalars can be read"));
        }
        read_scalars(&list.tensors)
    }

    /// How many tensors a list has.
    pub fn length(&self, list: u32) -> Result<usize> {
        Ok(self.list(list)?.tensors.len())
    }

    fn list(&self, handle: u32) -> Result<&List> {
        self.lists.get(handle as usize).ok_or_else(|| {
            TorchError::invalid(format!("there is no list {handle}; this update has {}", self.lists.len()))
        })
    }

    fn take_room(&mut self, tensors: &[Tensor]) -> Result<()> {
        let elements = |tensors: &[Tensor]| tensors.iter().map(Tensor::numel).sum::<usize>();
        self.made_elements += elements(tensors);
        // Of no parameters at all a norm is still a number.
        if self.made_elements > COPIES * elements(&self.lists[0].tensors).max(1) {
            return Err(TorchError::invalid(format!(
                "the lists that an update makes have at most {COPIES} times the elements of its parameters"
            )));
        }
        Ok(())
    }

    fn push(&mut self, list: List) -> Result<u32> {
        if self.lists.len() >= LISTS {
            return Err(TorchError::invalid(format!("an update has at most {LISTS} lists")));
        }
        self.lists.push(list);
        Ok((self.lists.len() - 1) as u32)
    }
}
