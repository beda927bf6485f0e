//! How fast images come, without training.

use super::round::{NAS_BENCH_201, Round};
use super::work::Work;
use crate::failure::Failure;

/// Images of a step.
const BATCH: f64 = 64.0;
/// Threads or processes that decode.
const WORKERS: usize = 2;

impl Round<'_> {
    /// CIFAR-10 with flip and crop, against what a step consumes.
    pub(super) fn data(&mut self) -> Result<(), Failure> {
        let step = match self.step {
            Some(step) => step,
            None => self.nshot.train(&Work::of(NAS_BENCH_201), self.steps)?.milliseconds,
        };
        let (given, consumed) = (self.nshot.cifar10()?, BATCH * 1e3 / step);
        self.table.add("CIFAR-10 with flip and crop, given (images/s)", given);
        self.table.add("CIFAR-10, consumed by a step (images/s)", consumed);
        self.table.ratio("CIFAR-10 images given / consumed", given, consumed);
        Ok(())
    }

    /// JPEG files of 500x375, cropped at random to 224x224 and flipped.
    pub(super) fn images(&mut self) -> Result<(), Failure> {
        let folder = self.nshot.folder().join("jpeg");
        let other = self.pytorch.map(|pytorch| pytorch.images(&folder, WORKERS)).transpose()?;
        if !folder.is_dir() {
            return Err(Failure::NoImages { folder });
        }
        let own = self.nshot.images(&folder, WORKERS)?;
        self.table.add("nshot image-folder, 2 workers (images/s)", own);
        if let Some(other) = other {
            self.table.add("torchvision ImageFolder, 2 workers (images/s)", other);
            self.table.ratio("nshot image-folder / torchvision ImageFolder", own, other);
        }
        Ok(())
    }
}
