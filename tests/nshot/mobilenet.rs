//! The `mobilenet` space through the real `nshot`: losses, gradient norms and costs are the reference's, of the files
//! `mobilenet.json` and `mobilenet.safetensors` in the folder that `NSHOT_GOLDEN` names, or in `tests/golden`.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

use crate::harness::{self, Bench};

/// The folder with the reference's numbers, and these.
fn golden() -> (PathBuf, Value) {
    let own = harness::project().join("tests/golden");
    let given = std::env::var_os("NSHOT_GOLDEN").map(|folder| harness::project().join(folder));
    let folder = given.filter(|folder| folder.join("mobilenet.json").is_file()).unwrap_or(own);
    let text = std::fs::read_to_string(folder.join("mobilenet.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(!document["cases"].as_object().unwrap().is_empty(), "`{}` has no cases", folder.display());
    (folder, document)
}

/// The reference's images as batches, with these labels: one list for each batch.
fn write_batches(weights: &Path, labels: &[Vec<i64>], to: &Path) {
    let bytes = std::fs::read(weights).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let images = || file.tensor("images").unwrap();
    let labels: Vec<Vec<u8>> =
        labels.iter().map(|labels| labels.iter().flat_map(|label| label.to_le_bytes()).collect()).collect();
    let mut batches = Vec::new();
    for (index, labels) in labels.iter().enumerate() {
        let labels = TensorView::new(Dtype::I64, vec![images().shape()[0]], labels).unwrap();
        batches.push((format!("batch.{index}.images"), images()));
        batches.push((format!("batch.{index}.labels"), labels));
    }
    std::fs::write(to, safetensors::serialize(batches, None).unwrap()).unwrap();
}

/// Trains the reference's network of a case at a rate that changes nothing, a step for each batch. Returns the steps'
/// lines of `metrics.jsonl`.
fn steps(bench: &Bench, name: &str, batches: &Path, count: usize) -> Vec<Value> {
    let (folder, document) = golden();
    let (size, case) = (&document["small"], &document["cases"][name]);
    let (weights, replay) = (folder.join("mobilenet.safetensors"), harness::test_plugin("replay"));
    let manifest = bench.write(
        &format!("{name}.toml"),
        &format!(
            "[run]\nname = \"{name}\"\ndtype = \"float64\"\nthreads = 1\ndevice = \"cpu\"\n\
             [data]\nname = \"batches\"\npath = {batches:?}\nclasses = {}\n\
             [space]\nuse = \"mobilenet\"\n{}\n\
             [sampler]\nuse = {{ path = {replay:?} }}\nsteps = [[{}]]\n\
             [scheduler]\nuse = \"constant\"\n[optimizer]\nuse = \"sgd\"\nmomentum = 0.0\n\
             [train]\nsteps = {count}\nlr = 1e-300\n\
             init_from = {{ file = {weights:?}, map = {{ \"weight.\" = \"\" }} }}\n",
            size["classes"],
            settings(size).join("\n"),
            case["arch"],
        ),
    );
    bench.nshot(&["run", manifest.to_str().unwrap()]).ok();
    let metrics = std::fs::read_to_string(bench.path(&format!("runs/{name}/metrics.jsonl"))).unwrap();
    metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The settings of a size, each as `key = value`.
fn settings(size: &Value) -> Vec<String> {
    let all = size.as_object().unwrap().iter().filter(|(key, _)| *key != "classes");
    all.map(|(key, value)| format!("{key}={value}")).collect()
}

#[test]
fn losses_and_gradients_are_the_references() {
    let (folder, document) = golden();
    let bench = Bench::new();
    let batch = bench.path("batch.safetensors");
    write_batches(&folder.join("mobilenet.safetensors"), &[vec![0, 1, 2, 3]], &batch);
    for (name, case) in document["cases"].as_object().unwrap() {
        let step = &steps(&bench, name, &batch, 1)[0];
        for (what, found, expected) in [
            ("loss", &step["loss"][0], &case["loss"]),
            ("gradient norm", &step["gradient_norm"], &case["grad_norm"]),
        ] {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            let relative = (found - expected).abs() / expected.abs();
            assert!(relative < 1e-8, "{name}: {what} is {found}, expected {expected}");
            println!("{name}: {what} differs by {relative:.1e} relative");
        }
    }
}

/// Each logit less the image's first: as many times the images the loss falls where one label is another.
#[test]
fn logits_are_the_references() {
    let (folder, document) = golden();
    let weights = folder.join("mobilenet.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (images, classes) =
        (file.tensor("images").unwrap().shape()[0], document["small"]["classes"].as_u64().unwrap() as usize);
    let mut labels = vec![vec![0_i64; images]];
    for image in 0..images {
        labels.extend((1..classes as i64).map(|class| {
            let mut labels = vec![0; images];
            labels[image] = class;
            labels
        }));
    }
    let bench = Bench::new();
    let batches = bench.path("batches.safetensors");
    write_batches(&weights, &labels, &batches);
    let mut largest = 0.0_f64;
    // A step for each logit is long: of the cases, those with all kinds of layers.
    for name in document["cases"].as_object().unwrap().keys().filter(|name| name.starts_with("mixed")) {
        let steps = steps(&bench, name, &batches, labels.len());
        let loss = |step: usize| steps[step]["loss"][0].as_f64().unwrap();
        let logits = file.tensor(&format!("logits.{name}")).unwrap();
        let logits: Vec<f64> = logits
            .data()
            .chunks_exact(8)
            .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        let mut step = 1;
        for image in 0..images {
            for class in 1..classes {
                let found = (loss(0) - loss(step)) * images as f64;
                let expected = logits[image * classes + class] - logits[image * classes];
                assert!(
                    (found - expected).abs() < 1e-8,
                    "{name}, image {image}, class {class}: {found}, expected {expected}"
                );
                largest = largest.max((found - expected).abs());
                step += 1;
            }
        }
        assert_eq!(step, steps.len());
    }
    println!("logits differ by at most {largest:.1e}");
}

#[test]
fn costs_are_the_references() {
    let (_, document) = golden();
    let cases = document["cases"].as_object().unwrap();
    let bench = Bench::new();
    let lines: Vec<String> = cases.values().map(|case| case["arch"].to_string()).collect();
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_matches(['[', ']'])).collect();
    bench.write("architectures.txt", &lines.join("\n"));
    // `small_cost_at_64`: of a size, at a resolution.
    let columns: Vec<_> = cases.values().next().unwrap().as_object().unwrap().keys().collect();
    let columns = columns.into_iter().filter_map(|key| Some((key, key.split_once("_cost_at_")?)));
    let mut compared = 0;
    for (column, (size, side)) in columns {
        let size = &document[size];
        let (input, classes) = (format!("3x{side}x{side}"), size["classes"].to_string());
        let settings = settings(size);
        let mut arguments = vec!["space", "costs", "mobilenet", "--architectures", "architectures.txt"];
        arguments.extend(["--input", &input, "--classes", &classes]);
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        let run = bench.nshot(&arguments).ok();
        let mut rows = csv::Reader::from_reader(run.stdout.as_bytes());
        let rows: Vec<(String, u64, u64, u64)> = rows.deserialize().map(Result::unwrap).collect();
        assert_eq!(rows.len(), cases.len());
        for ((_, weights, params, macs), (name, case)) in rows.into_iter().zip(cases) {
            let expected = ["weights", "params", "macs"].map(|cost| case[column][cost].as_u64().unwrap());
            assert_eq!([weights, params, macs], expected, "{name}: {column}");
            compared += 1;
        }
    }
    assert!(compared >= cases.len(), "no costs in the cases");
}

#[test]
fn the_defaults_are_imagenets() {
    let (_, document) = golden();
    let show = |more: &[&str]| {
        let all = ["space", "show", "mobilenet", "--json", "--input", "3x224x224", "--classes", "1000"];
        Bench::new().nshot(&[&all[..], more].concat()).ok().stdout
    };
    let shown: Value = serde_json::from_str(&show(&[])).unwrap();
    assert_eq!(shown["choices"].as_array().unwrap().len(), 21);
    let size = 6_f64.powi(6) * 7_f64.powi(15);
    assert!((shown["size"].as_f64().unwrap() / size - 1.0).abs() < 1e-12, "{}", shown["size"]);
    let case = &document["cases"]["largest"]["imagenet_cost_at_224"];
    let largest = shown["subnets"].as_array().unwrap().iter().find(|s| s["name"] == "largest").unwrap();
    assert_eq!(largest["architecture"], ["k7e6"; 21].join("-"));
    for cost in ["weights", "params", "macs"] {
        assert_eq!(largest[cost], case[cost], "{cost}");
    }
    // Scale and shift are parameters; neither is a weight, nor are running statistics parameters.
    let affine: Value = serde_json::from_str(&show(&["--set", "batch_norm=affine"])).unwrap();
    let alone = affine["subnets"].as_array().unwrap().iter().find(|s| s["name"] == "largest").unwrap();
    assert_eq!((&alone["weights"], &alone["macs"]), (&largest["weights"], &largest["macs"]));
    assert!(alone["params"].as_u64() > largest["params"].as_u64());
}

#[test]
fn what_cannot_be_is_refused() {
    let bench = Bench::new();
    for (arguments, text) in [
        (&["--input", "3x16x16"][..], "images are 16x16, expected sides of at least 32, "),
        (&["--set", "strides=[2,2,2,1,3,1]"], "`strides"),
        (&["--set", "layers=[4,4]"], "setting `layers` has 2 stages, expected 6 as in `widths`"),
        (&["--arch", "k3e3-identity"], "it has 2 layers, expected 21"),
    ] {
        let run = bench.nshot(&[&["space", "show", "mobilenet"], arguments].concat());
        assert!(run.code.is_some_and(|code| code != 0), "{arguments:?} passed");
        assert!(run.stderr.contains(text) && run.stderr.starts_with("error: "), "{}", run.stderr);
    }
}
