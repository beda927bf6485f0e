//! Drives one component through its life.

use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::RSlice;
use nshot_abi::abi_stable::{RMut, RRef};
use nshot_abi::host::{
    Declare_TO, Graph_TO, Plan_TO, Progress_TO, Run_TO, RunRef, Sample_TO, Step_TO, Subnet_TO, Task_TO,
};
use nshot_abi::{AbiError, AbiResult, PluginRef};
use nshot_loader::Kind;
use serde_json::{Value, json};

use crate::views::{Builder, SERVICES, View};

fn answer<T>(result: AbiResult<T>) -> Result<T, AbiError> {
    result.into_result()
}

fn run() -> RunRef<'static> {
    Run_TO::from_ptr(RRef::new(&View), TD_Opaque)
}

/// What came of a component: its results, or the code and text of its error.
pub(crate) fn component(root: PluginRef, kind: Kind, name: &str) -> Value {
    let driven = match kind {
        Kind::SearchSpace => space(root, name),
        Kind::Sampler => sampler(root, name),
        Kind::LrScheduler => scheduler(root, name),
        _ => Ok(json!("this host does not drive it")),
    };
    driven.unwrap_or_else(|e| json!({"code": e.code.as_str(), "error": e.text.as_str()}))
}

fn space(root: PluginRef, name: &str) -> Result<Value, AbiError> {
    let task = Task_TO::from_ptr(RRef::new(&View), TD_Opaque);
    let space = answer(root.search_space()(name.into(), "{}".into(), task))?;
    let mut declared = Builder::default();
    answer(space.declare(Declare_TO::from_ptr(RMut::new(&mut declared), TD_Opaque)))?;
    let mut described = Builder::default();
    answer(space.describe(Graph_TO::from_ptr(RMut::new(&mut described), TD_Opaque)))?;
    let text = answer(space.to_text(RSlice::from(&[1][..])))?;
    Ok(json!({"declared": declared.calls, "described": described.calls, "text": text.as_str()}))
}

fn sampler(root: PluginRef, name: &str) -> Result<Value, AbiError> {
    let mut sampler = answer(root.sampler()(name.into(), "{}".into()))?;
    let mut plan = Builder::default();
    answer(sampler.plan(run(), Plan_TO::from_ptr(RMut::new(&mut plan), TD_Opaque)))?;
    answer(sampler.start(run()))?;
    let mut step = Builder::default();
    let at = Sample_TO::from_ptr(RRef::new(&View), TD_Opaque);
    answer(sampler.sample(at, Step_TO::from_ptr(RMut::new(&mut step), TD_Opaque)))?;
    let state = answer(sampler.save())?;
    answer(sampler.load(state.as_rslice()))?;
    #[cfg(feature = "next")]
    answer(sampler.end(run()))?;
    Ok(json!({"steps": step.calls, "scalars": SERVICES.take()}))
}

fn scheduler(root: PluginRef, name: &str) -> Result<Value, AbiError> {
    let mut scheduler = answer(root.lr_scheduler()(name.into(), "{}".into()))?;
    answer(scheduler.start(run()))?;
    let at = Progress_TO::from_ptr(RRef::new(&View), TD_Opaque);
    let factor = scheduler.factor(at, Subnet_TO::from_ptr(RRef::new(&View), TD_Opaque));
    Ok(json!({"factor": answer(factor)?}))
}

/// What the plugin's table says of itself: an entry that ABI 1.0 does not have.
#[cfg(feature = "next")]
pub(crate) fn notes(root: PluginRef) -> Option<String> {
    Some(answer(root.notes()?()).unwrap_or_else(|error| error.text).into())
}

#[cfg(not(feature = "next"))]
pub(crate) fn notes(_: PluginRef) -> Option<String> {
    None
}
