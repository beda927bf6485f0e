//! `nshot standalone`.

use std::path::PathBuf;

use nshot::execute::Ending;
use nshot::{signals, standalone};

use super::{Outcome, manifest};

/// Trains single architectures from scratch, and writes a table of their accuracies.
///
/// The manifest's `[standalone]` says which and with which seeds; the rest of it is the recipe. The table is what
/// `[rank] table` compares a supernet's ranking with. Given again, the command goes on where it was stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot standalone examples/ground-truth.toml --jobs 2")]
pub(super) struct Arguments {
    #[command(flatten)]
    from: manifest::Arguments,
    /// The run directory, in place of the manifest's.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Train with the plugin files and data of this lock (`lock.json` of such a run), or say what differs.
    #[arg(long, value_name = "LOCK")]
    locked: Option<PathBuf>,
    /// Trainings beside each other. Default: as many as there are processors for `run.threads` each.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Say nothing but errors; the result is printed all the same.
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &Arguments) -> Outcome {
    let manifest = arguments.from.load(arguments.directory.as_deref())?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.map_or_else(|| (cores / manifest.run.threads).max(1), usize::from);
    let (dry_run, quiet, json) = (arguments.from.dry_run, arguments.quiet, arguments.json);
    let options = standalone::Options { jobs, dry_run, quiet, json };
    signals::install()?;
    standalone::run(manifest, arguments.locked.as_deref(), options).map(Ending::exit_status)
}
