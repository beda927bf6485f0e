//! The table of a sweep: method by figure, over the seeds.

use std::path::Path;

use nshot_table::{Paired, Summary, paired, summarise};
use serde::Serialize;
use serde_json::Value;

use super::{Matrix, Run, picture};
use crate::failure::{Failure, Result};
use crate::run_directory::write_atomically;

/// How a table is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// JSON, with everything.
    Json,
    /// A line for each method and figure.
    Csv,
    /// Markdown.
    Markdown,
}

/// One figure of a method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Its name, such as `kendall accuracy`.
    pub name: String,
    /// Its values by seed.
    pub values: Vec<(u64, f64)>,
    /// Mean and sample deviation.
    pub summary: Summary,
    /// The difference to the plain method, paired by seed; none for the plain method itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Paired>,
}

/// A method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub method: String,
    /// Its runs that are done.
    pub done: usize,
    /// Its runs.
    pub runs: usize,
    /// Its figures.
    pub figures: Vec<Figure>,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// The method that the others are compared with.
    pub plain: String,
    /// The methods, in the order of the manifest.
    pub methods: Vec<Row>,
}

impl Table {
    /// Of the runs that are done.
    pub(super) fn of(runs: &[Run], matrix: &Matrix) -> Result<Self> {
        let mut methods = Vec::new();
        for method in &matrix.order {
            let own: Vec<&Run> = runs.iter().filter(|run| run.method == *method).collect();
            let mut figures: Vec<Figure> = Vec::new();
            let mut done = 0;
            for run in &own {
                let Some(report) = report(run)? else { continue };
                done += 1;
                for (name, value) in figures_of(&report) {
                    match figures.iter_mut().find(|figure| figure.name == name) {
                        Some(figure) => figure.values.push((run.seed, value)),
                        None => figures.push(Figure {
                            name,
                            values: vec![(run.seed, value)],
                            summary: summarise(&[]),
                            difference: None,
                        }),
                    }
                }
            }
            for figure in &mut figures {
                figure.summary = summarise(&figure.values);
            }
            methods.push(Row { method: method.clone(), done, runs: own.len(), figures });
        }
        let mut table = Self { plain: matrix.plain.clone(), methods };
        table.compare()?;
        Ok(table)
    }

    fn compare(&mut self) -> Result<()> {
        let plain = self.methods.iter().find(|row| row.method == self.plain).cloned();
        let Some(plain) = plain else { return Ok(()) };
        for row in self.methods.iter_mut().filter(|row| row.method != plain.method) {
            for figure in &mut row.figures {
                if let Some(other) = plain.figures.iter().find(|other| other.name == figure.name) {
                    let pairs = paired(&figure.values, &other.values)?;
                    figure.difference = Some(pairs).filter(|pairs| !pairs.seeds.is_empty());
                }
            }
        }
        Ok(())
    }

    /// Writes `sweep.json`, `sweep.csv`, `sweep.md` and `sweep.svg`.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        for (name, format) in
            [("sweep.json", Format::Json), ("sweep.csv", Format::Csv), ("sweep.md", Format::Markdown)]
        {
            write_atomically(&folder.join(name), self.print(format)?.as_bytes())?;
        }
        let title = folder.file_name().unwrap_or_default().to_string_lossy();
        match picture::draw(self, &title)? {
            Some(svg) => write_atomically(&folder.join("sweep.svg"), svg.as_bytes()),
            None => Ok(()),
        }
    }

    /// The table as text.
    ///
    /// # Errors
    /// None that a user could cause.
    pub fn print(&self, format: Format) -> Result<String> {
        match format {
            Format::Json => Ok(serde_json::to_string_pretty(self)? + "\n"),
            Format::Csv => self.csv(),
            Format::Markdown => Ok(self.grid(true)),
            Format::Text => Ok(self.grid(false)),
        }
    }

    fn csv(&self) -> Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["method", "figure", "n", "mean", "deviation", "difference", "low", "high"])?;
        let text = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        for row in &self.methods {
            for figure in &row.figures {
                let difference = figure.difference.as_ref();
                let interval = difference.and_then(|pairs| pairs.interval.as_ref());
                writer.write_record([
                    row.method.clone(),
                    figure.name.clone(),
                    figure.summary.n.to_string(),
                    text(figure.summary.mean),
                    text(figure.summary.deviation),
                    text(difference.and_then(|pairs| pairs.difference.mean)),
                    text(interval.map(|interval| interval.low)),
                    text(interval.map(|interval| interval.high)),
                ])?;
            }
        }
        let bytes = writer.into_inner().map_err(|error| Failure::new(error.to_string()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Methods as rows, figures as columns: mean ± deviation, below it the paired difference with its interval.
    fn grid(&self, markdown: bool) -> String {
        let mut names: Vec<&str> = Vec::new();
        for figure in self.methods.iter().flat_map(|row| &row.figures) {
            if !names.contains(&figure.name.as_str()) {
                names.push(&figure.name);
            }
        }
        let mut table = comfy_table::Table::new();
        let style =
            if markdown { comfy_table::presets::ASCII_MARKDOWN } else { comfy_table::presets::NOTHING };
        table.load_style(style);
        table.set_header(["method", "n"].into_iter().chain(names.iter().copied()));
        for row in &self.methods {
            let find = |name: &&str| row.figures.iter().find(|figure| figure.name == **name);
            let n = if row.done == row.runs {
                row.done.to_string()
            } else {
                format!("{} of {}", row.done, row.runs)
            };
            let cells = names.iter().map(|name| find(name).map_or("-".to_owned(), mean));
            table.add_row([row.method.clone(), n].into_iter().chain(cells));
            if row.figures.iter().any(|figure| figure.difference.is_some()) {
                let cells = names.iter().map(|name| find(name).map_or(String::new(), difference));
                table.add_row([format!("  − {}", self.plain), String::new()].into_iter().chain(cells));
            }
        }
        let text = crate::report::trimmed(&table);
        let compared = self.methods.iter().flat_map(|row| &row.figures).any(|f| f.difference.is_some());
        let below = if compared {
            "; below it the difference to the plain method, paired by seed, with its 95 % interval by Student's t"
        } else {
            ""
        };
        format!("{text}\nmean ± sample deviation over the seeds{below}\n")
    }
}

fn mean(figure: &Figure) -> String {
    let digits = digits(figure.summary.mean);
    match (figure.summary.mean, figure.summary.deviation) {
        (Some(mean), Some(deviation)) => format!("{mean:.digits$} ± {deviation:.digits$}"),
        (Some(mean), None) => format!("{mean:.digits$}"),
        (None, _) => "-".to_owned(),
    }
}

fn difference(figure: &Figure) -> String {
    let Some(pairs) = &figure.difference else { return String::new() };
    let digits = digits(figure.summary.mean);
    let Some(mean) = pairs.difference.mean else { return String::new() };
    let interval = pairs.interval.as_ref();
    let interval =
        interval.map_or(String::new(), |i| format!(" [{:+.digits$}, {:+.digits$}]", i.low, i.high));
    format!("{mean:+.digits$}{interval}")
}

/// Decimals that suit a value's size.
fn digits(value: Option<f64>) -> usize {
    match value.map_or(0.0, f64::abs) {
        size if size >= 1000.0 => 0,
        size if size >= 2.0 => 2,
        _ => 4,
    }
}

fn report(run: &Run) -> Result<Option<Value>> {
    if !super::processes::is_done(run) {
        return Ok(None);
    }
    let path = run.directory.join("report.json");
    let bytes = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        Failure::new(format!("`{}` is damaged: {error}", path.display()))
            .hint("remove that run; the same command does it anew")
    })
}

/// The figures of a run that a table shows.
fn figures_of(report: &Value) -> Vec<(String, f64)> {
    let mut figures = Vec::new();
    let mut add = |name: String, value: Option<f64>| figures.extend(value.map(|value| (name, value)));
    for compared in report["comparisons"].as_array().into_iter().flatten() {
        let column = compared["column"].as_str().unwrap_or_default();
        let at = |pointer: &str| compared["comparison"].pointer(pointer).and_then(Value::as_f64);
        add(format!("tau {column}"), at("/accuracy/kendall"));
        add(format!("tau by NLL {column}"), at("/nll/kendall"));
        add(format!("rho {column}"), at("/accuracy/spearman"));
        add(format!("best-scored {column}"), at("/accuracy/top/0/best"));
        add(format!("complexity bias {column}"), at("/accuracy_fairness/complexity_bias"));
    }
    let best = report.pointer("/best/0");
    let count = |key: &str| best.and_then(|best| best[key].as_f64());
    let accuracy = count("correct").zip(count("images")).map(|(correct, images)| 100.0 * correct / images);
    add("best accuracy, %".to_owned(), accuracy);
    add("final loss".to_owned(), report["final_loss"].as_f64());
    add("training, s".to_owned(), report["training_seconds"].as_f64());
    add("image passes".to_owned(), report["images"].as_f64());
    add(
        "peak memory, MiB".to_owned(),
        report["peak_memory"].as_f64().map(|bytes| bytes / f64::from(1 << 20)),
    );
    figures
}
