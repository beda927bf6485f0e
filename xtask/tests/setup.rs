//! Set-up on machines that lack something: the real program, a stand-in for Python where one is needed.
#![allow(clippy::unwrap_used)] // In the helpers too.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An empty checkout, and a `PATH` that holds nothing but what a test puts there.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("checkout/xtask")).unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        Self { folder }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("checkout/target")
    }

    /// Puts a shell script into the `PATH` as `python3`.
    fn python(self, script: &str) -> Self {
        // Another process writes it: a file that this one holds open for writing, as tests that start programs at
        // the same time would have it inherited, cannot be run.
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod +x \"$0\""]);
        assert!(shell.arg(self.folder.path().join("bin/python3")).arg(script).status().unwrap().success());
        self
    }

    /// Runs `setup`, expecting status 1; returns stderr.
    fn fails(&self, libtorch: Option<&Path>) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("setup").env("CARGO_MANIFEST_DIR", self.folder.path().join("checkout/xtask"));
        command.env("PATH", self.folder.path().join("bin")).env_remove("LIBTORCH");
        command.envs(libtorch.map(|path| ("LIBTORCH", path)));
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("\n\nhint: "), "{stderr}");
        assert!(!self.target().join("libtorch").exists() && !self.target().join("libtorch.partial").exists());
        stderr
    }
}

/// Answers `probe`; what follows in a script sees to pip.
fn probing(rest: &str) -> String {
    let probe = r#"{"free": 9000000000, "glibc": "2.36", "torch": null}"#;
    format!("if [ \"$3\" = probe ]; then echo '{probe}'; exit; fi\n{rest}")
}

#[test]
fn without_python() {
    let stderr = Machine::new().fails(None);
    assert!(stderr.starts_with("error: Python is needed to fetch libtorch, but neither"), "{stderr}");
}

#[test]
fn without_pip() {
    let script = probing("case $2 in pip) echo /usr/bin/python3: No module named pip >&2; exit 1; esac");
    let stderr = Machine::new().python(&script).fails(None);
    assert!(stderr.contains(
        "error: pip is needed to fetch libtorch, but `python3 -m pip` fails: No module named pip\n"
    ));
}

#[test]
fn without_a_network() {
    let script = probing(
        "if [ \"$3\" = download ]; then echo \"WARNING: Retrying after connection broken by \
         'NewConnectionError('<x>: Failed to establish a new connection: [Errno 101] Network is unreachable')': \
         /simple/torch/\" >&2; echo 'ERROR: No matching distribution found for torch==2.13.0' >&2; exit 1; fi",
    );
    let stderr = Machine::new().python(&script).fails(None);
    let expected = "error: pip could not reach its package index: Failed to establish a new connection: [Errno 101] \
                    Network is unreachable\n";
    assert!(stderr.contains(expected) && stderr.contains("  60fcdcb2f3876e21"), "{stderr}");
}

#[test]
fn on_a_full_disk() {
    let stderr = Machine::new().python(&probing("").replace("9000000000", "300000000")).fails(None);
    assert!(stderr.contains("has 300 MB free, and set-up needs 1100 MB\n"), "{stderr}");
}

#[test]
fn with_a_wheel_that_was_changed() {
    // A download that leaves empty files; the check is that of the real script, by its exit status.
    let script = probing(
        "if [ \"$3\" = download ]; then for argument; do\n\
         if [ \"$previous\" = --dest ]; then folder=$argument; fi; previous=$argument; done\n\
         : > \"$folder/torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl\"; exit; fi\n\
         if [ \"$3\" = extract ]; then echo e3b0c442; exit 3; fi",
    );
    let stderr = Machine::new().python(&script).fails(None);
    let expected = "error: `torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl` is not the file that was expected: its \
                    SHA-256 is `e3b0c442`, expected `60fcdcb2";
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn on_an_old_system() {
    let stderr = Machine::new().python(&probing("").replace("2.36", "2.17")).fails(None);
    assert!(stderr.contains("no ready libtorch 2.13 for linux on x86_64 with glibc 2.17:"), "{stderr}");
}

#[test]
fn with_a_libtorch_that_is_not_there() {
    let stderr = Machine::new().fails(Some(Path::new("/nowhere/libtorch")));
    assert!(
        stderr.starts_with("error: `LIBTORCH` is `/nowhere/libtorch`, where no libtorch can be used: "),
        "{stderr}"
    );
}
