//! `nshot space costs`.

use nshot::failure::{Failure, Result};
use nshot::rank;
use nshot::selection::Architecture;
use nshot::space::Space;
use nshot_graph::Cost;

use super::{Costs, open, output};

/// Larger spaces are not listed whole.
const LISTED: f64 = 1e6;

pub(super) fn print(costs: &Costs) -> Result<()> {
    let space = open(&costs.which)?;
    let architectures = match &costs.architectures {
        Some(path) => rank::read_list(&space, path)?,
        None if space.size() <= LISTED => rank::all(&space.all_options()),
        None => {
            let size = nshot::report::count(space.size());
            return Err(Failure::usage(format!("the space has {size} subnets, too many to list"))
                .hint("name some in a file: --architectures FILE"));
        }
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["architecture", "weights", "params", "macs"])?;
    for (architecture, cost) in architectures.iter().zip(count(&space, &architectures)?) {
        let text = space.to_text(architecture)?;
        writer.serialize((text, cost.weights, cost.params, cost.macs))?;
    }
    let bytes = writer.into_inner().map_err(|error| Failure::new(error.to_string()))?;
    output::print(&String::from_utf8_lossy(&bytes))
}

/// Costs in order, counted on all cores: describing a subnet is pure.
fn count(space: &Space, architectures: &[Architecture]) -> Result<Vec<Cost>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = architectures.len().div_ceil(cores).max(1);
    let counted = std::thread::scope(|scope| {
        let part = |part: &[Architecture]| part.iter().map(|a| space.cost(a)).collect::<Result<Vec<_>>>();
        let threads: Vec<_> =
            architectures.chunks(share).map(|chunk| scope.spawn(move || part(chunk))).collect();
        let joined = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(Failure::new("a thread that counts costs panicked")))
        });
        joined.collect::<Result<Vec<_>>>()
    })?;
    Ok(counted.into_iter().flatten().collect())
}
