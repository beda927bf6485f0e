//! `log.txt`: what was said during a run, with the seconds since the program began. Not compared between runs.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::failure::{Failure, Result};

/// The log of the run directory that this process opened last.
static CURRENT: Mutex<Option<Log>> = Mutex::new(None);

/// Adds a text to the log of the run that this process works on; nothing if it works on none.
pub fn record(level: &str, text: &str) {
    if let Some(log) = &*CURRENT.lock().unwrap_or_else(PoisonError::into_inner) {
        log.write(level, text);
    }
}

/// The texts of a run.
#[derive(Debug)]
pub struct Log {
    file: File,
    began: Instant,
}

impl Log {
    /// Opens a log to add to it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(|error| Failure::file("write", path, &error))?;
        Ok(Self { file, began: Instant::now() })
    }

    /// Makes it the log that [`record`] writes.
    pub(super) fn make_current(self) {
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
    }

    /// Adds a text, whose further lines are indented. A log that cannot be written ends no run.
    pub fn write(&self, level: &str, text: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        let text = text.trim_end().replace('\n', "\n             ");
        let _ = (&self.file).write_all(format!("{seconds:10.3} {level:5} {text}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_added() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        Log::open(&path).unwrap().write("info", "one\ntwo\n");
        Log::open(&path).unwrap().write("warn", "three");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[0].ends_with(" info  one")
                && lines[1].trim() == "two"
                && lines[2].ends_with(" warn  three")
        );
    }
}
