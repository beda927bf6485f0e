//! Plugins that go wrong in each of their calls: one error that names plugin, component and call; the host does not
//! panic, and the last checkpoint stands.
//!
//! A case is one of the tables with a fault of the test plugin `faulty`, or several: `sampler=split state=none`.

use std::path::Path;

use crate::harness::{self, Bench, Run};
use crate::refusals::{self, Page};

/// These are found before a run directory is made.
const BEFORE: &[&str] = &[
    "space=panic-new",
    "space=panic-with-a-number-new",
    "space=panic-with-a-bomb-new",
    "space=panic-at-length-new",
    "space=error-new",
    "space=error-at-length-new",
    "space=empty-error-new",
    "space=panic-choices",
    "space=choice-without-options",
    "space=choice-twice",
    "space=option-twice",
    "space=endless-choice-name",
    "space=choice-with-control-characters",
    "space=endless-options",
    "space=panic-declare",
    "space=error-declare",
    "space=parameter-twice",
    "space=parameter-of-all-memory",
    "space=parameter-of-more-than-all",
    "space=parameter-of-many-dimensions",
    "space=endless-parameter-name",
    "space=parameter-with-control-characters",
    "space=endless-parameters",
    "space=nan-initialisation",
    "space=no-choices",
    "space=panic-extremes",
    "space=extremes-out-of-range",
    "space=endless-extremes",
    "space=panic-describe",
    "space=error-describe",
    "space=wrong-shape",
    "space=unknown-operation",
    "space=unknown-attribute",
    "space=wrong-attribute",
    "space=foreign-value",
    "space=no-logits",
    "space=no-output",
    "space=logits-of-a-wrong-shape",
    "space=undeclared-parameter",
    "space=unknown-input",
    "space=endless-operation-name",
    "space=operation-with-control-characters",
    "space=endless-nodes",
    "space=endless-scopes",
    "space=panic-from_text list",
    "space=from-text-out-of-range list",
    "sampler=panic-new",
    "sampler=error-new",
    "sampler=panic-plan",
    "sampler=stage-named-as-a-path",
    "sampler=stage-with-an-endless-name",
    "sampler=stage-twice",
    "sampler=endless-stages",
    "sampler=stage-without-options",
    "sampler=stage-with-a-foreign-option",
    "sampler=stage-of-an-unknown-parent",
    "sampler=stage-without-end",
    "sampler=stage-with-an-unknown-attribute",
    "sampler=split state=none",
    "state=panic-new",
    "state=panic-separate_by",
    "state=error-separate_by",
    "state=out-of-range",
    "state=twice",
    "state=endless",
    "scheduler=panic-new",
    "scheduler=error-new",
    "scheduler=panic-start",
    "optimizer=panic-new",
    "optimizer=error-new",
];

/// These go wrong in the run, most at step 3: the checkpoint of step 2 stands.
const DURING: &[&str] = &[
    "space=unknown-aten-operation",
    "space=value-of-all-memory",
    "space=panic-to_text",
    "space=endless-text",
    "space=empty-text",
    "space=text-of-two-lines",
    "sampler=panic-start",
    "sampler=panic-wants",
    "sampler=panic-sample",
    "sampler=panic-with-a-number-sample",
    "sampler=panic-with-a-bomb-sample",
    "sampler=error-sample",
    "sampler=error-at-length-sample",
    "sampler=out-of-range",
    "sampler=too-few-options",
    "sampler=too-many-options",
    "sampler=outside-of-the-stage",
    "sampler=no-path",
    "sampler=endless-paths",
    "sampler=half-a-path",
    "sampler=option-twice",
    "sampler=foreign-path",
    "sampler=foreign-choice",
    "sampler=unknown-loss",
    "sampler=loss-of-an-unknown-output",
    "sampler=loss-weighted-with-nan",
    "sampler=loss-with-an-unknown-attribute",
    "sampler=weighted-by-no-parameter",
    "sampler=different-options state=none",
    "sampler=endless-figure-name",
    "sampler=nan-figure",
    "sampler=panic-observe",
    "sampler=foreign-entry-observe",
    "sampler=panic-save",
    "state=panic-start",
    "state=panic-group",
    "state=error-group",
    "state=foreign-path",
    "state=panic-save",
    "scheduler=panic-factor",
    "scheduler=nan",
    "scheduler=infinite",
    "scheduler=negative",
    "scheduler=huge",
    "scheduler=foreign-choice",
    "scheduler=panic-save",
    "optimizer=panic-start",
    "optimizer=panic-step",
    "optimizer=error-step",
    "optimizer=stale-handle",
    "optimizer=no-list",
    "optimizer=unequal-lists",
    "optimizer=wrong-shapes",
    "optimizer=subset-out-of-range",
    "optimizer=unknown-operation",
    "optimizer=unknown-attribute",
    "optimizer=writes-to-gradients",
    "optimizer=nan-attribute",
    "optimizer=nan-weights",
    "optimizer=endless-lists",
    "optimizer=endless-slot-name",
    "optimizer=foreign-parameter",
    "optimizer=panic-save",
];

/// These go wrong when a run is resumed.
const RESUMING: &[&str] =
    &["sampler=panic-load", "state=panic-load", "scheduler=panic-load", "optimizer=panic-load"];

/// These are odd, but no fault.
const FINE: &[&str] = &["state=none", "state=huge-group", "sampler=wants-much", "scheduler=panic-drop"];

#[test]
fn bad_plugin() {
    let (bench, page) = (Bench::new(), Page::new("bad_plugin"));
    let plugin = bench.path("faulty.so");
    harness::copy_test_plugin("faulty", &[], &plugin);
    bench.write("list.txt", "# a list\n0-1\n");
    // The store is filled before two ask for it at the same time.
    let run = |name: &str, case: &str| {
        let manifest = bench.write(&format!("{name}.toml"), &manifest(case, &plugin));
        bench.nshot(&["run", "--quiet", manifest.to_str().unwrap()])
    };
    run("first", "sampler=none").ok();
    // A state that is no text comes back as it was saved.
    let odd = bench.path("runs/odd");
    run("odd", "sampler=odd-state scheduler=nan").error(1);
    set_faults(&odd, "sampler=odd-state");
    resume(&bench, &odd).ok();

    let all: Vec<&str> = [BEFORE, DURING, RESUMING, FINE].concat();
    refusals::for_each(&all, |place, case| {
        let name = format!("run-{place}");
        let directory = bench.path(&format!("runs/{name}"));
        if RESUMING.contains(case) {
            run(&name, &format!("sampler=error-sample {case}").replace(" sampler=panic-load", "")).error(1);
            set_faults(&directory, case);
            let refusal = refusals::refusal(case, &resume(&bench, &directory), &bench);
            page.add(place, case, &shown(&refusal, &name));
            return go_on(&bench, case, &directory);
        }
        let run = run(&name, case);
        if FINE.contains(case) {
            let warned = run.ok().stderr.contains("a component's `drop` panicked at ");
            assert_eq!(warned, case.contains("drop"), "{case}");
            return;
        }
        let refusal = refusals::refusal(case, &run, &bench);
        if BEFORE.contains(case) {
            assert!(refusals::is_empty(&directory), "{case}: there is a run directory");
        } else {
            go_on(&bench, case, &directory);
        }
        page.add(place, case, &shown(&refusal, &name));
    });
    page.compare();
}

/// What is the same wherever a case stands on the page, and on every machine.
fn shown(refusal: &str, name: &str) -> String {
    let text =
        refusal.replace(&format!("{name}.toml"), "run.toml").replace(&format!("runs/{name}"), "runs/run");
    match text.split_once("but there are ") {
        Some((before, after)) => {
            format!("{before}but there are N{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => text,
    }
}

fn manifest(case: &str, plugin: &Path) -> String {
    let table = |name: &str| {
        let fault = case.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        let wanted = name != "state" || fault.is_some();
        let fault = fault.unwrap_or("none");
        let text = format!("[{name}]\nuse = {{ path = {plugin:?} }}\nfault = \"{fault}\"\n");
        if wanted { text } else { String::new() }
    };
    let tables: String =
        ["space", "sampler", "state", "scheduler", "optimizer"].into_iter().map(table).collect();
    let subnets = if case.ends_with(" list") { "architectures = \"list.txt\"" } else { "subnets = 2" };
    format!(
        "[run]\nthreads = 1\ndevice = \"cpu\"\n{tables}[train]\nsteps = 6\nlr = 0.05\ncheckpoint_every = 2\n\
         [rank]\n{subnets}\nimages = 64\n"
    )
}

fn resume(bench: &Bench, directory: &Path) -> Run {
    bench.nshot(&["resume", "--quiet", directory.to_str().unwrap()])
}

/// Gives the components of a run other faults; those that the case does not name get none.
fn set_faults(directory: &Path, case: &str) {
    let path = directory.join("manifest.toml");
    let mut table = String::new();
    let line = |line: &str| {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut table);
        }
        let fault = case.split(' ').find_map(|part| part.strip_prefix(table.as_str())?.strip_prefix('='));
        let fault = fault.unwrap_or("none");
        if line.starts_with("fault = ") { format!("fault = \"{fault}\"\n") } else { format!("{line}\n") }
    };
    let text: String = std::fs::read_to_string(&path).unwrap().lines().map(line).collect();
    std::fs::write(&path, text).unwrap();
    // The lock knows the manifest.
    let path = directory.join("lock.json");
    let mut lock = crate::small::json(&path);
    lock.as_object_mut().unwrap().remove("manifest");
    std::fs::write(&path, lock.to_string()).unwrap();
}

/// The plugin mended, the run goes on from its last checkpoint to its end.
fn go_on(bench: &Bench, case: &str, directory: &Path) {
    set_faults(directory, "");
    let stopped_at_once =
        ["start", "save", "text", "aten", "memory", "wants"].iter().any(|part| case.contains(part));
    let checkpoint = directory.join("checkpoints/0000-0000000002/state.json");
    assert!(checkpoint.is_file() || stopped_at_once, "{case}: no checkpoint of step 2");
    resume(bench, directory).ok();
    assert!(directory.join("scores.csv").is_file(), "{case}: no scores");
}
