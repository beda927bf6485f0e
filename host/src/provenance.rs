//! What a run is made of, as its manifest and its lock keep it, and whether it still is.

use nshot_data::FileRecord;
use nshot_loader::Hash;

use crate::experiment::{Experiment, weights_of};
use crate::failure::{Failure, Result};
use crate::manifest::Manifest;
use crate::progress::say;
use crate::run_directory::{Lock, Machine};

/// The manifest with what the machine and the data add to it.
pub(crate) fn resolved(experiment: &Experiment) -> Manifest {
    let mut resolved = experiment.manifest.clone();
    resolved.data = experiment.data.resolved().clone();
    // `auto` may be another device where the run is resumed.
    resolved.run.device = experiment.device.to_string();
    resolved
}

/// What the run is made of.
pub(crate) fn lock(experiment: &Experiment) -> Result<Lock> {
    let mut files = experiment.data.files().to_vec();
    let manifest = &experiment.manifest;
    let rank = manifest.rank.as_ref().map(|rank| [rank.architectures.clone(), rank.table.clone()]);
    let measures = manifest.measures.values().map(|measure| measure.table.clone());
    let weights = manifest.train.init_from.as_ref().map(weights_of).transpose()?;
    for path in rank.into_iter().flatten().flatten().chain(measures).chain(weights) {
        let bytes = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
        let (sha256, bytes) = (Hash::of(&bytes).to_string(), bytes.len() as u64);
        files.push(FileRecord { path, sha256, bytes });
    }
    Ok(Lock {
        machine: Machine::this(&nshot_torch::versions(), &experiment.device.to_string()),
        components: experiment.pins.clone(),
        data: files,
        ..Lock::default()
    })
}

/// Files that a run or a search, `what`, was made of must be as they were.
pub(crate) fn compare_files(lock: &Lock, files: &[FileRecord], what: &str) -> Result<()> {
    let Some(changed) = files.iter().find(|file| !lock.data.contains(file)) else { return Ok(()) };
    let text = format!("the file `{}` is not the one that the {what} began with", changed.path.display());
    Err(Failure::new(text).hint(format!("restore the file, or start the {what} anew")))
}

/// What a run was made of must be what it is resumed with.
pub(crate) fn compare(lock: &Lock, experiment: &Experiment) -> Result<()> {
    let now = self::lock(experiment)?;
    compare_files(lock, &now.data, "run")?;
    compare_machines(lock, &now);
    Ok(())
}

/// What a run is made of must be what the lock says that is given for it.
pub(crate) fn compare_locked(given: &Lock, experiment: &Experiment) -> Result<()> {
    let now = lock(experiment)?;
    given.compare_contents(&now)?;
    compare_machines(given, &now);
    Ok(())
}

/// Another machine may round differently.
pub(crate) fn compare_machines(lock: &Lock, now: &Lock) {
    let versions = (&lock.nshot, &now.nshot);
    let (then, now) = (&lock.machine, &now.machine);
    let pairs = [
        ("nshot", versions.0, versions.1),
        ("libtorch", &then.libtorch, &now.libtorch),
        ("the processor", &then.cpu, &now.cpu),
        ("the CPU kernels", &then.cpu_capability, &now.cpu_capability),
        ("the device", &then.device, &now.device),
    ];
    for (what, then, now) in pairs {
        if then != now {
            say(&format!(
                "warning: {what} was `{then}`, now it is `{now}`: numbers may differ in the last bits"
            ));
        }
    }
}
