//! Lends the lists of one update to an optimizer.

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RString, RVec};
use nshot_abi::host::{self, Run_TO, ValueRange};
use nshot_abi::{AbiResult, Attribute, Value};
use nshot_graph::{ParameterSpec, Role};
use nshot_torch::{SlotInit, UpdateTable};

use super::{Named, Refusal, RunView, answer, graph_attributes};
use crate::plugin_time::in_arithmetic;

/// One update.
pub struct UpdateHost<'a> {
    table: UpdateTable<'a>,
    specs: Vec<&'a ParameterSpec>,
    counts: Vec<u64>,
    at: UpdateMoment<'a>,
}

/// When an update is made, and how.
#[derive(Clone, Copy)]
pub struct UpdateMoment<'a> {
    /// The run, as the optimizer sees it.
    pub run: &'a RunView,
    /// The step within the stage.
    pub step: u64,
    /// The state group.
    pub group: u64,
    /// The learning rate.
    pub learning_rate: f64,
}

impl<'a> UpdateHost<'a> {
    /// `specs` and `counts` are of the table's parameters, in its order; `counts`: earlier updates of the group.
    pub fn new(
        table: UpdateTable<'a>,
        specs: Vec<&'a ParameterSpec>,
        counts: Vec<u64>,
        at: UpdateMoment<'a>,
    ) -> Self {
        Self { table, specs, counts, at }
    }

    fn spec(&self, parameter: u32) -> Result<&'a ParameterSpec, String> {
        let count = self.specs.len();
        let spec = self.specs.get(parameter as usize).copied();
        spec.ok_or_else(|| format!("there is no parameter {parameter}; the update has {count}"))
    }
}

impl host::Update for UpdateHost<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        Run_TO::from_ptr(self.at.run, TD_Opaque)
    }

    fn step(&self) -> u64 {
        self.at.step
    }

    fn group(&self) -> u64 {
        self.at.group
    }

    fn learning_rate(&self) -> f64 {
        self.at.learning_rate
    }

    fn count(&self) -> u32 {
        self.specs.len() as u32
    }

    fn name(&self, parameter: u32) -> AbiResult<RString> {
        answer(|| self.spec(parameter).map(|spec| spec.name.as_str().into()))
    }

    fn shape(&self, parameter: u32) -> AbiResult<RVec<u64>> {
        answer(|| self.spec(parameter).map(|spec| spec.shape.iter().map(|&size| size as u64).collect()))
    }

    fn with_role(&self, role: RStr<'_>) -> AbiResult<RVec<u32>> {
        answer(|| {
            let role = Role::from_name(role.as_str())?;
            let with = self.specs.iter().enumerate().filter(|(_, spec)| spec.role == role);
            Ok::<_, Refusal>(with.map(|(index, _)| index as u32).collect())
        })
    }

    fn parameters(&mut self) -> AbiResult<u32> {
        answer(|| Ok::<_, String>(self.table.parameters()))
    }

    fn gradients(&mut self, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        answer(|| {
            Named::new("gradients", attributes.as_slice())?.finish()?;
            Ok::<_, Refusal>(self.table.gradients())
        })
    }

    fn slot(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        answer(|| {
            let mut named = Named::new("slot", attributes.as_slice())?;
            let init = named.text("init")?;
            named.finish()?;
            let init = SlotInit::parse(init.as_deref().unwrap_or("zeros"))?;
            Ok::<_, Refusal>(in_arithmetic(|| self.table.slot(name.as_str(), init))?.handle)
        })
    }

    fn update_counts(&mut self) -> AbiResult<RVec<u64>> {
        answer(|| Ok::<_, String>(self.counts.clone().into()))
    }

    fn subset(&mut self, list: u32, indices: RSlice<'_, u32>) -> AbiResult<u32> {
        answer(|| {
            let indices: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
            self.table.subset(list, &indices)
        })
    }

    fn op(
        &mut self,
        name: RStr<'_>,
        lists: RSlice<'_, u32>,
        attributes: RSlice<'_, Attribute>,
    ) -> AbiResult<ValueRange> {
        answer(|| {
            let attributes = graph_attributes(attributes.as_slice());
            let first = in_arithmetic(|| self.table.op(name.as_str(), lists.as_slice(), &attributes))?;
            Ok::<_, Refusal>(ValueRange { first, count: 1 })
        })
    }
}
