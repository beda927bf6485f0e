//! The files' numbers: what ONNX Runtime and PyTorch make of them.

use std::{fs, path::Path, process::Command};

use nshot_export::{Precision, torch_script};
use nshot_graph::resolve;
use serde_json::{Value, json};

use crate::{
    cases::{self, Case, numbers},
    interpreter::{self, Tensor},
};

/// A Python with numpy, onnx and onnxruntime, and with torch if it is to run TorchScript as well.
const PYTHON: &str = "NSHOT_EXPORT_PYTHON";
const BATCH: i64 = 3;

#[test]
fn onnx_runtime_and_pytorch_give_the_same_numbers() {
    let Some(python) = std::env::var_os(PYTHON) else {
        eprintln!("skipped: {PYTHON} names no Python with numpy, onnx and onnxruntime");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    for case in cases::all() {
        write(&case, &folder.path().join(&case.name));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compare.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().expect("Python starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    println!("{}", text(&output.stdout));
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

fn write(case: &Case, folder: &Path) {
    fs::create_dir(folder).expect("a folder");
    if case.onnx {
        fs::write(folder.join("model.onnx"), case.onnx()).expect("a file");
    }
    let script = torch_script(&case.graph).expect("a script");
    let tensor = |file: String, shape: &[i64], values: &[f64]| {
        fs::write(folder.join(&file), bytes(case.precision, values)).expect("a file");
        json!({ "file": file, "shape": shape, "type": kind(case.precision) })
    };
    let attributes: Vec<Value> = script
        .attributes
        .iter()
        .map(|attribute| {
            let spec = case.parameters.get(attribute.parameter).expect("a parameter");
            let file = format!("parameter{}", attribute.parameter);
            let mut entry = tensor(file, &spec.shape, &case.values(attribute.parameter));
            entry["identifier"] = attribute.identifier.clone().into();
            entry["buffer"] = attribute.buffer.into();
            entry
        })
        .collect();
    let inputs: Vec<Value> = taken(case)
        .into_iter()
        .map(|index| {
            let (name, shape) = &case.graph.inputs()[index];
            let shape = resolve(shape, BATCH).expect("sizes");
            let values = numbers(index, shape.iter().product::<i64>() as usize);
            let mut entry = tensor(format!("input{index}"), &shape, &values);
            entry["name"] = name.clone().into();
            entry
        })
        .collect();
    let judged = match case.name.as_str() {
        "aten" => vec![clamped_twice()],
        _ if case.judged => interpreter::full(&case.graph, BATCH),
        _ => vec![],
    };
    let expected: Vec<Value> = judged
        .iter()
        .enumerate()
        .map(|(i, value)| {
            let shape: Vec<i64> = value.shape.iter().map(|size| *size as i64).collect();
            tensor(format!("expected{i}"), &shape, &value.data)
        })
        .collect();
    let names: Vec<_> = case.graph.outputs().iter().map(|(name, _)| name).collect();
    let description = json!({
        "name": case.name, "precision": kind(case.precision), "source": script.source, "outputs": names,
        "onnxruntime": case.precision == Precision::Float32,
        "attributes": attributes, "inputs": inputs, "expected": expected,
    });
    fs::write(folder.join("case.json"), description.to_string()).expect("a file");
}

fn clamped_twice() -> Tensor {
    let shape = vec![2, BATCH as usize, 2];
    let once: Vec<f64> = numbers(0, shape[1] * 2).iter().map(|value| value.clamp(-0.25, 0.5)).collect();
    Tensor { shape, data: once.repeat(2) }
}

/// Inputs that the files take.
fn taken(case: &Case) -> Vec<usize> {
    let inputs = case.graph.inputs().iter().enumerate();
    inputs
        .filter(|(_, (name, _))| !["position", "progress", "unused"].contains(&name.as_str()))
        .map(|(index, _)| index)
        .collect()
}

fn kind(precision: Precision) -> &'static str {
    match precision {
        Precision::Float32 => "float32",
        Precision::Float64 => "float64",
    }
}

fn bytes(precision: Precision, values: &[f64]) -> Vec<u8> {
    match precision {
        Precision::Float32 => values.iter().flat_map(|v| (*v as f32).to_le_bytes()).collect(),
        Precision::Float64 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}
