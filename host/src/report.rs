//! What a run says at its start and at its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::experiment::Experiment;
use crate::failure::Result;
use crate::progress::{duration, say};
use crate::rank::Score;
use crate::rank::truth::Compared;
use crate::run_directory::write_atomically;
use crate::search::Searched;
use crate::stdout;

/// The figures of a run that is done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The run directory.
    pub directory: PathBuf,
    /// Steps of training.
    pub steps: u64,
    /// Images that were trained on, once for each path.
    pub images: u64,
    /// The last step's mean loss over its paths.
    pub final_loss: Option<f64>,
    /// Seconds of training, rankings meanwhile included.
    pub training_seconds: f64,
    /// Of them, what calls of plugins took, by the manifest's table; only of this process's training, without that of
    /// processes that the run was resumed from. Arithmetic on tensors is not in it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub plugin_seconds: BTreeMap<&'static str, f64>,
    /// As `plugin_seconds`: describing subnets, checking them and passes over their graphs, calls of the space included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph_seconds: Option<f64>,
    /// As `plugin_seconds`: the optimizer's arithmetic on tensors (on a GPU, starting it).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_seconds: Option<f64>,
    /// The seconds of training of this process alone.
    #[serde(skip)]
    pub training_seconds_here: f64,
    /// Seconds of ranking.
    pub ranking_seconds: f64,
    /// Seconds of this process in all.
    pub total_seconds: f64,
    /// The most memory that the last process held, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// How often this process fetched numbers from the device while it trained, for checkpoints too.
    pub device_reads: u64,
    /// Subnets that were ranked.
    pub ranked: usize,
    /// The best of them, best first.
    pub best: Vec<Score>,
    /// How well the ranking agrees with the trained accuracies, for each column of the table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Compared>,
    /// What `[search]` found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<Searched>,
}

/// Says what will run.
pub fn introduce(experiment: &Experiment) {
    let (space, data) = (&experiment.space, &experiment.data);
    let mut text = String::new();
    let mut row = |what: &str, is: String| {
        let _ = writeln!(text, "{what:<11}{is}");
    };
    let stages = experiment.stages.len();
    let steps = experiment.steps();
    row("run", experiment.manifest.run.name.clone());
    row("device", format!("{}, {}", experiment.device, experiment.precision));
    let [c, h, w] = data.input_shape();
    let (train, rank) = (data.train_len(), data.rank_len());
    let name = &experiment.manifest.data.name;
    row(
        "data",
        format!("{name}: {train} images train, {rank} rank; {c}x{h}x{w}, {} classes", data.classes()),
    );
    let parameters: u64 = space.parameters().iter().map(nshot_graph::ParameterSpec::elements).sum();
    row(
        "space",
        format!(
            "{}: {} subnets share {} parameters",
            space.identity().name,
            count(space.size()),
            count(parameters as f64)
        ),
    );
    let mut parts = vec![experiment.sampler.identity().name.clone()];
    parts.extend(experiment.groups.iter().map(|groups| groups.identity().name.clone()));
    parts.push(experiment.scheduler.identity().name.clone());
    parts.push(experiment.optimizer.identity().name.clone());
    row("method", parts.join(", "));
    let stages = if stages == 1 { String::new() } else { format!(" in {stages} stages") };
    row("training", format!("{steps} steps{stages} of {} images", data.batch_size()));
    say(text.trim_end());
}

/// A number with thousands separated, or in powers of ten where that is too long.
pub fn count(number: f64) -> String {
    if number >= 1e15 {
        return format!("{number:.2e}");
    }
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl Report {
    /// Keeps it as `report.json`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, directory: &Path) -> Result<()> {
        write_atomically(&directory.join("report.json"), &serde_json::to_vec_pretty(self)?)
    }

    /// Prints it on standard output.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn print(&self, json: bool) -> Result<()> {
        if json { stdout::print_json(self) } else { stdout::print(&self.text()) }
    }

    /// `0.3 % of the training: sampler 0.1 %, …`.
    fn plugins_line(&self) -> String {
        let share = |seconds: f64| format!("{:.2} %", 100.0 * seconds / self.training_seconds_here.max(1e-9));
        let each = self.plugin_seconds.iter().map(|(table, seconds)| format!("{table} {}", share(*seconds)));
        let each = each.collect::<Vec<_>>().join(", ");
        format!("{} of the training: {each}", share(self.plugin_seconds.values().sum()))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if !self.best.is_empty() {
            let _ = writeln!(text, "the best {} of {} ranked subnets:\n", self.best.len(), self.ranked);
            let _ = writeln!(text, "{}", scores_table(&self.best));
        }
        for compared in &self.comparisons {
            let _ = writeln!(text, "{}", compared.text());
        }
        if let Some(search) = &self.search {
            let _ = writeln!(text, "{}", search.text());
        }
        let mut row = |what: &str, is: String| {
            let _ = writeln!(text, "{what:<11}{is}");
        };
        if let Some(search) = &self.search {
            row("search", format!("`{}` scored {} subnets", search.searcher, search.scored));
        }
        if let Some(loss) = self.final_loss {
            row("loss", format!("{loss:.4} at the last step"));
        }
        let rate = self.images as f64 / self.training_seconds.max(1e-9);
        let trained =
            format!("{} steps in {}, {rate:.0} images/s", self.steps, duration(self.training_seconds));
        row("training", trained);
        if !self.plugin_seconds.is_empty() {
            row("plugins", self.plugins_line());
        }
        if self.ranked > 0 {
            row("ranking", format!("{} subnets in {}", self.ranked, duration(self.ranking_seconds)));
        }
        if let Some(peak) = self.peak_memory {
            row("memory", format!("{} MiB at most", peak >> 20));
        }
        row("total", duration(self.total_seconds));
        row("directory", self.directory.display().to_string());
        text
    }
}

/// A table of scores.
pub fn scores_table(scores: &[Score]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", "architecture", "accuracy", "nll", "params", "MACs"]);
    for (index, score) in scores.iter().enumerate() {
        table.add_row([
            (index + 1).to_string(),
            score.architecture.clone(),
            format!("{:.2} %", 100.0 * score.accuracy()),
            format!("{:.4}", score.mean_nll),
            count(score.params as f64),
            count(score.macs as f64),
        ]);
    }
    for column in [0, 2, 3, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    trimmed(&table)
}

/// A table's lines without spaces at their ends.
pub(crate) fn trimmed(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// The most memory that this process has held, in bytes.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}
