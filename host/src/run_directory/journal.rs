//! A file of JSON lines that grows with the run and is cut back to a checkpoint when the run goes on from there.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::{Failure, Result};

/// A file of JSON lines. What is pushed is buffered; [`Journal::sync`] makes it last, and says how long the file then
/// is, for the checkpoint to record.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    writer: BufWriter<File>,
    length: u64,
}

impl Journal {
    /// Opens a journal, empty: whatever was in it is gone.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        Self::resume(path, 0)
    }

    /// Opens a journal as it was when it had `length` bytes, and cuts off what came later. One that is not there has
    /// 0.
    ///
    /// # Errors
    /// It is shorter, or cannot be written.
    pub fn resume(path: &Path, length: u64) -> Result<Self> {
        let failed = |error: std::io::Error| Failure::file("write", path, &error);
        // In append mode, so that the writer stands at the end whatever it is cut to.
        let file = File::options().create(true).append(true).open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        if found < length {
            return Err(Failure::new(format!(
                "`{}` has {found} bytes, expected at least the {length} that the checkpoint records",
                path.display()
            ))
            .hint("restore the file, or start the run anew"));
        }
        file.set_len(length).map_err(failed)?;
        Ok(Self { path: path.to_owned(), writer: BufWriter::new(file), length })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// It cannot be written, or is no JSON.
    pub fn push(&mut self, line: &impl Serialize) -> Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.writer.write_all(&bytes).map_err(|error| self.failed(&error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Makes all lines last. Gives the file's length in bytes.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn sync(&mut self) -> Result<u64> {
        let written = self.writer.flush().and_then(|()| self.writer.get_ref().sync_all());
        written.map_err(|error| self.failed(&error))?;
        Ok(self.length)
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::file("write", &self.path, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_journal_is_cut_back_to_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut journal = Journal::create(&path).unwrap();
        journal.push(&json!({ "step": 1, "loss": 0.1 })).unwrap();
        let length = journal.sync().unwrap();
        journal.push(&json!({ "step": 2, "loss": f64::NAN })).unwrap();
        assert!(journal.sync().unwrap() > length);
        drop(journal);
        let mut journal = Journal::resume(&path, length).unwrap();
        journal.push(&json!({ "step": 2 })).unwrap();
        let end = journal.sync().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"loss\":0.1,\"step\":1}\n{\"step\":2}\n");
        assert_eq!(end, text.len() as u64);
        let short = Journal::resume(&path, 1000).unwrap_err().message;
        assert!(short.contains("has 33 bytes, expected at least the 1000"), "{short}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "a refusal changes nothing");
        drop(Journal::create(&path).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }
}
