//! `nshot plugin check`: good plugins pass, and what is wrong with others is said in a line.

use serde_json::Value;

use crate::harness::{self, Bench, Run};
use crate::small;

const KINDS: [&str; 6] = ["search-space", "sampler", "lr-scheduler", "optimizer", "state-groups", "searcher"];

fn check(bench: &Bench, arguments: &[&str]) -> Run {
    bench.nshot(&[&["plugin", "check"], arguments].concat())
}

/// The checks of a plugin as JSON.
fn checks(run: &Run) -> Vec<Value> {
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
    report["checks"].as_array().unwrap().clone()
}

fn failed(run: &Run) -> Vec<(String, String)> {
    let failed = checks(run).into_iter().filter(|check| check["verdict"] == "failed");
    failed
        .map(|c| (c["check"].as_str().unwrap().to_owned(), c["detail"].as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn the_built_in_plugins_pass() {
    let bench = Bench::new();
    let mut kinds = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(harness::release()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("libnshot_plugin_") || path.extension() != Some("so".as_ref()) {
            continue;
        }
        let mut arguments = vec![path.to_str().unwrap(), "--json"];
        if name.contains("momentum_separation") {
            arguments.extend(["--set", "random-groups.groups=4"]);
        }
        let run = check(&bench, &arguments).ok();
        for check in checks(&run) {
            assert_eq!(check["verdict"], "passed", "{name}: {check}");
            kinds.insert(check["kind"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
}

#[test]
fn new_plugins_and_the_examples_pass() {
    let bench = Bench::new();
    let target = bench.path("target");
    let pass = |folder: &str| {
        let mut command = bench.command(&["plugin", "check", folder]);
        let home = std::env::var_os("HOME").unwrap_or_default();
        let cargo =
            std::env::var_os("CARGO_HOME").unwrap_or_else(|| format!("{}/.cargo", home.display()).into());
        let rustup =
            std::env::var_os("RUSTUP_HOME").unwrap_or_else(|| format!("{}/.rustup", home.display()).into());
        command.env("CARGO_HOME", cargo).env("RUSTUP_HOME", rustup).env("CARGO_TARGET_DIR", &target);
        let run = Run::of(command.output().unwrap(), &["plugin", "check", folder]).ok();
        assert!(run.stdout.contains(" 0 failed, 0 not run"), "{}", run.stdout);
    };
    for kind in KINDS {
        let name = format!("my-{kind}");
        let made = bench.nshot(&["plugin", "new", kind, &name]).ok();
        assert!(made.stderr.contains("nshot plugin check ."), "{}", made.stderr);
        pass(&name);
    }
    for example in ["adaptive", "mixpath", "sandwich"] {
        pass(harness::project().join("examples/plugins").join(example).to_str().unwrap());
    }
}

#[test]
fn what_is_wrong_is_named() {
    let faulty = harness::test_plugin("faulty");
    let faulty = faulty.to_str().unwrap();
    let bench = Bench::new();
    check(&bench, &[faulty]).ok();
    // The fault, the check that sees it, what was called, and what is said.
    for (fault, seen, call, said) in [
        (
            "panic-sample",
            "sample",
            "sampler `faulty` of plugin `nshot-tests/nshot-test-faulty 0.1.0`, in `sample`",
            "on purpose",
        ),
        (
            "clock",
            "one seed, one result",
            "in `sample`",
            "two components of the same settings and seed differ: step ",
        ),
        ("forgetful", "saved and restored", "in `sample`", "step 503 gave the paths [[["),
        ("leak", "memory", "in `sample`", "bytes a call, expected no growth"),
        ("negative", "factor", "scheduler `faulty`", "is -0.5, expected a finite number of at least 0"),
        (
            "address",
            "one seed, one result",
            "in `factor`",
            "two components of the same settings and seed differ",
        ),
        ("panic-step", "step", "optimizer `faulty`", "on purpose"),
        ("panic-load", "saved and restored", "in `load`", "on purpose"),
        (
            "undeclared-sign",
            "gradient scale",
            "in `step`",
            "lead to the same update, but `GRADIENT_SCALE_INVARIANT` is false",
        ),
        ("twice", "separate_by", "state groups `faulty`", "the choice 0 is named twice"),
        (
            "canonical-of-canonical",
            "canonical",
            "in `canonical`",
            "expected the same again: it is to be idempotent",
        ),
        ("extremes-too-near", "extremes", "in `extremes`", ", more than it"),
        ("moody", "describe is pure", "in `describe`", "has another graph, expected the same"),
        ("unknown-aten-operation", "values", "in `describe`", "libtorch has no operator of this name"),
        ("wrong-shape", "calls", "in `describe`", "expects 4 input channels"),
    ] {
        let run = check(&bench, &[faulty, "--json", "--set", &format!("faulty.fault=\"{fault}\"")]);
        assert_eq!(run.code, Some(1), "{fault}: {}", run.stderr);
        let failed = failed(&run);
        let found = failed.iter().find(|(check, detail)| check == seen && detail.contains(said));
        assert!(found.is_some_and(|(_, detail)| detail.contains(call)), "{fault}: {failed:#?}");
        assert!(failed.iter().all(|(_, detail)| !detail.contains('\n')), "{fault}: {failed:#?}");
    }
}

#[test]
fn what_could_not_be_checked_is_said() {
    let (replay, tiny) = (harness::test_plugin("replay"), harness::test_plugin("tiny"));
    let bench = Bench::new();
    let run = check(&bench, &[replay.to_str().unwrap()]);
    assert_eq!(run.code, Some(1));
    let expected = "not run: calls: sampler `replay` of plugin `nshot-tests/nshot-test-replay 0.1.0`, in `new`: missing field";
    assert!(run.stdout.contains(expected) && run.stdout.contains("--set replay.KEY=VALUE"), "{}", run.stdout);
    // With the settings that it needs, `tiny` is a space; but one that takes images of one channel alone.
    let run = check(&bench, &[tiny.to_str().unwrap(), "--set", "tiny.options=[3, 2]"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stdout.contains("failed: calls: ") && run.stdout.contains("by `--with MANIFEST`"),
        "{}",
        run.stdout
    );
    // A run that has both.
    let base = crate::small::BASE.replace(
        "use = \"nas-bench-201\"\nchannels = 4\ncells = 1",
        &format!("use = {{ path = {tiny:?} }}\noptions = [3, 2]"),
    );
    bench.write("run.toml", &format!("{base}[train]\nlr = 0.01\nepochs = 1\n"));
    check(&bench, &[tiny.to_str().unwrap(), "--with", "run.toml"]).ok();
    for (arguments, code, said) in [
        (&["tiny.so"][..], 1, "there is no plugin file and no crate `tiny.so`"),
        (&[tiny.to_str().unwrap(), "--set", "small.options=[1]"], 2, "the plugin has no component `small`"),
        (&[tiny.to_str().unwrap(), "--with", "none.toml"], 2, "there is no manifest `none.toml`"),
    ] {
        let run = check(&bench, arguments);
        assert!(run.error(code).contains(said), "{}", run.stderr);
    }
}

/// The watchdog ends the process while the short training has its folder.
#[test]
fn a_check_that_does_not_end_leaves_nothing_behind() {
    let bench = Bench::new();
    let faulty = harness::test_plugin("faulty");
    let uses = format!("use = {{ path = {faulty:?}, component = \"faulty\" }}\nfault = \"loop\"");
    let base = small::BASE.replace("use = \"spos\"", &uses).replace("[run]\n", "[run]\ncall_limit = 2\n");
    bench.write("run.toml", &format!("{base}[train]\nlr = 0.01\n"));
    let temporary = bench.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let library = harness::release().join("libnshot_plugin_calr.so");
    let arguments = ["plugin", "check", library.to_str().unwrap(), "--with", "run.toml"];
    let run = bench.command(&arguments).env("TMPDIR", &temporary).output().unwrap();
    let run = Run::of(run, &arguments);
    assert!(run.error(1).contains("in `sample`: the call has not ended after 2 s"), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}
