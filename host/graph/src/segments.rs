//! Where to cut a program into segments that a backward pass computes again: the values that live at each one's
//! beginning are kept, what it makes meanwhile is not (Chen et al. 2016, arXiv 1604.06174).

use crate::{Graph, Op, Program, ValueId};

/// More segments than this are not tried.
const MOST: usize = 64;

impl Program {
    /// The first instructions of the segments, increasing from 0. The first segment has inputs and parameters alone.
    /// They are chosen so that what is kept and the greatest segment together hold the fewest numbers.
    pub fn segments(&self, graph: &Graph) -> Vec<usize> {
        let first = self
            .instructions
            .iter()
            .position(|instruction| !instruction.work.values().iter().all(|value| is_fetched(graph, *value)));
        let first = first.unwrap_or(self.instructions.len());
        let sizes = Sizes::of(self, graph);
        let best = (1..=MOST).map(|count| sizes.cut(first, count)).min_by_key(|cuts| sizes.held(cuts));
        std::iter::once(0).filter(|_| first > 0).chain(best.unwrap_or_default()).collect()
    }
}

fn is_fetched(graph: &Graph, value: ValueId) -> bool {
    matches!(graph.node(value).op, Op::Input { .. } | Op::Parameter { .. })
}

/// Numbers for an image, parameters and inputs aside.
struct Sizes {
    /// What the instructions before each make; one more at the end.
    made: Vec<u64>,
    /// What lives before each instruction.
    live: Vec<u64>,
}

impl Sizes {
    fn of(program: &Program, graph: &Graph) -> Self {
        let size = |values: &[ValueId]| -> u64 {
            let own = values.iter().filter(|value| !is_fetched(graph, **value));
            own.map(|value| {
                let shape = graph.node(*value).shape.iter();
                shape.fold(1u64, |product, size| product.saturating_mul(size.unsigned_abs()))
            })
            .fold(0, u64::saturating_add)
        };
        let (mut made, mut live) = (vec![0u64], vec![0u64]);
        for instruction in &program.instructions {
            let new = size(&instruction.work.values());
            let (before, alive) = (made[made.len() - 1], live[live.len() - 1]);
            made.push(before.saturating_add(new));
            live.push(alive.saturating_add(new).saturating_sub(size(&instruction.release)));
        }
        Self { made, live }
    }

    /// So many segments of about equal size, from an instruction on; each cut is moved to where the least lives.
    fn cut(&self, first: usize, count: usize) -> Vec<usize> {
        let end = self.made.len() - 1;
        let (start, all) = (self.made[first], self.made[end] - self.made[first]);
        let at = |share: u64| {
            let size = start + all / (2 * count as u64) * share;
            self.made.partition_point(|made| *made < size).clamp(first, end)
        };
        let mut cuts = vec![first];
        for segment in 1..count as u64 {
            let window = at(2 * segment - 1)..at(2 * segment + 1);
            cuts.extend(window.filter(|&index| index > first).min_by_key(|&index| self.live[index]));
        }
        cuts.dedup();
        cuts
    }

    /// What segments that begin here hold at most: the inputs of all, and the greatest.
    fn held(&self, cuts: &[usize]) -> u64 {
        let ends = cuts.iter().skip(1).copied().chain([self.made.len() - 1]);
        let greatest = cuts.iter().zip(ends).map(|(from, to)| self.made[to] - self.made[*from]).max();
        cuts.iter().map(|&cut| self.live[cut]).fold(greatest.unwrap_or(0), u64::saturating_add)
    }
}
