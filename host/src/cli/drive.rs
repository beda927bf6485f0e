//! What `run` and `resume` share: train, rank, report, and keep the run's status.

use std::time::Instant;

use nshot::checkpoint::Checkpoints;
use nshot::experiment::Experiment;
use nshot::failure::{Failure, Result};
use nshot::output::Output;
use nshot::progress::{Progress, say};
use nshot::rank::{self, Ranked, Score};
use nshot::report::Report;
use nshot::run_directory::{Best, LOG, Log, RunDirectory, STATUS, State, Status};
use nshot::signals::{self, Signal};
use nshot::train::{self, End};

use super::{Outcome, logging};

/// How much is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Nothing but errors and the result.
    pub(super) quiet: bool,
    /// The result as JSON.
    pub(super) json: bool,
}

/// Trains from the last checkpoint, if there is one, ranks and reports. Ends with 0, or with 130 or 143 when a signal
/// stopped it.
pub(super) fn drive(mut experiment: Experiment, directory: RunDirectory, manner: Manner) -> Outcome {
    signals::install()?;
    logging::keep(Log::open(&directory.join(LOG))?);
    let ended = go(&mut experiment, directory, manner);
    if let Err(failure) = &ended {
        logging::note(&format!("failed: {failure}"));
    }
    ended
}

fn go(experiment: &mut Experiment, directory: RunDirectory, manner: Manner) -> Outcome {
    let began = Instant::now();
    let checkpoint = Checkpoints::of(directory.path()).newest()?;
    let (done, steps) = (checkpoint.as_ref().map_or(0, |found| found.state.run_step), experiment.steps());
    logging::note(&format!("nshot {}, from step {done} of {steps}", env!("CARGO_PKG_VERSION")));
    let mut output = Output::open(directory, checkpoint.as_ref())?;
    let mut status = Status { state: State::Running, step: done, steps, best: None, reason: None };
    output.directory().write_status(&status)?;

    let mut progress = Progress::start_at("train", done, steps, manner.quiet);
    let trained = train::train(experiment, &mut output, checkpoint, &mut progress);
    progress.finish("");
    let (end, figures) = trained.inspect_err(|failure| fail(&output, failure))?;
    let training = began.elapsed();
    status.step = done + figures.steps;
    if let End::Stopped(signal) = end {
        return stop(&output, status, signal, manner);
    }

    let mut progress = Progress::start("rank", rank::count(experiment)? as u64, manner.quiet);
    let ranked = rank::finally(experiment, output.path(), &mut progress);
    progress.finish("");
    let scores = match ranked.inspect_err(|failure| fail(&output, failure))? {
        Ranked::Stopped(signal) => return stop(&output, status, signal, manner),
        Ranked::Done(scores) => scores,
    };
    let best = best(experiment, &scores);
    status.best = best
        .first()
        .map(|score| Best { architecture: score.architecture.clone(), accuracy: score.accuracy() });
    let report = Report {
        directory: output.path().to_owned(),
        steps: figures.steps,
        images: figures.images,
        final_loss: figures.loss,
        training_seconds: training.as_secs_f64(),
        ranking_seconds: (began.elapsed() - training).as_secs_f64(),
        total_seconds: began.elapsed().as_secs_f64(),
        ranked: scores.len(),
        best,
    };
    output.sync()?;
    report.write(output.path())?;
    status.state = State::Done;
    output.directory().write_status(&status)?;
    logging::note("done");
    report.print(manner.json).map(|()| 0)
}

/// The best scores, best first; equal ones in the order in which they were asked for.
fn best(experiment: &Experiment, scores: &[Score]) -> Vec<Score> {
    let mut best = scores.to_vec();
    best.sort_by(|a, b| b.accuracy().total_cmp(&a.accuracy()).then(a.mean_nll.total_cmp(&b.mean_nll)));
    best.truncate(experiment.manifest.rank.as_ref().map_or(0, |rank| rank.top));
    best
}

fn stop(output: &Output, mut status: Status, signal: Signal, manner: Manner) -> Outcome {
    status.state = State::Stopped;
    status.reason = Some(signal.name().to_owned());
    output.directory().write_status(&status)?;
    let text = format!("stopped by {} after {} of {} steps", signal.name(), status.step, status.steps);
    logging::note(&text);
    if !manner.quiet {
        say(&format!("{text}\n\nhint: to go on: `nshot resume {}`", output.path().display()));
    }
    Ok(signal.exit_status())
}

/// Keeps why the run failed; that it failed is what the user must hear, not that this could not be written.
fn fail(output: &Output, failure: &Failure) {
    let path = output.directory().join(STATUS);
    let Some(mut status) = Status::read(&path) else { return };
    status.state = State::Failed;
    status.reason = Some(failure.message.clone());
    let _: Result<()> = status.write(&path);
}
