//! Running statistics of one subnet, taken anew: those of a supernet are a mixture over all subnets that were trained.

use std::sync::Arc;

use nshot_data::{Layout, Prefetch};
use nshot_graph::Role;
use nshot_torch::{ParameterStore, Pass, Tensor};

use super::KEPT_BYTES;
use crate::batch::{DeviceBatch, host_batch};
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::space::Subnet;

/// Checks that the manifest's `[rank] recalibrate` can be had.
///
/// # Errors
/// The space has no running statistics, or an epoch has fewer batches.
pub(super) fn check(experiment: &Experiment) -> Result<()> {
    let asked = experiment.manifest.rank.as_ref().map_or(0, |rank| rank.recalibrate);
    let refuse = |failure: Failure| Err(experiment.manifest.locate("rank.recalibrate", failure));
    if asked > 0 && !experiment.space.parameters().iter().any(|spec| spec.role == Role::Buffer) {
        let name = &experiment.space.identity().name;
        let failure = Failure::usage(format!("the space `{name}` has no running statistics to recalibrate"));
        return refuse(failure.hint("set it to 0, or have the space keep running statistics"));
    }
    let there = experiment.data.batches_per_epoch();
    if asked > there {
        return refuse(Failure::usage(format!(
            "`rank.recalibrate` is {asked}, but an epoch has {there} batches"
        )));
    }
    Ok(())
}

/// The first training batches of the first epoch, as many as `[rank] recalibrate` says; kept where they have room.
pub struct Recalibration {
    batches: usize,
    kept: Option<Vec<Tensor>>,
}

impl Recalibration {
    /// Whether subnets keep the statistics that training left.
    pub fn is_off(&self) -> bool {
        self.batches == 0
    }

    /// Those of the experiment.
    ///
    /// # Errors
    /// The space has no running statistics, an epoch has fewer batches, or the images cannot be read.
    pub fn of(experiment: &Experiment) -> Result<Self> {
        check(experiment)?;
        let batches = experiment.manifest.rank.as_ref().map_or(0, |rank| rank.recalibrate);
        let pixels: usize = experiment.data.input_shape().iter().product();
        let bytes = batches.saturating_mul(experiment.data.batch_size()).saturating_mul(pixels * 8);
        let fits = bytes <= KEPT_BYTES;
        let kept = fits.then(|| read(experiment, batches).collect::<Result<_>>()).transpose()?;
        Ok(Self { batches, kept })
    }

    /// The supernet with the subnet's own running statistics: the mean over the batches. None without batches.
    ///
    /// # Errors
    /// The subnet cannot be run.
    pub fn statistics(
        &self,
        experiment: &Experiment,
        store: &ParameterStore,
        subnet: &Subnet,
        progress: &Tensor,
    ) -> Result<Option<ParameterStore>> {
        if self.batches == 0 {
            return Ok(None);
        }
        let own = store.with_own_buffers()?;
        let pass = |index: usize, image: &Tensor| {
            let inputs = [("image", image), ("progress", progress)];
            let pass = Pass::recalibration(1.0 / (index + 1) as f64);
            let outputs = nshot_torch::forward(&subnet.graph, subnet.training(), &own, &inputs, pass);
            let space = experiment.space.identity();
            outputs.map(drop).map_err(|error| space.failure("describe", &error.to_string()))
        };
        match &self.kept {
            Some(kept) => kept.iter().enumerate().try_for_each(|(index, image)| pass(index, image))?,
            None => read(experiment, self.batches)
                .enumerate()
                .try_for_each(|(index, image)| pass(index, &image?))?,
        }
        Ok(Some(own))
    }
}

fn read(experiment: &Experiment, batches: usize) -> impl Iterator<Item = Result<Tensor>> + use<'_> {
    let threads = usize::from(batches > 0);
    let data = Arc::clone(&experiment.data);
    let (device, precision) = (experiment.device, experiment.precision);
    let prepare = move |batch| host_batch(&batch, device);
    let all = Prefetch::prepared(data, experiment.seeds(), Layout::Nhwc, (0, 0), 1, threads, prepare);
    all.take(batches).map(move |batch| Ok(DeviceBatch::new(&batch??, device, precision)?.image))
}
