//! The plugins in `examples/plugins` run by their manifests, built by cargo when they are named by path.

use std::path::{Path, PathBuf};

use crate::harness::{self, Bench, Run};
use crate::small;

/// The examples' settings at the size of a test.
const TINY: [&str; 8] = [
    "data.resize=8",
    "data.batch_size=16",
    "data.split={train=96,rank=32}",
    "space.channels=4",
    "train.epochs=2",
    "train.checkpoint_every=1",
    "rank.subnets=6",
    "run.device=cpu",
];

fn manifest(name: &str) -> PathBuf {
    harness::project().join("examples/plugins").join(name).join("run.toml")
}

/// A command with cargo's own home, and a target folder that is kept between tests.
fn command(bench: &Bench, arguments: &[&str]) -> std::process::Command {
    let mut command = bench.command(arguments);
    command.env("HOME", std::env::var_os("HOME").unwrap()).env("XDG_DATA_HOME", bench.path("data"));
    command.env("CARGO_TARGET_DIR", harness::release().parent().unwrap().join("outside-plugin"));
    command
}

fn run(bench: &Bench, name: &str, directory: &str) -> Run {
    let manifest = manifest(name);
    let mut arguments = vec!["run", manifest.to_str().unwrap(), "--quiet", "--directory", directory];
    arguments.extend(TINY.iter().flat_map(|set| ["--set", set]));
    Run::of(command(bench, &arguments).output().unwrap(), &arguments)
}

fn check(run: &Path, paths: usize) -> Vec<serde_json::Value> {
    let steps = small::steps(run);
    assert_eq!(steps.len(), 12);
    for step in &steps {
        assert_eq!(step["paths"].as_array().unwrap().len(), paths, "{step}");
        assert!(step["loss"].as_array().unwrap().iter().all(serde_json::Value::is_f64), "{step}");
    }
    assert_eq!(small::column(&run.join("scores.csv"), "architecture").len(), 6);
    steps
}

#[test]
fn sandwich_trains_the_largest_and_the_smallest() {
    let bench = Bench::new();
    run(&bench, "sandwich", "run").ok();
    let steps = check(&bench.path("run"), 4);
    for path in [0, 1] {
        let all: Vec<_> = steps.iter().map(|step| step["paths"][path].clone()).collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
    }
    assert_eq!(steps[0]["paths"][0].as_str().unwrap().matches("nor_conv_3x3").count(), 6, "{}", steps[0]);
    assert_ne!(steps[0]["paths"][2], steps[1]["paths"][2]);
}

#[test]
fn mixpath_sums_one_or_two_options() {
    let bench = Bench::new();
    run(&bench, "mixpath", "run").ok();
    let steps = check(&bench.path("run"), 1);
    let texts: Vec<String> = steps.iter().map(|step| step["paths"][0].to_string()).collect();
    assert!(texts.iter().any(|text| text != &texts[0]), "{texts:?}");
}

#[test]
fn adaptive_resumes_to_the_same_numbers() {
    let bench = Bench::new();
    run(&bench, "adaptive", "run").ok();
    let steps = check(&bench.path("run"), 1);
    let entropy = |step: &serde_json::Value| step["scalars"]["adaptive.entropy"].as_f64();
    assert!(steps.iter().any(|step| entropy(step).is_some_and(|entropy| entropy < 1.0)), "{}", steps[11]);
    let manifest = manifest("adaptive");
    let mut arguments = vec!["run", manifest.to_str().unwrap(), "--quiet", "--directory", "killed"];
    arguments.extend(TINY.iter().flat_map(|set| ["--set", set]));
    let mut child = command(&bench, &arguments).spawn().unwrap();
    let at = |step: u32| bench.path(&format!("killed/checkpoints/0000-{step:010}")).is_dir();
    while !(4..12).any(at) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let arguments = ["resume", "killed", "--quiet"];
    Run::of(command(&bench, &arguments).output().unwrap(), &arguments).ok();
    let files = ["metrics.jsonl", "scores.csv", "supernets/supernet.safetensors"];
    small::equal(&files, &bench.path("run"), &bench.path("killed"));
}
