//! One stage: a supernet, its optimizer's state, and where its training is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nshot_data::{Layout, Pixels, Prefetch};
use nshot_torch::{Gradients, ParameterStore, Slots, Tensor, UpdateTable};

use serde_json::json;

use super::forward::ForwardPass;
use super::record::{Pending, Record};
use crate::boundary::{PathPlan, PathsView, ProgressView, RunView, UpdateHost, put_scalars, take_scalars};
use crate::checkpoint::{Best, Checkpoint, Checkpoints, State};
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::manifest::Inactive;
use crate::outcomes::{Entry, OutcomesView};
use crate::output::Output;
use crate::progress::Progress;
use crate::run_directory::{SUPERNETS, Status, sync_folder};

/// Steps whose losses stay on the device before they are read together.
const READ_EVERY: usize = 16;

/// The run as each component sees it in this stage.
pub(super) struct Views {
    pub(super) sampler: RunView,
}

/// A batch on the device.
pub(super) struct DeviceBatch {
    pub(super) image: Tensor,
    pub(super) label: Tensor,
    pub(super) images: u64,
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
    pub(super) views: Views,
    pub(super) schedule: (u64, u64),
    slots: Slots,
    ever_reached: Vec<bool>,
    updates: BTreeMap<u32, Vec<u64>>,
    batches: Prefetch,
    pending: Vec<Pending>,
    outcomes: Vec<Entry>,
}

impl Stage {
    /// Starts a stage, from a checkpoint of it if there is one.
    pub(super) fn start(
        experiment: &mut Experiment,
        directory: &Path,
        index: usize,
        resumed: Option<Checkpoint>,
    ) -> Result<Self> {
        let views = Views { sampler: experiment.run_view("sampler", Some(index)) };
        experiment.sampler.start(&views.sampler)?;
        let view = |table| experiment.run_view(table, Some(index));
        let (state, scheduler, optimizer) = (view("state"), view("scheduler"), view("optimizer"));
        if let Some(groups) = &mut experiment.groups {
            groups.start(&state)?;
        }
        experiment.scheduler.start(&scheduler)?;
        experiment.optimizer.start(&optimizer)?;

        let mut store = experiment.initial_weights()?;
        if let Some(parent) = &experiment.stages[index].parent {
            store.load(&weights_path(directory, parent))?;
        }
        let (slots, state) = match resumed {
            Some(checkpoint) => {
                let slots = checkpoint.load(&mut store)?;
                load_components(experiment, &checkpoint.state)?;
                put_scalars(checkpoint.state.scalars.clone());
                (slots, Some(checkpoint.state))
            }
            None => (Slots::new(), None),
        };
        let step = state.as_ref().map_or(0, |state| state.step);
        let mut ever_reached = vec![false; store.len()];
        for &parameter in state.iter().flat_map(|state| &state.ever_reached) {
            if let Some(reached) = ever_reached.get_mut(parameter) {
                *reached = true;
            }
        }
        let per_epoch = experiment.data.batches_per_epoch();
        let total = experiment.total_steps(index);
        let from = ((step / per_epoch as u64) as usize, (step % per_epoch as u64) as usize);
        let epochs = total.div_ceil(per_epoch as u64) as usize;
        let data = Arc::clone(&experiment.data);
        Ok(Self {
            index,
            step,
            total,
            checkpoint_every: experiment.manifest.train.checkpoint_every.unwrap_or(per_epoch as u64),
            schedule: experiment.schedule(index),
            views,
            store,
            slots,
            ever_reached,
            updates: state.as_ref().map(|state| state.updates.clone()).unwrap_or_default(),
            outcomes: state.map(|state| state.outcomes).unwrap_or_default(),
            batches: Prefetch::new(data, experiment.seeds(), Layout::Nhwc, from, epochs, 1),
            pending: Vec::new(),
        })
    }

    /// The next batch, on the device.
    pub(super) fn next_batch(&mut self) -> Result<DeviceBatch> {
        let batch =
            self.batches.next().ok_or_else(|| Failure::new("the training data ended before the run"))??;
        let (device, precision) = (self.store.device(), self.store.precision());
        let image = match &batch.images {
            Pixels::F32(pixels) => nshot_torch::images(pixels, batch.shape, true, device, precision)?,
            Pixels::F64(pixels) => nshot_torch::images(pixels, batch.shape, true, device, precision)?,
        };
        let label = nshot_torch::labels(&batch.labels, device)?;
        Ok(DeviceBatch { image, label, images: batch.labels.len() as u64 })
    }

    /// The state group of a step; the paths are checked to agree on the choices that separate the state.
    pub(super) fn group(&self, experiment: &mut Experiment, paths: &[PathPlan]) -> Result<u32> {
        let view = PathsView {
            space: &experiment.space,
            paths: paths.iter().map(|path| &path.selection).collect(),
            separated: &experiment.separated,
            step: self.step,
        };
        view.default_group().map_err(|text| experiment.sampler.identity().failure("sample", &text))?;
        match &mut experiment.groups {
            Some(groups) => groups.group(&view),
            None => Ok(0),
        }
    }

    /// How far the schedule is.
    pub(super) fn progress(&self, experiment: &Experiment) -> ProgressView {
        let (offset, total_steps) = self.schedule;
        let steps_per_epoch = experiment.data.batches_per_epoch() as u64;
        ProgressView { step: offset + self.step, total_steps, steps_per_epoch }
    }

    /// Clips the gradients and lets the optimizer move the parameters. Returns the gradient's norm before
    /// clipping, on the device.
    pub(super) fn update(
        &mut self,
        experiment: &mut Experiment,
        pass: &ForwardPass,
        group: u32,
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
        let updates = self.updates.entry(group).or_insert_with(|| vec![0; self.store.len()]);
        let counts = gradients.indices().iter().map(|&index| updates[index]).collect();
        let specs = gradients.indices().iter().filter_map(|&index| self.store.specs().get(index)).collect();
        let table = UpdateTable::new(&self.store, &gradients, &mut self.slots, group)?;
        experiment.optimizer.step(UpdateHost::new(table, specs, counts, pass.learning_rate))?;
        for &index in gradients.indices() {
            updates[index] += 1;
        }
        self.store.clear_gradients()?;
        Ok(norm)
    }

    /// Remembers what came of the step, its figures still on the device.
    pub(super) fn record(&mut self, paths: &[PathPlan], group: u32, pass: ForwardPass, norm: Tensor) {
        self.pending.push(Pending {
            step: self.step,
            selections: paths.iter().map(|path| path.selection.clone()).collect(),
            losses: pass.losses,
            factors: pass.factors,
            learning_rate: pass.learning_rate,
            group,
            norm,
            scalars: take_scalars(),
            images: pass.images,
        });
    }

    /// Whether the figures on the device are to be read now.
    pub(super) fn is_due(&self, experiment: &Experiment, last: bool) -> bool {
        let observed = experiment.wants.any() && self.step % experiment.wants.every == 0;
        last || observed || self.step == self.total || self.pending.len() >= READ_EVERY
    }

    /// Reads the figures on the device, writes them down, and tells the sampler. Returns the last mean loss.
    pub(super) fn flush(
        &mut self,
        experiment: &mut Experiment,
        output: &mut Output,
        progress: &mut Progress,
    ) -> Result<Option<f64>> {
        let records = Record::read(std::mem::take(&mut self.pending))?;
        if !records.is_empty() {
            let stage = &experiment.stages[self.index].name;
            output.timing(json!({ "stage": stage, "step": self.step }))?;
        }
        for record in &records {
            record.write(experiment, output, self)?;
            record.show(progress);
            if experiment.wants.any() {
                self.outcomes.push(record.outcome(experiment.wants));
            }
        }
        let block = self.step % experiment.wants.every == 0 || self.step == self.total;
        if experiment.wants.any() && block && !self.outcomes.is_empty() {
            let entries = std::mem::take(&mut self.outcomes);
            experiment.sampler.observe(&OutcomesView { entries })?;
        }
        Ok(records.last().map(Record::mean_loss))
    }

    /// Writes a checkpoint of the current step.
    pub(super) fn checkpoint(
        &mut self,
        experiment: &mut Experiment,
        output: &mut Output,
        checkpoints: &Checkpoints,
        run_step: u64,
        best: &Option<Best>,
        progress: &mut Progress,
    ) -> Result<()> {
        self.flush(experiment, output, progress)?;
        let (metrics_bytes, timing_bytes) = output.sync()?;
        let ever_reached = self.ever_reached.iter().enumerate();
        // What a component records while it saves would make the figures depend on when checkpoints are written.
        let scalars = take_scalars();
        let components = save_components(experiment)?;
        put_scalars(scalars.clone());
        let state = State {
            stage: self.index,
            step: self.step,
            run_step,
            ever_reached: ever_reached.filter_map(|(index, reached)| reached.then_some(index)).collect(),
            updates: self.updates.clone(),
            outcomes: self.outcomes.clone(),
            scalars,
            components,
            metrics_bytes,
            timing_bytes,
            best: best.clone(),
        };
        checkpoints.write(&state, &self.store, &self.slots)?;
        output.directory().write_status(&Status::running(run_step, experiment.steps()))
    }

    /// Keeps the trained supernet.
    pub(super) fn finish(&self, experiment: &Experiment, output: &Output) -> Result<()> {
        let path = weights_path(output.path(), &experiment.stages[self.index].name);
        let folder = path.parent().unwrap_or(output.path());
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
        // Written beside, synced and renamed.
        self.store.save(&path)?;
        sync_folder(folder)
    }
}

/// Where a trained stage's supernet lies in a run directory.
pub fn weights_path(run_directory: &Path, stage: &str) -> PathBuf {
    run_directory.join(SUPERNETS).join(format!("{stage}.safetensors"))
}

fn save_components(experiment: &Experiment) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut states = BTreeMap::new();
    states.insert("sampler".to_owned(), experiment.sampler.save()?);
    if let Some(groups) = &experiment.groups {
        states.insert("state".to_owned(), groups.save()?);
    }
    states.insert("scheduler".to_owned(), experiment.scheduler.save()?);
    states.insert("optimizer".to_owned(), experiment.optimizer.save()?);
    Ok(states)
}

fn load_components(experiment: &mut Experiment, state: &State) -> Result<()> {
    let of = |table: &str| state.components.get(table).map_or(&[][..], Vec::as_slice);
    experiment.sampler.load(of("sampler"))?;
    if let Some(groups) = &mut experiment.groups {
        groups.load(of("state"))?;
    }
    experiment.scheduler.load(of("scheduler"))?;
    experiment.optimizer.load(of("optimizer"))
}
