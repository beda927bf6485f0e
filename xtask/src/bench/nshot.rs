//! The real program on fixed architectures and random images.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::work::{NEVER, Places, Space, Work};
use crate::failure::Failure;
use crate::workspace::{self, Workspace};

/// Images that train, and that rank.
const TRAINING: usize = 1280;
const RANKING: usize = 512;
/// As many as CIFAR-10 has.
const CIFAR10: usize = 50_000;
/// Figures come from the device in blocks of so many steps, and are timed then.
const BLOCK: usize = 16;
/// Steps of the yardstick before those that count.
const WARM_UP: usize = 3;
/// Seconds for which the data is read.
const READING: &str = "3";
/// Time between two looks at how far a run is.
const LOOK: Duration = Duration::from_millis(20);

/// What was measured of a training. Times are those of a step, in ms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Training {
    /// The step.
    pub(super) milliseconds: f64,
    /// Calls of plugins.
    pub(super) plugins: f64,
    /// Describing subnets, checking and passes over their graphs.
    pub(super) graphs: f64,
    /// The optimizer, its arithmetic included.
    pub(super) update: f64,
    /// The greatest resident memory, in MiB.
    pub(super) memory: f64,
}

/// The built program.
pub(super) struct Nshot {
    program: PathBuf,
    /// The sampler that replays architectures, as the tests have it.
    replay: PathBuf,
    /// The space of equal convolutions.
    wide: PathBuf,
    lists: PathBuf,
    folder: PathBuf,
    threads: usize,
}

impl Nshot {
    pub(super) fn new(
        workspace: &Workspace,
        built: &Path,
        folder: &Path,
        threads: usize,
    ) -> Result<Self, Failure> {
        let plugins = ["-p", "nshot-test-replay", "-p", "nshot-test-wide"];
        workspace::run(workspace.cargo().args(["build", "--release"]).args(plugins))?;
        write_images(&folder.join("images"), TRAINING, RANKING)?;
        Ok(Self {
            program: built.join("nshot"),
            replay: built.join("libtest_replay.so"),
            wide: built.join("libtest_wide.so"),
            lists: workspace.root().join("xtask/pytorch"),
            folder: folder.to_owned(),
            threads,
        })
    }

    /// A step's times: its mean over `steps`, after a block of others; plugins, graphs and updates over all of them.
    pub(super) fn train(&self, work: &Work, steps: usize) -> Result<Training, Failure> {
        let all = BLOCK + steps;
        let report = self.carry_out(&self.manifest(work, all)?)?;
        let each = |seconds: f64| seconds * 1e3 / all as f64;
        let own = number(&report["plugin_seconds"], "optimizer")?;
        Ok(Training {
            milliseconds: (self.seconds_at(all)? - self.seconds_at(BLOCK)?) * 1e3 / steps as f64,
            plugins: each(plugin_seconds(&report)?),
            graphs: each(number(&report, "graph_seconds")?),
            update: each(own + number(&report, "update_seconds")?),
            memory: number(&report, "peak_memory")? / f64::from(1 << 20),
        })
    }

    /// Seconds of the last run until the figures of its first so many steps were there.
    fn seconds_at(&self, steps: usize) -> Result<f64, Failure> {
        let file = self.folder.join("run/timing.jsonl");
        let text = fs::read_to_string(&file).map_err(Failure::io("read", &file))?;
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let line = lines.find(|line| line["step"] == steps).ok_or_else(|| Failure::Unreadable {
            command: file.display().to_string(),
            detail: format!("there is no line of step {steps}"),
        })?;
        number(&line, "seconds")
    }

    /// Where everything is written.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a list of architectures.
    pub(super) fn list(&self, name: &str) -> PathBuf {
        self.lists.join(name)
    }

    /// How many it has.
    pub(super) fn count(&self, list: &str) -> Result<usize, Failure> {
        Ok(self.architectures(list)?.len())
    }

    /// The most memory that the program holds until its first steps are done, in MiB. It is ended then: writing the
    /// weights takes memory, too.
    pub(super) fn memory_of_steps(&self, work: &Work) -> Result<f64, Failure> {
        let mut command = self.command(&self.manifest(work, NEVER as usize)?)?;
        let failed = |source| Failure::Io { action: "run", path: self.program.clone(), source };
        let mut child = command.stdout(Stdio::null()).spawn().map_err(failed)?;
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let done = self.folder.join("run/metrics.jsonl");
        while fs::metadata(&done).map_or(0, |file| file.len()) == 0 {
            if let Some(ended) = child.try_wait().map_err(failed)? {
                return Err(Failure::Command { command: "nshot run".to_owned(), status: ended.to_string() });
            }
            std::thread::sleep(LOOK);
        }
        let held = peak(&status);
        child.kill().and_then(|()| child.wait()).map_err(failed)?;
        held.ok_or_else(|| Failure::Unreadable {
            command: status.display().to_string(),
            detail: "there is no `VmHWM`".to_owned(),
        })
    }

    /// Architectures of a list ranked in a second: those so many that the yardstick times.
    pub(super) fn rank(&self, list: &str, count: usize) -> Result<f64, Failure> {
        let mut text = self.manifest(&Work::of(Space::NasBench201 { channels: 16, cells: 5 }), 1)?;
        let file = self.folder.join("ranked.txt");
        let lines: Vec<String> = self
            .architectures(list)?
            .iter()
            .cycle()
            .skip(WARM_UP)
            .take(count)
            .map(|text| text.chars().filter(char::is_ascii_digit).collect())
            .collect();
        fs::write(&file, lines.join("\n")).map_err(Failure::io("write", &file))?;
        let _ = write!(text, "[rank]\narchitectures = \"{}\"\nbatch_size = 256\n", file.display());
        let report = self.carry_out(&text)?;
        Ok(number(&report, "ranked")? / number(&report, "ranking_seconds")?)
    }

    /// Seconds from the start of the program to the end of a run of one step.
    pub(super) fn start(&self) -> Result<f64, Failure> {
        let manifest = small("[data]\nname = \"digits\"\n");
        let begun = Instant::now();
        self.carry_out(&manifest)?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// Images a second that CIFAR-10 gives, flipped and cropped.
    pub(super) fn cifar10(&self) -> Result<f64, Failure> {
        let folder = self.folder.join("cifar10");
        if !folder.join("test_batch.bin").is_file() {
            write_images(&folder, CIFAR10, RANKING)?;
        }
        let data = format!(
            "[data]\nname = \"cifar10\"\npath = \"{}\"\nbatch_size = 64\naugment = {{ flip = true, crop = 4 }}\n",
            folder.display()
        );
        self.read(&data)
    }

    /// Images a second that a folder of JPEG files gives, cropped at random to 224x224 and flipped.
    pub(super) fn images(&self, folder: &Path, workers: usize) -> Result<f64, Failure> {
        self.read(&format!(
            "[data]\nname = \"image-folder\"\npath = \"{}\"\nbatch_size = 64\nimage_size = 224\n\
             workers = {workers}\nsplit = {{ rank = 0 }}\n",
            folder.display()
        ))
    }

    fn read(&self, data: &str) -> Result<f64, Failure> {
        let file = self.write(&small(data))?;
        let mut command = Command::new(&self.program);
        command.args(["data", "speed"]).arg(&file).args(["--seconds", READING, "--json"]);
        number(&json(&mut command)?, "images_per_second")
    }

    fn manifest(&self, work: &Work, steps: usize) -> Result<String, Failure> {
        let architectures = match work.list() {
            Some(list) => self.architectures(list)?,
            None => Work::wide_architectures(),
        };
        let [images, replay, wide] =
            [&self.folder.join("images"), &self.replay, &self.wide].map(|path| path.display().to_string());
        let places = Places { images: &images, replay: &replay, wide: &wide };
        let mut architectures = architectures;
        // What is measured is what the yardstick measures.
        let turned = (BLOCK - WARM_UP) % architectures.len();
        architectures.rotate_right(turned);
        Ok(work.manifest(&places, &architectures, steps, self.threads))
    }

    /// The architectures of a list, each as `[0, 2, 4, 1, 4, 2]`.
    fn architectures(&self, list: &str) -> Result<Vec<String>, Failure> {
        let file = self.list(list);
        let text = fs::read_to_string(&file).map_err(Failure::io("read", &file))?;
        let all: Vec<Value> = serde_json::from_str(&text).map_err(|error| Failure::Unreadable {
            command: file.display().to_string(),
            detail: error.to_string(),
        })?;
        Ok(all.iter().map(Value::to_string).collect())
    }

    fn write(&self, manifest: &str) -> Result<PathBuf, Failure> {
        let file = self.folder.join("manifest.toml");
        fs::write(&file, manifest).map_err(Failure::io("write", &file))?;
        Ok(file)
    }

    /// The report of a run in a new directory, which goes afterwards.
    fn carry_out(&self, manifest: &str) -> Result<Value, Failure> {
        json(&mut self.command(manifest)?)
    }

    fn command(&self, manifest: &str) -> Result<Command, Failure> {
        let (file, directory) = (self.write(manifest)?, self.folder.join("run"));
        let _ = fs::remove_dir_all(&directory);
        let mut command = Command::new(&self.program);
        command.arg("run").arg(&file).arg("--directory").arg(&directory).args(["--quiet", "--json"]);
        Ok(command)
    }
}

/// A run of one step of a small network.
fn small(data: &str) -> String {
    format!(
        "{data}[space]\nuse = \"nas-bench-201\"\nchannels = 8\ncells = 1\n[sampler]\nuse = \"spos\"\n\
         [scheduler]\nuse = \"cosine\"\n[optimizer]\nuse = \"sgd\"\n[train]\nsteps = 1\nlr = 0.05\n"
    )
}

/// What the program prints.
fn json(command: &mut Command) -> Result<Value, Failure> {
    let output = workspace::output(command.stderr(Stdio::inherit()))?;
    serde_json::from_slice(&output).map_err(|error| Failure::Unreadable {
        command: "nshot --json".to_owned(),
        detail: error.to_string(),
    })
}

fn number(report: &Value, name: &str) -> Result<f64, Failure> {
    report[name].as_f64().ok_or_else(|| Failure::Unreadable {
        command: "nshot --json".to_owned(),
        detail: format!("there is no number `{name}`"),
    })
}

/// Seconds in calls of plugins, of all tables together.
fn plugin_seconds(report: &Value) -> Result<f64, Failure> {
    let tables = report["plugin_seconds"].as_object().into_iter().flat_map(|tables| tables.keys());
    tables.map(|table| number(&report["plugin_seconds"], table)).sum()
}

/// The most memory that a process has held so far, in MiB, by its file in /proc.
fn peak(status: &Path) -> Option<f64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

/// Random images in the files of CIFAR-10's binary version, the same on each call.
fn write_images(folder: &Path, training: usize, ranking: usize) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(Failure::io("make", folder))?;
    let mut state = 1u64;
    let mut byte = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let files = (1..=5).map(|index| (format!("data_batch_{index}.bin"), training / 5));
    for (name, count) in files.chain([("test_batch.bin".to_owned(), ranking)]) {
        let mut bytes = Vec::with_capacity(count * 3073);
        for _ in 0..count {
            bytes.push(byte() % 10);
            bytes.extend(std::iter::repeat_with(&mut byte).take(3072));
        }
        let file = folder.join(name);
        fs::write(&file, bytes).map_err(Failure::io("write", &file))?;
    }
    Ok(())
}
