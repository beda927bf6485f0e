//! Random search: Li and Talwalkar, *Random Search and Reproducibility for Neural Architecture Search*, UAI 2019.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::history::{History, Round};
use crate::score::Score;
use crate::space::{Space, ask_for};

/// Architectures of a round.
const BLOCK: usize = 100;

/// Settings of `random`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// How many different architectures are scored.
    count: usize,
    /// The score that says which is the best so far: `accuracy`, or `nll` (lower is better).
    score: Score,
    /// Limits by measure: `limits = { macs = 330e6 }` is the greatest value, `[300e6, 330e6]` a range.
    limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self { count: 1000, score: Score::default(), limits: Limits::default() }
    }
}

pub(crate) struct RandomSearch {
    settings: Settings,
    history: History<f64>,
}

impl RandomSearch {
    fn block(&self, space: &impl Space, random: &mut Random) -> Result<Vec<Architecture>> {
        let missing = self.settings.count.saturating_sub(self.history.entries().len());
        if missing == 0 {
            return Ok(Vec::new());
        }
        Round::new(space, &self.history).fill_at_random(missing.min(BLOCK), random)
    }
}

impl Searcher for RandomSearch {
    type Settings = Settings;
    const ABOUT: &'static str = "Different architectures, drawn uniformly.";
    const CITATION: &'static str = "@inproceedings{li2019random, title={Random Search and Reproducibility for Neural \
        Architecture Search}, author={Li, Liam and Talwalkar, Ameet}, booktitle={UAI}, year={2019}}";

    fn new(settings: Settings) -> Result<Self> {
        if settings.count == 0 {
            return Err(Error::new("`count` is 0, expected at least 1"));
        }
        Ok(Self { settings, history: History::default() })
    }

    fn start(&mut self, run: &Run) -> Result<()> {
        self.settings.limits.check(run)
    }

    fn ask(&mut self, ask: &mut Ask) -> Result<()> {
        ask_for(ask, &self.settings.limits, |space, random| self.block(space, random))
    }

    fn tell(&mut self, scored: &Scored) -> Result<()> {
        self.history.tell(scored, self.settings.score)
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.history.save()
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        self.history.load(state)
    }
}

#[cfg(test)]
mod tests {
    use nshot_sdk::testing::{self, json};

    use super::*;
    use crate::space::Toy;

    fn run(count: usize, space: &Toy) -> RandomSearch {
        let mut search = RandomSearch::new(Settings { count, ..Settings::default() }).unwrap();
        for round in 0.. {
            let block = search.block(space, &mut Random::new(5, round)).unwrap();
            if block.is_empty() {
                break;
            }
            assert!(block.len() <= BLOCK);
            for architecture in block {
                search.history.push(architecture, 0.0);
            }
        }
        search
    }

    #[test]
    fn the_count_is_reached_in_blocks_of_different_architectures() {
        let search = run(250, &Toy::new(5, 4, 15));
        let mut all: Vec<_> = search.history.entries().iter().map(|entry| &entry.0).collect();
        assert_eq!(all.len(), 250);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 250);
    }

    #[test]
    fn a_small_space_ends_the_search() {
        assert_eq!(run(1000, &Toy::new(4, 3, 8)).history.entries().len(), 81);
        assert!(RandomSearch::new(Settings { count: 0, ..Settings::default() }).is_err());
    }

    #[test]
    fn a_search_of_a_run_scores_what_is_within_the_limits_and_resumes_at_every_round() {
        let run = testing::run(&[("a", 5), ("b", 5), ("c", 5)]);
        let settings = json!({ "count": 30, "limits": { "macs": 6 } });
        let searched = run.searcher::<RandomSearch>(settings).search(|_| 0.5);
        assert_eq!(searched.asked().count(), 30);
        assert!(searched.asked().all(|options| options.iter().sum::<u32>() < 6));
        let text = testing::refused(|| {
            run.searcher::<RandomSearch>(json!({ "limits": { "ms": 6 } })).search(|_| 0.5)
        });
        assert!(text.contains("in `start`: `limits` has the unknown measure `ms`"), "{text}");
    }
}
