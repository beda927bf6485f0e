//! Subnets as files: their structure here, their numbers in ONNX Runtime and PyTorch where there are such.

mod cases;
mod compare;
mod mobilenet;
mod operations;
mod refusals;
mod structure;

#[allow(dead_code)]
#[path = "../../src/onnx/proto.rs"]
mod proto;

// The judge and its networks, from the tests of the graph crate.
#[allow(dead_code)]
#[path = "../../../graph/tests/graph/interpreter.rs"]
mod interpreter;
#[allow(dead_code)]
#[path = "../../../graph/tests/graph/nas_bench_201.rs"]
mod nas_bench_201;
#[allow(dead_code)]
#[path = "../../../graph/tests/graph/support.rs"]
mod support;
