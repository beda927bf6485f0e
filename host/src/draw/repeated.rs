//! Finding the cell of a network: the scope worth drawing when none was named.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

use nshot_graph::Graph;

use super::{
    chains::{chains, roots},
    scopes,
};

/// Boxes that make a scope more than a single layer with its norm and activation.
const SEVERAL: usize = 3;

#[derive(Default)]
struct Structure {
    hasher: DefaultHasher,
    boxes: usize,
}

/// The first of the scopes that occur most often with the same operations in the same order and wiring; of
/// scopes that occur as often, the deepest. Sizes do not count, nor do scopes of fewer than three boxes.
/// `None` where nothing repeats.
pub fn repeated_scope(graph: &Graph) -> Option<String> {
    let roots = roots(graph);
    let mut structures: BTreeMap<&str, Structure> = BTreeMap::new();
    let mut first: HashMap<&str, usize> = HashMap::new();
    for chain in chains(graph, &roots, "", |_, _| true) {
        let scope = scopes::of(graph.node(chain[0]));
        for part in scopes::path(scope) {
            let structure = structures.entry(part).or_default();
            structure.boxes += 1;
            first.entry(part).or_insert(chain[0] as usize);
            for value in &chain {
                let node = graph.node(*value);
                node.op.name().hash(&mut structure.hasher);
                for input in &node.inputs {
                    let inside = scopes::contains(part, scopes::of(graph.node(*input)));
                    let distance = (roots[*input as usize].is_none() && inside).then_some(value - input);
                    distance.hash(&mut structure.hasher);
                }
            }
        }
    }
    let mut alike: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for (scope, structure) in structures {
        if structure.boxes >= SEVERAL {
            alike.entry(structure.hasher.finish()).or_default().push(scope);
        }
    }
    let candidates = alike.into_values().filter(|scopes| scopes.len() > 1).filter_map(|scopes| {
        let count = scopes.len();
        let earliest = scopes.into_iter().min_by_key(|scope| first[scope])?;
        Some((count, earliest.matches('.').count(), std::cmp::Reverse(first[earliest]), earliest))
    });
    candidates.max().map(|(.., scope)| scope.to_owned())
}
