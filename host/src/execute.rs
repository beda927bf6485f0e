//! `nshot run` and `nshot resume`: check everything, train, rank, report.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::boundary::StagePlan;
use crate::checkpoint::{self, Checkpoint, Checkpoints};
use crate::experiment::{Experiment, Parts};
use crate::failure::{Failure, Result};
use crate::manifest::Manifest;
use crate::output::Output;
use crate::plugin_time::Spent;
use crate::plugins::Plugins;
use crate::progress::{Progress, duration, say};
use crate::provenance::{compare, compare_locked, lock, resolved};
use crate::rank::{self, Ranked, Score, truth};
use crate::replace::{self, Replacements};
use crate::report::{self, Report};
use crate::run_directory::{Best, LOCK, Lock, MANIFEST, RunDirectory, STATUS, State, Status, record};
use crate::search;
use crate::signals::{self, Signal};
use crate::train::{self, End, Figures, weights_path};
use crate::trained_run;
use crate::watchdog;

/// How a run is carried out; none of it changes a number.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// No progress.
    pub quiet: bool,
    /// Check everything, then stop.
    pub dry_run: bool,
    /// The report as JSON.
    pub json: bool,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is done.
    Done,
    /// A signal stopped it; it can be resumed.
    Stopped(Signal),
}

impl Ending {
    /// The process's exit status: 0, or 130 or 143 for a signal.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Stopped(signal) => signal.exit_status(),
        }
    }
}

/// Runs a manifest in a new run directory; with a lock, from its plugins and data alone.
///
/// # Errors
/// Something is wrong with the manifest or what it names, or the run fails.
pub fn run(manifest: Manifest, locked: Option<&Path>, options: Options) -> Result<Ending> {
    let started = Instant::now();
    refuse_standalone(&manifest)?;
    let path = manifest.run.directory.clone();
    if !options.dry_run {
        RunDirectory::check_absent(&path)?;
    }
    let plugins = Plugins::open()?;
    let given = locked.map(Lock::read).transpose()?;
    let pins = given.as_ref().map(|given| plugins.locked(&manifest, given)).transpose()?;
    let parts = Parts::open(manifest, &plugins, pins.as_ref())?;
    let mut experiment = parts.experiment(parts.manifest.clone())?;
    if let Some(given) = &given {
        compare_locked(given, &experiment)?;
    }
    rank::check(&experiment)?;
    check_disk(&experiment, &path)?;
    if !options.quiet {
        report::introduce(&experiment);
    }
    parts.check_start(&experiment, options.dry_run)?;
    if options.dry_run {
        say("everything fits; nothing was run, since this is a dry run");
        return Ok(Ending::Done);
    }
    let (resolved, lock) = (resolved(&experiment).to_toml()?, lock(&experiment)?);
    if let Some(signal) = signals::stop_requested() {
        say(&format!("stopped by {} before the first step", signal.name()));
        return Ok(Ending::Stopped(signal));
    }
    let directory = RunDirectory::create(&path, &resolved, &lock)?;
    carry_out(&parts, &mut experiment, directory, None, options, started)
}

/// A manifest of single trainings is no run's.
pub(crate) fn refuse_standalone(manifest: &Manifest) -> Result<()> {
    if manifest.standalone.is_none() {
        return Ok(());
    }
    let failure = Failure::usage("a manifest with `[standalone]` trains architectures alone, not a supernet");
    Err(manifest
        .locate("standalone", failure.hint("`nshot standalone` takes it, and goes on where it was stopped")))
}

/// Goes on with a run from its last checkpoint, with the plugins of its lock, but for those that are replaced.
///
/// # Errors
/// The directory is damaged, what it was made of has changed, or the run fails.
pub fn resume(path: &Path, replacements: &Replacements, options: Options) -> Result<Ending> {
    let started = Instant::now();
    let status = Status::read(&path.join(STATUS));
    if status.is_some_and(|status| status.state == State::Done) && !lacks_supernet(path)? {
        let done = format!("the run in `{}` is done; there is nothing to resume", path.display());
        let hint = format!("`nshot runs show {}` shows its results", path.display());
        return Err(Failure::new(done).hint(hint));
    }
    let directory = RunDirectory::open(path)?;
    let lock = directory.lock()?;
    directory.warn_of_other_manifest(&lock)?;
    let plugins = Plugins::open()?;
    let mut pinned = lock.clone();
    let mut manifest = replacements.apply(&directory.join(MANIFEST), &plugins, &mut pinned)?;
    refuse_standalone(&manifest)?;
    path.clone_into(&mut manifest.run.directory);
    let parts = Parts::open(manifest, &plugins, Some(&pinned.components))?;
    let mut experiment = parts.experiment(parts.manifest.clone())?;
    compare(&lock, &experiment)?;
    check_disk(&experiment, path)?;
    let checkpoint = Checkpoints::of(path).newest()?;
    if let Some(Checkpoint { state, .. }) = &checkpoint {
        experiment.restore_plan(state)?;
        check_earlier(state, path)?;
        if state.run_step > experiment.steps() {
            let (step, steps) = (state.run_step, experiment.steps());
            return Err(Failure::new(format!(
                "the checkpoint is at step {step}, but the manifest has {steps} steps"
            )));
        }
    }
    if !replacements.uses.is_empty() {
        replace::check(&parts, path, checkpoint.as_ref())?;
        replace::keep(&lock, &experiment, &directory)?;
    }
    if let Some(Checkpoint { state, .. }) = &checkpoint
        && !options.quiet
    {
        say(&format!("resuming after step {} of the run", state.run_step));
    }
    carry_out(&parts, &mut experiment, directory, checkpoint, options, started)
}

/// Only the last stage comes again from the checkpoint.
fn check_earlier(state: &checkpoint::State, path: &Path) -> Result<()> {
    let gone = |stage: &&StagePlan| !weights_path(path, &stage.name).is_file();
    let Some(stage) = state.stages.iter().take(state.stage).find(gone) else { return Ok(()) };
    let text = format!("the supernet of the stage `{}` is gone, and so is its checkpoint", stage.name);
    Err(Failure::new(text)
        .hint(format!("restore `{}`, or start the run anew", weights_path(path, &stage.name).display())))
}

/// Whether a trained supernet of a run is not there any more; the last one comes again from its checkpoint.
fn lacks_supernet(path: &Path) -> Result<bool> {
    let Some(Checkpoint { state, .. }) = Checkpoints::of(path).newest()? else { return Ok(false) };
    let trained = state.stages.iter().take(state.stage + 1);
    Ok(trained.map(|stage| &stage.name).any(|name| !weights_path(path, name).is_file()))
}

/// Trains and ranks, and says how it went; the run's status tells the same.
fn carry_out(
    parts: &Parts,
    experiment: &mut Experiment,
    directory: RunDirectory,
    checkpoint: Option<Checkpoint>,
    options: Options,
    started: Instant,
) -> Result<Ending> {
    let mut output = Output::open(directory, checkpoint.as_ref())?;
    watchdog::set_run(Some((output.path().to_owned(), experiment.steps())));
    let outcome = train_and_rank(parts, experiment, &mut output, checkpoint, options, started);
    watchdog::set_run(None);
    let (path, directory) = (output.path(), output.directory());
    let mut status = Status::running(Checkpoints::of(path).steps_done(), experiment.steps());
    match outcome {
        Ok(Outcome::Done(report)) => {
            report.write(path)?;
            status.state = State::Done;
            status.best = report.best.first().map(best_subnet);
            directory.write_status(&status)?;
            record("info", "done");
            report.print(options.json)?;
            Ok(Ending::Done)
        }
        Ok(Outcome::Stopped(signal)) => {
            let stopped = format!("stopped by {} with a checkpoint at step {}", signal.name(), status.step);
            status.state = State::Stopped;
            status.reason = Some(signal.name().to_owned());
            directory.write_status(&status)?;
            record("info", &stopped);
            say(&format!("{stopped}\nto go on: nshot resume {}", path.display()));
            Ok(Ending::Stopped(signal))
        }
        Err(failure) => {
            // Then a file that cannot be written is no wonder.
            let mut failure = directory.check_there().err().unwrap_or(failure);
            if let Some(table) = failure.table {
                let goes_on = replace::hint(path, table);
                failure.hint =
                    Some(failure.hint.map_or(goes_on.clone(), |hint| format!("{hint}; {goes_on}")));
            }
            status.state = State::Failed;
            status.reason = Some(failure.message.clone());
            // The disk may be full: what went wrong first is what counts.
            let _ = directory.write_status(&status);
            Err(failure.context(&format!("the run in `{}` failed", path.display())))
        }
    }
}

fn best_subnet(score: &Score) -> Best {
    Best { architecture: score.architecture.clone(), accuracy: score.accuracy() }
}

enum Outcome {
    Done(Box<Report>),
    Stopped(Signal),
}

fn train_and_rank(
    parts: &Parts,
    experiment: &mut Experiment,
    output: &mut Output,
    checkpoint: Option<Checkpoint>,
    options: Options,
    started: Instant,
) -> Result<Outcome> {
    let done = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.state.run_step);
    output.directory().write_status(&Status::running(done, experiment.steps()))?;
    let mut progress = Progress::start_at("train", done, experiment.steps(), options.quiet);
    let reads = nshot_torch::device_reads();
    let (end, figures) = train::train(experiment, output, checkpoint, &mut progress)?;
    let device_reads = nshot_torch::device_reads() - reads;
    progress.finish(&trained_line(&figures));
    if let End::Stopped(signal) = end {
        return Ok(Outcome::Stopped(signal));
    }
    if figures.steps > done {
        rank::forget(output.path())?;
    }
    let begun = Instant::now();
    let scores = match experiment.manifest.rank {
        None => Vec::new(),
        Some(_) => match rank::finally(experiment, output.path(), output.path(), options.quiet)? {
            Ranked::Done(scores) => scores,
            Ranked::Stopped(signal) => return Ok(Outcome::Stopped(signal)),
        },
    };
    let comparisons = truth::compare(experiment, &scores, output.path())?;
    let ranking = begun.elapsed().as_secs_f64();
    let search = match search_all(parts, experiment, output.path(), options)? {
        None => None,
        Some(search::Ended::Done(searched)) => Some(searched),
        Some(search::Ended::Stopped(signal)) => return Ok(Outcome::Stopped(signal)),
    };
    let top = experiment.manifest.rank.as_ref().map_or(0, |rank| rank.top);
    let trained = (figures.steps > done).then_some(&figures.spent);
    Ok(Outcome::Done(Box::new(Report {
        directory: std::path::absolute(output.path())?,
        steps: figures.steps,
        images: figures.images,
        final_loss: figures.loss,
        training_seconds: figures.seconds,
        plugin_seconds: trained.map(Spent::plugins).unwrap_or_default(),
        graph_seconds: trained.map(Spent::graphs),
        update_seconds: trained.map(Spent::arithmetic),
        training_seconds_here: figures.seconds_here,
        ranking_seconds: ranking,
        total_seconds: started.elapsed().as_secs_f64(),
        peak_memory: report::peak_memory(),
        device_reads,
        ranked: scores.len(),
        best: Score::best(scores, top),
        comparisons,
        search,
    })))
}

fn search_all(
    parts: &Parts,
    experiment: &Experiment,
    path: &Path,
    options: Options,
) -> Result<Option<search::Ended>> {
    if experiment.manifest.search.is_none() {
        return Ok(None);
    }
    let mut searcher = parts.searcher()?;
    let name = searcher.identity().name.clone();
    let folder = search::folder(path, &name)?;
    trained_run::keep_manifest(&folder, &resolved(experiment), &name)?;
    lock(experiment)?.write(&folder.join(LOCK))?;
    let top = experiment.manifest.rank.as_ref().map_or(10, |rank| rank.top);
    let ended = search::carry_out(experiment, &mut searcher, path, &folder, top, options.quiet);
    if ended.is_err() {
        search::forget_unbegun(&folder);
    }
    ended.map(Some)
}

fn trained_line(figures: &Figures) -> String {
    let rate = figures.images as f64 / figures.seconds.max(1e-9);
    format!("trained {} steps in {}, {rate:.0} images/s", figures.steps, duration(figures.seconds))
}

/// Room for weights and optimizer state: two checkpoints, the best one, and the one being written.
fn check_disk(experiment: &Experiment, path: &Path) -> Result<()> {
    let elements: u64 = experiment.space.parameters().iter().map(nshot_graph::ParameterSpec::elements).sum();
    // Weights and two slots, of 8 bytes at most.
    let needed = elements.saturating_mul(8 * 3 * 3);
    let mut folder: PathBuf = std::path::absolute(path)?;
    while !folder.exists() && folder.pop() {}
    let free = rustix::fs::statvfs(&folder).map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize));
    if free >= needed {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    Err(Failure::new(format!(
        "`{}` has {} MiB of disk space left; checkpoints may take {} MiB",
        folder.display(),
        mib(free),
        mib(needed)
    ))
    .hint("free some, or choose another place with --directory"))
}
