//! The yardstick: what one would otherwise run, in plain PyTorch (xtask/pytorch).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::Failure;
use crate::python::Python;
use crate::version::EXPECTED;
use crate::workspace::{self, Workspace};

/// A Python with `PyTorch`.
pub(super) struct PyTorch {
    python: PathBuf,
    script: PathBuf,
    threads: usize,
}

/// What the script prints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    /// The median of a step, or of an architecture's ranking, in ms.
    pub(super) milliseconds: f64,
    /// Images, or architectures, a second.
    pub(super) per_second: f64,
    /// The greatest resident memory, in MiB.
    pub(super) memory: f64,
}

impl PyTorch {
    pub(super) fn new(workspace: &Workspace, python: &Path, threads: usize) -> Self {
        Self { python: python.to_owned(), script: workspace.root().join("xtask/pytorch/bench.py"), threads }
    }

    /// In a virtual environment in `folder`, made if it is not there.
    pub(super) fn provide(workspace: &Workspace, folder: &Path, threads: usize) -> Result<Self, Failure> {
        let environment = folder.join("pytorch");
        let python = environment.join("bin/python3");
        let ready = environment.join("ready");
        if !ready.is_file() {
            eprintln!("xtask: fetching PyTorch {EXPECTED} for the comparison");
            workspace::run(Python::find()?.command().args(["-m", "venv", "--clear"]).arg(&environment))?;
            let package = format!("torch=={EXPECTED}.0");
            workspace::run(
                Command::new(&python).args(["-m", "pip", "install", "--quiet", &package, "numpy"]),
            )?;
            std::fs::write(&ready, package).map_err(Failure::io("write", &ready))?;
        }
        Ok(Self::new(workspace, &python, threads))
    }

    pub(super) fn measure(
        &self,
        space: &str,
        task: &str,
        layout: &str,
        steps: usize,
    ) -> Result<Measured, Failure> {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args(["--space", space, "--task", task, "--layout", layout]);
        command.args(["--steps", &steps.to_string(), "--threads", &self.threads.to_string()]);
        let output = workspace::output(command.stderr(Stdio::inherit()))?;
        let unreadable = |detail: String| Failure::Unreadable { command: "bench.py".to_owned(), detail };
        let printed: Value =
            serde_json::from_slice(&output).map_err(|error| unreadable(error.to_string()))?;
        let number = |name: &str| {
            printed[name].as_f64().ok_or_else(|| unreadable(format!("there is no number `{name}`")))
        };
        Ok(Measured {
            milliseconds: number("ms_median")?,
            per_second: number("per_second")?,
            memory: number("peak_rss_mib")?,
        })
    }
}
