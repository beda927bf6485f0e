//! The paths of a step: forward, losses, backward.

use nshot_graph::Op;
use nshot_torch::{Gradients, Pass, Recorded, Tensor};

use super::norms::PathNorms;
use super::stage::Stage;
use crate::batch::DeviceBatch;
use crate::boundary::{Loss, LossKind, PathPlan, Target};
use crate::experiment::Experiment;
use crate::failure::Result;
use crate::space::Subnet;

/// What the paths of a step left behind, beside the gradients in the store.
pub(crate) struct ForwardPass {
    /// Sorted indices of the parameters that any path reached.
    pub(super) reached: Vec<usize>,
    /// Each path's norms; empty if the sampler wants none.
    pub(super) norms: Vec<PathNorms>,
    /// Each path's loss before any scaling, on the device.
    pub(crate) losses: Vec<Tensor>,
    /// Each path's factor of the base learning rate.
    pub(super) factors: Vec<f64>,
    /// The learning rate of the update.
    pub(super) learning_rate: f64,
    /// Images that were passed, once for each path.
    pub(crate) images: u64,
}

/// Index of the input `progress` in every space's graphs.
const PROGRESS: usize = 1;

impl Stage {
    /// Runs the paths and accumulates their gradients.
    ///
    /// One path: its factor scales the update's learning rate. Several paths in one update: each path's factor
    /// scales its loss and the update has the base rate, as the paper's code does it; or, for an optimizer
    /// that is invariant to the gradient's scale, the rate is base · mean factor and losses are weighted by
    /// factor ÷ mean.
    pub(crate) fn forward_backward(
        &mut self,
        experiment: &mut Experiment,
        paths: &[PathPlan],
        batch: &DeviceBatch,
    ) -> Result<ForwardPass> {
        let at = self.progress(experiment);
        let mut subnets = Vec::with_capacity(paths.len());
        let mut factors = Vec::with_capacity(paths.len());
        for path in paths {
            let subnet = experiment.space.subnet(&path.selection)?;
            factors.push(experiment.scheduler.factor(at, &path.selection, &subnet)?);
            subnets.push(subnet);
        }
        let base = experiment.manifest.train.lr;
        let (learning_rate, scales) = scaling(base, &factors, experiment.scale_invariant);

        let mut outputs: Vec<Vec<(String, Tensor)>> = Vec::with_capacity(paths.len());
        let mut losses = Vec::with_capacity(paths.len());
        let mut reached = Vec::new();
        let (mut norms, mut apart) = (Vec::new(), Vec::new());
        for (index, (path, subnet)) in paths.iter().zip(&subnets).enumerate() {
            let recorded = self.run_path(experiment, index, subnet, batch)?;
            let produced = recorded.outputs();
            let loss = path_loss(&path.losses, produced, &outputs, batch)
                .map_err(|text| experiment.sampler.identity().failure("sample", &text))?;
            let scaled = nshot_torch::weighted_sum(&[(loss.shallow_clone(), scales[index])])?;
            losses.push(loss.f_detach()?);
            reached.extend_from_slice(&subnet.reached);
            // Kept for later paths that distil from it, without its graph.
            let kept = produced.iter().map(|(name, value)| Ok((name.clone(), value.f_detach()?)));
            outputs.push(kept.collect::<Result<_>>()?);
            recorded
                .backward(&scaled)
                .map_err(|error| experiment.space.identity().failure("describe", &error.to_string()))?;
            if experiment.wants.norms() {
                // Before other paths add theirs to it.
                let gradients = Gradients::take(&self.store, &subnet.reached)?;
                norms.push(PathNorms::new(experiment.wants, subnet, &gradients)?);
                apart.push(gradients);
            }
        }
        apart.into_iter().try_for_each(|gradients| gradients.put(&self.store))?;
        reached.sort_unstable();
        reached.dedup();
        let images = batch.images * paths.len() as u64;
        Ok(ForwardPass { reached, norms, losses, factors, learning_rate, images })
    }

    fn run_path<'a>(
        &'a self,
        experiment: &Experiment,
        path: usize,
        subnet: &'a Subnet,
        batch: &DeviceBatch,
    ) -> Result<Recorded<'a>> {
        let mut inputs = vec![("image", &batch.image)];
        let progress;
        if subnet.graph.nodes().iter().any(|node| matches!(node.op, Op::Input { index } if index == PROGRESS))
        {
            let fraction = self.step as f64 / self.total.max(1) as f64;
            progress = nshot_torch::scalar(fraction, self.store.device(), self.store.precision())?;
            inputs.push(("progress", &progress));
        }
        let pass = Pass {
            training: true,
            seed: experiment.manifest.seed.sampling,
            step: self.schedule.0 + self.step,
            path: path as u64,
            recalibrate: None,
            recompute: experiment.manifest.train.recompute,
            autocast: experiment.manifest.train.autocast.is_some(),
        };
        nshot_torch::record(&subnet.graph, subnet.training(), &self.store, &inputs, pass)
            .map_err(|error| experiment.space.identity().failure("describe", &error.to_string()))
    }
}

/// The update's learning rate and each path's factor of its loss.
fn scaling(base: f64, factors: &[f64], scale_invariant: bool) -> (f64, Vec<f64>) {
    match factors {
        [only] => (base * only, vec![1.0]),
        _ if !scale_invariant => (base, factors.to_vec()),
        _ => {
            let mean = factors.iter().sum::<f64>() / factors.len() as f64;
            let share = |factor: &f64| if mean > 0.0 { factor / mean } else { 0.0 };
            (base * mean, factors.iter().map(share).collect())
        }
    }
}

/// The weighted sum of a path's losses.
fn path_loss(
    losses: &[Loss],
    produced: &[(String, Tensor)],
    earlier: &[Vec<(String, Tensor)>],
    batch: &DeviceBatch,
) -> Result<Tensor, String> {
    let find = |outputs: &[(String, Tensor)], name: &str| {
        let found = outputs.iter().find(|(output, _)| output == name);
        found.map(|(_, value)| value.shallow_clone()).ok_or_else(|| {
            let names: Vec<&str> = outputs.iter().map(|(name, _)| name.as_str()).collect();
            format!("the loss wants the output `{name}`; the graph has {}", names.join(", "))
        })
    };
    let mut terms = Vec::with_capacity(losses.len());
    for loss in losses {
        let output = find(produced, &loss.output)?;
        let target = match loss.target {
            Target::Labels => None,
            Target::Path(path) => Some(find(&earlier[path as usize], &loss.output)?),
        };
        let term = match (loss.kind, target) {
            (LossKind::CrossEntropy { smoothing }, _) => {
                nshot_torch::cross_entropy(&output, &batch.label, smoothing)
            }
            (LossKind::Distillation { temperature }, Some(teacher)) => {
                nshot_torch::distillation(&output, &teacher, temperature)
            }
            (LossKind::MeanSquaredError, Some(target)) => nshot_torch::mean_squared_error(&output, &target),
            (_, None) => return Err("a loss without its target".to_owned()),
        };
        terms.push((term.map_err(|error| error.to_string())?, loss.weight));
    }
    nshot_torch::weighted_sum(&terms).map_err(|error| error.to_string())
}
