//! The header of a table, and the values of its fields.

use std::path::{Path, PathBuf};

use csv::StringRecord;

use crate::error::{Error, Result};

/// Columns that hold costs, never accuracies.
const COSTS: [&str; 3] = ["weights", "params", "macs"];
/// Longer texts are cut in messages, in characters.
const MAX_QUOTED: usize = 120;
/// At most so many columns are listed in a message.
const MAX_LISTED: usize = 60;

/// The names of a table's columns.
pub(crate) struct Header {
    path: PathBuf,
    names: Vec<String>,
}

impl Header {
    pub(crate) fn new(path: &Path, names: &StringRecord) -> Self {
        Self { path: path.to_owned(), names: names.iter().map(str::to_owned).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn name(&self, column: usize) -> &str {
        &self.names[column]
    }

    /// The column of this name. `key` is the manifest's key that names it, or empty.
    ///
    /// # Errors
    /// It is absent, or occurs twice.
    pub(crate) fn find(&self, name: &str, key: &str) -> Result<usize> {
        let mut found = (0..self.names.len()).filter(|&column| self.names[column] == name);
        match (found.next(), found.next()) {
            (Some(column), None) => Ok(column),
            (Some(_), Some(_)) => Err(self.wrong(
                key,
                format!("has two columns {}", quoted(name)),
                "rename one of them".to_owned(),
            )),
            (None, _) => {
                let distance = |other: &&String| strsim::damerau_levenshtein(other, name);
                let near = |other: &&String| strsim::normalized_damerau_levenshtein(other, name) >= 0.5;
                let nearest = self.names.iter().take(MAX_LISTED).filter(near).min_by_key(distance);
                let hint = match nearest {
                    // Nobody chose this name: another column is no slip of it.
                    _ if key.is_empty() => format!("name the column of architectures {}", quoted(name)),
                    Some(nearest) => format!("did you mean {}?", quoted(nearest)),
                    None => format!("set `{key}` to one of them"),
                };
                Err(self.wrong(key, format!("has no column {}", quoted(name)), hint))
            }
        }
    }

    /// The columns of accuracies: those named, or the only one whose first value is a number.
    pub(crate) fn accuracies(
        &self,
        named: &[String],
        key: &str,
        first: &StringRecord,
        architecture: usize,
        subset: Option<usize>,
    ) -> Result<Vec<usize>> {
        if !named.is_empty() {
            return named.iter().map(|name| self.find(name, key)).collect();
        }
        let numeric = |column: usize| first.get(column).is_some_and(|text| text.parse::<f64>().is_ok());
        let other = |column: usize| column != architecture && Some(column) != subset;
        let cost = |column: usize| COSTS.contains(&self.names[column].as_str());
        let candidates =
            (0..self.names.len()).filter(|&column| other(column) && !cost(column) && numeric(column));
        let candidates: Vec<usize> = candidates.collect();
        if candidates.len() == 1 {
            return Ok(candidates);
        }
        let problem = match candidates.len() {
            0 => "has no column of accuracies".to_owned(),
            count => format!("has {count} columns that could hold accuracies"),
        };
        let hint = format!("set `{key}` to the column, or to a list of columns");
        Err(self.wrong(key, problem, hint))
    }

    fn wrong(&self, key: &str, problem: String, hint: String) -> Error {
        let mut columns: Vec<String> = self.names.iter().take(MAX_LISTED).map(|name| quoted(name)).collect();
        if self.names.len() > MAX_LISTED {
            columns.push(format!("and {} more", self.names.len() - MAX_LISTED));
        }
        Error::Column {
            path: self.path.clone(),
            key: key.to_owned(),
            problem,
            columns: columns.join(", "),
            hint,
        }
    }
}

/// A finite number.
pub(crate) fn number(text: &str, column: &str) -> std::result::Result<f64, String> {
    let column = quoted(column);
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(value) => Err(format!("{column} is {value}, expected a finite number")),
        Err(_) if text.is_empty() => Err(format!("{column} is empty, expected a number")),
        Err(_) => Err(format!("{column} is {}, expected a number", quoted(text))),
    }
}

/// Whether a row is marked: `1` or `true`, `0`, `false` or nothing. None for anything else.
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "1.0" | "true" => Some(true),
        "0" | "0.0" | "false" | "" => Some(false),
        _ => None,
    }
}

/// A text of the file in backticks, without control characters and not endless.
pub(crate) fn quoted(text: &str) -> String {
    let printable = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    let mut shown: String = text.chars().take(MAX_QUOTED).map(printable).collect();
    if text.chars().nth(MAX_QUOTED).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
