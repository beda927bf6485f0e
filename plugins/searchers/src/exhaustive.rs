//! Exhaustive search: every architecture, in blocks.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::score::{Score, log_best};
use crate::space::{Space, ask_for};

/// Architectures of a round: some hundreds, so that little is lost when a search is stopped.
const BLOCK: usize = 500;

/// Settings of `exhaustive`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The most combinations of options that a space may have.
    max: u64,
    /// The score that says which is the best so far: `accuracy`, or `nll` (lower is better).
    score: Score,
    /// Limits by measure: `limits = { macs = 330e6 }` is the greatest value, `[300e6, 330e6]` a range.
    limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max: 1_000_000, score: Score::default(), limits: Limits::default() }
    }
}

/// How far the search is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// The first combination, by its number, of the next round.
    next: u64,
    scored: usize,
    best: Option<(Architecture, f64)>,
}

pub(crate) struct Exhaustive {
    settings: Settings,
    state: State,
    /// Where the round that was asked for ends. Not saved: a round without its scores is asked for again.
    asked_to: u64,
}

/// Number of combinations of options, or the largest number there is.
fn combinations(allowed: &[Vec<u32>]) -> u64 {
    allowed.iter().fold(1, |count, options| count.saturating_mul(options.len() as u64))
}

/// A combination by its number; the last choice changes fastest.
fn combination(mut number: u64, allowed: &[Vec<u32>]) -> Architecture {
    let mut architecture = vec![0; allowed.len()];
    for (option, options) in architecture.iter_mut().zip(allowed).rev() {
        let count = options.len() as u64;
        *option = options[(number % count) as usize];
        number /= count;
    }
    architecture
}

/// The admitted architectures from a number on, at most a block, and the number to go on from.
fn block(space: &impl Space, mut next: u64) -> Result<(Vec<Architecture>, u64)> {
    let count = combinations(space.allowed());
    let mut found = Vec::new();
    while next < count && found.len() < BLOCK {
        let architecture = combination(next, space.allowed());
        if space.admits(&architecture)? {
            found.push(architecture);
        }
        next += 1;
    }
    Ok((found, next))
}

/// Refuses a space with too many combinations.
fn check_size(allowed: &[Vec<u32>], max: u64) -> Result<()> {
    let count = combinations(allowed);
    if count <= max {
        return Ok(());
    }
    let more = if count == u64::MAX { "at least " } else { "" };
    Err(Error::new(format!(
        "the space has {more}{count} combinations of options, expected at most {max}; raise `max`, or take another \
         searcher"
    )))
}

impl Searcher for Exhaustive {
    type Settings = Settings;
    const ABOUT: &'static str = "Every architecture, in order.";

    fn new(settings: Settings) -> Result<Self> {
        Ok(Self { settings, state: State::default(), asked_to: 0 })
    }

    fn start(&mut self, run: &Run) -> Result<()> {
        self.settings.limits.check_measures(run)?;
        check_size(&run.all_allowed()?, self.settings.max)
    }

    fn ask(&mut self, ask: &mut Ask) -> Result<()> {
        let next = self.state.next;
        ask_for(ask, &self.settings.limits, |space, _| {
            let found;
            (found, self.asked_to) = block(space, next)?;
            Ok(found)
        })
    }

    fn tell(&mut self, scored: &Scored) -> Result<()> {
        for entry in 0..scored.count() {
            let merit = self.settings.score.merit(scored, entry)?;
            if self.state.best.as_ref().is_none_or(|best| merit > best.1) {
                self.state.best = Some((scored.architecture(entry)?, merit));
            }
        }
        self.state.next = self.asked_to;
        self.state.scored += scored.count() as usize;
        let best = self.state.best.as_ref().map(|best| (&best.0[..], best.1));
        log_best(&scored.run(), self.settings.score, self.state.scored, best)
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&self.state)?)
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        self.state = serde_json::from_slice(state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Toy;

    #[test]
    fn combinations_are_counted_and_numbered() {
        let allowed = [vec![3, 5], vec![0, 1, 2], vec![9]];
        assert_eq!(combinations(&allowed), 6);
        let all: Vec<_> = (0..6).map(|number| combination(number, &allowed)).collect();
        assert_eq!(
            all,
            [[3, 0, 9], [3, 1, 9], [3, 2, 9], [5, 0, 9], [5, 1, 9], [5, 2, 9]].map(|found| found.to_vec())
        );
        assert_eq!(combinations(&vec![vec![0; 7]; 40]), u64::MAX);
    }

    #[test]
    fn blocks_cover_what_is_admitted_once() {
        // 4^6 combinations, of which some sum up to more than 10.
        let space = Toy::new(6, 4, 10);
        let (mut all, mut next) = (Vec::new(), 0);
        loop {
            let (found, after) = block(&space, next).unwrap();
            assert_eq!(block(&space, next).unwrap(), (found.clone(), after));
            if found.is_empty() {
                break;
            }
            assert!(found.len() == BLOCK || after == 4096);
            all.extend(found);
            next = after;
        }
        let expected: Vec<_> = (0..4096)
            .map(|number| combination(number, space.allowed()))
            .filter(|architecture| architecture.iter().sum::<u32>() <= 10)
            .collect();
        assert!(expected.len() > 2 * BLOCK);
        assert_eq!(all, expected);
    }

    #[test]
    fn too_large_a_space_is_refused() {
        let allowed = vec![vec![0; 5]; 6];
        assert!(check_size(&allowed, 15_625).is_ok());
        let error = check_size(&allowed, 15_624).unwrap_err();
        assert!(
            error.text().starts_with("the space has 15625 combinations of options, expected at most 15624")
        );
        assert!(check_size(&vec![vec![0; 7]; 40], 9).unwrap_err().text().contains("at least"));
    }

    #[test]
    fn a_search_of_a_run_scores_every_valid_architecture_once_and_resumes_at_every_round() {
        let run = nshot_sdk::testing::run(&[("a", 3), ("b", 4), ("c", 2)])
            .valid(|options| options[0] != options[1]);
        let searched = run.searcher::<Exhaustive>(()).search(|options| f64::from(options[2]));
        let mut asked: Vec<_> = searched.asked().cloned().collect();
        asked.sort();
        assert_eq!(asked, run.architectures());
    }
}
