//! The host's own tables of a manifest.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The most threads that libtorch is given.
pub const LARGEST_THREADS: usize = 1024;
/// The most epochs; a typing error beyond it would only overflow the number of steps.
pub const LARGEST_EPOCHS: u64 = 1_000_000_000;
/// The most steps.
pub const LARGEST_STEPS: u64 = 1_000_000_000_000;

/// `run.call_limit` where it is not set, in seconds.
pub const CALL_LIMIT: u64 = 600;

/// `[run]`: name, seed, machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// The run's name: letters, digits, `-`, `_` and `.`, at most 100. Default: the manifest's file name without
    /// `.toml`.
    pub name: String,
    /// The seed of all random numbers, but for those of `[seed]` and the data split. Default: 0.
    pub seed: u64,
    /// `auto` (the first CUDA device, else the CPU), `cpu`, `cuda` or `cuda:1`. Default: `auto`.
    pub device: String,
    /// The type of weights and activations. Default: `float32`.
    pub dtype: Dtype,
    /// Threads that one operation on the CPU uses, 1 to 1024. Results depend on it in the last bits. Default: the
    /// processors at hand.
    pub threads: usize,
    /// The longest call of a plugin, in seconds: one that lasts longer ends the run, at its last checkpoint. Default: 600.
    pub call_limit: u64,
    /// The run directory, relative to the working directory. Default: `runs/NAME`.
    pub directory: PathBuf,
}

/// The type of weights and activations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32 bits.
    #[default]
    Float32,
    /// 64 bits, for exact comparisons.
    Float64,
}

/// `[seed]`: the seeds for single purposes; each is `run.seed` by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedConfig {
    /// The order of training images. Default: `run.seed`.
    pub data: u64,
    /// The initial weights. Default: `run.seed`.
    pub init: u64,
    /// The subnets that training and ranking draw. Default: `run.seed`.
    pub sampling: u64,
    /// Flips, crops and cutouts. Default: `run.seed`.
    pub augmentation: u64,
}

impl SeedConfig {
    /// One seed for all purposes.
    pub fn set_all(&mut self, seed: u64) {
        *self = Self { data: seed, init: seed, sampling: seed, augmentation: seed };
    }
}

/// `[train]`: how long and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training images. Either this or `steps`; 0 only ranks what `init_from` gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Updates of the weights. Either this or `epochs`; 0 only ranks what `init_from` gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// The base learning rate, which the scheduler's factor multiplies.
    pub lr: f64,
    /// The greatest 2-norm of a step's gradient, which is scaled down to it. Default: not clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// What happens to parameters that a step does not reach. Default: `skip`.
    #[serde(default)]
    pub inactive: Inactive,
    /// The narrower type in which convolutions and linear layers train. Default: `run.dtype`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autocast: Option<Autocast>,
    /// The backward pass computes most activations again instead of keeping them: the same numbers, less memory, more
    /// time. Default: no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recompute: bool,
    /// Initial weights from a file. Default: drawn from `seed.init`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_from: Option<InitFrom>,
    /// Ends the run after so many steps, with the schedule of the whole length. Default: the whole length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<u64>,
    /// Steps between two lines of `metrics.jsonl`. Default: 1.
    #[serde(default = "one")]
    pub log_every: u64,
    /// Steps between two checkpoints. Default: an epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<u64>,
}

/// A narrower type for some operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Autocast {
    /// Convolutions and linear layers round their inputs and weights to bfloat16, and their gradients. Weights, their
    /// updates, norms, losses and rankings stay in float32.
    Bfloat16,
}

/// What happens to parameters that a step does not reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inactive {
    /// Nothing: they and their state stay as they are.
    #[default]
    Skip,
    /// They are updated with a gradient of zero, so that decay and momentum go on.
    Decay,
}

/// Initial weights from a safetensors file, or from a trained run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitFrom {
    /// The file. Either this or `run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The directory of a trained run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<PathBuf>,
    /// The stage of that run whose supernet is meant. Default: its only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Rules from names in the file to names of parameters. Default: names stay.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
}

/// How long a run trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Passes over the training images.
    Epochs(u64),
    /// Updates of the weights.
    Steps(u64),
}

/// `[rank]`: which subnets are scored, on what, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankConfig {
    /// So many subnets, drawn at random. Either this or `architectures`. Default, without either and without `table`:
    /// 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnets: Option<u64>,
    /// A file with the subnets' texts, one a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architectures: Option<PathBuf>,
    /// A table of trained accuracies, which the ranking is compared with: a CSV file with a column `arch`, or a list
    /// (`.json`, or a pickle: `.pkl`, `.pickle`, `.p`) in the space's order. Its architectures are ranked where neither
    /// `architectures` nor `subnets` is given; `subnets` draws some of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<PathBuf>,
    /// The table's columns of accuracies: one, or a list. Default: `accuracy`, or the only one that there is.
    #[serde(default, deserialize_with = "one_or_more", skip_serializing_if = "Vec::is_empty")]
    pub column: Vec<String>,
    /// Classes of the task that each of the columns is of, for what counts as chance. Default: those of the data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<u32>,
    /// The table's column that marks the architectures to compare on with `1` or `true`. Default: all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Training batches from which each subnet's running statistics are taken anew before it is scored. Default: 0, the
    /// supernet's own.
    #[serde(default)]
    pub recalibrate: usize,
    /// Epochs between two rankings. Default: 0, at the end alone.
    #[serde(default)]
    pub every: u64,
    /// Images in a batch. Default: 256.
    #[serde(default = "rank_batch")]
    pub batch_size: usize,
    /// The most images to rank on. Default: all that `data.split` holds for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// How many of the best are printed. Default: 10.
    #[serde(default = "ten")]
    pub top: usize,
}

/// `[standalone]`: which architectures are trained alone, each from scratch, to get a table of trained accuracies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandaloneConfig {
    /// So many architectures: drawn at random, different networks, connected, evenly from 20 strata of `stratify`. Either
    /// this or `architectures`. Default, without either: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// A file with the architectures' texts, one a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architectures: Option<PathBuf>,
    /// The measure over which drawn architectures are spread. Default: `macs`.
    #[serde(default = "macs")]
    pub stratify: String,
    /// The seeds; each architecture is trained with each. Default: 0 and 1.
    #[serde(default = "two_seeds")]
    pub seeds: Vec<u64>,
}

/// `[measures.NAME]`: a figure of architectures that a table gives, such as the latency on a device. Components use it by
/// its name, as they use `weights`, `params` and `macs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasureConfig {
    /// The table, a CSV file.
    pub table: PathBuf,
    /// What a line of it is about. Default: `architecture`.
    #[serde(default)]
    pub per: MeasureOf,
    /// The column with the figure. Default: the measure's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// What a line of a measure's table is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MeasureOf {
    /// An architecture, in the column `arch`.
    #[default]
    Architecture,
    /// An option of a choice, in the columns `choice` and `option`; a subnet's figure is the sum over its options.
    Option,
}

impl Default for RunConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            name: "run".to_owned(),
            seed: 0,
            device: "auto".to_owned(),
            dtype: Dtype::default(),
            threads: cores.min(LARGEST_THREADS),
            call_limit: CALL_LIMIT,
            directory: "runs/run".into(),
        }
    }
}

impl TrainConfig {
    /// How long the run trains.
    pub fn length(&self) -> Length {
        match (self.epochs, self.steps) {
            (Some(epochs), _) => Length::Epochs(epochs),
            (None, steps) => Length::Steps(steps.unwrap_or_default()),
        }
    }
}

impl Dtype {
    /// Its name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        }
    }
}

fn one() -> u64 {
    1
}

fn ten() -> usize {
    10
}

fn rank_batch() -> usize {
    256
}

fn macs() -> String {
    "macs".to_owned()
}

fn two_seeds() -> Vec<u64> {
    vec![0, 1]
}

/// A text, or a list of texts.
fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum Names {
        One(String),
        More(Vec<String>),
    }
    Ok(match Names::deserialize(from)? {
        Names::One(name) => vec![name],
        Names::More(names) => names,
    })
}
