//! The run manifest: everything that shapes a run, read and checked before anything else happens.
//!
//! ```text
//! file ──► TOML with places ──► `--set` overrides ──► defaults that depend on others ──► types ──► ranges
//! ```
//!
//! A [`Manifest`] remembers where each key stands, so that faults found later, by the data or by a plugin, point
//! at their line too ([`Manifest::locate`]).

mod component;
mod config;
mod overrides;
mod problem;
mod resolve;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use nshot_data::DataConfig;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};

pub use component::{Component, Use};
pub use config::{
    CALL_LIMIT, Dtype, Inactive, InitFrom, LARGEST_EPOCHS, LARGEST_STEPS, LARGEST_THREADS, Length,
    MeasureConfig, MeasureOf, RankConfig, RunConfig, SeedConfig, StandaloneConfig, TrainConfig,
};
pub(crate) use overrides::drop_alternatives;
pub use overrides::parse_override;
pub(crate) use problem::{in_words, nearest, one_of};
pub(crate) use source::read as read_text;

use source::Source;

/// A run manifest. Relative paths in it are relative to its own folder; once loaded, all are absolute, but for
/// `run.directory`, which is relative to the working directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `[run]`: name, seed, machine. Optional.
    #[serde(default)]
    pub run: RunConfig,
    /// `[seed]`: seeds for single purposes. Optional; each is `run.seed` by default.
    #[serde(default)]
    pub seed: SeedConfig,
    /// `[data]`: images and batches. Optional; the embedded `digits` by default.
    #[serde(default)]
    pub data: DataConfig,
    /// `[space]`: the search space.
    pub space: Component,
    /// `[sampler]`: draws the subnets of a step.
    pub sampler: Component,
    /// `[scheduler]`: sets the learning rate.
    pub scheduler: Component,
    /// `[optimizer]`: updates the weights.
    pub optimizer: Component,
    /// `[state]`: separates the optimizer's state. Optional; one state for all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Component>,
    /// `[train]`: how long and how.
    pub train: TrainConfig,
    /// `[rank]`: which subnets are scored. Optional; without it none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<RankConfig>,
    /// `[search]`: looks for good subnets. Optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Component>,
    /// `[standalone]`: which architectures `nshot standalone` trains alone. Optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standalone: Option<StandaloneConfig>,
    /// `[measures.NAME]`: figures of architectures from tables, such as a latency. Optional.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, MeasureConfig>,
    #[serde(skip)]
    source: Source,
}

impl Manifest {
    /// Reads a manifest, with the values of `--set` over it: pairs of a dotted key and a text that is a TOML value
    /// or, where it is none, the value itself.
    ///
    /// # Errors
    /// The file cannot be read, is no TOML, or holds an unknown key, a wrong type or a value out of range.
    pub fn load(path: &Path, overrides: &[(String, String)]) -> Result<Self> {
        Self::parse(source::read(path)?, path, overrides)
    }

    /// The same, of a resolved manifest: its own paths are absolute, those of `--set` are relative to `base`.
    ///
    /// # Errors
    /// As [`Manifest::load`].
    pub fn load_at(path: &Path, base: &Path, overrides: &[(String, String)]) -> Result<Self> {
        let (mut source, table) = Source::parse(source::read(path)?, path)?;
        source.base = Some(base.to_owned());
        Self::of_table(table, source, overrides)
    }

    /// The same, of a text that was read from `path`.
    ///
    /// # Errors
    /// As [`Manifest::load`].
    pub fn parse(text: String, path: &Path, overrides: &[(String, String)]) -> Result<Self> {
        let (source, table) = Source::parse(text, path)?;
        Self::of_table(table, source, overrides)
    }

    /// A manifest that was made of another: `text` is what was read from `path`, and keys that were laid over it stand
    /// in its table `laid_over`.
    ///
    /// # Errors
    /// As [`Manifest::load`], pointing at the lines of `text`.
    pub(crate) fn made(
        table: toml::Table,
        text: &str,
        path: &Path,
        laid_over: &str,
        overrides: &[(String, String)],
    ) -> Result<Self> {
        let (mut source, _) = Source::parse(text.to_owned(), path)?;
        source.laid_over = Some(laid_over.to_owned());
        Self::of_table(table, source, overrides)
    }

    fn of_table(mut table: toml::Table, mut source: Source, overrides: &[(String, String)]) -> Result<Self> {
        overrides::apply(&mut table, overrides, &mut source)?;
        resolve::fill(&mut table, &source)?;
        let given = table.clone();
        let mut manifest: Self =
            serde_path_to_error::deserialize(table).map_err(|error| problem::explain(&source, &error))?;
        if let Ok(read) = toml::Table::try_from(&manifest) {
            problem::refuse_lists_for_tables(&source, &given, &read, "")?;
        }
        manifest.source = source;
        resolve::check(&manifest)?;
        resolve::make_paths_absolute(&mut manifest);
        Ok(manifest)
    }

    /// The manifest with every default filled in and every path absolute, as a run directory keeps it. Loading it
    /// gives the same manifest again.
    ///
    /// # Errors
    /// A path that is not UTF-8.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| {
            Failure::new(format!("cannot write the resolved form of `{}`: {error}", self.path().display()))
        })
    }

    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.source.path
    }

    /// The folder that relative paths start from.
    pub fn base(&self) -> &Path {
        self.source.base()
    }

    /// The line, from 1, where a key such as `space.channels` stands, or else the table that it belongs to. None for
    /// a key that `--set` gave, or whose table is absent.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        self.source.line_of(key)
    }

    /// The same for a result.
    ///
    /// # Errors
    /// The failure, with the place of the key that is to blame.
    pub fn located<T>(&self, key: &str, result: Result<T>) -> Result<T> {
        result.map_err(|failure| self.locate(key, failure))
    }

    /// Whether `--set` gave a key.
    pub fn is_overridden(&self, key: &str) -> bool {
        self.source.is_overridden(key)
    }

    /// Puts the place of a key in front of a failure that the key is to blame for, and shows its line.
    #[must_use]
    pub fn locate(&self, key: &str, failure: Failure) -> Failure {
        self.source.locate(key, failure)
    }
}
