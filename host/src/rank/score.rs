//! The score of a subnet: a supernet's weights on held-out images.

use std::cell::RefCell;
use std::collections::HashMap;

use nshot_data::Layout;
use nshot_graph::Fingerprint;
use nshot_torch::{ParameterStore, Pass, Tally, Tensor};
use serde::{Deserialize, Serialize};

use super::KEPT_BYTES;
use super::recalibrate::Recalibration;
use crate::batch::{DeviceBatch, host_batch};
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::selection::Selection;
use crate::space::Subnet;

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
    /// What cannot be so of a score that was read from a file.
    pub(crate) fn fault(&self) -> Option<String> {
        let Self { correct, images, mean_nll, .. } = self;
        if correct > images || *images == 0 {
            return Some(format!("{correct} of {images} images are correct"));
        }
        (!mean_nll.is_finite() || *mean_nll < 0.0)
            .then(|| format!("the mean negative log-likelihood is {mean_nll}"))
    }

    /// Fraction of images that it got right, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }

    /// The order of rankings: by accuracy, ties by the lower mean negative log-likelihood.
    pub fn best_first(a: &Self, b: &Self) -> std::cmp::Ordering {
        b.accuracy().total_cmp(&a.accuracy()).then(a.mean_nll.total_cmp(&b.mean_nll))
    }

    /// The best `top` of some, best first; of equal ones, the earlier first.
    pub fn best(mut scores: Vec<Self>, top: usize) -> Vec<Self> {
        scores.sort_by(Self::best_first);
        scores.truncate(top);
        scores
    }
}

/// Scores subnets. Every architecture sees the same batches: batch norm with the batch's own statistics depends on them.
pub struct Scorer<'a> {
    experiment: &'a Experiment,
    images: &'a Images,
    /// How far training is, 0 to 1: spaces may ask for it.
    progress: Tensor,
    /// What subnets scored, by stage and key: those that are the same network are run once.
    known: RefCell<HashMap<(String, Fingerprint), nshot_torch::Score>>,
}

impl<'a> Scorer<'a> {
    /// At a point of the training, 0 to 1.
    ///
    /// # Errors
    /// The device fails.
    pub fn new(experiment: &'a Experiment, images: &'a Images, progress: f64) -> Result<Self> {
        let progress = nshot_torch::scalar(progress, experiment.device, experiment.precision)?;
        Ok(Self { experiment, images, progress, known: RefCell::default() })
    }

    /// The score of an architecture with a supernet's weights.
    ///
    /// # Errors
    /// The subnet cannot be described or run, or its likelihood is not finite.
    pub fn score(&self, store: &ParameterStore, stage: &str, architecture: &[u32]) -> Result<Score> {
        let subnet = self.experiment.space.subnet(&Selection::of(architecture))?;
        let key = (stage.to_owned(), subnet.key());
        let known = self.known.borrow().get(&key).copied();
        let read = if let Some(read) = known {
            read
        } else {
            let read = self.run(store, &subnet)?;
            // Statistics are taken anew by the whole graph, dead branches included.
            if self.images.recalibration.is_off() {
                self.known.borrow_mut().insert(key, read);
            }
            read
        };
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
            live_weights: subnet.live_cost().weights,
            stage: stage.to_owned(),
        })
    }

    /// Runs a subnet on all images.
    fn run(&self, store: &ParameterStore, subnet: &Subnet) -> Result<nshot_torch::Score> {
        let mut tally = Tally::new(self.experiment.device)?;
        let recalibration = &self.images.recalibration;
        let recalibrated = recalibration.statistics(self.experiment, store, subnet, &self.progress)?;
        let store = recalibrated.as_ref().unwrap_or(store);
        self.images.each(self.experiment, |batch| {
            let inputs = [("image", &batch.image), ("progress", &self.progress)];
            let outputs =
                nshot_torch::forward(&subnet.graph, subnet.evaluation(), store, &inputs, Pass::evaluation());
            let space = self.experiment.space.identity();
            let outputs = outputs.map_err(|error| space.failure("describe", &error.to_string()))?;
            let logits = outputs.iter().find(|(name, _)| name == "logits");
            let (_, logits) = logits.ok_or_else(|| Failure::new("the graph has no output `logits`"))?;
            Ok(tally.add(logits, &batch.label)?)
        })?;
        Ok(tally.read()?)
    }
}

/// The images that subnets are ranked on, in batches on the device as far as they have room there.
pub struct Images {
    /// None if they have no room.
    kept: Option<Vec<DeviceBatch>>,
    recalibration: Recalibration,
}

impl Images {
    /// Those of the experiment.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn of(experiment: &Experiment) -> Result<Self> {
        let pixels: usize = experiment.data.input_shape().iter().product();
        let limit = experiment.manifest.rank.as_ref().and_then(|rank| rank.images);
        let images = limit.unwrap_or(usize::MAX).min(experiment.data.rank_len());
        let fits = images.saturating_mul(pixels * 8) <= KEPT_BYTES;
        let kept = fits.then(|| batches(experiment)?.collect::<Result<_>>()).transpose()?;
        Ok(Self { kept, recalibration: Recalibration::of(experiment)? })
    }

    /// Calls with each batch.
    fn each(&self, experiment: &Experiment, mut call: impl FnMut(&DeviceBatch) -> Result<()>) -> Result<()> {
        match &self.kept {
            Some(kept) => kept.iter().try_for_each(call),
            None => batches(experiment)?.try_for_each(|batch| call(&batch?)),
        }
    }
}

/// The batches that are ranked on, as they are read.
///
/// # Errors
/// The manifest's batches cannot be had; of a batch, its images cannot be read.
pub fn batches(experiment: &Experiment) -> Result<impl Iterator<Item = Result<DeviceBatch>>> {
    let rank = experiment.manifest.rank.as_ref();
    let batch_size = rank.map_or(256, |rank| rank.batch_size);
    let images = rank.and_then(|rank| rank.images);
    let all = experiment.data.rank_batches(batch_size, images, Layout::Nhwc)?;
    let (device, precision) = (experiment.device, experiment.precision);
    Ok(all.map(move |batch| DeviceBatch::new(&host_batch(&batch?, device)?, device, precision)))
}
