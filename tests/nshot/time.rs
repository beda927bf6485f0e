//! What is said of time: what plugins took of the training, and how fast the data comes.

use serde_json::Value;

use crate::harness::Bench;
use crate::small;

const TRAIN: &str = "[state]\nuse = \"momentum-separation\"\nchoices = [0]\n[train]\nlr = 0.05\n";

/// Checks the times of a report against each other.
#[track_caller]
fn check_plugins(report: &Value) {
    let plugins = report["plugin_seconds"].as_object().unwrap();
    let mut tables: Vec<&str> = plugins.keys().map(String::as_str).collect();
    tables.sort_unstable();
    assert_eq!(tables, ["optimizer", "sampler", "scheduler", "space", "state"]);
    let seconds: Vec<f64> = plugins.values().map(|seconds| seconds.as_f64().unwrap()).collect();
    assert!(seconds.iter().all(|seconds| *seconds > 0.0), "{seconds:?}");
    let (graphs, update) =
        (report["graph_seconds"].as_f64().unwrap(), report["update_seconds"].as_f64().unwrap());
    let training = report["training_seconds"].as_f64().unwrap();
    assert!(graphs > 0.0 && graphs < training && update > 0.0);
    assert!(seconds.iter().sum::<f64>() + update < training, "{report}");
}

#[test]
fn a_report_tells_what_each_plugin_took_of_the_training() {
    let bench = Bench::new();
    bench.write("run.toml", &format!("{}{TRAIN}steps = 40\n", small::BASE));
    let run = bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    check_plugins(&small::json(&bench.path("run/report.json")));
    let line = run.stdout.lines().find(|line| line.starts_with("plugins ")).unwrap();
    assert!(line.contains(" % of the training: optimizer ") && line.contains(", state "), "{line}");
    // Without a step there is nothing to tell.
    let none = "epochs = 0\ninit_from = { run = \"run\" }\n[rank]\nsubnets = 3\n";
    bench.write("none.toml", &format!("{}{TRAIN}{none}", small::BASE));
    let run = bench.nshot(&["run", "none.toml", "--quiet", "--directory", "none"]).ok();
    assert!(!run.stdout.contains("plugins "), "{}", run.stdout);
    let report = small::json(&bench.path("none/report.json"));
    assert!(report["plugin_seconds"].is_null() && report["graph_seconds"].is_null());
}

#[test]
fn a_resumed_run_tells_what_its_own_process_took() {
    let bench = Bench::new();
    bench.write("run.toml", &format!("{}{TRAIN}steps = 400\ncheckpoint_every = 10\n", small::BASE));
    let metrics = bench.path("run/metrics.jsonl");
    small::kill_at(&bench, &["run", "run.toml", "--quiet", "--directory", "run"], &metrics, 30);
    bench.nshot(&["resume", "run", "--quiet"]).ok();
    check_plugins(&small::json(&bench.path("run/report.json")));
}

#[test]
fn the_speed_of_the_data_counts_whole_batches() {
    let bench = Bench::new();
    bench.write("run.toml", &format!("{}[train]\nlr = 0.05\nsteps = 1\n", small::BASE));
    let measure = |more: &[&str]| {
        bench.nshot(&[&["data", "speed", "run.toml", "--seconds", "1"], more].concat()).ok().stdout
    };
    let json: Value = serde_json::from_str(&measure(&["--json", "--set", "data.batch_size=32"])).unwrap();
    let (images, seconds) = (json["images"].as_f64().unwrap(), json["seconds"].as_f64().unwrap());
    assert!(json["data"] == "digits" && json["batch_size"] == 32);
    assert!(images >= 32.0 && images % 32.0 == 0.0 && seconds >= 1.0, "{json}");
    assert!((json["images_per_second"].as_f64().unwrap() - images / seconds).abs() < 1e-6 * images);
    assert!(measure(&[]).starts_with("digits: "));
    // Nothing but the data is needed, and nothing is left behind.
    assert!(!bench.path("runs").exists());
}

#[test]
fn the_speed_of_data_that_is_not_there_is_one_error_at_its_line() {
    let bench = Bench::new();
    let text = format!("{}[train]\nlr = 0.05\nsteps = 1\n", small::BASE);
    bench.write("run.toml", &text.replace("\"digits\"", "\"cifar10\"\npath = \"absent\""));
    let run = bench.nshot(&["data", "speed", "run.toml"]);
    assert!(run.error(1).contains("absent") && run.stderr.contains("run.toml:"), "{}", run.stderr);
    let run = bench.nshot(&["data", "speed", "run.toml", "--seconds", "0"]);
    assert!(run.code == Some(2) && run.stderr.contains("1..=3600"), "{}", run.stderr);
}
