//! `nshot sweep`: a manifest with a `[matrix]` of methods and seeds, one run each, and the table at the end.
//!
//! ```text
//! DIR/METHOD-seed-N.toml   the run's manifest
//! DIR/METHOD-seed-N.log    what it said
//! DIR/METHOD-seed-N/       its run directory
//! DIR/sweep.md, .csv, .json
//! ```

mod config;
mod processes;
mod table;

use std::path::{Path, PathBuf};

use crate::execute::{self, Ending};
use crate::experiment::{Experiment, Parts};
use crate::failure::{Failure, Result};
use crate::manifest::Manifest;
use crate::plugins::Plugins;
use crate::progress::say;
use crate::rank;
use crate::run_directory::write_atomically;
use crate::stdout;

pub use config::{Matrix, Sweep};
pub use table::{Figure, Format, Row, Table};

/// How a sweep is carried out; none of it changes a number.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder, in place of the manifest's.
    pub directory: Option<PathBuf>,
    /// Keys of every run's manifest that are set.
    pub overrides: Vec<(String, String)>,
    /// Runs beside each other; by default as many as there are processors for each run's threads.
    pub jobs: Option<usize>,
    /// Check everything, then stop.
    pub dry_run: bool,
    /// No progress.
    pub quiet: bool,
    /// How the table is printed.
    pub format: Format,
}

/// One run of a sweep.
#[derive(Debug, Clone)]
struct Run {
    method: String,
    seed: u64,
    manifest: Manifest,
    /// Its manifest's file.
    file: PathBuf,
    log: PathBuf,
    directory: PathBuf,
}

impl Run {
    fn name(&self) -> String {
        format!("{}-seed-{}", self.method, self.seed)
    }
}

/// Runs what a sweep's manifest names and is not done yet, and prints the table of all.
///
/// # Errors
/// The manifest is wrong, its folder holds runs of other settings, or a run failed; then the others were done.
pub fn sweep(path: &Path, options: &Options) -> Result<Ending> {
    let sweep = Sweep::load(path, &options.overrides)?;
    let folder = options.directory.clone().unwrap_or_else(|| sweep.directory.clone());
    let runs = sweep.runs(&folder)?;
    check(&runs, options.quiet)?;
    if options.dry_run {
        say(&format!(
            "everything fits; none of the {} runs was started, since this is a dry run",
            runs.len()
        ));
        return Ok(Ending::Done);
    }
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    for run in &runs {
        keep(run)?;
    }
    let threads = runs.first().map_or(1, |run| run.manifest.run.threads);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = options.jobs.unwrap_or((cores / threads).max(1));
    let outcome = processes::run_all(&runs, jobs, options.quiet);
    let table = Table::of(&runs, &sweep.matrix)?;
    table.write(&folder)?;
    stdout::print(&table.print(options.format)?)?;
    if let Some(signal) = outcome.stopped {
        say(&format!("stopped by {}\nto go on: the same command again", signal.name()));
        return Ok(Ending::Stopped(signal));
    }
    if outcome.failed.is_empty() {
        return Ok(Ending::Done);
    }
    let failed: Vec<String> =
        outcome.failed.iter().map(|(name, log)| format!("{name}: {}", log.display())).collect();
    Err(Failure::new(format!("{} of {} runs failed", failed.len(), runs.len()))
        .hint(format!("their logs say why; the same command tries them again:\n  {}", failed.join("\n  "))))
}

/// Opens the first run of each method, so that nothing is found wrong after hours.
fn check(runs: &[Run], quiet: bool) -> Result<()> {
    let plugins = Plugins::open()?;
    let mut checked: Vec<&str> = Vec::new();
    for run in runs.iter().filter(|run| !run.directory.exists()) {
        if checked.contains(&run.method.as_str()) {
            continue;
        }
        checked.push(&run.method);
        execute::refuse_standalone(&run.manifest)?;
        let experiment = open(run, &plugins);
        let experiment =
            experiment.map_err(|failure| failure.context(&format!("method `{}`", run.method)))?;
        if !quiet {
            say(&format!("{:<24} {} steps", run.method, experiment.steps()));
        }
    }
    Ok(())
}

fn open(run: &Run, plugins: &Plugins) -> Result<Experiment> {
    let parts = Parts::open(run.manifest.clone(), plugins, None)?;
    let experiment = parts.experiment(run.manifest.clone())?;
    rank::check(&experiment)?;
    parts.check_start(&experiment, true)?;
    Ok(experiment)
}

/// Keeps a run's manifest; a folder with another one is refused.
fn keep(run: &Run) -> Result<()> {
    let text = run.manifest.to_toml()?;
    match std::fs::read_to_string(&run.file) {
        Ok(there) if there == text => Ok(()),
        Ok(_) if run.directory.exists() => {
            Err(Failure::new(format!("`{}` was run with other settings", run.directory.display()))
                .hint("give the sweep another `--directory`, or remove that run and its manifest"))
        }
        _ => write_atomically(&run.file, text.as_bytes()),
    }
}
