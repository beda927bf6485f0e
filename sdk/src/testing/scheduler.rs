//! Schedulers: their factors over a run.

use std::sync::Arc;

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RVec};
use nshot_abi::component::LrSchedulerBox;
use nshot_abi::host::{self, Progress_TO, Run_TO, Subnet_TO};
use nshot_abi::{AbiResult, Value};
use serde::Serialize;

use super::attributes::refuse;
use super::component::{Component, settings_text};
use super::ground;
use super::path::Path;
use super::run::{TestRun, expect};
use crate::adapter::guard;
use crate::registration::Entry;
use crate::scheduler::LrScheduler;

/// A learning-rate scheduler in a run, through the adapter that ships, started.
///
/// ```
/// use nshot_sdk::{prelude::*, testing};
///
/// struct Linear;
///
/// impl LrScheduler for Linear {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn factor(&mut self, at: &Progress, _subnet: &Subnet) -> Result<f64> {
///         Ok(1.0 - at.fraction())
///     }
/// }
///
/// let mut scheduler = testing::run(&[("kernel", 3)]).steps(4, 2).scheduler::<Linear>(());
/// assert_eq!(scheduler.curve(&[0]), [1.0, 0.75, 0.5, 0.25]);
/// scheduler.assert_resumes(&[0]);
/// ```
pub struct SchedulerTest {
    component: Component,
    make: Arc<dyn Fn() -> AbiResult<LrSchedulerBox>>,
    object: LrSchedulerBox,
    run: TestRun,
}

impl TestRun {
    /// A learning-rate scheduler of this run. `settings`: `()`, `json!({ … })`, or a value of its settings type.
    ///
    /// # Panics
    /// The scheduler refuses its settings or the run.
    #[track_caller]
    pub fn scheduler<T: LrScheduler>(&self, settings: impl Serialize) -> SchedulerTest {
        let (component, text) = (Component::of::<T>("scheduler"), settings_text(&settings));
        let make = move || guard(|| Entry::lr_scheduler::<T>("").make_lr_scheduler(&text));
        let object = component.call("new", &make);
        SchedulerTest { component, make: Arc::new(make), object, run: self.clone() }.started()
    }
}

impl SchedulerTest {
    /// The factor at a step, counted from 0, for an architecture: a finite number of at least 0.
    ///
    /// # Panics
    /// The scheduler fails, or its factor is one that the host refuses.
    #[track_caller]
    pub fn factor(&mut self, step: u64, architecture: &[u32]) -> f64 {
        expect(ground::check(self.run.ground.choices(), architecture));
        self.factor_of(step, &Path::of(architecture))
    }

    /// The same for a path that may take several options of a choice.
    #[track_caller]
    pub fn factor_of(&mut self, step: u64, path: &Path) -> f64 {
        let (at, subnet) = (Moment { run: &self.run, step }, SubnetView { run: &self.run, path });
        let object = &mut self.object;
        let factor = self.component.call("factor", || {
            object.factor(Progress_TO::from_ptr(&at, TD_Opaque), Subnet_TO::from_ptr(&subnet, TD_Opaque))
        });
        if factor.is_finite() && factor >= 0.0 {
            return factor;
        }
        let text = format!("the factor at step {step} is {factor}, expected a finite number of at least 0");
        self.component.fail("factor", &text)
    }

    /// The factor of an architecture at every step of the run; of a scheduler of its own.
    #[track_caller]
    pub fn curve(&self, architecture: &[u32]) -> Vec<f64> {
        let mut fresh = self.fresh();
        let mut curve = Vec::new();
        for step in 0..self.run.total_steps {
            curve.push(fresh.factor(step, architecture));
        }
        curve
    }

    /// Checks that an architecture's factors are the same if the scheduler is remade from its saved state before each
    /// step.
    ///
    /// # Panics
    /// They differ, or the state cannot be saved or loaded.
    #[track_caller]
    pub fn assert_resumes(&self, architecture: &[u32]) {
        let mut resumed = self.fresh();
        for (step, expected) in self.curve(architecture).into_iter().enumerate() {
            let state = self.component.call("save", || resumed.object.save());
            resumed = self.fresh();
            self.component.call("load", || resumed.object.load(RSlice::from(&state[..])));
            let found = resumed.factor(step as u64, architecture);
            if found.to_bits() != expected.to_bits() {
                let text = format!("resumed at step {step} the factor is {found}, expected {expected}");
                self.component.fail("load", &text);
            }
        }
    }

    #[track_caller]
    fn fresh(&self) -> Self {
        let (make, object) = (Arc::clone(&self.make), self.component.call("new", || (self.make)()));
        Self { component: self.component, make, object, run: self.run.clone() }.started()
    }

    #[track_caller]
    fn started(mut self) -> Self {
        self.component.call("start", || self.object.start(self.run.view()));
        self
    }
}

struct Moment<'a> {
    run: &'a TestRun,
    step: u64,
}

impl host::Progress for Moment<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        self.run.view()
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn total_steps(&self) -> u64 {
        self.run.total_steps
    }

    fn steps_per_epoch(&self) -> u64 {
        self.run.steps_per_epoch
    }
}

struct SubnetView<'a> {
    run: &'a TestRun,
    path: &'a Path,
}

/// The options of a path at a choice.
pub(crate) fn selected(path: &Path, choice: u32) -> crate::Result<RVec<u32>> {
    match path.picked.get(choice as usize) {
        Some(picked) => Ok(picked.options.clone().into()),
        None => refuse(format!("there is no choice {choice}; the space has {}", path.picked.len())),
    }
}

impl host::Subnet for SubnetView<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn selected(&self, choice: u32) -> AbiResult<RVec<u32>> {
        guard(|| selected(self.path, choice))
    }

    fn complexity(&self, measure: RStr<'_>) -> AbiResult<f64> {
        guard(|| self.run.complexity(self.path, measure.as_str()))
    }
}
