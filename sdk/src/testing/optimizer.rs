//! Optimizers, on a reference backend of plain arrays in double precision.

mod arguments;
mod fused;
mod operations;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use nshot_abi::abi_stable::sabi_trait::TD_Opaque;
use nshot_abi::abi_stable::std_types::RSlice;
use nshot_abi::component::OptimizerBox;
use nshot_abi::host::Update_TO;
use nshot_abi::{AbiResult, Value};
use serde::Serialize;

use super::component::{Component, settings_text};
use super::run::TestRun;
use crate::adapter::guard;
use crate::declare::Role;
use crate::optimizer::Optimizer;
use crate::registration::Entry;
use table::{Arena, Table};

/// An optimizer on the run of [`run`](super::run()) without choices; more in [`OptimizerTest`].
///
/// # Panics
/// As [`TestRun::optimizer`].
#[track_caller]
pub fn optimizer<T: Optimizer>(settings: impl Serialize) -> OptimizerTest {
    super::run(&[]).optimizer::<T>(settings)
}

/// An optimizer through the adapter that ships, with parameters that live in plain arrays: formulas and refusals are
/// the host's, numbers are in double precision.
///
/// ```
/// use nshot_sdk::{prelude::*, testing};
///
/// struct SignSgd;
///
/// impl Optimizer for SignSgd {
///     type Settings = NoSettings;
///     const GRADIENT_SCALE_INVARIANT: bool = true;
///
///     fn new(_: NoSettings) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn step(&mut self, update: &mut Update) -> Result<()> {
///         let gradients = update.gradients()?;
///         let signs = update.op("sign", &[gradients], &Attributes::new())?;
///         let parameters = update.parameters()?;
///         let rate = update.learning_rate();
///         update.op("add_", &[parameters, signs], &attributes! { alpha: -rate })?;
///         Ok(())
///     }
/// }
///
/// let mut optimizer = testing::optimizer::<SignSgd>(()).weight("w", &[1.0, -2.0]);
/// optimizer.step(0.5, &[("w", &[0.3, -7.0])]);
/// assert_eq!(optimizer.values("w"), [0.5, -1.5]);
/// optimizer.assert_scale_invariance();
/// ```
pub struct OptimizerTest {
    component: Component,
    make: Arc<dyn Fn() -> AbiResult<OptimizerBox>>,
    object: OptimizerBox,
    run: TestRun,
    state: State,
    group: u64,
    step: u64,
}

/// What the host keeps: parameters and slots.
#[derive(Clone, Default)]
struct State {
    arena: Arena,
    parameters: Vec<Parameter>,
    slots: BTreeMap<(u64, String), Slot>,
    /// Updates of each parameter, by group.
    updates: BTreeMap<u64, Vec<u64>>,
}

#[derive(Clone)]
struct Parameter {
    name: String,
    role: Role,
    /// Its tensor in the arena.
    at: usize,
}

#[derive(Clone, Default)]
struct Slot {
    tensors: Vec<Option<usize>>,
    counts: Vec<u64>,
}

impl TestRun {
    /// An optimizer of this run, without parameters at first. `settings`: `()`, `json!({ … })`, or a value of its
    /// settings type.
    ///
    /// # Panics
    /// The optimizer refuses its settings or the run.
    #[track_caller]
    pub fn optimizer<T: Optimizer>(&self, settings: impl Serialize) -> OptimizerTest {
        let (component, text) = (Component::of::<T>("optimizer"), settings_text(&settings));
        let make = move || guard(|| Entry::optimizer::<T>("").make_optimizer(&text));
        let mut object = component.call("new", &make);
        component.call("start", || object.start(self.view()));
        let (make, run) = (Arc::new(make), self.clone());
        OptimizerTest { component, make, object, run, state: State::default(), group: 0, step: 0 }
    }
}

impl OptimizerTest {
    /// A parameter of the role `weight` and the shape `[n]`.
    #[must_use]
    #[track_caller]
    pub fn weight(self, name: &str, values: &[f64]) -> Self {
        let shape = [values.len() as u64];
        self.parameter(name, Role::Weight, &shape, values)
    }

    /// A parameter.
    ///
    /// # Panics
    /// The shape is not that of the values, the name is known already, or the role is that of buffers.
    #[must_use]
    #[track_caller]
    pub fn parameter(mut self, name: &str, role: Role, shape: &[u64], values: &[f64]) -> Self {
        let elements: u64 = shape.iter().product();
        let count = values.len() as u64;
        assert!(elements == count, "`{name}` has the shape {shape:?} and {count} values");
        assert!(role != Role::Buffer, "`{name}` is a buffer: no optimizer sees those");
        assert!(self.state.find(name).is_none(), "the parameter `{name}` is there already");
        let at = self.state.arena.push(shape.to_vec(), values.to_vec());
        self.state.parameters.push(Parameter { name: name.to_owned(), role, at });
        self
    }

    /// The state group of the steps that follow; 0 at first.
    pub fn set_group(&mut self, group: u64) {
        self.group = group;
    }

    /// One update of the parameters that are named, each with its gradient.
    ///
    /// # Panics
    /// The optimizer fails, or a gradient is of no parameter.
    #[track_caller]
    pub fn step(&mut self, learning_rate: f64, gradients: &[(&str, &[f64])]) {
        let mut reached: Vec<(usize, &[f64])> = Vec::with_capacity(gradients.len());
        for (name, gradient) in gradients {
            let Some(index) = self.state.find(name) else { panic!("there is no parameter `{name}`") };
            let expected = self.state.arena.values(self.state.parameters[index].at).len();
            let found = gradient.len();
            assert!(expected == found, "the gradient of `{name}` has {found} values, expected {expected}");
            reached.push((index, *gradient));
        }
        reached.sort_by_key(|(index, _)| *index);
        let moment = table::Moment { run: &self.run, step: self.step, group: self.group, learning_rate };
        let mut table = Table::new(&mut self.state, &reached, moment);
        let object = &mut self.object;
        self.component.call("step", || object.step(Update_TO::from_ptr(&mut table, TD_Opaque)));
        table.finish();
        self.step += 1;
    }

    /// Descends on `½ Σ θ²`, whose gradient is `θ`, for some steps; returns the last value.
    #[track_caller]
    pub fn minimise(&mut self, learning_rate: f64, steps: u64) -> f64 {
        for _ in 0..steps {
            self.descend(learning_rate, 1.0);
        }
        let all = self.state.parameters.iter().flat_map(|parameter| self.state.arena.values(parameter.at));
        all.map(|value| value * value / 2.0).sum()
    }

    /// The values of a parameter.
    ///
    /// # Panics
    /// There is no such parameter.
    #[track_caller]
    pub fn values(&self, parameter: &str) -> &[f64] {
        match self.state.find(parameter) {
            Some(index) => self.state.arena.values(self.state.parameters[index].at),
            None => panic!("there is no parameter `{parameter}`"),
        }
    }

    /// What a slot of a group holds for a parameter; none before its first use.
    pub fn slot(&self, group: u64, slot: &str, parameter: &str) -> Option<&[f64]> {
        let slot = self.state.slots.get(&(group, slot.to_owned()))?;
        let at = slot.tensors.get(self.state.find(parameter)?).copied().flatten()?;
        Some(self.state.arena.values(at))
    }

    /// Checks that `GRADIENT_SCALE_INVARIANT` is true: the first three updates on `½ Σ θ²` move the parameters as far,
    /// to one part in 10,000, if gradients are a hundred times as large; or, where it is false, that they do not.
    ///
    /// # Panics
    /// The declaration is wrong, or there are no parameters that are not 0.
    #[track_caller]
    pub fn assert_scale_invariance(&self) {
        let properties = self.component.call("properties", || self.object.properties());
        let named = properties.iter().find(|property| property.name == "gradient_scale_invariant");
        let declared = named.is_some_and(|property| property.value == Value::Bool(true));
        let moved = |scale: f64| {
            let mut fresh = self.fresh();
            (0..3).for_each(|_| fresh.descend(1e-3, scale));
            fresh.all_values()
        };
        let (start, one, other) = (self.all_values(), moved(1.0), moved(100.0));
        let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>();
        let way = distance(&start, &one);
        assert!(way > 0.0, "the parameters do not move: give some that are not 0");
        let invariant = distance(&one, &other) <= 1e-4 * way;
        if invariant != declared {
            let found = if invariant { "leave" } else { "do not leave" };
            self.component.fail(
                "step",
                &format!(
                    "`GRADIENT_SCALE_INVARIANT` is {declared}, but gradients a hundred times as large {found} the update \
                     as it is"
                ),
            );
        }
    }

    /// Checks that `steps` updates on `½ Σ θ²` are the same if the optimizer is remade from its saved state before
    /// each; parameters and slots stay, as the host keeps them.
    ///
    /// # Panics
    /// They differ, or the state cannot be saved or loaded.
    #[track_caller]
    pub fn assert_resumes(&self, steps: u64) {
        let (mut whole, mut resumed) = (self.fresh(), self.fresh());
        for step in 0..steps {
            let state = self.component.call("save", || resumed.object.save());
            resumed.object = self.made();
            self.component.call("load", || resumed.object.load(RSlice::from(&state[..])));
            whole.descend(0.1, 1.0);
            resumed.descend(0.1, 1.0);
            let (expected, found) = (whole.all_values(), resumed.all_values());
            if expected.iter().zip(&found).any(|(a, b)| a.to_bits() != b.to_bits()) {
                let text =
                    format!("resumed before step {step} the parameters are {found:?}, expected {expected:?}");
                self.component.fail("load", &text);
            }
        }
    }

    /// One step with the gradient `scale · θ`.
    #[track_caller]
    fn descend(&mut self, learning_rate: f64, scale: f64) {
        let gradients: Vec<(String, Vec<f64>)> = self
            .state
            .parameters
            .iter()
            .map(|parameter| {
                let values = self.state.arena.values(parameter.at);
                (parameter.name.clone(), values.iter().map(|value| scale * value).collect())
            })
            .collect();
        let borrowed: Vec<(&str, &[f64])> =
            gradients.iter().map(|(name, gradient)| (&name[..], &gradient[..])).collect();
        self.step(learning_rate, &borrowed);
    }

    fn all_values(&self) -> Vec<f64> {
        let all = self.state.parameters.iter().flat_map(|parameter| self.state.arena.values(parameter.at));
        all.copied().collect()
    }

    #[track_caller]
    fn made(&self) -> OptimizerBox {
        let mut object = self.component.call("new", || (self.make)());
        self.component.call("start", || object.start(self.run.view()));
        object
    }

    /// The same parameters with a new optimizer and no slots.
    #[track_caller]
    fn fresh(&self) -> Self {
        let mut state = State::default();
        for parameter in &self.state.parameters {
            let tensor = self.state.arena.tensor(parameter.at).clone();
            let at = state.arena.push(tensor.shape, tensor.values);
            state.parameters.push(Parameter { at, ..parameter.clone() });
        }
        let (make, run) = (Arc::clone(&self.make), self.run.clone());
        Self { component: self.component, make, object: self.made(), run, state, group: 0, step: 0 }
    }
}

impl State {
    fn find(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|parameter| parameter.name == name)
    }
}
