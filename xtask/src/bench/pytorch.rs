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
    scripts: PathBuf,
    threads: usize,
}

/// What the script prints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    /// The median of what was timed, in ms: a step, a part of one, or an architecture's ranking.
    pub(super) milliseconds: f64,
    /// Images, or architectures, a second.
    pub(super) per_second: f64,
    /// The greatest resident memory, in MiB.
    pub(super) memory: f64,
}

impl PyTorch {
    pub(super) fn new(workspace: &Workspace, python: &Path, threads: usize) -> Self {
        Self { python: python.to_owned(), scripts: workspace.root().join("xtask/pytorch"), threads }
    }

    /// In a virtual environment in `folder`, made if it is not there; with torchvision if that is asked for.
    pub(super) fn provide(
        workspace: &Workspace,
        folder: &Path,
        threads: usize,
        torchvision: bool,
    ) -> Result<Self, Failure> {
        let environment = folder.join("pytorch");
        let python = environment.join("bin/python3");
        // torchvision goes with one version of PyTorch: given that, pip finds it.
        let torch = format!("torch=={EXPECTED}.0");
        let install = |packages: &[&str], ready: &str| {
            let ready = environment.join(ready);
            if ready.is_file() {
                return Ok(());
            }
            eprintln!("xtask: fetching {} for the comparison", packages.join(", "));
            if !python.is_file() {
                workspace::run(Python::find()?.command().args(["-m", "venv", "--clear"]).arg(&environment))?;
            }
            let pip = ["-m", "pip", "install", "--quiet"];
            workspace::run(Command::new(&python).args(pip).args(packages))?;
            std::fs::write(&ready, packages.join("\n")).map_err(Failure::io("write", &ready))
        };
        install(&[&torch, "numpy"], "ready")?;
        if torchvision {
            install(&[&torch, "torchvision", "pillow"], "ready-torchvision")?;
        }
        Ok(Self::new(workspace, &python, threads))
    }

    /// What bench.py says when called so.
    pub(super) fn measure(&self, arguments: &[&str], steps: usize) -> Result<Measured, Failure> {
        let numbers = [steps.to_string(), self.threads.to_string()];
        let all = [arguments, &["--steps", &numbers[0], "--threads", &numbers[1]]].concat();
        let printed = self.script("bench.py", &all)?;
        Ok(Measured {
            milliseconds: number(&printed, "ms_median")?,
            per_second: number(&printed, "per_second")?,
            memory: number(&printed, "peak_rss_mib")?,
        })
    }

    /// Images a second that torchvision gives from the JPEG files of a folder; made if it is not there.
    pub(super) fn images(&self, folder: &Path, workers: usize) -> Result<f64, Failure> {
        let folder = folder.display().to_string();
        let printed = self.script("images.py", &["--folder", &folder, "--workers", &workers.to_string()])?;
        number(&printed, "per_second")
    }

    fn script(&self, name: &str, arguments: &[&str]) -> Result<Value, Failure> {
        let mut command = Command::new(&self.python);
        command.arg(self.scripts.join(name)).args(arguments);
        let output = workspace::output(command.stderr(Stdio::inherit()))?;
        serde_json::from_slice(&output)
            .map_err(|error| Failure::Unreadable { command: name.to_owned(), detail: error.to_string() })
    }
}

fn number(printed: &Value, name: &str) -> Result<f64, Failure> {
    printed[name].as_f64().ok_or_else(|| Failure::Unreadable {
        command: "the script".to_owned(),
        detail: format!("there is no number `{name}`"),
    })
}
