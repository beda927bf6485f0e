//! `cargo xtask bench`: how fast nshot is, and how it compares with plain PyTorch, in ratios of medians.
//!
//! Every figure comes from the real `nshot run` on fixed architectures. With `PyTorch` the programs take turns, round by
//! round, so that what else the machine does falls on all of them.

mod nshot;
mod pytorch;
mod table;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::workspace::Workspace;
use crate::{build, libtorch};
use nshot::{Nshot, Space, Work};
use pytorch::PyTorch;
use table::Table;

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// A training step of NAS-Bench-201, C = 16, N = 5, batch 64, 32x32; memory.
    Step,
    /// A training step of the `MobileNet` space, batch 32, 64x64.
    Mobilenet,
    /// Ranking: 512 images an architecture.
    Rank,
    /// `CaLR` and momentum separation against neither.
    Methods,
    /// A whole run of one step on digits, from start to exit.
    Start,
    /// Steps of C = 8, 16, 32 with N = 1, 3, 5, 9. Not without being asked for.
    Growth,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only this; may be given several times.
    #[arg(long, value_enum)]
    section: Vec<Section>,
    /// Compare with plain PyTorch, in a virtual environment in target/bench that is made on the first call (some
    /// gigabytes).
    #[arg(long)]
    with_pytorch: bool,
    /// A Python that has PyTorch 2.13, in place of that environment.
    #[arg(long, value_name = "PYTHON")]
    python: Option<PathBuf>,
    /// Rounds; each measures everything once.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Steps of a round.
    #[arg(long, default_value_t = 30)]
    steps: usize,
    /// Threads of an operation.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Print one JSON object, with all ratios under `ratios`.
    #[arg(long)]
    json: bool,
}

pub(crate) fn bench(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    libtorch::provide(workspace, false, false)?;
    let built = build::build(workspace, true)?;
    let folder = workspace.layout()?.target.join("bench");
    let nshot = Nshot::new(workspace, &built, &folder, options.threads)?;
    let pytorch = match (&options.python, options.with_pytorch) {
        (Some(python), _) => Some(PyTorch::new(workspace, python, options.threads)),
        (None, true) => Some(PyTorch::provide(workspace, &folder, options.threads)?),
        (None, false) => None,
    };
    let mut table = Table::default();
    for round in 0..options.rounds.max(1) {
        eprintln!("xtask: round {} of {}", round + 1, options.rounds.max(1));
        let mut round = Round {
            nshot: &nshot,
            pytorch: pytorch.as_ref(),
            steps: options.steps.max(2),
            table: &mut table,
        };
        round.measure(&options.section)?;
    }
    if options.json {
        table.print_json();
    } else {
        table.print();
    }
    Ok(())
}

struct Round<'a> {
    nshot: &'a Nshot,
    pytorch: Option<&'a PyTorch>,
    steps: usize,
    table: &'a mut Table,
}

impl Round<'_> {
    fn measure(&mut self, sections: &[Section]) -> Result<(), Failure> {
        let all = Section::value_variants().iter().filter(|section| match sections {
            [] => **section != Section::Growth,
            _ => sections.contains(section),
        });
        for section in all {
            match section {
                Section::Step => self.step()?,
                Section::Mobilenet => self.mobilenet()?,
                Section::Rank => self.rank()?,
                Section::Methods => self.methods()?,
                Section::Start => {
                    let seconds = self.nshot.start()?;
                    self.table.add("a run of one step, digits (s)", seconds);
                }
                Section::Growth => self.growth()?,
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), Failure> {
        let own = self.nshot.train(&Work::of(Space::NasBench201 { channels: 16, cells: 5 }), self.steps)?;
        self.table.add("nshot step (ms)", own.milliseconds);
        self.table.add("nshot memory (MiB)", own.memory);
        let Some(pytorch) = self.pytorch else { return Ok(()) };
        for layout in ["nhwc", "nchw"] {
            let other = pytorch.measure("nas-bench-201", "train", layout, self.steps)?;
            self.table.add(&format!("PyTorch {layout} step (ms)"), other.milliseconds);
            self.table.ratio(
                &format!("PyTorch {layout} step / nshot step"),
                other.milliseconds,
                own.milliseconds,
            );
            if layout == "nchw" {
                self.table.add("PyTorch nchw memory (MiB)", other.memory);
                self.table.ratio("nshot memory / PyTorch nchw memory", own.memory, other.memory);
            }
        }
        Ok(())
    }

    fn mobilenet(&mut self) -> Result<(), Failure> {
        let own = self.nshot.train(&Work::of(Space::MobileNet), self.steps)?;
        self.table.add("nshot MobileNet step (ms)", own.milliseconds);
        let Some(pytorch) = self.pytorch else { return Ok(()) };
        let other = pytorch.measure("mobilenet", "train", "nhwc", self.steps)?;
        self.table.add("PyTorch nhwc MobileNet step (ms)", other.milliseconds);
        self.table.ratio("PyTorch nhwc MobileNet step / nshot step", other.milliseconds, own.milliseconds);
        Ok(())
    }

    fn rank(&mut self) -> Result<(), Failure> {
        let own = self.nshot.rank(self.steps)?;
        self.table.add("nshot ranking (architectures/s)", own);
        let Some(pytorch) = self.pytorch else { return Ok(()) };
        for layout in ["nhwc", "nchw"] {
            let other = pytorch.measure("nas-bench-201", "rank", layout, self.steps)?.per_second;
            self.table.add(&format!("PyTorch {layout} ranking (architectures/s)"), other);
            self.table.ratio(&format!("nshot ranking / PyTorch {layout} ranking"), own, other);
        }
        Ok(())
    }

    fn methods(&mut self) -> Result<(), Failure> {
        let mut work = Work::of(Space::NasBench201 { channels: 16, cells: 5 });
        let plain = self.nshot.train(&work, self.steps)?;
        work.subnet_aware = true;
        let aware = self.nshot.train(&work, self.steps)?;
        self.table.add("step with CaLR and momentum separation (ms)", aware.milliseconds);
        self.table.ratio(
            "step with CaLR and momentum separation / plain",
            aware.milliseconds,
            plain.milliseconds,
        );
        Ok(())
    }

    fn growth(&mut self) -> Result<(), Failure> {
        for channels in [8, 16, 32] {
            for cells in [1, 3, 5, 9] {
                let own = self.nshot.train(&Work::of(Space::NasBench201 { channels, cells }), self.steps)?;
                self.table.add(&format!("step, C = {channels}, N = {cells} (ms)"), own.milliseconds);
            }
        }
        Ok(())
    }
}
