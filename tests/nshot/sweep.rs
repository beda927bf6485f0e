//! `nshot sweep`: methods by seeds. Runs of one seed begin alike; what fails is kept apart; the table's figures are those
//! of the runs' own reports.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Bench, Run};
use crate::small;

const TRAIN: &str = "[train]\nlr = 0.05\nsteps = 12\ncheckpoint_every = 4\n";
const MATRIX: &str = "[matrix]\nseeds = [0, 1]\n[matrix.methods.plain]\n\
    [matrix.methods.slow]\nscheduler = { use = \"constant\" }\ntrain = { lr = 0.005 }\n";

fn bench(more: &str) -> Bench {
    let bench = Bench::new();
    let rank = "[rank]\nsubnets = 8\n";
    bench.write("sweep.toml", &format!("{}{TRAIN}{rank}{more}", small::BASE));
    bench
}

const SWEEP: [&str; 5] = ["sweep", "sweep.toml", "--directory", "sweep", "--quiet"];

fn report(bench: &Bench, method: &str, seed: u64) -> Value {
    small::json(&bench.path(&format!("sweep/{method}-seed-{seed}/report.json")))
}

fn figure<'a>(table: &'a Value, method: &str, name: &str) -> &'a Value {
    let find = |list: &'a Value, key: &str, wanted: &str| {
        list.as_array()
            .unwrap()
            .iter()
            .find(|entry| entry[key] == wanted)
            .unwrap_or_else(|| panic!("no {wanted} in {list}"))
    };
    find(&find(&table["methods"], "method", method)["figures"], "name", name)
}

fn near(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found}, expected {expected}");
}

#[test]
fn a_sweep_pairs_its_methods_by_seed() {
    let bench = bench(MATRIX);
    let dry = bench.nshot(&["sweep", "sweep.toml", "--dry-run"]).ok();
    assert!(dry.stderr.contains("everything fits; none of the 4 runs was started"), "{}", dry.stderr);
    assert!(!bench.path("sweeps").exists());
    let printed = bench.nshot(&SWEEP).ok().stdout;
    let first = |method: &str, seed: u64, key: &str| {
        small::steps(&bench.path(&format!("sweep/{method}-seed-{seed}")))[0][key].clone()
    };
    // The same weights, the same images, the same subnets: the same loss before the first update.
    for key in ["loss", "paths", "gradient_norm"] {
        assert_eq!(first("plain", 0, key), first("slow", 0, key), "{key}");
        assert_eq!(first("plain", 1, key), first("slow", 1, key), "{key}");
        assert_ne!(first("plain", 0, key), first("plain", 1, key), "{key}");
    }
    let loss = |method, seed| report(&bench, method, seed)["final_loss"].as_f64().unwrap();
    assert!((loss("plain", 0) - loss("slow", 0)).abs() > 1e-6, "the methods do not differ");

    let json = small::json(&bench.path("sweep/sweep.json"));
    assert_eq!(json["plain"], "plain");
    for method in ["plain", "slow"] {
        let [a, b] = [loss(method, 0), loss(method, 1)];
        let found = figure(&json, method, "final loss");
        assert_eq!(found["values"], serde_json::json!([[0, a], [1, b]]));
        near(&found["summary"]["mean"], f64::midpoint(a, b));
        near(&found["summary"]["deviation"], (a - b).abs() / f64::sqrt(2.0));
    }
    let differences = [loss("slow", 0) - loss("plain", 0), loss("slow", 1) - loss("plain", 1)];
    let mean = f64::midpoint(differences[0], differences[1]);
    let found = &figure(&json, "slow", "final loss")["difference"];
    assert_eq!(found["seeds"], serde_json::json!([0, 1]));
    near(&found["difference"]["mean"], mean);
    // Student's t of one degree of freedom: 12.7062; two values deviate by half their distance from the mean.
    let half = 12.706_204_736_432_1 * (differences[0] - differences[1]).abs() / 2.0;
    near(&found["interval"]["low"], mean - half);
    near(&found["interval"]["high"], mean + half);
    assert!(figure(&json, "plain", "final loss")["difference"].is_null());
    let best = |seed| {
        let best = report(&bench, "slow", seed)["best"][0].clone();
        100.0 * best["correct"].as_f64().unwrap() / best["images"].as_f64().unwrap()
    };
    near(&figure(&json, "slow", "best accuracy, %")["summary"]["mean"], f64::midpoint(best(0), best(1)));
    forms(&bench, &printed, &json, mean);

    let picture = std::fs::read_to_string(bench.path("sweep/sweep.svg")).unwrap();
    for text in ["best accuracy, %", "slow", "difference to plain, 95 % interval"] {
        assert!(picture.contains(text), "no {text} in {picture}");
    }

    // Another setting in the same folder is refused; without one nothing is done again.
    let other = bench.nshot(&[&SWEEP[..], &["--set", "train.lr=0.1"]].concat());
    assert!(other.error(1).contains("was run with other settings"), "{}", other.stderr);
}

/// What each run has of its own cannot be set for all.
#[test]
fn the_seed_of_all_runs_is_refused() {
    let bench = bench(MATRIX);
    for (set, key) in [
        ("run.seed=7", "seed"),
        ("run={threads=1}", "name"),
        ("run.name=one", "name"),
        ("run.directory=here", "directory"),
    ] {
        let refused = bench.nshot(&[&SWEEP[..], &["--set", set]].concat());
        let said = format!("`--set` changes `run.{key}`, of which the sweep gives each run its own");
        assert!(refused.error(2).contains(&said), "{set}: {}", refused.stderr);
    }
    assert!(!bench.path("sweep").exists());
}

/// All forms of the table say the same, and nothing is run for them.
fn forms(bench: &Bench, printed: &str, json: &Value, mean: f64) {
    let log = bench.path("sweep/plain-seed-0.log");
    let before = std::fs::read(&log).unwrap();
    let of = |form: &str| bench.nshot(&[&SWEEP[..], &[form]].concat()).ok().stdout;
    assert_eq!(serde_json::from_str::<Value>(&of("--json")).unwrap(), *json);
    let csv = of("--csv");
    assert_eq!(csv, std::fs::read_to_string(bench.path("sweep/sweep.csv")).unwrap());
    let markdown = of("--markdown");
    assert_eq!(markdown, std::fs::read_to_string(bench.path("sweep/sweep.md")).unwrap());
    assert_eq!(std::fs::read(&log).unwrap(), before, "a run was done again");
    let path = bench.path("sweep/sweep.csv");
    let rows = small::column(&path, "method").into_iter().zip(small::column(&path, "figure"));
    let at = rows.into_iter().position(|row| row == ("slow".to_owned(), "final loss".to_owned())).unwrap();
    near(&small::column(&path, "difference")[at].parse::<f64>().unwrap().into(), mean);
    let header = markdown.lines().next().unwrap();
    assert!(header.starts_with('|') && header.contains("| final loss"), "{markdown}");
    assert!(printed.lines().any(|line| line.trim_start().starts_with("− plain")), "{printed}");
}

/// Whether a run that was stopped has no checkpoint.
fn stopped_without_checkpoint(bench: &Bench) -> bool {
    let runs = std::fs::read_dir(bench.path("sweep")).unwrap().map(|entry| entry.unwrap().path());
    let mut runs = runs.filter(|path| path.join("metrics.jsonl").is_file());
    runs.any(|run| {
        let done = small::json(&run.join("status.json"))["state"] == "done";
        let checkpoints = || std::fs::read_dir(run.join("checkpoints")).unwrap().count();
        !done && checkpoints() == 0
    })
}

/// Ctrl-C of a terminal goes to all processes of the group.
#[test]
fn ctrl_c_leaves_checkpoints() {
    use std::os::unix::process::CommandExt as _;
    let bench = bench(MATRIX);
    let long =
        [&SWEEP[..], &["--jobs", "2", "--set", "train.steps=5000", "--set", "train.checkpoint_every=5000"]];
    let mut command = bench.command(&long.concat());
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let trains = |run: &str| bench.path(&format!("sweep/{run}/timing.jsonl")).is_file();
    while !(trains("plain-seed-0") && trains("slow-seed-0")) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    small::send("INT", -i64::from(child.id()));
    let run = Run::of(child.wait_with_output().unwrap(), &SWEEP);
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(!stopped_without_checkpoint(&bench), "a run lost its work");
}

/// Each run is done once, by the sweep that began it.
#[test]
fn two_sweeps_share_a_folder() {
    let bench = bench(MATRIX);
    let start = || bench.command(&SWEEP).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sweeps = [start(), start()];
    let [one, two] = sweeps.map(|sweep| Run::of(sweep.wait_with_output().unwrap(), &SWEEP).ok().stdout);
    assert_eq!(one, two);
    let table = small::json(&bench.path("sweep/sweep.json"));
    for method in ["plain", "slow"] {
        assert_eq!(figure(&table, method, "final loss")["summary"]["n"], 2, "{table}");
        for seed in [0, 1] {
            assert_eq!(report(&bench, method, seed)["steps"], 12);
        }
    }
}

/// Starts a sweep as a group of processes, so that its runs can be killed with it.
fn killed(bench: &Bench, has_come: impl Fn() -> bool) {
    use std::os::unix::process::CommandExt as _;
    let mut command = bench.command(&SWEEP);
    let mut child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !has_come() {
        assert!(child.try_wait().unwrap().is_none(), "the sweep ended before it was killed");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    small::send("KILL", -i64::from(child.id()));
    child.wait().unwrap();
}

/// All that does not depend on time, of each run.
fn equal(bench: &Bench, other: &Bench) {
    for run in ["plain-seed-0", "plain-seed-1", "slow-seed-0", "slow-seed-1"] {
        let folder = |bench: &Bench| bench.path(&format!("sweep/{run}"));
        small::equal(
            &["metrics.jsonl", "scores.csv", "supernets/supernet.safetensors"],
            &folder(bench),
            &folder(other),
        );
    }
}

#[test]
fn a_killed_sweep_does_what_is_left() {
    let (whole, bench) = (bench(MATRIX), bench(MATRIX));
    whole.nshot(&SWEEP).ok();
    let metrics = |run: &str| bench.path(&format!("sweep/{run}/checkpoints/0000-0000000004"));
    killed(&bench, || {
        metrics("plain-seed-0").exists() || bench.path("sweep/plain-seed-0/report.json").exists()
    });
    assert!(!bench.path("sweep/sweep.json").exists());
    killed(&bench, || bench.path("sweep/plain-seed-0/report.json").exists());
    // A signal stops its runs too, each with a checkpoint.
    let run =
        small::signal_when(&bench, &SWEEP, "INT", || bench.path("sweep/plain-seed-1/metrics.jsonl").exists());
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(!stopped_without_checkpoint(&bench), "a run lost its work");
    assert!(run.stderr.contains("stopped by SIGINT\nto go on: the same command again"), "{}", run.stderr);
    bench.nshot(&SWEEP).ok();
    equal(&whole, &bench);
}

#[test]
fn a_run_that_fails_is_kept_apart() {
    let bench = bench(&format!("{MATRIX}[matrix.methods.wild]\ntrain = {{ lr = 1e30 }}\n"));
    let run = bench.nshot(&SWEEP);
    assert_eq!(run.error(1), "2 of 6 runs failed");
    let log = bench.path("sweep/wild-seed-0.log");
    assert!(run.stderr.contains("wild-seed-0: sweep/wild-seed-0.log"), "{}", run.stderr);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("error: ") && log.contains("lower `train.lr`"), "{log}");
    let json = small::json(&bench.path("sweep/sweep.json"));
    let counts: Vec<_> = json["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["method"].clone(), row["done"].clone()))
        .collect();
    assert_eq!(counts, [("plain".into(), 2.into()), ("slow".into(), 2.into()), ("wild".into(), 0.into())]);
    assert!(figure(&json, "slow", "final loss")["difference"]["difference"]["mean"].is_f64());
    assert!(run.stdout.contains("0 of 2"), "{}", run.stdout);
}

#[test]
fn bad_matrices_are_refused() {
    let refuse = |more: &str, text: &str| {
        let bench = bench(more);
        let run: Run = bench.nshot(&SWEEP);
        assert!(matches!(run.code, Some(1 | 2)), "{more}: {:?}", run.code);
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains(text), "{more}: {}", run.stderr);
        assert!(!Path::new(&bench.path("sweep")).exists(), "{more}");
    };
    refuse("", "has no table `[matrix]`");
    refuse("[matrix]\nseeds = [0]\n", "methods");
    refuse(
        "[matrix]\nseeds = []\n[matrix.methods.a]\n",
        "`matrix.seeds` is [], expected a list of different",
    );
    refuse("[matrix]\nseeds = [2, 2]\n[matrix.methods.a]\n", "`matrix.seeds` has 2 in it, expected");
    refuse("[matrix]\nseeds = [-1]\n[matrix.methods.a]\n", "matrix.seeds");
    refuse(
        "[matrix]\nseeds = [0]\nplain = \"b\"\n[matrix.methods.a]\n",
        "`matrix.plain` is `b`, expected one of a",
    );
    refuse("[matrix]\nseeds = [0]\n[matrix.methods.\"a/b\"]\n", "a method is called `a/b`");
    refuse("[matrix]\nseeds = [0]\n[matrix.methods.a]\nlr = 1\n", "method `a`: `lr` is to be a table");
    refuse("[matrix]\nseeds = [0]\n[matrix.methods.a]\ntrain = { lrr = 1 }\n", "lrr");
    refuse(
        "[matrix]\nseeds = [0]\n[matrix.methods.a]\n[matrix.methods.b]\nsampler = { use = \"sposs\" }\n",
        "method `b`",
    );
}

#[test]
fn a_sweep_of_some_methods_and_seeds() {
    let bench = bench(&format!("{MATRIX}seeds = [1, 2]\n"));
    let only = bench.nshot(&[&SWEEP[..], &["--method", "slow", "--seed", "2", "--json"]].concat()).ok();
    let table: Value = serde_json::from_str(&only.stdout).unwrap();
    assert_eq!(table["methods"].as_array().unwrap().len(), 1, "{table}");
    assert_eq!(figure(&table, "slow", "final loss")["values"][0][0], 2);
    assert!(bench.path("sweep/slow-seed-2/report.json").exists());
    assert!(!bench.path("sweep/slow-seed-1").exists() && !bench.path("sweep/plain-seed-0").exists());
    for (arguments, said) in [
        (["--method", "fast"], "`--method fast`: expected one of plain, slow"),
        (["--seed", "7"], "`--seed 7`: expected one of 0, 1, 2"),
    ] {
        let refused = bench.nshot(&[&SWEEP[..], &arguments].concat());
        assert!(refused.error(2).contains(said), "{}", refused.stderr);
    }
    let none = bench.nshot(&[&SWEEP[..], &["--method", "plain", "--seed", "2"]].concat());
    assert!(none.error(2).contains("expected one of 0, 1"), "{}", none.stderr);
}
