//! Ranking: scores of subnets with the supernet's weights, on held-out images.

mod command;
mod recalibrate;
mod subnets;
mod table;
pub mod truth;

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
use crate::space::Subnet;
use crate::train::{Stage, weights_path};
use recalibrate::Recalibration;

pub use command::{Options, rank};
pub use subnets::{all, check, listed, read_list, stage_of};
pub(crate) use table::{Appender, whole_lines};
pub use table::{read_scores, write_scores};

/// Scores of the final ranking until it is done.
const PARTIAL: &str = "scores.partial.csv";
/// Scores of the final ranking.
const FINISHED: &str = "scores.csv";
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
    /// Weights outside dead branches.
    pub live_weights: u64,
    /// The stage whose supernet scored it.
    pub stage: String,
}

impl Score {
    /// Fraction of images that it got right, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }

    /// The order of rankings: by accuracy, ties by the lower mean negative log-likelihood.
    pub fn best_first(a: &Self, b: &Self) -> std::cmp::Ordering {
        b.accuracy().total_cmp(&a.accuracy()).then(a.mean_nll.total_cmp(&b.mean_nll))
    }
}

/// The images that subnets are ranked on, in batches on the device as far as they have room there.
#[derive(Default)]
pub struct Images {
    /// Images and labels, if they have room.
    kept: Option<Vec<(Tensor, Tensor)>>,
    /// Training images for running statistics, as far as the manifest asks for them.
    recalibration: Recalibration,
}

impl Images {
    /// Those of the experiment.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn of(experiment: &Experiment) -> Result<Self> {
        let [c, h, w] = experiment.data.input_shape();
        let limit = experiment.manifest.rank.as_ref().and_then(|rank| rank.images);
        let images = limit.unwrap_or(usize::MAX).min(experiment.data.rank_len());
        let recalibration = Recalibration::of(experiment)?;
        if images.saturating_mul(c * h * w * 8) > KEPT_BYTES {
            return Ok(Self { kept: None, recalibration });
        }
        let batches = batches(experiment)?.map(|batch| on_device(experiment, &batch?));
        Ok(Self { kept: Some(batches.collect::<Result<_>>()?), recalibration })
    }

    /// Reads them, if they are not there yet.
    ///
    /// # Errors
    /// As [`Images::of`].
    pub fn prepare(&mut self, experiment: &Experiment) -> Result<()> {
        if self.kept.is_none() {
            *self = Self::of(experiment)?;
        }
        Ok(())
    }

    /// The first batch: images `[N, C, H, W]` and labels `[N]`.
    ///
    /// # Errors
    /// There are no images to rank on, or they cannot be read.
    pub fn first(&self, experiment: &Experiment) -> Result<(Tensor, Tensor)> {
        if let Some((image, label)) = self.kept.iter().flatten().next() {
            return Ok((image.shallow_clone(), label.shallow_clone()));
        }
        let batch = batches(experiment)?.next();
        on_device(experiment, &batch.ok_or_else(|| Failure::new("there are no images to rank on"))??)
    }

    /// The supernet with the subnet's own running statistics, if the manifest asks for them; else as it is.
    ///
    /// # Errors
    /// The subnet cannot be run.
    pub fn recalibrated(
        &self,
        experiment: &Experiment,
        store: &ParameterStore,
        subnet: &Subnet,
    ) -> Result<ParameterStore> {
        let progress = nshot_torch::scalar(1.0, experiment.device, experiment.precision)?;
        let own = self.recalibration.statistics(experiment, store, subnet, &progress)?;
        own.map_or_else(|| Ok(store.with_own_buffers()?), Ok)
    }

    /// Calls with each batch: images and labels.
    fn each(
        &self,
        experiment: &Experiment,
        mut call: impl FnMut(&Tensor, &Tensor) -> Result<()>,
    ) -> Result<()> {
        if let Some(kept) = &self.kept {
            return kept.iter().try_for_each(|(image, label)| call(image, label));
        }
        batches(experiment)?.try_for_each(|batch| {
            let (image, label) = on_device(experiment, &batch?)?;
            call(&image, &label)
        })
    }
}

fn batches(experiment: &Experiment) -> Result<nshot_data::RankBatches<'_>> {
    let rank = experiment.manifest.rank.as_ref();
    let batch_size = rank.map_or(256, |rank| rank.batch_size);
    let images = rank.and_then(|rank| rank.images);
    experiment.data.rank_batches(batch_size, images, Layout::Nhwc).map_err(Into::into)
}

fn on_device(experiment: &Experiment, batch: &Batch) -> Result<(Tensor, Tensor)> {
    let (device, precision) = (experiment.device, experiment.precision);
    let image = match &batch.images {
        Pixels::F32(pixels) => nshot_torch::images(pixels, batch.shape, true, device, precision)?,
        Pixels::F64(pixels) => nshot_torch::images(pixels, batch.shape, true, device, precision)?,
    };
    Ok((image, nshot_torch::labels(&batch.labels, device)?))
}

/// Scores subnets. Every architecture sees the same batches: batch norm with the batch's own statistics depends on them.
pub struct Scorer<'a> {
    experiment: &'a Experiment,
    images: &'a Images,
    /// How far training is, 0 to 1: spaces may ask for it.
    progress: Tensor,
}

impl<'a> Scorer<'a> {
    /// At a point of the training, 0 to 1.
    ///
    /// # Errors
    /// The device fails.
    pub fn new(experiment: &'a Experiment, images: &'a Images, progress: f64) -> Result<Self> {
        let progress = nshot_torch::scalar(progress, experiment.device, experiment.precision)?;
        Ok(Self { experiment, images, progress })
    }

    /// The score of an architecture with a supernet's weights.
    ///
    /// # Errors
    /// The subnet cannot be described or run, or its likelihood is not finite.
    pub fn score(&self, store: &ParameterStore, stage: &str, architecture: &[u32]) -> Result<Score> {
        let subnet = self.experiment.space.subnet(&Selection::of(architecture))?;
        let mut tally = Tally::new(self.experiment.device)?;
        let recalibration = &self.images.recalibration;
        let recalibrated = recalibration.statistics(self.experiment, store, &subnet, &self.progress)?;
        let store = recalibrated.as_ref().unwrap_or(store);
        self.images.each(self.experiment, |image, label| {
            let inputs = [("image", image), ("progress", &self.progress)];
            let outputs =
                nshot_torch::forward(&subnet.graph, subnet.evaluation(), store, &inputs, Pass::evaluation());
            let space = self.experiment.space.identity();
            let outputs = outputs.map_err(|error| space.failure("describe", &error.to_string()))?;
            let logits = outputs.iter().find(|(name, _)| name == "logits");
            let (_, logits) = logits.ok_or_else(|| Failure::new("the graph has no output `logits`"))?;
            Ok(tally.add(logits, label)?)
        })?;
        let read = tally.read()?;
        let mean_nll = read.nll / read.images.max(1) as f64;
        if !mean_nll.is_finite() {
            let text = self.experiment.space.to_text(architecture)?;
            return Err(Failure::new(format!("the mean negative log-likelihood of `{text}` is {mean_nll}")));
        }
        Ok(Score {
            architecture: self.experiment.space.to_text(architecture)?,
            correct: read.correct,
            images: read.images,
            mean_nll,
            weights: subnet.cost.weights,
            params: subnet.cost.params,
            macs: subnet.cost.macs,
            live_weights: subnet.live_weights(),
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

/// How a ranking during training ended.
pub enum DuringTraining {
    /// It is done.
    Done {
        /// Whether its mean accuracy is the best so far.
        improved: bool,
    },
    /// A signal came; nothing was written.
    Stopped(signals::Signal),
}

/// Ranks during training: writes `scores/STAGE-epoch-N.csv` and a line of `metrics.jsonl`.
///
/// # Errors
/// A subnet cannot be described or run, or a file cannot be written.
pub fn during_training(
    experiment: &Experiment,
    output: &mut Output,
    stage: &Stage,
    images: &mut Images,
    best: &mut Option<Best>,
) -> Result<DuringTraining> {
    let plan = &experiment.stages[stage.index];
    let epoch = stage.step / experiment.data.batches_per_epoch() as u64;
    let subnets = subnets::of_stage(experiment, stage.index)?;
    images.prepare(experiment)?;
    let scorer = Scorer::new(experiment, images, stage.step as f64 / stage.total.max(1) as f64)?;
    let mut scores = Vec::with_capacity(subnets.len());
    for subnet in &subnets {
        if let Some(signal) = signals::stop_requested() {
            return Ok(DuringTraining::Stopped(signal));
        }
        scores.push(scorer.score(&stage.store, &plan.name, subnet)?);
    }
    let Some(top) = scores.iter().min_by(|a, b| Score::best_first(a, b)) else {
        return Ok(DuringTraining::Done { improved: false });
    };
    let mean_accuracy = scores.iter().map(Score::accuracy).sum::<f64>() / scores.len() as f64;
    let mut line = json!({
        "stage": plan.name, "epoch": epoch, "ranked": scores.len(), "mean_accuracy": mean_accuracy,
        "best_accuracy": top.accuracy(), "best": top.architecture,
    });
    if experiment.truth.is_some() {
        line["kendall"] = truth::kendall(experiment, &scores)?;
    }
    output.metrics(&line)?;
    let file = format!("{}-epoch-{epoch:05}.csv", plan.name);
    write_scores(&output.directory().join(SCORES).join(file), &scores)?;
    let improved = best.as_ref().is_none_or(|best| mean_accuracy > best.mean_accuracy);
    if improved {
        *best = Some(Best { mean_accuracy, checkpoint: Checkpoints::name(stage.index, stage.step) });
    }
    Ok(DuringTraining::Done { improved })
}

/// How the final ranking ended.
pub enum Ranked {
    /// All scores, in the order in which they were asked for.
    Done(Vec<Score>),
    /// A signal came; the scores so far are kept for `resume`.
    Stopped(signals::Signal),
}

/// Removes the scores that an earlier ranking left: the supernets were trained on.
///
/// # Errors
/// They cannot be removed.
pub fn forget(directory: &Path) -> Result<()> {
    remove(&directory.join(PARTIAL))?;
    remove(&directory.join(FINISHED))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::file("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Ranks with the trained supernets of a run directory: writes `scores.csv` in `directory`. Scores that an earlier process left are taken over.
///
/// # Errors
/// As [`during_training`].
pub fn finally(
    experiment: &Experiment,
    run_directory: &Path,
    directory: &Path,
    progress: &mut Progress,
) -> Result<Ranked> {
    let finished = directory.join(FINISHED);
    let (partial, subnets) = (directory.join(PARTIAL), subnets::finally(experiment)?);
    // Stage by stage, so that each supernet is loaded once; `scores.csv` has the order of the manifest.
    let mut order: Vec<usize> = (0..subnets.len()).collect();
    order.sort_by_key(|&index| subnets[index].0);
    let asked = subnets.iter().map(|(_, subnet)| experiment.space.to_text(subnet));
    let asked = asked.collect::<Result<Vec<_>>>()?;
    if let Some(scores) = table::finished(&finished, &asked) {
        return Ok(Ranked::Done(scores));
    }
    let texts: Vec<String> = order.iter().map(|&index| asked[index].clone()).collect();
    let mut scores = table::resume(&partial, &texts);
    let mut writer = table::Appender::open(&partial, &scores)?;
    let images = Images::of(experiment)?;
    let scorer = Scorer::new(experiment, &images, 1.0)?;
    let mut supernets = Supernets::of(experiment, run_directory);
    let mut best = scores.iter().map(Score::accuracy).fold(0.0, f64::max);
    progress.advance(scores.len() as u64, &Figures::default());
    for &index in &order[scores.len()..] {
        if let Some(signal) = signals::stop_requested() {
            return Ok(Ranked::Stopped(signal));
        }
        let (stage, subnet) = &subnets[index];
        let score = scorer.score(supernets.get(*stage)?, &experiment.stages[*stage].name, subnet)?;
        writer.append(&score)?;
        best = best.max(score.accuracy());
        let images = score.images;
        scores.push(score);
        progress.advance(1, &Figures { images, best: Some(best), ..Figures::default() });
    }
    let mut placed: Vec<(usize, Score)> = order.into_iter().zip(scores).collect();
    placed.sort_by_key(|(index, _)| *index);
    let scores: Vec<Score> = placed.into_iter().map(|(_, score)| score).collect();
    write_scores(&finished, &scores)?;
    drop(writer);
    remove(&partial)?;
    Ok(Ranked::Done(scores))
}

/// The trained supernets of a run, one in memory at a time.
pub struct Supernets<'a> {
    experiment: &'a Experiment,
    directory: &'a Path,
    loaded: Option<(usize, ParameterStore)>,
}

impl<'a> Supernets<'a> {
    /// Those of a run directory.
    pub fn of(experiment: &'a Experiment, directory: &'a Path) -> Self {
        Self { experiment, directory, loaded: None }
    }

    /// The supernet of a stage.
    ///
    /// # Errors
    /// Its file cannot be read or does not fit the space.
    pub fn get(&mut self, stage: usize) -> Result<&ParameterStore> {
        let store = match self.loaded.take() {
            Some((loaded, store)) if loaded == stage => store,
            _ => self.load(stage)?,
        };
        Ok(&self.loaded.insert((stage, store)).1)
    }

    fn load(&self, stage: usize) -> Result<ParameterStore> {
        let Experiment { space, device, precision, stages, .. } = self.experiment;
        let mut store = ParameterStore::new(space.parameters(), *device, *precision)?;
        store.load(&weights_path(self.directory, &stages[stage].name))?;
        Ok(store)
    }
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
