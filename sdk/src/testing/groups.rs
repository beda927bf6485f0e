//! State groups: which steps share the optimizer's state.

use std::sync::Arc;

use nshot_abi::abi_stable::RRef;
use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::{ROption, RSlice, RStr, RVec};
use nshot_abi::component::StateGroupsBox;
use nshot_abi::host::{self, Paths_TO, Run_TO};
use nshot_abi::{AbiResult, Value};
use serde::Serialize;

use super::component::{Component, settings_text};
use super::path::Path;
use super::run::{TestRun, expect};
use super::sampler::separated;
use super::scheduler::selected;
use crate::adapter::guard;
use crate::groups::StateGroups;
use crate::registration::Entry;
use crate::run::{Architecture, ChoiceIndex};

/// State groups in a run, through the adapter that ships: asked for the choices that separate the state, and started.
///
/// ```
/// use nshot_sdk::{prelude::*, testing};
///
/// struct ByFirstChoice;
///
/// impl StateGroups for ByFirstChoice {
///     type Settings = NoSettings;
///
///     fn new(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn separate_by(&mut self, _run: &Run) -> Result<Vec<ChoiceIndex>> {
///         Ok(vec![0])
///     }
/// }
///
/// let groups = testing::run(&[("kernel", 3), ("depth", 2)]).groups::<ByFirstChoice>(());
/// assert_eq!(groups.separated(), [0]);
/// assert_eq!(groups.of(&[vec![2, 0], vec![1, 1], vec![2, 1]]), [2, 1, 2]);
/// ```
pub struct GroupsTest {
    component: Component,
    make: Arc<dyn Fn() -> AbiResult<StateGroupsBox>>,
    object: StateGroupsBox,
    run: TestRun,
}

impl TestRun {
    /// State groups of this run. `settings`: `()`, `json!({ … })`, or a value of their settings type.
    ///
    /// # Panics
    /// They refuse their settings or the run, or name choices that the host refuses.
    #[track_caller]
    pub fn groups<T: StateGroups>(&self, settings: impl Serialize) -> GroupsTest {
        let (component, text) = (Component::of::<T>("state groups"), settings_text(&settings));
        let make = move || guard(|| Entry::state_groups::<T>("").make_state_groups(&text));
        let object = component.call("new", &make);
        GroupsTest { component, make: Arc::new(make), object, run: self.clone() }.started()
    }
}

impl GroupsTest {
    /// The choices that separate the optimizer's state.
    pub fn separated(&self) -> &[ChoiceIndex] {
        &self.run.separated
    }

    /// The group of a step, counted from 0, that trains these architectures.
    ///
    /// # Panics
    /// The groups fail, or the architectures differ at a choice that separates the state.
    #[track_caller]
    pub fn group(&mut self, step: u64, architectures: &[Architecture]) -> u64 {
        let paths: Vec<Path> = architectures.iter().map(|architecture| Path::of(architecture)).collect();
        for architecture in architectures {
            expect(super::ground::check(self.run.ground.choices(), architecture));
        }
        if let Err(error) = separated(&paths, self.run.ground.choices(), &self.run.separated) {
            self.component.fail("group", error.text());
        }
        let view = PathsView { run: &self.run, step, paths };
        let object = &mut self.object;
        self.component.call("group", || object.group(Paths_TO::from_ptr(&view, TD_Opaque)))
    }

    /// The groups of steps from 0, each with one architecture; of state groups of their own.
    #[track_caller]
    pub fn of(&self, architectures: &[Architecture]) -> Vec<u64> {
        let mut fresh = self.fresh();
        let mut groups = Vec::with_capacity(architectures.len());
        for (step, architecture) in architectures.iter().enumerate() {
            groups.push(fresh.group(step as u64, std::slice::from_ref(architecture)));
        }
        groups
    }

    /// Checks that the groups of steps from 0, each with one architecture, are the same if the state groups are remade
    /// from their saved state before each.
    ///
    /// # Panics
    /// They differ, or the state cannot be saved or loaded.
    #[track_caller]
    pub fn assert_resumes(&self, architectures: &[Architecture]) {
        let mut resumed = self.fresh();
        for (step, expected) in self.of(architectures).into_iter().enumerate() {
            let state = self.component.call("save", || resumed.object.save());
            resumed = self.fresh();
            self.component.call("load", || resumed.object.load(RSlice::from(&state[..])));
            let found = resumed.group(step as u64, std::slice::from_ref(&architectures[step]));
            if found != expected {
                let text = format!("resumed at step {step} the group is {found}, expected {expected}");
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
        let object = &mut self.object;
        let before = self.run.in_stage("");
        let choices = self.component.call("separate_by", || object.separate_by(before.view())).into_vec();
        let count = self.run.ground.choices().len();
        for (index, &choice) in choices.iter().enumerate() {
            if choice as usize >= count || choices[..index].contains(&choice) {
                let problem = if choice as usize >= count { "out of range" } else { "named twice" };
                let text = format!("the choice {choice} is {problem}, expected different ones below {count}");
                self.component.fail("separate_by", &text);
            }
        }
        self.run.separated = choices;
        self.component.call("start", || self.object.start(self.run.view()));
        self
    }
}

struct PathsView<'a> {
    run: &'a TestRun,
    step: u64,
    paths: Vec<Path>,
}

impl host::Paths for PathsView<'_> {
    fn attribute(&self, _: RStr<'_>) -> ROption<Value> {
        ROption::RNone
    }

    fn run(&self) -> Run_TO<'_, RRef<'_, ()>> {
        self.run.view()
    }

    fn step(&self) -> u64 {
        self.step
    }

    fn count(&self) -> u32 {
        self.paths.len() as u32
    }

    fn selected(&self, path: u32, choice: u32) -> AbiResult<RVec<u32>> {
        guard(|| match self.paths.get(path as usize) {
            Some(path) => selected(path, choice),
            None => super::attributes::refuse(format!(
                "there is no path {path}; the step has {}",
                self.paths.len()
            )),
        })
    }

    fn default_group(&self) -> AbiResult<u64> {
        guard(|| separated(&self.paths, self.run.ground.choices(), &self.run.separated))
    }
}
