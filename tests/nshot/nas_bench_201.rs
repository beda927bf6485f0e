//! The NAS-Bench-201 space through the real `nshot`: its costs are the benchmark's, its initial weights PyTorch's.

use std::collections::HashMap;

use crate::harness::{self, Bench};

/// The table's cost columns by architecture: weights, params, MACs.
fn table() -> Option<HashMap<String, [u64; 3]>> {
    let path = harness::data("nas-bench-201/nas-bench-201.csv")?;
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (arch, costs) = (column("arch"), ["weights", "params", "macs"].map(column));
    let row =
        |row: csv::StringRecord| (row[arch].to_owned(), costs.map(|column| row[column].parse().unwrap()));
    Some(reader.records().map(|record| row(record.unwrap())).collect())
}

/// What `nshot space costs` prints: weights, params, MACs by architecture.
fn costs(arguments: &[&str]) -> HashMap<String, [u64; 3]> {
    let all: Vec<&str> = ["space", "costs", "nas-bench-201"].iter().chain(arguments).copied().collect();
    let run = Bench::new().nshot(&all).ok();
    let mut reader = csv::Reader::from_reader(run.stdout.as_bytes());
    let rows = reader.deserialize::<(String, u64, u64, u64)>().map(Result::unwrap);
    rows.map(|(architecture, weights, params, macs)| (architecture, [weights, params, macs])).collect()
}

#[test]
fn costs_of_all_architectures_are_the_benchmarks() {
    let Some(table) = table() else { return };
    assert_eq!(table.len(), 15_625);
    let supernet = costs(&[]);
    let alone = costs(&["--set", "batch_norm=affine"]);
    assert_eq!((supernet.len(), alone.len()), (15_625, 15_625));
    for (architecture, expected) in &table {
        let (supernet, alone) = (supernet[architecture], alone[architecture]);
        // The paper's complexity, and what no norm changes.
        assert_eq!([supernet[0], supernet[2]], [expected[0], expected[2]], "{architecture}");
        assert_eq!(alone, *expected, "{architecture}, affine");
    }
}

/// PyTorch's default: uniform within ±1/√`fan_in`, weights and biases alike.
#[test]
fn initial_weights_have_pytorchs_distribution() {
    let bench = Bench::new();
    let manifest = bench.write(
        "init.toml",
        "[run]\ndtype = \"float64\"\n[data]\nname = \"digits\"\nresize = 8\n\
         [space]\nuse = \"nas-bench-201\"\n[sampler]\nuse = \"spos\"\n[scheduler]\nuse = \"constant\"\n\
         [optimizer]\nuse = \"sgd\"\nmomentum = 0.0\n[train]\nsteps = 1\nlr = 1e-300\n",
    );
    bench.nshot(&["run", manifest.to_str().unwrap()]).ok();
    let weights = harness::read_tensors(&bench.path("runs/init/supernets/supernet.safetensors"));
    let mut fan_in = HashMap::new();
    for (name, (shape, _)) in &weights {
        if let Some(layer) = name.strip_suffix(".weight") {
            fan_in.insert(layer.to_owned(), shape[1..].iter().product::<usize>());
        }
    }
    assert_eq!(weights.len(), 373);
    for (name, (_, values)) in &weights {
        let layer = name.rsplit_once('.').unwrap().0;
        let bound = 1.0 / (fan_in[layer] as f64).sqrt();
        assert!(values.iter().all(|value| value.abs() <= bound), "{name} leaves ±{bound}");
        if values.len() < 200 {
            continue;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let deviation = (values.iter().map(|value| value * value).sum::<f64>() / count).sqrt();
        let expected = bound / 3.0_f64.sqrt();
        // Five standard errors: of the mean σ/√n; of the root mean square of a uniform σ·√(0.2/n).
        assert!(mean.abs() < 5.0 * expected / count.sqrt(), "{name}: mean {mean}");
        let error = (deviation - expected).abs();
        assert!(
            error < 5.0 * expected * (0.2 / count).sqrt(),
            "{name}: deviation {deviation}, expected {expected}"
        );
        assert!(values.iter().any(|value| value.abs() > 0.95 * bound), "{name} stays far from ±{bound}");
    }
}

#[test]
fn cifar10_trains_and_ranks_at_the_benchmarks_size() {
    let Some(folder) = harness::data("cifar10-small") else { return };
    let bench = Bench::new();
    let manifest = bench.write(
        "cifar10.toml",
        &format!(
            "[data]\nname = \"cifar10\"\npath = {folder:?}\nbatch_size = 64\nsplit = {{ train = 320, rank = 128 }}\n\
             [space]\nuse = \"nas-bench-201\"\n[sampler]\nuse = \"spos\"\n[scheduler]\nuse = \"cosine\"\n\
             [optimizer]\nuse = \"sgd\"\nnesterov = true\nweight_decay = 5e-4\n\
             [train]\nepochs = 1\nlr = 0.025\nclip_norm = 5.0\n[rank]\nsubnets = 20\n"
        ),
    );
    let run = bench.nshot(&["run", manifest.to_str().unwrap(), "--json"]).ok();
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((report["steps"].as_u64(), report["ranked"].as_u64()), (Some(5), Some(20)));
    let scores = std::fs::read_to_string(bench.path("runs/cifar10/scores.csv")).unwrap();
    assert_eq!(scores.lines().count(), 21);
    assert!(scores.lines().skip(1).all(|line| line.starts_with('|') && line.contains(",128,")), "{scores}");
}
