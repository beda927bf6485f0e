//! Plugins that travel: packed, signed, installed, used by name and by lock, and refused where something is wrong.

mod lab;
mod locked;
mod locked_sweep;
mod refused;
mod registry;
mod same_bytes;
mod tutorial;
mod versions;

use std::fs;

use lab::{Lab, PLUGIN, User};

use crate::harness;

#[test]
fn a_package_is_the_same_bytes_and_says_what_is_in_it() {
    let lab = Lab::new();
    let package = lab.pack(PLUGIN, &[]);
    let bytes = fs::read(&package).unwrap();
    assert_eq!(package.file_name().unwrap(), "calr-0.1.0.nshot");
    fs::remove_file(&package).unwrap();
    assert_eq!(fs::read(lab.pack(PLUGIN, &[])).unwrap(), bytes);
    let shown = lab.bench.nshot(&["plugin", "show", package.to_str().unwrap()]).ok().stdout;
    for part in
        ["nshot/calr 0.1.0", "MIT OR Apache-2.0", "lr-scheduler `calr`", "signature   none", "plugin.toml, "]
    {
        assert!(shown.contains(part), "no `{part}`: {shown}");
    }
    let cited = lab.bench.nshot(&["plugin", "show", package.to_str().unwrap(), "--bibtex"]).ok().stdout;
    assert!(cited.starts_with("@inproceedings{jeon2025subnet"), "{cited}");
    lab.sign(&package);
    let shown = lab.bench.nshot(&["plugin", "show", package.to_str().unwrap()]).ok().stdout;
    assert!(shown.contains("no key of `nshot` is known here"), "{shown}");
    // Taken up again, as if it came from another machine.
    let path = package.to_str().unwrap();
    let again = lab.pack_command(PLUGIN, &[]).args(["--add", path]).output().unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(fs::read(&package).unwrap(), bytes);
}

#[test]
fn an_installed_plugin_is_listed_shown_verified_used_and_removed() {
    let lab = Lab::new();
    let (package, user) =
        (lab.signed("calr", &[("\"group\":\"nshot\"", "\"group\":\"other\"")]), User::new());
    let path = package.to_str().unwrap();
    let said = user.nshot(&["plugin", "verify", path, "--trust", &lab.key]).ok().stdout;
    assert!(said.contains("good, by the key") && said.contains("given for `other`"), "{said}");
    let said = user.nshot(&["plugin", "install", path, "--trust", &lab.key]).ok();
    assert!(said.stdout.contains("`other/calr` 0.1.0: installed; lr-scheduler `calr`"), "{}", said.stdout);
    assert!(said.stderr.contains("the key of `other` is remembered"), "{}", said.stderr);
    let again = user.nshot(&["plugin", "install", path]).ok();
    assert!(again.stdout.contains("was installed already") && again.stderr.is_empty(), "{}", again.stderr);
    assert!(user.nshot(&["plugin", "list"]).ok().stdout.contains("signed package"));
    let shown = user.nshot(&["plugin", "show", "other/calr"]).ok().stdout;
    assert!(
        shown.contains("gamma_max: number = 4.0") && shown.contains("checked when it was installed"),
        "{shown}"
    );
    assert!(
        shown.contains(&format!("  from        {}", package.canonicalize().unwrap().display())),
        "{shown}"
    );
    assert_eq!(user.nshot(&["plugin", "verify"]).ok().stdout, "`other/calr` 0.1.0: as installed\n");
    assert!(user.nshot(&["plugin", "trust"]).ok().stdout.contains(&lab.key));
    user.write("run.toml", &lab::manifest("other/calr:calr@^0.1"));
    user.nshot(&["run", "run.toml", "--dry-run"]).ok();
    user.nshot(&["plugin", "remove", "other/calr"]).ok();
    let gone = user.nshot(&["plugin", "remove", "other/calr"]);
    assert_eq!(gone.error(1), "`other/calr` is not installed");
    assert!(
        user.nshot(&["run", "run.toml", "--dry-run"])
            .error(1)
            .contains("no lr-scheduler `calr` is of the plugin")
    );
    user.nshot(&["plugin", "trust", "--forget", "other"]).ok();
    assert!(
        user.nshot(&["plugin", "install", path]).error(1).contains("the group `other` is not known here")
    );
}

#[test]
fn what_cannot_be_packed_signed_or_named_is_said() {
    let lab = Lab::new();
    let refuse = |arguments: &[&str], code: i32, text: &str| {
        let run = lab.bench.nshot(&[&["plugin"], arguments].concat());
        assert!(run.error(code).contains(text), "{arguments:?}: {}", run.stderr);
    };
    refuse(&["pack", "nowhere"], 2, "`nowhere` is no crate");
    lab.bench.write("mine/Cargo.toml", "[package]\nname = \"mine\"\n[workspace]\n");
    refuse(&["pack", "mine"], 1, "`mine` has no file `LICENSE`");
    lab.bench.write("mine/LICENSE", "MIT");
    refuse(&["pack", "mine"], 1, "`mine/Cargo.toml` names no licence");
    lab.bench.write("mine/Cargo.toml", "[package\n");
    refuse(&["pack", "mine"], 1, "`mine/Cargo.toml` is no manifest of a crate");
    lab.bench.write("mine/Cargo.toml", "[package]\nname = \"mine\"\nlicense = \"MIT\"\n[workspace]\n");
    let spos = harness::release().join("libnshot_plugin_spos.so");
    let spos = spos.to_str().unwrap();
    refuse(&["pack", "mine", "--library", spos], 2, "is the plugin `spos`; that of the crate is `mine`");
    refuse(&["sign", spos], 1, "is no package: expected a zstd archive");
    refuse(&["keygen", "--no-password"], 1, "there is a key file");
    let secret = ".config/nshot/minisign.key";
    refuse(&["verify", "x.nshot", "--trust", secret], 2, "this is a secret key; expected its public half");
    refuse(&["push", spos, "localhost/x"], 1, "is no place to get a plugin from or send it to");
    refuse(&["install", "http://example.org/x.nshot"], 1, "expected `https://`");
    refuse(&["remove", "spos"], 2, "`spos` names no installed plugin");
    refuse(&["remove", "nshot/spos@1"], 2, "names no installed plugin");
    refuse(&["trust", "--forget", "nobody"], 1, "no key of the group `nobody` is known");
}
