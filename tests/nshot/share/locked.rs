//! A run's lock: its plugins are brought to another user, and nothing else runs.

use std::fs;

use super::lab::{self, Lab, PLUGIN, User};
use crate::small;

const OTHER: (&str, &str) = ("\"group\":\"nshot\"", "\"group\":\"other\"");

#[test]
fn a_lock_brings_its_plugins_and_repeats_the_numbers() {
    let lab = Lab::new();
    let (first, second) = (User::new(), User::new());
    // One of another group, and a built-in one as it was built.
    for package in [lab.signed(PLUGIN, &[OTHER]), lab.signed("spos", &[])] {
        first.nshot(&["plugin", "install", package.to_str().unwrap(), "--trust", &lab.key]).ok();
    }
    let manifest = lab::manifest("other/calr:calr");
    first.write("run.toml", &manifest);
    first.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    let path = first.bench.path("run/lock.json");
    let lock = small::json(&path);
    for table in ["scheduler", "sampler"] {
        assert_eq!(lock["components"][table]["package"]["key"], *lab.key, "{table}");
    }
    assert!(lock["components"]["optimizer"].get("package").is_none(), "built in, and nowhere else");

    second.write("run.toml", &manifest);
    let locked = ["run", "run.toml", "--locked", path.to_str().unwrap(), "--quiet", "--directory", "run"];
    let run = second.nshot(&locked);
    assert!(
        run.error(1).contains("which is not here") && run.stderr.contains("--from-lock"),
        "{}",
        run.stderr
    );
    let bring = ["plugin", "install", "--from-lock", path.to_str().unwrap()];
    assert!(second.nshot(&bring).error(1).contains("is not known here"));
    // One key for two groups would be more than the user said.
    let run = second.nshot(&[&bring[..], &["--trust", &lab.key]].concat());
    assert_eq!(run.error(2), "the lock has plugins of 2 groups that are not known here: `nshot`, `other`");
    let each = ["nshot", "other"].map(|group| format!("--trust={group}={}", lab.key));
    let wrong = each[0].replace("nshot", "third");
    let run = second.nshot(&[&bring[..], &[&wrong]].concat());
    assert!(run.error(1).contains("is not known here"), "{}", run.stderr);
    let brought = second.nshot(&[&bring[..], &[&each[0], &each[1]]].concat()).ok().stdout;
    assert!(brought.contains("`other/calr` 0.1.0: installed\n"), "{brought}");
    assert!(brought.contains("`nshot/spos` 0.1.0: installed\n"), "{brought}");
    assert!(brought.contains("`nshot/sgd` 0.1.0: is here\n"), "{brought}");
    second.nshot(&locked).ok();
    lab::assert_same(&first.bench.path("run"), &second.bench.path("run"));
    assert!(!second.nshot(&bring).ok().stdout.contains("installed"));
}

/// Who has the same plugins needs nothing else to go on with a run that came as a folder.
#[test]
fn a_run_from_elsewhere_is_ranked() {
    let (first, second) = (User::new(), User::new());
    first.write("run.toml", &lab::manifest("cosine"));
    first.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    let (from, to) = (first.bench.path("run"), second.bench.path("run"));
    assert!(std::process::Command::new("cp").arg("-r").args([&from, &to]).status().unwrap().success());
    assert!(!second.bench.path(".local/share/nshot/store").exists());
    second.nshot(&["rank", "run", "--quiet", "--name", "theirs", "--set", "rank.subnets=3"]).ok();
}

#[test]
fn what_differs_from_a_lock_is_said() {
    let lab = Lab::new();
    let user = User::new();
    let package = lab.signed(PLUGIN, &[OTHER]);
    user.nshot(&["plugin", "install", package.to_str().unwrap(), "--trust", &lab.key]).ok();
    user.write("run.toml", &lab::manifest("other/calr:calr"));
    user.nshot(&["run", "run.toml", "--quiet", "--directory", "run"]).ok();
    let lock = user.bench.path("run/lock.json");
    let refuse = |manifest: &str, lock: &str, text: &str| {
        user.write("other.toml", manifest);
        let run = user.nshot(&["run", "other.toml", "--locked", lock, "--dry-run"]);
        assert!(run.error(1).contains(text), "{text}: {}", run.stderr);
    };
    let lock_path = lock.to_str().unwrap();
    refuse(
        &lab::manifest("nshot/calr:calr"),
        lock_path,
        "the manifest names `nshot/calr:calr`, the lock pins `other/calr:calr` 0.1.0",
    );
    refuse(
        &lab::manifest("other/calr:calr@^0.2"),
        lock_path,
        "the manifest names `other/calr:calr@^0.2`, the lock pins `other/calr:calr` 0.1.0",
    );
    let more = format!("{}[state]\nuse = \"random-groups\"\ngroups = 2\n", lab::manifest("other/calr:calr"));
    refuse(&more, lock_path, "the manifest has a component for `[state]`, the lock has none");
    let whole = fs::read_to_string(&lock).unwrap();
    let (sha256, zeros) = (small::json(&lock)["components"]["scheduler"]["sha256"].clone(), "0".repeat(64));
    user.write("lock.json", &whole.replace(sha256.as_str().unwrap(), &zeros));
    let manifest = lab::manifest("other/calr:calr");
    refuse(&manifest, "lock.json", &format!("is of `other/calr` 0.1.0 with the SHA-256 {zeros}; `/"));
    // The lock's package is not what it says.
    let run = user.nshot(&["plugin", "install", "--from-lock", "lock.json"]);
    assert!(run.error(1).contains("has no file with the SHA-256 000"), "{}", run.stderr);
    let package = small::json(&lock)["components"]["scheduler"]["package"]["sha256"].clone();
    user.nshot(&["plugin", "remove", "other/calr"]).ok();
    user.write("lock.json", &whole.replace(package.as_str().unwrap(), &zeros));
    let run = user.nshot(&["plugin", "install", "--from-lock", "lock.json"]);
    assert!(
        run.error(1).contains("holds another package than the lock's `other/calr` 0.1.0"),
        "{}",
        run.stderr
    );
    for text in ["", "{}", "[1]", "{\"format\":1}", "\u{0}"] {
        user.write("lock.json", text);
        let run = user.nshot(&["plugin", "install", "--from-lock", "lock.json"]);
        assert!(run.error(1).contains("`lock.json` is no lock of a run"), "{text}: {}", run.stderr);
    }
}
