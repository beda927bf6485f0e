//! The Python on this machine, which has pip and a standard library that reads wheels.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::failure::Failure;

const SCRIPT: &str = include_str!("wheels.py");

/// An interpreter that was seen running.
pub(crate) struct Python {
    interpreter: &'static str,
}

/// What the interpreter tells of the machine.
pub(crate) struct Probe {
    /// Bytes free where libtorch is to lie.
    pub(crate) free: u64,
    /// Version of the C library (`2.36`), empty if it is not glibc.
    pub(crate) glibc: String,
    /// The folder of an installed `PyTorch`.
    pub(crate) torch: Option<PathBuf>,
}

impl Python {
    pub(crate) fn find() -> Result<Self, Failure> {
        ["python3", "python"]
            .into_iter()
            .map(|interpreter| Self { interpreter })
            .find(|python| {
                let output = python.command().args(["-c", "import zipfile, hashlib"]).output();
                output.is_ok_and(|output| output.status.success())
            })
            .ok_or(Failure::NoPython)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.interpreter);
        command.stdin(Stdio::null());
        command
    }

    /// Fails where pip is absent.
    pub(crate) fn check_pip(&self) -> Result<(), Failure> {
        let output = self.output(self.command().args(["-m", "pip", "--version"]))?;
        if output.status.success() {
            return Ok(());
        }
        let complaint = last_line(&output.stderr);
        // `/usr/bin/python3: No module named pip`: the interpreter is named already.
        let detail = complaint.rsplit_once(": ").map_or(complaint.as_str(), |(_, reason)| reason).to_owned();
        Err(Failure::NoPip { interpreter: self.interpreter.to_owned(), detail })
    }

    pub(crate) fn probe(&self, folder: &Path) -> Result<Probe, Failure> {
        let output = self.script("probe", [folder])?;
        let unreadable =
            |detail: String| Failure::Unreadable { command: self.interpreter.to_owned(), detail };
        if !output.status.success() {
            return Err(unreadable(last_line(&output.stderr)));
        }
        let told: Value =
            serde_json::from_slice(&output.stdout).map_err(|error| unreadable(error.to_string()))?;
        Ok(Probe {
            free: told["free"].as_u64().unwrap_or(u64::MAX),
            glibc: told["glibc"].as_str().unwrap_or_default().to_owned(),
            torch: told["torch"].as_str().map(PathBuf::from),
        })
    }

    /// Loads a shared library in a process of its own; the error is the loader's complaint.
    pub(crate) fn load(&self, library: &Path) -> Result<Result<(), String>, Failure> {
        let output = self.script("load", [library])?;
        if output.status.success() { Ok(Ok(())) } else { Ok(Err(last_line(&output.stderr))) }
    }

    /// Checks a wheel's SHA-256, then extracts what matches one of the patterns.
    pub(crate) fn extract(
        &self,
        wheel: &Path,
        sha256: &str,
        folder: &Path,
        patterns: &[&str],
    ) -> Result<Extracted, Failure> {
        let fixed = [wheel.as_os_str(), OsStr::new(sha256), folder.as_os_str()];
        let output = self.script("extract", fixed.into_iter().chain(patterns.iter().map(OsStr::new)))?;
        Ok(match output.status.code() {
            Some(0) => Extracted::Done,
            Some(3) => Extracted::WrongHash(last_line(&output.stdout)),
            Some(4) => Extracted::DiskFull,
            _ => Extracted::Failed(last_line(&output.stderr)),
        })
    }

    fn script<A: AsRef<OsStr>>(
        &self,
        part: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Output, Failure> {
        self.output(self.command().args(["-c", SCRIPT, part]).args(arguments))
    }

    fn output(&self, command: &mut Command) -> Result<Output, Failure> {
        command.output().map_err(Failure::io("run", Path::new(self.interpreter)))
    }
}

/// How an extraction ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Extracted {
    /// All is there.
    Done,
    /// The wheel has this hash, another than expected; nothing was extracted.
    WrongHash(String),
    /// No room.
    DiskFull,
    /// Python's complaint.
    Failed(String),
}

/// The last line that says something.
pub(crate) fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `make_wheel`'s file is not fixed (it holds times), so Python computes it.
    fn make_wheel(python: &Python, path: &Path) -> String {
        let script = "import sys, zipfile, hashlib\n\
            with zipfile.ZipFile(sys.argv[1], 'w') as wheel:\n\
            \x20   for name in ('torch/lib/libc10.so', 'torch/lib/libtorch_python.so', 'torch/include/a/b.h', '../up.h'):\n\
            \x20       wheel.writestr(name, name)\n\
            print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())";
        let output = python.command().args(["-c", script]).arg(path).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn only_what_matches_is_extracted_and_only_with_the_right_hash() {
        let Ok(python) = Python::find() else { return eprintln!("skipped: no Python on this machine") };
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("torch.whl");
        let sha256 = make_wheel(&python, &wheel);
        let out = folder.path().join("out");
        let patterns = ["torch/include/*", "torch/lib/libc10.so"];

        let wrong = "0".repeat(64);
        assert_eq!(
            python.extract(&wheel, &wrong, &out, &patterns).unwrap(),
            Extracted::WrongHash(sha256.clone())
        );
        assert!(!out.exists());

        assert_eq!(python.extract(&wheel, &sha256, &out, &patterns).unwrap(), Extracted::Done);
        assert!(out.join("torch/lib/libc10.so").is_file() && out.join("torch/include/a/b.h").is_file());
        assert!(!out.join("torch/lib/libtorch_python.so").exists());
    }

    #[test]
    fn a_library_that_does_not_load_says_why() {
        let Ok(python) = Python::find() else { return eprintln!("skipped: no Python on this machine") };
        let complaint = python.load(Path::new("/nowhere/libtorch_cpu.so")).unwrap().unwrap_err();
        assert!(complaint.contains("/nowhere/libtorch_cpu.so"), "{complaint}");
    }
}
