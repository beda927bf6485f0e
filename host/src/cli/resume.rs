//! `nshot resume`.

use std::path::PathBuf;

use nshot::execute::{self, Ending, Options};
use nshot::signals;

use super::Outcome;

/// Goes on with a run that was stopped or killed, from its last checkpoint.
///
/// It uses the plugins that the run began with, also if they were built anew since. On a CPU the results are those of a
/// run that was never stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot resume runs/first-run")]
pub(super) struct Arguments {
    /// The run directory.
    directory: PathBuf,
    /// Say nothing but errors; the result is printed all the same.
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &Arguments) -> Outcome {
    let options = Options { quiet: arguments.quiet, dry_run: false, json: arguments.json };
    signals::install()?;
    execute::resume(&arguments.directory, options).map(Ending::exit_status)
}
