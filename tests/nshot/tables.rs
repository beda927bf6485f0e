//! `[rank] table`: rankings compared with trained accuracies, from files of every form; the figures are what a simple
//! computation gives.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::harness::{self, Bench};
use crate::refusals::{self, Page};
use crate::small;

const TRAIN: &str = "[train]\nlr = 0.05\nsteps = 4\n";

/// Trained accuracies in percent by number, with ties and some at chance.
fn truth(number: usize) -> f64 {
    (small::figure(number) * 40.0).floor() * 2.0 + 10.0
}

/// Ranks in the bench's run.
fn rank(bench: &Bench, name: &str, set: &[&str]) -> harness::Run {
    let mut arguments = vec!["rank", "run", "--quiet", "--name", name];
    arguments.extend(set.iter().flat_map(|set| ["--set", set]));
    bench.nshot(&arguments)
}

fn table(path: &Path) -> String {
    format!("rank.table={path:?}")
}

/// Kendall's tau-b, pair by pair.
fn tau(scores: &[f64], truth: &[f64]) -> f64 {
    let (mut agree, mut scores_differ, mut truths_differ) = (0.0, 0.0, 0.0);
    let sign = |a: f64, b: f64| f64::from(i8::from(a > b) - i8::from(a < b));
    for i in 0..scores.len() {
        for j in 0..i {
            let (a, b) = (sign(scores[i], scores[j]), sign(truth[i], truth[j]));
            agree += a * b;
            scores_differ += a * a;
            truths_differ += b * b;
        }
    }
    agree / f64::sqrt(scores_differ * truths_differ)
}

/// The taus that the scores of a folder give: accuracy, likelihood, parameters, weights outside dead branches.
fn taus(folder: &Path, truth: &HashMap<String, f64>) -> [f64; 4] {
    let path = folder.join("scores.csv");
    let truth: Vec<f64> = small::column(&path, "architecture").iter().map(|name| truth[name]).collect();
    let read = |name: &str| small::numbers(&path, name);
    let accuracy: Vec<f64> = read("correct").iter().zip(read("images")).map(|(c, n)| c / n).collect();
    let likelihood: Vec<f64> = read("mean_nll").iter().map(|nll| -nll).collect();
    [accuracy, likelihood, read("params"), read("live_weights")].map(|scores| tau(&scores, &truth))
}

/// Asserts that a column's comparison has the taus.
#[track_caller]
fn assert_taus(comparison: &Value, column: &str, expected: [f64; 4]) {
    let comparisons = comparison.as_array().unwrap();
    let found = comparisons.iter().find(|compared| compared["column"] == column);
    let found = &found.unwrap_or_else(|| panic!("no column {column} in {comparison}"))["comparison"];
    for (predictor, expected) in ["accuracy", "nll", "params", "live_weights"].iter().zip(expected) {
        let tau = found[predictor]["kendall"].as_f64().unwrap();
        assert!((tau - expected).abs() < 1e-12, "{column}, {predictor}: {tau}, expected {expected}");
    }
}

/// A pickled list of numbers: of protocol 0, in text, or of protocol 2, in frames of a thousand.
fn pickled(values: &[f64], protocol: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    if protocol == 0 {
        bytes.extend(b"(lp0\n");
        for value in values {
            bytes.extend(format!("F{value:?}\na").bytes());
        }
    } else {
        bytes.extend(b"\x80\x02]q\x00");
        for chunk in values.chunks(1000) {
            bytes.push(b'(');
            for value in chunk {
                bytes.push(b'G');
                bytes.extend(value.to_be_bytes());
            }
            bytes.push(b'e');
        }
    }
    bytes.push(b'.');
    bytes
}

#[test]
fn every_form_of_a_table_gives_the_same_comparison() {
    let bench = small::trained(TRAIN);
    let names = small::architectures();
    let values: Vec<f64> = (0..names.len()).map(truth).collect();
    let mut text = "arch,accuracy,some\n".to_owned();
    for (number, name) in names.iter().enumerate() {
        // Of the lines that are marked, some in each way.
        let mark = ["0", "1", "false", "true", "0"][number % 5];
        writeln!(text, "{name},{},{mark}", values[number]).unwrap();
    }
    bench.write("table.csv", &text);
    bench.write("table.json", &serde_json::to_string(&values).unwrap());
    for (name, protocol) in [("zero.pkl", 0), ("two.pickle", 2)] {
        std::fs::write(bench.path(name), pickled(&values, protocol)).unwrap();
    }
    let files = ["table.csv", "table.json", "zero.pkl", "two.pickle"];
    for file in files {
        rank(&bench, file, &[&table(&bench.path(file)), "rank.subnets=40"]).ok();
    }
    let folder = |name: &str| bench.path(&format!("run/rankings/{name}"));
    for file in &files[1..] {
        small::equal(&["scores.csv", "comparison.json"], &folder("table.csv"), &folder(file));
    }
    assert!(folder("table.csv").join("comparison-accuracy.svg").is_file());
    let comparison = small::json(&folder("two.pickle").join("comparison.json"));
    assert_eq!(comparison[0]["comparison"]["n"], 40);
    let truths: HashMap<String, f64> = names.iter().cloned().zip(values.iter().copied()).collect();
    assert_taus(&comparison, "accuracy", taus(&folder("two.pickle"), &truths));

    // A subset: all of it is ranked, or some of it.
    rank(&bench, "some", &[&table(&bench.path("table.csv")), "rank.subset=some", "rank.subnets=25"]).ok();
    let number = |name: &String| names.iter().position(|other| other == name).unwrap();
    let ranked = small::column(&folder("some").join("scores.csv"), "architecture");
    assert_eq!(ranked.len(), 25);
    assert!(ranked.iter().all(|name| matches!(number(name) % 5, 1 | 3)), "{ranked:?}");
    let comparison = small::json(&folder("some").join("comparison.json"));
    assert_taus(&comparison, "accuracy", taus(&folder("some"), &truths));
}

#[test]
fn a_small_table_is_ranked_whole_in_training_too() {
    let bench = Bench::new();
    let names: Vec<String> = (0..30).map(|number| small::architecture(number * 511 + 3)).collect();
    let mut text = "first, second ,arch,weights\n".to_owned();
    for (number, name) in names.iter().enumerate() {
        writeln!(text, "{},{},{name},1", truth(number), truth(number + 100) / 100.0).unwrap();
    }
    bench.write("table.csv", &text);
    let more = "[train]\nlr = 0.05\nepochs = 2\n[rank]\ntable = \"table.csv\"\ncolumn = [\"first\", \"second\"]\nevery = 1\n";
    bench.write("run.toml", &format!("{}{more}", small::BASE));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    let run = bench.path("run");
    assert_eq!(small::column(&run.join("scores.csv"), "architecture"), names);
    let comparison = small::json(&run.join("comparison.json"));
    for (column, shift) in [("first", 0), ("second", 100)] {
        let truths = names.iter().cloned().zip((0..).map(|number| truth(number + shift))).collect();
        assert_taus(&comparison, column, taus(&run, &truths));
    }
    // The report's are the same; the last ranking in training has the same weights and so the same tau.
    let report = small::json(&run.join("report.json"));
    assert_eq!(report["comparisons"], comparison);
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let rankings: Vec<Value> = metrics
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| !line["ranked"].is_null())
        .collect();
    assert_eq!(rankings.len(), 2);
    let at = |column: usize| comparison[column]["comparison"]["accuracy"]["kendall"].as_f64().unwrap();
    assert_eq!(rankings[1]["kendall"], serde_json::json!({ "first": at(0), "second": at(1) }));
    assert_ne!(rankings[0]["kendall"], rankings[1]["kendall"]);
}

/// The parameter count alone agrees so well with the accuracies of the paper's 327 architectures.
#[test]
fn baselines_of_nas_bench_201() {
    let Some(file) = harness::data("nas-bench-201/nas-bench-201.csv") else { return };
    let bench = Bench::new();
    let more = format!(
        "[train]\nlr = 0.05\nsteps = 1\n[rank]\ntable = {file:?}\nsubset = \"ranking_set\"\nimages = 2\n\
         column = [\"cifar10_test\", \"cifar100_test\", \"imagenet16_test\"]\n"
    );
    // The complexity is the benchmark's own: 16 channels, five cells.
    let base = small::BASE.replace("channels = 4\ncells = 1\n", "").replace("rank = 64", "rank = 2");
    bench.write("run.toml", &format!("{base}{more}"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    let comparison = small::json(&bench.path("run/comparison.json"));
    let expected = [("cifar10_test", 0.637), ("cifar100_test", 0.634), ("imagenet16_test", 0.584)];
    for (index, (column, expected)) in expected.into_iter().enumerate() {
        assert_eq!(
            (&comparison[index]["column"], &comparison[index]["comparison"]["n"]),
            (&column.into(), &327.into())
        );
        let tau = comparison[index]["comparison"]["params"]["kendall"].as_f64().unwrap();
        assert!((tau - expected).abs() < 0.002, "{column}: {tau}, expected {expected}");
        let truths = small::column(&file, "arch").into_iter().zip(small::numbers(&file, column)).collect();
        assert_taus(&comparison, column, taus(&bench.path("run"), &truths));
    }
}

#[test]
fn bad_tables_are_refused() {
    let (bench, page) = (small::trained(TRAIN), Page::new("tables"));
    let (one, two) = (small::architecture(3000), small::architecture(5));
    let good = format!("arch,accuracy\n{one},50\n{two},60\n");
    let whole: Vec<f64> = (0..15_625).map(truth).collect();
    let json = |values: &[f64]| serde_json::to_string(values).unwrap().into_bytes();
    let mut nan = pickled(&whole, 2);
    nan[7..15].copy_from_slice(&f64::NAN.to_be_bytes());
    let touched = bench.path("touched");
    let hostile = |module: &str, name: &str| {
        format!("c{module}\n{name}\n(S'touch {}'\ntR.", touched.display()).into_bytes()
    };
    let text = |text: String| text.into_bytes();
    let files: Vec<(&str, &str, Vec<u8>)> = vec![
        ("unknown architecture", "a.csv", text(good.replace(&two, "|nonsense~0|"))),
        ("architecture twice", "b.csv", text(good.replace(&two, &one))),
        (
            "architecture twice, in two forms",
            "c.csv",
            text(format!("arch,accuracy\n{one},50\n{},60\n", other_form(&bench, &one))),
        ),
        ("no column of architectures", "d.csv", text(good.replace("arch", "architecture"))),
        ("no column of accuracies", "e.csv", text(good.replace("accuracy", "weights"))),
        ("accuracy that is not a number", "f.csv", text(good.replace("60", "nan"))),
        ("accuracy that is a word", "g.csv", text(good.replace("60", "sixty"))),
        ("empty file", "h.csv", Vec::new()),
        ("no rows", "i.csv", text("arch,accuracy\n".to_owned())),
        ("line of other length", "j.csv", text(good.replace("60", "60,1"))),
        ("not UTF-8", "k.csv", good.chars().map(|c| if c == '5' { 0xff } else { c as u8 }).collect()),
        ("list that is too short", "l.json", json(&whole[1..])),
        ("list of words", "m.json", text("[\"a\"]".to_owned())),
        ("no list", "n.json", text("{\"a\": 1}".to_owned())),
        ("pickled list that is too long", "o.pkl", pickled(&[&whole[..], &[1.0]].concat(), 2)),
        ("pickled list with a number that is none", "p.pkl", nan),
        ("pickle cut short", "q.pkl", pickled(&whole, 0)[..1000].to_vec()),
        ("pickle that calls the system", "r.pkl", hostile("os", "system")),
        ("pickle that calls the system, by another name", "s.pickle", hostile("posix", "system")),
        ("pickle that evaluates", "t.p", hostile("builtins", "eval")),
        ("empty pickle", "u.pkl", Vec::new()),
        ("pickle of no list", "v.pkl", b"I1\n.".to_vec()),
    ];
    let mut cases: Vec<(&str, Vec<String>)> = Vec::new();
    for (name, file, bytes) in &files {
        std::fs::write(bench.path(file), bytes).unwrap();
        cases.push((name, vec![table(&bench.path(file))]));
    }
    bench.write(
        "good.csv",
        &good.replace("arch,accuracy", "arch,a,b").replace("50", "50,0").replace("60", "60,0"),
    );
    bench.write("list.txt", &format!("{one}\n{}\n", small::architecture(77)));
    let good = table(&bench.path("good.csv"));
    let list = format!("rank.architectures={:?}", bench.path("list.txt"));
    for (name, set) in [
        ("table that is not there", vec![table(&bench.path("nowhere.csv"))]),
        ("which of several columns", vec![good.clone()]),
        ("unknown column", vec![good.clone(), "rank.column=c".to_owned()]),
        (
            "unknown column of the subset",
            vec![good.clone(), "rank.column=a".to_owned(), "rank.subset=c".to_owned()],
        ),
        ("empty subset", vec![good.clone(), "rank.column=a".to_owned(), "rank.subset=b".to_owned()]),
        (
            "subset that is no mark",
            vec![good.clone(), "rank.column=b".to_owned(), "rank.subset=a".to_owned()],
        ),
        ("list with another architecture", vec![good, "rank.column=a".to_owned(), list]),
        ("column without a table", vec!["rank.column=a".to_owned()]),
        ("key of another table", vec!["train.lr=1".to_owned()]),
    ] {
        cases.push((name, set));
    }
    for (place, (name, set)) in cases.iter().enumerate() {
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let refusal = refusals::refusal(name, &rank(&bench, "bad", &set), &bench);
        if name.starts_with("pickle that") {
            assert!(!touched.exists(), "{name}: the pickle was run");
        }
        page.add(place, name, &refusal);
    }
    assert!(!bench.path("run/rankings/bad").exists());
    page.compare();
}

/// The same architecture as the space also reads it.
fn other_form(bench: &Bench, architecture: &str) -> String {
    let digits: Vec<String> = (0..6).map(|place| (3000 / 5_usize.pow(5 - place) % 5).to_string()).collect();
    for text in [digits.concat(), digits.join(","), digits.join(" "), architecture.replace('+', "")] {
        bench.write("form.txt", &text);
        let run = bench.nshot(&["space", "costs", "nas-bench-201", "--architectures", "form.txt"]);
        if run.code == Some(0) {
            assert!(run.stdout.contains(architecture), "{text} is {}", run.stdout);
            return format!("\"{text}\"");
        }
    }
    panic!("there is no other form of {architecture}");
}
