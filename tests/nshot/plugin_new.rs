//! `nshot plugin new`: what it makes builds, passes its own tests without warnings, and runs.

use std::process::Command;

use crate::harness::{self, Bench, Run};

const KINDS: [&str; 6] = ["search-space", "sampler", "lr-scheduler", "optimizer", "state-groups", "searcher"];

#[test]
fn new_plugins_build_pass_their_tests_and_run() {
    let bench = Bench::new();
    // One for all of them: their dependencies are built once.
    let target = bench.path("target");
    for kind in KINDS {
        let name = format!("my-{kind}");
        bench.nshot(&["plugin", "new", kind, &name]).ok();
        let folder = bench.path(&name);
        let cargo = Command::new("cargo")
            .args(["test", "--release"])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", &target)
            .output()
            .unwrap();
        let test = Run::of(cargo, &["cargo test"]).ok();
        assert!(!test.stderr.contains("warning"), "{kind}: {}", test.stderr);
        assert!(test.stdout.contains("... ok"), "{kind} has no tests: {}", test.stdout);
        let arguments = ["run", "run.toml", "--quiet"];
        // Cargo of the user's, as at home: its folder is not the bench's.
        let mut run = bench.command(&arguments);
        run.current_dir(&folder)
            .env("CARGO_TARGET_DIR", &target)
            .env("HOME", std::env::var_os("HOME").unwrap());
        run.env("XDG_DATA_HOME", bench.path("data"));
        Run::of(run.output().unwrap(), &arguments).ok();
        assert!(folder.join(format!("runs/try-{name}/scores.csv")).is_file());
    }
}

#[test]
fn what_cannot_be_made_is_refused() {
    let bench = Bench::new();
    let refuse = |arguments: &[&str], code: i32, text: &str| {
        let run = bench.nshot(&[&["plugin", "new"], arguments].concat());
        assert!(run.error(code).contains(text), "{arguments:?}: {}", run.stderr);
    };
    refuse(&["sampler", "Bad_name"], 2, "`Bad_name` cannot be a plugin's name");
    refuse(&["sampler", "test"], 2, "`test` cannot be a plugin's name");
    refuse(&["samplr", "x"], 2, "invalid value 'samplr'");
    refuse(&["sampler", "x", "--sdk", "nowhere"], 1, "cannot find the SDK `nowhere`");
    refuse(
        &["sampler", "x", "--sdk", harness::project().to_str().unwrap()],
        2,
        "is not the folder of the crate",
    );
    assert_eq!(std::fs::read_dir(bench.folder()).unwrap().count(), 0, "nothing is left");
    bench.nshot(&["plugin", "new", "sampler", "x", "--path", "deep/er"]).ok();
    refuse(&["sampler", "x", "--path", "deep/er"], 1, "`deep/er/x` is there already");
}
