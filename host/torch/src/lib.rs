//! The only crate that knows libtorch: graph executor, multi-tensor operations, random state.
//!
//! A step of training, in order:
//!
//! 1. [`record`] runs a graph's program on a [`ParameterStore`] and gives the named outputs;
//! 2. the [losses](crate::cross_entropy) make a scalar of them, and [`Recorded::backward`] leaves gradients;
//! 3. [`Gradients`] collects them for the reached parameters and clips;
//! 4. an [`UpdateTable`] lends lists of parameters, gradients and [`Slots`] to an optimizer for one call.
//!
//! libtorch's exceptions become [`TorchError`]s; nothing here panics on what a plugin asks for.

mod batch;
mod device;
mod dispatch;
mod error;
mod executor;
mod ffi;
mod files;
mod gradients;
mod losses;
mod name_map;
mod operations;
mod parameters;
mod random;
mod reads;
mod runtime;
mod slots;
mod update;

pub use batch::{HostBatch, scalar};
pub use device::{Device, Precision};
pub use dispatch::{Argument, call};
pub use error::{Result, TorchError};
pub use executor::{Pass, Recorded, forward, record};
pub use files::{read_tensors, write_script, write_tensors};
pub use gradients::Gradients;
pub use losses::{Score, Tally, cross_entropy, distillation, mean_squared_error, weighted_sum};
pub use name_map::NameMap;
pub use parameters::ParameterStore;
pub use reads::{device_reads, read_scalars, read_values};
pub use runtime::{Versions, initialise, versions};
pub use slots::{SlotInit, Slots};
pub use tch::Tensor;
pub use update::{SlotList, UpdateTable};
