//! The real program on fixed architectures and random images.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;

use crate::failure::Failure;
use crate::workspace::{self, Workspace};

/// Images that train, and that rank.
const TRAINING: usize = 1280;
const RANKING: usize = 512;

/// A space at the size of a measurement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Space {
    NasBench201 { channels: usize, cells: usize },
    MobileNet,
}

/// What a run does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    space: Space,
    /// With `CaLR` and momentum separation.
    pub(super) subnet_aware: bool,
    /// Architectures that are ranked.
    ranked: usize,
}

/// What was measured of a training.
#[derive(Debug, Clone, Copy)]
pub(super) struct Training {
    /// A step, in ms.
    pub(super) milliseconds: f64,
    /// The greatest resident memory, in MiB.
    pub(super) memory: f64,
}

/// The built program.
pub(super) struct Nshot {
    program: PathBuf,
    /// The sampler that replays architectures, as the tests have it.
    replay: PathBuf,
    lists: PathBuf,
    folder: PathBuf,
    threads: usize,
}

impl Work {
    pub(super) fn of(space: Space) -> Self {
        Self { space, subnet_aware: false, ranked: 0 }
    }
}

impl Nshot {
    pub(super) fn new(
        workspace: &Workspace,
        built: &Path,
        folder: &Path,
        threads: usize,
    ) -> Result<Self, Failure> {
        workspace::run(workspace.cargo().args(["build", "--release", "-p", "nshot-test-replay"]))?;
        write_images(&folder.join("images"))?;
        Ok(Self {
            program: built.join("nshot"),
            replay: built.join("libtest_replay.so"),
            lists: workspace.root().join("xtask/pytorch"),
            folder: folder.to_owned(),
            threads,
        })
    }

    /// A step's time: what `steps` more of them take.
    pub(super) fn train(&self, work: &Work, steps: usize) -> Result<Training, Failure> {
        const FIRST: usize = 3;
        let seconds = |report: &Value| number(report, "training_seconds");
        let few = seconds(&self.run(work, FIRST)?)?;
        let report = self.run(work, FIRST + steps)?;
        let milliseconds = (seconds(&report)? - few) * 1e3 / steps as f64;
        Ok(Training { milliseconds, memory: number(&report, "peak_memory")? / f64::from(1 << 20) })
    }

    /// Architectures ranked in a second.
    pub(super) fn rank(&self, count: usize) -> Result<f64, Failure> {
        let mut work = Work::of(Space::NasBench201 { channels: 16, cells: 5 });
        work.ranked = count;
        let report = self.run(&work, 1)?;
        Ok(number(&report, "ranked")? / number(&report, "ranking_seconds")?)
    }

    /// Seconds from the start of the program to the end of a run of one step.
    pub(super) fn start(&self) -> Result<f64, Failure> {
        let manifest = "[data]\nname = \"digits\"\n[space]\nuse = \"nas-bench-201\"\nchannels = 8\ncells = 1\n\
                        [sampler]\nuse = \"spos\"\n[scheduler]\nuse = \"cosine\"\n[optimizer]\nuse = \"sgd\"\n\
                        [train]\nsteps = 1\nlr = 0.05\n";
        let begun = Instant::now();
        self.carry_out(manifest)?;
        Ok(begun.elapsed().as_secs_f64())
    }

    fn run(&self, work: &Work, steps: usize) -> Result<Value, Failure> {
        self.carry_out(&self.manifest(work, steps)?)
    }

    fn manifest(&self, work: &Work, steps: usize) -> Result<String, Failure> {
        let (list, batch, resize, space) = match work.space {
            Space::NasBench201 { channels, cells } => (
                "bench-archs.json",
                64,
                32,
                format!("use = \"nas-bench-201\"\nchannels = {channels}\ncells = {cells}"),
            ),
            Space::MobileNet => ("bench-archs-mobilenet.json", 32, 64, "use = \"mobilenet\"".to_owned()),
        };
        let architectures = self.architectures(list)?;
        let paths: Vec<String> = architectures.iter().map(|text| format!("[{text}]")).collect();
        let mut text = format!(
            "[run]\nthreads = {}\ndevice = \"cpu\"\n\
             [data]\nname = \"cifar10\"\npath = \"{}\"\nbatch_size = {batch}\nresize = {resize}\nrank_from = \"test\"\n\
             augment = {{ flip = false, crop = 0 }}\n\
             [space]\n{space}\n\
             [sampler]\nuse = {{ path = \"{}\" }}\nsteps = [{}]\n\
             [optimizer]\nuse = \"sgd\"\nmomentum = 0.9\nnesterov = true\nweight_decay = 5e-4\n\
             [train]\nsteps = {steps}\nlr = 0.025\nclip_norm = 5.0\n",
            self.threads,
            self.folder.join("images").display(),
            self.replay.display(),
            paths.join(", "),
        );
        text += if work.subnet_aware {
            "[scheduler]\nuse = \"calr\"\n[state]\nuse = \"momentum-separation\"\nchoices = [0]\n"
        } else {
            "[scheduler]\nuse = \"cosine\"\n"
        };
        if work.ranked > 0 {
            let file = self.folder.join("ranked.txt");
            let lines: Vec<String> = architectures
                .iter()
                .take(work.ranked)
                .map(|text| text.chars().filter(char::is_ascii_digit).collect())
                .collect();
            fs::write(&file, lines.join("\n")).map_err(Failure::io("write", &file))?;
            let _ = write!(text, "[rank]\narchitectures = \"{}\"\nbatch_size = 256\n", file.display());
        }
        Ok(text)
    }

    /// The fixed architectures, each as `[0, 2, 4, 1, 4, 2]`.
    fn architectures(&self, list: &str) -> Result<Vec<String>, Failure> {
        let file = self.lists.join(list);
        let text = fs::read_to_string(&file).map_err(Failure::io("read", &file))?;
        let all: Vec<Value> = serde_json::from_str(&text).map_err(|error| Failure::Unreadable {
            command: file.display().to_string(),
            detail: error.to_string(),
        })?;
        Ok(all.iter().map(Value::to_string).collect())
    }

    /// The report of a run in a new directory, which goes afterwards.
    fn carry_out(&self, manifest: &str) -> Result<Value, Failure> {
        let (file, directory) = (self.folder.join("manifest.toml"), self.folder.join("run"));
        fs::write(&file, manifest).map_err(Failure::io("write", &file))?;
        let _ = fs::remove_dir_all(&directory);
        let mut command = std::process::Command::new(&self.program);
        command.arg("run").arg(&file).arg("--directory").arg(&directory).args(["--quiet", "--json"]);
        let output = workspace::output(command.stderr(Stdio::inherit()))?;
        serde_json::from_slice(&output).map_err(|error| Failure::Unreadable {
            command: "nshot run --json".to_owned(),
            detail: error.to_string(),
        })
    }
}

fn number(report: &Value, name: &str) -> Result<f64, Failure> {
    report[name].as_f64().ok_or_else(|| Failure::Unreadable {
        command: "nshot run --json".to_owned(),
        detail: format!("there is no number `{name}`"),
    })
}

/// Random images in the files of CIFAR-10's binary version, the same on each call.
fn write_images(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(Failure::io("make", folder))?;
    let mut state = 1u64;
    let mut byte = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let files = (1..=5).map(|index| (format!("data_batch_{index}.bin"), TRAINING / 5));
    for (name, count) in files.chain([("test_batch.bin".to_owned(), RANKING)]) {
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
