//! A run for tests: choices, costs, steps, a seed.

mod view;

use std::sync::Arc;

use nshot_abi::{Attribute, Value};

use super::ground::{self, Ground, MEASURES, Plain, unknown_measure};
use super::path::Path;
use crate::attributes::IntoAttribute;
use crate::error::Result;
use crate::random::Random;
use crate::run::{Architecture, ChoiceIndex, Task};

type Cost = Arc<dyn Fn(&[u32]) -> f64 + Send + Sync>;
type Admits = Arc<dyn Fn(&[u32]) -> bool + Send + Sync>;

/// Architectures up to which all of them are looked at.
const ENUMERATED: usize = 20_000;

/// A small run on plain choices, each given by its name and number of options.
///
/// It has 1,000 steps in epochs of 100; the measures `weights`, `params` and `macs` are one more than the sum of the
/// options' indices; every architecture is valid. What a component needs otherwise, the builder sets:
///
/// ```
/// use nshot_sdk::testing;
///
/// let run = testing::run(&[("kernel", 3), ("depth", 4)])
///     .steps(300, 30)
///     .seed(7)
///     .measure("latency", |architecture| 1.5 + f64::from(architecture[1]))
///     .valid(|architecture| architecture != [0, 3])
///     .allow(0, &[0, 2]);
/// assert_eq!(run.architectures().len(), 7);
/// assert_eq!(run.cost(&[2, 3], "latency"), 4.5);
/// ```
///
/// # Panics
/// A choice without options, or two of the same name.
#[track_caller]
pub fn run(choices: &[(&str, u32)]) -> TestRun {
    TestRun::on(Arc::new(Plain::new(choices)))
}

/// A run for tests, made by [`run`] or [`SpaceTest::run`](super::SpaceTest::run).
#[derive(Clone)]
pub struct TestRun {
    pub(crate) ground: Arc<dyn Ground>,
    costs: Vec<(String, Cost)>,
    admits: Vec<Admits>,
    pub(crate) allowed: Vec<Vec<u32>>,
    pub(crate) stage: String,
    pub(crate) total_steps: u64,
    pub(crate) steps_per_epoch: u64,
    split: Vec<u32>,
    pub(crate) separated: Vec<u32>,
    seed: u64,
    facts: Vec<Attribute>,
}

impl TestRun {
    pub(crate) fn on(ground: Arc<dyn Ground>) -> Self {
        let allowed = ground.choices().iter().map(|c| (0..c.options.len() as u32).collect()).collect();
        let facts = crate::attributes! {
            base_learning_rate: 0.1, batch_size: 64, stage_index: 0, stage_count: 1,
            dtype: "float32", device: "cpu", inactive: "skip",
        };
        Self {
            ground,
            costs: Vec::new(),
            admits: Vec::new(),
            allowed,
            stage: "supernet".to_owned(),
            total_steps: 1000,
            steps_per_epoch: 100,
            split: Vec::new(),
            separated: Vec::new(),
            seed: 0,
            facts: facts.0,
        }
    }

    /// Steps of the run and of one epoch.
    #[must_use]
    pub fn steps(mut self, total: u64, per_epoch: u64) -> Self {
        (self.total_steps, self.steps_per_epoch) = (total, per_epoch);
        self
    }

    /// The seed of the component's random numbers; 0 unless set.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A measure of complexity: one of the usual (`weights`, `params`, `macs`) replaced, or one more.
    #[must_use]
    pub fn measure(mut self, name: &str, cost: impl Fn(&[u32]) -> f64 + Send + Sync + 'static) -> Self {
        self.costs.retain(|(other, _)| other != name);
        self.costs.push((name.to_owned(), Arc::new(cost)));
        self
    }

    /// Which architectures are valid, among those of the space.
    #[must_use]
    pub fn valid(mut self, admits: impl Fn(&[u32]) -> bool + Send + Sync + 'static) -> Self {
        self.admits.push(Arc::new(admits));
        self
    }

    /// The options that the stage allows at a choice; all unless set.
    ///
    /// # Panics
    /// Options that the choice does not have.
    #[must_use]
    #[track_caller]
    pub fn allow(mut self, choice: ChoiceIndex, options: &[u32]) -> Self {
        expect(ground::check_options(self.ground.choices(), choice, options));
        self.allowed[choice as usize] = options.to_vec();
        self
    }

    /// The choices by which the sampler is said to split the space.
    #[must_use]
    pub fn split_by(mut self, choices: &[ChoiceIndex]) -> Self {
        self.split = choices.to_vec();
        self
    }

    /// The choices that separate the optimizer's state: the paths of a step have to agree on them.
    #[must_use]
    pub fn separated_by(mut self, choices: &[ChoiceIndex]) -> Self {
        self.separated = choices.to_vec();
        self
    }

    /// A fact, such as `base_learning_rate`, that [`Run::attribute`](crate::Run::attribute) tells.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl IntoAttribute) -> Self {
        self.facts.retain(|fact| fact.name != name);
        self.facts.push(Attribute { name: name.into(), value: value.into_attribute() });
        self
    }

    /// The task; on plain choices `[3, 32, 32]` and 10 classes.
    pub fn task(&self) -> &Task {
        self.ground.task()
    }

    /// The architectures that are allowed and valid, in order.
    ///
    /// # Panics
    /// The choices have more than 20,000 combinations.
    #[track_caller]
    pub fn architectures(&self) -> Vec<Architecture> {
        match self.enumerate(&self.allowed) {
            Some(all) => all,
            None => panic!("the run has more than {ENUMERATED} combinations of options"),
        }
    }

    /// An architecture of each of `count` uniform draws among those that are allowed and valid; the same ones each time.
    ///
    /// # Panics
    /// None of many draws is valid.
    #[track_caller]
    pub fn draw(&self, count: usize) -> Vec<Architecture> {
        let mut random = Random::new(self.seed, u64::MAX);
        self.reading(|run| (0..count).map(|_| run.uniform(&mut random)).collect())
    }

    /// The cost of an architecture by a measure.
    ///
    /// # Panics
    /// An unknown measure, or an architecture that is not in range.
    #[track_caller]
    pub fn cost(&self, architecture: &[u32], measure: &str) -> f64 {
        self.reading(|run| run.complexity(architecture, measure))
    }

    /// The same run in a stage of another name.
    pub(crate) fn in_stage(&self, stage: &str) -> Self {
        Self { stage: stage.to_owned(), ..self.clone() }
    }

    pub(crate) fn measures(&self) -> Vec<String> {
        let more = self.costs.iter().map(|(name, _)| name.as_str()).filter(|name| !MEASURES.contains(name));
        MEASURES.into_iter().chain(more).map(ToOwned::to_owned).collect()
    }

    pub(crate) fn complexity(&self, path: &Path, measure: &str) -> Result<f64> {
        match self.costs.iter().find(|(name, _)| name == measure) {
            None if MEASURES.contains(&measure) => self.ground.complexity(path, measure),
            None => Err(unknown_measure(measure, &self.measures())),
            Some((_, cost)) => match path.single() {
                Some(architecture) => Ok(cost(&architecture)),
                None => super::attributes::refuse(format!(
                    "`{measure}` is known of subnets of one option at each choice"
                )),
            },
        }
    }

    /// Whether an architecture that is in range is one of the space, in whatever stage.
    pub(crate) fn in_space(&self, architecture: &[u32]) -> Result<bool> {
        Ok(self.admits.iter().all(|admits| admits(architecture)) && self.ground.valid(architecture)?)
    }

    fn extreme(&self, measure: &str, largest: bool) -> Result<Architecture> {
        if !self.measures().iter().any(|known| known == measure) {
            return Err(unknown_measure(measure, &self.measures()));
        }
        let replaced = self.costs.iter().find(|(name, _)| name == measure);
        let (Some((_, cost)), Some(all)) = (replaced, self.enumerate(&self.all_options())) else {
            return self.ground.extreme(measure, largest);
        };
        let by_cost = |a: &&Architecture, b: &&Architecture| cost(a).total_cmp(&cost(b));
        let found = if largest { all.iter().max_by(by_cost) } else { all.iter().min_by(by_cost) };
        found.cloned().map_or_else(|| super::attributes::refuse("no architecture is valid"), Ok)
    }

    pub(crate) fn all_options(&self) -> Vec<Vec<u32>> {
        self.ground.choices().iter().map(|choice| (0..choice.options.len() as u32).collect()).collect()
    }

    /// The valid architectures of these options, if they are few.
    pub(crate) fn enumerate(&self, options: &[Vec<u32>]) -> Option<Vec<Architecture>> {
        let count = options.iter().try_fold(1_usize, |count, list| count.checked_mul(list.len()))?;
        if count > ENUMERATED {
            return None;
        }
        let mut all: Vec<Architecture> = vec![Vec::new()];
        for list in options {
            let longer = |start: &Architecture| {
                list.iter().map(|option| [&start[..], &[*option]].concat()).collect::<Vec<_>>()
            };
            all = all.iter().flat_map(longer).collect();
        }
        all.retain(|architecture| self.in_space(architecture).unwrap_or(false));
        Some(all)
    }

    #[track_caller]
    fn reading<T>(&self, read: impl FnOnce(&crate::Run) -> Result<T>) -> T {
        expect(read(&crate::Run(self.view())))
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.clone())
    }
}

/// Ends the test with an error.
#[track_caller]
pub(crate) fn expect<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
