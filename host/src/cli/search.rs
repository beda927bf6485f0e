//! `nshot search`.

use std::path::PathBuf;

use nshot::execute::Ending;
use nshot::manifest::parse_override;
use nshot::{search, signals};

use super::Outcome;

/// Searches the trained supernet of a run for good subnets.
///
/// The searcher is the one of the run's `[search]`, or one that `--set` names: `random`, `exhaustive`, `evolution`,
/// `pareto`, or any plugin's. Scores, rounds and the result are kept in `search/NAME` of the run directory. Given again,
/// the command goes on where it was stopped.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:  nshot search runs/first-run --set search.use=evolution --set search.generations=5"
)]
pub(super) struct Arguments {
    /// The run directory.
    directory: PathBuf,
    /// Another value for a key of `[search]`, `[measures]` or `[rank]`: a TOML value, else a text. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    overrides: Vec<(String, String)>,
    /// The search's name. Default: the searcher's.
    #[arg(long, value_name = "NAME", value_parser = folder_name)]
    name: Option<String>,
    /// Say nothing but errors; the result is printed all the same.
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &Arguments) -> Outcome {
    signals::install()?;
    let options = search::Options {
        overrides: arguments.overrides.clone(),
        name: arguments.name.clone(),
        quiet: arguments.quiet,
        json: arguments.json,
    };
    search::search(&arguments.directory, &options).map(Ending::exit_status)
}

/// A name that can be a folder's.
pub(super) fn folder_name(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let first = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if first && name.len() <= 100 && name.chars().all(plain) {
        return Ok(name.to_owned());
    }
    Err("expected 1 to 100 letters, digits, `-`, `_` and `.`, a letter or digit first".to_owned())
}
