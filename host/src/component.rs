//! Components of plugins as the host calls them: every failure names the plugin, the component and the call.

use std::sync::Arc;

use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::RVec;
use nshot_abi::abi_stable::std_types::{RResult, RSlice};
use nshot_abi::component::{LrSchedulerBox, OptimizerBox, SamplerBox, SearcherBox, StateGroupsBox};
use nshot_abi::host::{
    Ask_TO, Declare_TO, Paths_TO, Plan_TO, Progress_TO, Run_TO, Sample_TO, Scored_TO, Step_TO, Subnet_TO,
    Update_TO,
};
use nshot_abi::value::code;
use nshot_abi::{AbiResult, Attribute, Value};

use nshot_graph::Parameters;

use crate::boundary::{
    AskHost, DeclareHost, PathPlan, PathsView, PlanHost, ProgressView, RunView, SampleView, ScoredView,
    StagePlan, StepHost, SubnetView, UpdateHost, calling,
};
use crate::failure::{Failure, Result};
use crate::plugin_time::in_plugin;
use crate::selection::{Architecture, Selection};
use crate::space::Subnet;
use crate::watchdog::watched;

/// Longer texts of a plugin's are cut, in characters.
const TEXT_LENGTH: usize = 500;
/// A saved state larger than this is taken for a mistake, in bytes.
const STATE_BYTES: usize = 1 << 30;

/// The hint of a failure that is a panic of a plugin's.
const PANIC: &str = "this is a mistake in the plugin: report it to whoever wrote that";

/// Whether a failure is a panic of a plugin's.
pub(crate) fn is_panic(failure: &Failure) -> bool {
    failure.hint.as_deref() == Some(PANIC)
}

/// Who a component is, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `sampler`, `search space`, …
    pub kind: &'static str,
    /// The component's name.
    pub name: String,
    /// The plugin: `group/name version`.
    pub plugin: String,
}

impl Identity {
    /// Calls the component; its error gets the names.
    pub(crate) fn call<T>(&self, method: &'static str, call: impl FnOnce() -> AbiResult<T>) -> Result<T> {
        match watched(self, method, || in_plugin(self.table(), || calling(&self.name, call))) {
            RResult::ROk(value) => Ok(value),
            RResult::RErr(error) => {
                let failure = self.failure(method, &error.text);
                Err(if error.code == code::PANIC { failure.hint(PANIC) } else { failure })
            }
        }
    }

    /// The manifest's table that it stands in.
    pub(crate) fn table(&self) -> &'static str {
        match self.kind {
            "search space" => "space",
            "state groups" => "state",
            "searcher" => "search",
            kind => kind,
        }
    }

    /// One of its methods, as messages name it.
    pub(crate) fn method(&self, method: &str) -> String {
        format!("{} `{}` of plugin `{}`, in `{method}`", self.kind, self.name, self.plugin)
    }

    /// A failure of one of the component's calls. The text may be the plugin's: it becomes one line, and no
    /// longer than one can read; a hint in it, which then is the host's, stays one.
    pub(crate) fn failure(&self, method: &str, text: &str) -> Failure {
        let (text, hint) =
            text.split_once("\n\nhint: ").map_or((text, None), |(text, hint)| (text, Some(hint)));
        let text = match text.trim() {
            "" => "it failed without saying why".to_owned(),
            text => one_line(text),
        };
        let mut failure = Failure::new(format!("{}: {text}", self.method(method)));
        failure.table = Some(self.table());
        match hint {
            Some(hint) => failure.hint(one_line(hint)),
            None => failure,
        }
    }
}

/// A text without control characters, cut where it is too long.
fn one_line(text: &str) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = characters.by_ref().take(TEXT_LENGTH).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

/// The calls that every kind but the space has: `start`, `save`, `load`.
macro_rules! component {
    ($(#[$doc:meta])* $name:ident, $object:ty) => {
        $(#[$doc])*
        pub struct $name {
            identity: Identity,
            object: $object,
        }

        impl $name {
            /// Wraps what a plugin made.
            pub fn new(identity: Identity, object: $object) -> Self {
                Self { identity, object }
            }

            /// Who it is.
            pub fn identity(&self) -> &Identity {
                &self.identity
            }

            /// Tells it that a stage starts.
            pub fn start(&mut self, run: &RunView) -> Result<()> {
                let object = &mut self.object;
                self.identity.call("start", || object.start(Run_TO::from_ptr(run, TD_Opaque)))
            }

            /// Its state.
            pub fn save(&self) -> Result<Vec<u8>> {
                let state = self.identity.call("save", || self.object.save())?;
                if state.len() > STATE_BYTES {
                    let text = format!("a state of {} bytes, expected at most {STATE_BYTES}", state.len());
                    return Err(self.identity.failure("save", &text));
                }
                Ok(state.into())
            }

            /// Gives it back a saved state.
            pub fn load(&mut self, state: &[u8]) -> Result<()> {
                let object = &mut self.object;
                self.identity.call("load", || object.load(RSlice::from(state)))
            }
        }
    };
}

component!(
    /// A sampler.
    Sampler, SamplerBox
);
component!(
    /// A learning-rate scheduler.
    LrScheduler, LrSchedulerBox
);
component!(
    /// An optimizer.
    Optimizer, OptimizerBox
);
component!(
    /// State groups.
    StateGroups, StateGroupsBox
);
component!(
    /// A searcher.
    Searcher, SearcherBox
);

impl Sampler {
    /// Parameters of its own, all of the role `architecture`.
    pub fn declare(&mut self, run: &RunView) -> Result<Parameters> {
        let mut declare = DeclareHost { sampler: true, ..DeclareHost::default() };
        let object = &mut self.object;
        self.identity.call("declare", || {
            object.declare(Run_TO::from_ptr(run, TD_Opaque), Declare_TO::from_ptr(&mut declare, TD_Opaque))
        })?;
        Ok(declare.declared.parameters)
    }

    /// The stages that it plans; one for the whole space if it plans none.
    pub fn plan(&mut self, run: &RunView) -> Result<Vec<StagePlan>> {
        let mut plan = PlanHost::new(Arc::clone(&run.space));
        let object = &mut self.object;
        self.identity.call("plan", || {
            object.plan(Run_TO::from_ptr(run, TD_Opaque), Plan_TO::from_ptr(&mut plan, TD_Opaque))
        })?;
        if plan.stages.is_empty() {
            let allowed = run.space.all_options();
            let name = "supernet".to_owned();
            plan.stages.push(StagePlan { name, allowed, parent: None, epochs: None, continues: false });
        }
        Ok(plan.stages)
    }

    /// The paths of a step.
    pub fn sample(&mut self, run: &RunView, step: u64) -> Result<Vec<PathPlan>> {
        let mut builder = StepHost::new(Arc::clone(&run.space), Arc::clone(&run.allowed));
        let at = SampleView { run, step };
        let object = &mut self.object;
        self.identity.call("sample", || {
            object.sample(Sample_TO::from_ptr(&at, TD_Opaque), Step_TO::from_ptr(&mut builder, TD_Opaque))
        })?;
        builder.finish().map_err(|text| self.identity.failure("sample", &text))
    }

    /// What it wants to be told.
    pub fn wants(&self) -> Result<Vec<Attribute>> {
        self.identity.call("wants", || self.object.wants()).map(RVec::into_vec)
    }

    /// Tells it what came of a block of steps.
    pub fn observe(&mut self, outcomes: &crate::outcomes::OutcomesView<'_>) -> Result<()> {
        let object = &mut self.object;
        let view = nshot_abi::host::Outcomes_TO::from_ptr(outcomes, TD_Opaque);
        self.identity.call("observe", || object.observe(view))
    }
}

impl LrScheduler {
    /// The factor of the base learning rate for a subnet: finite and at least 0.
    pub fn factor(
        &mut self,
        at: ProgressView<'_>,
        selection: &Selection,
        subnet: &Arc<Subnet>,
    ) -> Result<f64> {
        let view = SubnetView { space: &at.run.space, selection, subnet };
        let object = &mut self.object;
        let factor = self.identity.call("factor", || {
            object.factor(Progress_TO::from_ptr(&at, TD_Opaque), Subnet_TO::from_ptr(&view, TD_Opaque))
        })?;
        if factor.is_finite() && factor >= 0.0 {
            return Ok(factor);
        }
        let text =
            format!("the factor at step {} is {factor}, expected a finite number of at least 0", at.step);
        Err(self.identity.failure("factor", &text))
    }
}

impl Optimizer {
    /// Whether scaling all gradients leaves its update as it is.
    pub fn gradient_scale_invariant(&self) -> Result<bool> {
        let properties = self.identity.call("properties", || self.object.properties())?;
        let fact = properties.iter().find(|property| property.name == "gradient_scale_invariant");
        Ok(fact.is_some_and(|fact| fact.value == Value::Bool(true)))
    }

    /// Updates the parameters.
    pub fn step(&mut self, mut update: UpdateHost<'_>) -> Result<()> {
        let object = &mut self.object;
        self.identity.call("step", || object.step(Update_TO::from_ptr(&mut update, TD_Opaque)))
    }
}

impl StateGroups {
    /// The choices that separate the state: in range, none twice.
    pub fn separate_by(&mut self, run: &RunView) -> Result<Vec<u32>> {
        let object = &mut self.object;
        let choices = self
            .identity
            .call("separate_by", || object.separate_by(Run_TO::from_ptr(run, TD_Opaque)))?
            .into_vec();
        let count = run.space.choices().len();
        for (index, &choice) in choices.iter().enumerate() {
            if choice as usize >= count || choices[..index].contains(&choice) {
                let problem = if choice as usize >= count { "out of range" } else { "named twice" };
                let text = format!("the choice {choice} is {problem}, expected different ones below {count}");
                return Err(self.identity.failure("separate_by", &text));
            }
        }
        Ok(choices)
    }

    /// The group of a step.
    pub fn group(&mut self, paths: &PathsView<'_>) -> Result<u64> {
        let object = &mut self.object;
        self.identity.call("group", || object.group(Paths_TO::from_ptr(paths, TD_Opaque)))
    }
}

impl Searcher {
    /// The architectures that it wants scored in a round; none ends the search.
    pub fn ask(
        &mut self,
        run: &RunView,
        round: u64,
        parameters: &[(String, Vec<f64>)],
    ) -> Result<Vec<Architecture>> {
        let mut ask = AskHost { run, round, parameters, candidates: Vec::new() };
        let object = &mut self.object;
        self.identity.call("ask", || object.ask(Ask_TO::from_ptr(&mut ask, TD_Opaque)))?;
        Ok(ask.candidates)
    }

    /// Tells it the scores of the round.
    pub fn tell(&mut self, scored: &ScoredView<'_>) -> Result<()> {
        let object = &mut self.object;
        self.identity.call("tell", || object.tell(Scored_TO::from_ptr(scored, TD_Opaque)))
    }
}
