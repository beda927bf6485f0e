//! `nshot search`: a search in the directory of a run that is trained.

use std::path::Path;

use super::rounds::STATE;
use super::{Ended, carry_out, folder};
use crate::execute::Ending;
use crate::failure::{Failure, Result};
use crate::progress::say;
use crate::provenance;
use crate::run_directory::{LOCK, Lock};
use crate::stdout;
use crate::trained_run::{self, TrainedRun};

/// Tables of a run's manifest that a search may set.
const OURS: [&str; 3] = ["search", "measures", "rank"];

/// How a search is carried out.
#[derive(Debug, Clone)]
pub struct Options {
    /// Keys of the manifest that are set.
    pub overrides: Vec<(String, String)>,
    /// The search's name; the searcher's by default.
    pub name: Option<String>,
    /// No progress.
    pub quiet: bool,
    /// The result as JSON.
    pub json: bool,
}

/// Searches with the trained supernets of a run; goes on where an earlier search of the same name stopped.
///
/// # Errors
/// The run is not trained, what is set is wrong, or the search fails.
pub fn search(run_directory: &Path, options: &Options) -> Result<Ending> {
    let TrainedRun { parts, experiment, directory: _held } =
        TrainedRun::open(run_directory, &options.overrides, &OURS)?;
    if experiment.manifest.search.is_none() {
        return Err(Failure::usage(format!("the run in `{}` has no `[search]`", run_directory.display()))
            .hint("name a searcher: --set search.use=evolution"));
    }
    let mut searcher = parts.searcher()?;
    let name = options.name.clone().unwrap_or_else(|| searcher.identity().name.clone());
    let folder = folder(run_directory, &name)?;
    trained_run::keep_manifest(&folder, &provenance::resolved(&experiment), &name)?;
    let lock = provenance::lock(&experiment)?;
    if folder.join(STATE).exists() {
        compare(&folder, &lock)?;
    }
    lock.write(&folder.join(LOCK))?;
    let top = experiment.manifest.rank.as_ref().map_or(10, |rank| rank.top);
    let ended = carry_out(&experiment, &mut searcher, run_directory, &folder, top, options.quiet);
    if ended.is_err() {
        forget_unbegun(&folder);
    }
    match ended? {
        Ended::Done(searched) if options.json => stdout::print_json(&searched)?,
        Ended::Done(searched) => {
            stdout::print(&format!("{}\nfolder     {}\n", searched.text(), folder.display()))?;
        }
        Ended::Stopped(signal) => {
            say(&format!("stopped by {}\nto go on: the same command again", signal.name()));
            return Ok(Ending::Stopped(signal));
        }
    }
    Ok(Ending::Done)
}

/// A search that failed before its first round leaves no settings behind that the next one would have to have.
pub(crate) fn forget_unbegun(folder: &Path) {
    if !folder.join(STATE).exists() {
        trained_run::forget_manifest(folder);
    }
}

/// A search goes on with the files and the searcher that it began with.
fn compare(folder: &Path, now: &Lock) -> Result<()> {
    let began = Lock::read(&folder.join(LOCK))?;
    provenance::compare_files(&began, &now.data, "search")?;
    let searchers = began.components.get("search").zip(now.components.get("search"));
    if let Some((then, now)) = searchers.filter(|(then, now)| !then.is_same(now)) {
        let text = format!(
            "the search in `{}` began with `{}` of {} with the SHA-256 {}, now it is `{}` of {} with {}",
            folder.display(),
            then.component,
            then.title(),
            then.sha256,
            now.component,
            now.title(),
            now.sha256
        );
        return Err(Failure::new(text).hint("give this one another `--name`"));
    }
    Ok(())
}
