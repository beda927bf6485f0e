//! Measures of complexity from tables: a latency, an energy, anything that a CSV file says of architectures or options.

use std::path::Path;

use nshot_table::{Table, TableOptions};

use crate::failure::{Failure, Result};
use crate::manifest::{MeasureConfig, MeasureOf, nearest};
use crate::selection::Architecture;
use crate::space::{MEASURES, Space};

/// A figure by its name.
#[derive(Debug, Clone)]
pub struct Measure {
    /// Its name.
    pub name: String,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    Architectures(Table),
    /// By choice and option.
    Options(Vec<Vec<f64>>),
}

impl Measure {
    /// Reads its table.
    ///
    /// # Errors
    /// The name is taken, or the table is damaged: the line is named.
    pub fn read(name: &str, config: &MeasureConfig, space: &Space) -> Result<Self> {
        let taken = MEASURES.contains(&name) || ["accuracy", "nll"].contains(&name);
        if taken || name.is_empty() {
            return Err(Failure::usage(format!("a measure cannot be called `{name}`"))
                .hint("`weights`, `params`, `macs`, `accuracy` and `nll` are there already"));
        }
        let column = config.column.as_deref().unwrap_or(name);
        let values = match config.per {
            MeasureOf::Architecture => {
                let parse = |text: &str| space.parse(text).map_err(|failure| failure.to_string());
                let (columns, column_key) = (vec![column.to_owned()], format!("measures.{name}.column"));
                let options = TableOptions { columns, column_key, ..TableOptions::default() };
                Values::Architectures(Table::read(&config.table, &options, &parse)?)
            }
            MeasureOf::Option => {
                let table = Lines::open(&config.table)?;
                options(&table, table.column(column)?, space)?
            }
        };
        Ok(Self { name: name.to_owned(), values })
    }

    /// The figure of an architecture that is in range; none if the table does not have it.
    pub fn of(&self, architecture: &[u32]) -> Option<f64> {
        match &self.values {
            Values::Architectures(table) => table.get(architecture).map(|entry| entry.accuracies[0]),
            Values::Options(options) => {
                let parts = architecture.iter().zip(options);
                Some(parts.map(|(&option, of_choice)| of_choice[option as usize]).sum())
            }
        }
    }

    /// The architecture with the least or the greatest figure; of several the first.
    pub fn extreme(&self, largest: bool) -> Option<Architecture> {
        let better = |a: f64, b: f64| if largest { a > b } else { a < b };
        match &self.values {
            Values::Architectures(table) => {
                let entries = table.entries().iter();
                let best = entries
                    .reduce(|best, at| if better(at.accuracies[0], best.accuracies[0]) { at } else { best });
                best.map(|entry| entry.architecture.clone())
            }
            Values::Options(options) => {
                let best =
                    |of: &Vec<f64>| (1..of.len()).fold(0, |at, i| if better(of[i], of[at]) { i } else { at });
                Some(options.iter().map(|of_choice| best(of_choice) as u32).collect())
            }
        }
    }
}

fn options(table: &Lines, value: usize, space: &Space) -> Result<Values> {
    let (choice, option) = (table.column("choice")?, table.column("option")?);
    let choices = space.choices();
    let mut found: Vec<Vec<Option<f64>>> = choices.iter().map(|c| vec![None; c.options.len()]).collect();
    for (line, record) in &table.records {
        let name = record.get(choice).unwrap_or_default();
        let names: Vec<&str> = choices.iter().map(|choice| choice.name.as_str()).collect();
        let at = names.iter().position(|known| *known == name);
        let at = at.ok_or_else(|| table.unknown(*line, "choice", name, &names))?;
        let name = record.get(option).unwrap_or_default();
        let names: Vec<&str> = choices[at].options.iter().map(String::as_str).collect();
        let index = names.iter().position(|known| *known == name);
        let index = index.ok_or_else(|| table.unknown(*line, "option", name, &names))?;
        if found[at][index].replace(table.number(*line, record, value)?).is_some() {
            let text =
                format!("the option `{name}` of the choice `{}` is in the table twice", choices[at].name);
            return Err(table.wrong(*line, &text));
        }
    }
    let mut values = Vec::with_capacity(found.len());
    for (choice, found) in choices.iter().zip(found) {
        let absent = found.iter().position(Option::is_none);
        if let Some(absent) = absent {
            let (choice, option) = (&choice.name, &choice.options[absent]);
            let text =
                format!("`{}` has no line for the option `{option}` of the choice `{choice}`", table.file);
            return Err(Failure::new(text));
        }
        values.push(found.into_iter().flatten().collect());
    }
    Ok(Values::Options(values))
}

/// A CSV file in memory, with the numbers of its lines.
struct Lines {
    file: String,
    headers: Vec<String>,
    records: Vec<(u64, csv::StringRecord)>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let failed = |error: csv::Error| Failure::new(format!("cannot read `{file}`: {error}"));
        let mut reader = csv::Reader::from_path(path).map_err(failed)?;
        let headers = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
        let records = reader
            .records()
            .map(|record| record.map(|record| (record.position().map_or(0, csv::Position::line), record)));
        let records: Vec<_> = records.collect::<Result<_, _>>().map_err(failed)?;
        if records.is_empty() {
            return Err(Failure::new(format!("the table `{file}` has no line beside its header")));
        }
        Ok(Self { file, headers, records })
    }

    fn column(&self, name: &str) -> Result<usize> {
        self.headers.iter().position(|header| header == name).ok_or_else(|| {
            let known: Vec<&str> = self.headers.iter().map(String::as_str).collect();
            let failure = Failure::new(format!("the table `{}` has no column `{name}`", self.file));
            failure.hint(match nearest(name, &known) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("it has {}", known.join(", ")),
            })
        })
    }

    fn place(&self, line: u64) -> String {
        format!("{}:{line}", self.file)
    }

    fn wrong(&self, line: u64, text: &str) -> Failure {
        Failure::new(text).context(&self.place(line))
    }

    fn unknown(&self, line: u64, what: &str, name: &str, known: &[&str]) -> Failure {
        self.wrong(line, &format!("there is no {what} `{name}`, expected one of {}", known.join(", ")))
    }

    fn number(&self, line: u64, record: &csv::StringRecord, column: usize) -> Result<f64> {
        let text = record.get(column).unwrap_or_default().trim();
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => {
                let header = &self.headers[column];
                Err(self.wrong(line, &format!("`{header}` is `{text}`, expected a finite number")))
            }
        }
    }
}
