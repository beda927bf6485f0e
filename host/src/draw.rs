//! SVG drawings of graphs, for `space show --svg` and reports: one scope operation by operation, or a whole
//! network with its scopes as boxes.
//!
//! Operations that no output needs (as [`Graph::plan`] finds for evaluation) are dashed and grey. Parameters
//! are no boxes: their number is in the label, their names are shown on hovering. The drawing of a graph is
//! the same on every run.

mod chains;
mod collapse;
mod label;
mod layout;
mod liveness;
mod placement;
mod repeated;
mod scene;
mod scopes;
mod svg;

use nshot_graph::Graph;

use crate::failure::{Failure, Result};

pub use repeated::repeated_scope;

/// Draws what lies inside `scope` (for example `stages.0.0`), or everything. Scopes are collapsed into boxes
/// where there would be too many.
///
/// # Errors
/// A scope that contains no operation.
pub fn drawing(graph: &Graph, scope: Option<&str>) -> Result<String> {
    let scope = scope.unwrap_or_default();
    if !scope.is_empty() && !graph.nodes().iter().any(|node| scopes::contains(scope, scopes::of(node))) {
        return Err(unknown(graph, scope));
    }
    Ok(svg::render(&scene::Scene::new(graph, scope)))
}

fn unknown(graph: &Graph, scope: &str) -> Failure {
    let likeness = |known: &str| strsim::jaro_winkler(scope, known);
    let failure = Failure::usage(format!("the graph has no operation in the scope `{scope}`"));
    let known = scopes::all(graph).into_iter();
    match known.max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
        Some(nearest) => failure.hint(format!("there is a scope `{nearest}`")),
        None => failure.hint("leave the scope out: this graph has none"),
    }
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
