//! Where numbers live and how precise they are.

use std::fmt;

use crate::{Result, TorchError, ffi};

/// A device that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    Cpu,
    /// The CUDA device with this index.
    Cuda(usize),
}

impl Device {
    /// `auto` (the first CUDA device, else the CPU), `cpu`, `cuda` or `cuda:1`.
    ///
    /// # Errors
    /// A device that is not there; the message says which are.
    pub fn parse(text: &str) -> Result<Device> {
        let count = cuda_devices();
        let found = match text {
            "auto" if count > 0 => Some(Device::Cuda(0)),
            "auto" | "cpu" => Some(Device::Cpu),
            "cuda" => Some(Device::Cuda(0)),
            other => other.strip_prefix("cuda:").and_then(|index| index.parse().ok()).map(Device::Cuda),
        };
        match found {
            Some(Device::Cuda(index)) if index >= count => None,
            other => other,
        }
        .ok_or_else(|| TorchError::Device { asked: text.to_owned(), available: available(count) })
    }

    pub(crate) fn tch(self) -> tch::Device {
        match self {
            Device::Cpu => tch::Device::Cpu,
            Device::Cuda(index) => tch::Device::Cuda(index),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// How many CUDA devices can be used; 0 without CUDA.
pub(crate) fn cuda_devices() -> usize {
    static LOAD: std::sync::Once = std::sync::Once::new();
    LOAD.call_once(ffi::load_cuda);
    if tch::Cuda::is_available() { usize::try_from(tch::Cuda::device_count()).unwrap_or(0) } else { 0 }
}

fn available(count: usize) -> String {
    let cuda = (0..count).map(|index| format!("`cuda:{index}`"));
    ["`auto`".to_owned(), "`cpu`".to_owned()].into_iter().chain(cuda).collect::<Vec<_>>().join(", ")
}

/// The type of all weights and activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    Float32,
    /// 64 bits, for exact comparisons.
    Float64,
}

impl Precision {
    /// `float32` or `float64`.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Precision> {
        match text {
            "float32" => Ok(Precision::Float32),
            "float64" => Ok(Precision::Float64),
            _ => Err(TorchError::invalid(format!("unknown dtype `{text}`, expected `float32` or `float64`"))),
        }
    }

    /// Bytes of one number.
    pub fn bytes(self) -> u64 {
        match self {
            Precision::Float32 => 4,
            Precision::Float64 => 8,
        }
    }

    /// The element type for tch.
    pub fn kind(self) -> tch::Kind {
        match self {
            Precision::Float32 => tch::Kind::Float,
            Precision::Float64 => tch::Kind::Double,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::Float32 => "float32",
            Precision::Float64 => "float64",
        })
    }
}
