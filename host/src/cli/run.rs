//! `nshot run`.

use std::path::PathBuf;

use nshot::execute::{self, Ending, Options};
use nshot::manifest::parse_override;
use nshot::signals;

use super::Outcome;

/// Trains a supernet as a manifest says and ranks its subnets.
///
/// Everything is checked before the first step: keys, plugins and their settings, data, device, shapes. Ctrl-C stops at
/// the next step with a checkpoint; `nshot resume` goes on.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:  nshot run examples/first-run.toml --set train.epochs=2 --directory runs/short"
)]
pub(super) struct Arguments {
    /// The manifest, a TOML file.
    manifest: PathBuf,
    /// Check everything, say what would run, and stop before the first step.
    #[arg(long)]
    dry_run: bool,
    /// Another value for a key of the manifest: a TOML value, else a text. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    overrides: Vec<(String, String)>,
    /// The run directory, in place of the manifest's.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Say nothing but errors; the result is printed all the same.
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &Arguments) -> Outcome {
    let manifest = super::load(&arguments.manifest, &arguments.overrides, arguments.directory.as_deref())?;
    let (quiet, dry_run, json) = (arguments.quiet, arguments.dry_run, arguments.json);
    signals::install()?;
    execute::run(manifest, Options { quiet, dry_run, json }).map(Ending::exit_status)
}
