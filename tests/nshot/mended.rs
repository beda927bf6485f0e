//! Defects that were there once.

use crate::harness::{self, Bench};
use crate::small;

/// Two sub-supernets, and a ranking that a run which ends early could never do.
#[test]
fn stop_after_with_several_stages_and_a_ranking_is_refused() {
    let bench = Bench::new();
    let base = small::BASE.replace("use = \"spos\"", "use = \"fsnas\"\nsplit = [0]");
    let text = format!("{base}[train]\nlr = 0.05\nsteps = 4\nstop_after = 6\n");
    bench.write("rank.toml", &format!("{text}[rank]\nsubnets = 3\n"));
    let run = bench.nshot(&["run", "rank.toml", "--quiet", "--directory", "rank"]);
    assert!(
        run.error(2).contains("`stop_after` leaves stages untrained whose supernets `[rank]` needs"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("rank.toml:23: ") && run.stderr.contains("23 | stop_after = 6"),
        "{}",
        run.stderr
    );
    assert!(!bench.path("rank").exists());
    bench.write("alone.toml", &text);
    bench.nshot(&["run", "alone.toml", "--quiet", "--directory", "alone"]).ok();
    assert_eq!(small::steps(&bench.path("alone")).len(), 6);
}

#[test]
fn the_resolved_manifest_names_the_device() {
    let bench = Bench::new();
    let base = small::BASE.replace("device = \"cpu\"\n", "device = \"auto\"\n");
    bench.write("run.toml", &format!("{base}[train]\nlr = 0.05\nsteps = 1\n"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run", "--set", "run.device=cpu"]).ok();
    let text = std::fs::read_to_string(bench.path("run/manifest.toml")).unwrap();
    assert!(text.contains("\ndevice = \"cpu\"\n"), "{text}");
    // `auto` is settled when a run begins, and stays so when it is resumed on another machine.
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "auto"]).ok();
    let text = std::fs::read_to_string(bench.path("auto/manifest.toml")).unwrap();
    assert!(text.contains("\ndevice = \"cpu\"\n") || text.contains("\ndevice = \"cuda"), "{text}");
}

/// `low` goes on where `warm` ended: with the batch order of its own epochs, not those that `warm` saw.
#[test]
fn a_stage_that_continues_sees_other_batches_than_its_parent() {
    let staged = harness::test_plugin("staged");
    let bench = Bench::new();
    // At this rate nothing is learnt: equal batches and paths would have equal losses.
    let base = small::BASE.replace("use = \"spos\"", &format!("use = {{ path = {staged:?} }}\nepochs = 2"));
    bench.write("run.toml", &format!("{base}[train]\nlr = 1e-30\nepochs = 9\n"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    let steps = small::steps(&bench.path("run"));
    let of = |stage: &str| steps.iter().filter(|step| step["stage"] == stage).collect::<Vec<_>>();
    let (warm, low) = (of("warm"), of("low"));
    assert_eq!((warm.len(), low.len()), (16, 16));
    // Each stage draws its own subnets; the epochs of the schedule go on.
    let epochs = |steps: &[&serde_json::Value]| {
        steps.iter().map(|step| step["epoch"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(epochs(&warm), [[0; 8], [1; 8]].concat());
    println!("epochs of `low`: {:?}", epochs(&low));
    batches_differ(&staged);
}

/// With one subnet alone, the losses of a step tell which batch it had.
fn batches_differ(staged: &std::path::Path) {
    let bench = Bench::new();
    let tiny = harness::test_plugin("tiny");
    let base = small::BASE
        .replace(
            "use = \"nas-bench-201\"\nchannels = 4\ncells = 1",
            &format!("use = {{ path = {tiny:?} }}\noptions = [5, 1]"),
        )
        .replace("use = \"spos\"", &format!("use = {{ path = {staged:?} }}\nepochs = 2"));
    bench.write("run.toml", &format!("{base}[train]\nlr = 1e-30\nepochs = 9\n"));
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    let steps = small::steps(&bench.path("run"));
    // Of the same path, its losses in a stage's order.
    let losses = |stage: &str| -> Vec<(u64, String, f64)> {
        let of = steps.iter().filter(|step| step["stage"] == stage);
        of.map(|step| {
            (step["step"].as_u64().unwrap(), step["paths"][0].to_string(), step["loss"][0].as_f64().unwrap())
        })
        .collect()
    };
    let (warm, low) = (losses("warm"), losses("low"));
    let same: Vec<_> = warm.iter().zip(&low).filter(|(a, b)| a.1 == b.1).collect();
    assert!(!same.is_empty(), "no step has the same path in both stages: {warm:?} {low:?}");
    let equal = same.iter().filter(|(a, b)| a.2 == b.2).count();
    assert_eq!(equal, 0, "batches come again: {same:?}");
}

#[test]
fn a_signal_during_a_ranking_in_training_stops_soon() {
    let text = format!("{}[train]\nlr = 0.05\nepochs = 2\n[rank]\nsubnets = 400\nevery = 1\n", small::BASE);
    let bench = Bench::new();
    bench.write("run.toml", &text);
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "whole"]).ok();
    // Eight steps take a tenth of a second, the ranking that follows more than one.
    let status = bench.path("stopped/status.json");
    let arguments = ["run", "run.toml", "--quiet", "--directory", "stopped"];
    let run = small::signal_when(&bench, &arguments, "INT", || {
        let begun = status.exists();
        if begun {
            std::thread::sleep(std::time::Duration::from_millis(400));
        }
        begun
    });
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(run.stderr.contains("stopped by SIGINT with a checkpoint at step "), "{}", run.stderr);
    assert!(!bench.path("stopped/scores/supernet-epoch-00001.csv").exists(), "it ranked to the end");
    bench.nshot(&["resume", "stopped", "--quiet"]).ok();
    let files = [
        "metrics.jsonl",
        "scores.csv",
        "scores/supernet-epoch-00001.csv",
        "scores/supernet-epoch-00002.csv",
        "supernets/supernet.safetensors",
    ];
    small::equal(&files, &bench.path("whole"), &bench.path("stopped"));
}

/// A space that refuses most of its architectures, and a sampler that selects them all the same.
#[test]
fn a_path_that_the_space_refuses_is_refused() {
    let (tiny, replay) = (harness::test_plugin("tiny"), harness::test_plugin("replay"));
    let bench = Bench::new();
    let run = |name: &str, steps: &str| {
        let base = small::BASE
            .replace(
                "use = \"nas-bench-201\"\nchannels = 4\ncells = 1",
                &format!("use = {{ path = {tiny:?} }}\noptions = [3, 3]\nordered = true"),
            )
            .replace("use = \"spos\"", &format!("use = {{ path = {replay:?} }}\nsteps = {steps}"));
        bench.write(&format!("{name}.toml"), &format!("{base}[train]\nlr = 0.01\nsteps = 4\n"));
        bench.nshot(&["run", &format!("{name}.toml"), "--quiet", "--directory", name])
    };
    run("good", "[[[0, 0]], [[0, 2]], [[1, 1]]]").ok();
    let refused = run("bad", "[[[0, 0]], [[0, 2]], [[2, 1]]]");
    let error = refused.error(1);
    assert!(
        error.contains("sampler `replay`")
            && error.contains("in `sample`")
            && error.contains("the architecture [2, 1], which is not valid in this space"),
        "{error}"
    );
}

/// The last step's loss comes from the checkpoint where a later process trains no more.
#[test]
fn a_run_killed_in_its_ranking_still_tells_its_last_loss() {
    let bench = Bench::new();
    bench
        .write("run.toml", &format!("{}[train]\nlr = 0.05\nsteps = 4\n[rank]\nsubnets = 400\n", small::BASE));
    let loss = |run: &str| small::json(&bench.path(run).join("report.json"))["final_loss"].clone();
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "whole"]).ok();
    let killed = ["run", "run.toml", "--quiet", "--directory", "killed"];
    small::kill_at(&bench, &killed, &bench.path("killed/scores.partial.csv"), 2);
    bench.nshot(&["resume", "killed", "--quiet"]).ok();
    assert!(loss("whole").is_f64());
    assert_eq!(loss("killed"), loss("whole"));
}

/// What is named for output may be a link or a pipe: neither is replaced.
#[test]
fn output_goes_through_links_and_into_pipes() {
    let bench = small::trained("[train]\nlr = 0.05\nsteps = 1\n");
    let folder = bench.folder();
    for name in ["svg", "safetensors", "pt"] {
        std::fs::write(folder.join(format!("real.{name}")), "old").unwrap();
        std::os::unix::fs::symlink(format!("real.{name}"), folder.join(format!("link.{name}"))).unwrap();
        let pipe = folder.join(format!("pipe.{name}"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    }
    let write = |to: &str, format: &str| {
        let file = format!("{to}.{format}");
        let one = small::architecture(3000);
        match format {
            "svg" => bench.nshot(&["space", "show", "nas-bench-201", "--svg", &file]).ok(),
            "pt" => bench
                .nshot(&[
                    "export",
                    "run",
                    "--arch",
                    &one,
                    "--format",
                    "torchscript",
                    "--output",
                    &file,
                    "--force",
                ])
                .ok(),
            _ => bench
                .nshot(&["export", "run", "--arch", &one, "--format", format, "--output", &file, "--force"])
                .ok(),
        };
    };
    for format in ["svg", "safetensors", "pt"] {
        write("link", format);
        let path = |of: &str| folder.join(format!("{of}.{format}"));
        assert!(path("link").is_symlink());
        assert!(std::fs::read(path("real")).unwrap().len() > 100, "{format}");
        let pipe = path("pipe");
        let reader = std::thread::spawn(move || std::fs::read(pipe).unwrap());
        write("pipe", format);
        assert!(reader.join().unwrap().len() > 100, "{format}");
        assert!(!path("pipe").is_file());
    }
}

/// Results whose settings are not known are never taken for those of others.
#[test]
fn results_without_their_settings_are_refused() {
    let bench = small::trained("[train]\nlr = 0.05\nsteps = 1\n");
    let rank = ["rank", "run", "--quiet", "--name", "a", "--set", "rank.subnets=3"];
    bench.nshot(&rank).ok();
    std::fs::remove_file(bench.path("run/rankings/a/manifest.toml")).unwrap();
    let refused = bench.nshot(&[&rank[..], &["--set", "rank.images=32"]].concat());
    assert!(refused.error(1).contains("has results, but no `manifest.toml`"), "{}", refused.stderr);

    let search = ["search", "run", "--quiet", "--set", "search.use=random", "--set", "search.count=5"];
    bench.nshot(&search).ok();
    let result = std::fs::read(bench.path("run/search/random/result.json")).unwrap();
    let candidates = bench.path("run/search/random/candidates.csv");
    let text = std::fs::read_to_string(&candidates).unwrap();
    let cut: Vec<&str> = text.split_inclusive('\n').take(3).collect();
    std::fs::write(&candidates, cut.concat()).unwrap();
    let refused = bench.nshot(&search);
    assert!(refused.error(1).contains("has 2 whole lines, expected at least 5"), "{}", refused.stderr);
    assert_eq!(std::fs::read(bench.path("run/search/random/result.json")).unwrap(), result);
    std::fs::remove_file(bench.path("run/search/random/state.json")).unwrap();
    bench.nshot(&search).ok();
    assert_eq!(std::fs::read(bench.path("run/search/random/result.json")).unwrap(), result);
}
