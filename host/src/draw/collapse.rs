//! Scopes as boxes, for graphs with too many operations to draw each; equal ones in a row as one.

use std::collections::HashMap;

use nshot_graph::ValueId;

use super::{
    label::Kind,
    scene::{Block, Maker, push_new},
    scopes,
};

/// A scope, and chains in it that follow each other.
type Run<'g> = (&'g str, Vec<Vec<ValueId>>);

impl<'g> Maker<'g> {
    /// One box for each run of chains in the same scope `depth` levels below that of the drawing. Runs, so that
    /// a scope that is left and entered again makes no circle.
    pub(super) fn collapse(&self, chains: &[Vec<ValueId>], depth: usize) -> (Vec<Vec<ValueId>>, Vec<Block>) {
        let mut runs: Vec<Run<'g>> = vec![];
        for chain in chains {
            let key = self.below(scopes::of(self.graph.node(chain[0])), depth);
            match runs.last_mut() {
                Some((last, run)) if *last == key && !key.is_empty() => run.push(chain.clone()),
                _ => runs.push((key, vec![chain.clone()])),
            }
        }
        let block = |(key, run): &Run<'g>| match &run[..] {
            [chain] => {
                let mut block = self.block(chain, None);
                if !key.is_empty() {
                    block.lines.insert(0, (*key).to_owned());
                }
                block
            }
            run => self.block(&run.concat(), Some(key)),
        };
        let merged = self.merge(runs);
        let blocks = merged.iter().map(|alike| match &alike[..] {
            [only] => block(only),
            [first, .., last] => {
                let mut merged = block(first);
                let end = last.0.rsplit('.').next().unwrap_or_default();
                merged.lines[0] = format!("{} … {end}", first.0);
                if merged.kind == Kind::Scope {
                    merged.lines[1..].iter_mut().for_each(|line| *line = format!("{} × {line}", alike.len()));
                } else {
                    merged.lines.insert(1, format!("{} times:", alike.len()));
                }
                merged
            }
            [] => Block { kind: Kind::Scope, lines: vec![], hover: String::new(), live: false },
        });
        let blocks = blocks.collect();
        let groups = merged
            .into_iter()
            .map(|alike| alike.into_iter().flat_map(|(_, run)| run.concat()).collect())
            .collect();
        (groups, blocks)
    }

    /// The first `depth` levels of `scope` below that of the drawing; empty for what is directly in that.
    fn below(&self, scope: &'g str, depth: usize) -> &'g str {
        let start = if self.scope.is_empty() { 0 } else { self.scope.len() + 1 };
        let rest = scope.get(start..).unwrap_or_default();
        let end = rest.match_indices('.').nth(depth - 1).map_or(rest.len(), |(end, _)| end);
        if rest.is_empty() { "" } else { &scope[..start + end] }
    }

    /// Puts together runs that follow each other in a line, are called differently and are the same otherwise.
    fn merge(&self, runs: Vec<Run<'g>>) -> Vec<Vec<Run<'g>>> {
        let mut owner: HashMap<ValueId, usize> = HashMap::new();
        for (i, (_, run)) in runs.iter().enumerate() {
            owner.extend(run.iter().flatten().map(|value| (*value, i)));
        }
        let mut before: Vec<Vec<usize>> = vec![vec![]; runs.len()];
        let mut after = before.clone();
        let outside = runs.len();
        for (value, node) in self.graph.nodes().iter().enumerate() {
            let to = owner.get(&(value as ValueId)).copied().unwrap_or(outside);
            for input in node.inputs.iter().filter(|input| self.roots[**input as usize].is_none()) {
                let from = owner.get(input).copied().unwrap_or(outside);
                if from != to {
                    push_new(before.get_mut(to), from);
                    push_new(after.get_mut(from), to);
                }
            }
        }
        for (_, value) in self.graph.outputs() {
            push_new(owner.get(value).and_then(|run| after.get_mut(*run)), outside);
        }
        let mut merged: Vec<Vec<Run<'g>>> = vec![];
        let mut last = String::new();
        for (i, run) in runs.into_iter().enumerate() {
            let structure = self.structure(&run.1);
            let in_line = i > 0 && before[i] == [i - 1] && after[i - 1] == [i];
            match merged.last_mut() {
                Some(alike) if in_line && !run.0.is_empty() && structure == last => alike.push(run),
                _ => merged.push(vec![run]),
            }
            last = structure;
        }
        merged
    }

    /// Equal for runs that compute the same from parameters of the same shapes.
    fn structure(&self, run: &[Vec<ValueId>]) -> String {
        use std::fmt::Write as _;
        let places: HashMap<ValueId, usize> =
            run.iter().flatten().enumerate().map(|(place, value)| (*value, place)).collect();
        let mut text = String::new();
        for value in run.iter().flatten() {
            let node = self.graph.node(*value);
            let _ = write!(text, "{:?}{:?}{}", node.op, node.shape, self.liveness.needed(*value));
            for input in &node.inputs {
                let _ = match places.get(input) {
                    Some(place) => write!(text, "#{place}"),
                    None => write!(text, "{:?}", self.graph.node(*input).shape),
                };
            }
        }
        text
    }
}
