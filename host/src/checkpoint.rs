//! Checkpoints: everything that a stage of training needs to go on with the same numbers.
//!
//! A checkpoint is a folder `checkpoints/STAGE-STEP`, written beside, synced and renamed, so that there is never half
//! of one. `state.json` holds the hashes of the other files: damage is noticed before anything is resumed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nshot_loader::Hash;
use nshot_torch::{ParameterStore, Slots};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};
use crate::run_directory::{sync_folder, write_atomically};

const WEIGHTS: &str = "weights.safetensors";
const SLOTS: &str = "slots.safetensors";
const STATE: &str = "state.json";

/// What a checkpoint holds beside tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Index of the stage.
    pub stage: usize,
    /// Steps of the stage that are done.
    pub step: u64,
    /// Steps of the whole run that are done.
    pub run_step: u64,
    /// Parameters that were ever reached, by index.
    pub ever_reached: Vec<usize>,
    /// For each state group, the updates of each parameter.
    pub updates: BTreeMap<u32, Vec<u64>>,
    /// Outcomes that the sampler is still to be told, as it asked for blocks.
    pub outcomes: Vec<crate::outcomes::Entry>,
    /// Figures that components recorded since the last step.
    pub scalars: Vec<crate::boundary::Scalar>,
    /// The components' own states.
    pub components: BTreeMap<String, Vec<u8>>,
    /// Length of `metrics.jsonl`, in bytes.
    pub metrics_bytes: u64,
    /// Length of `timing.jsonl`, in bytes.
    pub timing_bytes: u64,
    /// The best mean accuracy of a ranking so far, and where its checkpoint lies.
    pub best: Option<Best>,
    /// SHA-256 of the other files.
    pub files: BTreeMap<String, String>,
}

/// The best ranking so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Mean accuracy over the ranked subnets, 0 to 1.
    pub mean_accuracy: f64,
    /// The checkpoint's folder name.
    pub checkpoint: String,
}

/// The checkpoints of a run directory.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
}

/// A checkpoint that was read and is whole.
#[derive(Debug)]
pub struct Checkpoint {
    /// Its folder.
    pub folder: PathBuf,
    /// Its state.
    pub state: State,
}

impl Checkpoints {
    /// Those of a run directory.
    pub fn of(run_directory: &Path) -> Self {
        Self { folder: run_directory.join("checkpoints") }
    }

    /// Folder name of a checkpoint.
    pub fn name(stage: usize, step: u64) -> String {
        format!("{stage:04}-{step:010}")
    }

    /// Writes a checkpoint; then the others go, but for the best.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, mut state: State, store: &ParameterStore, slots: &Slots) -> Result<()> {
        let name = Self::name(state.stage, state.step);
        let partial = self.folder.join(format!(".{name}.partial"));
        let failed = |path: &Path, error: std::io::Error| Failure::file("write", path, &error);
        remove(&partial)?;
        fs::create_dir_all(&partial).map_err(|error| failed(&partial, error))?;
        store.save(&partial.join(WEIGHTS))?;
        slots.save(&partial.join(SLOTS), store)?;
        state.files.clear();
        for file in [WEIGHTS, SLOTS] {
            let bytes = fs::read(partial.join(file)).map_err(|error| failed(&partial, error))?;
            state.files.insert(file.to_owned(), Hash::of(&bytes).to_string());
        }
        let text = serde_json::to_vec(&state)?;
        write_atomically(&partial.join(STATE), &text)?;
        for file in [WEIGHTS, SLOTS] {
            let path = partial.join(file);
            fs::File::open(&path).and_then(|file| file.sync_all()).map_err(|error| failed(&path, error))?;
        }
        sync_folder(&partial)?;
        let whole = self.folder.join(&name);
        if whole.exists() {
            // A run that was resumed and stopped at once: the same numbers are there already.
            return remove(&partial);
        }
        fs::rename(&partial, &whole).map_err(|error| failed(&whole, error))?;
        sync_folder(&self.folder)?;
        let best = state.best.map(|best| best.checkpoint);
        for old in self.names()? {
            if old != name && Some(&old) != best.as_ref() {
                remove(&self.folder.join(old))?;
            }
        }
        Ok(())
    }

    /// The newest checkpoint; none if there is none yet.
    ///
    /// # Errors
    /// It is damaged.
    pub fn newest(&self) -> Result<Option<Checkpoint>> {
        self.names()?.pop().map(|name| Checkpoint::read(self.folder.join(name))).transpose()
    }

    /// Names of whole checkpoints, oldest first.
    fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::file("read", &self.folder, &error)),
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort_unstable();
        Ok(names)
    }
}

impl Checkpoint {
    fn read(folder: PathBuf) -> Result<Self> {
        let damaged = |file: &str, problem: &str| {
            Failure::new(format!("the checkpoint file `{}` {problem}", folder.join(file).display())).hint(format!(
                "delete the folder `{}`; `nshot resume` then goes on from an earlier checkpoint, or from the start",
                folder.display()
            ))
        };
        let read = |file: &str| {
            fs::read(folder.join(file)).map_err(|error| damaged(file, &format!("cannot be read: {error}")))
        };
        let state: State = serde_json::from_slice(&read(STATE)?)
            .map_err(|error| damaged(STATE, &format!("is damaged: {error}")))?;
        for file in [WEIGHTS, SLOTS] {
            let (found, expected) = (Hash::of(&read(file)?).to_string(), state.files.get(file));
            if expected != Some(&found) {
                let expected = expected.map_or("none", String::as_str);
                return Err(damaged(
                    file,
                    &format!("is damaged: its SHA-256 is {found}, expected {expected}"),
                ));
            }
        }
        Ok(Self { folder, state })
    }

    /// Loads weights and slots.
    ///
    /// # Errors
    /// They do not fit the space.
    pub fn load(&self, store: &mut ParameterStore) -> Result<Slots> {
        store.load(&self.folder.join(WEIGHTS))?;
        Ok(Slots::load(&self.folder.join(SLOTS), store)?)
    }
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file("remove", folder, &error)),
    }
}
