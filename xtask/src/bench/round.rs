//! One round: each section once.

use clap::ValueEnum as _;

use super::Section;
use super::nshot::Nshot;
use super::pytorch::PyTorch;
use super::table::Table;
use super::work::{Space, Work};
use crate::failure::Failure;

/// The layouts that PyTorch is measured in.
const LAYOUTS: [&str; 2] = ["nhwc", "nchw"];
/// Architectures that are ranked at most where the whole space is not asked for: PyTorch takes seconds for each.
const RANKED: usize = 12;
/// The paper's size.
pub(super) const NAS_BENCH_201: Space = Space::NasBench201 { channels: 16, cells: 5 };

pub(super) struct Round<'a> {
    pub(super) nshot: &'a Nshot,
    pub(super) pytorch: Option<&'a PyTorch>,
    pub(super) steps: usize,
    pub(super) table: &'a mut Table,
    /// A step of NAS-Bench-201, in ms, once it is measured.
    pub(super) step: Option<f64>,
}

impl Round<'_> {
    pub(super) fn measure(&mut self, sections: &[Section]) -> Result<(), Failure> {
        let all = Section::value_variants().iter().filter(|section| match sections {
            [] => section.is_usual(),
            _ => sections.contains(section),
        });
        for section in all {
            match section {
                Section::Step => self.step()?,
                Section::Mobilenet => self.mobilenet()?,
                Section::Rank => self.rank("", "bench-archs.json", self.steps.min(RANKED))?,
                Section::Methods => self.methods()?,
                Section::Recompute => self.recompute()?,
                Section::Start => {
                    let seconds = self.nshot.start()?;
                    self.table.add("a run of one step, digits (s)", seconds);
                }
                Section::Plugins => self.plugins()?,
                Section::Data => self.data()?,
                Section::Optimizer => self.optimizer()?,
                Section::Checkpoint => self.checkpoint()?,
                Section::Growth => {
                    self.depths()?;
                    self.supernets()?;
                }
                Section::RankSpace => {
                    self.rank("of whole classes, ", "bench-archs-classes.json", usize::MAX)?;
                }
                Section::Images => self.images()?,
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), Failure> {
        let own = self.nshot.train(&Work::of(NAS_BENCH_201), self.steps)?;
        self.step = Some(own.milliseconds);
        self.table.add("nshot step (ms)", own.milliseconds);
        self.table.add("nshot memory (MiB)", own.memory);
        let Some(pytorch) = self.pytorch else { return Ok(()) };
        for layout in LAYOUTS {
            let other = pytorch.measure(&["--layout", layout], self.steps)?;
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
        let other = pytorch.measure(&["--space", "mobilenet", "--layout", "nhwc"], self.steps)?;
        self.table.add("PyTorch nhwc MobileNet step (ms)", other.milliseconds);
        self.table.ratio("PyTorch nhwc MobileNet step / nshot step", other.milliseconds, own.milliseconds);
        Ok(())
    }

    /// `what` is empty or ends in a comma.
    fn rank(&mut self, what: &str, list: &str, most: usize) -> Result<(), Failure> {
        let count = most.min(self.nshot.count(list)?);
        let own = self.nshot.rank(list, count)?;
        self.table.add(&format!("nshot ranking ({what}architectures/s)"), own);
        let Some(pytorch) = self.pytorch else { return Ok(()) };
        let archs = self.nshot.list(list).display().to_string();
        for layout in LAYOUTS {
            let arguments = ["--task", "rank", "--layout", layout, "--archs", &archs];
            let other = pytorch.measure(&arguments, count)?.per_second;
            self.table.add(&format!("PyTorch {layout} ranking ({what}architectures/s)"), other);
            let short = what.trim_end_matches(", ");
            let name = format!("nshot ranking / PyTorch {layout} ranking {short}");
            self.table.ratio(name.trim_end(), own, other);
        }
        Ok(())
    }

    fn methods(&mut self) -> Result<(), Failure> {
        let mut work = Work::of(NAS_BENCH_201);
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

    fn recompute(&mut self) -> Result<(), Failure> {
        for (name, space) in [("NAS-Bench-201", NAS_BENCH_201), ("MobileNet", Space::MobileNet)] {
            let plain = self.nshot.train(&Work::of(space), self.steps)?;
            let lean = self.nshot.train(&Work { recompute: true, ..Work::of(space) }, self.steps)?;
            self.table.add(&format!("memory with recompute, {name} (MiB)"), lean.memory);
            self.table.ratio(&format!("memory with recompute / without, {name}"), lean.memory, plain.memory);
            let (above, below) = (lean.milliseconds, plain.milliseconds);
            self.table.ratio(&format!("step with recompute / without, {name}"), above, below);
        }
        Ok(())
    }

    fn plugins(&mut self) -> Result<(), Failure> {
        for (name, space, subnet_aware) in [
            ("NAS-Bench-201", NAS_BENCH_201, false),
            ("NAS-Bench-201 with CaLR and momentum separation", NAS_BENCH_201, true),
            ("MobileNet", Space::MobileNet, false),
            ("MobileNet with CaLR and momentum separation", Space::MobileNet, true),
        ] {
            let work = Work { drawn: true, subnet_aware, ..Work::of(space) };
            let own = self.nshot.train(&work, self.steps)?;
            self.table.add(&format!("plugin calls of a step, {name} (ms)"), own.plugins);
            self.table.ratio(&format!("plugin calls / step, {name}"), own.plugins, own.milliseconds);
            self.table.ratio(&format!("subnets' graphs / step, {name}"), own.graphs, own.milliseconds);
        }
        Ok(())
    }

    fn optimizer(&mut self) -> Result<(), Failure> {
        let own = self.nshot.train(&Work::of(NAS_BENCH_201), self.steps)?;
        self.table.add("nshot update (ms)", own.update);
        let Some(pytorch) = self.pytorch else { return Ok(()) };
        let other = pytorch.measure(&["--task", "update", "--layout", "nhwc"], self.steps)?;
        self.table.add("PyTorch nhwc update (ms)", other.milliseconds);
        self.table.ratio("PyTorch nhwc update / nshot update", other.milliseconds, own.update);
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), Failure> {
        // Few images: what a step takes beside the checkpoint is to be little.
        let work = Work { batch: Some(4), checkpoint_every: Some(1), ..Work::of(NAS_BENCH_201) };
        let with = self.nshot.train(&work, self.steps)?;
        let work = Work { checkpoint_every: None, ..work };
        let own = with.milliseconds - self.nshot.train(&work, self.steps)?.milliseconds;
        self.table.add("nshot checkpoint, on the disk (ms)", own);
        let Some(pytorch) = self.pytorch else { return Ok(()) };
        let other = pytorch.measure(&["--task", "checkpoint", "--layout", "nhwc"], self.steps)?;
        self.table.add("PyTorch checkpoint, not waiting for the disk (ms)", other.milliseconds);
        self.table.ratio("nshot checkpoint / PyTorch checkpoint", own, other.milliseconds);
        Ok(())
    }
}
