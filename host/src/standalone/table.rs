//! The table at the end: a line for each architecture.

use std::path::PathBuf;

use serde::Serialize;

use super::Job;
use super::trained::{Done, Trained};
use crate::experiment::Parts;
use crate::failure::{Failure, Result};
use crate::run_directory::RunDirectory;
use crate::stdout;

/// The table.
const TABLE: &str = "table.csv";

/// What the trainings came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The table.
    pub table: PathBuf,
    /// Architectures in it.
    pub architectures: usize,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Kendall's tau-b between the accuracies of each two seeds: how much of a ranking the training's own noise leaves,
    /// and so the most that a ranking can be expected to agree with one seed's.
    pub tau_between_seeds: Vec<f64>,
    /// The same between the mean accuracies over every second seed and those over the others, which are nearer to the
    /// table's; from two seeds on.
    pub tau_between_halves: Option<f64>,
    /// Least, middle and greatest mean accuracy, in percent.
    pub accuracies: [f64; 3],
    /// Seconds of training, all trainings together.
    pub training_seconds: f64,
}

/// Writes the table: `arch`, costs, mean accuracy over the seeds in percent, mean negative log-likelihood in nats, and
/// each seed's accuracy.
pub(super) fn write(
    parts: &Parts,
    directory: &RunDirectory,
    jobs: &[Job],
    trained: &Done,
) -> Result<Summary> {
    let seeds = parts.manifest.standalone.as_ref().map(|config| config.seeds.clone()).unwrap_or_default();
    let find = |job: &Job| trained.get(&(job.text.clone(), job.seed));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["arch", "weights", "params", "macs", "accuracy", "nll"].map(str::to_owned);
    writer
        .write_record(header.into_iter().chain(seeds.iter().map(|seed| format!("accuracy_seed_{seed}"))))?;
    let (mut by_seed, mut means) = (vec![Vec::new(); seeds.len()], Vec::new());
    for group in jobs.chunks(seeds.len().max(1)) {
        let rows: Vec<&Trained> = group.iter().filter_map(find).collect();
        let Some(first) = rows.first() else { continue };
        let percents: Vec<f64> = rows.iter().map(|row| 100.0 * row.accuracy()).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let nll = mean(&rows.iter().map(|row| row.mean_nll).collect::<Vec<_>>());
        let costs = [first.weights, first.params, first.macs].map(|cost| cost.to_string());
        let figures = [format!("{:.4}", mean(&percents)), format!("{nll:.6}")];
        let each = percents.iter().map(|percent| format!("{percent:.4}"));
        writer.write_record([first.arch.clone()].into_iter().chain(costs).chain(figures).chain(each))?;
        means.push(mean(&percents));
        percents.iter().zip(&mut by_seed).for_each(|(percent, of_seed)| of_seed.push(*percent));
    }
    let bytes = writer.into_inner().map_err(|error| Failure::new(error.to_string()))?;
    directory.write(TABLE, &bytes)?;
    let mut tau_between_seeds = Vec::new();
    for (index, a) in by_seed.iter().enumerate() {
        tau_between_seeds.extend(by_seed[..index].iter().filter_map(|b| nshot_table::kendall(b, a)));
    }
    let architectures = means.len();
    means.sort_by(f64::total_cmp);
    let at = |part: usize| means.get((architectures.max(1) - 1) * part / 2).copied().unwrap_or(f64::NAN);
    Ok(Summary {
        table: std::path::absolute(directory.join(TABLE))?,
        architectures,
        seeds,
        tau_between_seeds,
        tau_between_halves: tau_between_halves(&by_seed),
        accuracies: [at(0), at(1), at(2)],
        training_seconds: trained.values().map(|row| row.seconds).sum(),
    })
}

/// Between the means over the seeds at even places and those over the others.
fn tau_between_halves(by_seed: &[Vec<f64>]) -> Option<f64> {
    let half = |odd: usize| -> Vec<f64> {
        let seeds: Vec<&Vec<f64>> = by_seed.iter().skip(odd).step_by(2).collect();
        let mean = |at| seeds.iter().map(|seed| seed[at]).sum::<f64>() / seeds.len() as f64;
        (0..seeds.first().map_or(0, |seed| seed.len())).map(mean).collect()
    };
    nshot_table::kendall(&half(0), &half(1))
}

impl Summary {
    /// Lines about the noise between seeds.
    fn taus(&self) -> String {
        let taus = &self.tau_between_seeds;
        match (&taus[..], self.tau_between_halves) {
            ([], _) if self.seeds.len() == 1 => "tau of seeds   one seed\n".to_owned(),
            // Of one architecture, or of equal accuracies, there is none.
            ([], _) => "tau of seeds   -\n".to_owned(),
            ([tau], _) => format!("tau of seeds   {tau:.3}\n"),
            (_, halves) => {
                let mean = taus.iter().sum::<f64>() / taus.len() as f64;
                let least = taus.iter().copied().fold(f64::INFINITY, f64::min);
                let greatest = taus.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let halves = halves.map(|tau| format!("tau of halves  {tau:.3}\n")).unwrap_or_default();
                format!("tau of seeds   {mean:.3} (each two: {least:.3} to {greatest:.3})\n{halves}")
            }
        }
    }

    /// Prints it on standard output.
    pub(super) fn print(&self, json: bool, total: &str) -> Result<()> {
        if json {
            return stdout::print_json(self);
        }
        let [least, middle, greatest] = self.accuracies;
        let accuracies = format!("{least:.2} % to {greatest:.2} %, half of them above {middle:.2} %");
        let architectures = format!("{}, trained with {} seeds each", self.architectures, self.seeds.len());
        stdout::print(&format!(
            "architectures  {architectures}\naccuracy       {accuracies}\n{}total          {total}\n\
             table          {}\n",
            self.taus(),
            self.table.display()
        ))
    }
}
