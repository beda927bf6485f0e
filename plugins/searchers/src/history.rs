//! What a search has scored, and the new architectures of a round.

use std::collections::HashSet;

use nshot_sdk::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::score::{Score, log_best};
use crate::space::Space;

/// Random draws for a round, beyond twice its size, before the space counts as used up.
const DRAWS: usize = 10_000;

/// Everything that was scored, in order, with a figure of a type of the searcher's.
pub(crate) struct History<F> {
    entries: Vec<(Architecture, F)>,
    seen: HashSet<Architecture>,
}

impl<F> Default for History<F> {
    fn default() -> Self {
        Self { entries: Vec::new(), seen: HashSet::new() }
    }
}

impl<F> FromIterator<(Architecture, F)> for History<F> {
    fn from_iter<I: IntoIterator<Item = (Architecture, F)>>(entries: I) -> Self {
        let entries: Vec<_> = entries.into_iter().collect();
        let seen = entries.iter().map(|(architecture, _)| architecture.clone()).collect();
        Self { entries, seen }
    }
}

impl<F: Serialize + DeserializeOwned> History<F> {
    /// All entries, in the order in which they were scored.
    pub(crate) fn entries(&self) -> &[(Architecture, F)] {
        &self.entries
    }

    /// Adds a scored architecture.
    pub(crate) fn push(&mut self, architecture: Architecture, figure: F) {
        self.seen.insert(architecture.clone());
        self.entries.push((architecture, figure));
    }

    /// The entries as JSON.
    pub(crate) fn save(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&self.entries)?)
    }

    /// Takes back saved entries.
    pub(crate) fn load(&mut self, state: &[u8]) -> Result<()> {
        let entries: Vec<(Architecture, F)> = serde_json::from_slice(state)?;
        *self = entries.into_iter().collect();
        Ok(())
    }
}

impl History<f64> {
    /// Takes the scores of a round, and tells of the best so far.
    pub(crate) fn tell(&mut self, scored: &Scored, score: Score) -> Result<()> {
        for entry in 0..scored.count() {
            self.push(scored.architecture(entry)?, score.merit(scored, entry)?);
        }
        let best = self.best(1).first().map(|entry| (&entry.0[..], entry.1));
        log_best(&scored.run(), score, self.entries().len(), best)
    }

    /// The best entries, best first; of equal ones the earlier.
    pub(crate) fn best(&self, count: usize) -> Vec<&(Architecture, f64)> {
        let mut order: Vec<_> = self.entries.iter().collect();
        order.sort_by(|one, other| other.1.total_cmp(&one.1));
        order.truncate(count);
        order
    }
}

/// The architectures of a round: all different, none scored before.
pub(crate) struct Round<'a, S> {
    space: &'a S,
    seen: &'a HashSet<Architecture>,
    new: HashSet<Architecture>,
    chosen: Vec<Architecture>,
}

impl<'a, S: Space> Round<'a, S> {
    pub(crate) fn new<F>(space: &'a S, history: &'a History<F>) -> Self {
        Self { space, seen: &history.seen, new: HashSet::new(), chosen: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Adds what `make` makes until the round has `size` architectures, or so many attempts were made.
    pub(crate) fn fill(
        &mut self,
        size: usize,
        attempts: usize,
        mut make: impl FnMut() -> Result<Architecture>,
    ) -> Result<()> {
        for _ in 0..attempts {
            if self.chosen.len() >= size {
                break;
            }
            let made = make()?;
            let known = self.seen.contains(&made) || self.new.contains(&made);
            if !known && self.space.admits(&made)? {
                self.new.insert(made.clone());
                self.chosen.push(made);
            }
        }
        Ok(())
    }

    /// Adds random ones until the round has `size` architectures, or none are left that can be found.
    pub(crate) fn fill_at_random(mut self, size: usize, random: &mut Random) -> Result<Vec<Architecture>> {
        let space = self.space;
        self.fill(size, DRAWS + 2 * size, || space.draw(random))?;
        if self.chosen.len() < size {
            tracing::warn!(
                "only {} of {size} new architectures were found; most of the space is scored",
                self.chosen.len()
            );
        }
        Ok(self.chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Toy;

    #[test]
    fn a_round_has_no_architecture_twice_and_none_of_the_history() {
        let space = Toy::new(3, 2, 2);
        let mut history = History::default();
        history.push(vec![0, 0, 0], 0.5);
        let round = Round::new(&space, &history);
        // Eight combinations; one is scored, one is not admitted.
        let mut found = round.fill_at_random(20, &mut Random::new(1, 0)).unwrap();
        found.sort();
        assert_eq!(found.len(), 6);
        found.dedup();
        assert_eq!(found.len(), 6);
        assert!(!found.contains(&vec![0, 0, 0]) && !found.contains(&vec![1, 1, 1]));
    }

    #[test]
    fn attempts_are_counted() {
        let space = Toy::new(3, 2, 2);
        let history = History::<f64>::default();
        let mut round = Round::new(&space, &history);
        let mut made = 0;
        let same = || {
            made += 1;
            Ok(vec![1, 0, 0])
        };
        round.fill(2, 30, same).unwrap();
        assert_eq!((round.len(), made), (1, 30));
    }

    #[test]
    fn the_best_come_first_and_of_equal_ones_the_earlier() {
        let mut history = History::default();
        for (option, merit) in [0.1, 0.7, f64::MIN, 0.9, 0.7].into_iter().enumerate() {
            history.push(vec![option as u32], merit);
        }
        let order: Vec<u32> = history.best(4).into_iter().map(|(architecture, _)| architecture[0]).collect();
        assert_eq!(order, [3, 1, 4, 0]);
    }

    #[test]
    fn a_saved_history_comes_back_exactly() {
        let mut history = History::default();
        history.push(vec![1, 2], 0.1 + 0.2);
        history.push(vec![2, 1], f64::MIN);
        let mut loaded = History::<f64>::default();
        loaded.load(&history.save().unwrap()).unwrap();
        assert_eq!(loaded.entries(), history.entries());
        assert_eq!(loaded.seen, history.seen);
        for bytes in [&b""[..], b"[[1]]", b"{", &[0xff; 9]] {
            assert!(loaded.load(bytes).is_err());
        }
    }
}
