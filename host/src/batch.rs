//! A batch of the data on the device.

use nshot_data::{Batch, Pixels};
use nshot_torch::{Device, Precision, Tensor};

use crate::failure::Result;

/// Images and their labels.
pub struct DeviceBatch {
    /// `[N, C, H, W]`.
    pub image: Tensor,
    /// `[N]`.
    pub label: Tensor,
    /// N.
    pub images: u64,
}

impl DeviceBatch {
    /// Copies a batch, whose pixels are in the order `[N, H, W, C]`.
    ///
    /// # Errors
    /// The device fails.
    pub fn new(batch: &Batch, device: Device, precision: Precision) -> Result<Self> {
        let image = match &batch.images {
            Pixels::F32(pixels) => nshot_torch::images(pixels, batch.shape, true, device, precision)?,
            Pixels::F64(pixels) => nshot_torch::images(pixels, batch.shape, true, device, precision)?,
        };
        let label = nshot_torch::labels(&batch.labels, device)?;
        Ok(Self { image, label, images: batch.labels.len() as u64 })
    }
}
