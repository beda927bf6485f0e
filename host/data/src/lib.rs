//! Datasets, splits, augmentation and batches. Knows nothing of libtorch.
//!
//! A [`DataConfig`] is the `[data]` table of a manifest; [`Data::open`] reads and checks everything that it
//! names. [`Data::batch`] is a pure function of seeds, epoch and index, so neither background threads
//! ([`Prefetch`]) nor stopping and resuming move a number.
//!
//! ```
//! use nshot_data::{Data, DataConfig, Layout, Seeds};
//!
//! let data = Data::open(&DataConfig::default(), std::path::Path::new("."))?;
//! let batch = data.batch(Seeds::default(), Layout::Nchw, 0, 0)?;
//! assert_eq!(batch.shape, [64, 1, 8, 8]);
//! # Ok::<(), nshot_data::Error>(())
//! ```

mod augment;
mod batch;
mod config;
mod config_values;
mod data;
mod dataset;
mod decode;
mod error;
mod images;
mod listed;
mod parallel;
pub mod pickle;
mod prefetch;
mod prepare;
pub mod random;
mod resize;
mod source;
mod split;
mod window;

pub use batch::{Batch, Layout, Pixels};
pub use config::{Augment, DataConfig, Normalise, Portion, RankFrom, ResizeMode, Split};
pub use data::{Data, RankBatches, Seeds};
pub use error::{Error, Result};
pub use prefetch::Prefetch;
pub use source::{Availability, Available, FileRecord, available};
