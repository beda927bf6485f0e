//! Non-dominated sorting and crowding: Deb et al., *A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II*,
//! IEEE Transactions on Evolutionary Computation, 2002.

/// Two objectives; of both, more is better.
pub(crate) type Point = [f64; 2];

/// Whether a point is nowhere worse than another, and somewhere better.
pub(crate) fn dominates(one: Point, other: Point) -> bool {
    one[0] >= other[0] && one[1] >= other[1] && (one[0] > other[0] || one[1] > other[1])
}

/// The fronts, as indices in ascending order: the first is dominated by nothing, each next one by earlier ones only.
pub(crate) fn fronts(points: &[Point]) -> Vec<Vec<usize>> {
    let mut dominated: Vec<Vec<usize>> = vec![Vec::new(); points.len()];
    let mut dominators = vec![0_usize; points.len()];
    for (one, &point) in points.iter().enumerate() {
        for (other, &against) in points.iter().enumerate() {
            if dominates(point, against) {
                dominated[one].push(other);
                dominators[other] += 1;
            }
        }
    }
    let mut front: Vec<usize> = (0..points.len()).filter(|&index| dominators[index] == 0).collect();
    let mut fronts = Vec::new();
    while !front.is_empty() {
        let mut next = Vec::new();
        for &other in front.iter().flat_map(|&index| &dominated[index]) {
            dominators[other] -= 1;
            if dominators[other] == 0 {
                next.push(other);
            }
        }
        next.sort_unstable();
        fronts.push(std::mem::replace(&mut front, next));
    }
    fronts
}

/// The crowding distance of each member of a front: how far its neighbours are apart in each objective, as a share of
/// the front's extent; infinite for the outermost.
pub(crate) fn crowding(points: &[Point], front: &[usize]) -> Vec<f64> {
    let mut distances = vec![0.0; front.len()];
    for objective in [0, 1] {
        let value = |member: usize| points[front[member]][objective];
        let mut order: Vec<usize> = (0..front.len()).collect();
        order.sort_by(|&one, &other| value(one).total_cmp(&value(other)));
        let (Some(&first), Some(&last)) = (order.first(), order.last()) else { break };
        distances[first] = f64::INFINITY;
        distances[last] = f64::INFINITY;
        let extent = value(last) - value(first);
        if extent > 0.0 {
            for neighbours in order.windows(3) {
                distances[neighbours[1]] += (value(neighbours[2]) - value(neighbours[0])) / extent;
            }
        }
    }
    distances
}

/// Where a point stands: the number of its front, from 0, and its crowding distance there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Standing {
    pub(crate) front: usize,
    pub(crate) distance: f64,
}

impl Standing {
    /// Whether it is in an earlier front, or in the same one where it is less crowded.
    pub(crate) fn beats(self, other: Self) -> bool {
        self.front < other.front || (self.front == other.front && self.distance > other.distance)
    }
}

/// The standing of each point.
pub(crate) fn standings(points: &[Point]) -> Vec<Standing> {
    let mut standings = vec![Standing { front: 0, distance: 0.0 }; points.len()];
    for (number, front) in fronts(points).into_iter().enumerate() {
        for (&index, distance) in front.iter().zip(crowding(points, &front)) {
            standings[index] = Standing { front: number, distance };
        }
    }
    standings
}

/// Indices, in ascending order, of those that survive: of earlier fronts, and of the last one the least crowded.
pub(crate) fn survivors(points: &[Point], count: usize) -> Vec<usize> {
    let standings = standings(points);
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&one, &other| {
        let (one, other) = (standings[one], standings[other]);
        one.front.cmp(&other.front).then(other.distance.total_cmp(&one.distance))
    });
    order.truncate(count);
    order.sort_unstable();
    order
}

#[cfg(test)]
mod tests {
    use nshot_sdk::Random;

    use super::*;

    /// By definition: takes away what nothing left dominates, again and again.
    fn slow_fronts(points: &[Point]) -> Vec<Vec<usize>> {
        let mut left: Vec<usize> = (0..points.len()).collect();
        let mut fronts = Vec::new();
        while !left.is_empty() {
            let free = |&index: &usize| !left.iter().any(|&other| dominates(points[other], points[index]));
            let front: Vec<usize> = left.iter().copied().filter(free).collect();
            left.retain(|index| !front.contains(index));
            fronts.push(front);
        }
        fronts
    }

    /// Few different values, so that there are many ties.
    fn scatter(count: u64, values: u64, position: u64) -> Vec<Point> {
        let mut random = Random::new(4, position);
        (0..count).map(|_| [random.below(values) as f64, -(random.below(values) as f64)]).collect()
    }

    #[test]
    fn domination_is_as_defined() {
        assert!(dominates([2.0, 1.0], [1.0, 1.0]) && dominates([2.0, 2.0], [1.0, 1.0]));
        for other in [[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]] {
            assert!(!dominates([1.0, 1.0], other));
        }
    }

    #[test]
    fn the_fast_sort_gives_the_fronts_of_the_definition() {
        for position in 0..200 {
            let points = scatter(1 + position % 60, 2 + position % 15, position);
            assert_eq!(fronts(&points), slow_fronts(&points), "{points:?}");
        }
        assert!(fronts(&[]).is_empty());
    }

    #[test]
    fn crowding_is_the_share_of_the_extent_between_neighbours() {
        let points = [[0.0, 0.0], [1.0, -10.0], [4.0, -20.0], [8.0, -40.0], [99.0, 99.0]];
        let distances = crowding(&points, &[0, 1, 2, 3]);
        assert_eq!(
            distances,
            [f64::INFINITY, 4.0 / 8.0 + 20.0 / 40.0, 7.0 / 8.0 + 30.0 / 40.0, f64::INFINITY]
        );
        assert_eq!(crowding(&points, &[2]), [f64::INFINITY]);
        assert!(crowding(&points, &[]).is_empty());
        // All equal: nothing to divide by.
        assert_eq!(crowding(&[[1.0, 1.0]; 3], &[0, 1, 2]), [f64::INFINITY, 0.0, f64::INFINITY]);
        // The worst figure there is keeps distances finite or infinite, never undefined.
        let worst = [[f64::MIN, 0.0], [0.5, -1.0], [0.9, -2.0]];
        assert!(crowding(&worst, &[0, 1, 2]).iter().all(|distance| !distance.is_nan()));
    }

    #[test]
    fn survivors_are_of_earlier_fronts_and_less_crowded() {
        // The first front has two points, the second four, of which the second is crowded most.
        let points = [[10.0, 9.0], [9.0, 10.0], [4.0, -1.0], [3.0, 0.0], [2.9, 0.1], [-1.0, 4.0]];
        assert_eq!(fronts(&points), [vec![0, 1], vec![2, 3, 4, 5]]);
        assert_eq!(survivors(&points, 2), [0, 1]);
        assert_eq!(survivors(&points, 4), [0, 1, 2, 5]);
        assert_eq!(survivors(&points, 5), [0, 1, 2, 4, 5]);
        assert_eq!(survivors(&points, 9).len(), 6);
        for position in 0..50 {
            let points = scatter(40, 12, position);
            let (kept, all) = (survivors(&points, 20), standings(&points));
            let last = kept.iter().map(|&index| all[index].front).max().unwrap();
            let earlier = (0..40).filter(|&index| all[index].front < last);
            assert!(kept.len() == 20 && earlier.into_iter().all(|index| kept.contains(&index)));
        }
    }

    #[test]
    fn an_earlier_front_beats_a_lesser_crowd() {
        let standing = |front, distance| Standing { front, distance };
        assert!(standing(0, 0.1).beats(standing(1, f64::INFINITY)));
        assert!(standing(1, 0.2).beats(standing(1, 0.1)) && !standing(1, 0.1).beats(standing(1, 0.1)));
    }
}
