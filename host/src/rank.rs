//! Ranking: scores of subnets with the supernet's weights, on held-out images.

mod subnets;
mod table;

use std::path::Path;

use nshot_data::{Batch, Layout, Pixels};
use nshot_torch::{ParameterStore, Pass, Tally, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::checkpoint::{Best, Checkpoints};
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::progress::{Figures, Progress};
use crate::run_directory::SCORES;
use crate::selection::{Architecture, Selection};
use crate::signals;
use crate::train::{Stage, weights_path};

pub use subnets::{all, check, listed, read_list};
pub use table::{read_scores, write_scores};

/// Scores of the final ranking until it is done.
const PARTIAL: &str = "scores.partial.csv";
/// Batches for ranking are kept on the device if they take at most this much, in bytes.
const KEPT_BYTES: usize = 1 << 30;

/// One scored subnet: a line of `scores.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The architecture in the space's customary text.
    pub architecture: String,
    /// Images that it got right.
    pub correct: u64,
    /// Images that it was shown.
    pub images: u64,
    /// Mean negative log-likelihood, in nats.
    pub mean_nll: f64,
    /// Weights of its convolutions and linear layers.
    pub weights: u64,
    /// All its parameters.
    pub params: u64,
    /// Multiply-accumulates for one image.
    pub macs: u64,
    /// The stage whose supernet scored it.
    pub stage: String,
}

impl Score {
    /// Fraction of images that it got right, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }
}

/// Scores subnets with one supernet.
struct Scorer<'a> {
    experiment: &'a Experiment,
    kept: Option<Vec<(Tensor, Tensor)>>,
}

impl<'a> Scorer<'a> {
    fn new(experiment: &'a Experiment) -> Result<Self> {
        let mut scorer = Self { experiment, kept: None };
        let [c, h, w] = experiment.data.input_shape();
        let limit = experiment.manifest.rank.as_ref().and_then(|rank| rank.images);
        let images = limit.unwrap_or(usize::MAX).min(experiment.data.rank_len());
        if images.saturating_mul(c * h * w * 8) <= KEPT_BYTES {
            scorer.kept =
                Some(scorer.batches()?.map(|batch| scorer.on_device(&batch)).collect::<Result<_>>()?);
        }
        Ok(scorer)
    }

    fn batches(&self) -> Result<nshot_data::RankBatches<'a>> {
        let rank = self.experiment.manifest.rank.as_ref();
        let batch_size = rank.map_or(256, |rank| rank.batch_size);
        let images = rank.and_then(|rank| rank.images);
        self.experiment.data.rank_batches(batch_size, images, Layout::Nhwc).map_err(Into::into)
    }

    fn on_device(&self, batch: &Batch) -> Result<(Tensor, Tensor)> {
        let (device, precision) = (self.experiment.device, self.experiment.precision);
        let image = match &batch.images {
            Pixels::F32(pixels) => nshot_torch::images(pixels, batch.shape, true, device, precision)?,
            Pixels::F64(pixels) => nshot_torch::images(pixels, batch.shape, true, device, precision)?,
        };
        Ok((image, nshot_torch::labels(&batch.labels, device)?))
    }

    /// Every architecture sees the same batches: batch norm with the batch's own statistics depends on them.
    fn score(&self, store: &ParameterStore, stage: &str, architecture: &[u32]) -> Result<Score> {
        let subnet = self.experiment.space.subnet(&Selection::of(architecture))?;
        let mut tally = Tally::new(self.experiment.device)?;
        let progress = nshot_torch::scalar(1.0, self.experiment.device, self.experiment.precision)?;
        let mut run = |image: &Tensor, label: &Tensor| -> Result<()> {
            let inputs = [("image", image), ("progress", &progress)];
            let outputs =
                nshot_torch::forward(&subnet.graph, &subnet.evaluation, store, &inputs, Pass::evaluation());
            let space = self.experiment.space.identity();
            let outputs = outputs.map_err(|error| space.failure("describe", &error.to_string()))?;
            let logits = outputs.iter().find(|(name, _)| name == "logits");
            let (_, logits) = logits.ok_or_else(|| Failure::new("the graph has no output `logits`"))?;
            Ok(tally.add(logits, label)?)
        };
        match &self.kept {
            Some(kept) => kept.iter().try_for_each(|(image, label)| run(image, label))?,
            None => {
                for batch in self.batches()? {
                    let (image, label) = self.on_device(&batch)?;
                    run(&image, &label)?;
                }
            }
        }
        let read = tally.read()?;
        let mean_nll = read.nll / read.images.max(1) as f64;
        if !mean_nll.is_finite() {
            let text = self.experiment.space.to_text(architecture)?;
            return Err(Failure::new(format!("the mean negative log-likelihood of {text} is {mean_nll}")));
        }
        Ok(Score {
            architecture: self.experiment.space.to_text(architecture)?,
            correct: read.correct,
            images: read.images,
            mean_nll,
            weights: subnet.cost.weights,
            params: subnet.cost.params,
            macs: subnet.cost.macs,
            stage: stage.to_owned(),
        })
    }
}

/// Whether a ranking during training is due after a step of a stage.
pub fn is_due(experiment: &Experiment, step: u64) -> bool {
    let every = experiment.manifest.rank.as_ref().map_or(0, |rank| rank.every);
    let steps = every.saturating_mul(experiment.data.batches_per_epoch() as u64);
    steps > 0 && step.is_multiple_of(steps)
}

/// Ranks during training: writes `scores/STAGE-epoch-N.csv` and a line of `metrics.jsonl`. Returns whether the
/// mean accuracy is the best so far.
///
/// # Errors
/// A subnet cannot be described or run, or a file cannot be written.
pub fn during_training(
    experiment: &Experiment,
    output: &mut Output,
    stage: &Stage,
    best: &mut Option<Best>,
) -> Result<bool> {
    let plan = &experiment.stages[stage.index];
    let epoch = stage.step / experiment.data.batches_per_epoch() as u64;
    let subnets = subnets::of_stage(experiment, stage.index)?;
    let scorer = Scorer::new(experiment)?;
    let scores = subnets.iter().map(|subnet| scorer.score(&stage.store, &plan.name, subnet));
    let scores = scores.collect::<Result<Vec<_>>>()?;
    let Some(top) = scores.iter().max_by(|a, b| a.accuracy().total_cmp(&b.accuracy())) else {
        return Ok(false);
    };
    let mean_accuracy = scores.iter().map(Score::accuracy).sum::<f64>() / scores.len() as f64;
    output.metrics(&json!({
        "stage": plan.name, "epoch": epoch, "ranked": scores.len(), "mean_accuracy": mean_accuracy,
        "best_accuracy": top.accuracy(), "best": top.architecture,
    }))?;
    let file = format!("{}-epoch-{epoch:05}.csv", plan.name);
    write_scores(&output.directory().join(SCORES).join(file), &scores)?;
    let improved = best.as_ref().is_none_or(|best| mean_accuracy > best.mean_accuracy);
    if improved {
        *best = Some(Best { mean_accuracy, checkpoint: Checkpoints::name(stage.index, stage.step) });
    }
    Ok(improved)
}

/// How the final ranking ended.
pub enum Ranked {
    /// All scores, in the order in which they were asked for.
    Done(Vec<Score>),
    /// A signal came; the scores so far are kept for `resume`.
    Stopped(signals::Signal),
}

/// Removes the scores that an unfinished ranking left: the supernets are trained anew.
///
/// # Errors
/// They cannot be removed.
pub fn forget_partial(directory: &Path) -> Result<()> {
    let path = directory.join(PARTIAL);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::file("remove", &path, &error))
        }
        _ => Ok(()),
    }
}

/// Ranks with the trained supernets: writes `scores.csv`. Scores that an earlier process left are taken over.
///
/// # Errors
/// As [`during_training`].
pub fn finally(experiment: &Experiment, directory: &Path, progress: &mut Progress) -> Result<Ranked> {
    let finished = directory.join("scores.csv");
    let (partial, subnets) = (directory.join(PARTIAL), subnets::finally(experiment)?);
    let texts =
        subnets.iter().map(|(_, subnet)| experiment.space.to_text(subnet)).collect::<Result<Vec<_>>>()?;
    let mut scores = table::resume(&partial, &texts);
    let mut writer = table::Appender::open(&partial, &scores)?;
    let scorer = Scorer::new(experiment)?;
    let mut supernet: Option<(usize, ParameterStore)> = None;
    let mut best = scores.iter().map(Score::accuracy).fold(0.0, f64::max);
    for (stage, subnet) in &subnets[scores.len()..] {
        if let Some(signal) = signals::stop_requested() {
            return Ok(Ranked::Stopped(signal));
        }
        let name = &experiment.stages[*stage].name;
        let store = match supernet.take() {
            Some((loaded, store)) if loaded == *stage => store,
            _ => load(experiment, directory, name)?,
        };
        let score = scorer.score(&store, name, subnet)?;
        writer.append(&score)?;
        best = best.max(score.accuracy());
        let images = score.images;
        scores.push(score);
        supernet = Some((*stage, store));
        progress.advance(1, &Figures { images, best: Some(best), ..Figures::default() });
    }
    write_scores(&finished, &scores)?;
    drop(writer);
    forget_partial(directory)?;
    Ok(Ranked::Done(scores))
}

fn load(experiment: &Experiment, directory: &Path, stage: &str) -> Result<ParameterStore> {
    let mut store =
        ParameterStore::new(experiment.space.parameters(), experiment.device, experiment.precision)?;
    store.load(&weights_path(directory, stage))?;
    Ok(store)
}

/// Number of subnets that the final ranking scores.
///
/// # Errors
/// The list cannot be read.
pub fn count(experiment: &Experiment) -> Result<usize> {
    subnets::finally(experiment).map(|subnets| subnets.len())
}

/// The architectures and the stages that they belong to.
pub(crate) type Assigned = Vec<(usize, Architecture)>;
