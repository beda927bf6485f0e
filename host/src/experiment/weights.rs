//! Where initial weights come from.

use std::path::PathBuf;

use crate::failure::{Failure, Result};
use crate::manifest::InitFrom;
use crate::run_directory::{SUPERNETS, is_run};
use crate::train::check_supernet;

/// The file with the weights.
///
/// # Errors
/// The run is none, is not trained, or has several supernets of which none is named.
pub(crate) fn of(from: &InitFrom) -> Result<PathBuf> {
    if let Some(file) = &from.file {
        return Ok(file.clone());
    }
    let run = from.run.clone().unwrap_or_default();
    if !is_run(&run) {
        return Err(Failure::usage(format!("`{}` is no run directory", run.display())));
    }
    let folder = run.join(SUPERNETS);
    let mut stages = Vec::new();
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        stages.extend(
            name.strip_suffix(".safetensors").filter(|name| !name.starts_with('.')).map(str::to_owned),
        );
    }
    stages.sort();
    let stage = match (&from.stage, &stages[..]) {
        (_, []) => {
            return Err(Failure::usage(format!("the run in `{}` has no trained supernet", run.display()))
                .hint(format!("nshot resume {}", run.display())));
        }
        (Some(stage), all) if all.contains(stage) => stage,
        (None, [only]) => only,
        (asked, all) => {
            let text = match asked {
                Some(stage) => format!("the run in `{}` has no stage `{stage}`", run.display()),
                None => format!("the run in `{}` has {} supernets", run.display(), all.len()),
            };
            return Err(Failure::usage(text).hint(format!("set `stage` to one of {}", all.join(", "))));
        }
    };
    Ok(folder.join(format!("{stage}.safetensors")))
}

/// Refuses a run's supernet that is not as it was kept.
///
/// # Errors
/// It was changed, and those of [`of`].
pub(super) fn check(from: &InitFrom) -> Result<()> {
    if from.run.is_none() { Ok(()) } else { check_supernet(&of(from)?) }
}
