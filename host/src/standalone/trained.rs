//! One training, and the file that remembers those that are done.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nshot_torch::Tensor;
use serde::{Deserialize, Serialize};

use super::Job;
use crate::boundary::take_scalars;
use crate::experiment::Parts;
use crate::failure::{Failure, Result};
use crate::rank::{Images, Scorer};
use crate::run_directory::{RunDirectory, read_or_empty};
use crate::signals;
use crate::train::Stage;

/// Trainings that are done.
const TRAINED: &str = "trained.csv";
/// Steps whose losses stay on the device before they are read together.
const READ_EVERY: usize = 64;

/// What came of one training: a line of `trained.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the columns")]
pub(super) struct Trained {
    pub(super) arch: String,
    pub(super) seed: u64,
    pub(super) correct: u64,
    pub(super) images: u64,
    pub(super) mean_nll: f64,
    pub(super) weights: u64,
    pub(super) params: u64,
    pub(super) macs: u64,
    pub(super) final_loss: f64,
    pub(super) images_trained: u64,
    pub(super) seconds: f64,
}

impl Trained {
    pub(super) fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }

    /// What no training can come to.
    fn fault(&self) -> Option<String> {
        let Self { correct, images, mean_nll, .. } = self;
        if *images == 0 || correct > images {
            return Some(format!("{correct} of {images} images are correct"));
        }
        let possible = mean_nll.is_finite() && *mean_nll >= 0.0;
        (!possible).then(|| format!("`mean_nll` is {mean_nll}, expected 0 or more"))
    }
}

/// Trains an architecture from scratch and scores it. None if a signal came, or if `stop` says so.
pub(super) fn train(
    parts: &Parts,
    job: &Job,
    images: &mut Option<Images>,
    stop: impl Fn() -> bool,
) -> Result<Option<Trained>> {
    // libtorch counts the threads of an operation for each calling thread.
    nshot_torch::initialise(parts.manifest.run.threads)?;
    let begun = Instant::now();
    let mut manifest = parts.manifest.clone();
    manifest.seed.set_all(job.seed);
    let mut experiment = parts.experiment(manifest)?;
    experiment.restrict_to(&job.architecture);
    let mut stage = Stage::start(&mut experiment, Path::new(""), 0, None)?;
    let (mut losses, mut final_loss, mut images_trained) = (Vec::new(), f64::NAN, 0);
    while stage.step < stage.total {
        if signals::stop_requested().is_some() || stop() {
            return Ok(None);
        }
        let batch = stage.next_batch()?;
        let paths = experiment.sampler.sample(&stage.views.sampler, stage.step)?;
        let group = stage.group(&mut experiment, &paths)?;
        let pass = stage.forward_backward(&mut experiment, &paths, &batch)?;
        let _norm = stage.update(&mut experiment, &pass, group)?;
        images_trained += pass.images;
        losses.extend(pass.losses);
        // There is no file for figures here.
        drop(take_scalars());
        stage.step += 1;
        if losses.len() >= READ_EVERY || stage.step == stage.total {
            final_loss = last_loss(job, stage.step, &losses)?;
            losses.clear();
        }
    }
    let images = match images {
        Some(images) => images,
        None => images.insert(Images::of(&experiment)?),
    };
    let scorer = Scorer::new(&experiment, images, 1.0)?;
    let score = scorer.score(&stage.store, "alone", &job.architecture)?;
    Ok(Some(Trained {
        arch: job.text.clone(),
        seed: job.seed,
        correct: score.correct,
        images: score.images,
        mean_nll: score.mean_nll,
        weights: score.weights,
        params: score.params,
        macs: score.macs,
        final_loss,
        images_trained,
        seconds: begun.elapsed().as_secs_f64(),
    }))
}

fn last_loss(job: &Job, step: u64, losses: &[Tensor]) -> Result<f64> {
    let read = nshot_torch::read_scalars(losses)?;
    if let Some(loss) = read.iter().find(|loss| !loss.is_finite()) {
        let text = format!("the loss of `{}` with seed {} before step {step} is {loss}", job.text, job.seed);
        return Err(Failure::new(text).hint("lower `train.lr`, or set `train.clip_norm`"));
    }
    Ok(read.last().copied().unwrap_or(f64::NAN))
}

/// Trainings that are done, by architecture and seed.
pub(super) type Done = HashMap<(String, u64), Trained>;

/// `trained.csv`, open for more.
pub(super) struct Journal {
    path: PathBuf,
    trained: Done,
    writer: csv::Writer<File>,
}

impl Journal {
    /// Opens it; a line that a killed process left unfinished goes. Says of each job whether it is done.
    pub(super) fn open(directory: &RunDirectory, jobs: &[Job]) -> Result<(Self, Vec<bool>)> {
        let path = directory.join(TRAINED);
        let bytes = read_or_empty(&path)?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let mut trained = Done::new();
        for (index, row) in csv::Reader::from_reader(&bytes[..whole]).deserialize::<Trained>().enumerate() {
            let row = row.map_err(|error| error.to_string());
            let row = row.and_then(|row| row.fault().map_or(Ok(row), Err)).map_err(|fault| {
                let text = format!("`{}` is damaged at line {}: {fault}", path.display(), index + 2);
                Failure::new(text).hint("remove that line; its training is then done again")
            })?;
            trained.insert((row.arch.clone(), row.seed), row);
        }
        let is_done = |job: &Job| trained.contains_key(&(job.text.clone(), job.seed));
        let done = jobs.iter().map(is_done).collect();
        directory.write(TRAINED, &bytes[..whole])?;
        let file = File::options().append(true).open(&path);
        let file = file.map_err(|error| Failure::file("write", &path, &error))?;
        let writer = csv::WriterBuilder::new().has_headers(whole == 0).from_writer(file);
        Ok((Self { path, trained, writer }, done))
    }

    pub(super) fn push(&mut self, trained: Trained) -> Result<()> {
        self.writer.serialize(&trained)?;
        self.writer.flush().map_err(|error| Failure::file("write", &self.path, &error))?;
        self.trained.insert((trained.arch.clone(), trained.seed), trained);
        Ok(())
    }

    pub(super) fn into_trained(self) -> Done {
        self.trained
    }
}
