//! A crate gives the same package wherever it is built.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Bench, Run};

/// Makes a plugin in a folder and packs it, with a target folder of its own.
fn pack(bench: &Bench, folder: &str) -> PathBuf {
    fs::create_dir_all(bench.path(folder)).unwrap();
    bench.nshot(&["plugin", "new", "sampler", "pairs", "--path", folder]).ok();
    let made = bench.path(folder).join("pairs");
    let manifest = fs::read_to_string(made.join("Cargo.toml")).unwrap();
    let licensed = manifest.replacen("version = ", "license = \"MIT\"\nversion = ", 1);
    fs::write(made.join("Cargo.toml"), licensed).unwrap();
    fs::write(made.join("LICENSE"), "MIT\n").unwrap();
    let arguments = ["plugin", "pack", "."];
    let mut command = bench.command(&arguments);
    // Cargo of the user's, as at home: its folder is not the bench's.
    command.current_dir(&made).env("HOME", std::env::var_os("HOME").unwrap());
    command.env("XDG_DATA_HOME", bench.path("data"));
    command.env("CARGO_TARGET_DIR", bench.path(&format!("target-of-{}", folder.replace('/', "-"))));
    let run = Run::of(command.output().unwrap(), &arguments).ok();
    made.join(run.stdout.trim())
}

#[test]
fn a_crate_gives_the_same_package_in_any_folder() {
    let bench = Bench::new();
    let one = fs::read(pack(&bench, "one")).unwrap();
    let library = built(&bench.path("target-of-one"));
    for text in [bench.folder().to_str().unwrap(), ".cargo/registry", "target-of-one"] {
        let found = library.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!found, "`{text}` is in the library");
    }
    let other = fs::read(pack(&bench, "another/and/longer")).unwrap();
    assert!(one == other, "the packages differ");
}

fn built(target: &Path) -> Vec<u8> {
    fs::read(target.join("release/libpairs.so")).unwrap()
}
