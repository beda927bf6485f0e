//! Settings of the process, and the versions that a lock file records.

use crate::{Result, TorchError, device, ffi};

/// Fixes everything outside the graph that changes rounding or speed: threads of an operation, no parallel
/// operations, no dynamic teams of threads, memory kept by the process, deterministic kernels on CUDA. Call it
/// before the first operation; again only to change the number of threads.
///
/// # Errors
/// No threads, more than 1024, or a refusal by libtorch.
pub fn initialise(threads: usize) -> Result<()> {
    let count = i32::try_from(threads).ok().filter(|count| (1..=1024).contains(count));
    let count = count.ok_or_else(|| {
        TorchError::invalid(format!("{threads} threads were asked for, expected 1 to 1024"))
    })?;
    ffi::configure(count, device::cuda_devices() > 0).map_err(TorchError::Torch)
}

/// What a lock file records about libtorch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// Version of libtorch, for example `2.13.0`.
    pub libtorch: String,
    /// CUDA devices that can be used.
    pub cuda_devices: usize,
    /// Instruction set of the CPU kernels, for example `AVX2`.
    pub cpu_capability: String,
    /// Threads that operations on the CPU use.
    pub threads: usize,
}

/// The versions and settings in force.
pub fn versions() -> Versions {
    Versions {
        libtorch: ffi::version(),
        cuda_devices: device::cuda_devices(),
        cpu_capability: ffi::cpu_capability(),
        threads: ffi::threads(),
    }
}
