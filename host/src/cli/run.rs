//! `nshot run`.

use std::path::PathBuf;

use nshot::execute::{self, Ending, Options};
use nshot::signals;

use super::{Outcome, manifest};

/// Trains a supernet as a manifest says and ranks its subnets.
///
/// Everything is checked before the first step: keys, plugins and their settings, data, device, shapes. Ctrl-C stops at
/// the next step with a checkpoint; `nshot resume` goes on.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:  nshot run examples/first-run.toml --set train.epochs=2 --directory runs/short"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    from: manifest::Arguments,
    /// The run directory, in place of the manifest's.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Run from the plugin files and data of this lock (`lock.json` of a run), or say what differs.
    #[arg(long, value_name = "LOCK")]
    locked: Option<PathBuf>,
    /// Say nothing but errors; the result is printed all the same.
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &Arguments) -> Outcome {
    let manifest = arguments.from.load(arguments.directory.as_deref())?;
    let (quiet, dry_run, json) = (arguments.quiet, arguments.from.dry_run, arguments.json);
    signals::install()?;
    execute::run(manifest, arguments.locked.as_deref(), Options { quiet, dry_run, json })
        .map(Ending::exit_status)
}
