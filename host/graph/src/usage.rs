//! Which elements of which parameters a graph uses. A weight cut out of a larger one costs what was cut
//! out; two cuts that overlap cost their union.

use std::collections::{BTreeMap, HashSet};

use crate::{Graph, Node, Op, view::View};

/// Elements in use.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// As weights of convolutions and linear maps.
    pub(crate) weights: u64,
    /// In any way.
    pub(crate) params: u64,
}

/// Parameters in one value, and views in one graph: more than these count as used where they are and are
/// followed no further.
const SOURCES: usize = 8;
const VIEWS: usize = 2_000_000;
/// Elements of a parameter whose overlapping cuts are counted exactly.
const EXACT_ELEMENTS: u64 = 1 << 28;
/// Steps for counting overlaps, in one graph.
const EXACT_WORK: u64 = 1 << 26;

/// Indices of the parameters that enter an operation or are outputs.
pub(crate) fn reached(graph: &Graph) -> Vec<usize> {
    let used = consumed(graph);
    let mut reached: Vec<usize> = graph
        .nodes()
        .iter()
        .zip(used)
        .filter_map(|(node, used)| match node.op {
            Op::Parameter { index, .. } if used => Some(index),
            _ => None,
        })
        .collect();
    reached.sort_unstable();
    reached
}

/// Counts elements that the `live` nodes use, buffers and architecture parameters left out.
pub(crate) fn of(graph: &Graph, live: &[bool]) -> Usage {
    let mut trace = Trace { views: Vec::with_capacity(graph.nodes().len()), ..Trace::default() };
    for (node, live) in graph.nodes().iter().zip(live) {
        if !live {
            trace.views.push(Vec::new());
            continue;
        }
        let mut views = trace.node(node);
        trace.count += views.len();
        if views.len() > SOURCES || trace.count > VIEWS {
            views.clear();
            for value in &node.inputs {
                trace.params(*value as usize);
            }
        }
        trace.views.push(views);
    }
    // What leaves as it is, or ends nowhere after having been cut, was used nevertheless.
    for (value, used) in consumed(graph).into_iter().enumerate() {
        let fetched = matches!(graph.nodes()[value].op, Op::Parameter { .. });
        if !used && !fetched {
            trace.params(value);
        }
    }
    for (_, value) in graph.outputs() {
        trace.params(*value as usize);
    }
    let mut work = EXACT_WORK;
    let mut total = |used: &BTreeMap<usize, Used>| {
        used.values().fold(0u64, |sum, used| sum.saturating_add(used.union(&mut work)))
    };
    Usage { weights: total(&trace.weights), params: total(&trace.params) }
}

fn consumed(graph: &Graph) -> Vec<bool> {
    let mut used = vec![false; graph.nodes().len()];
    let inputs = graph.nodes().iter().flat_map(|node| &node.inputs);
    for value in inputs.chain(graph.outputs().iter().map(|(_, value)| value)) {
        used[*value as usize] = true;
    }
    used
}

/// Views of all values so far, and what became of them.
#[derive(Default)]
struct Trace {
    views: Vec<Vec<View>>,
    count: usize,
    sizes: BTreeMap<usize, u64>,
    weights: BTreeMap<usize, Used>,
    params: BTreeMap<usize, Used>,
}

impl Trace {
    /// The views that the node's value shows; inputs that it does not pass on are used up.
    fn node(&mut self, node: &Node) -> Vec<View> {
        match &node.op {
            Op::Parameter { index, role } if role.counts() => {
                self.sizes.insert(*index, crate::shape::per_image(&node.shape));
                vec![View::whole(*index, &node.shape)]
            }
            Op::Slice { dim, start, step, .. } => {
                let count = node.shape[*dim].unsigned_abs();
                self.map(node, |v| v.slice(*dim, start.unsigned_abs(), step.unsigned_abs(), count))
            }
            Op::Transpose { dim0, dim1 } => self.map(node, |view| view.transpose(*dim0, *dim1)),
            Op::Reshape => self.map(node, |view| view.reshape(&node.shape)),
            Op::Mul => self.mul(node),
            Op::Aten { params: Some(_), .. } => vec![],
            op => {
                let weighted = matches!(op, Op::Conv2d { .. } | Op::Linear);
                for (i, value) in node.inputs.iter().enumerate() {
                    if weighted && i == 1 {
                        self.weights(*value as usize);
                    }
                    self.params(*value as usize);
                }
                vec![]
            }
        }
    }

    fn map(&self, node: &Node, change: impl Fn(View) -> View) -> Vec<View> {
        self.views[node.inputs[0] as usize].iter().cloned().map(change).collect()
    }

    fn mul(&self, node: &Node) -> Vec<View> {
        let mut views: Vec<View> = vec![];
        for value in &node.inputs {
            for view in &self.views[*value as usize] {
                let view = view.clone().broadcast(&node.shape);
                if !views.contains(&view) {
                    views.push(view);
                }
            }
        }
        views
    }

    fn weights(&mut self, value: usize) {
        record(&mut self.weights, &self.views[value], &self.sizes);
    }

    fn params(&mut self, value: usize) {
        record(&mut self.params, &self.views[value], &self.sizes);
    }
}

fn record(used: &mut BTreeMap<usize, Used>, views: &[View], sizes: &BTreeMap<usize, u64>) {
    for view in views {
        let size = sizes.get(&view.parameter).copied().unwrap_or(0);
        let used = used.entry(view.parameter).or_insert_with(|| Used { size, views: HashSet::new() });
        used.views.insert(view.clone().canonical());
    }
}

/// The different views of one parameter of `size` elements.
struct Used {
    size: u64,
    views: HashSet<View>,
}

impl Used {
    /// Elements in at least one view; an upper bound once `work` is used up.
    fn union(&self, work: &mut u64) -> u64 {
        let sum = self.views.iter().fold(0u64, |sum, view| sum.saturating_add(view.count()));
        let most = sum.min(self.size);
        if self.views.len() < 2 || self.views.iter().any(|view| view.count() == self.size) {
            return most;
        }
        let needed = self.views.iter().fold(self.size / 64, |sum, view| sum.saturating_add(view.work()));
        if self.size > EXACT_ELEMENTS || needed > *work {
            return most;
        }
        *work -= needed;
        let mut bits = vec![0u64; (self.size / 64 + 1) as usize];
        for view in &self.views {
            view.runs(&mut |start, length| set(&mut bits, start, length));
        }
        bits.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

fn set(bits: &mut [u64], start: u64, length: u64) {
    let end = start + length;
    let mut at = start;
    while at < end {
        let (word, bit) = ((at / 64) as usize, at % 64);
        let count = (64 - bit).min(end - at);
        bits[word] |= (u64::MAX >> (64 - count)) << bit;
        at += count;
    }
}
