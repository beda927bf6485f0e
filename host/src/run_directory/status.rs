//! `status.json`: where a run stands, for `nshot runs`. Nothing is computed from it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::write_atomically;
use crate::failure::Result;

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// What it does.
    pub state: State,
    /// Steps done at the last checkpoint.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// The best subnet of the last ranking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// Why it failed or stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It trains or ranks; if no process holds its directory, it was killed.
    Running,
    /// A signal ended it early; it can be resumed.
    Stopped,
    /// It is done.
    Done,
    /// It ended with an error.
    Failed,
}

/// A subnet with its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The subnet in its space's customary text.
    pub architecture: String,
    /// The part of the ranking images that it told right, 0 to 1.
    pub accuracy: f64,
}

impl Status {
    /// Of a run that trains or ranks.
    pub fn running(step: u64, steps: u64) -> Self {
        Self { state: State::Running, step, steps, best: None, reason: None }
    }

    /// Reads a status; None if there is none that can be read.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        write_atomically(path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_survives_writing_and_reading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        assert_eq!(Status::read(&path), None);
        let best = Some(Best { architecture: "|a|".to_owned(), accuracy: 0.5 });
        let status =
            Status { state: State::Stopped, step: 3, steps: 9, best, reason: Some("SIGINT".to_owned()) };
        status.write(&path).unwrap();
        assert_eq!(Status::read(&path), Some(status));
    }
}
