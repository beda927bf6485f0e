//! What a run writes while it trains: its directory, with the two journals open.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::checkpoint::Checkpoint;
use crate::failure::{Failure, Result};
use crate::run_directory::{CHECKPOINTS, Journal, METRICS, RunDirectory, SUPERNETS, TIMING, sync_folder};

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
        let metrics = Journal::resume(&directory.join(METRICS), metrics)?;
        // No result depends on it: what is left of it will do.
        let left = std::fs::metadata(directory.join(TIMING)).map_or(0, |file| file.len());
        let timing = Journal::resume(&directory.join(TIMING), timing.min(left))?;
        // A checkpoint counts on what stands beside it: the journals, and the folders of checkpoints and supernets.
        for folder in [CHECKPOINTS, SUPERNETS] {
            let folder = directory.join(folder);
            std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
        }
        sync_folder(directory.path())?;
        Ok(Self { metrics, timing, directory, started: Instant::now() })
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
