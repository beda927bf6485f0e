//! Where items of a layer are from left to right.

use super::layout::Net;

/// Space between boxes beside each other, and beside a passing edge.
const BESIDE: f64 = 26.0;
const LANE: f64 = 14.0;
/// Sweeps for places, odd so that the last goes down; fewer where there are many items.
const PLACE_SWEEPS: usize = 201;
const PLACE_SWEEPS_OF_MANY: usize = 41;
const MANY: usize = 1000;
/// How hard a passing edge pulls, compared with a box that has one neighbour.
const STRAIGHT: f64 = 8.0;
const ALONE: f64 = 4.0;

impl Net {
    /// Finds the centres: neighbours pull at each other, and long edges are pulled straight.
    pub(super) fn place(&mut self) {
        self.x = vec![0.0; self.widths.len()];
        for row in &self.rows {
            let offsets = self.offsets(row);
            let middle = offsets.last().copied().unwrap_or(0.0) / 2.0;
            for (item, offset) in row.iter().zip(offsets) {
                self.x[*item] = offset - middle;
            }
        }
        let count = self.rows.len();
        let sweeps = if self.widths.len() > MANY { PLACE_SWEEPS_OF_MANY } else { PLACE_SWEEPS };
        for sweep in 0..sweeps {
            let both = sweep >= sweeps - sweeps / 4;
            // Edges first go where their ends are, then get straight.
            let stiffness = if sweep < sweeps / 2 { 3.0 } else { 100.0 };
            let (up, down) = (both || sweep % 2 == 0, both || sweep % 2 == 1);
            for i in 0..count {
                let row = &self.rows[if sweep % 2 == 0 { i } else { count - 1 - i }];
                let wanted: Vec<(f64, f64)> =
                    row.iter().map(|item| self.wanted(*item, up, down, stiffness)).collect();
                let offsets = self.offsets(row);
                for (item, x) in row.iter().zip(settle(&wanted, &offsets)) {
                    self.x[*item] = x;
                }
            }
        }
        self.straighten();
    }

    /// Moves all of an edge to where a part of it is, if there is room.
    fn straighten(&mut self) {
        let mut place = vec![0; self.widths.len()];
        for row in &self.rows {
            for (i, item) in row.iter().enumerate() {
                place[*item] = i;
            }
        }
        // Twice, as one edge may make room for another.
        for path in self.paths.iter().chain(&self.paths) {
            let lanes = &path[1..path.len() - 1];
            let fits = |x: f64| {
                lanes.iter().all(|lane| {
                    let (row, i) = (&self.rows[self.layer[*lane]], place[*lane]);
                    let left = i.checked_sub(1).map(|i| row[i]);
                    let free = |other: usize, side: f64| {
                        side * (self.x[other] - x) + 1e-6 >= self.widths[other] / 2.0 + LANE
                    };
                    left.is_none_or(|other| free(other, -1.0))
                        && row.get(i + 1).is_none_or(|other| free(*other, 1.0))
                })
            };
            let ends = f64::midpoint(self.x[path[0]], self.x[path[path.len() - 1]]);
            let places = lanes.iter().map(|lane| self.x[*lane]).filter(|x| fits(*x));
            let nearest = places.min_by(|a, b| (a - ends).abs().total_cmp(&(b - ends).abs()));
            if let Some(x) = nearest {
                for lane in lanes {
                    self.x[*lane] = x;
                }
            }
        }
    }

    /// Where an item's neighbours want it, and how much.
    fn wanted(&self, item: usize, up: bool, down: bool, stiffness: f64) -> (f64, f64) {
        if let Some(lane) = item.checked_sub(self.boxes) {
            // All of an edge wants to be at one place, so that it runs straight where nothing is in its way.
            let path = &self.paths[self.lanes[lane]];
            let (ends, lanes) = (self.x[path[0]] + self.x[path[path.len() - 1]], &path[1..path.len() - 1]);
            let mean = lanes.iter().map(|lane| self.x[*lane]).sum::<f64>() / lanes.len() as f64;
            return ((stiffness * mean + ends) / (stiffness + 2.0), STRAIGHT);
        }
        let above = self.up[item].iter().filter(|_| up).map(|other| (*other, self.pull(*other, item)));
        let below = self.down[item].iter().filter(|_| down).map(|other| (*other, self.pull(item, *other)));
        let (mut sum, mut weight) = (0.0, 0.0);
        for (other, pull) in above.chain(below) {
            sum += pull * self.x[other];
            weight += pull;
        }
        if weight > 0.0 { (sum / weight, weight) } else { (self.x[item], 0.1) }
    }

    /// How hard an edge pulls its ends together: most where it is the only one of both.
    fn pull(&self, from: usize, to: usize) -> f64 {
        if self.down[from].len() == 1 && self.up[to].len() == 1 { ALONE } else { 1.0 }
    }

    /// Least distances of a row's centres from that of its first item.
    fn offsets(&self, row: &[usize]) -> Vec<f64> {
        let mut offset = 0.0;
        let mut offsets = Vec::with_capacity(row.len());
        for (i, item) in row.iter().enumerate() {
            if i > 0 {
                let lane = *item >= self.boxes || row[i - 1] >= self.boxes;
                let space = if lane { LANE } else { BESIDE };
                offset += self.widths[row[i - 1]] / 2.0 + space + self.widths[*item] / 2.0;
            }
            offsets.push(offset);
        }
        offsets
    }
}

/// The places that differ least from the `wanted` ones (place, weight; squares) and are at least as far apart
/// as the `offsets` are: isotonic regression by pooling neighbours that violate it.
fn settle(wanted: &[(f64, f64)], offsets: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = vec![];
    for ((place, weight), offset) in wanted.iter().zip(offsets) {
        let mut pool = (place - offset, *weight, 1);
        while let Some(last) = pools.last().copied()
            && last.0 > pool.0
        {
            let weight = last.1 + pool.1;
            pool = ((last.0 * last.1 + pool.0 * pool.1) / weight, weight, last.2 + pool.2);
            pools.pop();
        }
        pools.push(pool);
    }
    let places = pools.into_iter().flat_map(|(place, _, count)| std::iter::repeat_n(place, count));
    places.zip(offsets).map(|(place, offset)| place + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_order_and_apart() {
        let wanted = [(5.0, 1.0), (0.0, 1.0), (1.0, 2.0), (40.0, 1.0)];
        let places = settle(&wanted, &[0.0, 10.0, 20.0, 30.0]);
        for pair in places.windows(2) {
            assert!(pair[1] - pair[0] > 10.0 - 1e-9, "{places:?}");
        }
        assert!((places[3] - 40.0).abs() < 1e-9, "what is free stays where it is wanted: {places:?}");
        assert_eq!(settle(&[], &[]), [0.0; 0]);
    }
}
