//! What a file takes.

use nshot_graph::{Graph, Op, Plan};

/// Where the batch size is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchSource {
    /// Index of the input.
    pub(crate) input: usize,
    /// The dimension that holds a multiple of the batch size.
    pub(crate) dim: usize,
    /// Which multiple.
    pub(crate) factor: i64,
}

/// The graph's inputs of a file and the source of the batch size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// Indices: inputs that the plan needs and the one that tells the batch size, in the graph's order.
    pub(crate) taken: Vec<usize>,
    /// None where no input depends on the batch: it is 1 then.
    pub(crate) batch: Option<BatchSource>,
}

impl Inputs {
    pub(crate) fn of(graph: &Graph, plan: &Plan) -> Inputs {
        let batch = graph.inputs().iter().enumerate().find_map(|(input, (_, shape))| {
            let dim = shape.iter().position(|size| *size < 0)?;
            Some(BatchSource { input, dim, factor: shape[dim].saturating_neg() })
        });
        let mut taken: Vec<usize> = plan
            .steps
            .iter()
            .filter_map(|step| match graph.node(step.node).op {
                Op::Input { index } => Some(index),
                _ => None,
            })
            .chain(batch.map(|source| source.input))
            .collect();
        taken.sort_unstable();
        taken.dedup();
        Inputs { taken, batch }
    }
}
