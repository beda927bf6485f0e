//! Ranking: scores of subnets with the supernet's weights, on held-out images.

mod command;
mod recalibrate;
mod score;
mod subnets;
mod table;
pub mod truth;

use std::path::Path;

use nshot_torch::ParameterStore;
use serde_json::json;

use crate::checkpoint::{Best, Checkpoints};
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::progress::{Figures, Progress};
use crate::run_directory::SCORES;
use crate::selection::Architecture;
use crate::signals;
use crate::train::{Stage, check_supernet, weights_path};

pub use command::{Options, rank};
pub use recalibrate::Recalibration;
pub use score::{Images, Score, Scorer, batches};
pub use subnets::{all, check, listed, read_list, stage_of};
pub(crate) use table::{Appender, whole_lines};
pub use table::{read_scores, write_scores};

/// Scores of the final ranking until it is done.
const PARTIAL: &str = "scores.partial.csv";
/// Scores of the final ranking.
const FINISHED: &str = "scores.csv";
/// Batches for ranking are kept on the device if they take at most this much, in bytes.
const KEPT_BYTES: usize = 1 << 30;

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
    images: &mut Option<Images>,
    best: &mut Option<Best>,
) -> Result<DuringTraining> {
    let plan = &experiment.stages[stage.index];
    let epoch = stage.step / experiment.data.batches_per_epoch() as u64;
    let subnets = subnets::of_stage(experiment, stage.index)?;
    let images = match images {
        Some(images) => images,
        None => images.insert(Images::of(experiment)?),
    };
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

/// Ranks with the trained supernets of a run directory: writes `scores.csv` in `directory`. Scores that an earlier process
/// left there are taken over.
///
/// # Errors
/// As [`during_training`].
pub fn finally(
    experiment: &Experiment,
    run_directory: &Path,
    directory: &Path,
    quiet: bool,
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
    let mut progress = Progress::start_at("rank", scores.len() as u64, order.len() as u64, quiet);
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
    progress.finish("");
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
        let path = weights_path(self.directory, &stages[stage].name);
        check_supernet(&path)?;
        store.load(&path)?;
        Ok(store)
    }
}

/// The architectures and the stages that they belong to.
pub(crate) type Assigned = Vec<(usize, Architecture)>;
