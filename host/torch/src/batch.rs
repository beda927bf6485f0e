//! Batches on their way to the device.

use tch::{Kind, Tensor, kind::Element};

use crate::{Device, Precision, Result, TorchError};

/// Images as a tensor `[N, C, H, W]`, channels-last in memory. `values` are in the order `[N, H, W, C]` if
/// `channels_last`, else `[N, C, H, W]`; the former needs no copy on the device.
///
/// # Errors
/// Values that are not as many as `shape` says.
pub fn images<T: Element>(
    values: &[T],
    shape: [usize; 4],
    channels_last: bool,
    device: Device,
    precision: Precision,
) -> Result<Tensor> {
    let [n, c, h, w] = shape.map(|size| size as i64);
    let expected = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    if expected != Some(values.len()) {
        return Err(TorchError::invalid(format!(
            "a batch of shape {shape:?} was given {} values",
            values.len()
        )));
    }
    let flat = Tensor::f_from_slice(values)?.f_to_device(device.tch())?.f_to_kind(precision.kind())?;
    if channels_last {
        return Ok(flat.f_reshape([n, h, w, c])?.f_permute([0, 3, 1, 2])?);
    }
    crate::dispatch::channels_last(&flat.f_reshape([n, c, h, w])?)
}

/// Labels `[N]` as a tensor of int64.
pub fn labels(values: &[i64], device: Device) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(values)?.f_to_device(device.tch())?)
}

/// A number such as the progress of a run, as a scalar on the device.
pub fn scalar(value: f64, device: Device, precision: Precision) -> Result<Tensor> {
    let scalar = Tensor::f_full([], value, (Kind::Double, tch::Device::Cpu))?;
    Ok(scalar.f_to_device(device.tch())?.f_to_kind(precision.kind())?)
}
