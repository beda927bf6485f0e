//! Runs of a manifest that are stopped at chosen moments, and what they leave behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Bench, Run};

/// A manifest and its runs.
pub(super) struct Job {
    pub(super) bench: Bench,
}

/// When a process is stopped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    /// So long after its start.
    Milliseconds(u64),
    /// While the checkpoint of this stage and step, or the first one after it, is being written.
    Writing(u64, u64),
    /// So many milliseconds after that checkpoint is whole.
    After(u64, u64, u64),
    /// Once this stage's supernet is kept.
    Kept(&'static str),
    /// Once so many subnets of the final ranking are scored.
    Ranked(usize),
}

/// A checkpoint's stage and step, from its folder's name.
type At = (u64, u64);

impl Job {
    pub(super) fn new(manifest: &str) -> Self {
        let bench = Bench::new();
        bench.write("job.toml", manifest);
        Self { bench }
    }

    pub(super) fn run(&self, name: &str) -> Run {
        self.bench.nshot(&["run", "job.toml", "--quiet", "--directory", name])
    }

    pub(super) fn resume(&self, name: &str) -> Run {
        self.bench.nshot(&["resume", name, "--quiet"])
    }

    /// A run that nothing interrupts.
    pub(super) fn uninterrupted(&self) -> Results {
        self.run("whole").ok();
        self.results("whole")
    }

    pub(super) fn results(&self, name: &str) -> Results {
        Results::read(&self.bench.path(name))
    }

    /// Starts `nshot run`, or `nshot resume` if the run directory exists.
    pub(super) fn start(&self, name: &str) -> Child {
        let run = ["run", "job.toml", "--quiet", "--directory", name];
        let resume = ["resume", name, "--quiet"];
        let exists = self.bench.path(name).exists();
        let mut command = self.bench.command(if exists { &resume } else { &run });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts it, and waits for a moment.
    pub(super) fn start_until(&self, name: &str, moment: Moment) -> Child {
        let mut child = self.start(name);
        let run = self.bench.path(name);
        let begun = Instant::now();
        while !moment.has_come(&run, begun.elapsed()) {
            if child.try_wait().unwrap().is_some() {
                let said = Run::of(child.wait_with_output().unwrap(), &[name]);
                panic!("the run ended before {moment:?}, exit status {:?}: {}", said.code, said.stderr);
            }
            assert!(begun.elapsed() < Duration::from_mins(5), "{moment:?} does not come");
            std::thread::sleep(Duration::from_micros(50));
        }
        if let Moment::After(_, _, milliseconds) = moment {
            std::thread::sleep(Duration::from_millis(milliseconds));
        }
        child
    }

    /// Starts it and kills it at a moment. Returns whether that was inside the writing of a checkpoint.
    pub(super) fn kill(&self, name: &str, moment: Moment) -> bool {
        let mut child = self.start_until(name, moment);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), None, "it ended before it was killed at {moment:?}");
        being_written(&self.bench.path(name)).is_some()
    }

    /// Starts it, stops it with a signal at a moment, and waits for its end.
    pub(super) fn signal(&self, name: &str, moment: Moment, signal: &str) -> Run {
        let child = self.start_until(name, moment);
        send(&child, signal);
        Run::of(child.wait_with_output().unwrap(), &["stopped by", signal])
    }

    /// Goes on to the end, from wherever a kill left it.
    pub(super) fn finish(&self, name: &str) -> Results {
        if self.bench.path(name).exists() {
            self.resume(name).ok()
        } else {
            self.run(name).ok()
        };
        self.results(name)
    }

    /// The newest checkpoint's folder.
    pub(super) fn checkpoint(&self, name: &str) -> PathBuf {
        let folder = self.bench.path(name).join("checkpoints");
        let newest = names(&folder).into_iter().filter(|name| !name.starts_with('.')).max();
        folder.join(newest.unwrap())
    }
}

impl Moment {
    fn has_come(self, run: &Path, elapsed: Duration) -> bool {
        match self {
            Self::Milliseconds(milliseconds) => elapsed >= Duration::from_millis(milliseconds),
            Self::Writing(stage, step) => being_written(run).is_some_and(|at| at >= (stage, step)),
            Self::After(stage, step, _) => {
                names(&run.join("checkpoints")).iter().any(|name| whole(name) >= Some((stage, step)))
            }
            Self::Kept(stage) => run.join(format!("supernets/{stage}.safetensors")).exists(),
            Self::Ranked(count) => {
                let lines = std::fs::read_to_string(run.join("scores.partial.csv")).unwrap_or_default();
                lines.lines().count() > count
            }
        }
    }
}

/// The checkpoint that is being written, or was when the process was killed: its folder has the name of something
/// unfinished, and is newer than every whole one (an older one is being removed).
fn being_written(run: &Path) -> Option<At> {
    let names = names(&run.join("checkpoints"));
    let newest = names.iter().filter_map(|name| whole(name)).max();
    let partial = |name: &String| whole(name.strip_prefix('.')?.strip_suffix(".partial")?);
    names.iter().filter_map(partial).find(|at| Some(*at) > newest)
}

fn whole(name: &str) -> Option<At> {
    let (stage, step) = name.split_once('-')?;
    Some((stage.parse().ok()?, step.parse().ok()?))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

pub(super) fn send(child: &Child, signal: &str) {
    let status = std::process::Command::new("sh")
        .args(["-c", &format!("kill -{signal} {}", child.id())])
        .status()
        .unwrap();
    assert!(status.success());
}

/// The files of a run that are equal in every run of one manifest and lock, by name.
#[derive(PartialEq, Eq)]
pub(super) struct Results(pub(super) BTreeMap<String, Vec<u8>>);

impl Results {
    fn read(run: &Path) -> Self {
        let mut files = BTreeMap::new();
        for name in ["metrics.jsonl", "scores.csv"] {
            files.insert(name.to_owned(), std::fs::read(run.join(name)).unwrap_or_default());
        }
        for folder in ["supernets", "scores"] {
            for name in names(&run.join(folder)) {
                let name = format!("{folder}/{name}");
                files.insert(name.clone(), std::fs::read(run.join(&name)).unwrap());
            }
        }
        assert!(
            !files["metrics.jsonl"].is_empty() && files.keys().any(|name| name.starts_with("supernets/"))
        );
        Self(files)
    }

    /// Asserts that all files are equal.
    #[track_caller]
    pub(super) fn equal(&self, other: &Self, what: &str) {
        let names = |results: &Self| results.0.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(self), names(other), "{what}: files");
        for (name, bytes) in &self.0 {
            let other = &other.0[name];
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            if name.ends_with(".safetensors") {
                assert!(bytes == other, "{what}: {name} differs");
            } else {
                let (ours, theirs) = (text(bytes), text(other));
                let different = ours.lines().zip(theirs.lines()).enumerate().find(|(_, (a, b))| a != b);
                assert!(bytes == other, "{what}: {name} differs, first in {different:?}");
            }
        }
    }
}
