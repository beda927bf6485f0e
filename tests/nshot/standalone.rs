//! `nshot standalone`: a table of trained accuracies that depends on nothing but its manifest.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::{self, Bench};
use crate::small;

const TRAIN: &str = "[train]\nlr = 0.05\nsteps = 4\n";

fn bench(standalone: &str) -> Bench {
    let bench = Bench::new();
    bench.write("table.toml", &format!("{}{TRAIN}[standalone]\n{standalone}\n", small::BASE));
    bench
}

fn arguments<'a>(directory: &'a str, jobs: &'a str) -> [&'a str; 7] {
    ["standalone", "table.toml", "--quiet", "--directory", directory, "--jobs", jobs]
}

/// Whether an edge that is not `none` leads from a node to another, and so from the input to the output.
fn is_connected(architecture: &str) -> bool {
    let nodes: Vec<Vec<&str>> = architecture
        .split('+')
        .map(|node| node.split('|').filter(|edge| !edge.is_empty()).collect())
        .collect();
    let mut reached = vec![true];
    for edges in nodes {
        reached.push(edges.iter().any(|edge| {
            let (operation, from) = edge.split_once('~').unwrap();
            operation != "none" && reached[from.parse::<usize>().unwrap()]
        }));
    }
    reached[3]
}

/// What is written of a training, but for its seconds.
fn trainings(run: &Path) -> BTreeSet<Vec<(String, String)>> {
    let rows = small::rows(&run.join("trained.csv")).into_iter();
    rows.map(|row| row.into_iter().filter(|(name, _)| name != "seconds").collect()).collect()
}

#[test]
fn the_table_depends_on_neither_jobs_nor_kills() {
    let bench = bench("count = 4\nseeds = [0, 5]");
    bench.nshot(&arguments("one", "1")).ok();
    bench.nshot(&arguments("two", "2")).ok();
    let (one, two) = (bench.path("one"), bench.path("two"));
    let killed = bench.path("killed");
    for lines in [2, 5] {
        small::kill_at(&bench, &arguments("killed", "1"), &killed.join("trained.csv"), lines);
    }
    assert!(!killed.join("table.csv").exists());
    let run = small::signal_at(&bench, &arguments("killed", "2"), &killed.join("trained.csv"), 7, "INT");
    // The last two may have ended before it.
    assert!(matches!(run.code, Some(0 | 130)), "{:?}\n{}", run.code, run.stderr);
    bench.nshot(&arguments("killed", "2")).ok();
    for other in [&two, &killed] {
        small::equal(&["table.csv", "architectures.txt"], &one, other);
        assert_eq!(trainings(&one), trainings(other));
    }
    check(&one);

    let other = bench.nshot(&[&arguments("one", "1")[..], &["--set", "train.lr=0.1"]].concat());
    assert!(
        other
            .error(1)
            .starts_with("the run directory `one` is of another manifest: `lr = 0.05`, now `lr = 0.1`"),
        "{}",
        other.stderr
    );
    // As ground truth of a ranking.
    bench.write("run.toml", &format!("{}{TRAIN}[rank]\ntable = \"one/table.csv\"\n", small::BASE));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    assert_eq!(small::json(&bench.path("run/comparison.json"))[0]["comparison"]["n"], 4);
    seeds_can_be_added(&bench, &one);
}

/// What is trained stays as it is; seeds cannot be taken away.
fn seeds_can_be_added(bench: &Bench, run: &Path) {
    let before = std::fs::read_to_string(run.join("trained.csv")).unwrap();
    let with = |seeds| [&arguments("one", "1")[..], &["--json", "--set", seeds]].concat();
    let fewer = bench.nshot(&with("standalone.seeds=[0]"));
    let refused = "the run directory `one` is of another manifest: `seeds = [0, 5]`, now `seeds = [0]`";
    assert!(fewer.error(1).starts_with(refused), "{}", fewer.stderr);

    let said = bench.nshot(&with("standalone.seeds=[9, 0, 5]")).ok();
    let after = std::fs::read_to_string(run.join("trained.csv")).unwrap();
    assert!(after.starts_with(&before) && after.lines().count() == before.lines().count() + 4, "{after}");
    let said: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(said["tau_between_seeds"].as_array().unwrap().len(), 3);
    // Of three seeds, the first and third are one half.
    let of = |seed| small::numbers(&run.join("table.csv"), &format!("accuracy_seed_{seed}"));
    let half: Vec<f64> = of(9).iter().zip(of(5)).map(|(a, b)| f64::midpoint(*a, b)).collect();
    let tau = said["tau_between_halves"].as_f64().unwrap();
    assert!((tau - kendall(&half, &of(0))).abs() < 1e-9, "{tau}");

    // It is the directory of these seeds now.
    bench.nshot(&with("standalone.seeds=[9, 0, 5]")).ok();
    assert_eq!(std::fs::read_to_string(run.join("trained.csv")).unwrap(), after);
    assert!(
        bench.nshot(&arguments("one", "1")).error(1).contains("`seeds = [9, 0, 5]`, now `seeds = [0, 5]`")
    );
    damage_is_named(bench, run, &with("standalone.seeds=[9, 0, 5]"));
}

fn damage_is_named(bench: &Bench, run: &Path, arguments: &[&str]) {
    let damage = |file: &str, change: fn(&str) -> String, expected: &str| {
        let whole = std::fs::read_to_string(run.join(file)).unwrap();
        bench.write(&format!("one/{file}"), &change(&whole));
        let refused = bench.nshot(arguments);
        assert!(refused.error(1).ends_with(expected), "{}", refused.stderr);
        bench.write(&format!("one/{file}"), &whole);
    };
    let shortened = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    damage(
        "architectures.txt",
        shortened,
        "/architectures.txt` is damaged: it has 3 architectures, expected 4",
    );
    let no_images = |text: &str| with_fields(text, &[(2, "7"), (3, "0")]);
    damage("trained.csv", no_images, "/trained.csv` is damaged at line 3: 7 of 0 images are correct");
    let no_number = |text: &str| with_fields(text, &[(4, "NaN")]);
    damage(
        "trained.csv",
        no_number,
        "/trained.csv` is damaged at line 3: `mean_nll` is NaN, expected 0 or more",
    );
    bench.nshot(arguments).ok();
}

/// A CSV file with other values in its third line.
fn with_fields(text: &str, values: &[(usize, &str)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut fields: Vec<&str> = lines[2].split(',').collect();
    for &(field, value) in values {
        fields[field] = value;
    }
    lines[2] = fields.join(",");
    lines.join("\n") + "\n"
}

/// Kendall's tau-b by its definition.
fn kendall(a: &[f64], b: &[f64]) -> f64 {
    let sign = |values: &[f64], i: usize, j: usize| values[i].partial_cmp(&values[j]).unwrap() as i32;
    let pairs = (0..a.len()).flat_map(|i| (0..i).map(move |j| (sign(a, i, j), sign(b, i, j))));
    let pairs: Vec<(i32, i32)> = pairs.collect();
    let untied = |of: fn(&(i32, i32)) -> i32| pairs.iter().filter(|pair| of(pair) != 0).count() as f64;
    let agreement: i32 = pairs.iter().map(|(a, b)| a * b).sum();
    f64::from(agreement) / (untied(|pair| pair.0) * untied(|pair| pair.1)).sqrt()
}

/// The table's numbers are those of the trainings; its architectures are connected and different.
fn check(run: &Path) {
    let table = run.join("table.csv");
    let names = small::column(&table, "arch");
    assert_eq!(names.len(), 4);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 4);
    assert!(names.iter().all(|name| is_connected(name)), "{names:?}");
    assert_eq!(names.join("\n") + "\n", std::fs::read_to_string(run.join("architectures.txt")).unwrap());
    let trained = run.join("trained.csv");
    let keys: Vec<(String, String)> =
        small::column(&trained, "arch").into_iter().zip(small::column(&trained, "seed")).collect();
    assert_eq!(keys.len(), 8);
    let of = |name: &str, seed: &str, column: &str| {
        let at = keys.iter().position(|key| (key.0.as_str(), key.1.as_str()) == (name, seed)).unwrap();
        small::numbers(&trained, column)[at]
    };
    let (first, second) =
        (small::numbers(&table, "accuracy_seed_0"), small::numbers(&table, "accuracy_seed_5"));
    let (means, nll) = (small::numbers(&table, "accuracy"), small::numbers(&table, "nll"));
    for (index, name) in names.iter().enumerate() {
        let accuracy = |seed| 100.0 * of(name, seed, "correct") / of(name, seed, "images");
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-4, "{name}: {a}, expected {b}");
        near(first[index], accuracy("0"));
        near(second[index], accuracy("5"));
        near(means[index], f64::midpoint(first[index], second[index]));
        near(nll[index], f64::midpoint(of(name, "0", "mean_nll"), of(name, "5", "mean_nll")));
        assert!(of(name, "0", "final_loss") != of(name, "5", "final_loss"), "seeds make no difference");
    }
    let macs = small::numbers(&table, "macs");
    assert!(
        macs.windows(2).all(|pair| pair[0] <= pair[1]) && macs[3] > 1.5 * macs[0],
        "not spread: {macs:?}"
    );
}

#[test]
fn a_list_is_trained_as_a_run_of_one_architecture_is() {
    let bench = bench("architectures = \"list.txt\"\nseeds = [3]");
    let (one, two) = (small::architecture(10_000), small::architecture(9_999));
    bench.write("list.txt", &format!("# mine\n{one}\n\n{two}\n{one}\n"));
    let run = bench.nshot(&[&arguments("table", "1")[..], &["--json"]].concat()).ok();
    let said: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((said["architectures"].as_u64(), &said["seeds"]), (Some(2), &serde_json::json!([3])));
    assert_eq!(small::column(&bench.path("table/table.csv"), "arch"), [one.clone(), two]);

    let replay = harness::test_plugin("replay");
    let digits: Vec<usize> = (0..6).map(|place| 10_000 / 5_usize.pow(5 - place) % 5).collect();
    let base = small::BASE
        .replace("use = \"spos\"", &format!("use = {{ path = {replay:?} }}\nsteps = [[{digits:?}]]"))
        .replace("[run]\n", "[run]\nseed = 3\n");
    bench.write("one.txt", &one);
    bench.write("run.toml", &format!("{base}{TRAIN}[rank]\narchitectures = \"one.txt\"\n"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    let (run, trained) = (bench.path("run"), bench.path("table/trained.csv"));
    let loss = small::steps(&run).last().unwrap()["loss"][0].as_f64().unwrap();
    assert!((loss - small::numbers(&trained, "final_loss")[0]).abs() < 1e-6 * loss.abs());
    let scores = run.join("scores.csv");
    for column in ["correct", "images", "macs", "params", "weights"] {
        assert_eq!(small::column(&scores, column)[0], small::column(&trained, column)[0], "{column}");
    }
    let (a, b) = (small::numbers(&scores, "mean_nll")[0], small::numbers(&trained, "mean_nll")[0]);
    assert!((a - b).abs() < 1e-6 * a, "{a}, {b}");
}

/// Nothing keeps the figures of single trainings; they are not to pile up.
#[test]
fn figures_of_components_are_taken_away() {
    let staged = harness::test_plugin("staged");
    let base = small::BASE.replace("use = \"spos\"", &format!("use = {{ path = {staged:?} }}\nepochs = 0"));
    let bench = Bench::new();
    let standalone = "[train]\nlr = 0.01\nsteps = 1001\n[standalone]\ncount = 1\nseeds = [0]\n";
    bench.write("table.toml", &format!("{base}{standalone}"));
    bench.nshot(&arguments("table", "1")).ok();
    assert_eq!(small::rows(&bench.path("table/table.csv")).len(), 1);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    for (standalone, set, text) in [
        ("count = 4\narchitectures = \"list.txt\"", "", "architectures"),
        ("architectures = \"nowhere.txt\"", "", "nowhere.txt"),
        ("architectures = \"bad.txt\"", "", "bad.txt:1: "),
        ("count = 20000", "", "different connected architectures were found, expected 20000"),
        ("count = 2\nstratify = \"speed\"", "", "unknown measure `speed`"),
        ("count = 2\nseeds = []", "", "seeds"),
        ("count = 2\nseeds = [1, 1]", "", "seeds"),
        ("count = 0", "", "count"),
        ("count = 1", "train.lr=1e30", "lower `train.lr`"),
    ] {
        let bench = bench(standalone);
        bench.write("bad.txt", "|nonsense~0|\n");
        bench.write("list.txt", &small::architecture(9));
        let set = if set.is_empty() { vec![] } else { vec!["--set", set] };
        let run = bench.nshot(&[&arguments("table", "1")[..], &set].concat());
        assert!(matches!(run.code, Some(1 | 2)), "{standalone}: {:?} {}", run.code, run.stdout);
        assert!(
            run.stderr.starts_with("error: ") && run.stderr.contains(text),
            "{standalone}: {}",
            run.stderr
        );
        assert!(!bench.path("table/table.csv").exists());
        if bench.path("table").exists() {
            let status = small::json(&bench.path("table/status.json"));
            assert_eq!(status["state"], "failed");
            assert!(status["reason"].as_str().unwrap().starts_with("the loss of `"), "{status}");
        }
    }
    let bench = Bench::new();
    bench.write("table.toml", &format!("{}{TRAIN}", small::BASE));
    assert_eq!(bench.nshot(&arguments("table", "1")).error(2), "`table.toml` has no table `[standalone]`");
}
