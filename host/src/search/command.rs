//! `nshot search`: a search in the directory of a run that is trained.

use std::path::Path;

use super::{Ended, carry_out, folder};
use crate::checkpoint::Checkpoints;
use crate::execute::{self, Ending};
use crate::experiment::{Parts, Pins};
use crate::failure::{Failure, Result};
use crate::manifest::Manifest;
use crate::plugins::Plugins;
use crate::progress::say;
use crate::run_directory::{LOCK, MANIFEST, RunDirectory, write_atomically};
use crate::stdout;
use crate::train::weights_path;

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
    if let Some((key, _)) = options.overrides.iter().find(|(key, _)| !is_ours(key)) {
        return Err(Failure::usage(format!("`{key}` was settled when the run was trained"))
            .hint("a search may set keys of `[search]`, `[measures]` and `[rank]`"));
    }
    let directory = RunDirectory::open(run_directory)?;
    let lock = directory.lock()?;
    let manifest = Manifest::load(&directory.join(MANIFEST), &options.overrides)?;
    let Some(component) = &manifest.search else {
        return Err(Failure::usage(format!("the run in `{}` has no `[search]`", run_directory.display()))
            .hint("name a searcher: --set search.use=evolution"));
    };
    let name = options.name.clone().or_else(|| component.uses.component().map(str::to_owned));
    let name = name.unwrap_or_else(|| "search".to_owned());
    let mut pins: Pins = lock.components.clone();
    if options.overrides.iter().any(|(key, _)| key == "search" || key.starts_with("search.use")) {
        pins.remove("search");
    }
    let parts = Parts::open(manifest, &Plugins::open()?, Some(&pins))?;
    let mut experiment = parts.experiment(parts.manifest.clone())?;
    if let Some(checkpoint) = Checkpoints::of(run_directory).newest()? {
        experiment.restore_plan(checkpoint.state.stages, checkpoint.state.separated);
    }
    for stage in &experiment.stages {
        if !weights_path(run_directory, &stage.name).is_file() {
            let text = format!(
                "the run in `{}` is not trained: `{}` has no supernet yet",
                run_directory.display(),
                stage.name
            );
            return Err(Failure::new(text).hint(format!("nshot resume {}", run_directory.display())));
        }
    }
    let folder = folder(run_directory, &name)?;
    keep_manifest(&folder, &experiment.manifest.to_toml()?, &name)?;
    execute::lock(&experiment)?.write(&folder.join(LOCK))?;
    let top = experiment.manifest.rank.as_ref().map_or(10, |rank| rank.top);
    let mut searcher = parts.searcher()?;
    match carry_out(&experiment, &mut searcher, run_directory, &folder, top, options.quiet)? {
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

fn is_ours(key: &str) -> bool {
    OURS.contains(&key.split('.').next().unwrap_or_default())
}

/// A folder is of one search.
fn keep_manifest(folder: &Path, manifest: &str, name: &str) -> Result<()> {
    let path = folder.join(MANIFEST);
    match std::fs::read_to_string(&path) {
        Ok(there) if there == manifest => Ok(()),
        Ok(_) => Err(Failure::new(format!("the search `{name}` of this run has other settings"))
            .hint(format!("give this one another `--name`, or remove `{}`", folder.display()))),
        Err(_) => write_atomically(&path, manifest.as_bytes()),
    }
}
