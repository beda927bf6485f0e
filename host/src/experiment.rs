//! A run with everything that it needs, checked before the first step.

mod parts;
mod plan;
mod weights;

use std::collections::BTreeMap;
use std::sync::Arc;

use nshot_abi::{Attribute, Value};
use nshot_data::random::Key;
use nshot_data::{Data, Seeds};
use nshot_graph::ParameterSpec;
use nshot_torch::{Device, NameMap, ParameterStore, Precision};

use crate::boundary::{RunView, StagePlan};
use crate::component::{Identity, LrScheduler, Optimizer, Sampler, StateGroups};
use crate::failure::{Failure, Result};
use crate::manifest::{Inactive, Length, Manifest};
use crate::memory;
use crate::outcomes::Wants;
use crate::plugins::Plugins;
use crate::run_directory::LockedComponent;
use crate::space::Space;

pub use parts::{Parts, open_data};
use plan::union;
pub(crate) use weights::of as weights_of;

/// What a lock pins of a run's components, by the manifest's table.
pub type Pins = BTreeMap<String, LockedComponent>;

/// A run, resolved: manifest, data, device, and the components that were made from it.
pub struct Experiment {
    /// The manifest.
    pub manifest: Manifest,
    /// The data.
    pub data: Arc<Data>,
    /// The search space.
    pub space: Arc<Space>,
    /// The sampler.
    pub sampler: Sampler,
    /// The state groups, if the manifest names some.
    pub groups: Option<StateGroups>,
    /// The learning-rate scheduler.
    pub scheduler: LrScheduler,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// What the sampler wants to be told.
    pub wants: Wants,
    /// Whether scaling all gradients leaves the optimizer's update as it is.
    pub scale_invariant: bool,
    /// The stages, at least one.
    pub stages: Vec<StagePlan>,
    /// Choices at which two stages have no option in common.
    pub split: Vec<u32>,
    /// Choices that separate the optimizer's state.
    pub separated: Vec<u32>,
    /// Where tensors live.
    pub device: Device,
    /// Their type.
    pub precision: Precision,
    /// What the components are.
    pub pins: Pins,
    /// The trained accuracies that rankings are compared with, if the manifest names a table.
    pub truth: Option<Arc<nshot_table::Table>>,
}

impl Experiment {
    /// Resolves a manifest; with `pins`, from the plugins that a lock names.
    ///
    /// # Errors
    /// The first thing that is wrong with it, pointing at its line.
    pub fn open(manifest: Manifest, plugins: &Plugins, pins: Option<&Pins>) -> Result<Self> {
        let parts = Parts::open(manifest, plugins, pins)?;
        parts.experiment(parts.manifest.clone())
    }

    /// Lets the components declare and plan.
    fn planned(mut self) -> Result<Self> {
        let space = self.space.identity();
        self.manifest.located("space", check_memory(&self.space, self.precision, space))?;
        self.declare()?;
        let sampler = self.sampler.identity();
        self.manifest.located("sampler", check_memory(&self.space, self.precision, sampler))?;
        self.plan()?;
        self.check_initial_weights()?;
        Ok(self)
    }

    /// Takes the sampler's own parameters.
    fn declare(&mut self) -> Result<()> {
        let run = self.run_view("sampler", None);
        let declared = self.manifest.located("sampler", self.sampler.declare(&run))?;
        drop(run);
        match Arc::get_mut(&mut self.space) {
            Some(space) => {
                let sampler = self.sampler.identity();
                let declared = space.declare(&declared);
                let declared = declared.map_err(|failure| sampler.failure("declare", &failure.message));
                self.manifest.located("sampler", declared)
            }
            None => Err(Failure::new("the search space is in use while the sampler declares")),
        }
    }

    /// Asks what the sampler wants to be told in the stage that starts.
    pub fn ask_wants(&mut self) -> Result<()> {
        let wants = Wants::read(&self.sampler.wants()?);
        let wants = wants.map_err(|text| self.sampler.identity().failure("wants", &text));
        self.wants = self.manifest.located("sampler", wants)?;
        Ok(())
    }

    /// Reads the initial weights once, so that a wrong file is noticed before the first step.
    fn check_initial_weights(&self) -> Result<()> {
        if let Some(from) = &self.manifest.train.init_from {
            let checked = weights::check(from).and_then(|()| self.initial_weights().map(|_| ()));
            self.manifest.located("train.init_from", checked)?;
        }
        Ok(())
    }

    /// A supernet's initial weights: drawn, or from the manifest's file.
    ///
    /// # Errors
    /// The file does not fit the space.
    pub fn initial_weights(&self) -> Result<ParameterStore> {
        let mut store = ParameterStore::new(self.space.parameters(), self.device, self.precision)?;
        store.initialise(self.manifest.seed.init)?;
        if let Some(from) = &self.manifest.train.init_from {
            store.load_from(&weights::of(from)?, &NameMap::new(&from.map)?)?;
        }
        Ok(store)
    }

    /// The run as the component of a manifest's table is told of it: at a stage, or before the stages start.
    pub fn run_view(&self, table: &str, stage: Option<usize>) -> RunView {
        let plan = stage.map(|index| &self.stages[index]);
        let counters = (stage.map_or(0, |index| index as u64 + 1), 0);
        let key = Key::new(self.manifest.seed.sampling, &format!("component {table}"));
        let allowed = plan.map_or_else(|| self.space.all_options(), |plan| plan.allowed.clone());
        RunView {
            space: Arc::clone(&self.space),
            stages: Arc::new(vec![allowed.clone()]),
            allowed: Arc::new(allowed),
            stage: plan.map(|plan| plan.name.clone()).unwrap_or_default(),
            total_steps: stage.map_or_else(|| self.budget(None), |index| self.total_steps(index)),
            steps_per_epoch: self.data.batches_per_epoch() as u64,
            split: self.split.clone(),
            separated: self.separated.clone(),
            random_key: key.stream(counters).bits(),
            facts: Arc::new(self.facts(stage)),
        }
    }

    /// The run as a searcher is told of it: it is for what was trained.
    pub fn search_view(&self) -> RunView {
        let stages: Vec<_> = self.stages.iter().map(|stage| stage.allowed.clone()).collect();
        let allowed = Arc::new(union(&stages));
        RunView { stages: Arc::new(stages), allowed, ..self.run_view("search", None) }
    }

    /// Facts of the run by name; see `nshot_abi::host::Run`.
    fn facts(&self, stage: Option<usize>) -> Vec<Attribute> {
        let text = |text: &str| Value::Text(text.into());
        let inactive = match self.manifest.train.inactive {
            Inactive::Skip => "skip",
            Inactive::Decay => "decay",
        };
        let mut facts = vec![
            ("base_learning_rate", Value::Float(self.manifest.train.lr)),
            ("batch_size", Value::Int(self.data.batch_size() as i64)),
            ("dtype", text(self.manifest.run.dtype.name())),
            ("device", text(&self.device.to_string())),
            ("inactive", text(inactive)),
        ];
        if let Some(stage) = stage {
            facts.push(("stage_index", Value::Int(stage as i64)));
            facts.push(("stage_count", Value::Int(self.stages.len() as i64)));
        }
        facts.into_iter().map(|(name, value)| Attribute { name: name.into(), value }).collect()
    }

    /// Steps of the whole run.
    pub fn steps(&self) -> u64 {
        let all =
            (0..self.stages.len()).fold(0, |sum: u64, stage| sum.saturating_add(self.total_steps(stage)));
        all.min(self.manifest.train.stop_after.unwrap_or(u64::MAX))
    }

    /// Steps of a stage.
    pub fn total_steps(&self, stage: usize) -> u64 {
        self.budget(self.stages[stage].epochs)
    }

    /// Steps of a stage of so many epochs, or of the manifest's length.
    fn budget(&self, epochs: Option<u64>) -> u64 {
        let per_epoch = self.data.batches_per_epoch() as u64;
        match (epochs, self.manifest.train.length()) {
            (Some(epochs), _) | (None, Length::Epochs(epochs)) => epochs.saturating_mul(per_epoch),
            (None, Length::Steps(steps)) => steps,
        }
    }

    /// Where a stage's schedule begins and how long it is, in steps: stages that continue share one.
    pub fn schedule(&self, stage: usize) -> (u64, u64) {
        let first = (0..=stage).rev().find(|&index| !self.stages[index].continues).unwrap_or(0);
        let after = (stage + 1..self.stages.len()).find(|&index| !self.stages[index].continues);
        let steps = |mut stages: std::ops::Range<usize>| {
            stages.try_fold(0, |sum: u64, index| sum.checked_add(self.total_steps(index))).unwrap_or(u64::MAX)
        };
        (steps(first..stage), steps(first..after.unwrap_or(self.stages.len())))
    }

    /// Seeds of the training data.
    pub fn seeds(&self) -> Seeds {
        Seeds { data: self.manifest.seed.data, augmentation: self.manifest.seed.augmentation }
    }
}

/// The weights and their gradients must fit into the memory. `declared` is who declared the last of them.
fn check_memory(space: &Space, precision: Precision, declared: &Identity) -> Result<()> {
    let elements: u64 = space.parameters().iter().map(ParameterSpec::elements).sum();
    let needed = elements.saturating_mul(2 * precision.bytes());
    match memory::limit() {
        Some(limit) if needed > limit => {
            let mib = |bytes: u64| bytes >> 20;
            let text = format!(
                "the parameters take {} MiB with their gradients, but there are {} MiB of memory",
                mib(needed),
                mib(limit)
            );
            Err(declared.failure("declare", &text))
        }
        _ => Ok(()),
    }
}
