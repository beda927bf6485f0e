//! `nshot sweep`.

use std::path::PathBuf;

use nshot::execute::Ending;
use nshot::signals;
use nshot::sweep::{self, Format};

use super::{Outcome, manifest};

/// Runs a matrix of methods and seeds, and prints the table that compares them.
///
/// The manifest is that of a run with a table `[matrix]`: `seeds`, and for each method what it changes. Each run is a
/// process of its own with its own run directory. A run that fails is kept apart. Given again, the command does what is
/// not done yet.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  nshot sweep examples/table1-mini.toml --jobs 2\n  \
    nshot sweep examples/table1-mini.toml --method spos --method spos-calr --seed 0 --directory sweeps/first")]
pub(super) struct Arguments {
    #[command(flatten)]
    from: manifest::Arguments,
    /// Only this method, as if the matrix had no others. May be repeated.
    #[arg(long, value_name = "NAME")]
    method: Vec<String>,
    /// Only this seed, as if the matrix had no others. May be repeated.
    #[arg(long, value_name = "N")]
    seed: Vec<u64>,
    /// The folder of the runs. Default: `sweeps/NAME`.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Run from the plugin files and data of this lock (`lock.json` of a run), or say what differs. May be repeated: each
    /// run's components are to be in one of the locks, so those of one run of each method are enough.
    #[arg(long, value_name = "LOCK")]
    locked: Vec<PathBuf>,
    /// Runs beside each other. Default: as many as there are processors for `run.threads` each.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Say nothing but errors; the table is printed all the same.
    #[arg(long, short)]
    quiet: bool,
    /// Print the table as JSON, with the values of every seed.
    #[arg(long, conflicts_with_all = ["csv", "markdown"])]
    json: bool,
    /// Print the table as CSV.
    #[arg(long, conflicts_with = "markdown")]
    csv: bool,
    /// Print the table as Markdown.
    #[arg(long)]
    markdown: bool,
}

pub(super) fn main(arguments: &Arguments) -> Outcome {
    signals::install()?;
    let format = match (arguments.json, arguments.csv, arguments.markdown) {
        (true, ..) => Format::Json,
        (_, true, _) => Format::Csv,
        (.., true) => Format::Markdown,
        _ => Format::Text,
    };
    let options = sweep::Options {
        directory: arguments.directory.clone(),
        overrides: arguments.from.overrides.clone(),
        methods: arguments.method.clone(),
        seeds: arguments.seed.clone(),
        locked: arguments.locked.clone(),
        jobs: arguments.jobs.map(usize::from),
        dry_run: arguments.from.dry_run,
        quiet: arguments.quiet,
        format,
    };
    sweep::sweep(&arguments.from.manifest, &options).map(Ending::exit_status)
}
