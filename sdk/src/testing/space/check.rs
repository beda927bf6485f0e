//! The checks of a whole space.

use std::collections::BTreeSet;

use nshot_graph::{Cost, Graph};

use super::{SpaceTest, of_measure};
use crate::random::Random;
use crate::run::Architecture;
use crate::testing::ground::MEASURES;

/// Architectures that are drawn for a check.
const DRAWN: usize = 100;
/// Draws for each of them before the space counts as one without valid architectures.
const DRAWS: usize = 10_000;

/// The extremes of a measure.
struct Range {
    measure: &'static str,
    smallest: Architecture,
    largest: Architecture,
    bounds: [f64; 2],
}

fn of(cost: Cost, measure: &str) -> f64 {
    of_measure(cost, measure).unwrap_or(f64::NAN)
}

impl SpaceTest {
    /// Checks the space on its extremes, on every option of every choice, and on 100 architectures drawn uniformly:
    ///
    /// - each is described, twice alike, with shapes that fit and `logits` of `[N, classes]`;
    /// - none costs less than the smallest or more than the largest by weights, parameters or multiply-accumulates;
    /// - its text reads back as the architecture;
    /// - its canonical form is valid, and is its own canonical form;
    /// - no parameter is left that none of them uses.
    ///
    /// # Panics
    /// A check fails: the message says for which architecture.
    #[track_caller]
    pub fn check(&self) {
        let extremes = MEASURES.map(|measure| self.range(measure));
        let mut all: BTreeSet<Architecture> = BTreeSet::new();
        for Range { smallest, largest, .. } in &extremes {
            all.extend([smallest.clone(), largest.clone()]);
            all.extend(self.neighbours(smallest).chain(self.neighbours(largest)));
        }
        all.retain(|architecture| self.valid(architecture));
        all.extend(self.draw(DRAWN));
        let mut used = BTreeSet::new();
        for architecture in &all {
            let graph = self.graph(architecture);
            used.extend(graph.reached_parameters());
            self.check_pure(architecture, &graph);
            self.check_costs(architecture, graph.cost(), &extremes);
            self.check_text(architecture);
            self.check_canonical(architecture);
        }
        let unused = self.parameters().iter().enumerate().find(|(index, _)| !used.contains(index));
        if let Some((_, spec)) = unused {
            let described = all.len();
            self.fail(
                "declare",
                &format!(
                    "none of {described} subnets, every option among them, uses the parameter `{}`",
                    spec.name
                ),
            );
        }
    }

    /// Valid architectures, drawn uniformly; the same ones each time.
    ///
    /// # Panics
    /// None of 10,000 draws is valid.
    #[track_caller]
    pub fn draw(&self, count: usize) -> Vec<Architecture> {
        let mut random = Random::new(0, 0);
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count {
            let mut one = || -> Architecture {
                self.choices().iter().map(|choice| random.below(choice.options.len() as u64) as u32).collect()
            };
            match (0..DRAWS).map(|_| one()).find(|architecture| self.valid(architecture)) {
                Some(architecture) => drawn.push(architecture),
                None => {
                    self.fail("valid", &format!("none of {DRAWS} architectures that were drawn is valid"))
                }
            }
        }
        drawn
    }

    /// An architecture with each other option of each choice.
    fn neighbours<'a>(&'a self, of: &'a [u32]) -> impl Iterator<Item = Architecture> + 'a {
        self.choices().iter().enumerate().flat_map(move |(choice, at)| {
            (0..at.options.len() as u32).map(move |option| {
                let mut neighbour = of.to_vec();
                neighbour[choice] = option;
                neighbour
            })
        })
    }

    #[track_caller]
    fn check_pure(&self, architecture: &[u32], graph: &Graph) {
        let again = self.graph(architecture);
        if *graph == again {
            return;
        }
        let differs = graph.nodes().iter().zip(again.nodes()).find(|(one, other)| one != other);
        let node = differs.map(|(one, other)| format!(": node `{}`, then `{}`", one.name, other.name));
        self.fail(
            "describe",
            &format!(
                "described twice, {architecture:?} has two graphs{}; a description depends on the selection alone",
                node.unwrap_or_default()
            ),
        );
    }

    #[track_caller]
    fn range(&self, measure: &'static str) -> Range {
        let (smallest, largest) = self.extremes(measure);
        let bounds = [&smallest, &largest].map(|extreme| of(self.cost(extreme), measure));
        Range { measure, smallest, largest, bounds }
    }

    #[track_caller]
    fn check_costs(&self, architecture: &[u32], cost: Cost, ranges: &[Range]) {
        for Range { measure, smallest, largest, bounds: [least, most] } in ranges {
            let cost = of(cost, measure);
            if !(*least..=*most).contains(&cost) {
                let method = if *measure == "weights" { "extremes" } else { "extremes_by" };
                self.fail(
                    method,
                    &format!(
                        "{architecture:?} has {cost} {measure}, expected from {least} of the smallest {smallest:?} to \
                         {most} of the largest {largest:?}"
                    ),
                );
            }
        }
    }

    #[track_caller]
    fn check_text(&self, architecture: &[u32]) {
        let text = self.text(architecture);
        let read = self.parse(&text);
        if read != architecture {
            self.fail("from_text", &format!("`{text}` of {architecture:?} reads back as {read:?}"));
        }
    }

    #[track_caller]
    fn check_canonical(&self, architecture: &[u32]) {
        let canonical = self.canonical(architecture);
        if !self.valid(&canonical) {
            self.fail("canonical", &format!("{canonical:?}, of {architecture:?}, is not valid"));
        }
        let again = self.canonical(&canonical);
        if again != canonical {
            self.fail(
                "canonical",
                &format!("{canonical:?}, of {architecture:?}, should be canonical itself, found {again:?}"),
            );
        }
    }
}
