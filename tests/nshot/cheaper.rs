//! Keys that make training cheaper without making it another: `train.recompute`, `train.autocast`; and how often the host
//! waits for the device.

use serde_json::Value;

use crate::harness::Bench;
use crate::small;

fn train(more: &str) -> String {
    format!("[train]\nlr = 0.05\n{more}\n")
}

fn report(bench: &Bench) -> Value {
    small::json(&bench.path("run/report.json"))
}

#[test]
fn computing_activations_again_gives_the_same_run() {
    let files = |more: &str| {
        let bench = small::trained(&train(&format!("steps = 6\n{more}")));
        let read = |name: &str| std::fs::read(bench.path(&format!("run/{name}"))).unwrap();
        let resolved = String::from_utf8(read("manifest.toml")).unwrap();
        assert_eq!(resolved.contains("recompute = true"), !more.is_empty(), "{resolved}");
        [read("metrics.jsonl"), read("supernets/supernet.safetensors")]
    };
    assert!(files("") == files("recompute = true"));
}

#[test]
fn computing_activations_again_takes_less_memory() {
    // Activations of some hundred MB.
    let large = |more: &str| {
        let text = format!("{}{}", small::BASE, train(&format!("steps = 2\n{more}")))
            .replace("resize = 8\nbatch_size = 16", "resize = 32\nbatch_size = 128")
            .replace("channels = 4\ncells = 1", "channels = 16\ncells = 5");
        let bench = Bench::new();
        bench.write("run.toml", &text);
        bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
        report(&bench)["peak_memory"].as_f64().unwrap()
    };
    let (kept, again) = (large(""), large("recompute = true"));
    assert!(again + 1e8 < kept, "{again} bytes, without `recompute` {kept}");
}

#[test]
fn autocast_trains_and_is_refused_where_it_makes_no_sense() {
    let losses = |more: &str| -> Vec<f64> {
        let bench = small::trained(&train(&format!("steps = 60\n{more}")));
        small::steps(&bench.path("run")).iter().map(|step| step["loss"][0].as_f64().unwrap()).collect()
    };
    let (plain, narrow) = (losses(""), losses("autocast = \"bfloat16\""));
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert_ne!(plain, narrow);
    assert!((plain[0] - narrow[0]).abs() < 0.05, "{} {}", plain[0], narrow[0]);
    let (first, last) = (mean(&narrow[..10]), mean(&narrow[50..]));
    assert!(last < 0.97 * first, "from {first} to {last}");

    let bench = Bench::new();
    bench.write("run.toml", &format!("{}{}", small::BASE, train("steps = 1\nautocast = \"bfloat16\"")));
    let refused = bench.nshot(&["run", "run.toml", "--set", "run.dtype=float64"]);
    assert!(refused.error(2).contains("`train.autocast`"), "{}", refused.stderr);
    let unknown = bench.nshot(&["run", "run.toml", "--set", "train.autocast=float16"]);
    assert!(unknown.error(2).contains("expected `bfloat16`"), "{}", unknown.stderr);
}

#[test]
fn no_step_waits_for_the_device_where_no_plugin_wants_outcomes() {
    let reads = |steps: usize| {
        let more = format!("steps = {steps}\ncheckpoint_every = 1000");
        report(&small::trained(&train(&more)))["device_reads"].as_u64().unwrap()
    };
    let (few, more) = (reads(17), reads(32));
    assert!(few > 0);
    // Figures are read sixteen steps at once: two blocks in either run.
    assert_eq!(more, few);
    assert_eq!(reads(48), few + 1);
}
