//! A short training with the component in it, in a folder that is removed: twice the same, and the same when it is
//! stopped in the middle and resumed.

use std::path::Path;

use super::ground::{Case, STEPS};
use super::report::{Checks, Ended};
use crate::checkpoint::Checkpoints;
use crate::experiment::Experiment;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::progress::Progress;
use crate::provenance::{lock, resolved};
use crate::run_directory::{METRICS, RunDirectory};
use crate::train::{self, weights_path};
use crate::watchdog::Scratch;

pub(super) fn check(case: &Case, checks: &mut Checks) {
    checks.run("training", || {
        let folder = Scratch::new()?;
        let at = |name: &str| folder.path().join(name);
        run(case, &at("one"), None)?;
        run(case, &at("other"), None)?;
        same(case, &at("one"), &at("other"), "a second run of the same seed")?;
        run(case, &at("resumed"), Some(STEPS / 2))?;
        run(case, &at("resumed"), None)?;
        let text = format!("a run that was stopped after step {} and resumed", STEPS / 2);
        same(case, &at("one"), &at("resumed"), &text)?;
        Ok(format!("{STEPS} steps, twice, and stopped and resumed"))
    });
}

/// Trains in a folder, from the checkpoint in it if there is one.
fn run(case: &Case, path: &Path, stop_after: Option<u64>) -> Result<(), Ended> {
    let parts = case.parts()?;
    let mut manifest = parts.manifest.clone();
    manifest.train.stop_after = stop_after;
    let mut experiment = parts.experiment(manifest)?;
    let newest = if path.exists() { Checkpoints::of(path).newest()? } else { None };
    let directory = match &newest {
        None => RunDirectory::create(path, &resolved(&experiment).to_toml()?, &lock(&experiment)?)?,
        Some(checkpoint) => {
            experiment.restore_plan(&checkpoint.state)?;
            RunDirectory::open(path)?
        }
    };
    let mut output = Output::open(directory, newest.as_ref())?;
    let mut progress = Progress::start("check", STEPS, true);
    train::train(&mut experiment, &mut output, newest, &mut progress)?;
    Ok(())
}

/// Figures and weights are the same, byte for byte.
fn same(case: &Case, expected: &Path, found: &Path, what: &str) -> Result<(), Ended> {
    let (info, experiment) = (&case.info, case.experiment()?);
    let differs =
        |text: String| Failure::new(format!("with the {} `{}`, {what} {text}", info.kind, info.name));
    let read = |path: &Path| std::fs::read_to_string(path.join(METRICS));
    let (wanted, got) = (read(expected)?, read(found)?);
    if let Some((line, (wanted, got))) =
        wanted.lines().zip(got.lines()).enumerate().find(|(_, (a, b))| a != b)
    {
        return Err(differs(format!(
            "differs in line {} of {METRICS}: {}",
            line + 1,
            difference(got, wanted)
        ))
        .into());
    }
    if wanted.lines().count() != got.lines().count() {
        let (got, wanted) = (got.lines().count(), wanted.lines().count());
        return Err(differs(format!("has {got} lines in {METRICS}, expected {wanted}")).into());
    }
    for stage in stages(&experiment) {
        let read = |path: &Path| std::fs::read(weights_path(path, stage));
        if read(expected)? != read(found)? {
            return Err(differs(format!("ends with other weights of the supernet `{stage}`")).into());
        }
    }
    Ok(())
}

fn stages(experiment: &Experiment) -> impl Iterator<Item = &str> {
    experiment.stages.iter().map(|stage| stage.name.as_str())
}

/// The first figure in which two lines differ.
fn difference(got: &str, wanted: &str) -> String {
    let parse = |text: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
    let (Ok(got), Ok(wanted)) = (parse(got), parse(wanted)) else { return String::new() };
    // What a component decided comes before what followed from it.
    let decided = ["paths", "state_group", "factor", "scalars"].map(|key| wanted.get_key_value(key));
    let mut figures = decided.into_iter().flatten().chain(&wanted);
    let differs = figures.find(|(key, value)| got.get(*key) != Some(value));
    differs.map_or_else(String::new, |(key, value)| {
        let found = got.get(key).map_or_else(|| "nothing".to_owned(), ToString::to_string);
        format!("`{key}` is {found}, expected {value}")
    })
}
