//! A run with everything that it needs, checked before the first step.

use std::collections::BTreeMap;
use std::sync::Arc;

use nshot_abi::Attribute;
use nshot_data::random::Key;
use nshot_data::{Data, Seeds};
use nshot_loader::Kind;
use nshot_torch::{Device, NameMap, ParameterStore, Precision};

use crate::boundary::{RunView, StagePlan};
use crate::component::{LrScheduler, Optimizer, Sampler, StateGroups};
use crate::failure::{Failure, Result};
use crate::manifest::{Component, Dtype, Length, Manifest};
use crate::outcomes::Wants;
use crate::plugins::{Plugins, Resolved};
use crate::run_directory::LockedComponent;
use crate::space::{Space, Task};

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
    /// Choices that the stages restrict.
    pub split: Vec<u32>,
    /// Choices that separate the optimizer's state.
    pub separated: Vec<u32>,
    /// Where tensors live.
    pub device: Device,
    /// Their type.
    pub precision: Precision,
    /// What the components are.
    pub pins: Pins,
}

/// Names the manifest's table and line of a failure.
fn located<T>(manifest: &Manifest, key: &str, result: Result<T>) -> Result<T> {
    result.map_err(|failure| manifest.locate(key, failure))
}

impl Experiment {
    /// Resolves a manifest; with `pins`, from the plugins that a lock names.
    ///
    /// # Errors
    /// The first thing that is wrong with it, pointing at its line.
    pub fn open(manifest: Manifest, plugins: &Plugins, pins: Option<&Pins>) -> Result<Self> {
        let device =
            located(&manifest, "run.device", Device::parse(&manifest.run.device).map_err(Into::into))?;
        let precision = match manifest.run.dtype {
            Dtype::Float32 => Precision::Float32,
            Dtype::Float64 => Precision::Float64,
        };
        nshot_torch::initialise(manifest.run.threads)?;
        let data = open_data(&manifest)?;
        let mut made = Pins::new();
        let mut resolve = |table: &str, kind, component: &Component| {
            let found = match pins.and_then(|pins| pins.get(table)) {
                Some(pin) => plugins.pinned(kind, pin, component.settings.clone()),
                None => plugins.resolve(kind, component),
            };
            let found = located(&manifest, &format!("{table}.use"), found)?;
            refuse_unknown_settings(&manifest, table, &found)?;
            made.insert(table.to_owned(), found.pin());
            Ok::<Resolved, Failure>(found)
        };
        let space = resolve("space", Kind::SearchSpace, &manifest.space)?;
        let sampler = resolve("sampler", Kind::Sampler, &manifest.sampler)?;
        let groups =
            manifest.state.as_ref().map(|table| resolve("state", Kind::StateGroups, table)).transpose()?;
        let scheduler = resolve("scheduler", Kind::LrScheduler, &manifest.scheduler)?;
        let optimizer = resolve("optimizer", Kind::Optimizer, &manifest.optimizer)?;
        let [c, h, w] = data.input_shape().map(|size| size as u64);
        let task = Task { input_shape: [c, h, w], classes: data.classes() as u64 };
        let space = Arc::new(located(&manifest, "space", space.space(&task))?);
        let sampler = located(&manifest, "sampler", sampler.sampler())?;
        let groups = groups.map(|groups| located(&manifest, "state", groups.state_groups())).transpose()?;
        let scheduler = located(&manifest, "scheduler", scheduler.lr_scheduler())?;
        let optimizer = located(&manifest, "optimizer", optimizer.optimizer())?;
        let wants: Vec<Attribute> = sampler.wants()?;
        let wants = Wants::read(&wants).map_err(|text| sampler.identity().failure("wants", &text))?;
        let scale_invariant = optimizer.gradient_scale_invariant()?;
        let mut experiment = Self {
            data,
            space,
            sampler,
            groups,
            scheduler,
            optimizer,
            wants,
            scale_invariant,
            stages: Vec::new(),
            split: Vec::new(),
            separated: Vec::new(),
            device,
            precision,
            pins: made,
            manifest,
        };
        experiment.plan()?;
        experiment.check_initial_weights()?;
        Ok(experiment)
    }

    /// Asks for the stages and for the choices that separate the state.
    fn plan(&mut self) -> Result<()> {
        let run = self.run_view("sampler", None);
        self.stages = self.sampler.plan(&run)?;
        let all = self.space.all_options();
        let restricted = |choice: &u32| {
            self.stages.iter().any(|stage| stage.allowed[*choice as usize] != all[*choice as usize])
        };
        self.split = (0..all.len() as u32).filter(restricted).collect();
        if let Some(mut groups) = self.groups.take() {
            let run = self.run_view("state", None);
            self.separated = groups.separate_by(&run)?;
            self.groups = Some(groups);
        }
        if let Some(both) = self.separated.iter().find(|choice| self.split.contains(choice)) {
            let name = &self.space.choices()[*both as usize].name;
            return Err(Failure::new(format!(
                "the optimizer's state is separated by the choice `{name}`, by which the sampler splits the space"
            )));
        }
        Ok(())
    }

    /// Reads the initial weights once, so that a wrong file is noticed before the first step.
    fn check_initial_weights(&self) -> Result<()> {
        if self.manifest.train.init_from.is_some() {
            located(&self.manifest, "train.init_from", self.initial_weights().map(|_| ()))?;
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
            store.load_from(&from.file, &NameMap::new(&from.map)?)?;
        }
        Ok(store)
    }

    /// The run as the component of a manifest's table is told of it: at a stage, or before the stages start.
    pub fn run_view(&self, table: &str, stage: Option<usize>) -> RunView {
        let plan = stage.map(|index| &self.stages[index]);
        let counters = (stage.map_or(0, |index| index as u64 + 1), 0);
        let key = Key::new(self.manifest.seed.sampling, &format!("component {table}"));
        RunView {
            space: Arc::clone(&self.space),
            allowed: Arc::new(plan.map_or_else(|| self.space.all_options(), |plan| plan.allowed.clone())),
            stage: plan.map(|plan| plan.name.clone()).unwrap_or_default(),
            total_steps: stage.map_or(0, |index| self.total_steps(index)),
            steps_per_epoch: self.data.batches_per_epoch() as u64,
            split: self.split.clone(),
            separated: self.separated.clone(),
            random_key: key.stream(counters).bits(),
        }
    }

    /// Steps of the whole run.
    pub fn steps(&self) -> u64 {
        let all = (0..self.stages.len()).map(|stage| self.total_steps(stage)).sum::<u64>();
        all.min(self.manifest.train.stop_after.unwrap_or(u64::MAX))
    }

    /// Steps of a stage.
    pub fn total_steps(&self, stage: usize) -> u64 {
        let per_epoch = self.data.batches_per_epoch() as u64;
        match (self.stages[stage].epochs, self.manifest.train.length()) {
            (Some(epochs), _) | (None, Length::Epochs(epochs)) => epochs.saturating_mul(per_epoch),
            (None, Length::Steps(steps)) => steps,
        }
    }

    /// Where a stage's schedule begins and how long it is, in steps: stages that continue share one.
    pub fn schedule(&self, stage: usize) -> (u64, u64) {
        let first = (0..=stage).rev().find(|&index| !self.stages[index].continues).unwrap_or(0);
        let after = (stage + 1..self.stages.len()).find(|&index| !self.stages[index].continues);
        let steps = |stages: std::ops::Range<usize>| stages.map(|index| self.total_steps(index)).sum();
        (steps(first..stage), steps(first..after.unwrap_or(self.stages.len())))
    }

    /// Seeds of the training data.
    pub fn seeds(&self) -> Seeds {
        Seeds { data: self.manifest.seed.data, augmentation: self.manifest.seed.augmentation }
    }
}

fn open_data(manifest: &Manifest) -> Result<Arc<Data>> {
    Data::open(&manifest.data, manifest.base()).map(Arc::new).map_err(|error| {
        let key = error.key().map_or_else(|| "data".to_owned(), str::to_owned);
        manifest.locate(&key, error.into())
    })
}

/// A setting that the component's schema does not have: named before the component is made, so that the line
/// of the manifest is known.
fn refuse_unknown_settings(manifest: &Manifest, table: &str, found: &Resolved) -> Result<()> {
    match (found.unknown_key(), found.unknown_setting()) {
        (Some(key), Some(failure)) => Err(manifest.locate(&format!("{table}.{key}"), failure)),
        _ => Ok(()),
    }
}
