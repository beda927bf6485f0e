//! Trained accuracies from a table, and how well a ranking agrees with them.

use std::path::Path;

use nshot_table::{CompareOptions, Comparison, Complexity, Entry, Ranked, Table, TableOptions};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Score;
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::manifest::{Manifest, RankConfig, in_words};
use crate::run_directory::write_atomically;
use crate::space::Space;

/// All figures.
const COMPARISON: &str = "comparison.json";
/// The column that is meant where none is named, if the table has it.
const COLUMN: &str = "accuracy";
/// Longer names of columns are cut in the names of pictures, in characters.
const PICTURE_NAME: usize = 60;
/// More choices of rows than this are no table that is a list.
const LARGEST_LIST: f64 = 1e8;

/// How well a ranking agrees with one column of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The column.
    pub column: String,
    /// The figures.
    pub comparison: Comparison,
}

impl Compared {
    /// For people.
    pub fn text(&self) -> String {
        format!("agreement with the trained accuracies `{}`: {}", self.column, self.comparison.text())
    }
}

/// Reads the table that a manifest names.
///
/// # Errors
/// It cannot be read, or a line is damaged; the manifest's key is named where that is to blame.
pub fn read(manifest: &Manifest, space: &Space) -> Result<Option<Table>> {
    let Some(rank) = &manifest.rank else { return Ok(None) };
    let Some(path) = &rank.table else { return Ok(None) };
    let table = read_table(path, rank, space);
    table.map(Some).map_err(|(key, failure)| manifest.locate(&key, failure))
}

fn read_table(path: &Path, rank: &RankConfig, space: &Space) -> Result<Table, (String, Failure)> {
    let at_table = |failure: Failure| ("rank.table".to_owned(), failure);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if matches!(extension, "json" | "pkl" | "pickle" | "p") {
        let of_files = [("rank.subset", rank.subset.is_some()), ("rank.column", !rank.column.is_empty())];
        if let Some((key, _)) = of_files.into_iter().find(|(_, given)| *given) {
            let failure = Failure::usage(format!("`{key}` is of CSV files; `{}` is a list", path.display()));
            return Err((key.to_owned(), failure.hint(format!("leave `{key}` out"))));
        }
        let values = list(path, extension).map_err(at_table)?;
        return from_list(path, &values, space).map_err(at_table);
    }
    let parse = |text: &str| space.parse(text).map_err(|failure| failure.to_string());
    let mut options = TableOptions { subset: rank.subset.clone(), ..TableOptions::default() };
    options.columns.clone_from(&rank.column);
    if options.columns.is_empty() && has_column(path, COLUMN) {
        options.columns.push(COLUMN.to_owned());
    }
    Table::read(path, &options, &parse).map_err(|error| {
        let key = error.key().unwrap_or("rank.table").to_owned();
        (key, error.into())
    })
}

fn has_column(path: &Path, name: &str) -> bool {
    let headers = csv::Reader::from_path(path).and_then(|mut reader| reader.headers().cloned());
    headers.is_ok_and(|headers| headers.iter().any(|header| header.trim() == name))
}

/// The numbers of a list: JSON, or a pickle, which is read without being run.
fn list(path: &Path, extension: &str) -> Result<Vec<f64>> {
    let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let wrong = |text: &str| Failure::new(format!("`{}` is no list of numbers: {text}", path.display()));
    if extension == "json" {
        return serde_json::from_slice(&bytes).map_err(|error| {
            let text = error.to_string();
            let problem = in_words(text.split(" at line ").next().unwrap_or_default());
            let (line, column) = (error.line(), error.column());
            wrong(&problem.map_or(text, |problem| format!("line {line}, column {column} {problem}")))
        });
    }
    let value = nshot_data::pickle::read(&bytes).map_err(|error| wrong(&error.to_string()))?;
    if let Some(numbers) = value.numbers() {
        return Ok(numbers);
    }
    let items = value.items().ok_or_else(|| wrong(&format!("it holds {}", value.kind())))?;
    let number = |(index, item): (usize, &nshot_data::pickle::Value)| {
        item.number().ok_or_else(|| wrong(&format!("item {index} is {}", item.kind())))
    };
    items.iter().enumerate().map(number).collect()
}

fn from_list(path: &Path, values: &[f64], space: &Space) -> Result<Table> {
    if space.size() > LARGEST_LIST {
        let text =
            format!("`{}` cannot list the {} architectures of the space", path.display(), space.size());
        return Err(Failure::new(text).hint("use a CSV file with a column `arch`"));
    }
    let radices: Vec<u32> = space.choices().iter().map(|choice| choice.options.len() as u32).collect();
    Table::from_list(values, &radices)
        .map_err(|error| Failure::new(error.to_string()).context(&path.display().to_string()))
}

/// The scores whose architectures the table has, with its lines.
fn matched<'a>(
    experiment: &Experiment,
    table: &'a Table,
    scores: &'a [Score],
) -> Result<Vec<(&'a Score, &'a Entry)>> {
    let mut matched = Vec::with_capacity(scores.len());
    for score in scores {
        let architecture = experiment.space.parse(&score.architecture)?;
        matched.extend(table.get(&architecture).map(|entry| (score, entry)));
    }
    Ok(matched)
}

/// The rows of a column.
fn rows<'a>(matched: &[(&'a Score, &Entry)], column: usize) -> Vec<Ranked<'a>> {
    let row = |(score, entry): &(&'a Score, &Entry)| Ranked {
        architecture: &score.architecture,
        accuracy: score.accuracy(),
        mean_nll: score.mean_nll,
        weights: score.weights,
        params: score.params,
        macs: score.macs,
        live_weights: score.live_weights,
        truth: entry.accuracies[column],
    };
    matched.iter().map(row).collect()
}

/// Compares a ranking with the experiment's table: writes `comparison.json`, and a picture for each column.
///
/// # Errors
/// A file cannot be written.
pub fn compare(experiment: &Experiment, scores: &[Score], directory: &Path) -> Result<Vec<Compared>> {
    let Some(table) = &experiment.truth else { return Ok(Vec::new()) };
    let classes = experiment.manifest.rank.as_ref().map_or(&[][..], |rank| &rank.classes);
    let matched = matched(experiment, table, scores)?;
    let (mut compared, mut pictures) = (Vec::new(), Vec::new());
    for (index, column) in table.columns().iter().enumerate() {
        let rows = rows(&matched, index);
        let options = CompareOptions {
            classes: classes.get(index).copied().unwrap_or(experiment.data.classes() as u32),
            seed: experiment.manifest.seed.sampling,
            ..CompareOptions::default()
        };
        let title = format!("{}, {column}", experiment.manifest.run.name);
        let svg = nshot_table::scatter(&rows, nshot_table::Score::Accuracy, Complexity::Weights, &title)?;
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let mut name: String = column.chars().map(plain).take(PICTURE_NAME).collect();
        if pictures.contains(&name) {
            name += &format!("-{}", index + 1);
        }
        write_atomically(&directory.join(format!("comparison-{name}.svg")), svg.as_bytes())?;
        pictures.push(name);
        compared.push(Compared { column: column.clone(), comparison: nshot_table::compare(&rows, &options) });
    }
    write_atomically(&directory.join(COMPARISON), &serde_json::to_vec_pretty(&compared)?)?;
    Ok(compared)
}

/// Kendall's tau-b of a ranking with each column of the table; null where undefined.
///
/// # Errors
/// A text of the scores is none of the space's.
pub fn kendall(experiment: &Experiment, scores: &[Score]) -> Result<Value> {
    let mut taus = Map::new();
    if let Some(table) = &experiment.truth {
        let matched = matched(experiment, table, scores)?;
        let scores: Vec<f64> = matched.iter().map(|(score, _)| score.accuracy()).collect();
        for (index, column) in table.columns().iter().enumerate() {
            let truth: Vec<f64> = matched.iter().map(|(_, entry)| entry.accuracies[index]).collect();
            taus.insert(column.clone(), json!(nshot_table::kendall(&scores, &truth)));
        }
    }
    Ok(Value::Object(taus))
}
