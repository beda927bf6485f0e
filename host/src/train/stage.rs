//! One stage: a supernet, its optimizer's state, and where its training is.

mod keep;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nshot_data::{Layout, Prefetch};
use nshot_graph::Role;
use nshot_torch::{Gradients, HostBatch, ParameterStore, Slots, Tensor, UpdateTable};

use serde_json::json;

use super::components::load_components;
use super::forward::ForwardPass;
use super::record::{Pending, Record};
use super::supernets;
use crate::batch::{DeviceBatch, host_batch};
use crate::boundary::{
    PathPlan, PathsView, ProgressView, RunView, Scalar, UpdateHost, UpdateMoment, put_scalars, take_scalars,
};
use crate::checkpoint::{Best, Checkpoint, Group};
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::manifest::Inactive;
use crate::memory;
use crate::outcomes::{Entry, OutcomesView};
use crate::output::Output;
use crate::progress::Progress;

/// Steps whose losses stay on the device before they are read together.
const READ_EVERY: usize = 16;

/// More state groups than this are taken for a mistake.
const GROUPS: u64 = 4096;

/// The run as each component sees it in this stage.
pub(crate) struct Views {
    pub(crate) sampler: RunView,
    pub(super) state: RunView,
    pub(super) scheduler: RunView,
    pub(super) optimizer: RunView,
}

/// Where the whole run is, as a checkpoint keeps it.
pub(super) struct Moment {
    pub(super) run_step: u64,
    pub(super) images: u64,
    pub(super) seconds: f64,
    pub(super) loss: Option<f64>,
    pub(super) best: Option<Best>,
    pub(super) rank_due: bool,
}

/// A stage in training.
pub struct Stage {
    /// Its index.
    pub index: usize,
    /// Steps that are done.
    pub step: u64,
    /// Steps of the stage.
    pub total: u64,
    /// The supernet.
    pub store: ParameterStore,
    pub(super) checkpoint_every: u64,
    pub(crate) views: Views,
    pub(super) schedule: (u64, u64),
    slots: Slots,
    ever_reached: Vec<bool>,
    groups: BTreeMap<u64, Group>,
    batches: Prefetch<Result<HostBatch>>,
    pending: Vec<Pending>,
    outcomes: Vec<Entry>,
}

impl Stage {
    /// Starts a stage, from a checkpoint of it if there is one.
    pub(crate) fn start(
        experiment: &mut Experiment,
        directory: &Path,
        index: usize,
        mut resumed: Option<Checkpoint>,
    ) -> Result<Self> {
        let view = |table| experiment.run_view(table, Some(index));
        let views = Views {
            sampler: view("sampler"),
            state: view("state"),
            scheduler: view("scheduler"),
            optimizer: view("optimizer"),
        };
        views.start(experiment)?;
        let mut store = experiment.initial_weights()?;
        if let Some(parent) = &experiment.stages[index].parent {
            let path = supernets::weights_path(directory, parent);
            supernets::check(&path)?;
            store.load(&path)?;
        }
        let mut slots = Slots::new();
        if let Some(checkpoint) = &mut resumed {
            slots = checkpoint.load(&mut store)?;
            load_components(experiment, &checkpoint.state)?;
            // Slots are the optimizer's; the groups' numbers mean nothing to other state groups.
            if !["optimizer", "state"].iter().all(|table| checkpoint.state.is_of(table, &experiment.pins)) {
                slots = Slots::new();
                checkpoint.state.groups.clear();
            }
            if !checkpoint.state.is_of("sampler", &experiment.pins) {
                checkpoint.state.outcomes.clear();
            }
            put_scalars(checkpoint.state.scalars.clone());
        }
        let state = resumed.map(|checkpoint| checkpoint.state);
        experiment.ask_wants()?;
        let step = state.as_ref().map_or(0, |state| state.step);
        let reached = state.as_ref().map(|state| state.ever_reached.clone()).unwrap_or_default();
        let per_epoch = experiment.data.batches_per_epoch();
        let total = experiment.total_steps(index);
        // A stage that continues a schedule goes on with the data, too.
        let (offset, _) = experiment.schedule(index);
        let at = offset + step;
        let from = ((at / per_epoch as u64) as usize, (at % per_epoch as u64) as usize);
        let epochs = (offset + total).div_ceil(per_epoch as u64) as usize;
        let (data, device) = (Arc::clone(&experiment.data), experiment.device);
        let prepare = move |batch| host_batch(&batch, device);
        Ok(Self {
            index,
            step,
            total,
            checkpoint_every: experiment.manifest.train.checkpoint_every.unwrap_or(per_epoch as u64),
            schedule: experiment.schedule(index),
            views,
            slots,
            ever_reached: (0..store.len())
                .map(|parameter| reached.binary_search(&parameter).is_ok())
                .collect(),
            store,
            groups: state.as_ref().map(|state| state.groups.clone()).unwrap_or_default(),
            outcomes: state.map(|state| state.outcomes).unwrap_or_default(),
            batches: Prefetch::prepared(data, experiment.seeds(), Layout::Nhwc, from, epochs, 1, prepare),
            pending: Vec::new(),
        })
    }

    /// The next batch, on the device.
    pub(crate) fn next_batch(&mut self) -> Result<DeviceBatch> {
        let batch = self
            .batches
            .next()
            .ok_or_else(|| Failure::new("the training data ended before the run"))???;
        DeviceBatch::new(&batch, self.store.device(), self.store.precision())
    }

    /// The state group of a step; the paths are checked to agree on the choices that separate the state.
    pub(crate) fn group(&self, experiment: &mut Experiment, paths: &[PathPlan]) -> Result<u64> {
        let view = PathsView {
            space: &experiment.space,
            paths: paths.iter().map(|path| &path.selection).collect(),
            separated: &experiment.separated,
            step: self.step,
            run: &self.views.state,
        };
        view.default_group().map_err(|text| experiment.sampler.identity().failure("sample", &text))?;
        let Some(groups) = &mut experiment.groups else { return Ok(0) };
        let group = groups.group(&view)?;
        if !self.groups.contains_key(&group) {
            self.check_room().map_err(|text| groups.identity().failure("group", &text))?;
        }
        Ok(group)
    }

    /// Whether there is room for another group's state, of the size of those that are there.
    fn check_room(&self) -> Result<(), String> {
        let groups = self.groups.len() as u64;
        if groups >= GROUPS {
            return Err(format!("more than {GROUPS} groups; each has its own state of the optimizer"));
        }
        let needed = self.slots.bytes() / groups.max(1) * (groups + 1);
        match memory::limit() {
            Some(limit) if needed > limit => Err(format!(
                "the optimizer's state of {} groups takes {} MiB, but there are {} MiB of memory",
                groups + 1,
                needed >> 20,
                limit >> 20
            )),
            _ => Ok(()),
        }
    }

    /// How far the schedule is.
    pub(super) fn progress(&self, experiment: &Experiment) -> ProgressView<'_> {
        let (offset, total_steps) = self.schedule;
        let steps_per_epoch = experiment.data.batches_per_epoch() as u64;
        ProgressView { run: &self.views.scheduler, step: offset + self.step, total_steps, steps_per_epoch }
    }

    /// Clips the gradients and lets the optimizer move the parameters. Returns the norm of all gradients before clipping,
    /// on the device.
    pub(crate) fn update(
        &mut self,
        experiment: &mut Experiment,
        pass: &ForwardPass,
        group: u64,
    ) -> Result<Tensor> {
        let mut reached = pass.reached.clone();
        if experiment.manifest.train.inactive == Inactive::Decay {
            for &index in &reached {
                self.ever_reached[index] = true;
            }
            reached = (0..self.ever_reached.len()).filter(|&index| self.ever_reached[index]).collect();
        }
        let mut gradients = Gradients::collect(&self.store, &reached)?;
        let norm = gradients.clip(experiment.manifest.train.clip_norm.unwrap_or(f64::INFINITY))?;
        let (next, parameters) = (self.groups.len() as u32, self.store.len());
        let new = || Group { slots: next, updates: vec![0; parameters] };
        let Group { slots, updates } = self.groups.entry(group).or_insert_with(new);
        let counts = gradients.indices().iter().map(|&index| updates[index]).collect();
        let specs = gradients.indices().iter().filter_map(|&index| self.store.specs().get(index)).collect();
        let table = UpdateTable::new(&self.store, &gradients, &mut self.slots, *slots)?;
        let (run, learning_rate) = (&self.views.optimizer, pass.learning_rate);
        let moment = UpdateMoment { run, step: self.step, group, learning_rate };
        experiment.optimizer.step(UpdateHost::new(table, specs, counts, moment))?;
        for &index in gradients.indices() {
            updates[index] += 1;
        }
        self.store.clear_gradients()?;
        Ok(norm)
    }

    /// Remembers what came of the step, its figures still on the device.
    pub(super) fn record(&mut self, paths: &[PathPlan], group: u64, pass: ForwardPass, norm: Tensor) {
        self.pending.push(Pending {
            step: self.step,
            selections: paths.iter().map(|path| path.selection.clone()).collect(),
            losses: pass.losses,
            factors: pass.factors,
            learning_rate: pass.learning_rate,
            group,
            norm,
            path_norms: pass.norms,
            scalars: take_scalars(),
            images: pass.images,
        });
    }

    /// Whether the figures on the device are to be read now.
    pub(super) fn is_due(&self, experiment: &Experiment, last: bool) -> bool {
        let observed = experiment.wants.any() && self.step.is_multiple_of(experiment.wants.every);
        last || observed || self.step == self.total || self.pending.len() >= READ_EVERY
    }

    /// Reads the figures on the device, writes them down, and tells the sampler. Returns the last mean loss.
    pub(super) fn flush(
        &mut self,
        experiment: &mut Experiment,
        output: &mut Output,
        progress: &mut Progress,
    ) -> Result<Option<f64>> {
        let mut records = Record::read(std::mem::take(&mut self.pending))?;
        if !records.is_empty() {
            let stage = &experiment.stages[self.index].name;
            output.timing(json!({ "stage": stage, "step": self.step }))?;
        }
        for (index, record) in records.iter().enumerate() {
            if let Err(failure) = record.check(experiment) {
                // What came before it shows how it came to that.
                records[..index].iter().try_for_each(|record| record.write(experiment, output, self))?;
                return Err(failure);
            }
            if experiment.wants.any() {
                self.outcomes.push(record.outcome(experiment.wants));
            }
        }
        let block = self.step.is_multiple_of(experiment.wants.every) || self.step == self.total;
        if experiment.wants.any() && block && !self.outcomes.is_empty() {
            let recorded = self.tell(experiment)?;
            if let Some(last) = records.last_mut() {
                last.add_scalars(recorded);
            }
        }
        for record in &records {
            record.write(experiment, output, self)?;
            record.show(progress);
        }
        Ok(records.last().map(Record::mean_loss))
    }

    /// Tells the sampler the outcomes. Returns the figures that it records: they belong to the block's last step.
    fn tell(&mut self, experiment: &mut Experiment) -> Result<Vec<Scalar>> {
        let entries = std::mem::take(&mut self.outcomes);
        let (run, parameters) = (&self.views.sampler, architecture_parameters(&self.store)?);
        let view = OutcomesView { run, wants: experiment.wants, entries, parameters };
        let earlier = take_scalars();
        experiment.sampler.observe(&view)?;
        let recorded = take_scalars();
        put_scalars(earlier);
        Ok(recorded)
    }
}

impl Views {
    /// Tells the components that the stage starts.
    fn start(&self, experiment: &mut Experiment) -> Result<()> {
        experiment.sampler.start(&self.sampler)?;
        if let Some(groups) = &mut experiment.groups {
            groups.start(&self.state)?;
        }
        experiment.scheduler.start(&self.scheduler)?;
        experiment.optimizer.start(&self.optimizer)
    }
}

/// Values of the parameters of the role `architecture`, by name.
pub(crate) fn architecture_parameters(store: &ParameterStore) -> Result<Vec<(String, Vec<f64>)>> {
    let specs = store.specs().iter().enumerate();
    let mut values = Vec::new();
    for (index, spec) in specs.filter(|(_, spec)| spec.role == Role::Architecture) {
        if let Some(tensor) = store.get(index) {
            values.push((spec.name.clone(), nshot_torch::read_values(tensor)?));
        }
    }
    Ok(values)
}
