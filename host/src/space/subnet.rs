//! A subnet: its graph with what follows from it, remembered while there is room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use nshot_graph::{Cost, Fingerprint, Graph, Mode, Op, Parameters, Plan, Program, Role};

use crate::boundary::OptionMark;
use crate::plugin_time::in_graphs;
use crate::selection::Selection;

/// The cache holds graphs of about this many nodes together (some 100 MB).
const CACHED_NODES: usize = 200_000;

/// One subnet: its graph, checked, and what follows from it.
#[derive(Debug)]
pub struct Subnet {
    /// The graph as described.
    pub graph: Graph,
    /// Its costs.
    pub cost: Cost,
    /// Indices of the parameters that it reaches.
    pub reached: Vec<usize>,
    /// Indices of the parameters that belong to an option of a choice; no buffers.
    pub owned: Vec<(OptionMark, usize)>,
    training: OnceLock<Program>,
    evaluation: OnceLock<(Program, Fingerprint)>,
    live: OnceLock<Plan>,
}

impl Subnet {
    /// Of a graph and the values in it that belong to an option.
    pub(super) fn new(graph: Graph, owned: &[(OptionMark, u32)], parameters: &Parameters) -> Self {
        let trained = |index: usize| parameters.get(index).is_some_and(|spec| spec.role != Role::Buffer);
        let parameter = |(mark, value): &(OptionMark, u32)| match graph.node(*value).op {
            Op::Parameter { index, .. } if trained(index) => Some((*mark, index)),
            _ => None,
        };
        let owned = owned.iter().filter_map(parameter).collect();
        let mut reached = graph.reached_parameters();
        reached.retain(|&index| trained(index));
        let (training, evaluation, live) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { cost: graph.cost(), reached, owned, training, evaluation, live, graph }
    }

    /// The network that is used once training is over: for `logits` alone, without auxiliary heads, at its end's
    /// `progress`.
    #[must_use]
    pub fn trained(&self, parameters: &Parameters) -> Self {
        let graph = self.graph.with_output("logits").unwrap_or_else(|| self.graph.clone());
        Self::new(graph.with_number("progress", 1.0), &[], parameters)
    }

    /// The costs outside dead branches.
    pub fn live_cost(&self) -> Cost {
        self.graph.live_cost(self.live())
    }

    /// What is outside dead branches in evaluation.
    pub fn live(&self) -> &Plan {
        self.live.get_or_init(|| self.graph.plan(Mode::Evaluation))
    }

    /// What to compute in training.
    pub fn training(&self) -> &Program {
        let program = || Program::new(&self.graph, &self.graph.plan(Mode::Training));
        self.training.get_or_init(|| in_graphs(program))
    }

    /// What to compute in evaluation.
    pub fn evaluation(&self) -> &Program {
        &self.evaluated().0
    }

    /// Equal for subnets that evaluate to the same bits.
    pub fn key(&self) -> Fingerprint {
        self.evaluated().1
    }

    fn evaluated(&self) -> &(Program, Fingerprint) {
        self.evaluation.get_or_init(|| {
            let (plan, key) = self.live().clone().canonical(&self.graph);
            (Program::new(&self.graph, &plan), key)
        })
    }
}

/// Subnets by selection; the oldest go when there is no room.
#[derive(Default)]
pub(super) struct Cache {
    subnets: HashMap<Selection, Arc<Subnet>>,
    order: VecDeque<Selection>,
    nodes: usize,
}

impl Cache {
    pub(super) fn get(&self, selection: &Selection) -> Option<Arc<Subnet>> {
        self.subnets.get(selection).map(Arc::clone)
    }

    pub(super) fn put(&mut self, selection: Selection, subnet: Arc<Subnet>) {
        self.nodes += subnet.graph.nodes().len();
        if let Some(old) = self.subnets.insert(selection.clone(), subnet) {
            self.nodes -= old.graph.nodes().len();
        } else {
            self.order.push_back(selection);
        }
        while self.nodes > CACHED_NODES && self.order.len() > 1 {
            if let Some(oldest) = self.order.pop_front().and_then(|key| self.subnets.remove(&key)) {
                self.nodes -= oldest.graph.nodes().len();
            }
        }
    }
}
