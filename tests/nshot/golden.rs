//! Training equals the reference: losses, gradient norms and final weights of the traces in `tests/golden`, or in the
//! folder that `NSHOT_GOLDEN` names, which may be of any size and seed.
//!
//! A case is a run of the real `nshot` with the real plugins, in float64, from the trace's weights and batches; only
//! the sampler is replaced, by one that replays the trace's architectures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{self, Bench};

#[test]
fn golden_traces() {
    let folder = std::env::var_os("NSHOT_GOLDEN")
        .map_or_else(|| harness::project().join("tests/golden"), PathBuf::from);
    let document = read_json(&folder.join("nb201.json"));
    let replay = harness::test_plugin("replay");
    let cases = document["cases"].as_object().unwrap();
    for (name, case) in cases {
        let bench = Bench::new();
        let manifest = bench.write("trace.toml", &manifest(&document, case, &folder, &replay));
        bench.nshot(&["run", manifest.to_str().unwrap()]).ok();
        let run = bench.path("runs/trace");
        let steps = compare_steps(name, case, &run);
        let weights = compare_weights(name, &folder.join(format!("nb201-{name}.safetensors")), &run);
        println!("{name}: largest difference of a step {steps:.1e} relative, of a weight {weights:.1e}");
    }
    assert!(!cases.is_empty(), "`{}` has no traces", folder.display());
}

fn manifest(document: &Value, case: &Value, folder: &Path, replay: &Path) -> String {
    let (size, steps) = (&document["size"], case["steps"].as_array().unwrap());
    let paths: Vec<&Value> = steps.iter().map(|step| &step["archs"]).collect();
    let batches = folder.join("nb201.safetensors");
    let mut text = format!(
        "[run]\nname = \"trace\"\ndtype = \"float64\"\nthreads = 1\ndevice = \"cpu\"\n\
         [data]\nname = \"batches\"\npath = {batches:?}\nclasses = {}\n\
         [space]\nuse = \"nas-bench-201\"\nchannels = {}\ncells = {}\n\
         [sampler]\nuse = {{ path = {replay:?} }}\nsteps = {}\n\
         [optimizer]\nuse = \"sgd\"\nmomentum = {}\nnesterov = {}\nweight_decay = {}\n\
         [train]\nsteps = {}\nstop_after = {}\nlr = {}\ninactive = {}\n\
         init_from = {{ file = {batches:?}, map = {{ \"weight.\" = \"\" }} }}\n",
        size["classes"],
        size["channels"],
        size["cells"],
        serde_json::to_string(&paths).unwrap(),
        document["momentum"],
        document["nesterov"],
        document["weight_decay"],
        document["total_steps"],
        steps.len(),
        document["base_lr"],
        case["inactive"],
    );
    if !case["clip"].is_null() {
        writeln!(text, "clip_norm = {}", case["clip"]).unwrap();
    }
    if case["scheduler"] == "calr" {
        writeln!(text, "[scheduler]\nuse = \"calr\"\ngamma_max = {}", document["gamma_max"]).unwrap();
    } else {
        writeln!(text, "[scheduler]\nuse = {}", case["scheduler"]).unwrap();
    }
    if case["state"] == "separate" {
        let edge = &case["separation_edge"];
        writeln!(text, "[state]\nuse = \"momentum-separation\"\nchoices = [{edge}]").unwrap();
    }
    text
}

/// The largest relative difference of a loss or a gradient norm.
fn compare_steps(name: &str, case: &Value, run: &Path) -> f64 {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = case["steps"].as_array().unwrap();
    assert_eq!(lines.len(), expected.len(), "{name}: number of steps");
    let mut largest = 0.0_f64;
    for (step, (found, expected)) in lines.iter().zip(expected).enumerate() {
        let mut compare = |what: &str, found: &Value, expected: &Value| {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            let relative = (found - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
            assert!(relative < 1e-8, "{name}, step {step}: {what} is {found}, expected {expected}");
            largest = largest.max(relative);
        };
        for (found, expected) in list(&found["loss"]).iter().zip(list(&expected["losses"])) {
            compare("loss", found, expected);
        }
        for (found, expected) in list(&found["factor"]).iter().zip(list(&expected["factors"])) {
            compare("factor", found, expected);
        }
        compare("gradient norm", &found["gradient_norm"], &expected["grad_norm"]);
        assert_eq!(list(&found["loss"]).len(), list(&expected["losses"]).len(), "{name}, step {step}: paths");
    }
    largest
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

/// The largest difference of a final weight.
fn compare_weights(name: &str, expected: &Path, run: &Path) -> f64 {
    let expected = harness::read_tensors(expected);
    let found = harness::read_tensors(&run.join("supernets/supernet.safetensors"));
    assert_eq!(found.len(), expected.len(), "{name}: number of parameters");
    let mut largest = 0.0_f64;
    for (parameter, (_, expected)) in &expected {
        let (_, found) = &found[parameter];
        assert_eq!(found.len(), expected.len(), "{name}: elements of {parameter}");
        for (found, expected) in found.iter().zip(expected) {
            let difference = (found - expected).abs();
            assert!(difference < 1e-8, "{name}: {parameter} has {found}, expected {expected}");
            largest = largest.max(difference);
        }
    }
    largest
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
