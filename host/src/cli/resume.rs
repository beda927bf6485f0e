//! `nshot resume`.

use std::path::PathBuf;

use nshot::execute::{self, Ending, Options};
use nshot::manifest::parse_override;
use nshot::replace::{Replacements, parse};
use nshot::signals;

use super::Outcome;

/// Goes on with a run that was stopped or killed, from its last checkpoint.
///
/// It uses the plugins that the run began with, also if they were built anew since. On a CPU the results are those of a
/// run that was never stopped. A plugin that made the run fail can be replaced, by its mended self or by another; the run
/// then is that of two plugins, and its manifest, lock and log say so.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:  nshot resume runs/first-run\n           nshot resume runs/first-run --replace \
                        sampler=../my-sampler"
)]
pub(super) struct Arguments {
    /// The run directory.
    directory: PathBuf,
    /// Go on with this component in a table of the manifest: a plugin file, the folder of a plugin's crate, or a name, as
    /// behind `use`. The same component in another version keeps its settings and its state. May be repeated.
    #[arg(long = "replace", value_name = "TABLE=USE", value_parser = parse)]
    uses: Vec<(String, String)>,
    /// A setting of a component that is replaced, such as `sampler.epochs=3`: a TOML value, else a text. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    settings: Vec<(String, String)>,
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
    let replacements = Replacements { uses: arguments.uses.clone(), settings: arguments.settings.clone() };
    execute::resume(&arguments.directory, &replacements, options).map(Ending::exit_status)
}
