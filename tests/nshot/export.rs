//! `nshot export`: files that other programs read compute what the supernet's subnet computes.
//!
//! `NSHOT_EXPORT_PYTHON` names a Python with numpy, onnxruntime and safetensors, and with torch if it is to run the
//! TorchScript files as well; without it the files' structure alone is checked.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use safetensors::SafeTensors;

use crate::harness::Bench;
use crate::refusals::{self, Page};
use crate::small;

const TRAIN: &str = "[train]\nlr = 0.05\nsteps = 6\n";

/// Runs both files on the example's images and compares logits.
const COMPARE: &str = r#"
import sys
import numpy
import onnxruntime
from safetensors.numpy import load_file

try:
    import torch
except ImportError:
    torch = None
    print("skipped: there is no torch; TorchScript")

script, model, example, tolerance = sys.argv[1:]
example = load_file(example)
image, expected = example["image"], example["logits"]
results = []
if torch:
    module = torch.jit.load(script).eval()
    with torch.no_grad():
        by_script = module(torch.from_numpy(image))
    if isinstance(by_script, (tuple, list)):
        by_script = by_script[0]
    results.append(("TorchScript", by_script.numpy()))
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
results.append(("ONNX", session.run(None, {session.get_inputs()[0].name: image})[0]))
for name, found in results:
    difference = numpy.abs(found - expected).max()
    assert found.shape == expected.shape, (name, found.shape, expected.shape)
    assert difference <= float(tolerance) * max(1.0, numpy.abs(expected).max()), (name, difference)
    print(name, "differs by", difference)
"#;

fn python() -> Option<OsString> {
    let python = std::env::var_os("NSHOT_EXPORT_PYTHON");
    if python.is_none() {
        // Past the test runner's capture.
        let _ =
            writeln!(std::io::stderr(), "skipped: NSHOT_EXPORT_PYTHON names no Python; logits of exports");
    }
    python
}

/// Tensors of a file: shape and numbers, whatever their type.
fn tensors(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter().map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), view.data().to_vec()))).collect()
}

/// Exports in every format, and checks all that can be checked.
fn exports(bench: &Bench, architecture: &str, name: &str, more: &[&str]) {
    let file = |ending: &str| format!("{name}.{ending}");
    let export = |format: &str, ending: &str, more: &[&str]| {
        let output = file(ending);
        let all =
            ["export", "run", "--arch", architecture, "--format", format, "--output", &output, "--json"];
        let run = bench.nshot(&[&all[..], more].concat()).ok();
        let said: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&said["architecture"], &said["file"]), (&architecture.into(), &output.into()));
        said["parameters"].as_u64().unwrap()
    };
    let example = file("example.safetensors");
    let with_example = [more, &["--example", &example]].concat();
    let counts = [
        export("safetensors", "safetensors", &with_example),
        export("torchscript", "pt", more),
        export("onnx", "onnx", more),
    ];
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");

    // The parameters alone are the supernet's; running statistics, where recalibrated, are not.
    let supernet = tensors(&bench.path("run/supernets/supernet.safetensors"));
    let parameters = tensors(&bench.path(&file("safetensors")));
    assert!(!parameters.is_empty() && parameters.len() <= supernet.len());
    let is_statistic = |name: &str| name.contains("running");
    for (name, tensor) in &parameters {
        assert_eq!(supernet[name].0, tensor.0, "{name}");
        assert!(
            !more.is_empty() && is_statistic(name) || supernet[name] == *tensor,
            "{name} is not the supernet's"
        );
    }
    let elements: usize = parameters
        .iter()
        .filter(|(name, _)| !is_statistic(name))
        .map(|(_, (shape, _))| shape.iter().product::<usize>())
        .sum();
    assert_eq!(elements as u64, counts[0]);
    let example_file = tensors(&bench.path(&example));
    let images = example_file["image"].0[0];
    assert_eq!((&example_file["logits"].0, &example_file["label"].0), (&vec![images, 10], &vec![images]));
    let read = |ending: &str| std::fs::read(bench.path(&file(ending))).unwrap();
    assert!(read("pt").starts_with(b"PK\x03\x04"), "TorchScript is a ZIP file");
    let onnx = read("onnx");
    let holds = |text: &str| onnx.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(holds("Conv") && holds("logits") && holds(architecture), "{name}.onnx");

    let Some(python) = python() else { return };
    bench.write("compare.py", COMPARE);
    let mut command = Command::new(python);
    command.current_dir(bench.folder()).args(["compare.py", &file("pt"), &file("onnx"), &example, "1e-5"]);
    let output = command.env("OMP_NUM_THREADS", "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    println!("{name}: {}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn nas_bench_201_with_statistics_of_the_batch() {
    let bench = small::trained(TRAIN);
    // All operations; then one with dead branches.
    exports(
        &bench,
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|",
        "all",
        &[],
    );
    exports(
        &bench,
        "|none~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|",
        "dead",
        &[],
    );
}

#[test]
fn nas_bench_201_with_running_statistics() {
    let bench = Bench::new();
    let base = small::BASE.replace("cells = 1\n", "cells = 1\nbatch_norm = \"affine\"\n");
    bench.write("run.toml", &format!("{base}{TRAIN}[rank]\nsubnets = 2\n"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    let architecture =
        "|nor_conv_1x1~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|";
    exports(&bench, architecture, "affine", &[]);
    exports(&bench, architecture, "recalibrated", &["--set", "rank.recalibrate=3"]);
    let (own, anew) =
        (tensors(&bench.path("affine.safetensors")), tensors(&bench.path("recalibrated.safetensors")));
    let changed = own.iter().filter(|(name, tensor)| anew[*name] != **tensor).count();
    assert!(changed > 0 && changed < own.len(), "{changed} of {} tensors were recalibrated", own.len());
}

#[test]
fn mobilenet() {
    let bench = Bench::new();
    let space = "use = \"mobilenet\"\nstem = 8\nfirst = 8\nwidths = [8, 16]\nlayers = [2, 1]\nstrides = [2, 2]\nlast = 16";
    let base = small::BASE.replace("use = \"nas-bench-201\"\nchannels = 4\ncells = 1", space);
    bench.write("run.toml", &format!("{base}{TRAIN}"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    exports(&bench, "k7e6-identity-k3e3", "mobilenet", &[]);
}

/// An auxiliary head is of training alone, and nobody is asked how far that has come.
#[test]
fn only_images_go_in_and_only_logits_come_out() {
    let bench = Bench::new();
    let wide = crate::harness::test_plugin("wide");
    let space =
        format!("use = {{ path = {wide:?} }}\nchoices = 2\noptions = 2\nchannels = 4\nauxiliary = true");
    let base = small::BASE.replace("use = \"nas-bench-201\"\nchannels = 4\ncells = 1", &space);
    assert!(base.contains("auxiliary"), "{base}");
    bench.write("run.toml", &format!("{base}{TRAIN}"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    exports(&bench, "1-0", "auxiliary", &[]);
    let parameters = tensors(&bench.path("auxiliary.safetensors"));
    assert!(parameters.contains_key("classifier.weight") && !parameters.contains_key("auxiliary.weight"));
    let model = std::fs::read(bench.path("auxiliary.onnx")).unwrap();
    let holds = |text: &str| model.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(holds("image") && !holds("auxiliary"));
}

#[test]
fn what_cannot_be_exported_is_refused() {
    let (bench, page) = (small::trained(TRAIN), Page::new("export"));
    let one = small::architecture(3000);
    bench.write("taken.onnx", "mine");
    let cases: [(&str, Vec<&str>); 8] = [
        ("file that is there", vec!["run", "--arch", &one, "--format", "onnx", "--output", "taken.onnx"]),
        (
            "example that is there",
            vec![
                "run",
                "--arch",
                &one,
                "--format",
                "onnx",
                "--output",
                "new.onnx",
                "--example",
                "taken.onnx",
            ],
        ),
        ("unknown architecture", vec!["run", "--arch", "|nonsense~0|", "--format", "onnx"]),
        ("unknown format", vec!["run", "--arch", &one, "--format", "keras"]),
        ("key of another table", vec!["run", "--arch", &one, "--format", "onnx", "--set", "train.lr=1"]),
        (
            "nothing to recalibrate",
            vec!["run", "--arch", &one, "--format", "onnx", "--set", "rank.recalibrate=2"],
        ),
        ("no run", vec!["nowhere", "--arch", &one, "--format", "onnx"]),
        ("no architecture", vec!["run", "--format", "onnx"]),
    ];
    for (place, (name, arguments)) in cases.iter().enumerate() {
        let run = bench.nshot(&[&["export"], &arguments[..]].concat());
        page.add(place, name, &refusals::refusal(name, &run, &bench));
    }
    assert_eq!(std::fs::read(bench.path("taken.onnx")).unwrap(), b"mine");
    assert!(!bench.path("new.onnx").exists() && !bench.path("subnet.onnx").exists());
    let nowhere = ["export", "run", "--arch", &one, "--format", "onnx", "--output", "nowhere/new.onnx"];
    let run = bench.nshot(&nowhere);
    assert!(
        run.error(1).starts_with("cannot write `nowhere/new.onnx`: there is no folder `nowhere`"),
        "{}",
        run.stderr
    );
    let force = ["export", "run", "--arch", &one, "--format", "onnx", "--output", "taken.onnx", "--force"];
    bench.nshot(&force).ok();
    assert_ne!(std::fs::read(bench.path("taken.onnx")).unwrap(), b"mine");

    bench.write("long.toml", &format!("{}[train]\nlr = 0.05\nepochs = 5000\n", small::BASE));
    let long = ["run", "long.toml", "--quiet", "--directory", "half"];
    small::kill_at(&bench, &long, &bench.path("half/metrics.jsonl"), 1);
    let run = bench.nshot(&["export", "half", "--arch", &one, "--format", "onnx"]);
    page.add(cases.len(), "run that is not trained", &refusals::refusal("not trained", &run, &bench));
    page.compare();
}
