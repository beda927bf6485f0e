//! Graphs through the crate's public interface, in one binary.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod costs;
mod garbage;
mod interpreter;
mod nas_bench_201;
mod operations;
mod plans;
mod support;
