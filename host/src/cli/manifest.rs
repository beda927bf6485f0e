//! What commands that take a manifest have in common.

use std::path::{Path, PathBuf};

use nshot::failure::Result;
use nshot::manifest::{Manifest, parse_override};

/// A manifest, as the command line names it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The manifest, a TOML file.
    #[arg(value_name = "MANIFEST")]
    pub(super) manifest: PathBuf,
    /// Check everything, say what would run, and stop before it starts.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Another value for a key of the manifest: a TOML value, else a text. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    pub(super) overrides: Vec<(String, String)>,
}

impl Arguments {
    /// Reads it, for a run directory in place of its own.
    pub(super) fn load(&self, directory: Option<&Path>) -> Result<Manifest> {
        let mut manifest = Manifest::load(&self.manifest, &self.overrides)?;
        if let Some(directory) = directory {
            directory.clone_into(&mut manifest.run.directory);
        }
        Ok(manifest)
    }
}
