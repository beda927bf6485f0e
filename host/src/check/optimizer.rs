//! Optimizers: updates of a few parameters, in libtorch, with gradients of every size.

use nshot_graph::{Initialisation, ParameterSpec, Parameters, Role};
use nshot_torch::{Gradients, ParameterStore, Slots, UpdateTable};

use super::drive::{self, Drive};
use super::ground::Case;
use super::report::{Checks, Ended};
use crate::boundary::{RunView, UpdateHost, UpdateMoment};
use crate::component::Identity;
use crate::experiment::Experiment;
use crate::failure::Result;
use crate::watchdog::Scratch;

/// Factors of the gradients, in turn: none, tiny, plain, large.
const SCALES: [f64; 4] = [1.0, 0.0, 1e-8, 1e4];
/// Learning rates, in turn.
const RATES: [f64; 3] = [0.01, 0.0, 1e-6];
/// Updates with gradients of one size, and sizes that are compared with 1.
const UPDATES: u64 = 3;
const SMALL: f64 = 1e-3;
const LARGE: f64 = 100.0;
/// Ways that differ by less of their length are surely the same; beside the small constant that Adam and its kin add to
/// what they divide by, they may differ by a little more.
const SAME: f64 = 1e-3;
const NEARLY_SAME: f64 = 1e-2;

struct Driven {
    experiment: Experiment,
    view: RunView,
    store: ParameterStore,
    slots: Slots,
    /// Updates of each group and parameter.
    counts: [Vec<u64>; 2],
}

pub(super) fn check(case: &Case, checks: &mut Checks) {
    drive::check(checks, |total| Driven::start(case, total));
    checks.run("gradient scale", || gradient_scale(case));
}

/// Whether the size of gradients matters is as declared: by it a path's factor scales gradients or the learning rate.
fn gradient_scale(case: &Case) -> Result<String, Ended> {
    let moved = |size: f64, updates: u64| -> Result<(Vec<f64>, Driven), Ended> {
        let mut driven = Driven::start(case, UPDATES)?;
        let all: Vec<usize> = (0..driven.store.len()).collect();
        for step in 0..updates {
            driven.update(step, 0, &all, size, RATES[0])?;
        }
        Ok((driven.numbers()?, driven))
    };
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>();
    let ((start, driven), (plain, _)) = (moved(1.0, 0)?, moved(1.0, UPDATES)?);
    let way = distance(&start, &plain);
    if way == 0.0 {
        return Ok(format!("not compared: {UPDATES} updates do not move the parameters"));
    }
    let differs = |size: f64| Ok::<_, Ended>(distance(&plain, &moved(size, UPDATES)?.0) / way);
    let (declared, large) = (driven.experiment.scale_invariant, differs(LARGE)?);
    let found = if declared && large > NEARLY_SAME {
        "gradients of a hundred times the size lead to another update"
    } else if !declared && large <= SAME && differs(SMALL)? <= SAME {
        "gradients of a thousandth and of a hundred times the size lead to the same update"
    } else {
        return Ok(format!("{}, as declared", if declared { "does not matter" } else { "matters" }));
    };
    let text = format!("{found}, but `GRADIENT_SCALE_INVARIANT` is {declared}");
    Err(driven.identity().failure("step", &text).into())
}

/// One of each role that is trained, and of each number of dimensions.
fn parameters() -> Result<Parameters> {
    let mut parameters = Parameters::new();
    let kinds: [(&str, &[i64], Role); 6] = [
        ("conv.weight", &[4, 3, 3, 3], Role::Weight),
        ("linear.weight", &[5, 4], Role::Weight),
        ("linear.bias", &[5], Role::Bias),
        ("norm.weight", &[1], Role::Norm),
        ("scale", &[], Role::Norm),
        ("choice.logits", &[3], Role::Architecture),
    ];
    for (name, shape, role) in kinds {
        let init = Initialisation::Normal { mean: 0.0, std: 0.5 };
        parameters.declare(ParameterSpec { name: name.to_owned(), shape: shape.to_vec(), role, init })?;
    }
    Ok(parameters)
}

impl Driven {
    fn start(case: &Case, total_steps: u64) -> Result<Self, Ended> {
        let mut experiment = case.experiment()?;
        let view = RunView { total_steps, ..experiment.run_view("optimizer", Some(0)) };
        experiment.optimizer.start(&view)?;
        let parameters = parameters()?;
        let mut store = ParameterStore::new(&parameters, experiment.device, experiment.precision)?;
        store.initialise(0)?;
        let counts = [vec![0; store.len()], vec![0; store.len()]];
        Ok(Self { experiment, view, store, slots: Slots::new(), counts })
    }

    /// Gradients that do not depend on the parameters, so that no rate is too large for them.
    fn gradients(&self, size: f64, reached: &[usize]) -> Result<Gradients> {
        let precision = self.store.precision().kind();
        let mut terms = Vec::with_capacity(reached.len());
        for tensor in reached.iter().filter_map(|&index| self.store.get(index)) {
            terms.push((tensor.f_sum(precision)?, size));
        }
        nshot_torch::weighted_sum(&terms)?.f_backward().map_err(nshot_torch::TorchError::from)?;
        Ok(Gradients::collect(&self.store, reached)?)
    }

    /// One update, with all gradients of one size.
    fn update(
        &mut self,
        step: u64,
        group: u64,
        reached: &[usize],
        size: f64,
        learning_rate: f64,
    ) -> Result<()> {
        let gradients = self.gradients(size, reached)?;
        let counts = &mut self.counts[group as usize];
        let before = gradients.indices().iter().map(|&index| counts[index]).collect();
        gradients.indices().iter().for_each(|&index| counts[index] += 1);
        let specs = gradients.indices().iter().filter_map(|&index| self.store.specs().get(index)).collect();
        let table = UpdateTable::new(&self.store, &gradients, &mut self.slots, group as u32)?;
        let moment = UpdateMoment { run: &self.view, step, group, learning_rate };
        self.experiment.optimizer.step(UpdateHost::new(table, specs, before, moment))?;
        Ok(self.store.clear_gradients()?)
    }

    /// All values.
    fn numbers(&self) -> Result<Vec<f64>> {
        let mut numbers = Vec::new();
        for tensor in (0..self.store.len()).filter_map(|index| self.store.get(index)) {
            numbers.extend(nshot_torch::read_values(tensor)?);
        }
        Ok(numbers)
    }

    /// All values as bits; an error if one is not finite.
    fn values(&self, step: u64) -> Result<Vec<u64>> {
        let mut bits = Vec::new();
        for (index, spec) in self.store.specs().iter().enumerate() {
            let values = self.store.get(index).map(nshot_torch::read_values).transpose()?.unwrap_or_default();
            if let Some(odd) = values.iter().find(|value| !value.is_finite()) {
                let text = format!(
                    "at step {step}, with a learning rate of {} and gradients of the size {}, an element of `{}` became \
                     {odd}, expected a finite number",
                    RATES[step as usize % RATES.len()],
                    SCALES[step as usize % SCALES.len()],
                    spec.name
                );
                return Err(self.experiment.optimizer.identity().failure("step", &text));
            }
            bits.extend(values.iter().map(|value| value.to_bits()));
        }
        Ok(bits)
    }
}

impl Drive for Driven {
    type Seen = Vec<u64>;
    const METHOD: &'static str = "step";

    fn identity(&self) -> &Identity {
        self.experiment.optimizer.identity()
    }

    /// Two groups in turn; every fifth update moves one parameter alone.
    fn step(&mut self, step: u64) -> Result<Option<Self::Seen>> {
        let all: Vec<usize> = (0..self.store.len()).collect();
        let reached = if step % 5 == 4 { &all[..1] } else { &all[..] };
        let size = SCALES[step as usize % SCALES.len()] * (step as f64).cos();
        self.update(step, step / 2 % 2, reached, size, RATES[step as usize % RATES.len()])?;
        if !self.slots.is_finite()? {
            let text = format!("a value of its state is not finite after step {step}");
            return Err(self.experiment.optimizer.identity().failure("step", &text));
        }
        self.values(step).map(Some)
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.experiment.optimizer.save()
    }

    fn restore(&mut self, state: &[u8], from: &Self) -> Result<()> {
        let folder = Scratch::new()?;
        let (weights, slots) = (folder.path().join("weights"), folder.path().join("slots"));
        from.store.save(&weights)?;
        from.slots.save(&slots, &from.store)?;
        self.store.load(&weights)?;
        self.slots = Slots::load(&slots, &self.store)?;
        self.counts.clone_from(&from.counts);
        self.experiment.optimizer.load(state)
    }
}
