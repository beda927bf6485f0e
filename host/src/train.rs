//! Training: the loop, step by step, over the stages that the sampler planned.

mod forward;
mod record;
mod stage;

use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::experiment::Experiment;
use crate::failure::Result;
use crate::output::Output;
use crate::progress::Progress;
use crate::rank;
use crate::signals::{self, Signal};

pub use stage::{Stage, weights_path};

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All stages are trained, or `stop_after` is reached.
    Trained,
    /// A signal came; there is a checkpoint.
    Stopped(Signal),
}

/// What the run's figures are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Steps that this process did.
    pub steps: u64,
    /// Images that this process trained on, once for each path.
    pub images: u64,
    /// The last step's mean loss over its paths.
    pub loss: Option<f64>,
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
    let checkpoints = Checkpoints::of(output.path());
    let mut figures = Figures::default();
    let state = resumed.as_ref().map(|checkpoint| &checkpoint.state);
    let (first, mut run_step) = state.map_or((0, 0), |state| (state.stage, state.run_step));
    let mut best = state.and_then(|state| state.best.clone());
    let mut resumed = resumed;
    let stop_after = experiment.manifest.train.stop_after.unwrap_or(u64::MAX);

    for index in first..experiment.stages.len() {
        let mut stage = Stage::start(experiment, output.path(), index, resumed.take())?;
        while stage.step < stage.total && run_step < stop_after {
            if let Some(signal) = signals::stop_requested() {
                stage.checkpoint(experiment, output, &checkpoints, run_step, best.as_ref(), progress)?;
                return Ok((End::Stopped(signal), figures));
            }
            let batch = stage.next_batch()?;
            let paths = experiment.sampler.sample(&stage.views.sampler, stage.step)?;
            let group = stage.group(experiment, &paths)?;
            let pass = stage.forward_backward(experiment, &paths, &batch)?;
            let norms = stage.update(experiment, &pass, group)?;
            stage.record(&paths, group, pass, norms);
            stage.step += 1;
            run_step += 1;

            figures.steps += 1;
            figures.images += batch.images * paths.len() as u64;
            if stage.is_due(experiment, run_step >= stop_after) {
                figures.loss = stage.flush(experiment, output, progress)?.or(figures.loss);
            }
            let mut improved = false;
            if rank::is_due(experiment, stage.step) {
                stage.flush(experiment, output, progress)?;
                improved = rank::during_training(experiment, output, &stage, &mut best)?;
            }
            let due = improved || stage.step % stage.checkpoint_every == 0;
            if due && stage.step < stage.total && run_step < stop_after {
                stage.checkpoint(experiment, output, &checkpoints, run_step, best.as_ref(), progress)?;
            }
        }
        stage.finish(experiment, output)?;
        stage.checkpoint(experiment, output, &checkpoints, run_step, best.as_ref(), progress)?;
        if run_step >= stop_after {
            break;
        }
    }
    Ok((End::Trained, figures))
}
