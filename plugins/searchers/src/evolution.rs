//! Evolution as in Guo et al., *Single Path One-Shot Neural Architecture Search with Uniform Sampling*, ECCV 2020: the
//! parents are the best of all that was scored; children come by mutation and by crossover, and where too few new ones
//! are found, the population is filled up at random. No architecture is scored twice.

use nshot_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::genetic::{check_probability, check_sizes, crossover, mutate};
use crate::history::{History, Round};
use crate::score::Score;
use crate::space::{Space, ask_for};

/// Attempts for each child that is wanted, as in the authors' code.
const ATTEMPTS: usize = 10;

/// Settings of `evolution`; the defaults are the paper's.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Architectures scored in a generation.
    population: usize,
    /// Generations, the first one, which is random, included.
    generations: u64,
    /// How many of the best so far are parents.
    parents: usize,
    /// Children by crossover of two parents in a generation. Default: half the population.
    #[serde(skip_serializing_if = "Option::is_none")]
    crossover: Option<usize>,
    /// Children by mutation of one parent in a generation. Default: half the population.
    #[serde(skip_serializing_if = "Option::is_none")]
    mutation: Option<usize>,
    /// Probability with which a mutation draws a choice anew.
    probability: f64,
    /// The score that is made the best of: `accuracy`, or `nll` (lower is better).
    score: Score,
    /// Limits by measure: `limits = { macs = 330e6 }` is the greatest value, `[300e6, 330e6]` a range.
    limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            population: 50,
            generations: 20,
            parents: 10,
            crossover: None,
            mutation: None,
            probability: 0.1,
            score: Score::default(),
            limits: Limits::default(),
        }
    }
}

impl Settings {
    fn crossover(&self) -> usize {
        self.crossover.unwrap_or(self.population / 2)
    }

    fn mutation(&self) -> usize {
        self.mutation.unwrap_or(self.population / 2)
    }
}

pub(crate) struct Evolution {
    settings: Settings,
    history: History<f64>,
}

impl Evolution {
    /// The architectures of the next generation.
    fn generation(&self, space: &impl Space, random: &mut Random) -> Result<Vec<Architecture>> {
        let settings = &self.settings;
        let (crossed, mutated) = (settings.crossover(), settings.mutation());
        let parents: Vec<&[u32]> =
            self.history.best(settings.parents).into_iter().map(|entry| &entry.0[..]).collect();
        let mut round = Round::new(space, &self.history);
        if !parents.is_empty() {
            round.fill(mutated, ATTEMPTS * mutated, || {
                Ok(mutate(random.pick(&parents), space.allowed(), settings.probability, random))
            })?;
            let size = round.len() + crossed;
            round.fill(size, ATTEMPTS * crossed, || {
                let (one, other) = (random.pick(&parents), random.pick(&parents));
                Ok(crossover(one, other, random))
            })?;
        }
        round.fill_at_random(settings.population, random)
    }
}

impl Searcher for Evolution {
    type Settings = Settings;
    const ABOUT: &'static str = "Evolution by crossover and mutation of the best so far (SPOS).";
    const CITATION: &'static str = "@inproceedings{guo2020single, title={Single Path One-Shot Neural \
        Architecture Search with Uniform Sampling}, author={Guo, Zichao and Zhang, Xiangyu and Mu, Haoyuan and \
        Heng, Wen and Liu, Zechun and Wei, Yichen and Sun, Jian}, booktitle={ECCV}, year={2020}}";

    fn new(settings: Settings) -> Result<Self> {
        check_sizes(settings.population, settings.generations)?;
        if settings.parents == 0 {
            return Err(Error::new("`parents` is 0, expected at least 1"));
        }
        let children = settings.crossover().saturating_add(settings.mutation());
        if children > settings.population {
            return Err(Error::new(format!(
                "`crossover` and `mutation` are {children} together, expected at most the population, {}",
                settings.population
            )));
        }
        check_probability("probability", settings.probability)?;
        Ok(Self { settings, history: History::default() })
    }

    fn start(&mut self, run: &Run) -> Result<()> {
        self.settings.limits.check(run)
    }

    fn ask(&mut self, ask: &mut Ask) -> Result<()> {
        if ask.round() >= self.settings.generations {
            return Ok(());
        }
        ask_for(ask, &self.settings.limits, |space, random| self.generation(space, random))
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

    const TARGET: [u32; 12] = [3, 1, 4, 1, 0, 2, 4, 3, 0, 2, 1, 3];

    /// Choices that agree with the target; neighbours that both do count once more.
    fn merit(architecture: &[u32]) -> f64 {
        let agrees: Vec<bool> = architecture.iter().zip(&TARGET).map(|(a, b)| a == b).collect();
        let single = agrees.iter().filter(|&&agrees| agrees).count();
        (single + agrees.windows(2).filter(|pair| pair[0] && pair[1]).count()) as f64
    }

    fn evolution(settings: Settings) -> Evolution {
        Evolution::new(settings).unwrap()
    }

    fn advance(search: &mut Evolution, space: &Toy, key: u64, rounds: std::ops::Range<u64>) {
        for round in rounds {
            let generation = search.generation(space, &mut Random::new(key, round)).unwrap();
            assert_eq!(generation.len(), search.settings.population);
            for architecture in generation {
                let merit = merit(&architecture);
                search.history.push(architecture, merit);
            }
        }
    }

    #[test]
    fn it_finds_the_optimum_more_often_than_random_search_does() {
        let space = Toy::new(12, 5, 48);
        let (mut by_evolution, mut by_random) = (0, 0);
        for key in 0..20 {
            let mut search = evolution(Settings::default());
            advance(&mut search, &space, key, 0..20);
            by_evolution += i32::from(search.history.best(1)[0].0 == TARGET);
            let mut search =
                evolution(Settings { crossover: Some(0), mutation: Some(0), ..Settings::default() });
            advance(&mut search, &space, key, 0..20);
            by_random += i32::from(search.history.best(1)[0].0 == TARGET);
        }
        assert!(by_evolution >= 10 && by_random == 0, "{by_evolution} against {by_random}");
    }

    #[test]
    fn nothing_is_scored_twice_and_the_limits_hold() {
        let space = Toy::new(12, 5, 24);
        let mut search = evolution(Settings::default());
        advance(&mut search, &space, 3, 0..20);
        let mut all: Vec<_> = search.history.entries().iter().map(|entry| entry.0.clone()).collect();
        assert!(all.len() == 1000 && all.iter().all(|architecture| space.admits(architecture).unwrap()));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 1000);
    }

    #[test]
    fn children_come_of_the_best() {
        let (space, settings) = (Toy::new(12, 5, 48), Settings { parents: 2, ..Settings::default() });
        let mut search = evolution(settings);
        search.history.push(vec![0; 12], 0.9);
        search.history.push(vec![1; 12], 0.8);
        search.history.push(vec![4; 12], 0.1);
        let children = search.generation(&space, &mut Random::new(1, 0)).unwrap();
        // A mutation by a tenth changes 12 of 12 choices practically never.
        assert!(children[..25].iter().all(|child| child.iter().filter(|&&option| option < 2).count() >= 4));
        assert!(children[25..].iter().all(|child| child.iter().all(|&option| option < 2)));
    }

    #[test]
    fn where_no_new_children_are_found_random_ones_fill_up() {
        let (space, mut search) =
            (Toy::new(12, 5, 48), evolution(Settings { parents: 1, ..Settings::default() }));
        search.history.push(vec![0; 12], 0.9);
        // Crossover of one parent with itself gives nothing new.
        let children = search.generation(&space, &mut Random::new(1, 0)).unwrap();
        let far = |child: &Architecture| child.iter().filter(|&&option| option != 0).count() > 5;
        assert_eq!(children.len(), 50);
        assert!(children[25..].iter().filter(|child| far(child)).count() >= 20);
    }

    #[test]
    fn a_resumed_search_goes_on_to_the_same_result() {
        let space = Toy::new(12, 5, 30);
        let (mut whole, mut first) = (evolution(Settings::default()), evolution(Settings::default()));
        advance(&mut whole, &space, 8, 0..12);
        advance(&mut first, &space, 8, 0..7);
        // Killed after it asked: what was asked for leaves no trace.
        first.generation(&space, &mut Random::new(8, 7)).unwrap();
        let mut second = evolution(Settings::default());
        second.load(&first.save().unwrap()).unwrap();
        advance(&mut second, &space, 8, 7..12);
        assert_eq!(whole.save().unwrap(), second.save().unwrap());
    }

    #[test]
    fn a_search_of_a_run_ends_near_its_optimum_and_resumes_at_every_round() {
        let choices = ["a", "b", "c", "d", "e", "f"].map(|name| (name, 5));
        let run = testing::run(&choices).measure("macs", |options| options.iter().sum::<u32>().into());
        let settings = json!({ "population": 20, "generations": 8, "limits": { "macs": 12 } });
        let searched = run.searcher::<Evolution>(settings).search(|options| {
            let apart = options.iter().zip(&TARGET).map(|(a, b)| a.abs_diff(*b)).sum::<u32>();
            1.0 - f64::from(apart) / 24.0
        });
        assert_eq!((searched.rounds.len(), searched.asked().count()), (8, 160));
        assert!(searched.asked().all(|options| options.iter().sum::<u32>() <= 12));
        assert!(searched.best().1.accuracy > 0.85, "{:?}", searched.best());
    }

    #[test]
    fn wrong_settings_are_refused() {
        let error = |settings| Evolution::new(settings).err().unwrap().text().to_owned();
        assert!(error(Settings { crossover: Some(30), ..Settings::default() }).contains("55 together"));
        assert!(error(Settings { probability: 1.5, ..Settings::default() }).contains("`probability` is 1.5"));
        assert!(Evolution::new(Settings { population: 7, ..Settings::default() }).is_ok());
        assert!(error(Settings { parents: 0, ..Settings::default() }).contains("at least 1"));
    }
}
