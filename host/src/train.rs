//! Training: the loop, step by step, over the stages that the sampler planned.

mod components;
mod forward;
mod norms;
mod record;
mod stage;
mod supernets;

use std::time::Instant;

use crate::boundary::take_scalars;
use crate::checkpoint::{Best, Checkpoint, Checkpoints};
use crate::experiment::Experiment;
use crate::failure::Result;
use crate::output::Output;
use crate::plugin_time::{self, Spent};
use crate::progress::Progress;
use crate::rank::{self, DuringTraining};
use crate::signals::{self, Signal};

use stage::Moment;
pub use stage::Stage;
pub(crate) use stage::architecture_parameters;
pub(crate) use supernets::check as check_supernet;
pub use supernets::weights_path;

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All stages are trained, or `stop_after` is reached.
    Trained,
    /// A signal came; there is a checkpoint.
    Stopped(Signal),
}

/// What the run's figures are made of, processes that it was resumed from included.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Steps.
    pub steps: u64,
    /// Images that were trained on, once for each path.
    pub images: u64,
    /// The last step's mean loss over its paths.
    pub loss: Option<f64>,
    /// Seconds of training, rankings meanwhile included.
    pub seconds: f64,
    /// Those of this process alone.
    pub seconds_here: f64,
    /// What plugins and graphs took of `seconds_here`.
    pub spent: Spent,
}

/// Trains the experiment's stages, from a checkpoint if there is one.
///
/// # Errors
/// A component fails, a loss is not finite, a file cannot be written. The last checkpoint stands.
pub fn train(
    experiment: &mut Experiment,
    output: &mut Output,
    resumed: Option<Checkpoint>,
    progress: &mut Progress,
) -> Result<(End, Figures)> {
    if resumed.is_none() {
        // What components recorded that were only tried.
        drop(take_scalars());
    }
    let mut run = Run::start(experiment, output, resumed.as_ref());
    let mut resumed = resumed;
    for index in run.first_stage..experiment.stages.len() {
        let mut stage = Stage::start(experiment, output.path(), index, resumed.take())?;
        if let Some(signal) = run.rank(experiment, output, &mut stage, progress)? {
            return Ok((End::Stopped(signal), run.figures()));
        }
        while stage.step < stage.total && run.step < run.stop_after {
            if let Some(signal) = signals::stop_requested() {
                run.checkpoint(experiment, output, &mut stage, progress)?;
                return Ok((End::Stopped(signal), run.figures()));
            }
            let batch = stage.next_batch()?;
            let paths = experiment.sampler.sample(&stage.views.sampler, stage.step)?;
            let group = stage.group(experiment, &paths)?;
            let pass = stage.forward_backward(experiment, &paths, &batch)?;
            let norm = stage.update(experiment, &pass, group)?;
            stage.record(&paths, group, pass, norm);
            stage.step += 1;
            run.step += 1;
            run.images += batch.images * paths.len() as u64;

            let last = stage.step == stage.total || run.step >= run.stop_after;
            if stage.is_due(experiment, last) {
                run.loss = stage.flush(experiment, output, progress)?.or(run.loss);
            }
            run.rank_due = rank::is_due(experiment, stage.step);
            let ranked = run.rank_due;
            if let Some(signal) = run.rank(experiment, output, &mut stage, progress)? {
                return Ok((End::Stopped(signal), run.figures()));
            }
            let due = (ranked && run.improved) || stage.step % stage.checkpoint_every == 0;
            if due && !last {
                run.checkpoint(experiment, output, &mut stage, progress)?;
            }
        }
        stage.finish(experiment, output)?;
        run.checkpoint(experiment, output, &mut stage, progress)?;
        if run.step >= run.stop_after {
            break;
        }
    }
    Ok((End::Trained, run.figures()))
}

/// Where the whole run is, over its stages.
struct Run {
    checkpoints: Checkpoints,
    first_stage: usize,
    step: u64,
    stop_after: u64,
    images: u64,
    loss: Option<f64>,
    best: Option<Best>,
    /// A ranking is due at this step and not done yet.
    rank_due: bool,
    /// The last ranking is the best so far.
    improved: bool,
    images_ranked: Option<rank::Images>,
    seconds_before: f64,
    begun: Instant,
    spent_before: Spent,
}

impl Run {
    fn start(experiment: &Experiment, output: &Output, resumed: Option<&Checkpoint>) -> Self {
        let state = resumed.map(|checkpoint| &checkpoint.state);
        Self {
            checkpoints: Checkpoints::of(output.path()),
            first_stage: state.map_or(0, |state| state.stage),
            step: state.map_or(0, |state| state.run_step),
            stop_after: experiment.manifest.train.stop_after.unwrap_or(u64::MAX),
            images: state.map_or(0, |state| state.images),
            loss: state.and_then(|state| state.loss),
            best: state.and_then(|state| state.best.clone()),
            rank_due: state.is_some_and(|state| state.rank_due),
            improved: false,
            images_ranked: None,
            seconds_before: state.map_or(0.0, |state| state.seconds),
            begun: Instant::now(),
            spent_before: plugin_time::spent(),
        }
    }

    fn seconds(&self) -> f64 {
        self.seconds_before + self.begun.elapsed().as_secs_f64()
    }

    fn figures(&self) -> Figures {
        let seconds = self.seconds();
        Figures {
            steps: self.step,
            images: self.images,
            loss: self.loss,
            seconds,
            seconds_here: seconds - self.seconds_before,
            spent: plugin_time::spent().since(self.spent_before),
        }
    }

    /// Ranks if that is due. A signal meanwhile leaves a checkpoint from which the ranking begins again.
    fn rank(
        &mut self,
        experiment: &mut Experiment,
        output: &mut Output,
        stage: &mut Stage,
        progress: &mut Progress,
    ) -> Result<Option<Signal>> {
        if !self.rank_due {
            return Ok(None);
        }
        stage.flush(experiment, output, progress)?;
        match rank::during_training(experiment, output, stage, &mut self.images_ranked, &mut self.best)? {
            DuringTraining::Done { improved } => {
                self.rank_due = false;
                self.improved = improved;
                Ok(None)
            }
            DuringTraining::Stopped(signal) => {
                self.checkpoint(experiment, output, stage, progress)?;
                Ok(Some(signal))
            }
        }
    }

    fn checkpoint(
        &mut self,
        experiment: &mut Experiment,
        output: &mut Output,
        stage: &mut Stage,
        progress: &mut Progress,
    ) -> Result<()> {
        let moment = Moment {
            run_step: self.step,
            images: self.images,
            seconds: self.seconds(),
            loss: self.loss,
            best: self.best.clone(),
            rank_due: self.rank_due,
        };
        stage.checkpoint(experiment, output, &self.checkpoints, moment, progress)
    }
}
