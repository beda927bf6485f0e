//! Lends the lists of one update to an optimizer.

use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RString, RVec};
use nshot_abi::host;
use nshot_abi::{AbiResult, Attribute, Value};
use nshot_graph::ParameterSpec;
use nshot_torch::{SlotInit, UpdateTable};

use super::{Named, answer, graph_attributes};

/// One update.
pub struct UpdateHost<'a> {
    table: UpdateTable<'a>,
    specs: Vec<&'a ParameterSpec>,
    counts: Vec<u64>,
    learning_rate: f64,
}

impl<'a> UpdateHost<'a> {
    /// `specs` and `counts` are of the table's parameters, in its order; `counts`: earlier updates of the group.
    pub fn new(
        table: UpdateTable<'a>,
        specs: Vec<&'a ParameterSpec>,
        counts: Vec<u64>,
        learning_rate: f64,
    ) -> Self {
        Self { table, specs, counts, learning_rate }
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

    fn learning_rate(&self) -> f64 {
        self.learning_rate
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

    fn roles(&self) -> RVec<RString> {
        self.specs.iter().map(|spec| spec.role.name().into()).collect()
    }

    fn parameters(&mut self) -> AbiResult<u32> {
        answer(|| Ok::<_, String>(self.table.parameters()))
    }

    fn gradients(&mut self) -> AbiResult<u32> {
        answer(|| Ok::<_, String>(self.table.gradients()))
    }

    fn slot(&mut self, name: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        answer(|| {
            let mut named = Named::new("slot", attributes.as_slice())?;
            let init = named.text("init")?;
            named.finish()?;
            let init = SlotInit::parse(init.as_deref().unwrap_or("zeros")).map_err(|e| e.to_string())?;
            self.table.slot(name.as_str(), init).map(|slot| slot.handle).map_err(|e| e.to_string())
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
    ) -> AbiResult<u32> {
        answer(|| {
            let attributes = graph_attributes(attributes.as_slice());
            self.table.op(name.as_str(), lists.as_slice(), &attributes)
        })
    }
}
