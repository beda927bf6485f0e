//! What a run writes while it trains: its directory, with the two journals open.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::checkpoint::Checkpoint;
use crate::failure::Result;
use crate::run_directory::{Journal, METRICS, RunDirectory, TIMING};

/// A run directory with its journals.
#[derive(Debug)]
pub struct Output {
    directory: RunDirectory,
    metrics: Journal,
    timing: Journal,
    started: Instant,
}

impl Output {
    /// Opens the journals as they were at a checkpoint; empty if there is none.
    ///
    /// # Errors
    /// They are shorter than the checkpoint says, or cannot be written.
    pub fn open(directory: RunDirectory, from: Option<&Checkpoint>) -> Result<Self> {
        let (metrics, timing) = from.map_or((0, 0), |c| (c.state.metrics_bytes, c.state.timing_bytes));
        Ok(Self {
            metrics: Journal::resume(&directory.join(METRICS), metrics)?,
            timing: Journal::resume(&directory.join(TIMING), timing)?,
            directory,
            started: Instant::now(),
        })
    }

    /// The run directory.
    pub fn directory(&self) -> &RunDirectory {
        &self.directory
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Seconds since this process opened the run.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Adds a line to `metrics.jsonl`: figures that are the same in every run of one manifest and lock.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn metrics(&mut self, line: &Value) -> Result<()> {
        self.metrics.push(line)
    }

    /// Adds a line to `timing.jsonl`: figures that are not, with the time.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn timing(&mut self, mut line: Value) -> Result<()> {
        line["seconds"] = json!(self.seconds());
        self.timing.push(&line)
    }

    /// Makes both journals last. Returns their lengths in bytes.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn sync(&mut self) -> Result<(u64, u64)> {
        Ok((self.metrics.sync()?, self.timing.sync()?))
    }
}
