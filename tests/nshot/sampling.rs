//! What is sampled, over ten thousand steps of a space that costs hardly anything: every option as often as the method
//! says. And few-shot NAS: each architecture belongs to one sub-supernet, also after a kill.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::harness::{self, Bench};
use crate::small;

const STEPS: u64 = 10_000;
/// Chi-square of four degrees of freedom is above it with a probability of 0.001.
const CRITICAL: f64 = 18.467;

/// The paths of each step of a run with choices of so many options, with the step's stage.
fn sample(options: &str, steps: u64, tables: &str) -> Vec<(String, Vec<Vec<usize>>)> {
    let plugin = harness::test_plugin("tiny");
    let bench = Bench::new();
    bench.write(
        "tiny.toml",
        &format!(
            "[run]\nthreads = 1\ndevice = \"cpu\"\n\
             [data]\nname = \"digits\"\nresize = 1\nbatch_size = 2\nsplit = {{ train = 1000, rank = 2 }}\n\
             [space]\nuse = {{ path = {plugin:?} }}\noptions = {options}\n\
             [scheduler]\nuse = \"constant\"\n[optimizer]\nuse = \"sgd\"\n\
             [train]\nlr = 1e-4\nsteps = {steps}\ncheckpoint_every = {STEPS}\nlog_every = 1\n{tables}"
        ),
    );
    bench.nshot(&["run", "tiny.toml", "--quiet", "--directory", "run"]).ok();
    let digits = |path: &serde_json::Value| {
        path.as_str().unwrap().split('-').map(|digit| digit.parse().unwrap()).collect::<Vec<usize>>()
    };
    let lines = small::steps(&bench.path("run")).into_iter();
    lines
        .map(|line| {
            let paths = line["paths"].as_array().unwrap().iter().map(digits).collect();
            (line["stage"].as_str().unwrap().to_owned(), paths)
        })
        .collect()
}

/// How often each option of a choice was taken.
fn counts<'a>(paths: impl Iterator<Item = &'a Vec<usize>>, choice: usize) -> [u64; 5] {
    let mut counts = [0; 5];
    paths.for_each(|path| counts[path[choice]] += 1);
    counts
}

/// Asserts that options are taken as if drawn uniformly.
#[track_caller]
fn assert_uniform(counts: [u64; 5], what: &str) {
    let expected = counts.iter().sum::<u64>() as f64 / 5.0;
    let chi: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
    assert!(expected > 100.0 && chi < CRITICAL, "{what}: {counts:?}, chi-square {chi}");
    // Drawn, not dealt: exactly equal counts would be as odd.
    assert!(chi > 0.01, "{what}: {counts:?}");
}

#[test]
fn spos_draws_every_option_equally_often() {
    let steps = sample("[5, 5, 5]", STEPS, "[sampler]\nuse = \"spos\"\n");
    assert_eq!(steps.len() as u64, STEPS);
    assert!(steps.iter().all(|(_, paths)| paths.len() == 1));
    let paths = || steps.iter().flat_map(|(_, paths)| paths);
    (0..3).for_each(|choice| assert_uniform(counts(paths(), choice), &format!("choice {choice}")));
    // Choices are drawn independently: so are the 25 pairs of options, 24 degrees of freedom, and a step and its next.
    let pairs = |pair: &dyn Fn(usize) -> (usize, usize)| {
        let mut counts = [0_u64; 25];
        (0..steps.len() - 1).for_each(|step| {
            let (a, b) = pair(step);
            counts[a * 5 + b] += 1;
        });
        let expected = (steps.len() - 1) as f64 / 25.0;
        counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum::<f64>()
    };
    let beside = pairs(&|step| (steps[step].1[0][0], steps[step].1[0][1]));
    let after = pairs(&|step| (steps[step].1[0][2], steps[step + 1].1[0][2]));
    assert!(beside < 51.18 && after < 51.18, "chi-square of pairs {beside}, of successive steps {after}");
}

#[test]
fn fairnas_takes_every_option_once_a_step() {
    let steps = sample("[5, 5, 5]", STEPS, "[sampler]\nuse = \"fairnas\"\n");
    assert_eq!(steps.len() as u64, STEPS);
    for (index, (_, paths)) in steps.iter().enumerate() {
        assert_eq!(paths.len(), 5);
        for choice in 0..3 {
            assert_eq!(counts(paths.iter(), choice), [1; 5], "step {index}, choice {choice}");
        }
    }
    // Which option comes first, and beside which, is drawn.
    let first = || steps.iter().map(|(_, paths)| &paths[0]);
    (0..3)
        .for_each(|choice| assert_uniform(counts(first(), choice), &format!("first path, choice {choice}")));
    let beside = || steps.iter().map(|(_, paths)| paths.iter().find(|path| path[0] == 3).unwrap());
    assert_uniform(counts(beside(), 1), "beside option 3");
}

#[test]
fn fairnas_deals_unequal_choices_equally_over_time() {
    let steps = sample("[5, 3]", 600, "[sampler]\nuse = \"fairnas\"\n");
    let paths = || steps.iter().flat_map(|(_, paths)| paths);
    assert_eq!(counts(paths(), 0), [600; 5]);
    assert_eq!(counts(paths(), 1), [1000, 1000, 1000, 0, 0]);
}

#[test]
fn fairnas_with_momentum_separation_shares_the_separated_choice() {
    let state = "[sampler]\nuse = \"fairnas\"\n[state]\nuse = \"momentum-separation\"\nchoices = [1]\n";
    let steps = sample("[5, 5, 5]", STEPS, state);
    let mut separated = Vec::new();
    for (index, (_, paths)) in steps.iter().enumerate() {
        assert_eq!(paths.len(), 5);
        for choice in [0, 2] {
            assert_eq!(counts(paths.iter(), choice), [1; 5], "step {index}, choice {choice}");
        }
        assert!(paths.iter().all(|path| path[1] == paths[0][1]), "step {index}: {paths:?}");
        separated.push(paths[0].clone());
    }
    assert_uniform(counts(separated.iter(), 1), "the separated choice");
}

#[test]
fn fsnas_draws_uniformly_within_each_stage() {
    let steps = sample("[5, 5, 5]", STEPS / 5, "[sampler]\nuse = \"fsnas\"\nsplit = [\"c1\"]\n");
    assert_eq!(steps.len() as u64, STEPS);
    let stages: BTreeSet<&str> = steps.iter().map(|(stage, _)| &stage[..]).collect();
    assert_eq!(stages.len(), 5, "{stages:?}");
    let mut options = BTreeSet::new();
    for stage in stages {
        let paths = || steps.iter().filter(|(of, _)| of == stage).flat_map(|(_, paths)| paths);
        let own = paths().next().unwrap()[1];
        assert!(paths().all(|path| path[1] == own), "{stage}");
        options.insert(own);
        for choice in [0, 2] {
            assert_uniform(counts(paths(), choice), &format!("stage {stage}, choice {choice}"));
        }
    }
    assert_eq!(options.len(), 5);
}

const RESULTS: [&str; 7] = [
    "metrics.jsonl",
    "scores.csv",
    "supernets/0=0.safetensors",
    "supernets/0=1.safetensors",
    "supernets/0=2.safetensors",
    "supernets/0=3.safetensors",
    "supernets/0=4.safetensors",
];

#[test]
fn five_sub_supernets_are_killed_resumed_and_ranked_as_one() {
    let mut list = String::new();
    for number in (0..15_625).step_by(401) {
        writeln!(list, "{}", small::architecture(number)).unwrap();
    }
    let bench = Bench::new();
    bench.write("list.txt", &list);
    let base = small::BASE.replace("use = \"spos\"", "use = \"fsnas\"\nsplit = [0]");
    let more = "[train]\nlr = 0.05\nepochs = 2\ncheckpoint_every = 3\n[rank]\narchitectures = \"list.txt\"\n";
    bench.write("run.toml", &format!("{base}{more}"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "whole"]).ok();
    let whole = bench.path("whole");

    // 16 steps each. The third is killed in its middle, and once more.
    let at = |step: &'static str| {
        let folder = bench.path("killed/checkpoints");
        move || folder.join(step).is_dir()
    };
    small::kill_when(&bench, &["run", "run.toml", "--quiet", "--directory", "killed"], at("0002-0000000006"));
    assert!(!bench.path("killed/supernets/0=2.safetensors").exists());
    assert!(bench.path("killed/supernets/0=1.safetensors").is_file());
    small::kill_when(&bench, &["resume", "killed", "--quiet"], at("0002-0000000009"));
    bench.nshot(&["resume", "killed", "--quiet"]).ok();
    small::equal(&RESULTS, &whole, &bench.path("killed"));

    routed(&whole.join("scores.csv"));
    let trained: Vec<Vec<u8>> =
        RESULTS[2..].iter().map(|name| std::fs::read(whole.join(name)).unwrap()).collect();
    assert!(trained.windows(2).all(|pair| pair[0] != pair[1]), "two sub-supernets are equal");
}

/// Each architecture is scored by the sub-supernet of its first choice's option, in one list.
fn routed(scores: &Path) {
    let (names, stages) = (small::column(scores, "architecture"), small::column(scores, "stage"));
    assert_eq!(names.len(), 39);
    for (index, (name, stage)) in names.iter().zip(&stages).enumerate() {
        let number = index * 401;
        assert_eq!(*name, small::architecture(number));
        assert_eq!(*stage, format!("0={}", number / 3125), "{name}");
    }
    assert_eq!(stages.iter().collect::<BTreeSet<_>>().len(), 5);
}
