//! Weights of another run, and rankings with running statistics taken anew.

use std::path::Path;

use crate::harness::Bench;
use crate::small;

const NO_TRAINING: &str = "[train]\nlr = 0.05\nepochs = 0\n";
const RANK: &str = "[rank]\nsubnets = 25\n";

fn run(bench: &Bench, name: &str, text: &str) -> crate::harness::Run {
    let file = format!("{name}.toml");
    bench.write(&file, text);
    bench.nshot(&["run", &file, "--quiet", "--directory", name])
}

/// Base, a training from other weights, and a ranking.
fn from(base: &str, train: &str, weights: &str) -> String {
    format!("{base}{train}init_from = {weights}\n{RANK}")
}

#[test]
fn a_foreign_supernet_is_ranked_as_its_own_run_ranks_it() {
    let bench = small::trained(&format!("[train]\nlr = 0.05\nsteps = 8\n{RANK}"));
    let text = from(small::BASE, NO_TRAINING, "{ run = \"run\" }");
    run(&bench, "again", &text).ok();
    small::equal(&["scores.csv", "supernets/supernet.safetensors"], &bench.path("run"), &bench.path("again"));
    assert!(small::json(&bench.path("again/report.json"))["final_loss"].is_null());
    // Its file is the same; a run that trains on starts from it.
    run(
        &bench,
        "file",
        &text.replace("{ run = \"run\" }", "{ file = \"run/supernets/supernet.safetensors\" }"),
    )
    .ok();
    small::equal(&["scores.csv"], &bench.path("run"), &bench.path("file"));
    let text = from(small::BASE, "[train]\nlr = 1e-30\nsteps = 1\n", "{ run = \"run\" }");
    run(&bench, "on", &text).ok();
    small::equal(&["scores.csv"], &bench.path("run"), &bench.path("on"));
    // Another seed changes nothing but which subnets are drawn: the weights are given.
    run(
        &bench,
        "seed",
        &from(small::BASE, NO_TRAINING, "{ run = \"run\" }").replace("[run]\n", "[run]\nseed = 9\n"),
    )
    .ok();
    let supernet = "supernets/supernet.safetensors";
    small::equal(&[supernet], &bench.path("run"), &bench.path("seed"));
}

#[test]
fn a_run_of_several_stages_needs_the_stage() {
    let base = small::BASE.replace("use = \"spos\"", "use = \"fsnas\"\nsplit = [0]");
    let bench = Bench::new();
    run(&bench, "stages", &format!("{base}[train]\nlr = 0.05\nsteps = 2\n{RANK}")).ok();
    let refused = |weights: &str, text: &str| {
        let found = run(&bench, "refused", &from(small::BASE, NO_TRAINING, weights));
        assert!(found.error(2).contains(text), "{}", found.stderr);
        assert!(
            found.stderr.contains("refused.toml:") && !bench.path("refused").exists(),
            "{}",
            found.stderr
        );
        found.stderr
    };
    let said = refused("{ run = \"stages\" }", "the run in `");
    assert!(said.contains("has 5 supernets") && said.contains("set `stage` to one of 0=0, 0=1, "), "{said}");
    refused("{ run = \"stages\", stage = \"0=7\" }", "has no stage `0=7`");
    refused("{ run = \"nowhere\" }", "is no run directory");
    refused("{ run = \"stages\", file = \"a.safetensors\" }", "`");
    refused("{ stage = \"0=0\" }", "`");
    run(&bench, "one", &from(small::BASE, NO_TRAINING, "{ run = \"stages\", stage = \"0=3\" }")).ok();
    // What the sub-supernet holds is scored as it was there.
    let scores = |run: &str| bench.path(&format!("{run}/scores.csv"));
    let (theirs, ours) = (scores("stages"), scores("one"));
    let all: Vec<String> = small::column(&theirs, "architecture");
    assert_eq!(all, small::column(&ours, "architecture"));
    let (stage, nll) = (
        small::column(&theirs, "stage"),
        [small::column(&theirs, "mean_nll"), small::column(&ours, "mean_nll")],
    );
    let same = |index: &usize| nll[0][*index] == nll[1][*index];
    let own: Vec<usize> = (0..all.len()).filter(|index| stage[*index] == "0=3").collect();
    assert!(own.len() >= 2 && own.iter().all(same), "{own:?}");
    assert!((0..all.len()).filter(|index| !own.contains(index)).any(|index| !same(&index)));
}

/// A space of few channels whose norms keep running statistics.
fn affine() -> String {
    let space = "use = \"mobilenet\"\nstem = 8\nfirst = 8\nwidths = [8, 16]\nlayers = [2, 1]\nstrides = [2, 2]\n\
        last = 16\nbatch_norm = \"affine\"";
    small::BASE.replace("use = \"nas-bench-201\"\nchannels = 4\ncells = 1", space)
}

#[test]
fn recalibration_takes_statistics_anew() {
    let bench = Bench::new();
    run(&bench, "run", &format!("{}[train]\nlr = 0.05\nsteps = 8\n[rank]\nsubnets = 10\n", affine())).ok();
    let rank = |name: &str, recalibrate: &str| {
        let set = format!("rank.recalibrate={recalibrate}");
        bench.nshot(&["rank", "run", "--quiet", "--name", name, "--set", &set]).ok();
        bench.path(&format!("run/rankings/{name}"))
    };
    let (none, two, again, more) =
        (rank("none", "0"), rank("two", "2"), rank("again", "2"), rank("more", "7"));
    small::equal(&["scores.csv"], &bench.path("run"), &none);
    small::equal(&["scores.csv"], &two, &again);
    let nll = |folder: &Path| small::column(&folder.join("scores.csv"), "mean_nll");
    assert_eq!(nll(&none).len(), 10);
    let differ = |a: &Path, b: &Path| nll(a).iter().zip(nll(b)).all(|(a, b)| *a != b);
    assert!(differ(&none, &two) && differ(&two, &more));
    // The supernet's own statistics are untouched: a ranking with them gives what it gave.
    small::equal(&["scores.csv"], &none, &rank("last", "0"));

    let bench = small::trained("[train]\nlr = 0.05\nsteps = 2\n");
    let refused = bench.nshot(&["rank", "run", "--quiet", "--set", "rank.recalibrate=2"]);
    assert!(
        refused.error(2).ends_with("the space `nas-bench-201` has no running statistics to recalibrate"),
        "{}",
        refused.stderr
    );
    let text =
        format!("{}[train]\nlr = 0.05\nsteps = 2\n[rank]\nsubnets = 2\nrecalibrate = 1\n", small::BASE);
    let refused = run(&bench, "manifest", &text);
    assert!(refused.error(2).starts_with("manifest.toml:24: "), "{}", refused.stderr);
    assert!(!bench.path("manifest").exists());
}
