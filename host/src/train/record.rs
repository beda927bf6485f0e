//! What came of each step: read from the device in blocks, written to `metrics.jsonl`.

use nshot_torch::Tensor;
use serde_json::{Map, Value, json};

use super::stage::{Norms, Stage};
use crate::boundary::Scalar;
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::outcomes::{Entry, PathOutcome, Wants};
use crate::output::Output;
use crate::progress::{Figures, Progress};
use crate::selection::Selection;

/// What helps where numbers are not finite.
pub(super) const UNSTABLE: &str = "lower `train.lr`, or set `train.clip_norm`";

/// A step whose figures are still on the device.
pub(super) struct Pending {
    pub(super) step: u64,
    pub(super) selections: Vec<Selection>,
    pub(super) losses: Vec<Tensor>,
    pub(super) factors: Vec<f64>,
    pub(super) learning_rate: f64,
    pub(super) group: u64,
    pub(super) norms: Norms,
    pub(super) scalars: Vec<Scalar>,
    pub(super) images: u64,
}

/// A step whose figures were read.
pub(super) struct Record {
    pending: Pending,
    losses: Vec<f64>,
    norm: f64,
    /// Choice, option, norm.
    options: Vec<(u32, u32, f64)>,
}

impl Record {
    /// Reads the figures of a block in one transfer.
    pub(super) fn read(pending: Vec<Pending>) -> Result<Vec<Self>> {
        let tensors = |step: &Pending| {
            let options = step.norms.options.iter().map(|(_, norm)| norm);
            step.losses
                .iter()
                .chain([&step.norms.all])
                .chain(options)
                .map(Tensor::shallow_clone)
                .collect::<Vec<_>>()
        };
        let all: Vec<Tensor> = pending.iter().flat_map(tensors).collect();
        let mut values = nshot_torch::read_scalars(&all)?.into_iter();
        let mut take = || values.next().unwrap_or(f64::NAN);
        let records = pending.into_iter().map(|pending| {
            let losses = pending.losses.iter().map(|_| take()).collect();
            let norm = take();
            let options = pending.norms.options.iter().map(|((c, o), _)| (*c, *o, take())).collect();
            Self { pending, losses, norm, options }
        });
        Ok(records.collect())
    }

    /// The mean loss over the paths.
    pub(super) fn mean_loss(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len() as f64
    }

    /// Shows the step.
    pub(super) fn show(&self, progress: &mut Progress) {
        progress.advance(
            1,
            &Figures {
                images: self.pending.images,
                loss: Some(self.mean_loss()),
                lr: Some(self.pending.learning_rate),
                best: None,
            },
        );
    }

    /// Writes the step's line, if it is one that is logged.
    ///
    /// # Errors
    /// A loss or the norm is not finite: the run must not go on from it.
    pub(super) fn write(&self, experiment: &Experiment, output: &mut Output, stage: &Stage) -> Result<()> {
        let Pending { step, selections, factors, .. } = &self.pending;
        if let Some(path) = self.losses.iter().position(|loss| !loss.is_finite()) {
            let (text, loss) = (text(experiment, &selections[path])?, self.losses[path]);
            let optimizer = experiment.optimizer.identity();
            let updates = match step {
                0 => String::new(),
                _ => format!(", after updates of {}", optimizer.method("step")),
            };
            return Err(Failure::new(format!("the loss of `{text}` at step {step} is {loss}{updates}"))
                .hint(UNSTABLE));
        }
        if !self.norm.is_finite() {
            return Err(
                Failure::new(format!("the gradient's norm at step {step} is {}", self.norm)).hint(UNSTABLE)
            );
        }
        if step % experiment.manifest.train.log_every != 0 {
            return Ok(());
        }
        let paths =
            selections.iter().map(|selection| text(experiment, selection)).collect::<Result<Vec<_>>>()?;
        let mut line = json!({
            "stage": experiment.stages[stage.index].name,
            "step": step,
            "epoch": step / experiment.data.batches_per_epoch() as u64,
            "paths": paths,
            "loss": self.losses,
            "factor": factors,
            "learning_rate": self.pending.learning_rate,
            "gradient_norm": self.norm,
            "state_group": self.pending.group,
        });
        if !self.pending.scalars.is_empty() {
            let scalars = self.pending.scalars.iter();
            let named = scalars.map(|s| (format!("{}.{}", s.component, s.name), Value::from(s.value)));
            line["scalars"] = Value::Object(named.collect::<Map<_, _>>());
        }
        output.metrics(&line)
    }

    /// What the sampler is told of the step.
    pub(super) fn outcome(&self, wants: Wants) -> Entry {
        let paths = self.pending.selections.iter().zip(&self.losses).map(|(selection, loss)| PathOutcome {
            selection: selection.clone(),
            loss: *loss,
            gradient_norm: wants.path_gradient_norm.then_some(self.norm),
            option_norms: self.options.clone(),
        });
        (self.pending.step, paths.collect())
    }
}

/// The architecture's text; of several options at a choice, their indices.
fn text(experiment: &Experiment, selection: &Selection) -> Result<String> {
    if let Some(architecture) = selection.architecture() {
        return experiment.space.to_text(&architecture);
    }
    let options: Vec<&Vec<u32>> = selection.0.iter().map(|picked| &picked.options).collect();
    Ok(serde_json::to_string(&options)?)
}
