//! The runs of a sweep, each a process of its own.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Run;
use crate::failure::{Failure, Result};
use crate::progress::{Figures, Progress};
use crate::run_directory::{STATUS, State, Status, is_held, is_run};
use crate::signals::{self, Signal};

/// Between two looks at the processes.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two looks at how far they are.
const COUNT_EVERY: Duration = Duration::from_secs(2);
/// A run says how far it is at its checkpoints only.
const RATE_OVER: Duration = Duration::from_mins(10);

/// How the runs ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Names of the runs that failed, with their logs.
    pub(super) failed: Vec<(String, PathBuf)>,
    /// The signal that stopped the sweep.
    pub(super) stopped: Option<Signal>,
}

/// How far the runs are together, in steps.
struct Work<'a> {
    runs: &'a [Run],
    /// Of a method's run that has not begun.
    steps: &'a BTreeMap<String, u64>,
    progress: Progress,
    done: u64,
    counted: Instant,
}

impl<'a> Work<'a> {
    fn start(runs: &'a [Run], steps: &'a BTreeMap<String, u64>, quiet: bool) -> Self {
        let (done, total) = count(runs, steps);
        let progress = Progress::start_at("sweep", done, total, quiet).with_rate_over(RATE_OVER);
        Self { runs, steps, progress, done, counted: Instant::now() }
    }

    fn show(&mut self) {
        if self.counted.elapsed() < COUNT_EVERY {
            return;
        }
        self.counted = Instant::now();
        let (done, _) = count(self.runs, self.steps);
        if done > self.done {
            self.progress.advance(done - self.done, &Figures::default());
            self.done = done;
        }
    }

    fn say_done(&self, run: &Run) {
        let (done, all) = (self.runs.iter().filter(|run| is_done(run)).count(), self.runs.len());
        self.progress.say(&format!("done    {}, {done} of {all} runs", run.name()));
    }
}

/// Steps that are done, and all steps.
fn count(runs: &[Run], steps: &BTreeMap<String, u64>) -> (u64, u64) {
    let of = |run: &Run| match Status::read(&run.directory.join(STATUS)) {
        Some(status) if status.state == State::Done => (status.steps, status.steps),
        Some(status) => (status.step, status.steps),
        None => (0, steps.get(&run.method).copied().unwrap_or(0)),
    };
    runs.iter().map(of).fold((0, 0), |(done, all): (u64, u64), (more, of)| {
        (done.saturating_add(more), all.saturating_add(of))
    })
}

/// Runs what is not done, `jobs` at a time. A signal is passed on; then all wait for their checkpoints. `steps`: of a run
/// of each method that has runs to begin.
pub(super) fn run_all(runs: &[Run], steps: &BTreeMap<String, u64>, jobs: usize, quiet: bool) -> Ended {
    let mut work = Work::start(runs, steps, quiet);
    let left = runs.iter().filter(|run| !is_done(run));
    let mut waiting: VecDeque<&Run> = left.collect();
    let mut running: Vec<(&Run, Child)> = Vec::new();
    let mut ended = Ended::default();
    loop {
        if ended.stopped.is_none()
            && let Some(signal) = signals::stop_requested()
        {
            ended.stopped = Some(signal);
            for (_, child) in &running {
                pass_on(child);
            }
        }
        while ended.stopped.is_none() && running.len() < jobs {
            // Runs of a sweep that was killed stop with a checkpoint: they are waited for.
            let free = waiting.iter().position(|run| !is_held(&run.directory));
            let Some(run) = free.and_then(|index| waiting.remove(index)) else { break };
            if is_done(run) {
                continue;
            }
            match start(run) {
                Ok(child) => running.push((run, child)),
                Err(failure) => {
                    work.progress.say(&format!("failed  {}: {failure}", run.name()));
                    ended.failed.push((run.name(), run.log.clone()));
                }
            }
        }
        if running.is_empty() && (waiting.is_empty() || ended.stopped.is_some()) {
            break;
        }
        let mut still = Vec::with_capacity(running.len());
        for (run, mut child) in running {
            match child.try_wait() {
                Ok(None) => still.push((run, child)),
                Ok(Some(status)) if status.success() && is_done(run) => work.say_done(run),
                Ok(Some(_)) if ended.stopped.is_some() => {}
                // Another sweep in the same folder began it first.
                Ok(Some(_)) if is_held(&run.directory) || is_done(run) => waiting.push_back(run),
                _ => {
                    work.progress.say(&format!("failed  {}", run.name()));
                    ended.failed.push((run.name(), run.log.clone()));
                }
            }
        }
        running = still;
        work.show();
        std::thread::sleep(LOOK_EVERY);
    }
    work.progress.finish("");
    ended
}

pub(super) fn is_done(run: &Run) -> bool {
    Status::read(&run.directory.join(STATUS)).is_some_and(|status| status.state == State::Done)
}

fn start(run: &Run) -> Result<Child> {
    let program =
        std::env::current_exe().map_err(|error| Failure::new(format!("where is this program? {error}")))?;
    let log = File::options().create(true).append(true).open(&run.log);
    let log = log.map_err(|error| Failure::file("write", &run.log, &error))?;
    let mut command = Command::new(&program);
    if is_run(&run.directory) {
        command.arg("resume").arg(&run.directory);
    } else {
        command.arg("run").arg(&run.file).arg("--directory").arg(&run.directory);
        if let Some(lock) = &run.lock {
            command.arg("--locked").arg(lock);
        }
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // Of its own group: Ctrl-C reaches the sweep alone, which passes it on once. A run takes a second signal as an order
    // to end without a checkpoint.
    command.process_group(0);
    command.env(signals::PARENT, std::process::id().to_string());
    command.spawn().map_err(|error| Failure::file("run", &program, &error))
}

/// Asks a process to stop with a checkpoint.
fn pass_on(child: &Child) {
    if let Some(id) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
}
