//! The host: trains supernets through plugins, ranks subnets, reports.
//!
//! ```text
//! manifest ──► experiment ──► train ──► rank ──► search ──► report
//!                 │             │
//!           plugins, space   per step: sampler ─► paths, scheduler ─► factors, space ─► graphs,
//!           (boundary)       executor (nshot-torch) ─► losses, gradients, optimizer ─► update
//! ```

pub mod batch;
pub mod boundary;
pub mod check;
pub mod checkpoint;
pub mod component;
pub mod draw;
pub mod execute;
pub mod experiment;
pub mod export;
pub mod failure;
pub mod manifest;
pub mod measures;
pub mod memory;
pub mod outcomes;
pub mod output;
pub mod packages;
pub mod plugin_time;
pub mod plugins;
pub mod progress;
pub mod provenance;
pub mod rank;
pub mod replace;
pub mod report;
pub mod run_directory;
pub mod scaffold;
pub mod search;
pub mod selection;
pub mod signals;
pub mod space;
pub mod standalone;
pub mod stdout;
pub mod sweep;
pub mod train;
pub mod trained_run;
mod watchdog;
