//! Running statistics of one subnet, taken anew: those of a supernet are a mixture over all subnets that were trained.

use std::sync::Arc;

use nshot_data::{Layout, Prefetch};
use nshot_graph::Role;
use nshot_torch::{ParameterStore, Pass, Tensor};

use super::on_device;
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::space::Subnet;

/// Checks that there is something to recalibrate, if the manifest asks for it.
///
/// # Errors
/// The space has no running statistics.
pub(super) fn check(experiment: &Experiment) -> Result<()> {
    let asked = experiment.manifest.rank.as_ref().is_some_and(|rank| rank.recalibrate > 0);
    if !asked || experiment.space.parameters().iter().any(|spec| spec.role == Role::Buffer) {
        return Ok(());
    }
    let name = &experiment.space.identity().name;
    let failure = Failure::usage(format!("the space `{name}` has no running statistics to recalibrate"));
    let hint = "set `rank.recalibrate` to 0, or have the space keep running statistics";
    Err(experiment.manifest.locate("rank.recalibrate", failure.hint(hint)))
}

/// The first training batches of the first epoch, as many as `[rank] recalibrate` says.
///
/// # Errors
/// The space has no running statistics, or the images cannot be read.
pub(super) fn images(experiment: &Experiment) -> Result<Vec<Tensor>> {
    let batches = experiment.manifest.rank.as_ref().map_or(0, |rank| rank.recalibrate);
    if batches == 0 {
        return Ok(Vec::new());
    }
    let data = Arc::clone(&experiment.data);
    let batches = Prefetch::new(data, experiment.seeds(), Layout::Nhwc, (0, 0), usize::MAX, 1).take(batches);
    batches.map(|batch| Ok(on_device(experiment, &batch?)?.0)).collect()
}

/// The supernet with the subnet's own running statistics: the mean over the batches. None without batches.
///
/// # Errors
/// The subnet cannot be run.
pub(super) fn statistics(
    experiment: &Experiment,
    store: &ParameterStore,
    subnet: &Subnet,
    images: &[Tensor],
    progress: &Tensor,
) -> Result<Option<ParameterStore>> {
    if images.is_empty() {
        return Ok(None);
    }
    let own = store.with_own_buffers()?;
    for (index, image) in images.iter().enumerate() {
        let inputs = [("image", image), ("progress", progress)];
        let pass = Pass::recalibration(1.0 / (index + 1) as f64);
        let outputs = nshot_torch::forward(&subnet.graph, subnet.training(), &own, &inputs, pass);
        outputs.map_err(|error| experiment.space.identity().failure("describe", &error.to_string()))?;
    }
    Ok(Some(own))
}
