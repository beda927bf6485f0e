//! One binary of tests that drive the built `nshot` and real plugin files, as a user would.
//!
//! | module | shows |
//! |---|---|
//! | `abi_next` | ABI 1.0 can grow: plugins and hosts of ABI 1.0 and 1.1, in all four ways |
//! | `golden` | training equals the reference, number by number |
//! | `nas_bench_201` | costs are the benchmark's, initial weights PyTorch's, CIFAR-10 trains |

mod abi_next;
mod golden;
mod harness;
mod nas_bench_201;
