//! `nshot rank`: ranks with the supernets of a run that is trained.

use std::path::Path;

use serde::Serialize;

use super::truth::{self, Compared};
use super::{Ranked, Score, check, finally};
use crate::execute::Ending;
use crate::failure::{Failure, Result};
use crate::progress::say;
use crate::provenance;
use crate::report::scores_table;
use crate::run_directory::{LOCK, Lock, RANKINGS};
use crate::stdout;
use crate::trained_run::{self, TrainedRun};

/// Tables of a run's manifest that a ranking may set.
const OURS: [&str; 2] = ["rank", "measures"];

/// How a ranking is carried out.
#[derive(Debug, Clone)]
pub struct Options {
    /// Keys of the manifest that are set.
    pub overrides: Vec<(String, String)>,
    /// The ranking's name.
    pub name: String,
    /// No progress.
    pub quiet: bool,
    /// The result as JSON.
    pub json: bool,
}

#[derive(Serialize)]
struct Outcome {
    ranked: usize,
    best: Vec<Score>,
    comparisons: Vec<Compared>,
}

/// A ranking of this name that is there was made with the same data and tables.
fn refuse_other_data(lock: &Lock, folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(LOCK);
    if !path.is_file() {
        return Ok(());
    }
    Lock::read(&path)?.compare_contents(lock).map_err(|mut failure| {
        failure.hint = None;
        let context = format!("the ranking `{name}` is there, made with other files");
        let hint = format!("give this one another `--name`, or remove `{}`", folder.display());
        failure.context(&context).hint(hint)
    })
}

/// Ranks anew; goes on where an earlier ranking of the same name stopped.
///
/// # Errors
/// The run is not trained, what is set is wrong, or a subnet cannot be scored.
pub fn rank(run_directory: &Path, options: &Options) -> Result<Ending> {
    let mut overrides = options.overrides.clone();
    if overrides.is_empty() {
        // A table without keys: all defaults.
        overrides.push(("rank.every".to_owned(), "0".to_owned()));
    }
    let TrainedRun { experiment, directory: _held, .. } = TrainedRun::open(run_directory, &overrides, &OURS)?;
    check(&experiment)?;
    let folder = run_directory.join(RANKINGS).join(&options.name);
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    trained_run::keep_manifest(&folder, &provenance::resolved(&experiment), &options.name)?;
    let lock = provenance::lock(&experiment)?;
    refuse_other_data(&lock, &folder, &options.name)?;
    lock.write(&folder.join(LOCK))?;
    let scores = match finally(&experiment, run_directory, &folder, options.quiet)? {
        Ranked::Done(scores) => scores,
        Ranked::Stopped(signal) => {
            say(&format!("stopped by {}\nto go on: the same command again", signal.name()));
            return Ok(Ending::Stopped(signal));
        }
    };
    let comparisons = truth::compare(&experiment, &scores, &folder)?;
    let top = experiment.manifest.rank.as_ref().map_or(10, |rank| rank.top);
    let result = Outcome { ranked: scores.len(), best: Score::best(scores, top), comparisons };
    if options.json {
        stdout::print_json(&result)?;
        return Ok(Ending::Done);
    }
    let mut text = format!("the best {} of {} ranked subnets:\n\n", result.best.len(), result.ranked);
    text += &format!("{}\n", scores_table(&result.best));
    for compared in &result.comparisons {
        text += &format!("{}\n", compared.text());
    }
    stdout::print(&format!("{text}folder     {}\n", folder.display()))?;
    Ok(Ending::Done)
}
