//! One binary of tests that drive the built `nshot` and real plugin files, as a user would.
//!
//! | module | shows |
//! |---|---|
//! | `abi_next` | ABI 1.0 can grow: plugins and hosts of ABI 1.0 and 1.1, in all four ways |
//! | `bad_plugin` | plugins that go wrong in each call: one error that names plugin, component and call |
//! | `golden` | training equals the reference, number by number |
//! | `nas_bench_201` | costs are the benchmark's, initial weights PyTorch's, CIFAR-10 trains |

// In a test a failure is a panic, in its helpers too.
#![allow(clippy::unwrap_used)]

mod abi_next;
mod bad_plugin;
mod golden;
mod harness;
mod nas_bench_201;
mod refusals;
