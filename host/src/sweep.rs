//! `nshot sweep`: a manifest with a `[matrix]` of methods and seeds, one run each, and the table at the end.
//!
//! ```text
//! DIR/METHOD-seed-N.toml   the run's manifest
//! DIR/METHOD-seed-N.log    what it said
//! DIR/METHOD-seed-N/       its run directory
//! DIR/METHOD.lock.json     what the method's runs are made of
//! DIR/sweep.md, .csv, .json, .svg
//! ```

mod config;
mod picture;
mod processes;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::execute::{self, Ending};
use crate::experiment::{Experiment, Parts};
use crate::failure::{Failure, Result};
use crate::manifest::Manifest;
use crate::plugins::Plugins;
use crate::progress::say;
use crate::provenance;
use crate::rank;
use crate::run_directory::{LOCK, Lock, is_run, write_atomically};
use crate::stdout;
use crate::trained_run;

pub use config::{Matrix, Sweep};
pub use table::{Figure, Format, Row, Table};

/// How a sweep is carried out; none of it changes a number.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder, in place of the manifest's.
    pub directory: Option<PathBuf>,
    /// Keys of every run's manifest that are set.
    pub overrides: Vec<(String, String)>,
    /// Only these methods; all if there are none.
    pub methods: Vec<String>,
    /// Only these seeds; all if there are none.
    pub seeds: Vec<u64>,
    /// Locks: what the runs are made of is in one of them. Without any, what the manifest finds.
    pub locked: Vec<PathBuf>,
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
    /// The lock that a new run is held to.
    lock: Option<PathBuf>,
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
    let mut sweep = Sweep::load(path, &options.overrides)?;
    sweep.keep_only(&options.methods, &options.seeds)?;
    let folder = options.directory.clone().unwrap_or_else(|| sweep.directory.clone());
    let mut runs = sweep.runs(&folder)?;
    let locks: Vec<Lock> = options.locked.iter().map(|path| Lock::read(path)).collect::<Result<_>>()?;
    let checked = check(&runs, &locks, options.quiet)?;
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
    keep_locks(&mut runs, &checked, &folder)?;
    let threads = runs.first().map_or(1, |run| run.manifest.run.threads);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = options.jobs.unwrap_or((cores / threads).max(1));
    let steps = checked.iter().map(|(method, made)| (method.clone(), made.steps)).collect();
    let outcome = processes::run_all(&runs, &steps, jobs, options.quiet);
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

/// What the runs of a method that are to come are made of, and how long they are.
struct Checked {
    lock: Lock,
    steps: u64,
}

/// Opens the first run of each method that is to come, so that nothing is found wrong after hours. Returns what was found,
/// by method.
fn check(runs: &[Run], locks: &[Lock], quiet: bool) -> Result<BTreeMap<String, Checked>> {
    let plugins = Plugins::open()?;
    let mut checked = BTreeMap::new();
    for run in runs {
        let context = |failure: Failure| failure.context(&format!("method `{}`", run.method));
        if run.directory.exists() {
            compare(run, &plugins, locks).map_err(context)?;
            continue;
        }
        if checked.contains_key(&run.method) {
            continue;
        }
        execute::refuse_standalone(&run.manifest)?;
        let experiment = open(run, &plugins, locks).map_err(context)?;
        let lock = provenance::lock(&experiment)?;
        if !locks.is_empty() {
            Lock::hold_contents(locks, &lock).map_err(context)?;
        }
        if checked.is_empty() {
            for given in locks {
                provenance::compare_machines(given, &lock);
            }
        }
        let steps = experiment.steps();
        checked.insert(run.method.clone(), Checked { lock, steps });
        if !quiet {
            say(&format!("{:<24} {steps} steps", run.method));
        }
    }
    runs.iter().try_for_each(|run| match checked.get(&run.method) {
        Some(method) => compare_build(run, &method.lock),
        None => Ok(()),
    })?;
    Ok(checked)
}

/// All runs of a method are of the same plugin files, so that its row in the table is of one thing.
fn compare_build(run: &Run, coming: &Lock) -> Result<()> {
    if !is_run(&run.directory) {
        return Ok(());
    }
    let path = run.directory.join(LOCK);
    // A damaged lock is that run's own failure.
    let Ok(lock) = Lock::read(&path) else { return Ok(()) };
    let compared =
        lock.compare_plugins(&run.directory, &coming.components, "the method's other runs would have");
    compared.map_err(|failure| {
        failure.context(&format!("method `{}`", run.method)).hint(format!(
            "the plugin was changed since: give the sweep another `--directory`, or remove that run; `--locked {}` takes \
             the earlier build, with a `--locked` for each other method too",
            path.display()
        ))
    })
}

fn open(run: &Run, plugins: &Plugins, locks: &[Lock]) -> Result<Experiment> {
    let pins = (!locks.is_empty()).then(|| plugins.locked_by(&run.manifest, locks)).transpose()?;
    let parts = Parts::open(run.manifest.clone(), plugins, pins.as_ref())?;
    let experiment = parts.experiment(run.manifest.clone())?;
    rank::check(&experiment)?;
    parts.check_start(&experiment, true)?;
    Ok(experiment)
}

/// A run that is there already goes on with its own lock, which must be of the given ones.
fn compare(run: &Run, plugins: &Plugins, locks: &[Lock]) -> Result<()> {
    if locks.is_empty() || !is_run(&run.directory) {
        return Ok(());
    }
    let pins = plugins.locked_by(&run.manifest, locks)?;
    Lock::read(&run.directory.join(LOCK))?.compare_plugins(&run.directory, &pins, "the lock")
}

/// Writes the lock of each method that has runs to come.
fn keep_locks(runs: &mut [Run], checked: &BTreeMap<String, Checked>, folder: &Path) -> Result<()> {
    let path = |method: &str| folder.join(format!("{method}.lock.json"));
    for (method, made) in checked {
        made.lock.write(&path(method))?;
    }
    for run in runs.iter_mut().filter(|run| checked.contains_key(&run.method)) {
        run.lock = Some(path(&run.method));
    }
    Ok(())
}

/// Keeps a run's manifest; a folder with another one is refused.
fn keep(run: &Run) -> Result<()> {
    let text = run.manifest.to_toml()?;
    let there = std::fs::read_to_string(&run.file).ok();
    if !run.directory.exists() {
        return write_atomically(&run.file, text.as_bytes());
    }
    let problem = match there.map(|there| trained_run::difference(&there, &text)) {
        Some(None) => return Ok(()),
        Some(Some(differs)) => format!("was run with other settings: {differs}"),
        None => format!("is there, but not its manifest `{}`", run.file.display()),
    };
    Err(Failure::new(format!("`{}` {problem}", run.directory.display()))
        .hint("give the sweep another `--directory`, or remove that run and its manifest"))
}
