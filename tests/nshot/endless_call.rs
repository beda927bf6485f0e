//! Calls that do not end, grow without end or panic: the last checkpoint stands, and another plugin goes on from it.

use serde_json::Value;

use crate::harness::{self, Bench};
use crate::small;

/// A run whose sampler has a fault from its step 3 on.
fn manifest(bench: &Bench, fault: &str) {
    let faulty = harness::test_plugin("faulty");
    let uses = format!("use = {{ path = {faulty:?}, component = \"faulty\" }}\nfault = \"{fault}\"");
    let base = small::BASE.replace("use = \"spos\"", &uses).replace("[run]\n", "[run]\ncall_limit = 2\n");
    assert!(base.contains("call_limit") && base.contains(fault), "{base}");
    bench.write("run.toml", &format!("{base}[train]\nlr = 0.01\nsteps = 8\ncheckpoint_every = 2\n"));
}

fn status(bench: &Bench, run: &str) -> Value {
    serde_json::from_slice(&std::fs::read(bench.path(run).join("status.json")).unwrap()).unwrap()
}

const SAMPLE: &str = "sampler `faulty` of plugin `nshot-tests/nshot-test-faulty 0.1.0`, in `sample`: ";

#[test]
fn a_call_without_end_ends_the_run_and_another_plugin_goes_on() {
    for fault in ["loop", "loop-in-the-space"] {
        let bench = Bench::new();
        manifest(&bench, fault);
        let run = bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]);
        let said = format!("the run in `run` failed: {SAMPLE}the call has not ended after 2 s, ");
        assert!(run.error(1).starts_with(&said), "{}", run.stderr);
        assert!(
            run.stderr.contains("hint: the last checkpoint stands")
                && run.stderr.contains("`nshot resume run --replace sampler=PATH`")
        );
        let status = status(&bench, "run");
        assert_eq!((&status["state"], &status["step"]), (&"failed".into(), &2.into()));
        assert!(status["reason"].as_str().unwrap().starts_with(SAMPLE), "{status}");
        let log = std::fs::read_to_string(bench.path("run/log.txt")).unwrap();
        assert!(log.contains("the call has not ended"), "{log}");
        if fault == "loop" {
            goes_on(&bench);
        }
    }
}

/// With another plugin, which the lock names from then on.
fn goes_on(bench: &Bench) {
    let resumed = bench.nshot(&["resume", "run", "--quiet", "--replace", "sampler=spos"]).ok();
    assert!(resumed.stderr.contains("[sampler] was `faulty` of plugin"), "{}", resumed.stderr);
    assert!(!resumed.stderr.contains("[space] was"), "{}", resumed.stderr);
    assert_eq!(small::steps(&bench.path("run")).len(), 8);
    let lock: Value = serde_json::from_slice(&std::fs::read(bench.path("run/lock.json")).unwrap()).unwrap();
    assert_eq!(lock["components"]["sampler"]["component"], "spos");
    let text = std::fs::read_to_string(bench.path("run/manifest.toml")).unwrap();
    assert!(text.contains("use = \"spos\"") && !text.contains("fault"), "{text}");
}

/// The same run with the fault mended gives what it would have given without it.
#[test]
fn after_a_panic_the_mended_plugin_goes_on() {
    let bench = Bench::new();
    manifest(&bench, "none");
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "whole"]).ok();
    manifest(&bench, "panic-sample");
    let run = bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]);
    assert!(run.error(1).contains(SAMPLE), "{}", run.stderr);
    let hint = "\n\nhint: this is a mistake in the plugin: report it to whoever wrote that; with the plugin mended, or \
                another one, the run goes on: `nshot resume run --replace sampler=PATH`";
    assert!(run.stderr.contains(hint), "{}", run.stderr);
    // As it is, it fails again.
    assert!(bench.nshot(&["resume", "run", "--quiet"]).error(1).contains(SAMPLE));
    let mended = bench.path("libmended.so");
    std::fs::copy(harness::test_plugin("faulty"), &mended).unwrap();
    // The same component in another file: a byte behind the library's end.
    let mut bytes = std::fs::read(&mended).unwrap();
    bytes.push(0);
    std::fs::write(&mended, bytes).unwrap();
    let replace = format!("sampler={{ path = {mended:?}, component = \"faulty\" }}");
    let arguments = ["resume", "run", "--quiet", "--replace", &replace, "--set", "sampler.fault=none"];
    bench.nshot(&arguments).ok();
    small::equal(
        &["metrics.jsonl", "supernets/supernet.safetensors"],
        &bench.path("whole"),
        &bench.path("run"),
    );
}

#[test]
fn a_call_that_grows_is_told_of() {
    let bench = Bench::new();
    manifest(&bench, "grow");
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run", "--set", "run.call_limit=60"]);
    let log = std::fs::read_to_string(bench.path("run/log.txt")).unwrap();
    assert!(log.contains(&format!("warn  {SAMPLE}the process has grown by ")), "{log}");
}

#[test]
fn what_cannot_be_replaced_is_said() {
    let bench = Bench::new();
    manifest(&bench, "panic-sample");
    bench.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).error(1);
    let before = std::fs::read(bench.path("run/lock.json")).unwrap();
    for (arguments, code, said) in [
        (&["--replace", "sampler=none"][..], 1, "`--replace sampler=none`: there is no sampler `none`"),
        (&["--replace", "sampler=cosine"], 1, "`cosine` is a learning-rate scheduler, expected a sampler"),
        (&["--replace", "sampler=./none.so"], 1, "there is no plugin file and no crate `"),
        (&["--replace", "state=momentum-separation"], 2, "the run has no `[state]`"),
        (&["--set", "train.lr=3"], 2, "`--set train.lr=3`: `[train]` is not replaced"),
        (&["--replace", "sampler=fairnas", "--set", "sampler.x=3"], 2, "`fairnas` has no setting `x`"),
        (&["--replace", "train=spos"], 2, "expected TABLE=USE, the table one of `space`, `sampler`"),
    ] {
        let run = bench.nshot(&[&["resume", "run", "--quiet"], arguments].concat());
        assert!(run.error(code).contains(said), "{arguments:?}: {}", run.stderr);
    }
    assert_eq!(std::fs::read(bench.path("run/lock.json")).unwrap(), before);
}

/// Another component has no state of the one before it, also where the run is killed before the next checkpoint; what
/// does not fit changes nothing.
#[test]
fn what_replaces_a_component_begins_as_it_starts() {
    let bench = Bench::new();
    manifest(&bench, "odd-state");
    let set = ["--set", "train.steps=600", "--set", "train.checkpoint_every=200"];
    let run = [&["run", "run.toml", "--quiet", "--directory", "run"], &set[..]].concat();
    small::kill_at(&bench, &run, &bench.path("run/metrics.jsonl"), 220);
    let read = |name: &str| std::fs::read_to_string(bench.path("run").join(name)).unwrap();
    let before = [read("manifest.toml"), read("lock.json")];

    let misfit = bench.nshot(&[
        "resume",
        "run",
        "--quiet",
        "--replace",
        "space=nas-bench-201",
        "--set",
        "space.channels=8",
    ]);
    assert!(misfit.error(1).contains("has the shape"), "{}", misfit.stderr);
    assert_eq!([read("manifest.toml"), read("lock.json")], before);
    let tiny = format!("space={}", harness::test_plugin("tiny").display());
    for (options, said) in [
        ("[5, 5, 5, 5, 5, 5, 5]", "in `choices`: there are 7, but the checkpoint is of a space with 6"),
        ("[5, 5, 5, 5, 5, 2]", "has 2 options, but the checkpoint's plan allows option 2, counted from 0"),
    ] {
        let set = format!("space.options={options}");
        let other = bench.nshot(&["resume", "run", "--quiet", "--replace", &tiny, "--set", &set]);
        assert!(other.error(1).contains(said), "{}", other.stderr);
    }
    assert_eq!([read("manifest.toml"), read("lock.json")], before);

    let replaced = ["resume", "run", "--quiet", "--replace", "sampler=spos", "--replace", "optimizer=adamw"];
    small::kill_when(&bench, &replaced, || read("manifest.toml").contains("\"adamw\""));
    assert!(!bench.path("run/checkpoints/0000-0000000400").exists());
    bench.nshot(&["resume", "run", "--quiet"]).ok();
    assert_eq!(small::steps(&bench.path("run")).len(), 600);
}
