//! Places for boxes and edges, in layers from top to bottom (Sugiyama, Tagawa and Toda, 1981): layers by the
//! longest path, order in a layer by barycentres, places by least squares that keep the order.

/// Space between layers, and around all.
const BETWEEN: f64 = 36.0;
const MARGIN: f64 = 16.0;
/// Passing places of edges at most; edges beyond that cross the layers straight.
const LANES: usize = 20_000;
const ORDER_SWEEPS: usize = 16;
/// Pairs of edges between two layers whose crossings are counted.
const PAIRS: usize = 500_000;

/// What to place.
pub(super) struct Problem<'a> {
    /// Width and height per box.
    pub(super) sizes: &'a [(f64, f64)],
    /// Pairs `from < to`.
    pub(super) edges: &'a [(usize, usize)],
    /// Boxes for the last layer.
    pub(super) last: &'a [bool],
}

/// Where an edge passes one layer: straight down at `x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pass {
    pub(super) x: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

/// Places.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Layout {
    /// Upper left corners.
    pub(super) corners: Vec<(f64, f64)>,
    /// Per edge what it passes, from box to box.
    pub(super) routes: Vec<Vec<Pass>>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Places everything.
pub(super) fn layout(problem: &Problem) -> Layout {
    let layers = layers(problem);
    let mut net = Net::new(problem, layers);
    net.order();
    net.place();
    net.finish(problem)
}

/// The layer of each box: the longest path to it, sources right above what takes them first.
fn layers(problem: &Problem) -> Vec<usize> {
    let count = problem.sizes.len();
    let mut layers = vec![0; count];
    let (mut after, mut before) = (vec![vec![]; count], vec![0; count]);
    for &(from, to) in problem.edges {
        after[from].push(to);
        before[to] += 1;
    }
    for from in 0..count {
        for &to in &after[from] {
            layers[to] = layers[to].max(layers[from] + 1);
        }
    }
    let deepest = layers.iter().copied().max().unwrap_or(0);
    for item in 0..count {
        if problem.last[item] {
            layers[item] = deepest;
        } else if before[item] == 0
            && let Some(first) = after[item].iter().map(|to| layers[*to]).min()
        {
            layers[item] = first - 1;
        }
    }
    layers
}

/// Boxes, then the places in which long edges pass a layer, with the short edges between these.
pub(super) struct Net {
    pub(super) widths: Vec<f64>,
    pub(super) layer: Vec<usize>,
    pub(super) boxes: usize,
    pub(super) up: Vec<Vec<usize>>,
    pub(super) down: Vec<Vec<usize>>,
    /// Per edge of the problem, the items that it goes through.
    pub(super) paths: Vec<Vec<usize>>,
    /// Per passing place the edge that it is of.
    pub(super) lanes: Vec<usize>,
    pub(super) rows: Vec<Vec<usize>>,
    pub(super) x: Vec<f64>,
}

impl Net {
    fn new(problem: &Problem, layer: Vec<usize>) -> Net {
        let boxes = problem.sizes.len();
        let rows = vec![vec![]; layer.iter().max().map_or(0, |last| last + 1)];
        let widths = problem.sizes.iter().map(|size| size.0).collect();
        let neighbours = vec![vec![]; boxes];
        let (up, down) = (neighbours.clone(), neighbours);
        let mut net = Net { widths, layer, boxes, up, down, paths: vec![], lanes: vec![], rows, x: vec![] };
        for &(from, to) in problem.edges {
            let mut path = vec![from];
            for layer in net.layer[from] + 1..net.layer[to] {
                if net.widths.len() - boxes >= LANES {
                    break;
                }
                path.push(net.widths.len());
                net.widths.push(0.0);
                net.lanes.push(net.paths.len());
                net.layer.push(layer);
                net.up.push(vec![]);
                net.down.push(vec![]);
            }
            path.push(to);
            for pair in path.windows(2) {
                net.down[pair[0]].push(pair[1]);
                net.up[pair[1]].push(pair[0]);
            }
            net.paths.push(path);
        }
        for item in 0..net.widths.len() {
            net.rows[net.layer[item]].push(item);
        }
        net
    }

    /// Orders the rows; of all orders tried, the one with the fewest crossings stays.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.rows.clone());
        for sweep in 0..ORDER_SWEEPS {
            let mut place = vec![0.0; self.widths.len()];
            for row in &self.rows {
                for (i, item) in row.iter().enumerate() {
                    place[*item] = (i as f64 + 0.5) / row.len() as f64;
                }
            }
            let downwards = sweep % 2 == 0;
            let count = self.rows.len();
            for i in 0..count {
                let row = &mut self.rows[if downwards { i } else { count - 1 - i }];
                let neighbours = if downwards { &self.up } else { &self.down };
                let mut keyed: Vec<(f64, usize)> = row
                    .iter()
                    .map(|item| (mean(&neighbours[*item], &place).unwrap_or(place[*item]), *item))
                    .collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                for (i, (_, item)) in keyed.into_iter().enumerate() {
                    row[i] = item;
                    place[item] = (i as f64 + 0.5) / row.len() as f64;
                }
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.rows.clone());
            }
        }
        self.rows = best.1;
    }

    fn crossings(&self) -> usize {
        let mut place = vec![0; self.widths.len()];
        for row in &self.rows {
            for (i, item) in row.iter().enumerate() {
                place[*item] = i;
            }
        }
        let mut total = 0;
        for row in &self.rows {
            let mut ends: Vec<usize> = vec![];
            for item in row {
                let start = ends.len();
                ends.extend(self.down[*item].iter().map(|to| place[*to]));
                ends[start..].sort_unstable();
            }
            if ends.len() * ends.len() <= PAIRS {
                total += ends
                    .iter()
                    .enumerate()
                    .map(|(i, a)| ends[..i].iter().filter(|b| *b > a).count())
                    .sum::<usize>();
            }
        }
        total
    }

    fn finish(self, problem: &Problem) -> Layout {
        let mut heights = vec![0.0f64; self.rows.len()];
        for (size, layer) in problem.sizes.iter().zip(&self.layer) {
            heights[*layer] = heights[*layer].max(size.1);
        }
        let mut tops = Vec::with_capacity(heights.len());
        let mut y = MARGIN;
        for height in &heights {
            tops.push(y);
            y += height + BETWEEN;
        }
        let edge = |side: f64| {
            let ends = self.x.iter().zip(&self.widths).map(move |(x, width)| side * x + width / 2.0);
            ends.fold(f64::NEG_INFINITY, f64::max)
        };
        let (left, right) = if self.x.is_empty() { (0.0, 0.0) } else { (-edge(-1.0), edge(1.0)) };
        let middle = |item: usize| self.x[item] - left + MARGIN;
        let corner = |item: usize| {
            let (width, height) = problem.sizes[item];
            let layer = self.layer[item];
            (middle(item) - width / 2.0, tops[layer] + (heights[layer] - height) / 2.0)
        };
        let corners: Vec<(f64, f64)> = (0..self.boxes).map(corner).collect();
        let pass = |item: usize, first: bool| {
            let (top, bottom) = (tops[self.layer[item]], tops[self.layer[item]] + heights[self.layer[item]]);
            let x = middle(item);
            match corners.get(item) {
                Some(corner) if first => Pass { x, top: corner.1 + problem.sizes[item].1, bottom },
                Some(corner) => Pass { x, top, bottom: corner.1 },
                None => Pass { x, top, bottom },
            }
        };
        let route =
            |path: &Vec<usize>| path.iter().enumerate().map(|(i, item)| pass(*item, i == 0)).collect();
        let routes = self.paths.iter().map(route).collect();
        let height = y - if heights.is_empty() { 0.0 } else { BETWEEN } + MARGIN;
        Layout { corners, routes, width: right - left + 2.0 * MARGIN, height }
    }
}

fn mean(items: &[usize], place: &[f64]) -> Option<f64> {
    (!items.is_empty()).then(|| items.iter().map(|item| place[*item]).sum::<f64>() / items.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_move_down_to_their_users() {
        // 0 → 1 → 2, and 3 → 4 ← 2 with a source 3.
        let edges = [(0, 1), (1, 2), (2, 4), (3, 4)];
        let problem = Problem { sizes: &[(10.0, 10.0); 5], edges: &edges, last: &[false; 5] };
        assert_eq!(layers(&problem), [0, 1, 2, 2, 3]);
    }

    #[test]
    fn orders_untangle() {
        // Two pairs, described crosswise.
        let edges = [(0, 3), (1, 2)];
        let problem = Problem { sizes: &[(10.0, 10.0); 4], edges: &edges, last: &[false; 4] };
        let placed = layout(&problem);
        for route in &placed.routes {
            assert!((route[0].x - route[1].x).abs() < 1e-6, "{route:?}");
        }
    }
}
