//! `cargo xtask bench`: how fast nshot is, and how it compares with plain PyTorch, in ratios of medians.
//!
//! Every figure comes from the real `nshot run` on fixed architectures. With `PyTorch` the programs take turns, round by
//! round, so that what else the machine does falls on all of them.

mod data;
mod growth;
mod nshot;
mod pytorch;
mod round;
mod table;
mod work;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::workspace::Workspace;
use crate::{build, libtorch};
use nshot::Nshot;
use pytorch::PyTorch;
use round::Round;
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
    /// `train.recompute` against none: time and memory of a step.
    Recompute,
    /// A whole run of one step on digits, from start to exit.
    Start,
    /// Calls of plugins, and describing, checking and passing over subnets' graphs, of a step. Subnets are drawn anew in
    /// each, so that hardly a graph is used twice. NAS-Bench-201 and the `MobileNet` space.
    Plugins,
    /// CIFAR-10's images a second with flip and crop, against what a step of NAS-Bench-201 consumes.
    Data,
    /// The optimizer's update, against torch.optim.SGD.
    Optimizer,
    /// A checkpoint: what a step takes longer that writes one to the disk, against torch.save, which does not wait for
    /// the disk.
    Checkpoint,
    /// Steps of C = 8, 16, 32 with N = 1, 3, 5, 9, and their distance from a line in N; the same paths in supernets of
    /// 2, 5 and 20 options a choice, and what their steps hold beside the weights. Minutes; not without being asked for.
    Growth,
    /// Ranking as in the whole space of NAS-Bench-201, which takes hours: 200 architectures in 100 classes of equal
    /// networks, drawn from its 7,810 until they had their mean size. nshot runs each class once, the PyTorch code each
    /// architecture. Minutes; not without being asked for.
    RankSpace,
    /// JPEG files of 500x375 cropped at random to 224x224, on 2 workers, against torchvision, which is fetched too. Not
    /// without being asked for.
    Images,
}

impl Section {
    /// Whether it is measured without being asked for.
    fn is_usual(self) -> bool {
        !matches!(self, Self::Growth | Self::RankSpace | Self::Images)
    }
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
    /// A Python that has PyTorch 2.13 (for `images` torchvision and Pillow, too), in place of that environment.
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
        (None, true) => {
            let torchvision = options.section.contains(&Section::Images);
            Some(PyTorch::provide(workspace, &folder, options.threads, torchvision)?)
        }
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
            step: None,
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
