//! What is drawn: boxes and the edges between them, without places.

use std::collections::{BTreeMap, HashMap};

use nshot_graph::{Graph, Op, ValueId};

use super::{
    chains::{Roots, chains, roots},
    label::{self, Kind},
    liveness::Liveness,
    scopes,
};

/// Boxes above which scopes are collapsed; boxes, ends and edges that are drawn at most.
const LARGE: usize = 40;
const BLOCKS: usize = 400;
const ENDS: usize = 60;
const EDGES: usize = 3000;

/// One box.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) kind: Kind,
    /// The first one is the title.
    pub(super) lines: Vec<String>,
    pub(super) hover: String,
    pub(super) live: bool,
}

/// From box to box; `from < to`.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) hover: String,
    pub(super) live: bool,
}

/// Boxes in an order in which each comes after what it is computed from.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) title: String,
    pub(super) blocks: Vec<Block>,
    pub(super) edges: Vec<Edge>,
    /// What was left out.
    pub(super) note: Option<String>,
}

impl Scene {
    /// What lies in `scope`; everything if that is empty.
    pub(super) fn new(graph: &Graph, scope: &str) -> Scene {
        let roots = roots(graph);
        let liveness = Liveness::of(graph);
        let same = |a, b| liveness.needed(a) == liveness.needed(b) && !liveness.zero(b);
        let chains = chains(graph, &roots, scope, same);
        let maker = Maker { graph, scope, roots, liveness };
        let mut groups = chains.clone();
        let mut drawn: Vec<Block> = groups.iter().map(|chain| maker.block(chain, None)).collect();
        if chains.len() > LARGE {
            for depth in [3, 2, 1] {
                (groups, drawn) = maker.collapse(&chains, depth);
                if groups.len() <= LARGE {
                    break;
                }
            }
        }
        maker.connect(groups, drawn)
    }
}

/// Makes the scene of one scope of a graph.
pub(super) struct Maker<'g> {
    pub(super) graph: &'g Graph,
    pub(super) scope: &'g str,
    pub(super) roots: Roots,
    pub(super) liveness: Liveness,
}

impl Maker<'_> {
    /// A box for nodes, all of which are in the scope `name` if that is given.
    pub(super) fn block(&self, nodes: &[ValueId], name: Option<&str>) -> Block {
        let (graph, roots) = (self.graph, &self.roots);
        let live = nodes.iter().any(|value| self.liveness.needed(*value));
        let mut hover = label::hover(graph, roots, nodes);
        let (kind, mut lines) = match name {
            None => label::chain(graph, roots, nodes),
            Some(name) => {
                let noun = if nodes.len() == 1 { "operation" } else { "operations" };
                let mut lines =
                    vec![name.to_owned(), format!("{} {noun}", label::grouped(nodes.len() as u64))];
                let parameters: Vec<_> = label::parameters(graph, roots, nodes).into_iter().collect();
                lines.extend(label::count(graph, roots, &parameters));
                (Kind::Scope, lines)
            }
        };
        if !live {
            hover.push_str("\nnot needed for the outputs");
        } else if nodes.iter().all(|value| self.liveness.zero(*value)) {
            lines.push("= 0".into());
            hover.push_str("\nalways zero");
        }
        Block { kind, lines, hover, live }
    }

    /// Adds the ends and edges.
    fn connect(&self, mut groups: Vec<Vec<ValueId>>, mut drawn: Vec<Block>) -> Scene {
        let all = groups.len();
        groups.truncate(BLOCKS);
        drawn.truncate(BLOCKS);
        let mut owner: HashMap<ValueId, usize> = HashMap::new();
        for (i, group) in groups.iter().enumerate() {
            owner.extend(group.iter().map(|value| (*value, i)));
        }
        let sources = if self.scope.is_empty() { vec![] } else { self.sources(&groups, &owner) };
        let mut blocks: Vec<Block> =
            sources.iter().enumerate().map(|(i, v)| self.source(i, *v, sources.len())).collect();
        let shift = blocks.len();
        blocks.append(&mut drawn);
        for group in owner.values_mut() {
            *group += shift;
        }
        owner.extend(sources.into_iter().enumerate().map(|(i, value)| (value, i)));

        let mut wires: BTreeMap<(usize, usize), Wire> = BTreeMap::new();
        for (i, group) in groups.iter().enumerate() {
            for value in group {
                for input in &self.graph.node(*value).inputs {
                    let from = owner.get(input).copied().filter(|from| *from < i + shift);
                    if let Some(from) = from.filter(|_| wires.len() < EDGES) {
                        let wire = wires.entry((from, i + shift)).or_default();
                        push_new(Some(&mut wire.values), *input);
                        wire.live |= self.liveness.uses(*value, *input);
                    }
                }
            }
        }
        for (name, value, live) in self.ends(&owner) {
            if let Some(from) = owner.get(&value) {
                let wire = Wire { values: vec![value], live };
                wires.insert((*from, blocks.len()), wire);
            }
            blocks.push(self.end(name, value, live));
        }
        let edges = wires.into_iter().map(|((from, to), wire)| self.edge(from, to, &wire)).collect();
        let note = (all > BLOCKS).then(|| {
            format!("The first {BLOCKS} of {} boxes. A scope shows a part.", label::grouped(all as u64))
        });
        let title = if self.scope.is_empty() { "graph" } else { self.scope }.to_owned();
        Scene { title, blocks, edges, note }
    }

    /// Values from outside the scope.
    fn sources(&self, groups: &[Vec<ValueId>], owner: &HashMap<ValueId, usize>) -> Vec<ValueId> {
        let inputs = groups.iter().flatten().flat_map(|value| &self.graph.node(*value).inputs).copied();
        let mut sources: Vec<ValueId> = inputs
            .filter(|input| !owner.contains_key(input) && self.roots[*input as usize].is_none())
            .collect();
        sources.sort_unstable();
        sources.dedup();
        sources.retain(|value| !scopes::contains(self.scope, scopes::of(self.graph.node(*value))));
        sources.truncate(ENDS);
        sources
    }

    fn source(&self, number: usize, value: ValueId, count: usize) -> Block {
        let node = self.graph.node(value);
        let title = match node.op {
            Op::Input { .. } => node.name.clone(),
            _ if count == 1 => "input".into(),
            _ => format!("input {}", number + 1),
        };
        let lines = vec![title, label::sizes(&node.shape)];
        Block { kind: Kind::End, lines, hover: node.name.clone(), live: self.liveness.needed(value) }
    }

    /// What leaves the drawn part: name, value, and whether it is needed.
    fn ends(&self, owner: &HashMap<ValueId, usize>) -> Vec<(Option<String>, ValueId, bool)> {
        let whole = self.scope.is_empty();
        let inside = |value: ValueId| scopes::contains(self.scope, scopes::of(self.graph.node(value)));
        let drawn = |value: ValueId| owner.contains_key(&value) && inside(value);
        let outputs = self.graph.outputs().iter().filter(|(_, value)| whole || drawn(*value));
        let mut ends: Vec<_> =
            outputs.take(ENDS).map(|(name, value)| (Some(name.clone()), *value, true)).collect();
        let mut leaving: BTreeMap<ValueId, bool> = BTreeMap::new();
        for (value, node) in self.graph.nodes().iter().enumerate() {
            let value = value as ValueId;
            if whole || inside(value) {
                continue;
            }
            for input in node.inputs.iter().filter(|input| drawn(**input)) {
                *leaving.entry(*input).or_default() |= self.liveness.uses(value, *input);
            }
        }
        ends.extend(leaving.into_iter().take(ENDS).map(|(value, live)| (None, value, live)));
        ends
    }

    fn end(&self, name: Option<String>, value: ValueId, live: bool) -> Block {
        let node = self.graph.node(value);
        let lines = vec![name.unwrap_or_else(|| "output".into()), label::sizes(&node.shape)];
        Block { kind: Kind::End, lines, hover: node.name.clone(), live }
    }

    fn edge(&self, from: usize, to: usize, wire: &Wire) -> Edge {
        let line = |value: &ValueId| {
            let node = self.graph.node(*value);
            format!("{} ({})", label::sizes(&node.shape), node.name)
        };
        let hover = wire.values.iter().take(8).map(line).collect::<Vec<_>>().join("\n");
        Edge { from, to, hover, live: wire.live }
    }
}

/// Values that go from one box to another.
#[derive(Default)]
struct Wire {
    values: Vec<ValueId>,
    live: bool,
}

/// Pushes what is not there; of long lists, only the last is compared.
pub(super) fn push_new<T: PartialEq>(list: Option<&mut Vec<T>>, item: T) {
    if let Some(list) = list
        && (list.len() > 64 || !list.contains(&item))
        && list.last() != Some(&item)
    {
        list.push(item);
    }
}
