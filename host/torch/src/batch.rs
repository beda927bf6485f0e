//! Batches on their way to the device.

use tch::{Kind, Tensor, kind::Element};

use crate::{Device, Precision, Result, TorchError, ffi};

/// A batch in the processor's memory; where a device fetches it, in pages that cannot be swapped out, so that the copy
/// runs beside the device's work. It may be made on another thread.
#[derive(Debug)]
pub struct HostBatch {
    images: Tensor,
    labels: Tensor,
    /// Images.
    shape: [i64; 4],
    channels_last: bool,
}

impl HostBatch {
    /// Images of the shape `[N, C, H, W]` and their labels. `images` are in the order `[N, H, W, C]` if `channels_last`,
    /// else `[N, C, H, W]`; the former needs no copy on the device.
    ///
    /// # Errors
    /// Values that are not as many as `shape` says.
    pub fn new<T: Element>(
        images: &[T],
        labels: &[i64],
        shape: [usize; 4],
        channels_last: bool,
        device: Device,
    ) -> Result<HostBatch> {
        let expected = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
        if expected != Some(images.len()) || labels.len() != shape[0] {
            return Err(TorchError::invalid(format!(
                "a batch of shape {shape:?} was given {} values and {} labels",
                images.len(),
                labels.len()
            )));
        }
        let keep = |tensor: Tensor| match device {
            Device::Cpu => Ok(tensor),
            Device::Cuda(_) => tensor.f_pin_memory(device.tch()),
        };
        Ok(HostBatch {
            images: keep(ffi::tensor_of(images)?)?,
            labels: keep(ffi::tensor_of(labels)?)?,
            shape: shape.map(|size| size as i64),
            channels_last,
        })
    }

    /// Images `[N, C, H, W]`, channels-last in memory, and labels `[N]` of type int64, on the device, which need not have
    /// them yet: its later work waits for them, the caller does not.
    ///
    /// # Errors
    /// The device fails.
    pub fn upload(&self, device: Device, precision: Precision) -> Result<(Tensor, Tensor)> {
        let send = |tensor: &Tensor| tensor.f_to_device_(device.tch(), tensor.f_kind()?, true, false);
        let flat = send(&self.images)?.f_to_kind(precision.kind())?;
        let [n, c, h, w] = self.shape;
        let images = if self.channels_last {
            flat.f_reshape([n, h, w, c])?.f_permute([0, 3, 1, 2])?
        } else {
            crate::dispatch::channels_last(&flat.f_reshape([n, c, h, w])?)?
        };
        Ok((images, send(&self.labels)?))
    }

    /// N.
    pub fn len(&self) -> usize {
        self.shape[0] as usize
    }

    /// Whether N is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A number such as the progress of a run, as a scalar on the device.
pub fn scalar(value: f64, device: Device, precision: Precision) -> Result<Tensor> {
    let scalar = Tensor::f_full([], value, (Kind::Double, tch::Device::Cpu))?;
    Ok(scalar.f_to_device(device.tch())?.f_to_kind(precision.kind())?)
}
