//! Search: a searcher asks for scores in rounds, with the trained supernets of a run.
//!
//! | file of `search/NAME` in a run directory | holds |
//! |---|---|
//! | `manifest.toml`, `lock.json` | what the search is made of |
//! | `candidates.csv` | every scored subnet, in the order in which they were asked for first |
//! | `rounds.csv` | a line for each round: what was asked for, the best so far |
//! | `state.json` | the searcher's own state after the last whole round: what a killed search goes on from |
//! | `rounds.svg` | a picture of the rounds |
//! | `result.json` | the best, at the end |

mod command;
mod rounds;

use std::collections::HashMap;
use std::path::Path;

use nshot_graph::Role;
use serde::Serialize;

use crate::boundary::{ScoredView, take_scalars};
use crate::component::Searcher;
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::progress::{Figures, Progress, say};
use crate::rank::{Appender, Images, Score, Scorer, Supernets, stage_of, whole_lines};
use crate::report::{scores_table, trimmed};
use crate::run_directory::{SEARCHES, record, sync_folder, write_atomically};
use crate::selection::Architecture;
use crate::signals::{self, Signal};
use crate::train::architecture_parameters;
use rounds::{Rounds, STATE, State};

pub(crate) use command::forget_unbegun;
pub use command::{Options, search};

/// Every scored subnet.
const CANDIDATES: &str = "candidates.csv";
/// So many of the front are printed.
const SHOWN: usize = 20;
/// From so many rounds in which nothing new was asked for, that is said: it may be a search without end.
const WITHOUT_NEW: u64 = 256;
/// The best, at the end.
const RESULT: &str = "result.json";

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Searched {
    /// The searcher.
    pub searcher: String,
    /// Rounds.
    pub rounds: u64,
    /// Different subnets that were scored.
    pub scored: usize,
    /// The best of them, best first.
    pub best: Vec<Score>,
    /// The measure of the front: the searcher's setting `cost`, or `macs`.
    pub cost: String,
    /// Those that no other beats in accuracy at as low a cost, by falling accuracy.
    pub front: Vec<OnFront>,
}

/// A subnet on the front.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OnFront {
    /// Its cost.
    pub cost: f64,
    /// Its score.
    #[serde(flatten)]
    pub score: Score,
}

/// How a search ended.
pub enum Ended {
    /// The searcher asks for no more.
    Done(Searched),
    /// A signal came; the same command goes on.
    Stopped(Signal),
}

/// Searches until the searcher asks for nothing more. `folder` is there; what an earlier process left in it is taken
/// over.
///
/// # Errors
/// The searcher fails, or asks for a subnet that no stage holds; a subnet cannot be scored; a file cannot be written.
pub fn carry_out(
    experiment: &Experiment,
    searcher: &mut Searcher,
    run_directory: &Path,
    folder: &Path,
    top: usize,
    quiet: bool,
) -> Result<Ended> {
    let view = experiment.search_view();
    searcher.start(&view)?;
    let state = State::read(folder)?;
    let mut rounds = Rounds::open(folder, state.as_ref())?;
    if let Some(state) = &state {
        searcher.load(&state.searcher)?;
    }
    let mut pool = Pool::open(experiment, run_directory, folder, state.map_or(0, |state| state.scored))?;
    let mut progress = Progress::start("search", 0, quiet);
    let parameters = pool.parameters()?;
    let mut without_new = 0_u64;
    loop {
        // A round may need no scores that are not known.
        if let Some(signal) = signals::stop_requested() {
            progress.finish("");
            return Ok(Ended::Stopped(signal));
        }
        let (round, known) = (rounds.count(), pool.order.len());
        let asked = searcher.ask(&view, round, &parameters)?;
        if asked.is_empty() {
            break;
        }
        let mut scores = Vec::with_capacity(asked.len());
        for architecture in asked {
            let Some(score) = pool.score(&architecture, searcher, &mut progress)? else {
                let signal = signals::stop_requested().unwrap_or(Signal::Interrupt);
                progress.finish("");
                return Ok(Ended::Stopped(signal));
            };
            scores.push((architecture, score));
        }
        searcher.tell(&ScoredView { run: &view, scores: &scores })?;
        rounds.push(round, &scores)?;
        pool.file.sync()?;
        let (saved, rounds_bytes) = (searcher.save()?, rounds.sync()?);
        State { round: round + 1, searcher: saved, rounds_bytes, scored: pool.order.len() }.write(folder)?;
        // Figures go with steps of training; a search has none.
        drop(take_scalars());
        progress.say(&rounds.line());
        without_new = if pool.order.len() > known { 0 } else { without_new + 1 };
        if without_new >= WITHOUT_NEW && without_new.is_power_of_two() {
            let identity = searcher.identity().method("ask");
            let text = format!("{identity}: nothing new was asked for in the last {without_new} rounds");
            say(&format!("warning: {text}"));
            record("warn", &text);
        }
    }
    progress.finish("");
    if pool.order.is_empty() {
        return Err(searcher
            .identity()
            .failure("ask", "not one subnet was asked for")
            .hint("nothing may meet `limits`, or the settings ask for none"));
    }
    rounds.draw(folder)?;
    let setting = experiment.manifest.search.as_ref().and_then(|table| table.settings.get("cost")?.as_str());
    let known = |name: &&str| experiment.space.measures().contains(name);
    let cost = setting.filter(known).unwrap_or("macs").to_owned();
    let searched = Searched {
        searcher: searcher.identity().name.clone(),
        rounds: rounds.count(),
        scored: pool.order.len(),
        best: pool.best(top),
        front: pool.front(&cost)?,
        cost,
    };
    write_atomically(&folder.join(RESULT), &serde_json::to_vec_pretty(&searched)?)?;
    sync_folder(folder)?;
    Ok(Ended::Done(searched))
}

/// Scores by architecture, each computed once.
struct Pool<'a> {
    experiment: &'a Experiment,
    supernets: Supernets<'a>,
    images: Images,
    known: HashMap<Architecture, Score>,
    order: Vec<Architecture>,
    best_accuracy: f64,
    file: Appender,
}

impl<'a> Pool<'a> {
    /// Takes over the scores that are there, at least `wanted`.
    fn open(
        experiment: &'a Experiment,
        run_directory: &'a Path,
        folder: &Path,
        wanted: usize,
    ) -> Result<Self> {
        let path = folder.join(CANDIDATES);
        let again =
            format!("`{STATE}` beside it: the search then begins again, with the scores that are there");
        let scores = whole_lines(&path);
        let scores = scores.map_err(|failure| failure.hint(format!("remove that line, and {again}")))?;
        if scores.len() < wanted {
            let found = scores.len();
            let damaged = format!("`{}` has {found} whole lines, expected at least {wanted}", path.display());
            return Err(Failure::new(damaged).hint(format!("remove {again}")));
        }
        let file = Appender::open(&path, &scores)?;
        let (mut known, mut order) = (HashMap::new(), Vec::new());
        for score in scores {
            let architecture = experiment.space.parse(&score.architecture)?;
            order.push(architecture.clone());
            known.insert(architecture, score);
        }
        let best_accuracy = known.values().map(Score::accuracy).fold(0.0, f64::max);
        let (supernets, images) = (Supernets::of(experiment, run_directory), Images::of(experiment)?);
        Ok(Self { experiment, supernets, images, known, order, best_accuracy, file })
    }

    /// The score of an architecture; none if a signal came first.
    fn score(
        &mut self,
        architecture: &Architecture,
        searcher: &Searcher,
        progress: &mut Progress,
    ) -> Result<Option<Score>> {
        if let Some(known) = self.known.get(architecture) {
            return Ok(Some(known.clone()));
        }
        if signals::stop_requested().is_some() {
            return Ok(None);
        }
        let Some(stage) = stage_of(self.experiment, architecture) else {
            let text = self.experiment.space.to_text(architecture)?;
            let wrong = format!("no stage of the sampler holds the subnet `{text}`");
            return Err(searcher.identity().failure("ask", &wrong));
        };
        let scorer = Scorer::new(self.experiment, &self.images, 1.0)?;
        let name = &self.experiment.stages[stage].name;
        let score = scorer.score(self.supernets.get(stage)?, name, architecture)?;
        self.file.append(&score)?;
        self.known.insert(architecture.clone(), score.clone());
        self.order.push(architecture.clone());
        self.best_accuracy = self.best_accuracy.max(score.accuracy());
        let best = Some(self.best_accuracy);
        progress.advance(1, &Figures { images: score.images, best, ..Figures::default() });
        Ok(Some(score))
    }

    /// Values of the parameters of the role `architecture`; of several stages, those of the last.
    fn parameters(&mut self) -> Result<Vec<(String, Vec<f64>)>> {
        if !self.experiment.space.parameters().iter().any(|spec| spec.role == Role::Architecture) {
            return Ok(Vec::new());
        }
        let last = self.experiment.stages.len().saturating_sub(1);
        architecture_parameters(self.supernets.get(last)?)
    }

    /// The best, in the order of a ranking; of equal ones, the one asked for first.
    fn best(&self, top: usize) -> Vec<Score> {
        Score::best(self.order.iter().map(|architecture| self.known[architecture].clone()).collect(), top)
    }

    /// Those that no other beats in accuracy at as low a cost.
    fn front(&self, cost: &str) -> Result<Vec<OnFront>> {
        let mut all = Vec::with_capacity(self.order.len());
        for architecture in &self.order {
            let value = self.experiment.space.complexity(architecture, cost);
            let cost = value.map_err(|refusal| Failure::new(refusal.text()))?;
            all.push(OnFront { cost, score: self.known[architecture].clone() });
        }
        all.sort_by(|a, b| b.score.accuracy().total_cmp(&a.score.accuracy()).then(a.cost.total_cmp(&b.cost)));
        let mut least = f64::INFINITY;
        all.retain(|entry| {
            let on_front = entry.cost < least;
            least = least.min(entry.cost);
            on_front
        });
        Ok(all)
    }
}

impl Searched {
    /// Tables for people.
    pub fn text(&self) -> String {
        let (rounds, scored) = (self.rounds, self.scored);
        let mut text = format!(
            "`{}` scored {scored} subnets in {rounds} rounds; the best {}:\n\n",
            self.searcher,
            self.best.len()
        );
        text += &format!("{}\n", scores_table(&self.best));
        text += &format!("accuracy against {}: no other is as good at less", self.cost);
        let (all, shown) = (self.front.len(), self.front.len().min(SHOWN));
        text += &if all > shown { format!(" (the first {shown} of {all})\n\n") } else { "\n\n".to_owned() };
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(["", "architecture", "accuracy", &self.cost]);
        for (index, entry) in self.front[..shown].iter().enumerate() {
            let accuracy = format!("{:.2} %", 100.0 * entry.score.accuracy());
            let number = (index + 1).to_string();
            table.add_row([number, entry.score.architecture.clone(), accuracy, entry.cost.to_string()]);
        }
        text + &trimmed(&table) + "\n"
    }
}

/// The folder of a search must be made before anything is written in it.
pub(crate) fn folder(run_directory: &Path, name: &str) -> Result<std::path::PathBuf> {
    let folder = run_directory.join(SEARCHES).join(name);
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    Ok(folder)
}
