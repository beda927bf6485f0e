//! The rounds of a search: a line each in `rounds.csv`, and the state after the last whole one.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};
use crate::rank::Score;
use crate::run_directory::write_atomically;
use crate::selection::Architecture;

const ROUNDS: &str = "rounds.csv";
const PICTURE: &str = "rounds.svg";
/// What a search goes on from.
pub(super) const STATE: &str = "state.json";

/// What a search goes on from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// Whole rounds.
    pub(super) round: u64,
    /// The searcher's own state after them.
    pub(super) searcher: Vec<u8>,
    /// Length of `rounds.csv`, in bytes.
    pub(super) rounds_bytes: u64,
    /// Subnets that were scored.
    #[serde(default)]
    pub(super) scored: usize,
}

impl State {
    /// That of a folder, if there is one.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(STATE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::file("read", &path, &error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let damaged = format!("`{}` is damaged: {error}", path.display());
            Failure::new(damaged)
                .hint("remove it: the search then begins again, with the scores that are there")
        })
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        write_atomically(&folder.join(STATE), &serde_json::to_vec(self)?)
    }
}

/// A line of `rounds.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the columns")]
struct Round {
    round: u64,
    asked: usize,
    mean_accuracy: f64,
    best_accuracy: f64,
    best_so_far: f64,
    best: String,
}

/// The rounds so far.
pub(super) struct Rounds {
    path: std::path::PathBuf,
    rounds: Vec<Round>,
}

impl Rounds {
    /// Those that a state counts.
    pub(super) fn open(folder: &Path, state: Option<&State>) -> Result<Self> {
        let path = folder.join(ROUNDS);
        let Some(state) = state else { return Ok(Self { path, rounds: Vec::new() }) };
        let bytes = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
        let whole = bytes.get(..state.rounds_bytes as usize).unwrap_or(&bytes);
        let rounds: Result<Vec<Round>, _> = csv::Reader::from_reader(whole).deserialize().collect();
        match rounds {
            Ok(rounds) if rounds.len() as u64 == state.round => Ok(Self { path, rounds }),
            _ => {
                let damaged =
                    format!("`{}` does not hold the {} rounds that were done", path.display(), state.round);
                let hint = format!(
                    "remove `{STATE}` beside it: the search then begins again, with the scores that are there"
                );
                Err(Failure::new(damaged).hint(hint))
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.rounds.len() as u64
    }

    /// Adds a round; its scores are not empty.
    pub(super) fn push(&mut self, round: u64, scores: &[(Architecture, Score)]) -> Result<()> {
        let best = scores.iter().map(|(_, score)| score).min_by(|a, b| Score::best_first(a, b));
        let best = best.ok_or_else(|| Failure::new("a round without scores"))?;
        let mean = scores.iter().map(|(_, score)| score.accuracy()).sum::<f64>() / scores.len() as f64;
        let before = self.rounds.last().map_or(0.0, |last| last.best_so_far);
        self.rounds.push(Round {
            round,
            asked: scores.len(),
            mean_accuracy: mean,
            best_accuracy: best.accuracy(),
            best_so_far: before.max(best.accuracy()),
            best: best.architecture.clone(),
        });
        Ok(())
    }

    /// Writes them. Returns the file's length in bytes.
    pub(super) fn sync(&self) -> Result<u64> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for round in &self.rounds {
            writer.serialize(round)?;
        }
        let bytes = writer.into_inner().map_err(|error| Failure::new(error.to_string()))?;
        write_atomically(&self.path, &bytes)?;
        Ok(bytes.len() as u64)
    }

    /// The last round, for people.
    pub(super) fn line(&self) -> String {
        self.rounds.last().map_or_else(String::new, |last| {
            format!(
                "round {}: {} subnets, mean {:.2} %, best {:.2} %, best so far {:.2} %",
                last.round,
                last.asked,
                100.0 * last.mean_accuracy,
                100.0 * last.best_accuracy,
                100.0 * last.best_so_far
            )
        })
    }

    /// Draws mean and best accuracy over the rounds.
    pub(super) fn draw(&self, folder: &Path) -> Result<()> {
        let line = |value: fn(&Round) -> f64| {
            self.rounds.iter().map(|round| (round.round as f64, 100.0 * value(round))).collect::<Vec<_>>()
        };
        let series = [
            ("best so far".to_owned(), line(|round| round.best_so_far)),
            ("best of the round".to_owned(), line(|round| round.best_accuracy)),
            ("mean of the round".to_owned(), line(|round| round.mean_accuracy)),
        ];
        let svg = nshot_table::lines(&series, "search", "round", "accuracy with supernet weights, %")?;
        write_atomically(&folder.join(PICTURE), svg.as_bytes())
    }
}
