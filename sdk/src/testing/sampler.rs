//! Samplers: what they draw, how evenly, and whether a stopped run goes on as it would have.

mod distribution;
mod outcomes;
mod plan;
mod step;

use std::collections::HashMap;
use std::sync::Arc;

use nshot_abi::AbiResult;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::RSlice;
use nshot_abi::component::SamplerBox;
use nshot_abi::host::{Declare_TO, Outcomes_TO, Plan_TO, Sample_TO, Step_TO};
use nshot_graph::Parameters;
use serde::Serialize;

use super::component::{Component, settings_text};
use super::path::Path;
use super::run::TestRun;
use super::space::DeclareHost;
use crate::adapter::guard;
use crate::registration::Entry;
use crate::run::Architecture;
use crate::sampler::{Sampler, Wants};
use outcomes::OutcomesView;
use plan::PlanHost;
use step::{SampleView, StepHost};

pub(crate) use step::separated;

pub use outcomes::Asked;
pub use plan::StagePlan;

type Figure = Arc<dyn Fn(&Asked) -> f64 + Send + Sync>;

/// A sampler in a run, through the adapter that ships: it declared its parameters, planned its stages, and started the
/// first of them. Whatever the host would refuse ends the test with the host's words.
///
/// ```
/// use nshot_sdk::{prelude::*, testing};
///
/// struct Uniform;
///
/// impl Sampler for Uniform {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn sample(&mut self, at: &SampleContext, step: &mut Step) -> Result<()> {
///         step.path(&at.uniform(&mut at.random())?).map(drop)
///     }
/// }
///
/// let mut sampler = testing::run(&[("kernel", 3), ("depth", 2)]).sampler::<Uniform>(());
/// sampler.assert_uniform(1000);
/// sampler.assert_resumes(20);
/// assert_eq!(sampler.architectures(5).len(), 5);
/// ```
pub struct SamplerTest {
    component: Component,
    make: Arc<dyn Fn() -> AbiResult<SamplerBox>>,
    object: SamplerBox,
    run: TestRun,
    stages: Vec<StagePlan>,
    stage: usize,
    step: u64,
    wants: Wants,
    block: Vec<(u64, Vec<Path>)>,
    parameters: Parameters,
    values: HashMap<String, Vec<f64>>,
    figure: Figure,
}

impl TestRun {
    /// A sampler of this run. `settings`: `()`, `json!({ … })`, or a value of its settings type.
    ///
    /// # Panics
    /// The sampler refuses its settings, or what it declares, plans or wants is refused.
    #[track_caller]
    pub fn sampler<T: Sampler>(&self, settings: impl Serialize) -> SamplerTest {
        let (component, text) = (Component::of::<T>("sampler"), settings_text(&settings));
        let make = move || guard(|| Entry::sampler::<T>("").make_sampler(&text));
        let object = component.call("new", &make);
        let mut test = SamplerTest {
            component,
            make: Arc::new(make),
            object,
            run: self.clone(),
            stages: Vec::new(),
            stage: 0,
            step: 0,
            wants: Wants::default(),
            block: Vec::new(),
            parameters: Parameters::new(),
            values: HashMap::new(),
            figure: Arc::new(|_| 1.0),
        };
        test.begin(0);
        test
    }
}

impl SamplerTest {
    /// What [`Outcomes`](crate::Outcomes) tell the sampler: losses and norms of gradients; 1 unless set.
    #[must_use]
    pub fn outcomes(mut self, figure: impl Fn(&Asked) -> f64 + Send + Sync + 'static) -> Self {
        self.figure = Arc::new(figure);
        self
    }

    /// The stages that it planned; one if it planned none.
    pub fn stages(&self) -> &[StagePlan] {
        &self.stages
    }

    /// Starts a stage, by its index among [`stages`](Self::stages): the following steps are drawn in it.
    ///
    /// # Panics
    /// No such stage, or the sampler fails.
    #[track_caller]
    pub fn enter(&mut self, stage: usize) {
        let count = self.stages.len();
        assert!(stage < count, "there is no stage {stage}; {count} are planned");
        let plan = &self.stages[stage];
        (self.stage, self.step) = (stage, 0);
        (self.run.stage, self.run.allowed) = (plan.name.clone(), plan.allowed.clone());
        if let Some(epochs) = plan.epochs {
            self.run.total_steps = epochs.saturating_mul(self.run.steps_per_epoch);
        }
        self.block.clear();
        self.component.call("start", || self.object.start(self.run.view()));
        let wants = self.component.call("wants", || self.object.wants());
        self.wants = match outcomes::read_wants(&wants) {
            Ok(wants) => wants,
            Err(text) => self.component.fail("wants", &text),
        };
    }

    /// The paths of the next step.
    ///
    /// # Panics
    /// The sampler fails, or its step is one that the host refuses.
    #[track_caller]
    pub fn step(&mut self) -> Vec<Path> {
        let at = SampleView { run: &self.run, step: self.step };
        let mut builder = StepHost::new(&self.run, &self.parameters);
        let (object, component) = (&mut self.object, self.component);
        component.call("sample", || {
            object.sample(Sample_TO::from_ptr(&at, TD_Opaque), Step_TO::from_ptr(&mut builder, TD_Opaque))
        });
        let paths = match builder.finish() {
            Ok(paths) => paths,
            Err(error) => component.fail("sample", error.text()),
        };
        self.record(&paths);
        self.step += 1;
        paths
    }

    /// The paths of each of the next `count` steps.
    #[track_caller]
    pub fn steps(&mut self, count: usize) -> Vec<Vec<Path>> {
        let mut steps = Vec::with_capacity(count);
        for _ in 0..count {
            steps.push(self.step());
        }
        steps
    }

    /// The architectures of all paths of the next `count` steps, in order.
    ///
    /// # Panics
    /// As [`step`](Self::step), or a path takes several options of a choice.
    #[track_caller]
    pub fn architectures(&mut self, count: usize) -> Vec<Architecture> {
        self.steps(count).iter().flatten().map(Path::architecture).collect()
    }

    /// Checks that the same seed gives the same `count` steps.
    ///
    /// # Panics
    /// They differ.
    #[track_caller]
    pub fn assert_deterministic(&self, count: usize) {
        let (one, other) = (self.fresh().steps(count), self.fresh().steps(count));
        for (step, (one, other)) in one.iter().zip(&other).enumerate() {
            if one != other {
                self.component.fail(
                    "sample",
                    &format!("with the same seed step {step} has the paths\n{one:?}, then\n{other:?}"),
                );
            }
        }
    }

    /// Checks that `count` steps are the same if the sampler is remade from its saved state before each of them.
    ///
    /// # Panics
    /// They differ, or the state cannot be saved or loaded.
    #[track_caller]
    pub fn assert_resumes(&self, count: usize) {
        let (mut whole, mut resumed) = (self.fresh(), self.fresh());
        for step in 0..count {
            resumed = resumed.remade();
            let (expected, found) = (whole.step(), resumed.step());
            if expected != found {
                self.component.fail(
                    "load",
                    &format!("resumed at step {step} it draws\n{found:?}, expected\n{expected:?}"),
                );
            }
        }
    }

    #[track_caller]
    fn begin(&mut self, stage: usize) {
        let (object, component) = (&mut self.object, self.component);
        let mut declare = DeclareHost { sampler: true, ..DeclareHost::default() };
        let mut planned = PlanHost::new(&self.run);
        let before = self.run.in_stage("");
        component
            .call("declare", || object.declare(before.view(), Declare_TO::from_ptr(&mut declare, TD_Opaque)));
        component.call("plan", || object.plan(before.view(), Plan_TO::from_ptr(&mut planned, TD_Opaque)));
        self.stages = planned.finish();
        self.parameters = declare.parameters;
        self.enter(stage);
    }

    /// The same sampler, made anew, at the start of the same stage.
    #[track_caller]
    fn fresh(&self) -> Self {
        let mut fresh = Self {
            component: self.component,
            make: Arc::clone(&self.make),
            object: self.component.call("new", || (self.make)()),
            run: self.run.clone(),
            stages: self.stages.clone(),
            stage: 0,
            step: 0,
            wants: self.wants,
            block: Vec::new(),
            parameters: self.parameters.clone(),
            values: self.values.clone(),
            figure: Arc::clone(&self.figure),
        };
        fresh.begin(self.stage);
        fresh
    }

    /// As after a stop at this step: made anew, started, loaded.
    #[track_caller]
    fn remade(&self) -> Self {
        let state = self.component.call("save", || self.object.save());
        let mut remade = self.fresh();
        let object = &mut remade.object;
        self.component.call("load", || object.load(RSlice::from(&state[..])));
        (remade.step, remade.block) = (self.step, self.block.clone());
        remade
    }

    #[track_caller]
    fn record(&mut self, paths: &[Path]) {
        let wants = self.wants;
        if !(wants.loss || wants.path_gradient_norm || wants.option_gradient_norm) {
            return;
        }
        self.block.push((self.step, paths.to_vec()));
        if (self.step + 1) % wants.observe_every == 0 || self.step + 1 == self.run.total_steps {
            let entries = std::mem::take(&mut self.block);
            let view = OutcomesView {
                run: &self.run,
                entries,
                wants,
                parameters: &self.parameters,
                values: &self.values,
                figure: &*self.figure,
            };
            let object = &mut self.object;
            self.component.call("observe", || object.observe(Outcomes_TO::from_ptr(&view, TD_Opaque)));
        }
    }

    /// Sets the values of a parameter that it declared; zeros unless set.
    ///
    /// # Panics
    /// It declared none of that name and number of elements.
    #[track_caller]
    pub fn set_parameter(&mut self, name: &str, values: &[f64]) {
        let spec = self.parameters.index(name).and_then(|index| self.parameters.get(index));
        match spec {
            Some(spec) if spec.elements() == values.len() as u64 => {
                self.values.insert(name.to_owned(), values.to_vec());
            }
            Some(spec) => panic!("`{name}` has {} elements, found {}", spec.elements(), values.len()),
            None => panic!("the sampler declares no parameter `{name}`"),
        }
    }
}
