//! Searches that are refused: each with one error that says what was found.

use std::path::Path;

use super::{TRAIN, arguments, measure, option_table};
use crate::harness::Bench;
use crate::refusals::{self, Page};
use crate::small;

#[test]
fn bad_searches_are_refused() {
    let (bench, page) = (small::trained(TRAIN), Page::new("search"));
    let table = option_table(&bench);
    let (first, second) = (table.lines().nth(1).unwrap(), table.lines().nth(2).unwrap());
    for (name, text) in [
        ("choice", table.replacen("edge 1<-0", "edge 9<-0", 1)),
        ("option", table.replacen("skip_connect", "skip_conect", 1)),
        ("twice", table.replacen(second, first, 1)),
        ("nan", table.replacen(&format!("{second}\n"), "edge 1<-0,skip_connect,nan\n", 1)),
        ("missing", table.replacen(&format!("{second}\n"), "", 1)),
        ("header", table.replacen("latency", "latencies", 1)),
        ("empty", "choice,option,latency\n".to_owned()),
    ] {
        bench.write(&format!("{name}.csv"), &text);
    }
    let one = small::architecture(7);
    bench.write("one.csv", &format!("arch,latency\n{one},3\n"));
    bench.write("unknown.csv", "arch,latency\n|nonsense~0|,3\n");
    bench.write("architecture-twice.csv", &format!("arch,latency\n{one},3\n{one},4\n"));
    let random = "search.use=random";
    let of = |per: &str, file: &str| measure(&bench, per, file);
    let tables = [
        ("measure of a name that is taken", of("architecture", "one.csv").replace("latency", "macs")),
        ("table that is not there", of("architecture", "nowhere.csv")),
        ("table with few architectures", of("architecture", "one.csv") + " search.limits={latency=5}"),
        ("table with an unknown architecture", of("architecture", "unknown.csv")),
        ("table with an architecture twice", of("architecture", "architecture-twice.csv")),
        ("table with an unknown choice", of("option", "choice.csv")),
        ("table with an unknown option", of("option", "option.csv")),
        ("table with an option twice", of("option", "twice.csv")),
        ("table with a figure that is no number", of("option", "nan.csv")),
        ("table without a line for an option", of("option", "missing.csv")),
        ("table without the column", of("option", "header.csv")),
        ("table without lines", of("option", "empty.csv")),
        ("table that is about something else", of("choice", "one.csv")),
    ];
    let cases: Vec<(&str, Vec<String>)> = [
        ("limit that no subnet meets", "search.limits={macs=10}"),
        ("unknown measure in a limit", "search.limits={mac=50000}"),
        ("range the wrong way round", "search.limits={macs=[90000,50000]}"),
        ("unknown cost", "search={use='pareto',cost='joule'}"),
        ("limit that leaves nothing of all", "search={use='exhaustive',limits={macs=10}}"),
        ("too large a space", "search={use='exhaustive',max=1000}"),
        ("unknown searcher", "search.use=evolutoin"),
        ("component of another kind", "search.use=spos"),
        ("unknown setting", "search.generation=3"),
        ("key of another table", "train.lr=0.1"),
        ("key of another table, with a typo", "serach.use=random"),
    ]
    .into_iter()
    .map(|(name, set)| (name, set.to_owned()))
    .chain(tables)
    .map(|(name, set)| {
        let mut set: Vec<&str> = set.split(' ').collect();
        if !set.iter().any(|key| key.starts_with("search.use=") || key.starts_with("search={")) {
            set.insert(0, random);
        }
        (name, arguments("run", "bad", &set))
    })
    .chain([
        ("no searcher", arguments("run", "bad", &[])),
        ("no run", arguments("elsewhere", "bad", &[random])),
    ])
    .collect();
    refusals::for_each(&cases, |place, (name, arguments)| {
        // A run is held by one process: each case has its own.
        let run = format!("run-{place}");
        copy(&bench.path("run"), &bench.path(&run));
        let arguments: Vec<&str> =
            arguments.iter().map(|a| if a == "run" { run.as_str() } else { a }).collect();
        let refusal = refusals::refusal(name, &bench.nshot(&arguments), &bench);
        assert!(
            !bench.path(&format!("{run}/search/bad/candidates.csv")).exists()
                || name.contains("limit")
                || name.contains("few")
        );
        page.add(place, name, &refusal.replace(&run, "run"));
    });
    let untrained = untrained(&bench);
    page.add(cases.len(), "run that is not trained", &untrained);
    page.compare();
}

/// The refusal of a search in a run that was killed before its supernet was there.
fn untrained(bench: &Bench) -> String {
    bench.write("long.toml", &format!("{}[train]\nlr = 0.05\nepochs = 5000\n", small::BASE));
    small::kill_at(
        bench,
        &["run", "long.toml", "--quiet", "--directory", "half"],
        &bench.path("half/metrics.jsonl"),
        1,
    );
    let run = bench.nshot(&["search", "half", "--quiet", "--set", "search.use=random"]);
    refusals::refusal("run that is not trained", &run, bench)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
