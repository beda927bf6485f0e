//! A group that packs and signs, and users who install.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{self, Bench, Run};
use crate::small;

/// A small built-in plugin, packed as it was built.
pub(crate) const PLUGIN: &str = "calr";

/// A group with its key.
pub(crate) struct Lab {
    pub(crate) bench: Bench,
    /// The public key.
    pub(crate) key: String,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let bench = Bench::new();
        let key = bench.nshot(&["plugin", "keygen", "--no-password"]).ok().stdout.trim().to_owned();
        Self { bench, key }
    }

    /// The package of a built-in plugin, or of `faulty`, with other texts of the same length in its record.
    pub(crate) fn pack(&self, plugin: &str, changes: &[(&str, &str)]) -> PathBuf {
        let run =
            Run::of(self.pack_command(plugin, changes).output().unwrap(), &["plugin", "pack", plugin]).ok();
        self.bench.path(run.stdout.trim())
    }

    pub(crate) fn pack_command(&self, plugin: &str, changes: &[(&str, &str)]) -> Command {
        let (folder, library) = match plugin {
            "faulty" => ("tests/plugins", harness::test_plugin("faulty")),
            name => {
                ("plugins", harness::release().join(format!("libnshot_plugin_{}.so", name.replace('-', "_"))))
            }
        };
        let mut bytes = fs::read(library).unwrap();
        for (from, to) in changes {
            replace(&mut bytes, from, to);
        }
        let changed = self.bench.path("built.so");
        fs::write(&changed, bytes).unwrap();
        let folder = harness::project().join(folder).join(plugin);
        let mut command = self.bench.command(&["plugin", "pack", "--library", "built.so"]);
        command.arg(folder);
        command
    }

    pub(crate) fn sign(&self, package: &Path) {
        self.bench.nshot(&["plugin", "sign", package.to_str().unwrap()]).ok();
    }

    pub(crate) fn signed(&self, plugin: &str, changes: &[(&str, &str)]) -> PathBuf {
        let package = self.pack(plugin, changes);
        self.sign(&package);
        package
    }
}

/// Replaces the first place of a text by another of the same length.
pub(crate) fn replace(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
}

/// Another user: a home of his own, no compiler, no other program.
pub(crate) struct User {
    pub(crate) bench: Bench,
}

impl User {
    pub(crate) fn new() -> Self {
        Self { bench: Bench::new() }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bench.command(arguments);
        command.env("PATH", "/nonexistent");
        command
    }

    pub(crate) fn nshot(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap(), arguments)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        self.bench.write(name, text)
    }

    /// The library of an installed plugin.
    pub(crate) fn library(&self, group: &str, plugin: &str) -> PathBuf {
        let folder = self.bench.path(&format!(".local/share/nshot/plugins/{group}/{plugin}/0.1.0/lib"));
        let target = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        target.join(format!("{plugin}.so"))
    }
}

/// The smallest run with a scheduler.
pub(crate) fn manifest(scheduler: &str) -> String {
    let base = small::BASE.replace("use = \"cosine\"", &format!("use = \"{scheduler}\""));
    format!("{base}[train]\nepochs = 1\nlr = 0.05\n[rank]\nsubnets = 4\n")
}

/// The files of two runs that are to be the same.
#[track_caller]
pub(crate) fn assert_same(first: &Path, second: &Path) {
    let supernet = fs::read_dir(first.join("supernets")).unwrap().next().unwrap().unwrap().file_name();
    let supernet = format!("supernets/{}", supernet.to_str().unwrap());
    for name in ["metrics.jsonl", "scores.csv", &supernet] {
        let (one, two) = (fs::read(first.join(name)).unwrap(), fs::read(second.join(name)).unwrap());
        assert!(!one.is_empty() && one == two, "{name} differs");
    }
}
