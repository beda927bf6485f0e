//! What this host offers: views with fixed answers, and builders that write down what they are told.

use std::sync::Mutex;

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{RNone, ROption, RResult, RSlice, RStr, RString, RVec};
use nshot_abi::host::{
    Declare, Graph, Plan, Progress, Run, Run_TO, RunRef, Sample, Services, Step, Subnet, Task, ValueRange,
};
use nshot_abi::value::code;
use nshot_abi::{AbiError, AbiResult, Attribute, Value};

use RResult::{RErr, ROk};

/// The task, the run and the moment: a space of one choice with two options, step 25 of 100.
pub(crate) struct View;

impl Task for View {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        RNone
    }
    fn input_shape(&self) -> AbiResult<RVec<u64>> {
        ROk(RVec::from(vec![3, 8, 8]))
    }
    fn classes(&self) -> AbiResult<u64> {
        ROk(10)
    }
}

impl Run for View {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        RNone
    }
    fn input_shape(&self) -> AbiResult<RVec<u64>> {
        ROk(RVec::from(vec![3, 8, 8]))
    }
    fn classes(&self) -> AbiResult<u64> {
        ROk(10)
    }
    fn choice_count(&self) -> u32 {
        1
    }
    fn choice_name(&self, _: u32) -> AbiResult<RString> {
        ROk("head".into())
    }
    fn choice_options(&self, _: u32) -> AbiResult<RVec<RString>> {
        ROk(RVec::from(vec!["none".into(), "linear".into()]))
    }
    fn allowed(&self, _: u32) -> AbiResult<RVec<u32>> {
        ROk(RVec::from(vec![0, 1]))
    }
    fn valid(&self, _: RSlice<'_, u32>) -> AbiResult<bool> {
        ROk(true)
    }
    fn extreme(&self, _: RStr<'_>, largest: bool) -> AbiResult<RVec<u32>> {
        ROk(RVec::from(vec![u32::from(largest)]))
    }
    fn measures(&self) -> AbiResult<RVec<RString>> {
        ROk(RVec::from(vec!["weights".into()]))
    }
    fn complexity(&self, _: RSlice<'_, u32>, _: RStr<'_>) -> AbiResult<f64> {
        ROk(30.0)
    }
    fn to_text(&self, _: RSlice<'_, u32>) -> AbiResult<RString> {
        ROk("1".into())
    }
    fn stage(&self) -> RString {
        "supernet".into()
    }
    fn total_steps(&self) -> u64 {
        100
    }
    fn steps_per_epoch(&self) -> u64 {
        10
    }
    fn split_choices(&self) -> AbiResult<RVec<u32>> {
        ROk(RVec::new())
    }
    fn separated_choices(&self) -> AbiResult<RVec<u32>> {
        ROk(RVec::new())
    }
    fn random_key(&self) -> u64 {
        7
    }
    #[cfg(feature = "next")]
    fn epochs(&self) -> AbiResult<u64> {
        ROk(10)
    }
}

impl Sample for View {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        RNone
    }
    fn run(&self) -> RunRef<'_> {
        Run_TO::from_ptr(RRef::new(self), TD_Opaque)
    }
    fn step(&self) -> u64 {
        25
    }
    fn epoch(&self) -> u64 {
        2
    }
    #[cfg(feature = "next")]
    fn probe(&self, architecture: RSlice<'_, u32>, measure: RStr<'_>) -> AbiResult<f64> {
        match measure.as_str() {
            "loss" => ROk(architecture.iter().map(|&option| f64::from(option)).sum()),
            other => RErr(AbiError::new(code::INVALID, format!("no figure `{other}`"))),
        }
    }
}

impl Progress for View {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        RNone
    }
    fn run(&self) -> RunRef<'_> {
        Run_TO::from_ptr(RRef::new(self), TD_Opaque)
    }
    fn step(&self) -> u64 {
        25
    }
    fn total_steps(&self) -> u64 {
        100
    }
    fn steps_per_epoch(&self) -> u64 {
        10
    }
}

impl Subnet for View {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        RNone
    }
    fn selected(&self, _: u32) -> AbiResult<RVec<u32>> {
        ROk(RVec::from(vec![1]))
    }
    fn complexity(&self, _: RStr<'_>) -> AbiResult<f64> {
        ROk(30.0)
    }
}

/// Writes down each call.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) calls: Vec<String>,
}

impl Builder {
    fn record(&mut self, call: String) -> AbiResult<u32> {
        self.calls.push(call);
        ROk(self.calls.len() as u32 - 1)
    }
}

fn names(attributes: &[Attribute]) -> String {
    attributes.iter().fold(String::new(), |text, attribute| text + " " + &attribute.name)
}

impl Declare for Builder {
    fn choice(
        &mut self,
        name: RStr<'_>,
        options: RSlice<'_, RString>,
        _: RSlice<'_, Attribute>,
    ) -> AbiResult<u32> {
        self.record(format!("choice {name} of {}", options.len()))
    }
    fn parameter(
        &mut self,
        name: RStr<'_>,
        shape: RSlice<'_, u64>,
        _: RSlice<'_, Attribute>,
    ) -> AbiResult<u32> {
        self.record(format!("parameter {name} {:?}", shape.as_slice()))
    }
}

impl Graph for Builder {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        RNone
    }
    fn input(&mut self, name: RStr<'_>, _: RSlice<'_, Attribute>) -> AbiResult<u32> {
        self.record(format!("input {name}"))
    }
    fn parameter(&mut self, name: RStr<'_>) -> AbiResult<u32> {
        self.record(format!("parameter {name}"))
    }
    fn op(
        &mut self,
        name: RStr<'_>,
        inputs: RSlice<'_, u32>,
        _: RSlice<'_, Attribute>,
    ) -> AbiResult<ValueRange> {
        self.record(format!("{name} {:?}", inputs.as_slice())).map(|first| ValueRange { first, count: 1 })
    }
    fn shape(&self, _: u32) -> AbiResult<RVec<i64>> {
        ROk(RVec::from(vec![-1, 3]))
    }
    fn selected(&self, _: u32) -> AbiResult<RVec<u32>> {
        ROk(RVec::from(vec![1]))
    }
    fn option_weight(&mut self, _: u32, _: u32) -> AbiResult<ROption<u32>> {
        ROk(RNone)
    }
    fn output(&mut self, name: RStr<'_>, value: u32, _: RSlice<'_, Attribute>) -> AbiResult<()> {
        self.record(format!("output {name} {value}")).map(|_| ())
    }
    fn push_scope(&mut self, _: RStr<'_>, _: RSlice<'_, Attribute>) -> AbiResult<()> {
        ROk(())
    }
    fn pop_scope(&mut self) -> AbiResult<()> {
        ROk(())
    }
}

impl Plan for Builder {
    fn stage(&mut self, name: RStr<'_>, _: RSlice<'_, Attribute>) -> AbiResult<u32> {
        self.record(format!("stage {name}"))
    }
    fn allow(
        &mut self,
        _: u32,
        _: u32,
        _: RSlice<'_, u32>,
        _: RSlice<'_, Attribute>,
    ) -> AbiResult<()> {
        ROk(())
    }
}

impl Step for Builder {
    fn set(&mut self, _: RSlice<'_, Attribute>) -> AbiResult<()> {
        ROk(())
    }
    fn path(&mut self, attributes: RSlice<'_, Attribute>) -> AbiResult<u32> {
        self.record(format!("path{}", names(&attributes)))
    }
    fn architecture(&mut self, _: u32, architecture: RSlice<'_, u32>) -> AbiResult<()> {
        self.record(format!("architecture {:?}", architecture.as_slice())).map(|_| ())
    }
    fn select(&mut self, _: u32, _: u32, _: RSlice<'_, u32>, _: RSlice<'_, Attribute>) -> AbiResult<()> {
        ROk(())
    }
    fn loss(&mut self, _: u32, kind: RStr<'_>, attributes: RSlice<'_, Attribute>) -> AbiResult<()> {
        let known: &[&str] = if cfg!(feature = "next") { &["weight", "focus"] } else { &["weight"] };
        for Attribute { name, .. } in attributes.as_slice() {
            if !known.contains(&name.as_str()) {
                let text = format!("`{kind}` has no attribute `{name}`; a newer host may have it");
                return RErr(AbiError::new(code::UNSUPPORTED, text));
            }
        }
        self.record(format!("loss {kind}{}", names(&attributes))).map(|_| ())
    }
}

/// Services that keep the figures.
pub(crate) struct Figures(Mutex<Vec<String>>);

pub(crate) static SERVICES: Figures = Figures(Mutex::new(Vec::new()));

impl Figures {
    /// The figures since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.lock().map(|mut figures| std::mem::take(&mut *figures)).unwrap_or_default()
    }
}

impl Services for Figures {
    fn log(&self, _level: RStr<'_>, _target: RStr<'_>, _text: RStr<'_>) {}

    fn attribute(&self, _name: RStr<'_>) -> ROption<Value> {
        RNone
    }

    fn scalar(&self, name: RStr<'_>, value: f64, _: RSlice<'_, Attribute>) -> AbiResult<()> {
        if let Ok(mut figures) = self.0.lock() {
            figures.push(format!("{name} {value}"));
        }
        ROk(())
    }
}
