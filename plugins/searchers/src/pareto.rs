//! The Pareto front of score and cost by NSGA-II: Deb et al., *A Fast and Elitist Multiobjective Genetic Algorithm:
//! NSGA-II*, IEEE Transactions on Evolutionary Computation, 2002. Unlike there, no architecture is scored twice: a child
//! that is known is made anew.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::genetic::{check_probability, check_sizes, crossover, mutate};
use crate::history::{History, Round};
use crate::score::{Score, or_worst};
use crate::sorting::{Point, Standing, fronts, standings, survivors};
use crate::space::{Space, ask_for};

/// Attempts for each child that is wanted.
const ATTEMPTS: usize = 100;

/// Settings of `pareto`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The measure whose trade-off with the score is searched: `weights`, `params`, `macs`, or another of the run.
    cost: String,
    /// Architectures that survive a generation, and that are scored in one.
    population: usize,
    /// Generations, the first one, which is random, included.
    generations: u64,
    /// Probability with which a child has two parents.
    crossover: f64,
    /// Probability with which a choice of a child is drawn anew. Default: 1 / the number of choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    mutation: Option<f64>,
    /// The score that is made the best of: `accuracy`, or `nll` (lower is better).
    score: Score,
    /// Limits by measure: `limits = { macs = 330e6 }` is the greatest value, `[300e6, 330e6]` a range.
    limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cost: "macs".into(),
            population: 50,
            generations: 20,
            crossover: 0.9,
            mutation: None,
            score: Score::default(),
            limits: Limits::default(),
        }
    }
}

pub(crate) struct Pareto {
    settings: Settings,
    /// Merit and negative cost of everything scored.
    history: History<Point>,
    /// The survivors, as indices into the history.
    population: Vec<usize>,
}

impl Pareto {
    fn points(&self, indices: &[usize]) -> Vec<Point> {
        indices.iter().map(|&index| self.history.entries()[index].1).collect()
    }

    /// The architectures of the next generation.
    fn generation(&self, space: &impl Space, random: &mut Random) -> Result<Vec<Architecture>> {
        let settings = &self.settings;
        let mut round = Round::new(space, &self.history);
        if !self.population.is_empty() {
            let standings = standings(&self.points(&self.population));
            let mutation = settings.mutation.unwrap_or(1.0 / space.allowed().len().max(1) as f64);
            round.fill(settings.population, ATTEMPTS * settings.population, || {
                let mut child = self.parent(&standings, random).to_vec();
                if random.unit() < settings.crossover {
                    child = crossover(&child, self.parent(&standings, random), random);
                }
                Ok(mutate(&child, space.allowed(), mutation, random))
            })?;
        }
        round.fill_at_random(settings.population, random)
    }

    /// The better one of two survivors.
    fn parent(&self, standings: &[Standing], random: &mut Random) -> &[u32] {
        let (one, other) = (random.below(standings.len() as u64), random.below(standings.len() as u64));
        let winner = if standings[other as usize].beats(standings[one as usize]) { other } else { one };
        &self.history.entries()[self.population[winner as usize]].0
    }

    /// Takes a scored generation: the best of it and of the population survive.
    fn take(&mut self, scored: Vec<(Architecture, Point)>) {
        for (architecture, point) in scored {
            self.population.push(self.history.entries().len());
            self.history.push(architecture, point);
        }
        let kept = survivors(&self.points(&self.population), self.settings.population);
        self.population = kept.into_iter().map(|member| self.population[member]).collect();
    }

    /// The first front of the population, from the cheapest to the dearest.
    fn front(&self) -> Vec<&(Architecture, Point)> {
        let first = fronts(&self.points(&self.population)).into_iter().next().unwrap_or_default();
        let mut front: Vec<_> =
            first.into_iter().map(|member| &self.history.entries()[self.population[member]]).collect();
        front.sort_by(|one, other| other.1[1].total_cmp(&one.1[1]));
        front
    }

    fn log_front(&self) {
        let front = self.front();
        if let (Some((_, cheapest)), Some((_, dearest))) = (front.first(), front.last()) {
            let shown = |point: &Point| {
                format!("{} at {} {}", self.settings.score.show(point[0]), -point[1], self.settings.cost)
            };
            tracing::info!(
                "{} architectures scored; the front has {}, from {} to {}",
                self.history.entries().len(),
                front.len(),
                shown(cheapest),
                shown(dearest)
            );
        }
    }
}

impl Searcher for Pareto {
    type Settings = Settings;
    const ABOUT: &'static str = "The best trade-offs between score and cost (NSGA-II).";
    const CITATION: &'static str = "@article{deb2002fast, title={A Fast and Elitist Multiobjective Genetic Algorithm: \
        {NSGA-II}}, author={Deb, Kalyanmoy and Pratap, Amrit and Agarwal, Sameer and Meyarivan, T.}, journal={IEEE \
        Transactions on Evolutionary Computation}, volume={6}, number={2}, pages={182--197}, year={2002}}";

    fn new(settings: Settings) -> Result<Self> {
        check_sizes(settings.population, settings.generations)?;
        check_probability("crossover", settings.crossover)?;
        check_probability("mutation", settings.mutation.unwrap_or(0.0))?;
        Ok(Self { settings, history: History::default(), population: Vec::new() })
    }

    fn start(&mut self, run: &Run) -> Result<()> {
        let known = run.measures()?;
        if !known.contains(&self.settings.cost) {
            return Err(Error::new(format!(
                "`cost` is the unknown measure `{}`; this run has `{}`",
                self.settings.cost,
                known.join("`, `")
            )));
        }
        self.settings.limits.check(run)
    }

    fn ask(&mut self, ask: &mut Ask) -> Result<()> {
        if ask.round() >= self.settings.generations {
            return Ok(());
        }
        ask_for(ask, &self.settings.limits, |space, random| self.generation(space, random))
    }

    fn tell(&mut self, scored: &Scored) -> Result<()> {
        let read = |entry| {
            let merit = self.settings.score.merit(scored, entry)?;
            let cost = or_worst(-scored.value(entry, &self.settings.cost)?);
            Ok((scored.architecture(entry)?, [merit, cost]))
        };
        let generation = (0..scored.count()).map(read).collect::<Result<_>>()?;
        self.take(generation);
        self.log_front();
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&(&self.population, self.history.entries()))?)
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        let (population, entries): (Vec<usize>, Vec<(Architecture, Point)>) = serde_json::from_slice(state)?;
        if population.iter().any(|&index| index >= entries.len()) {
            return Err(Error::new("the saved population is not of the saved history"));
        }
        self.population = population;
        self.history = entries.into_iter().collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nshot_sdk::testing::{self, json};

    use super::*;
    use crate::sorting::dominates;
    use crate::space::Toy;

    /// Merit grows with options as cost does, but odd choices cost without any merit.
    fn point(architecture: &[u32]) -> Point {
        let useful: u32 = architecture.iter().step_by(2).sum();
        let all: u32 = architecture.iter().sum();
        [f64::from(useful), -f64::from(all)]
    }

    fn pareto(settings: Settings) -> Pareto {
        Pareto::new(settings).unwrap()
    }

    fn advance(search: &mut Pareto, space: &Toy, key: u64, rounds: std::ops::Range<u64>) {
        for round in rounds {
            let generation = search.generation(space, &mut Random::new(key, round)).unwrap();
            assert_eq!(generation.len(), search.settings.population);
            search.take(generation.into_iter().map(|found| (found.clone(), point(&found))).collect());
        }
    }

    /// How many points of the true front, useful = all, are found.
    fn found(search: &Pareto) -> usize {
        let mut values: Vec<u32> = search
            .front()
            .iter()
            .filter(|entry| -entry.1[1] - entry.1[0] < 0.5)
            .map(|entry| entry.1[0] as u32)
            .collect();
        values.dedup();
        values.len()
    }

    #[test]
    fn it_finds_more_of_the_front_than_random_search_does() {
        // 25 different points are the true front.
        let space = Toy::new(12, 5, 48);
        for key in 0..5 {
            let mut search = pareto(Settings::default());
            advance(&mut search, &space, key, 0..20);
            let by_nsga = found(&search);
            let mut search = pareto(Settings::default());
            for round in 0..20 {
                let drawn =
                    Round::new(&space, &search.history).fill_at_random(50, &mut Random::new(key, round));
                search.take(drawn.unwrap().into_iter().map(|found| (found.clone(), point(&found))).collect());
            }
            let by_random = found(&search);
            assert!(by_nsga >= 15 && by_random <= 2, "{by_nsga} against {by_random}");
        }
    }

    #[test]
    fn the_population_keeps_its_size_and_nothing_is_scored_twice() {
        let (space, mut search) = (Toy::new(12, 5, 24), pareto(Settings::default()));
        advance(&mut search, &space, 2, 0..10);
        assert_eq!((search.population.len(), search.history.entries().len()), (50, 500));
        let mut all: Vec<_> = search.history.entries().iter().map(|entry| &entry.0).collect();
        assert!(all.iter().all(|architecture| space.admits(architecture).unwrap()));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 500);
        // Nothing in the history dominates the front.
        for (_, kept) in search.front() {
            assert!(!search.history.entries().iter().any(|entry| dominates(entry.1, *kept)));
        }
    }

    #[test]
    fn a_tournament_prefers_the_first_front() {
        let mut search = pareto(Settings { population: 2, ..Settings::default() });
        search.take(vec![(vec![0], [1.0, 1.0]), (vec![1], [0.0, 0.0])]);
        let (standings, mut random) = (standings(&search.points(&search.population)), Random::new(1, 0));
        let won = (0..1000).filter(|_| search.parent(&standings, &mut random) == [0]).count();
        // It loses only where the other one is drawn twice: one in four.
        assert!(won.abs_diff(750) < 70, "{won}");
    }

    #[test]
    fn a_resumed_search_goes_on_to_the_same_result() {
        let space = Toy::new(12, 5, 30);
        let (mut whole, mut first) = (pareto(Settings::default()), pareto(Settings::default()));
        advance(&mut whole, &space, 8, 0..9);
        advance(&mut first, &space, 8, 0..4);
        let mut second = pareto(Settings::default());
        second.load(&first.save().unwrap()).unwrap();
        advance(&mut second, &space, 8, 4..9);
        assert_eq!(whole.save().unwrap(), second.save().unwrap());
        for bytes in [&b""[..], b"[[5],[]]", b"[[],[[[1],[0.5]]]]"] {
            assert!(second.load(bytes).is_err());
        }
    }

    #[test]
    fn a_search_of_a_run_finds_the_whole_front_and_resumes_at_every_round() {
        let run = testing::run(&[("a", 4), ("b", 4), ("c", 4)]);
        let settings = json!({ "population": 12, "generations": 5 });
        // The first choice alone makes accuracy: the front has the others at 0.
        let searched = run.searcher::<Pareto>(settings).search(|options| 0.25 * f64::from(options[0]));
        assert!((0..4).all(|option| searched.asked().any(|options| *options == [option, 0, 0])));
    }
}
