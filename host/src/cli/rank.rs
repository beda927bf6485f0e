//! `nshot rank`.

use std::path::PathBuf;

use nshot::execute::Ending;
use nshot::manifest::parse_override;
use nshot::{rank, signals};

use super::Outcome;
use super::search::folder_name;

/// Ranks anew with the trained supernets of a run: other subnets, another table, other images.
///
/// Scores and comparisons are kept in `rankings/NAME` of the run directory; the run's own `scores.csv` stays. Given
/// again, the command goes on where it was stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  nshot rank runs/first-run --name thousand --set rank.subnets=1000")]
pub(super) struct Arguments {
    /// The run directory.
    directory: PathBuf,
    /// Another value for a key of `[rank]` or `[measures]`: a TOML value, else a text. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    overrides: Vec<(String, String)>,
    /// The ranking's name.
    #[arg(long, value_name = "NAME", default_value = "again", value_parser = folder_name)]
    name: String,
    /// Say nothing but errors; the result is printed all the same.
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &Arguments) -> Outcome {
    signals::install()?;
    let options = rank::Options {
        overrides: arguments.overrides.clone(),
        name: arguments.name.clone(),
        quiet: arguments.quiet,
        json: arguments.json,
    };
    rank::rank(&arguments.directory, &options).map(Ending::exit_status)
}
