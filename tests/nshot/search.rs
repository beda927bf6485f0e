//! `nshot search` and `[search]`: what is scored keeps to the limits and is scored once; a killed search goes on to the
//! same files.

mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::harness::{self, Bench};
use crate::small;

const FILES: [&str; 3] = ["candidates.csv", "rounds.csv", "result.json"];
const TRAIN: &str = "[train]\nlr = 0.05\nsteps = 2\n";

/// Carries out a search in the bench's run; `set` are keys and values.
fn search(bench: &Bench, name: &str, set: &[&str]) {
    let arguments = arguments("run", name, set);
    bench.nshot(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).ok();
}

fn arguments(run: &str, name: &str, set: &[&str]) -> Vec<String> {
    let mut all = ["search", run, "--quiet", "--name", name].map(str::to_owned).to_vec();
    all.extend(set.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()]));
    all
}

/// The table of a measure, as `--set` takes it.
fn measure(bench: &Bench, per: &str, file: &str) -> String {
    format!("measures.latency={{per={per:?},table={:?}}}", bench.path(file))
}

/// A component of a test plugin, as `--set` takes it.
fn test_searcher(fault: &str) -> String {
    let plugin = harness::test_plugin("faulty");
    format!("search={{use={{path={plugin:?},component='faulty'}},fault='{fault}'}}")
}

#[test]
fn a_search_without_end_is_told_of_and_can_be_stopped() {
    let bench = small::trained(TRAIN);
    let set = test_searcher("endless");
    let arguments = arguments("run", "endless", &[&set]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let rounds = bench.path("run/search/endless/rounds.csv");
    let run = small::signal_at(&bench, &arguments, &rounds, 300, "INT");
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    let said = "warning: searcher `faulty` of plugin `nshot-tests/nshot-test-faulty 0.1.0`, in `ask`: nothing new was \
                asked for in the last 256 rounds";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    let scored = small::rows(&bench.path("run/search/endless/candidates.csv"));
    assert_eq!(scored.len(), 1);
    search(&bench, "once", &[&test_searcher("none")]);
}

#[test]
fn a_search_keeps_to_what_was_trained() {
    let staged = harness::test_plugin("staged");
    let bench = Bench::new();
    let sampler = format!("use = {{ path = {staged:?} }}\nepochs = 1\nhalf = true");
    let base = small::BASE.replace("use = \"spos\"", &sampler);
    bench.write("run.toml", &format!("{base}[train]\nlr = 0.05\nepochs = 1\n"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    for searcher in ["search={use='random',count=40}", "search={use='evolution',population=8,generations=3}"]
    {
        search(&bench, "half", &[searcher]);
        let found = small::column(&bench.path("run/search/half/candidates.csv"), "architecture");
        let allowed = ["|none~0|+", "|skip_connect~0|+"];
        assert!(found.iter().all(|text| allowed.iter().any(|start| text.starts_with(start))), "{found:?}");
        std::fs::remove_dir_all(bench.path("run/search/half")).unwrap();
    }
}

/// What can be said of any search's files. Returns the architectures in order.
fn check(folder: &Path, least: f64, most: f64) -> Vec<String> {
    let path = folder.join("candidates.csv");
    let macs = small::numbers(&path, "macs");
    assert!(macs.iter().all(|macs| (least..=most).contains(macs)), "{}", folder.display());
    check_by(folder, &macs)
}

/// The same where the front is by another cost, given for each candidate.
fn check_by(folder: &Path, costs: &[f64]) -> Vec<String> {
    let path = folder.join("candidates.csv");
    let names = small::column(&path, "architecture");
    assert_eq!(
        names.iter().collect::<BTreeSet<_>>().len(),
        names.len(),
        "scored twice in {}",
        folder.display()
    );

    let rounds = folder.join("rounds.csv");
    let asked: f64 = small::numbers(&rounds, "asked").iter().sum();
    let counts: Vec<f64> = small::numbers(&rounds, "round");
    assert!(counts.iter().enumerate().all(|(index, round)| index as f64 == *round));
    let accuracies: Vec<f64> = small::numbers(&path, "correct")
        .iter()
        .zip(small::numbers(&path, "images"))
        .map(|(c, n)| c / n)
        .collect();
    let (mut so_far, mut start) = (0.0_f64, 0);
    for (count, found) in small::numbers(&rounds, "asked").iter().zip(small::numbers(&rounds, "best_so_far"))
    {
        // Nothing is asked for twice, so that the rounds' candidates follow one another.
        let end = start + *count as usize;
        so_far = accuracies[start..end].iter().copied().fold(so_far, f64::max);
        assert!((so_far - found).abs() < 1e-12, "best so far {found}, expected {so_far}");
        start = end;
    }

    let result = small::json(&folder.join("result.json"));
    assert_eq!(
        (result["scored"].as_u64(), result["rounds"].as_u64()),
        (Some(names.len() as u64), Some(counts.len() as u64))
    );
    assert_eq!(asked as usize, names.len());
    let accuracy = |score: &Value| score["correct"].as_f64().unwrap() / score["images"].as_f64().unwrap();
    assert!((accuracy(&result["best"][0]) - so_far).abs() < 1e-12);
    let front: Vec<(f64, f64)> = result["front"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (accuracy(s), s["cost"].as_f64().unwrap()))
        .collect();
    let beats = |a: (f64, f64), b: (f64, f64)| a.0 >= b.0 && a.1 <= b.1 && a != b;
    let all: Vec<(f64, f64)> = accuracies.into_iter().zip(costs.iter().copied()).collect();
    let mut expected: Vec<(f64, f64)> =
        all.iter().copied().filter(|point| !all.iter().any(|other| beats(*other, *point))).collect();
    expected.sort_by(|a, b| b.partial_cmp(a).unwrap());
    expected.dedup();
    assert_eq!(front, expected, "front of {}", folder.display());
    names
}

#[test]
fn searchers_keep_to_limits_and_score_nothing_twice() {
    let bench = small::trained(TRAIN);
    let limits = "search.limits={macs=60000}";
    let folder = |name: &str| bench.path(&format!("run/search/{name}"));
    search(&bench, "random", &["search.use=random", "search.count=30", limits]);
    assert_eq!(check(&folder("random"), 0.0, 60_000.0).len(), 30);
    search(
        &bench,
        "evolution",
        &["search.use=evolution", "search.population=8", "search.generations=4", limits],
    );
    assert_eq!(check(&folder("evolution"), 0.0, 60_000.0).len(), 32);
    search(
        &bench,
        "pareto",
        &[
            "search.use=pareto",
            "search.population=8",
            "search.generations=4",
            "search.limits={macs=[40000,90000]}",
        ],
    );
    assert_eq!(check(&folder("pareto"), 40_000.0, 90_000.0).len(), 32);

    let costs = bench
        .nshot(&[
            "space",
            "costs",
            "nas-bench-201",
            "--input",
            "1x8x8",
            "--set",
            "channels=4",
            "--set",
            "cells=1",
        ])
        .ok();
    bench.write("costs.csv", &costs.stdout);
    let mut all: Vec<(String, f64)> = small::column(&bench.path("costs.csv"), "architecture")
        .into_iter()
        .zip(small::numbers(&bench.path("costs.csv"), "macs"))
        .collect();
    let mut macs: Vec<f64> = all.iter().map(|(_, macs)| *macs).collect();
    macs.sort_by(f64::total_cmp);
    let (least, most) = (macs[macs.len() - 60], macs[macs.len() - 20]);
    all.retain(|(_, macs)| (least..=most).contains(macs));
    assert!((40..500).contains(&all.len()), "{}", all.len());
    search(
        &bench,
        "exhaustive",
        &["search.use=exhaustive", &format!("search.limits={{macs=[{least},{most}]}}")],
    );
    let names: Vec<String> = all.into_iter().map(|(name, _)| name).collect();
    assert_eq!(check(&folder("exhaustive"), least, most), names);

    // Another seed of sampling draws others; the same command with other settings is refused.
    let again = bench.nshot(&[
        "search",
        "run",
        "--name",
        "random",
        "--set",
        "search.use=random",
        "--set",
        "search.count=31",
    ]);
    let expected = "`random` was done with other settings in this run: `count = 30`, now `count = 31`";
    assert_eq!(again.error(1), expected);
    assert!(again.stderr.contains("another `--name`"), "{}", again.stderr);
    // Done already: the same result, and nothing is scored.
    let before = std::fs::read(folder("random").join("candidates.csv")).unwrap();
    search(&bench, "random", &["search.use=random", "search.count=30", limits]);
    assert_eq!(std::fs::read(folder("random").join("candidates.csv")).unwrap(), before);
}

#[test]
fn a_killed_search_goes_on_to_the_same_files() {
    let bench = small::trained(TRAIN);
    let cases: [(&str, &[&str]); 3] = [
        (
            "evolution",
            &[
                "search.use=evolution",
                "search.population=12",
                "search.generations=12",
                "search.limits={macs=90000}",
            ],
        ),
        ("pareto", &["search.use=pareto", "search.population=12", "search.generations=12"]),
        ("random", &["search.use=random", "search.count=230"]),
    ];
    for (name, set) in cases {
        let whole = bench.path(&format!("run/search/{name}-whole"));
        search(&bench, &format!("{name}-whole"), set);
        let killed = bench.path(&format!("run/search/{name}"));
        let arguments = arguments("run", name, set);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let file = killed.join("candidates.csv");
        // With the header; 13 and 25 end a round of twelve.
        for lines in [4, 13, 20, 25] {
            small::kill_at(&bench, &arguments, &file, lines);
        }
        let run = small::signal_at(&bench, &arguments, &file, 40, "INT");
        assert_eq!(run.code, Some(130), "{}", run.stderr);
        assert!(run.stderr.ends_with("to go on: the same command again\n"), "{}", run.stderr);
        assert!(!killed.join("result.json").exists());
        bench.nshot(&arguments).ok();
        small::equal(&FILES, &whole, &killed);
    }
}

#[test]
fn a_search_in_the_manifest_belongs_to_the_run() {
    let more = format!("{TRAIN}[rank]\nsubnets = 5\n[search]\nuse = \"random\"\ncount = 60\n");
    let bench = small::trained(&more);
    let whole = bench.path("run/search/random");
    assert_eq!(check(&whole, 0.0, f64::MAX).len(), 60);
    assert!(bench.path("run/scores.csv").is_file());
    let run = ["run", "run.toml", "--quiet", "--directory", "killed"];
    let file = bench.path("killed/search/random/candidates.csv");
    small::kill_at(&bench, &run, &file, 9);
    let resume = ["resume", "killed", "--quiet"];
    let stopped = small::signal_at(&bench, &resume, &file, 30, "TERM");
    assert_eq!(stopped.code, Some(143), "{}", stopped.stderr);
    bench.nshot(&resume).ok();
    small::equal(&FILES, &whole, &bench.path("killed/search/random"));
    small::equal(&["scores.csv", "metrics.jsonl"], &bench.path("run"), &bench.path("killed"));
    let report = small::json(&bench.path("killed/report.json"));
    assert_eq!(report["search"], small::json(&whole.join("result.json")));
}

/// Choices with their options.
fn choices(bench: &Bench) -> Vec<(String, Vec<String>)> {
    let shown = bench.nshot(&["space", "show", "nas-bench-201", "--json"]).ok();
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let options = |choice: &Value| choice["options"].as_array().unwrap().iter().map(text).collect();
    shown["choices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|choice| (text(&choice["name"]), options(choice)))
        .collect()
}

/// A line for each option of each choice.
fn option_table(bench: &Bench) -> String {
    let mut text = "choice,option,latency\n".to_owned();
    for (index, (choice, options)) in choices(bench).into_iter().enumerate() {
        for (place, option) in options.into_iter().enumerate() {
            text += &format!("{choice},{option},{}\n", latency(index, place));
        }
    }
    text
}

/// Whole numbers add up exactly.
fn latency(choice: usize, option: usize) -> f64 {
    ((choice * 7 + option * 13) % 17) as f64
}

#[test]
fn limits_of_measures_from_tables_hold() {
    let bench = small::trained(TRAIN);
    bench.write("options.csv", &option_table(&bench));
    let names = small::architectures();
    let options = |number: usize| (0..6).map(move |place| number / 5_usize.pow(5 - place as u32) % 5);
    let by_options: BTreeMap<&str, f64> = names
        .iter()
        .enumerate()
        .map(|(number, name)| (&name[..], options(number).enumerate().map(|(c, o)| latency(c, o)).sum()))
        .collect();
    let mut table = "arch,other,energy\n".to_owned();
    for (number, name) in names.iter().enumerate() {
        table += &format!("{name},x,{}\n", small::figure(number));
    }
    bench.write("architectures.csv", &table);
    search(
        &bench,
        "options",
        &[
            &measure(&bench, "option", "options.csv"),
            "search.use=evolution",
            "search.population=6",
            "search.generations=3",
            "search.limits={latency=[20,40]}",
        ],
    );
    let found = check(&bench.path("run/search/options"), 0.0, f64::MAX);
    let latencies: Vec<f64> = found.iter().map(|name| by_options[&name[..]]).collect();
    assert_eq!(found.len(), 18);
    assert!(latencies.iter().all(|latency| (20.0..=40.0).contains(latency)), "{latencies:?}");
    search(
        &bench,
        "architectures",
        &[
            &format!("measures.joule={{table={:?},column=\"energy\"}}", bench.path("architectures.csv")),
            "search.use=pareto",
            "search.cost=joule",
            "search.population=6",
            "search.generations=3",
            "search.limits={joule=0.25}",
        ],
    );
    let folder = bench.path("run/search/architectures");
    let figure = |name: &String| small::figure(names.iter().position(|other| other == name).unwrap());
    let costs: Vec<f64> =
        small::column(&folder.join("candidates.csv"), "architecture").iter().map(figure).collect();
    assert_eq!(small::json(&folder.join("result.json"))["cost"], "joule");
    assert!(check_by(&folder, &costs).iter().all(|name| figure(name) <= 0.25));
}
