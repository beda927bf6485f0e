//! A sweep and single trainings from locks: the plugins of these, and no others.

use std::fs;
use std::path::PathBuf;

use super::lab::{self, Lab, PLUGIN, User};
use crate::{harness, small};

const OTHER: (&str, &str) = ("\"group\":\"nshot\"", "\"group\":\"other\"");

/// A user who has `calr` of the group `other` too.
fn user(lab: &Lab) -> User {
    let user = User::new();
    let package = lab.signed(PLUGIN, &[OTHER]);
    user.nshot(&["plugin", "install", package.to_str().unwrap(), "--trust", &lab.key]).ok();
    user
}

fn manifest(scheduler: &str, more: &str) -> String {
    let base = small::BASE.replace("use = \"cosine\"", &format!("use = \"{scheduler}\""));
    format!("{base}[train]\nsteps = 4\nlr = 0.05\n[rank]\nsubnets = 2\n{more}")
}

/// The lock of a run with one scheduler.
fn lock_of(user: &User, scheduler: &str, directory: &str) -> PathBuf {
    user.write("one.toml", &manifest(scheduler, ""));
    user.nshot(&["run", "one.toml", "--quiet", "--directory", directory]).ok();
    user.bench.path(directory).join("lock.json")
}

fn scheduler(lock: &std::path::Path) -> String {
    small::json(lock)["components"]["scheduler"]["sha256"].as_str().unwrap().to_owned()
}

#[test]
fn a_sweep_takes_the_plugins_of_its_locks() {
    let lab = Lab::new();
    let user = user(&lab);
    let matrix = "[matrix]\nseeds = [0, 1]\n[matrix.methods.plain]\n\
                  [matrix.methods.calr]\nscheduler = { use = \"other/calr:calr\" }\n";
    user.write("sweep.toml", &manifest("cosine", matrix));
    let sweep = |directory: &str, locks: &[&str]| {
        let locks = locks.iter().flat_map(|lock| ["--locked", lock]);
        let arguments = ["sweep", "sweep.toml", "--quiet", "--directory", directory].into_iter().chain(locks);
        user.nshot(&arguments.collect::<Vec<_>>())
    };
    sweep("first", &[]).ok();
    let (plain, calr) = ("first/plain-seed-0/lock.json", "first/calr-seed-1/lock.json");
    // Of one method alone.
    assert_eq!(
        sweep("second", &[plain]).error(1).lines().next().unwrap(),
        "method `calr`: sweep.toml:28: the manifest names `other/calr:calr`, the lock pins \
         `nshot/schedules:cosine` 0.1.0"
    );
    assert!(!user.bench.path("second").exists());
    sweep("second", &[plain, calr]).ok();
    for run in ["plain-seed-0", "calr-seed-0", "calr-seed-1"] {
        lab::assert_same(&user.bench.path("first").join(run), &user.bench.path("second").join(run));
    }
    assert_eq!(scheduler(&user.bench.path("second/calr.lock.json")), scheduler(&user.bench.path(calr)));
    // Again: nothing is left to do, and the locks are still held to.
    sweep("second", &[plain, calr]).ok();
    sweep("second", &[plain]).error(1);

    let text = fs::read_to_string(user.bench.path(calr)).unwrap();
    let zeros = "0".repeat(64);
    user.write("changed.json", &text.replace(&scheduler(&user.bench.path(calr)), &zeros));
    let run = sweep("third", &[plain, "changed.json"]);
    assert!(
        run.error(1).contains(&format!("of `other/calr` 0.1.0 with the SHA-256 {zeros}; `/")),
        "{}",
        run.stderr
    );
    assert!(sweep("third", &[plain, "no.json"]).error(1).contains("cannot read `no.json`"));
    user.write("x.json", "{\"format\":1}");
    assert!(sweep("third", &[plain, "x.json"]).error(1).contains("`x.json` is no lock of a run"));
    // Of other data.
    let data = small::json(&user.bench.path(plain))["data"][0]["sha256"].as_str().unwrap().to_owned();
    let other = |name: &str, path: &str| {
        let text = fs::read_to_string(user.bench.path(path)).unwrap();
        user.write(name, &text.replace(&data, &zeros));
    };
    other("plain.json", plain);
    other("calr.json", calr);
    let run = sweep("third", &["plain.json", "calr.json"]);
    assert!(
        run.error(1).contains("method `plain`: the lock has no file with the content of"),
        "{}",
        run.stderr
    );
}

#[test]
fn locks_decide_where_a_name_is_ambiguous_and_hold_what_is_there() {
    let lab = Lab::new();
    let user = user(&lab);
    let mine = lock_of(&user, "nshot/calr:calr", "mine");
    let theirs = lock_of(&user, "other/calr:calr", "theirs");
    let (mine, theirs) = (mine.to_str().unwrap(), theirs.to_str().unwrap());
    let matrix = "[matrix]\nseeds = [0]\n[matrix.methods.plain]\n";
    user.write("sweep.toml", &manifest("calr", matrix));
    let sweep = ["sweep", "sweep.toml", "--quiet", "--directory", "sweep"];
    let with = |more: &[&str]| user.nshot(&[&sweep[..], more].concat());
    assert!(with(&[]).error(1).contains("`calr` is in 2 plugin files"));
    let run = with(&["--locked", mine, "--locked", theirs]);
    assert!(
        run.error(1).contains("the manifest names `calr`, the locks pin several: `calr` of `nshot/calr`"),
        "{}",
        run.stderr
    );
    with(&["--locked", theirs]).ok();
    let lock = user.bench.path("sweep/plain-seed-0/lock.json");
    assert_eq!(scheduler(&lock), scheduler(std::path::Path::new(theirs)));
    // What was run with one plugin is not taken for another's.
    let run = with(&["--locked", mine]);
    let said = run.error(1);
    assert!(
        said.starts_with(
            "method `plain`: the run in `sweep/plain-seed-0` has as its `[scheduler]` `calr` of `other/calr`"
        ) && said.contains("the lock `calr` of `nshot/calr`"),
        "{said}"
    );
}

/// A plugin that is rebuilt before all seeds of a method are done does not end in one row with its earlier build.
#[test]
fn runs_of_a_method_are_of_one_build() {
    let user = User::new();
    let built = harness::release().join("libnshot_plugin_calr.so");
    let mut bytes = fs::read(built).unwrap();
    let library = user.bench.path("calr.so");
    fs::write(&library, &bytes).unwrap();
    let matrix =
        "[matrix]\nseeds = [0, 1]\n[matrix.methods.mine]\nscheduler = { use = { path = \"calr.so\" } }\n";
    user.write("sweep.toml", &manifest("cosine", matrix));
    let sweep = |more: &[&str]| {
        user.nshot(&[&["sweep", "sweep.toml", "--quiet", "--directory", "sweep"], more].concat())
    };
    sweep(&["--seed", "0"]).ok();
    let lock = user.bench.path("sweep/mine-seed-0/lock.json");
    let first = scheduler(&lock);
    assert_eq!(scheduler(&user.bench.path("sweep/mine.lock.json")), first);

    lab::replace(&mut bytes, "Complexity-aware", "Complexity-Aware");
    fs::write(&library, &bytes).unwrap();
    let run = sweep(&[]);
    let said = format!(
        "method `mine`: the run in `sweep/mine-seed-0` has as its `[scheduler]` `calr` of `nshot/calr` 0.1.0 with the \
         SHA-256 {first}; the method's other runs would have "
    );
    assert!(run.error(1).starts_with(&said), "{}", run.stderr);
    assert!(!user.bench.path("sweep/mine-seed-1").exists());
    // The earlier build is still in the store.
    sweep(&["--locked", lock.to_str().unwrap()]).ok();
    assert_eq!(scheduler(&user.bench.path("sweep/mine-seed-1/lock.json")), first);
    // What is done is shown.
    sweep(&[]).ok();
}

#[test]
fn single_trainings_take_the_plugins_of_a_lock() {
    let lab = Lab::new();
    let user = user(&lab);
    let table = |scheduler: &str| {
        let base = small::BASE.replace("use = \"cosine\"", &format!("use = \"{scheduler}\""));
        let text = format!("{base}[train]\nsteps = 2\nlr = 0.05\n[standalone]\ncount = 2\nseeds = [0]\n");
        user.write("table.toml", &text);
    };
    let train = |directory: &str, more: &[&str]| {
        user.nshot(&[&["standalone", "table.toml", "--quiet", "--directory", directory], more].concat())
    };
    table("other/calr:calr");
    train("first", &[]).ok();
    let lock = ["--locked", "first/lock.json"];
    table("calr");
    assert!(train("second", &[]).error(1).contains("`calr` is in 2 plugin files"));
    train("second", &lock).ok();
    // It goes on, held to the same lock.
    train("second", &lock).ok();
    let read = |run: &str| fs::read(user.bench.path(run).join("table.csv")).unwrap();
    assert_eq!(read("first"), read("second"));
    let run = train("first", &["--locked", lock_of(&user, "nshot/calr:calr", "mine").to_str().unwrap()]);
    assert!(
        run.error(1).starts_with("the run in `first` has as its `[scheduler]` `calr` of `other/calr`"),
        "{}",
        run.stderr
    );
    table("cosine");
    let run = train("third", &lock);
    assert!(
        run.error(1).contains("the manifest names `cosine`, the lock pins `other/calr:calr` 0.1.0"),
        "{}",
        run.stderr
    );
    assert!(!user.bench.path("third").exists());
}
