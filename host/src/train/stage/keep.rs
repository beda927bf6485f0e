//! What a stage leaves on the disk: checkpoints, and at its end the supernet.

use super::{Moment, Stage};
use crate::boundary::{put_scalars, take_scalars};
use crate::checkpoint::{Checkpoints, State};
use crate::experiment::Experiment;
use crate::failure::Result;
use crate::output::Output;
use crate::progress::Progress;
use crate::run_directory::Status;
use crate::train::components::save_components;
use crate::train::{record, supernets};

impl Stage {
    /// Writes a checkpoint of the current step.
    pub(in crate::train) fn checkpoint(
        &mut self,
        experiment: &mut Experiment,
        output: &mut Output,
        checkpoints: &Checkpoints,
        moment: Moment,
        progress: &mut Progress,
    ) -> Result<()> {
        let loss = self.flush(experiment, output, progress)?.or(moment.loss);
        self.check_finite(experiment)?;
        let (metrics_bytes, timing_bytes) = output.sync()?;
        let ever_reached = self.ever_reached.iter().enumerate();
        // What a component records while it saves would make the figures depend on when checkpoints are written.
        let scalars = take_scalars();
        let components = save_components(experiment)?;
        put_scalars(scalars.clone());
        let state = State {
            stage: self.index,
            step: self.step,
            run_step: moment.run_step,
            images: moment.images,
            seconds: moment.seconds,
            loss,
            rank_due: moment.rank_due,
            parameters: self.store.specs().iter().map(|spec| spec.name.clone()).collect(),
            ever_reached: ever_reached.filter_map(|(index, reached)| reached.then_some(index)).collect(),
            stages: experiment.stages.clone(),
            separated: experiment.separated.clone(),
            groups: self.groups.clone(),
            outcomes: self.outcomes.clone(),
            scalars,
            components,
            metrics_bytes,
            timing_bytes,
            best: moment.best,
        };
        checkpoints.write(&state, &self.store, &self.slots)?;
        output.directory().write_status(&Status::running(moment.run_step, experiment.steps()))
    }

    /// Refuses to keep weights or state that nothing can go on from; losses of later steps would show it too late.
    fn check_finite(&self, experiment: &Experiment) -> Result<()> {
        let what = match (self.store.is_finite()?, self.slots.is_finite()?) {
            (true, true) => return Ok(()),
            (true, false) => "a value of its state",
            (false, _) if self.store.are_buffers_finite()? => "a weight",
            (false, _) => {
                let text = format!("running statistics are not finite after {} steps", self.step);
                return Err(experiment.space.identity().failure("describe", &text).hint(record::UNSTABLE));
            }
        };
        let text = format!("{what} is not finite after {} steps", self.step);
        Err(experiment.optimizer.identity().failure("step", &text).hint(record::UNSTABLE))
    }

    /// Keeps the trained supernet.
    pub(in crate::train) fn finish(&self, experiment: &Experiment, output: &Output) -> Result<()> {
        self.check_finite(experiment)?;
        let path = supernets::weights_path(output.path(), &experiment.stages[self.index].name);
        supernets::keep(&self.store, &path)
    }
}
