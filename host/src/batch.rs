//! A batch of the data on the device.

use nshot_data::{Batch, Pixels};
use nshot_torch::{Device, HostBatch, Precision, Tensor};

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

/// A batch, whose pixels are in the order `[N, H, W, C]`, from where the device can fetch it.
///
/// # Errors
/// A batch that contradicts itself.
pub fn host_batch(batch: &Batch, device: Device) -> Result<HostBatch> {
    let (labels, shape) = (&batch.labels, batch.shape);
    Ok(match &batch.images {
        Pixels::F32(pixels) => HostBatch::new(pixels, labels, shape, true, device)?,
        Pixels::F64(pixels) => HostBatch::new(pixels, labels, shape, true, device)?,
    })
}

impl DeviceBatch {
    /// Sends a batch to the device, without waiting for it.
    ///
    /// # Errors
    /// The device fails.
    pub fn new(batch: &HostBatch, device: Device, precision: Precision) -> Result<Self> {
        let (image, label) = batch.upload(device, precision)?;
        Ok(Self { image, label, images: batch.len() as u64 })
    }
}
