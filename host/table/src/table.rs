//! Tables of trained accuracies: a CSV file, or a list in the space's order.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use csv::StringRecord;

use crate::error::{Error, Result};
use crate::values::{Header, flag, number, quoted};

/// A table larger than this is refused, in bytes.
const MAX_BYTES: u64 = 1 << 28;

/// Turns an architecture's text into its options, one for each choice; the error says what is wrong with it.
pub type Parse<'a> = dyn Fn(&str) -> std::result::Result<Vec<u32>, String> + 'a;

/// Which columns of a CSV file are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOptions {
    /// Columns of accuracies, or of other figures. Empty: the only numeric column, apart from the
    /// subset's and those called `weights`, `params` and `macs`.
    pub columns: Vec<String>,
    /// The manifest's key that names the columns, for messages.
    pub column_key: String,
    /// A column that marks rows with `1` or `true` (the manifest's `rank.subset`).
    pub subset: Option<String>,
    /// The column of architectures, in the space's text form.
    pub architecture: String,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            columns: Vec::new(),
            column_key: "rank.column".to_owned(),
            subset: None,
            architecture: "arch".to_owned(),
        }
    }
}

/// One architecture with its trained accuracies.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The option taken at each choice.
    pub architecture: Vec<u32>,
    /// The architecture as the file has it; of a list, the options joined with spaces.
    pub text: String,
    /// The line in the file, from 1; of a list, the position in it, from 1.
    pub line: u64,
    /// The accuracies, one for each of [`Table::columns`], as they stand: in percent or 0 to 1.
    pub accuracies: Vec<f64>,
    /// Whether the subset's column marks it; true where no such column was asked for.
    pub in_subset: bool,
}

/// Trained accuracies by architecture: no architecture twice, all accuracies finite, at least one row.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<String>,
    entries: Vec<Entry>,
    index: HashMap<Vec<u32>, usize>,
}

impl Table {
    /// Reads a CSV file: a line of column names, then one architecture a line, in any order. Other columns are
    /// left alone.
    ///
    /// # Errors
    /// The file cannot be read, is above 256 MiB or not UTF-8; a column is absent or occurs twice; a line has
    /// another number of fields, an unknown architecture, one that an earlier line has already, or an accuracy
    /// that is not a finite number; there is no row, or none in the subset; no column was named and there is not
    /// exactly one.
    pub fn read(path: &Path, options: &TableOptions, parse: &Parse) -> Result<Self> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(unreadable)?;
        if bytes.len() as u64 > MAX_BYTES {
            let problem = format!("has more than {MAX_BYTES} bytes, the most that a table may have");
            return Err(Error::Content { path: path.to_owned(), problem });
        }
        Self::parse(path, &bytes, options, parse)
    }

    fn parse(path: &Path, bytes: &[u8], options: &TableOptions, parse: &Parse) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes);
        let damaged = |error: &csv::Error| Error::Line {
            path: path.to_owned(),
            line: error.position().map_or(1, |position| line_at(bytes, position)),
            problem: describe(error),
        };
        let header = Header::new(path, reader.headers().map_err(|error| damaged(&error))?);
        let architecture = header.find(&options.architecture, "")?;
        let subset = options.subset.as_ref().map(|name| header.find(name, "rank.subset")).transpose()?;
        let no_rows = |problem: String| Error::Content { path: path.to_owned(), problem };
        let mut record = StringRecord::new();
        let mut next =
            |record: &mut StringRecord| reader.read_record(record).map_err(|error| damaged(&error));
        if !next(&mut record)? {
            return Err(no_rows("has no rows".to_owned()));
        }
        let columns =
            header.accuracies(&options.columns, &options.column_key, &record, architecture, subset)?;
        let names = columns.iter().map(|&column| header.name(column).to_owned()).collect();
        let layout = Layout { fields: header.len(), architecture, columns, subset };
        let mut table = Self { columns: names, entries: Vec::new(), index: HashMap::new() };
        loop {
            let line = record.position().map_or(0, |position| line_at(bytes, position));
            let row = table.row(&record, line, &layout, parse);
            row.map_err(|problem| Error::Line { path: path.to_owned(), line, problem })?;
            if !next(&mut record)? {
                break;
            }
        }
        match &options.subset {
            Some(subset) if table.subset().next().is_none() => {
                Err(no_rows(format!("has no row that the column {} marks with 1", quoted(subset))))
            }
            _ => Ok(table),
        }
    }

    fn row(
        &mut self,
        record: &StringRecord,
        line: u64,
        layout: &Layout,
        parse: &Parse,
    ) -> std::result::Result<(), String> {
        if record.len() != layout.fields {
            return Err(format!("has {} fields, expected {}", record.len(), layout.fields));
        }
        let text = &record[layout.architecture];
        let architecture =
            parse(text).map_err(|problem| format!("architecture {}: {problem}", quoted(text)))?;
        let columns = layout.columns.iter().zip(&self.columns);
        let accuracies = columns.map(|(&column, name)| number(&record[column], name));
        let accuracies = accuracies.collect::<std::result::Result<_, _>>()?;
        let in_subset = layout.subset.map_or(Ok(true), |column| {
            let wrong = || format!("the subset's column is {}, expected 0 or 1", quoted(&record[column]));
            flag(&record[column]).ok_or_else(wrong)
        })?;
        self.insert(Entry { architecture, text: text.to_owned(), line, accuracies, in_subset })
    }

    fn insert(&mut self, entry: Entry) -> std::result::Result<(), String> {
        match self.index.entry(entry.architecture.clone()) {
            Slot::Occupied(slot) => {
                let earlier = &self.entries[*slot.get()];
                let same = if earlier.text == entry.text { "" } else { ", which is the same" };
                let (text, line) = (quoted(&entry.text), earlier.line);
                Err(format!(
                    "architecture {text} is on line {line} already, as {}{same}",
                    quoted(&earlier.text)
                ))
            }
            Slot::Vacant(slot) => {
                slot.insert(self.entries.len());
                self.entries.push(entry);
                Ok(())
            }
        }
    }

    /// Takes a list of accuracies whose i-th, from 0, is that of the architecture with the number i: a number
    /// with mixed radices, the first choice's option being the most significant digit. `radices` holds each
    /// choice's number of options. The only column is called `accuracy`.
    ///
    /// # Errors
    /// The list's length is not the product of the radices, it is empty, or an accuracy is not finite.
    ///
    /// ```
    /// let table = nshot_table::Table::from_list(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])?;
    /// assert_eq!(table.get(&[1, 0]).map(|entry| entry.accuracies[0]), Some(4.0));
    /// # Ok::<(), nshot_table::Error>(())
    /// ```
    pub fn from_list(values: &[f64], radices: &[u32]) -> Result<Self> {
        let wrong = |problem: String| Error::List { problem };
        let size = radices.iter().try_fold(1_usize, |size, &radix| size.checked_mul(radix as usize));
        if size != Some(values.len()) || values.is_empty() || radices.is_empty() {
            let expected = size.map_or("more than a list can have".to_owned(), |size| size.to_string());
            let choices = radices.iter().map(u32::to_string).collect::<Vec<_>>().join(" · ");
            let found = values.len();
            return Err(wrong(format!(
                "has {found} values, expected {expected}: the space has {choices} architectures"
            )));
        }
        let mut table =
            Self { columns: vec!["accuracy".to_owned()], entries: Vec::new(), index: HashMap::new() };
        let mut digits = vec![0_u32; radices.len()];
        for (place, &value) in values.iter().enumerate() {
            if !value.is_finite() {
                return Err(wrong(format!("has {value} at index {place}, expected a finite number")));
            }
            let text = digits.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
            let line = place as u64 + 1;
            let entry =
                Entry { architecture: digits.clone(), text, line, accuracies: vec![value], in_subset: true };
            table.insert(entry).map_err(wrong)?;
            for (digit, radix) in digits.iter_mut().zip(radices).rev() {
                *digit += 1;
                if *digit < *radix {
                    break;
                }
                *digit = 0;
            }
        }
        Ok(table)
    }

    /// Names of the columns of accuracies, in the order of [`Entry::accuracies`].
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// All rows, in the file's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The rows that the subset's column marks; all where none was asked for.
    pub fn subset(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.in_subset)
    }

    /// The row of an architecture.
    pub fn get(&self, architecture: &[u32]) -> Option<&Entry> {
        self.index.get(architecture).map(|&place| &self.entries[place])
    }
}

/// Where a file's fields stand.
struct Layout {
    fields: usize,
    architecture: usize,
    columns: Vec<usize>,
    subset: Option<usize>,
}

/// The line, from 1, on which a record starts: the reader's position may be that of blank lines before it.
fn line_at(bytes: &[u8], position: &csv::Position) -> u64 {
    let start = usize::try_from(position.byte()).map_or(bytes.len(), |byte| byte.min(bytes.len()));
    let blank = bytes[start..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    position.line() + blank.filter(|byte| **byte == b'\n').count() as u64
}

fn describe(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => format!("field {} is not UTF-8", err.field() + 1),
        _ => error.to_string(),
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
pub(crate) mod tests;
