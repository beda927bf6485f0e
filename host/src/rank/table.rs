//! `scores.csv`: one line for each subnet.

use std::fs::File;
use std::path::Path;

use super::Score;
use crate::failure::{Failure, Result};
use crate::run_directory::{read_or_empty, write_atomically};

/// Writes scores as CSV, in one piece.
///
/// # Errors
/// The file cannot be written.
pub fn write_scores(path: &Path, scores: &[Score]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for score in scores {
        writer.serialize(score)?;
    }
    let bytes = writer.into_inner().map_err(|error| Failure::new(error.to_string()))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    }
    write_atomically(path, &bytes)
}

/// Reads `scores.csv`.
///
/// # Errors
/// It cannot be read, or a line is damaged.
pub fn read_scores(path: &Path) -> Result<Vec<Score>> {
    let damaged = |error: csv::Error| Failure::new(format!("cannot read `{}`: {error}", path.display()));
    csv::Reader::from_path(path).map_err(damaged)?.deserialize().collect::<Result<_, _>>().map_err(damaged)
}

/// The scores of a ranking that is done, if it is this one.
pub(super) fn finished(path: &Path, texts: &[String]) -> Option<Vec<Score>> {
    let scores = read_scores(path).ok()?;
    let same = scores.len() == texts.len();
    (same && scores.iter().zip(texts).all(|(score, text)| score.architecture == *text)).then_some(scores)
}

/// The scores that an earlier process left in a partial file, as far as they are whole and in order.
pub(super) fn resume(path: &Path, texts: &[String]) -> Vec<Score> {
    // What cannot be read is scored again.
    let rows = whole_lines(path).unwrap_or_default().into_iter();
    rows.zip(texts).take_while(|(row, text)| row.architecture == **text).map(|(row, _)| row).collect()
}

/// The scores of a file that may have been left unfinished, but for a last line that is not whole.
///
/// # Errors
/// It cannot be read, or a line is damaged.
pub(crate) fn whole_lines(path: &Path) -> Result<Vec<Score>> {
    let bytes = read_or_empty(path)?;
    // A line without its end may be cut inside a number.
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut reader = csv::Reader::from_reader(&bytes[..whole]);
    let rows = reader.deserialize::<Score>().enumerate();
    let damaged = |index, error: String| {
        Failure::new(format!("`{}` is damaged at line {}: {error}", path.display(), index + 2))
    };
    rows.map(|(index, row)| {
        let row = row.map_err(|error| damaged(index, error.to_string()))?;
        row.fault().map_or(Ok(row), |fault| Err(damaged(index, fault)))
    })
    .collect()
}

/// Appends scores to a partial file, each flushed.
pub(crate) struct Appender(csv::Writer<File>);

impl Appender {
    pub(crate) fn open(path: &Path, scores: &[Score]) -> Result<Self> {
        write_scores(path, scores)?;
        let file = File::options().append(true).open(path);
        let file = file.map_err(|error| Failure::file("write", path, &error))?;
        let builder = csv::WriterBuilder::new().has_headers(scores.is_empty()).from_writer(file);
        Ok(Self(builder))
    }

    pub(crate) fn append(&mut self, score: &Score) -> Result<()> {
        self.0.serialize(score)?;
        self.0.flush().map_err(|error| Failure::new(format!("cannot write a score: {error}")))
    }

    /// Makes all of them last.
    pub(crate) fn sync(&mut self) -> Result<()> {
        let synced = self.0.flush().and_then(|()| self.0.get_ref().sync_data());
        synced.map_err(|error| Failure::new(format!("cannot write scores: {error}")))
    }
}
