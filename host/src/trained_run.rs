//! A run whose supernets are trained, opened to rank, search or export with them.

use std::path::Path;

use crate::checkpoint::Checkpoints;
use crate::execute;
use crate::experiment::{Experiment, Parts};
use crate::failure::{Failure, Result};
use crate::manifest::Manifest;
use crate::plugins::Plugins;
use crate::provenance;
use crate::run_directory::{MANIFEST, RunDirectory, write_atomically};
use crate::train::weights_path;

/// A trained run.
pub struct TrainedRun {
    /// What the experiment is made of.
    pub parts: Parts,
    /// The experiment, with the stages that were trained.
    pub experiment: Experiment,
    /// The run directory, held.
    pub directory: RunDirectory,
}

impl TrainedRun {
    /// Opens a run directory with keys of some of its manifest's tables set anew.
    ///
    /// # Errors
    /// A key of another table, or with a wrong value; the run is not trained, or what it was made of has changed.
    pub fn open(path: &Path, overrides: &[(String, String)], tables: &[&str]) -> Result<Self> {
        let ours = |key: &str| tables.contains(&key.split('.').next().unwrap_or_default());
        if let Some((key, _)) = overrides.iter().find(|(key, _)| !ours(key)) {
            let tables: Vec<String> = tables.iter().map(|table| format!("`[{table}]`")).collect();
            return Err(Failure::usage(format!("`{key}` was settled when the run was trained"))
                .hint(format!("keys of {} may be set", tables.join(", "))));
        }
        let directory = RunDirectory::open(path)?;
        let lock = directory.lock()?;
        directory.warn_of_other_manifest(&lock)?;
        let manifest = Manifest::load_at(&directory.join(MANIFEST), Path::new("."), overrides)?;
        execute::refuse_standalone(&manifest)?;
        let mut pins = lock.components.clone();
        if overrides.iter().any(|(key, _)| key == "search" || key.starts_with("search.use")) {
            pins.remove("search");
        }
        let parts = Parts::open(manifest, &Plugins::open()?, Some(&pins))?;
        let mut experiment = parts.experiment(parts.manifest.clone())?;
        provenance::compare_files(&lock, experiment.data.files(), "run")?;
        if let Some(checkpoint) = Checkpoints::of(path).newest()? {
            experiment.restore_plan(&checkpoint.state)?;
        }
        for stage in &experiment.stages {
            if !weights_path(path, &stage.name).is_file() {
                let text = format!(
                    "the run in `{}` is not trained: `{}` has no supernet yet",
                    path.display(),
                    stage.name
                );
                return Err(Failure::new(text).hint(format!("`nshot resume {}` makes it", path.display())));
            }
        }
        Ok(Self { parts, experiment, directory })
    }
}

/// Keeps a manifest in the folder of what is done with it; another manifest's folder is refused.
pub(crate) fn keep_manifest(folder: &Path, manifest: &Manifest, name: &str) -> Result<()> {
    let (path, text) = (folder.join(MANIFEST), manifest.to_toml()?);
    let Ok(there) = std::fs::read_to_string(&path) else {
        if has_results(folder) {
            let unknown =
                format!("`{}` has results, but no `{MANIFEST}` to tell of what settings", folder.display());
            return Err(Failure::new(unknown).hint("give this one another `--name`, or remove that folder"));
        }
        return write_atomically(&path, text.as_bytes());
    };
    let Some(differs) = difference(&there, &text) else { return Ok(()) };
    Err(Failure::new(format!("`{name}` was done with other settings in this run: {differs}"))
        .hint(format!("give this one another `--name`, or remove `{}`", folder.display())))
}

/// Whether a folder holds scores: a table that is not empty.
fn has_results(folder: &Path) -> bool {
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| {
        let is_table = entry.path().extension().is_some_and(|ending| ending == "csv");
        is_table && entry.metadata().is_ok_and(|file| file.len() > 0)
    })
}

/// What failed before anything came of it leaves no settings behind that the next one would have to have.
pub(crate) fn forget_manifest(folder: &Path) {
    if !has_results(folder) {
        // What was wrong is told anyway; a file that stays is told of next time.
        let _ = std::fs::remove_file(folder.join(MANIFEST));
    }
}

/// A line in which two resolved manifests differ; where the run lies is no part of what it computes.
pub(crate) fn difference(there: &str, here: &str) -> Option<String> {
    let lines = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("directory = "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (there, here) = (lines(there), lines(here));
    if there == here {
        return None;
    }
    let missing = |of: &[String], from: &[String]| of.iter().find(|line| !from.contains(line)).cloned();
    match (missing(&there, &here), missing(&here, &there)) {
        (Some(there), Some(here)) => Some(format!("`{there}`, now `{here}`")),
        (Some(there), None) => Some(format!("`{there}`, now none")),
        (None, Some(here)) => Some(format!("none, now `{here}`")),
        (None, None) => Some("their order".to_owned()),
    }
}
