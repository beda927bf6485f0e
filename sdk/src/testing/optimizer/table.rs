//! The lists of one update, and the host's side of it.

use std::collections::HashMap;

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RString, RVec};
use nshot_abi::host::{self, Run_TO, ValueRange};
use nshot_abi::{AbiResult, Attribute, Value};
use nshot_graph::Role;

use super::arguments::Arguments;
use super::{Parameter, State, fused, operations};
use crate::adapter::guard;
use crate::error::Result;
use crate::testing::attributes::{Named, graph_attributes, graph_error, refuse};
use crate::testing::run::TestRun;

/// Lists of one update at most.
const LISTS: usize = 100_000;
/// Slots of one group at most.
const SLOTS: usize = 64;

/// An array with its shape; a scalar has the shape `[]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<u64>,
    pub(super) values: Vec<f64>,
}

/// All tensors, by index: several lists may hold the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Arena(Vec<Tensor>);

impl Arena {
    pub(super) fn push(&mut self, shape: Vec<u64>, values: Vec<f64>) -> usize {
        self.0.push(Tensor { shape, values });
        self.0.len() - 1
    }

    pub(super) fn tensor(&self, at: usize) -> &Tensor {
        &self.0[at]
    }

    pub(super) fn values(&self, at: usize) -> &[f64] {
        &self.0[at].values
    }

    pub(super) fn values_mut(&mut self, at: usize) -> &mut Vec<f64> {
        &mut self.0[at].values
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Parameters,
    Gradients,
    Slot,
    Operation,
}

#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) owner: Owner,
    pub(super) tensors: Vec<usize>,
    /// Of slots, per tensor: the number of this update, from 1. Empty for others.
    pub(super) updates: Vec<u64>,
}

/// When an update is made, and how.
pub(super) struct Moment<'a> {
    pub(super) run: &'a TestRun,
    pub(super) step: u64,
    pub(super) group: u64,
    pub(super) learning_rate: f64,
}

pub(super) struct Table<'a> {
    pub(super) state: &'a mut State,
    reached: Vec<usize>,
    moment: Moment<'a>,
    lists: Vec<List>,
    made: HashMap<String, u32>,
}

impl<'a> Table<'a> {
    pub(super) fn new(state: &'a mut State, reached: &[(usize, &[f64])], moment: Moment<'a>) -> Self {
        let parameters: Vec<usize> = reached.iter().map(|(index, _)| state.parameters[*index].at).collect();
        let copy = |(&at, (_, gradient)): (&usize, &(usize, &[f64]))| {
            let shape = state.arena.tensor(at).shape.clone();
            state.arena.push(shape, gradient.to_vec())
        };
        let gradients = parameters.iter().zip(reached).map(copy).collect();
        let list = |owner, tensors| List { owner, tensors, updates: Vec::new() };
        let lists = vec![list(Owner::Parameters, parameters), list(Owner::Gradients, gradients)];
        let reached = reached.iter().map(|(index, _)| *index).collect();
        Self { state, reached, moment, lists, made: HashMap::new() }
    }

    /// Counts the update.
    pub(super) fn finish(self) {
        let count = self.state.parameters.len();
        let updates = self.state.updates.entry(self.moment.group).or_default();
        updates.resize(count, 0);
        self.reached.iter().for_each(|&index| updates[index] += 1);
    }

    pub(super) fn list(&self, handle: u32) -> Result<&List, String> {
        let count = self.lists.len();
        let list = self.lists.get(handle as usize);
        list.ok_or_else(|| format!("there is no list {handle}; this update has {count}"))
    }

    fn push(&mut self, list: List) -> Result<u32> {
        if self.lists.len() >= LISTS {
            return refuse(format!("an update has at most {LISTS} lists"));
        }
        self.lists.push(list);
        Ok(self.lists.len() as u32 - 1)
    }

    fn reached(&self, parameter: u32) -> Result<&Parameter> {
        let count = self.reached.len();
        match self.reached.get(parameter as usize) {
            Some(&index) => Ok(&self.state.parameters[index]),
            None => refuse(format!("there is no parameter {parameter}; the update has {count}")),
        }
    }

    fn make_slot(&mut self, name: &str, init: &str) -> Result<u32> {
        if !["zeros", "gradient", "parameter"].contains(&init) {
            return refuse(format!(
                "unknown initialisation of a slot `{init}`, expected `zeros`, `gradient` or `parameter`"
            ));
        }
        if let Some(handle) = self.made.get(name) {
            return Ok(*handle);
        }
        check_slot_name(name)?;
        let key = (self.moment.group, name.to_owned());
        let slots = self.state.slots.keys().filter(|(group, _)| *group == self.moment.group).count();
        if slots >= SLOTS && !self.state.slots.contains_key(&key) {
            return refuse(format!("`{name}` would be one slot more than {SLOTS}"));
        }
        let slot = self.state.slots.entry(key).or_default();
        slot.tensors.resize(self.state.parameters.len(), None);
        slot.counts.resize(self.state.parameters.len(), 0);
        let mut list = List { owner: Owner::Slot, tensors: Vec::new(), updates: Vec::new() };
        for (position, &index) in self.reached.iter().enumerate() {
            let at = *slot.tensors[index].get_or_insert_with(|| {
                let source = self.lists[usize::from(init == "gradient")].tensors[position];
                let Tensor { shape, mut values } = self.state.arena.tensor(source).clone();
                if init == "zeros" {
                    values.fill(0.0);
                }
                self.state.arena.push(shape, values)
            });
            slot.counts[index] += 1;
            list.updates.push(slot.counts[index]);
            list.tensors.push(at);
        }
        let handle = self.push(list)?;
        self.made.insert(name.to_owned(), handle);
        Ok(handle)
    }

    fn make_subset(&mut self, list: u32, indices: &[u32]) -> Result<u32, String> {
        let from = self.list(list)?;
        let length = from.tensors.len();
        let tensors: Option<Vec<usize>> =
            indices.iter().map(|&index| from.tensors.get(index as usize).copied()).collect();
        let updates = indices.iter().filter_map(|&index| from.updates.get(index as usize).copied()).collect();
        let owner = from.owner;
        let tensors = tensors.ok_or_else(|| {
            format!("a subset of list {list} asks for more than its {length} tensors: {indices:?}")
        })?;
        self.push(List { owner, tensors, updates }).map_err(|error| error.text().to_owned())
    }

    fn run_op(
        &mut self,
        name: &str,
        lists: &[u32],
        attributes: &[(String, nshot_graph::Value)],
    ) -> Result<u32, String> {
        let in_place = name.ends_with('_') || name.starts_with("fused_");
        let first = lists.first().map(|&handle| self.list(handle)).transpose()?;
        if in_place && first.is_some_and(|list| list.owner == Owner::Gradients) {
            return Err(
                "gradients are read-only\n\nhint: use the operation without `_`, which makes a new list"
                    .to_owned(),
            );
        }
        let mut arguments = Arguments::new(attributes);
        let made = match name.strip_suffix('_').unwrap_or(name) {
            "fused_sgd" => fused::sgd(self, lists, &mut arguments)?,
            "fused_adam" => fused::adam(self, false, lists, &mut arguments)?,
            "fused_adamw" => fused::adam(self, true, lists, &mut arguments)?,
            _ => operations::run(self, name, lists, &mut arguments)?,
        };
        match (made, lists.first()) {
            (Some(tensors), _) => {
                let list = List { owner: Owner::Operation, tensors, updates: Vec::new() };
                self.push(list).map_err(|error| error.text().to_owned())
            }
            (None, Some(&first)) => Ok(first),
            (None, None) => Err("takes at least one list".to_owned()),
        }
    }
}

fn check_slot_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
        return Ok(());
    }
    let start: String = name.chars().take(64).collect();
    refuse(format!(
        "a slot is named `{start}`, {} bytes, expected 1 to 64 ASCII letters, digits, `_`, `-` or `.`",
        name.len()
    ))
}

impl host::Update for Table<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        self.moment.run.view()
    }

    fn step(&self) -> u64 {
        self.moment.step
    }

    fn group(&self) -> u64 {
        self.moment.group
    }

    fn learning_rate(&self) -> f64 {
        self.moment.learning_rate
    }

    fn count(&self) -> u32 {
        self.reached.len() as u32
    }

    fn name(&self, parameter: u32) -> AbiResult<RString> {
        guard(|| self.reached(parameter).map(|parameter| parameter.name.as_str().into()))
    }

    fn shape(&self, parameter: u32) -> AbiResult<RVec<u64>> {
        guard(|| Ok(self.state.arena.tensor(self.reached(parameter)?.at).shape.clone().into()))
    }

    fn with_role(&self, role: RStr<'_>) -> AbiResult<RVec<u32>> {
        guard(|| {
            let role = Role::from_name(role.as_str()).map_err(|error| graph_error(&error))?;
            let with =
                |&(_, &index): &(usize, &usize)| self.state.parameters[index].role.name() == role.name();
            Ok(self.reached.iter().enumerate().filter(with).map(|(position, _)| position as u32).collect())
        })
    }

    fn parameters(&mut self) -> AbiResult<u32> {
        AbiResult::ROk(0)
    }

    fn gradients(&mut self, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        guard(|| Named::new("gradients", attributes.as_slice())?.finish().map(|()| 1))
    }

    fn slot(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        guard(|| {
            let mut named = Named::new("slot", attributes.as_slice())?;
            let init = named.text("init")?;
            named.finish()?;
            self.make_slot(name.as_str(), init.as_deref().unwrap_or("zeros"))
        })
    }

    fn update_counts(&mut self) -> AbiResult<RVec<u64>> {
        let updates = self.state.updates.get(&self.moment.group);
        let of = |index: &usize| updates.and_then(|updates| updates.get(*index)).copied().unwrap_or(0);
        AbiResult::ROk(self.reached.iter().map(of).collect())
    }

    fn subset(&mut self, list: u32, indices: RSlice<'_, u32>) -> AbiResult<u32> {
        guard(|| self.make_subset(list, indices.as_slice()).or_else(refuse))
    }

    fn op(
        &mut self,
        name: RStr<'_>,
        lists: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<ValueRange> {
        guard(|| {
            let attributes = graph_attributes(attributes.as_slice());
            let made = self.run_op(name.as_str(), lists.as_slice(), &attributes);
            let first = made.or_else(|problem| refuse(format!("operator `{}`: {problem}", name.as_str())))?;
            Ok(ValueRange { first, count: 1 })
        })
    }
}
