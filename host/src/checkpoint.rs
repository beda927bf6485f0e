//! Checkpoints: everything that a stage of training needs to go on with the same numbers.
//!
//! A checkpoint is a folder `checkpoints/STAGE-STEP`, written beside as `.STAGE-STEP.partial`, synced and renamed, so
//! that there is never half of one. `SHA256SUMS` holds the hashes of its files: damage is noticed before anything is
//! resumed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use nshot_torch::{ParameterStore, Slots};
use serde::{Deserialize, Serialize};

use crate::experiment::Pins;
use crate::failure::{Failure, Result};
use crate::run_directory::{CHECKPOINTS, LockedComponent, hash_of, sync_folder, write_atomically};

const WEIGHTS: &str = "weights.safetensors";
const SLOTS: &str = "slots.safetensors";
const STATE: &str = "state.json";
const SUMS: &str = "SHA256SUMS";

/// What a checkpoint is made of, beside the hashes of these.
const FILES: [&str; 3] = [WEIGHTS, SLOTS, STATE];

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
    /// Images that the run was trained on, once for each path.
    pub images: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    /// The last step's mean loss over its paths.
    pub loss: Option<f64>,
    /// Whether a ranking is due at this step and not done yet.
    pub rank_due: bool,
    /// Names of the supernet's parameters, in the order of the indices below.
    pub parameters: Vec<String>,
    /// Parameters that were ever reached: their indices, ascending.
    pub ever_reached: Vec<usize>,
    /// The stages as they were planned.
    pub stages: Vec<crate::boundary::StagePlan>,
    /// The choices that separate the optimizer's state.
    pub separated: Vec<u32>,
    /// The state groups.
    pub groups: BTreeMap<u64, Group>,
    /// Outcomes that the sampler is still to be told, as it asked for blocks.
    pub outcomes: Vec<crate::outcomes::Entry>,
    /// Figures that components recorded since the last step.
    pub scalars: Vec<crate::boundary::Scalar>,
    /// The components' own states, by the manifest's table.
    pub components: BTreeMap<String, ComponentState>,
    /// Length of `metrics.jsonl`, in bytes.
    pub metrics_bytes: u64,
    /// Length of `timing.jsonl`, in bytes.
    pub timing_bytes: u64,
    /// The best mean accuracy of a ranking so far, and where its checkpoint lies.
    pub best: Option<Best>,
}

impl State {
    /// Whether the component that a table names now is the one that was trained with.
    pub fn is_of(&self, table: &str, pins: &Pins) -> bool {
        self.components.get(table).map(|saved| &saved.of)
            == pins.get(table).map(LockedComponent::full_name).as_ref()
    }
}

/// A component's own state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentState {
    /// Who saved it, as `group/plugin:component`.
    pub of: String,
    /// What it saved.
    pub state: Vec<u8>,
}

/// A state group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its number among the slots.
    pub slots: u32,
    /// The updates of each parameter.
    pub updates: Vec<u64>,
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
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Its folder.
    pub folder: PathBuf,
    /// Its state.
    pub state: State,
}

impl Checkpoints {
    /// Those of a run directory.
    pub fn of(run_directory: &Path) -> Self {
        Self { folder: run_directory.join(CHECKPOINTS) }
    }

    /// Folder name of a checkpoint.
    pub fn name(stage: usize, step: u64) -> String {
        format!("{stage:04}-{step:010}")
    }

    /// Writes a checkpoint; then the others go, but for the best.
    ///
    /// # Errors
    /// A file cannot be written; the checkpoints that were there stand.
    pub fn write(&self, state: &State, store: &ParameterStore, slots: &Slots) -> Result<()> {
        let name = Self::name(state.stage, state.step);
        let whole = self.folder.join(&name);
        // Of a run that was resumed and stopped at once, the same numbers are there already.
        if !whole.exists() {
            let partial = self.partial(&name)?;
            fs::create_dir_all(&partial).map_err(|error| Failure::file("create", &partial, &error))?;
            // Each of these is synced before it has its name.
            store.save(&partial.join(WEIGHTS))?;
            slots.save(&partial.join(SLOTS), store)?;
            write_atomically(&partial.join(STATE), &serde_json::to_vec(state)?)?;
            write_atomically(&partial.join(SUMS), sums(&partial)?.as_bytes())?;
            fs::rename(&partial, &whole).map_err(|error| Failure::file("write", &whole, &error))?;
            sync_folder(&self.folder)?;
        }
        let best = state.best.as_ref().map(|best| &best.checkpoint);
        for old in self.names()? {
            if old != name && Some(&old) != best {
                // A folder with a checkpoint's name is whole also while it is being removed.
                let partial = self.partial(&old)?;
                let old = self.folder.join(old);
                fs::rename(&old, &partial).map_err(|error| Failure::file("remove", &old, &error))?;
                remove(&partial)?;
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

    /// Steps of the whole run that the newest checkpoint has done; 0 without one that can be read.
    pub fn steps_done(&self) -> u64 {
        let state = || fs::read(self.folder.join(self.names().ok()?.pop()?).join(STATE)).ok();
        let state = state().and_then(|bytes| serde_json::from_slice::<State>(&bytes).ok());
        state.map_or(0, |state| state.run_step)
    }

    /// The path of a checkpoint that is being written or removed; nothing is there.
    fn partial(&self, name: &str) -> Result<PathBuf> {
        let partial = self.folder.join(format!(".{name}.partial"));
        remove(&partial)?;
        Ok(partial)
    }

    /// Names of whole checkpoints, oldest first.
    fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::file("read", &self.folder, &error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| Failure::file("read", &self.folder, &error))?;
            names.extend(entry.file_name().into_string().ok().filter(|name| is_name(name)));
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Whether this is what [`Checkpoints::name`] gives: other things in the folder are none of ours.
fn is_name(name: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    name.split_once('-').is_some_and(|(stage, step)| digits(stage) && digits(step))
}

/// The hashes of a checkpoint's files, as `sha256sum` writes and checks them.
fn sums(folder: &Path) -> Result<String> {
    let mut lines = String::new();
    for file in FILES {
        let hash = hash_of(&folder.join(file))?;
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{hash}  {file}");
    }
    Ok(lines)
}

impl Checkpoint {
    fn read(folder: PathBuf) -> Result<Self> {
        let damaged = |problem: &str| {
            Failure::new(format!("the checkpoint `{}` is damaged: {problem}", folder.display())).hint(
                "delete that folder; `nshot resume` then goes on from an earlier checkpoint, or from the start",
            )
        };
        let found = sums(&folder).map_err(|failure| damaged(&failure.message))?;
        let expected = fs::read(folder.join(SUMS));
        let expected = expected.map_err(|error| damaged(&format!("cannot read `{SUMS}`: {error}")))?;
        if found.as_bytes() != expected {
            let expected = String::from_utf8_lossy(&expected);
            let mut wrong = FILES.iter().zip(found.lines());
            let wrong = wrong.find(|(_, line)| !expected.lines().any(|other| other == *line));
            let file = wrong.map_or(SUMS, |(file, _)| file);
            return Err(damaged(&format!("the SHA-256 of `{file}` is not the one in `{SUMS}`")));
        }
        let path = folder.join(STATE);
        let bytes = fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
        let state = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(&format!("`{STATE}` is of another version of nshot: {error}")))?;
        Ok(Self { folder, state })
    }

    /// Loads weights and slots.
    ///
    /// # Errors
    /// They do not fit the space.
    pub fn load(&self, store: &mut ParameterStore) -> Result<Slots> {
        store.load(&self.folder.join(WEIGHTS))?;
        let mut names = self.state.parameters.iter().zip(store.specs().iter());
        if let Some((saved, now)) = names.find(|(saved, now)| **saved != now.name) {
            return Err(Failure::new(format!(
                "the checkpoint `{}` was made with the parameter `{saved}` where the space declares `{}` now: the \
                 order of its parameters is another",
                self.folder.display(),
                now.name
            )));
        }
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
