//! The only way for numbers from the device to the processor. The host waits for the device at each, so they are counted.

use std::sync::atomic::{AtomicU64, Ordering};

use tch::Kind;

use crate::{Result, Tensor, TorchError};

static READS: AtomicU64 = AtomicU64::new(0);

/// How often this process has read from the device.
pub fn device_reads() -> u64 {
    READS.load(Ordering::Relaxed)
}

/// Reads all values of a small tensor, such as the logits of a choice; waits for the device.
pub fn read_values(tensor: &Tensor) -> Result<Vec<f64>> {
    let mut values = vec![0.0; tensor.numel()];
    copy(&tensor.f_to_kind(Kind::Double)?, &mut values)?;
    Ok(values)
}

/// Reads scalars that were kept on the device (losses, norms) in one transfer.
pub fn read_scalars(scalars: &[Tensor]) -> Result<Vec<f64>> {
    if scalars.is_empty() {
        return Ok(Vec::new());
    }
    let flat = scalars.iter().map(|scalar| Ok(scalar.f_detach()?.f_to_kind(Kind::Double)?.f_reshape([])?));
    read_values(&Tensor::f_stack(&flat.collect::<Result<Vec<_>>>()?, 0)?)
}

/// Reads whole numbers of type int64.
pub(crate) fn read_counts(tensor: &Tensor) -> Result<Vec<u64>> {
    let mut counts = vec![0i64; tensor.numel()];
    copy(tensor, &mut counts)?;
    Ok(counts.into_iter().map(|count| count.max(0) as u64).collect())
}

/// Reads a tensor's memory, its last dimension the innermost.
#[expect(clippy::disallowed_methods, reason = "this is where they are counted")]
pub(crate) fn read_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    let tensor = here(tensor)?;
    let mut bytes = vec![0; tensor.numel() * tensor.f_kind()?.elt_size_in_bytes()];
    tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
    Ok(bytes)
}

#[expect(clippy::disallowed_methods, reason = "this is where they are counted")]
fn copy<T: tch::kind::Element>(tensor: &Tensor, into: &mut [T]) -> Result<()> {
    let kind = tensor.f_kind()?;
    if kind != T::KIND {
        return Err(TorchError::invalid(format!("has the type {kind:?}, expected {:?}", T::KIND)));
    }
    here(tensor)?.f_copy_data(into, into.len())?;
    Ok(())
}

/// The tensor on the processor, without gaps.
fn here(tensor: &Tensor) -> Result<Tensor> {
    READS.fetch_add(1, Ordering::Relaxed);
    Ok(tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?)
}
