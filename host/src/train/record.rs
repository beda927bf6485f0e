//! What came of each step: read from the device in blocks, written to `metrics.jsonl`.

use nshot_torch::Tensor;
use serde_json::{Map, Value, json};

use super::norms::PathNorms;
use super::stage::Stage;
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
    /// Of all gradients.
    pub(super) norm: Tensor,
    /// Of each path's, if wanted.
    pub(super) path_norms: Vec<PathNorms>,
    pub(super) scalars: Vec<Scalar>,
    pub(super) images: u64,
}

/// A step whose figures were read.
pub(super) struct Record {
    pending: Pending,
    losses: Vec<f64>,
    norm: f64,
    /// Of each path's gradient, if wanted.
    path_norms: Vec<PathFigures>,
}

/// The norm of a path's gradient, and those of its options: choice, option, norm.
type PathFigures = (f64, Vec<(u32, u32, f64)>);

impl Record {
    /// Reads the figures of a block in one transfer.
    pub(super) fn read(pending: Vec<Pending>) -> Result<Vec<Self>> {
        let tensors = |step: &Pending| {
            let of_paths = step.path_norms.iter().flat_map(PathNorms::tensors);
            let all = step.losses.iter().chain([&step.norm]).chain(of_paths);
            all.map(Tensor::shallow_clone).collect::<Vec<_>>()
        };
        let all: Vec<Tensor> = pending.iter().flat_map(tensors).collect();
        let mut values = nshot_torch::read_scalars(&all)?.into_iter();
        let mut take = || values.next().unwrap_or(f64::NAN);
        let records = pending.into_iter().map(|pending| {
            let losses = pending.losses.iter().map(|_| take()).collect();
            let norm = take();
            let path_norms = pending.path_norms.iter().map(|norms| norms.read(&mut take)).collect();
            Self { pending, losses, norm, path_norms }
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

    /// Adds figures that a component recorded once it was told of the step.
    pub(super) fn add_scalars(&mut self, scalars: Vec<Scalar>) {
        self.pending.scalars.extend(scalars);
    }

    /// Whether its figures are finite.
    ///
    /// # Errors
    /// A loss or the norm is not: the run must not go on from it.
    pub(super) fn check(&self, experiment: &Experiment) -> Result<()> {
        let Pending { step, selections, .. } = &self.pending;
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
        Ok(())
    }

    /// Writes the step's line, if it is one that is logged.
    pub(super) fn write(&self, experiment: &Experiment, output: &mut Output, stage: &Stage) -> Result<()> {
        let Pending { step, selections, factors, .. } = &self.pending;
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
        let path = |(path, selection): (usize, &Selection)| {
            let (norm, option_norms) = self.path_norms.get(path).cloned().unzip();
            PathOutcome {
                selection: selection.clone(),
                loss: self.losses[path],
                gradient_norm: norm.filter(|_| wants.path_gradient_norm),
                option_norms: option_norms.unwrap_or_default(),
            }
        };
        (self.pending.step, self.pending.selections.iter().enumerate().map(path).collect())
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
