//! Searchers: rounds with made-up scores.

use super::drive::{self, Drive};
use super::ground::Case;
use super::report::{Checks, Ended};
use crate::boundary::{RunView, ScoredView};
use crate::component::{Identity, Searcher};
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::rank::Score;
use crate::selection::Architecture;
use crate::train::architecture_parameters;

/// Rounds that are asked for, if the search does not end before.
const ROUNDS: u64 = 12;
/// Images of a made-up score.
const IMAGES: u64 = 1000;

/// What the made-up scores are.
#[derive(Clone, Copy)]
enum Scores {
    /// All images wrong, all right, all the same.
    None,
    All,
    /// Different ones.
    Mixed,
}

struct Driven {
    experiment: Experiment,
    searcher: Searcher,
    view: RunView,
    parameters: Vec<(String, Vec<f64>)>,
    scores: Scores,
}

pub(super) fn check(case: &Case, checks: &mut Checks) {
    checks.run("ask, tell", || {
        let mut asked = 0;
        for scores in [Scores::None, Scores::All, Scores::Mixed] {
            let mut driven = Driven::start(case, scores)?;
            for round in 0..ROUNDS {
                let Some(candidates) = driven.step(round)? else { break };
                asked += candidates.len();
            }
        }
        Ok(format!("{asked} candidates, told that all are right, all wrong, or all different"))
    });
    checks.run("one seed, one result", || {
        let (mut one, mut other) = (Driven::start(case, Scores::Mixed)?, Driven::start(case, Scores::Mixed)?);
        let rounds = same(&mut one, &mut other, 0, "two components of the same settings and seed differ")?;
        Ok(format!("{rounds} rounds, twice"))
    });
    checks.run("saved and restored", || {
        let mut whole = Driven::start(case, Scores::Mixed)?;
        let mut bytes = 0;
        for round in 0..2 {
            if whole.step(round)?.is_none() {
                return Ok(format!("the search ends after {round} rounds"));
            }
            let state = whole.save()?;
            bytes = bytes.max(state.len());
            let mut second = Driven::start(case, Scores::Mixed)?;
            second.restore(&state, &whole)?;
            let mut first = Driven::start(case, Scores::Mixed)?;
            for earlier in 0..=round {
                first.step(earlier)?;
            }
            let text = format!(
                "after `save` behind round {round}, `start` and `load`, it does not go on as it would have"
            );
            same(&mut first, &mut second, round + 1, &text)?;
        }
        Ok(format!("after one and two rounds, {bytes} bytes"))
    });
    checks.run("memory", || {
        let mut driven = Driven::start(case, Scores::Mixed)?;
        driven.step(0)?;
        let watched = drive::watch("save", |_| driven.save().map(drop));
        watched.map_err(|text| driven.identity().failure("save", &text))?
    });
}

fn same(expected: &mut Driven, found: &mut Driven, from: u64, what: &str) -> Result<u64, Ended> {
    for round in from..ROUNDS {
        let (wanted, got) = (expected.step(round)?, found.step(round)?);
        if wanted != got {
            let (got, wanted) = (drive::shown(&got), drive::shown(&wanted));
            let text = format!("{what}: round {round} asked for {got}, expected {wanted}");
            return Err(found.identity().failure("ask", &text).into());
        }
        if wanted.is_none() {
            return Ok(round);
        }
    }
    Ok(ROUNDS)
}

impl Driven {
    fn start(case: &Case, scores: Scores) -> Result<Self, Ended> {
        let experiment = case.experiment()?;
        let mut searcher = case.parts()?.searcher()?;
        let view = experiment.search_view();
        searcher.start(&view)?;
        let parameters = architecture_parameters(&experiment.initial_weights()?)?;
        Ok(Self { experiment, searcher, view, parameters, scores })
    }

    fn score(&self, architecture: &[u32]) -> Result<Score> {
        let cost = self.experiment.space.cost(architecture)?;
        let mixed = architecture.iter().fold(7_u64, |mixed, &option| {
            mixed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(option)) % 1_000_003
        });
        let correct = match self.scores {
            Scores::None => 0,
            Scores::All => IMAGES,
            Scores::Mixed => mixed % IMAGES,
        };
        Ok(Score {
            architecture: self.experiment.space.to_text(architecture)?,
            correct,
            images: IMAGES,
            mean_nll: 3.0 - 2.0 * correct as f64 / IMAGES as f64,
            weights: cost.weights,
            params: cost.params,
            macs: cost.macs,
            live_weights: cost.weights,
            stage: self.experiment.stages[0].name.clone(),
        })
    }
}

impl Drive for Driven {
    type Seen = Vec<Architecture>;
    const METHOD: &'static str = "ask";

    fn identity(&self) -> &Identity {
        self.searcher.identity()
    }

    fn step(&mut self, round: u64) -> Result<Option<Self::Seen>> {
        let asked = self.searcher.ask(&self.view, round, &self.parameters)?;
        if asked.is_empty() {
            return Ok(None);
        }
        let mut scores = Vec::with_capacity(asked.len());
        for architecture in &asked {
            if crate::rank::stage_of(&self.experiment, architecture).is_none() {
                let text = format!("no stage of the sampler holds the subnet {architecture:?}");
                return Err(Failure::new(self.identity().failure("ask", &text).message));
            }
            scores.push((architecture.clone(), self.score(architecture)?));
        }
        self.searcher.tell(&ScoredView { run: &self.view, scores: &scores })?;
        Ok(Some(asked))
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.searcher.save()
    }

    fn restore(&mut self, state: &[u8], _: &Self) -> Result<()> {
        self.searcher.load(state)
    }
}
