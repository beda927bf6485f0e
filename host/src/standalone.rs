//! `nshot standalone`: trains single architectures from scratch under one recipe, and writes a table of how good they
//! are: the ground truth that rankings are compared with.
//!
//! | file of the run directory | holds |
//! |---|---|
//! | `manifest.toml`, `lock.json` | as of any run |
//! | `architectures.txt` | what is trained, in order |
//! | `trained.csv` | a line for each training that is done: what a killed run goes on from |
//! | `table.csv` | the table, at the end |

mod select;
mod table;
mod trained;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use crate::execute::Ending;
use crate::experiment::{Experiment, Parts};
use crate::failure::{Failure, Result};
use crate::manifest::Manifest;
use crate::plugins::Plugins;
use crate::progress::{Figures, Progress, duration, say};
use crate::provenance;
use crate::rank;
use crate::run_directory::{LOCK, Lock, MANIFEST, RunDirectory, State, Status, is_run};
use crate::selection::Architecture;
use crate::signals::{self, Signal};
use crate::trained_run;
use trained::Journal;

pub use table::Summary;

/// How the trainings are carried out; none of it changes a number.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Trainings beside each other.
    pub jobs: usize,
    /// Check everything, then stop.
    pub dry_run: bool,
    /// No progress.
    pub quiet: bool,
    /// The result as JSON.
    pub json: bool,
}

/// One training.
#[derive(Debug, Clone, PartialEq)]
struct Job {
    text: String,
    architecture: Architecture,
    seed: u64,
}

/// Trains what a manifest's `[standalone]` names; goes on where an earlier process with the same manifest stopped. With
/// a lock, from its plugins and data alone.
///
/// # Errors
/// Something is wrong with the manifest or what it names, the run directory is of another manifest, or a training
/// fails.
pub fn run(manifest: Manifest, locked: Option<&Path>, options: Options) -> Result<Ending> {
    let Some(config) = manifest.standalone.clone() else {
        let failure = Failure::usage(format!("`{}` has no table `[standalone]`", manifest.path().display()));
        return Err(failure.hint("add one, such as:\n\n[standalone]\ncount = 100\nseeds = [0, 1]"));
    };
    let started = Instant::now();
    let path = manifest.run.directory.clone();
    let plugins = Plugins::open()?;
    let goes_on = is_run(&path);
    let given = locked.map(Lock::read).transpose()?;
    let mut pins = given.as_ref().map(|given| plugins.locked(&manifest, given)).transpose()?;
    if goes_on {
        let lock = Lock::read(&path.join(LOCK))?;
        if let Some(pins) = &pins {
            lock.compare_plugins(&path, pins, "the lock")?;
        }
        pins = Some(lock.components);
    }
    let parts = Parts::open(manifest, &plugins, pins.as_ref())?;
    let experiment = parts.experiment(parts.manifest.clone())?;
    if let Some(given) = &given {
        provenance::compare_locked(given, &experiment)?;
    }
    check(&experiment)?;
    let resolved = provenance::resolved(&experiment).to_toml()?;
    let kept = if goes_on {
        compare(&path, &resolved).and_then(|()| select::kept(&experiment, &config, &path))?
    } else {
        None
    };
    let selected = kept.map_or_else(|| select::architectures(&experiment, &config), Ok)?;
    if options.dry_run {
        let trainings = selected.len() * config.seeds.len();
        say(&format!(
            "everything fits; none of the {trainings} trainings was started, since this is a dry run"
        ));
        return Ok(Ending::Done);
    }
    let directory = if goes_on {
        let directory = RunDirectory::open(&path)?;
        provenance::compare(&directory.lock()?, &experiment)?;
        // There may be more seeds now.
        directory.write(MANIFEST, resolved.as_bytes())?;
        directory
    } else {
        RunDirectory::create(&path, &resolved, &provenance::lock(&experiment)?)?
    };
    select::keep(&experiment, &directory, &selected)?;
    let mut jobs = Vec::with_capacity(selected.len() * config.seeds.len());
    for architecture in selected {
        let text = experiment.space.to_text(&architecture)?;
        let job = |&seed| Job { text: text.clone(), architecture: architecture.clone(), seed };
        jobs.extend(config.seeds.iter().map(job));
    }
    drop(experiment);
    carry_out(&parts, &directory, &jobs, options, started)
}

/// Trains what is not done yet and writes the table; the directory's status tells how it went.
fn carry_out(
    parts: &Parts,
    directory: &RunDirectory,
    jobs: &[Job],
    options: Options,
    started: Instant,
) -> Result<Ending> {
    let (mut journal, done) = Journal::open(directory, jobs)?;
    let outcome = train_all(parts, directory, jobs, &done, &mut journal, options);
    let trained = journal.into_trained();
    let mut status = Status::running(trained.len() as u64, jobs.len() as u64);
    match outcome {
        Ok(None) => {
            let summary = table::write(parts, directory, jobs, &trained)?;
            status.state = State::Done;
            directory.write_status(&status)?;
            summary.print(options.json, &duration(started.elapsed().as_secs_f64()))?;
            Ok(Ending::Done)
        }
        Ok(Some(signal)) => {
            status.state = State::Stopped;
            status.reason = Some(signal.name().to_owned());
            directory.write_status(&status)?;
            say(&format!(
                "stopped by {} after {} of {} trainings\nto go on: the same command again",
                signal.name(),
                trained.len(),
                jobs.len()
            ));
            Ok(Ending::Stopped(signal))
        }
        Err(failure) => {
            status.state = State::Failed;
            status.reason = Some(failure.message.clone());
            // The disk may be full: what went wrong first is what counts.
            let _ = directory.write_status(&status);
            Err(failure)
        }
    }
}

/// The directory's manifest must be this one, but for seeds that were added.
fn compare(path: &Path, resolved: &str) -> Result<()> {
    let file = path.join(MANIFEST);
    let there = std::fs::read_to_string(&file).map_err(|error| Failure::file("read", &file, &error))?;
    let Some(differs) = trained_run::difference(&there, resolved) else { return Ok(()) };
    if seeds_were_added(&there, resolved).unwrap_or(false) {
        return Ok(());
    }
    Err(Failure::new(format!("the run directory `{}` is of another manifest: {differs}", path.display()))
        .hint("give another `--directory`, or remove it; only seeds may be added to `standalone.seeds`"))
}

/// Whether two manifests are the same, but for seeds that only the second one has. None if one of them has no seeds.
fn seeds_were_added(there: &str, now: &str) -> Option<bool> {
    let [mut there, mut now]: [toml::Table; 2] = [toml::from_str(there).ok()?, toml::from_str(now).ok()?];
    let of = |manifest: &mut toml::Table| {
        // Where it lies is no part of what it computes.
        manifest.get_mut("run")?.as_table_mut()?.remove("directory");
        manifest.get_mut("standalone")?.as_table_mut()?.remove("seeds")
    };
    let (had, has) = (of(&mut there)?, of(&mut now)?);
    let (had, has) = (had.as_array()?, has.as_array()?);
    Some(there == now && had.iter().all(|seed| has.contains(seed)))
}

/// Checks before the first training what the last step of each would find.
fn check(experiment: &Experiment) -> Result<()> {
    let manifest = &experiment.manifest;
    if experiment.data.rank_len() == 0 {
        let failure =
            Failure::usage("no images are held for ranking: there is nothing to score a network on");
        return Err(
            manifest.locate("data.split.rank", failure.hint("set `data.split.rank`, or `data.rank_from`"))
        );
    }
    if manifest.train.stop_after.is_some() {
        let failure = Failure::usage("`stop_after` is of a run; a training alone has its whole length");
        return Err(manifest.locate("train.stop_after", failure));
    }
    let rank = manifest.rank.as_ref();
    let ranking = [
        ("rank.table", rank.is_some_and(|rank| rank.table.is_some())),
        ("rank.recalibrate", rank.is_some_and(|rank| rank.recalibrate > 0)),
    ];
    if let Some((key, _)) = ranking.iter().find(|(_, given)| *given) {
        let failure =
            Failure::usage(format!("`{key}` is of a supernet's ranking; here networks are trained alone"));
        return Err(manifest.locate(key, failure));
    }
    rank::check(experiment)
}

/// Trains what is not done yet. Returns the signal that stopped it, if one did.
fn train_all(
    parts: &Parts,
    directory: &RunDirectory,
    jobs: &[Job],
    done: &[bool],
    journal: &mut Journal,
    options: Options,
) -> Result<Option<Signal>> {
    let left: Vec<&Job> = jobs.iter().zip(done).filter(|(_, done)| !**done).map(|(job, _)| job).collect();
    let (mut finished, all) = ((jobs.len() - left.len()) as u64, jobs.len() as u64);
    directory.write_status(&Status::running(finished, all))?;
    let mut progress = Progress::start_at("trainings", finished, all, options.quiet);
    let next = AtomicUsize::new(0);
    let failed = std::sync::atomic::AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    let (mut outcome, mut best) = (Ok(None), 0.0_f64);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.min(left.len()).max(1) {
            let (sender, next, left, failed) = (sender.clone(), &next, &left, &failed);
            scope.spawn(move || {
                let stop = || failed.load(Ordering::Relaxed);
                let mut images = None;
                while let Some(job) = left.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let trained = trained::train(parts, job, &mut images, stop);
                    let ended = !matches!(trained, Ok(Some(_)));
                    if sender.send(trained).is_err() || ended {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for trained in receiver {
            let written = trained.and_then(|trained| match trained {
                Some(trained) => {
                    let (images, accuracy) = (trained.images_trained, trained.accuracy());
                    journal.push(trained)?;
                    finished += 1;
                    directory.write_status(&Status::running(finished, all))?;
                    best = best.max(accuracy);
                    let figures = Figures { images, best: Some(best), ..Figures::default() };
                    progress.advance(1, &figures);
                    Ok(None)
                }
                None => Ok(signals::stop_requested()),
            });
            match written {
                Ok(None) => {}
                Ok(stopped) => outcome = outcome.clone().map(|_| stopped),
                Err(failure) => {
                    failed.store(true, Ordering::Relaxed);
                    outcome = outcome.clone().and(Err(failure));
                }
            }
        }
    });
    progress.finish("");
    outcome
}
