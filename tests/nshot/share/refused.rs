//! What is wrong with a package, a signature, a key or an installed file is said, and nothing is installed.

use std::fs;

use super::lab::{self, Lab, PLUGIN, User};
use crate::refusals;

const OTHER: (&str, &str) = ("\"group\":\"nshot\"", "\"group\":\"other\"");
const NEWER: (&str, &str) = ("\"version\":\"0.1.0\"", "\"version\":\"0.2.0\"");

#[test]
fn what_nobody_vouches_for_is_not_installed() {
    let (lab, liar) = (Lab::new(), Lab::new());
    let user = User::new();
    let package = lab.pack(PLUGIN, &[OTHER]);
    let path = package.to_str().unwrap();
    let refuse = |arguments: &[&str], text: &str| {
        let run = user.nshot(&[&["plugin", "install", path], arguments].concat());
        assert!(run.error(1).contains(text) && run.stderr.contains("\n\nhint: "), "{text}: {}", run.stderr);
        assert!(refusals::is_empty(&user.bench.path(".local/share/nshot/plugins/other")), "{text}");
    };
    refuse(&["--trust", &lab.key], "is not signed, and comes from the group `other`");
    lab.sign(&package);
    refuse(&[], "the group `other` is not known here: its package is signed with the key");
    let run = user.nshot(&["plugin", "install", path, "--trust", &liar.key]);
    assert!(run.error(1).starts_with("the signature of"), "{}", run.stderr);
    // Signed by another hand than the first time.
    user.nshot(&["plugin", "install", path, "--trust", &lab.key]).ok();
    user.nshot(&["plugin", "remove", "other/calr"]).ok();
    let (mine, theirs) = (lab.bench.path(path), liar.signed(PLUGIN, &[OTHER]));
    let signature = |path: &std::path::Path| path.with_extension("nshot.minisig");
    fs::copy(signature(&theirs), signature(&mine)).unwrap();
    for arguments in [&[][..], &["--trust", &liar.key]] {
        refuse(arguments, "THE KEY OF THE GROUP `other` HAS CHANGED");
    }
    // A true signature of another package.
    let newer = lab.signed(PLUGIN, &[OTHER, NEWER]);
    fs::copy(signature(&newer), signature(&mine)).unwrap();
    let run = user.nshot(&["plugin", "install", path]);
    assert!(run.error(1).starts_with("the signature of"), "{}", run.stderr);
    let run = user.nshot(&["plugin", "install", path, "--trust", "RWQ"]);
    assert!(run.error(2).contains("is no public key"), "{}", run.stderr);
}

#[test]
fn a_package_that_was_changed_is_refused() {
    let lab = Lab::new();
    let user = User::new();
    let package = lab.signed(PLUGIN, &[OTHER]);
    let whole = fs::read(&package).unwrap();
    let path = package.to_str().unwrap();
    for at in [0, 5, 100, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&package, bytes).unwrap();
        let run = user.nshot(&["plugin", "install", path, "--trust", &lab.key]);
        assert!(run.error(1).starts_with("the package `"), "{at}: {}", run.stderr);
        assert_eq!(user.nshot(&["plugin", "show", path]).code, Some(1));
    }
    for length in [0, 3, 1000, whole.len() - 4] {
        fs::write(&package, &whole[..length]).unwrap();
        user.nshot(&["plugin", "verify", path, "--trust", &lab.key]).error(1);
    }
    // Whole, and not what was signed.
    lab.pack(PLUGIN, &[OTHER, ("Complexity-aware", "Complexity-Aware")]);
    let run = user.nshot(&["plugin", "install", path, "--trust", &lab.key]);
    assert!(run.error(1).starts_with("the signature of"), "{}", run.stderr);
    assert!(refusals::is_empty(&user.bench.path(".local/share/nshot/plugins")));
}

#[test]
fn an_older_version_is_refused_unless_it_is_asked_for() {
    let lab = Lab::new();
    let user = User::new();
    let (old, new) = (lab.signed(PLUGIN, &[OTHER]), lab.signed(PLUGIN, &[OTHER, NEWER]));
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    user.nshot(&["plugin", "install", new, "--trust", &lab.key]).ok();
    for arguments in [&[][..], &["--upgrade"]] {
        let run = user.nshot(&[&["plugin", "install", old], arguments].concat());
        assert_eq!(run.error(1), "`other/calr` 0.1.0 is older than the installed 0.2.0");
    }
    user.nshot(&["plugin", "install", old, "--older"]).ok();
    let run = user.nshot(&["plugin", "remove", "other/calr"]);
    assert!(
        run.error(2).contains("2 versions") && run.stderr.contains("`other/calr@0.1.0`"),
        "{}",
        run.stderr
    );
    let run = user.nshot(&["plugin", "install", new, "--upgrade"]).ok();
    assert!(run.stderr.contains("removed 0.1.0"), "{}", run.stderr);
    user.nshot(&["plugin", "remove", "other/calr@0.2.0"]).ok();
}

#[test]
fn a_file_that_was_replaced_is_refused_before_it_runs() {
    let lab = Lab::new();
    let user = User::new();
    user.nshot(&["plugin", "install", lab.signed(PLUGIN, &[OTHER]).to_str().unwrap(), "--trust", &lab.key])
        .ok();
    user.write("run.toml", &lab::manifest("other/calr:calr"));
    user.nshot(&["run", "run.toml", "--quiet", "--directory", "first"]).ok();
    user.nshot(&["plugin", "verify", "other/calr"]).ok();
    // Between the check and the next load.
    let library = user.library("other", "calr");
    let mut bytes = fs::read(&library).unwrap();
    lab::replace(&mut bytes, "Complexity-aware", "Complexity-Aware");
    fs::write(&library, &bytes).unwrap();
    let run = user.nshot(&["run", "run.toml", "--dry-run"]);
    assert!(run.stderr.contains("an installed plugin is damaged: the plugin file"), "{}", run.stderr);
    assert_eq!(run.code, Some(1));
    assert!(user.nshot(&["plugin", "list"]).ok().stderr.contains("refused: an installed plugin is damaged"));
    let run = user.nshot(&["plugin", "verify", "other/calr"]);
    assert!(run.error(1).contains("holds a damaged `lib/"), "{}", run.stderr);
    assert!(
        user.nshot(&["plugin", "verify"]).error(1).contains("1 of the installed plugins"),
        "{}",
        run.stderr
    );
    let run = user.nshot(&["run", "run.toml", "--locked", "first/lock.json", "--dry-run"]);
    assert!(
        run.error(1).contains("the lock's lr-scheduler `calr`: an installed plugin is damaged"),
        "{}",
        run.stderr
    );
    // Its record replaced too: the lock still tells.
    let (found, expected) = (sha256(&user, &library), lock_hash(&user));
    let record = library.ancestors().nth(3).unwrap().join("plugin.toml");
    let text = fs::read_to_string(&record).unwrap().replace(&expected, &found);
    fs::write(&record, text).unwrap();
    user.nshot(&["run", "run.toml", "--dry-run"]).ok();
    let run = user.nshot(&["run", "run.toml", "--locked", "first/lock.json", "--dry-run"]);
    assert!(run.error(1).contains(&expected) && run.stderr.contains(&found), "{}", run.stderr);
}

fn sha256(user: &User, library: &std::path::Path) -> String {
    let shown = user.nshot(&["plugin", "show", library.to_str().unwrap(), "--json"]).ok().stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    shown[0]["sha256"].as_str().unwrap().to_owned()
}

fn lock_hash(user: &User) -> String {
    let lock = crate::small::json(&user.bench.path("first/lock.json"));
    lock["components"]["scheduler"]["sha256"].as_str().unwrap().to_owned()
}

#[test]
fn one_name_of_two_groups_is_ambiguous() {
    let lab = Lab::new();
    let user = User::new();
    for group in ["\"group\":\"other\"", "\"group\":\"third\""] {
        let package = lab.signed("momentum-separation", &[(OTHER.0, group)]);
        user.nshot(&["plugin", "install", package.to_str().unwrap(), "--trust", &lab.key]).ok();
    }
    let state = |name: &str| format!("{}[state]\nuse = \"{name}\"\ngroups = 2\n", lab::manifest("cosine"));
    user.write("run.toml", &state("random-groups"));
    let run = user.nshot(&["run", "run.toml", "--dry-run"]);
    assert!(run.error(1).contains("`random-groups` is in 3 plugin files"), "{}", run.stderr);
    for group in ["nshot", "other", "third"] {
        let candidate = format!("{group}/momentum-separation:random-groups");
        assert!(run.stderr.contains(&format!("`{candidate}@=0.1.0`, /")), "{}", run.stderr);
        user.write("run.toml", &state(&candidate));
        user.nshot(&["run", "run.toml", "--dry-run"]).ok();
    }
}
