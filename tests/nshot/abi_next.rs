//! ABI 1.0 can grow: an ABI 1.1 is made of the project's own sources, and hosts and plugins of both versions are built
//! and put together in all four ways.
//!
//! The host and the plugin lie in `tests/abi-next`, outside the workspace; `changes` holds what is added. All builds
//! share one target folder, unoptimised, without anything that the workspace's lock file does not have.

mod changes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use changes::Change;
use serde_json::{Value, json};

use crate::harness::{self, Run};

/// What is copied of the project.
const SOURCES: [&str; 4] = ["sdk", "host/graph", "host/loader", "tests/abi-next"];

const PLUGIN: &str = "nshot-plugin-abi";
const PACKAGES: [&str; 2] = ["nshot-abi-host", PLUGIN];

/// The built files.
struct Built {
    host: [PathBuf; 2],
    plugin: [PathBuf; 2],
    broken: PathBuf,
}

fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let next = PACKAGES.map(|package| format!("{package}-next/next"));
        let [host, plugin] = build("now", &[], PACKAGES, &[]);
        let [next_host, next_plugin] =
            build("next", &changes::additions(), PACKAGES, &next.each_ref().map(String::as_str));
        let [broken] = build("broken", &changes::breaking(), [PLUGIN], &[]);
        Built { host: [host, next_host], plugin: [plugin, next_plugin], broken }
    })
}

/// Lays out a workspace like the project's with some changes, and builds the named packages of `tests/abi-next`.
fn build<const N: usize>(
    version: &str,
    changes: &[Change],
    packages: [&str; N],
    features: &[&str],
) -> [PathBuf; N] {
    // The test binary lies in TARGET/PROFILE/deps.
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("abi-next");
    let root = target.join(version);
    lay_out(&root, version, changes);
    let features = features.join(",");
    let (manifest, built) = (root.join("Cargo.toml"), target.join("build"));
    let names = packages.map(|package| format!("{package}-{version}"));
    let mut arguments = vec!["build", "--quiet", "--offline", "--manifest-path", manifest.to_str().unwrap()];
    arguments.extend(["--target-dir", built.to_str().unwrap(), "--features", &features]);
    for name in &names {
        arguments.extend(["--package", name]);
    }
    harness::cargo(&arguments);
    let library = |name: &str| format!("lib{}.so", name.replace('-', "_"));
    names.map(|name| built.join("debug").join(if name.starts_with(PLUGIN) { library(&name) } else { name }))
}

fn lay_out(root: &Path, version: &str, changes: &[Change]) {
    let mut files = vec![PathBuf::from("Cargo.toml"), PathBuf::from("Cargo.lock")];
    for source in SOURCES {
        list(Path::new(source), &mut files);
    }
    for change in changes {
        assert!(files.iter().any(|file| file == Path::new(change.file)), "there is no file {}", change.file);
    }
    for file in &files {
        let text = fs::read_to_string(harness::project().join(file)).unwrap();
        let changed = |text: String, change: &Change| change.apply(&text);
        let text = changes.iter().filter(|change| Path::new(change.file) == file).fold(text, changed);
        let (text, path) = match file.to_str().unwrap() {
            "Cargo.toml" => (workspace(&text, version), root.join(file)),
            "Cargo.lock" => (text, root.join(file)),
            _ => (named(text, version), root.join(version).join(file)),
        };
        // What is as it was keeps its time, and cargo leaves it alone.
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
}

/// Each version's files have a name of their own in the common target folder.
fn named(text: String, version: &str) -> String {
    PACKAGES.iter().fold(text, |text, package| {
        text.replace(&format!("name = \"{package}\""), &format!("name = \"{package}-{version}\""))
    })
}

/// The files of a folder of the project, without what was built there and damaged files.
fn list(path: &Path, files: &mut Vec<PathBuf>) {
    let full = harness::project().join(path);
    if full.is_file() {
        return files.push(path.to_owned());
    }
    for entry in fs::read_dir(full).unwrap() {
        let name = entry.unwrap().file_name();
        if name != "target" && name != "corpus" {
            list(&path.join(name), files);
        }
    }
}

/// The project's `Cargo.toml` with the copied packages as members, and a profile that builds fast.
///
/// The packages lie in a folder with the version's name: cargo tells packages in one target folder apart by their path
/// inside the workspace.
fn workspace(text: &str, version: &str) -> String {
    let packages = text.find("[workspace.package]").unwrap();
    let profiles = text.find("# One release build").unwrap();
    let members = ["sdk", "sdk/abi", "host/graph", "host/loader", "tests/abi-next/*"]
        .map(|member| format!("{version}/{member}"));
    format!(
        "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n{}[profile.dev]\ndebug = false\nincremental = false\n",
        text[packages..profiles].replace("path = \"", &format!("path = \"{version}/"))
    )
}

fn run(host: &Path, plugin: &Path) -> Run {
    let store = tempfile::tempdir().unwrap();
    let arguments = [store.path().to_str().unwrap(), plugin.to_str().unwrap()];
    Run::of(Command::new(host).args(arguments).output().unwrap(), &arguments)
}

/// Drives a plugin; 0 and 1 are the minor versions.
fn drive(host: usize, plugin: usize) -> Value {
    let built = built();
    let run = run(&built.host[host], &built.plugin[plugin]).ok();
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["host"], &report["plugin"]), (&json!([1, host]), &json!([1, plugin])));
    report
}

/// What uses ABI 1.0 alone works everywhere.
#[track_caller]
fn assert_old_components(report: &Value) {
    let components = &report["components"];
    let parameters = ["choice head of 2", "parameter head.weight [10, 3]", "parameter head.bias [10]"];
    assert_eq!(components["small"]["declared"], json!(parameters));
    assert_eq!(components["small"]["text"], "1");
    let described = components["small"]["described"].as_array().unwrap();
    assert_eq!(
        (&described[0], described.last().unwrap()),
        (&json!("input image"), &json!("output logits 3"))
    );
    let steps = ["path", "architecture [1]", "loss cross_entropy weight"];
    assert_eq!(components["largest"], json!({"steps": steps, "scalars": []}));
    assert_eq!(components["falling"], json!({"factor": 0.025}));
}

#[test]
fn abi_1_0_plugin_in_a_1_0_host() {
    let report = drive(0, 0);
    assert_old_components(&report);
    assert_eq!(report["warnings"], json!([]));
}

/// Rust 1.85 links the record that the gate reads only if it is exported.
#[test]
fn abi_record_is_exported() {
    let bytes = fs::read(&built().plugin[0]).unwrap();
    let symbol = b"\0nshot_record_nshot_plugin_abi_now\0";
    assert!(bytes.windows(symbol.len()).any(|window| window == symbol));
}

#[test]
fn abi_1_0_plugin_in_a_1_1_host() {
    let report = drive(1, 0);
    assert_old_components(&report);
    assert_eq!((&report["warnings"], &report["notes"]), (&json!([]), &Value::Null));
}

#[test]
fn abi_1_1_plugin_in_a_1_1_host() {
    let report = drive(1, 1);
    assert_old_components(&report);
    assert_eq!((&report["warnings"], &report["notes"]), (&json!([]), &json!("of ABI 1.1")));
    let components = &report["components"];
    let steps = |name: &str, last: &str| {
        assert_eq!(components[name]["steps"].as_array().unwrap().last().unwrap(), last);
    };
    steps("getter", "architecture [10]");
    steps("attribute", "loss cross_entropy focus");
    steps("operation", "architecture [1]");
    assert_eq!(components["method"]["scalars"], json!(["ended 100"]));
}

#[test]
fn abi_1_1_plugin_in_a_1_0_host() {
    let report = drive(0, 1);
    assert_old_components(&report);
    let warning = "the plugin is built for ABI 1.1, this host has 1.0: what it asks of the host beyond that fails with \
                   an error";
    assert_eq!((&report["warnings"], &report["notes"]), (&json!([warning]), &Value::Null));
    let components = &report["components"];
    let unsupported = |text: &str| json!({"code": "unsupported", "error": text});
    let needs = |method: &str| {
        unsupported(&format!(
            "this host has an older ABI than the plugin: `{method}` needs a host with ABI 1.1"
        ))
    };
    assert_eq!(components["getter"], needs("epochs"));
    assert_eq!(components["operation"], needs("probe"));
    let attribute = "`cross_entropy` has no attribute `focus`; a newer host may have it";
    assert_eq!(components["attribute"], unsupported(attribute));
    // It works, but is not told of the end.
    assert_eq!(components["method"], json!({"steps": ["path", "architecture [0]"], "scalars": []}));
}

#[test]
fn abi_changed_types_are_refused() {
    let built = built();
    for host in &built.host {
        let run = run(host, &built.broken);
        let mut lines = run.error(1).lines();
        let first = lines.next().unwrap();
        assert!(first.ends_with(".so` does not fit this host's ABI:"), "{first}");
        let lines: Vec<&str> = lines.map(str::trim_start).collect();
        assert_eq!(
            lines,
            [
                "`AbiError`: number of fields: expected 3, found 4; added `line`",
                "`Run::choice_name`, argument 1: type: expected u32, found u64",
                "`Plan::allow`: arguments: expected (RMut<'a>, u32, u32, RSlice<'a>, \
                 RSlice<'a>), found (RMut<'a>, u32, u32, RSlice<'a>, RSlice<'a>, f64)",
            ]
        );
    }
}
