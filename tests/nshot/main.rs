//! One binary of tests that drive the built `nshot` and real plugin files, as a user would.
//!
//! | module | shows |
//! |---|---|
//! | `abi_next` | ABI 1.0 can grow: plugins and hosts of ABI 1.0 and 1.1, in all four ways |
//! | `bad_manifest` | bad manifests, data and weights: one error that points at the line |
//! | `bad_plugin` | plugins that go wrong in each call: one error that names plugin, component and call |
//! | `bad_plugin_file` | plugin files and crates that cannot be used: one error and a hint |
//! | `cheaper` | activations computed again, bfloat16, and how often the device is read |
//! | `documentation` | what README, docs and examples say comes true |
//! | `endless_call` | calls that do not end, grow or panic: another plugin goes on from the last checkpoint |
//! | `example_plugins` | the plugins under `examples/plugins` build, run and resume |
//! | `export` | a subnet alone, as safetensors, TorchScript and ONNX, gives the same logits |
//! | `golden` | training equals the reference, number by number |
//! | `init_from` | weights of another run, running statistics taken anew |
//! | `kept` | what was computed is not lost to damaged or changed files |
//! | `mended` | defects that were found once |
//! | `mobilenet` | losses, gradients and costs of the `mobilenet` space equal the reference's |
//! | `nas_bench_201` | costs are the benchmark's, initial weights PyTorch's, CIFAR-10 trains |
//! | `norms` | a sampler is told of each path's gradient norms, its options' too |
//! | `plugin_check` | the conformance kit: good plugins pass, and what is wrong with others is named |
//! | `plugin_new` | new plugins build, pass their tests and run |
//! | `resume` | stopped, killed or damaged runs go on to the same files, byte for byte |
//! | `sampling` | options are drawn as often as they should be; few-shot supernets rank as one |
//! | `search` | searchers keep to limits, and go on where they were killed |
//! | `share` | plugins travel: packages, signatures, registries, locks, the tutorial |
//! | `standalone` | tables of trained accuracies |
//! | `sweep` | methods by seeds, paired, apart from failures |
//! | `tables` | rankings are compared with tables of trained accuracies |
//! | `time` | what plugins took of the training, and how fast the data comes |

// In a test a failure is a panic, in its helpers too.
#![allow(clippy::unwrap_used)]
// A path's debug form is its form in TOML.
#![allow(clippy::unnecessary_debug_formatting)]
// What is to be the same is the same to the last bit.
#![allow(clippy::float_cmp)]

mod abi_next;
mod bad_manifest;
mod bad_plugin;
mod bad_plugin_file;
mod cheaper;
mod documentation;
mod endless_call;
mod example_plugins;
mod export;
mod golden;
mod harness;
mod init_from;
mod kept;
mod mended;
mod mobilenet;
mod nas_bench_201;
mod norms;
mod plugin_check;
mod plugin_new;
mod refusals;
mod resume;
mod sampling;
mod search;
mod share;
mod small;
mod standalone;
mod sweep;
mod tables;
mod time;
