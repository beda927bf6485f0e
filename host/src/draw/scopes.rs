//! The scopes that operations were described in, read from their names.

use std::collections::BTreeSet;

use nshot_graph::{Graph, Node, Op};

/// Levels that are told apart; deeper scopes are part of what holds them.
pub(super) const DEPTH: usize = 12;

/// The scope of a node; empty at the top, and for inputs and parameters.
pub(super) fn of(node: &Node) -> &str {
    let dots = match &node.op {
        Op::Input { .. } | Op::Parameter { .. } => return "",
        // As in `add.Tensor`; a node's name holds no more of it than this.
        Op::Aten { operator, .. } => operator.chars().take(64).filter(|c| *c == '.').count(),
        _ => 0,
    };
    node.name.rmatch_indices('.').nth(dots).map_or("", |(end, _)| &node.name[..end])
}

/// Whether `inner` is `scope` or within it; the empty scope contains all.
pub(super) fn contains(scope: &str, inner: &str) -> bool {
    scope.is_empty() || inner.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// `scope` and the scopes around it, outermost first.
pub(super) fn path(scope: &str) -> impl Iterator<Item = &str> {
    let ends = scope.match_indices('.').map(|(end, _)| end).chain(std::iter::once(scope.len()));
    ends.filter(|end| *end > 0).take(DEPTH).map(|end| &scope[..end])
}

/// Every scope that holds an operation.
pub(super) fn all(graph: &Graph) -> BTreeSet<&str> {
    let mut all = BTreeSet::new();
    let mut last = "";
    for node in graph.nodes() {
        let scope = of(node);
        if scope != last {
            all.extend(path(scope));
            last = scope;
        }
    }
    all
}
